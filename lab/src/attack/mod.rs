//! The attacks. Each is one struct of options, used alike by the command line and by scenario files, with a `run`
//! that is bounded in time and count.

pub mod bruteforce;
pub mod connect_flood;
pub mod malformed;
pub mod publish_flood;
pub mod scan;
pub mod slow_dos;
mod words;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use clap::{Args, FromArgMatches, Subcommand};
use serde::{Deserialize, Serialize};

use crate::credentials::Credentials;
use crate::episode::{Episode, unix};
use crate::mqtt::packet::{Connect, Version};
use crate::mqtt::session::Dial;
use crate::random::Random;
use crate::stop::Stop;
use crate::target::Target;

/// The hardest limit on the length of one attack, in seconds, whatever its options say.
pub const LONGEST_SECS: u32 = 600;

/// The hardest limit on the actions of one attack, whatever its options say.
pub const MOST_ACTIONS: u64 = 5_000_000;

/// An attack with its options. The names are those of the product's class vocabulary.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Subcommand)]
#[serde(tag = "class", rename_all = "snake_case")]
#[command(rename_all = "snake_case")]
pub enum Attack {
    /// Guess user names and passwords: one CONNECT per guess
    MqttBruteforce(bruteforce::BruteForce),
    /// Connect again and again
    MqttConnectFlood(connect_flood::ConnectFlood),
    /// Publish as fast as the options allow
    MqttPublishFlood(publish_flood::PublishFlood),
    /// Hold many idle sessions, or send CONNECT drop by drop
    MqttSlowDos(slow_dos::SlowDos),
    /// Try many TCP ports
    TcpScan(scan::TcpScan),
    /// Break the standard, or use odd client identifiers and topics
    MqttMalformed(malformed::Malformed),
}

impl Attack {
    /// The class, as in the product's vocabulary.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::MqttBruteforce(_) => "mqtt_bruteforce",
            Self::MqttConnectFlood(_) => "mqtt_connect_flood",
            Self::MqttPublishFlood(_) => "mqtt_publish_flood",
            Self::MqttSlowDos(_) => "mqtt_slow_dos",
            Self::TcpScan(_) => "tcp_scan",
            Self::MqttMalformed(_) => "mqtt_malformed",
        }
    }

    /// Time after which it is stopped.
    #[must_use]
    pub fn limit(&self) -> Duration {
        let secs = match self {
            Self::MqttBruteforce(attack) => attack.secs,
            Self::MqttConnectFlood(attack) => attack.secs,
            Self::MqttPublishFlood(attack) => attack.secs,
            Self::MqttSlowDos(attack) => attack.secs,
            Self::TcpScan(attack) => attack.secs,
            Self::MqttMalformed(attack) => attack.secs,
        };
        Duration::from_secs(u64::from(secs.min(LONGEST_SECS)))
    }

    /// Carries it out, and says from when to when it lasted.
    #[must_use]
    pub fn run(&self, place: &Place, stop: &Stop) -> Episode {
        let start = SystemTime::now();
        let meter = Meter::default();
        let stop = stop.within(self.limit());
        match self {
            Self::MqttBruteforce(attack) => attack.run(place, &stop, &meter),
            Self::MqttConnectFlood(attack) => attack.run(place, &stop, &meter),
            Self::MqttPublishFlood(attack) => attack.run(place, &stop, &meter),
            Self::MqttSlowDos(attack) => attack.run(place, &stop, &meter),
            Self::TcpScan(attack) => attack.run(place, &stop, &meter),
            Self::MqttMalformed(attack) => attack.run(place, &stop, &meter),
        }
        Episode {
            class: self.class().into(),
            attacker: place.from.unwrap_or_else(|| place.target.default_source()),
            victim: place.target.address(),
            start: unix(start),
            end: unix(SystemTime::now()),
            count: meter.done.into_inner(),
            accepted: meter.accepted.into_inner(),
            refused: meter.refused.into_inner(),
            failed: meter.failed.into_inner(),
            style: self.clone(),
        }
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
    /// Seed of everything random about it.
    pub seed: u64,
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
}

/// How an attacker names its clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Naming {
    /// A new random identifier every time.
    Random,
    /// Always the same.
    Fixed,
    /// None: the broker gives one.
    Empty,
    /// A common stem with a number.
    Numbered,
}

impl Naming {
    fn name(self, index: u64, random: &mut Random) -> String {
        match self {
            Self::Random => random.text(12),
            Self::Fixed => "client".into(),
            Self::Empty => String::new(),
            Self::Numbered => format!("worker-{index}"),
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
        let from_file: Attack = toml::from_str("class = \"mqtt_bruteforce\"\ntries = 7").unwrap();
        let Attack::MqttBruteforce(attack) = from_file else { panic!("wrong class") };
        assert_eq!(attack, bruteforce::BruteForce { tries: 7, ..defaults() });
        assert!(
            toml::from_str::<Attack>("class = \"mqtt_bruteforce\"\ntrees = 7").is_err(),
            "unknown keys are refused"
        );
    }

    #[test]
    fn by_default_every_attack_lasts_eight_seconds_at_most() {
        for class in [
            "mqtt_bruteforce",
            "mqtt_connect_flood",
            "mqtt_publish_flood",
            "mqtt_slow_dos",
            "tcp_scan",
            "mqtt_malformed",
        ] {
            let attack: Attack = toml::from_str(&format!("class = \"{class}\"")).unwrap();
            assert!(attack.limit() <= Duration::from_secs(8), "{class}");
            assert_eq!(attack.class(), class);
        }
    }

    #[test]
    fn a_meter_gives_out_no_more_than_its_limit() {
        let meter = Meter::default();
        assert_eq!((0..10).filter(|_| meter.take(3)).count(), 3);
    }
}
