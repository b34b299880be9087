//! The attacks. Each is one struct of options, used alike by the command line and by scenario files, with a `run`
//! that is bounded in time and count.

pub mod acl_probe;
pub mod arp_spoof;
pub mod bruteforce;
pub mod connect_flood;
pub mod enumeration;
pub mod forge;
pub mod hoarding;
pub mod host_scan;
pub mod keepalive;
pub mod large_payload;
pub mod login;
pub mod malformed;
pub mod manner;
pub mod network_flood;
pub mod packet_ids;
pub mod publish_flood;
pub mod qos2;
mod raw;
pub mod scan;
pub mod slow_dos;
pub mod stealth_scan;
pub mod takeover;
pub mod udp_scan;
pub mod v5;
pub mod will_abuse;
mod words;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use clap::{Args, FromArgMatches, Subcommand};
use serde::{Deserialize, Serialize};

use crate::credentials::Credentials;
use crate::episode::{Episode, unix};
use crate::mqtt::packet::{Connect, Version};
use crate::mqtt::session::{ConnectError, Dial};
use crate::random::Random;
use crate::stop::Stop;
use crate::target::{Refusal, Target};

/// The hardest limit on the length of one attack, in seconds, whatever its options say.
pub const LONGEST_SECS: u32 = 600;

/// The hardest limit on the actions of one attack, whatever its options say.
pub const MOST_ACTIONS: u64 = 5_000_000;

/// What every attack can do.
trait Deed {
    /// The class in the product's vocabulary, and the number in the catalogue of attacks.
    fn label(&self) -> (&'static str, &'static str);

    /// Seconds after which it is stopped.
    fn secs(&self) -> u32;

    /// Whether it makes packets by itself, which it may only do inside the laboratory's namespaces.
    fn raw(&self) -> bool {
        false
    }

    /// Addresses other than its own that its packets seem to come from.
    fn disguises(&self, _place: &Place) -> Vec<IpAddr> {
        Vec::new()
    }

    /// Carries it out.
    fn run(&self, place: &Place, stop: &Stop, meter: &Meter);
}

