//! The deterministic rules, over the sliding windows of one source host: what it says in MQTT, and what it does to the network.
//!
//! Each rule is a pure function of the host; the engine asks it when something it counts has just happened, or at the end of a
//! second. The windows are per source and not per flow, since every try of a scan or of a guesser is a flow of its own.

mod mqtt;
mod network;

pub use mqtt::{
    bruteforce, bruteforce_by_shape, bruteforce_success, connect_flood, exploit, guesses, malformed,
    publish_flood, publish_flood_severity, recon, slow_dos, tampering,
};
pub use network::{
    ack_flood, arp_spoof, host_scan, http_flood, ssh_bruteforce, syn_flood, tcp_scan, telnet_bruteforce,
    udp_flood, udp_scan,
};

use super::class::Class;
use crate::alert::{Evidence, EvidenceList, Severity};
use crate::host::Host;

/// When the rules fire. All windows are 60 s unless a field says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Thresholds {
    /// CONNACK refusals for brute force.
    pub bruteforce_refused: u32,
    /// Distinct credentials for brute force; fewer is a device with a wrong password.
    pub bruteforce_credentials: u32,
    /// CONNECT beyond those that led to a used session or replaced one the broker ended.
    pub connect_flood_connects: u32,
    /// PUBLISH without RETAIN in 10 s.
    pub publish_flood_messages: u32,
    /// PUBLISH with RETAIN in 10 s: honest devices announce themselves with bursts of these.
    pub publish_flood_retained: u32,
    /// Unused sessions with endless keep alive, or idle ones.
    pub slow_dos_sessions: u32,
    /// Violations and oddities.
    pub malformed_events: u32,
    /// Refusals, and distinct names asked for, for reconnaissance.
    pub recon_refused: u32,
    /// Retained messages wiped, and messages to topics of others, for tampering.
    pub tampering_wiped: u32,
    /// Distinct ports with failed connections.
    pub tcp_scan_ports: u32,
    /// Distinct ports asked by UDP.
    pub udp_scan_ports: u32,
    /// Distinct hosts with failed connections.
    pub host_scan_hosts: u32,
    /// Connections to SSH.
    pub login_bruteforce_ssh: u32,
    /// Connections to Telnet.
    pub login_bruteforce_telnet: u32,
    /// Packets of one kind in 10 s that lead to nothing.
    pub flood_packets: u32,
    /// Claims of addresses of other stations, which nobody asked for.
    pub arp_spoof_claims: u32,
}

impl Thresholds {
    /// The defaults: starting points from published rules (Snort, Zeek) and measurements, not fitted to any capture.
    pub const DEFAULT: Self = Self {
        bruteforce_refused: 6,
        bruteforce_credentials: 4,
        connect_flood_connects: 30,
        publish_flood_messages: 1000,
        publish_flood_retained: 5000,
        slow_dos_sessions: 10,
        malformed_events: 10,
        recon_refused: 10,
        tampering_wiped: 20,
        tcp_scan_ports: 10,
        udp_scan_ports: 24,
        host_scan_hosts: 48,
        login_bruteforce_ssh: 20,
        login_bruteforce_telnet: 10,
        flood_packets: 2000,
        arp_spoof_claims: 5,
    };
}

/// What the rules can find.
pub const CLASSES: &[Class] = &[
    Class::MqttBruteforce,
    Class::MqttConnectFlood,
    Class::MqttPublishFlood,
    Class::MqttSlowDos,
    Class::MqttMalformed,
    Class::MqttRecon,
    Class::MqttTampering,
    Class::TcpScan,
    Class::UdpScan,
    Class::HostScan,
    Class::SshBruteforce,
    Class::TelnetBruteforce,
    Class::SynFlood,
    Class::UdpFlood,
    Class::AckFlood,
    Class::HttpFlood,
    Class::ArpSpoof,
];

/// A rule: what it finds of a host at the end of a second.
pub type Rule = fn(&mut Host, u64, &Thresholds) -> Option<Finding>;

/// The rules that are asked at the end of every second in which the host sent something.
pub const EVERY_SECOND: &[Rule] = &[
    recon,
    tampering,
    udp_scan,
    host_scan,
    ssh_bruteforce,
    telnet_bruteforce,
    syn_flood,
    udp_flood,
    ack_flood,
    http_flood,
    arp_spoof,
];

/// What a rule found.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// What it is.
    pub class: Class,
    /// The rule's name, as in `rule:<name>`.
    pub rule: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// 0.5 at the threshold, towards 1 as it is passed further.
    pub confidence: f32,
    /// What it rests on.
    pub evidence: EvidenceList,
}

/// 0.5 at the threshold, towards 1 beyond it.
fn confidence(value: u32, threshold: u32) -> f32 {
    1.0 - 0.5 * (threshold.min(value) as f32 / value.max(1) as f32)
}

fn finding(
    class: Class,
    rule: &'static str,
    severity: Severity,
    (value, threshold): (u32, u32),
    evidence: &[(&'static str, &'static str, u32)],
) -> Finding {
    Finding {
        class,
        rule,
        severity,
        confidence: confidence(value, threshold),
        evidence: evidence
            .iter()
            .map(|(name, unit, value)| Evidence { name, unit, value: u64::from(*value) })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::window::Counter;

    pub(super) const LIMITS: Thresholds = Thresholds::DEFAULT;

    pub(super) fn host(counts: &[(Counter, u32)]) -> Host {
        let mut host = Host::NEW.clone();
        for (counter, n) in counts {
            host.count(*counter, *n, 100);
        }
        host
    }

    #[test]
    fn the_list_of_classes_is_that_of_the_rules() {
        let without_tests = |source: &'static str| source.split("#[cfg(test)]").next().unwrap();
        let rules = [include_str!("mqtt.rs"), include_str!("network.rs")].map(without_tests).concat();
        for class in Class::ALL {
            let is_found = rules.contains(&std::format!("Class::{class:?},"));
            assert_eq!(is_found, CLASSES.contains(class), "{class:?}");
        }
    }
}