macro_rules! attacks {
    ($($(#[$doc:meta])+ $variant:ident($options:ty) = $name:literal),+ $(,)?) => {
        /// An attack with its options. The names say what is done.
        #[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Subcommand)]
        #[serde(tag = "name")]
        pub enum Attack {
            $($(#[$doc])+ #[serde(rename = $name)] #[command(name = $name)] $variant($options)),+
        }

        impl Attack {
            /// The names of all attacks.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// Its name.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name),+ }
            }

            fn deed(&self) -> &dyn Deed {
                match self { $(Self::$variant(options) => options),+ }
            }
        }
    };
}

attacks! {
    /// Guess user names and passwords: one CONNECT per guess
    MqttBruteforce(bruteforce::BruteForce) = "mqtt_bruteforce",
    /// Connect again and again
    MqttConnectFlood(connect_flood::ConnectFlood) = "mqtt_connect_flood",
    /// Publish as fast as the options allow
    MqttPublishFlood(publish_flood::PublishFlood) = "mqtt_publish_flood",
    /// Hold many idle sessions, or send control packets drop by drop
    MqttSlowDos(slow_dos::SlowDos) = "mqtt_slow_dos",
    /// Break the standard, or use odd client identifiers and topics
    MqttMalformed(malformed::Malformed) = "mqtt_malformed",
    /// Connect with the client identifiers of others, who lose their sessions
    MqttTakeover(takeover::Takeover) = "mqtt_takeover",
    /// Subscribe to everything, or to what the broker says about itself
    MqttEnumeration(enumeration::Enumeration) = "mqtt_enumeration",
    /// Try which topics may be read and written
    MqttAclProbe(acl_probe::AclProbe) = "mqtt_acl_probe",
    /// Plant retained messages, or wipe them
    MqttRetainedPoisoning(forge::RetainedPoisoning) = "mqtt_retained_poisoning",
    /// Give commands to devices
    MqttCommandInjection(forge::CommandInjection) = "mqtt_command_injection",
    /// Publish readings in the name of devices
    MqttSpoofedTelemetry(forge::SpoofedTelemetry) = "mqtt_spoofed_telemetry",
    /// Publish messages of megabytes
    MqttLargePayload(large_payload::LargePayload) = "mqtt_large_payload",
    /// Begin exchanges of quality of service 2 and never end them
    MqttQos2Exhaustion(qos2::Qos2Exhaustion) = "mqtt_qos2_exhaustion",
    /// Use packet identifiers that are 0, in use or unknown
    MqttPacketIds(packet_ids::PacketIds) = "mqtt_packet_ids",
    /// Leave wills that do harm, and disappear
    MqttWillAbuse(will_abuse::WillAbuse) = "mqtt_will_abuse",
    /// Ask for keep alives that never end, or overrun them
    MqttKeepaliveAbuse(keepalive::KeepaliveAbuse) = "mqtt_keepalive_abuse",
    /// Join shared subscriptions, whose messages then miss their workers
    MqttSharedSubscription(enumeration::SharedSubscription) = "mqtt_shared_subscription",
    /// Misuse topic aliases and properties of version 5
    MqttV5Abuse(v5::V5Abuse) = "mqtt_v5_abuse",
    /// Leave many sessions behind, for which the broker stores messages
    MqttSessionHoarding(hoarding::SessionHoarding) = "mqtt_session_hoarding",
    /// Try many TCP ports by connecting
    TcpScan(scan::TcpScan) = "tcp_scan",
    /// Try many TCP ports by single packets (namespaces only)
    StealthScan(stealth_scan::StealthScan) = "stealth_scan",
    /// Try many UDP ports
    UdpScan(udp_scan::UdpScan) = "udp_scan",
    /// Try all addresses of the network
    HostScan(host_scan::HostScan) = "host_scan",
    /// Guess at SSH or Telnet
    LoginBruteforce(login::LoginBruteforce) = "login_bruteforce",
    /// Flood with SYN, ACK, UDP, GRE or HTTP (all but HTTP: namespaces only)
    NetworkFlood(network_flood::NetworkFlood) = "network_flood",
    /// Look for Telnet as Mirai does (namespaces only)
    MiraiScan(host_scan::MiraiScan) = "mirai_scan",
    /// Claim the addresses of others by ARP (namespaces only)
    ArpSpoof(arp_spoof::ArpSpoof) = "arp_spoof",
}

impl Attack {
    /// The class, as in the product's vocabulary.
    #[must_use]
    pub fn class(&self) -> &'static str {
        self.deed().label().0
    }

    /// The number in the catalogue of attacks.
    #[must_use]
    pub fn catalogue(&self) -> &'static str {
        self.deed().label().1
    }

    /// Whether it makes packets by itself, which it may only do inside the laboratory's namespaces.
    #[must_use]
    pub fn raw(&self) -> bool {
        self.deed().raw()
    }

    /// Time after which it is stopped.
    #[must_use]
    pub fn limit(&self) -> Duration {
        Duration::from_secs(u64::from(self.deed().secs().min(LONGEST_SECS)))
    }

    /// Carries it out, and says from when to when it lasted.
    ///
    /// # Errors
    /// A [`Refusal`] if it makes packets by itself and the target is not in a namespace of the laboratory.
    pub fn run(&self, place: &Place, stop: &Stop) -> Result<Episode, Refusal> {
        if self.raw() {
            place.target.raw()?;
        }
        let start = SystemTime::now();
        let meter = Meter::default();
        self.deed().run(place, &stop.within(self.limit()), &meter);
        Ok(Episode {
            class: self.class().into(),
            attack: self.catalogue().into(),
            attacker: place.from.unwrap_or_else(|| place.target.default_source()),
            disguises: self.deed().disguises(place),
            victim: place.target.address(),
            start: unix(start),
            end: unix(SystemTime::now()),
            count: meter.done.into_inner(),
            accepted: meter.accepted.into_inner(),
            refused: meter.refused.into_inner(),
            failed: meter.failed.into_inner(),
            style: self.clone(),
        })
    }
}

/// Where an attack comes from and goes to.
#[derive(Clone, Debug)]
pub struct Place {
    /// The checked target.
    pub target: Target,
    /// Source address; the system's choice if absent.
    pub from: Option<IpAddr>,
    /// Valid credentials, for attacks that come from behind the door.
    pub credentials: Option<Credentials>,
    /// What the attacker knows about the network.
    pub known: Known,
    /// Seed of everything random about it.
    pub seed: u64,
}

/// What an attacker has found out beforehand.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, Args)]
pub struct Known {
    /// Client identifiers of devices that the attacker knows
    #[arg(long = "known-client", global = true)]
    pub clients: Vec<String>,
    /// Addresses of devices that the attacker knows
    #[arg(long = "known-host", global = true)]
    pub hosts: Vec<IpAddr>,
}

impl Place {
    /// How to connect.
    #[must_use]
    pub const fn dial(&self) -> Dial {
        Dial { target: self.target, from: self.from, nodelay: true }
    }

    /// The randomness of one of several workers.
    #[must_use]
    pub fn random(&self, worker: u32) -> Random {
        Random::new(self.seed.wrapping_add(u64::from(worker).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// The client identifiers to go for: those that are known, or usual ones.
    #[must_use]
    pub fn victims(&self) -> Vec<String> {
        if self.known.clients.is_empty() {
            words::DEVICES.iter().map(|name| (*name).into()).collect()
        } else {
            self.known.clients.clone()
        }
    }

    /// The source address, if it is one of version 4.
    fn source_v4(&self) -> Ipv4Addr {
        match self.from.unwrap_or_else(|| self.target.default_source()) {
            IpAddr::V4(own) => own,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        }
    }

    /// A CONNECT with the credentials of this place.
    #[must_use]
    pub fn connect<'a>(&'a self, version: Version, client_id: &'a str, keep_alive: u16) -> Connect<'a> {
        Connect {
            version,
            client_id,
            keep_alive,
            clean: true,
            login: self.credentials.as_ref().map(Credentials::pair),
            will: None,
        }
    }
}

/// What an attack counts while it runs; shared by its workers.
#[derive(Debug, Default)]
pub struct Meter {
    /// Actions done: guesses, connections, messages, ports, packets.
    pub done: AtomicU64,
    /// Those that the broker accepted.
    pub accepted: AtomicU64,
    /// Those that the broker, or a closed port, refused.
    pub refused: AtomicU64,
    /// Those that failed on the way.
    pub failed: AtomicU64,
}

impl Meter {
    /// Takes one of `most` actions; false when there is none left.
    fn take(&self, most: u64) -> bool {
        let most = most.min(MOST_ACTIONS);
        self.done
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |done| (done < most).then_some(done + 1))
            .is_ok()
    }

    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts how something ended that the other side does not judge.
    fn tell<T, E>(&self, result: &Result<T, E>) {
        Self::count(if result.is_ok() { &self.accepted } else { &self.failed });
    }

    /// Counts how a connection ended: accepted, refused, or failed on the way. What came of it, if anything.
    fn connected<T>(&self, result: Result<T, ConnectError>) -> Option<T> {
        Self::count(match &result {
            Ok(_) => &self.accepted,
            Err(ConnectError::Refused(_)) => &self.refused,
            Err(ConnectError::Io(_)) => &self.failed,
        });
        result.ok()
    }

    /// As [`Meter::connected`], where a session is not yet a success.
    fn unless_connected<T>(&self, result: Result<T, ConnectError>) -> Option<T> {
        match result {
            Ok(made) => Some(made),
            failed => self.connected(failed),
        }
    }
}

/// The defaults of a set of options, from the one place where they stand: the command line's own.
pub(crate) fn defaults<T: Args + FromArgMatches>() -> T {
    let command = T::augment_args(clap::Command::new("defaults").no_binary_name(true));
    let matches = command.get_matches_from(std::iter::empty::<&str>());
    T::from_arg_matches(&matches).expect("every option of an attack has a default")
}

/// Splits `total` a second over `workers`.
fn share(total: f64, workers: u32) -> f64 {
    total / f64::from(workers.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_from_a_file_have_the_defaults_of_the_command_line() {
        let from_file: Attack = toml::from_str("name = \"mqtt_bruteforce\"\ntries = 7").unwrap();
        let Attack::MqttBruteforce(attack) = from_file else { panic!("wrong class") };
        assert_eq!(attack, bruteforce::BruteForce { tries: 7, ..defaults() });
        assert!(
            toml::from_str::<Attack>("name = \"mqtt_bruteforce\"\ntrees = 7").is_err(),
            "unknown keys are refused"
        );
    }

    #[test]
    fn by_default_every_attack_lasts_eight_seconds_at_most() {
        for name in Attack::NAMES {
            let attack: Attack = toml::from_str(&format!("name = \"{name}\"")).unwrap();
            assert!(attack.limit() <= Duration::from_secs(8), "{name}");
            assert_eq!(attack.name(), *name);
        }
    }

    #[test]
    fn every_attack_of_the_catalogue_has_a_class_of_the_product() {
        let numbers: std::collections::BTreeSet<_> = Attack::NAMES
            .iter()
            .map(|name| {
                let attack: Attack = toml::from_str(&format!("name = \"{name}\"")).unwrap();
                assert!(!attack.class().is_empty());
                attack.catalogue()
            })
            .collect();
        // A4 and A5 are styles of A3.
        let expected = (1..=21).filter(|n| ![4, 5].contains(n)).map(|n| format!("A{n}"));
        let expected: Vec<_> = expected.chain((1..=5).map(|n| format!("N{n}"))).collect();
        for number in &expected {
            assert!(numbers.contains(number.as_str()), "{number} is missing");
        }
        assert_eq!(numbers.len(), expected.len());
    }

    #[test]
    fn a_meter_gives_out_no_more_than_its_limit() {
        let meter = Meter::default();
        assert_eq!((0..10).filter(|_| meter.take(3)).count(), 3);
    }
}
