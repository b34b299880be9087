//! The deterministic rules, first set: over the sliding windows of one source host.
//!
//! Each rule is a pure function of the host; the engine asks it when something it counts has just happened. The
//! windows are per source and not per flow, since every try of a scan or of a guesser is a flow of its own.

use super::class::Class;
use crate::alert::{Evidence, EvidenceList, Severity};
use crate::host::Host;
use crate::host::gauge::Gauge;
use crate::host::sketch::Sketch;
use crate::host::window::Counter;

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
    /// Distinct ports with failed connections.
    pub tcp_scan_ports: u32,
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
        tcp_scan_ports: 10,
    };
}

/// What the rules can find.
pub const CLASSES: &[Class] = &[
    Class::MqttBruteforce,
    Class::MqttConnectFlood,
    Class::MqttPublishFlood,
    Class::MqttSlowDos,
    Class::MqttMalformed,
    Class::TcpScan,
];

/// So many times its threshold makes a rate of messages one that no honest client has.
const FLOOD_FOR_SURE: u32 = 4;

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

/// Distinct credentials that are guesses whoever tries them.
const SPRAY: u32 = 10;

/// Whether the credentials of a host are guesses, and not those of devices whose password was changed.
///
/// Such a device says the same pair for ever, and under its own client identifier: behind one address are as many pairs as
/// devices, and they grow no more. Who guesses says several pairs under one identifier, or very many.
pub fn guesses(host: &mut Host, second: u64, limits: &Thresholds) -> bool {
    let credentials = host.distinct(Sketch::Credentials, second);
    let client_ids = host.distinct(Sketch::ClientIds, second);
    // One more, since two identifiers may fall into one place of the sketch.
    credentials >= limits.bruteforce_credentials
        && (credentials > client_ids + 1 || credentials >= SPRAY.max(limits.bruteforce_credentials))
}

/// Guessing of credentials. To be asked when a CONNACK refused.
pub fn bruteforce(host: &mut Host, second: u64, limits: &Thresholds) -> Option<Finding> {
    let refused = host.windows.last60(Counter::Refused);
    if refused < limits.bruteforce_refused {
        return None;
    }
    let credentials = host.distinct(Sketch::Credentials, second);
    let client_ids = host.distinct(Sketch::ClientIds, second);
    let accepted = host.windows.last60(Counter::Accepted);
    let severity = if guesses(host, second, limits) {
        Severity::High
    } else if refused >= 2 * limits.bruteforce_refused {
        Severity::Low
    } else {
        return None;
    };
    Some(finding(
        Class::MqttBruteforce,
        "mqtt_bruteforce",
        severity,
        (refused, limits.bruteforce_refused),
        &[
            ("connect_refused", "packets/60s", refused),
            ("distinct_credentials", "pairs/60s", credentials),
            ("distinct_client_ids", "ids/60s", client_ids),
            ("connect_accepted", "packets/60s", accepted),
        ],
    ))
}

/// Guessing of credentials inside TLS, told by the shape of the connections alone. To be asked when one ended like a
/// refused login.
///
/// A shape proves less than a CONNACK, so it takes more of them, and never gives more than medium. A device with a wrong
/// password says the same CONNECT for ever; who guesses says one of another length now and then, or does it faster
/// than any device comes back.
pub fn bruteforce_by_shape(host: &mut Host, _second: u64, limits: &Thresholds) -> Option<Finding> {
    let refused = host.windows.last60(Counter::EncryptedRefused);
    let sizes = host.connect_sizes.count_ones();
    let threshold = 2 * limits.bruteforce_refused;
    if refused < threshold {
        return None;
    }
    let varies = sizes >= limits.bruteforce_credentials;
    let severity = if (varies && refused >= 2 * threshold) || refused >= 10 * threshold {
        Severity::Medium
    } else {
        Severity::Low
    };
    Some(finding(
        Class::MqttBruteforce,
        "mqtt_bruteforce_by_shape",
        severity,
        (refused, threshold),
        &[
            ("refused_by_shape_of_tls", "connections/60s", refused),
            ("distinct_connect_lengths", "lengths", sizes),
            ("connections_opened", "connections/60s", host.windows.last60(Counter::Syn)),
        ],
    ))
}

/// A guess that was accepted. To be asked when a CONNACK accepted and brute force is on.
pub fn bruteforce_success(host: &mut Host, second: u64, limits: &Thresholds) -> Option<Finding> {
    let mut finding = bruteforce(host, second, limits)?;
    (finding.severity >= Severity::High).then(|| {
        finding.severity = Severity::Critical;
        finding
    })
}

/// Connections for their own sake. To be asked at the end of a second in which CONNECT came.
pub fn connect_flood(host: &mut Host, second: u64, limits: &Thresholds) -> Option<Finding> {
    let connects = host.windows.last60(Counter::Connect);
    if connects <= limits.connect_flood_connects {
        return None;
    }
    let used = host.windows.last60(Counter::SessionUsed);
    let closed = host.windows.last60(Counter::ClosedByBroker);
    // Many devices behind one address reconnect after the broker restarts: their sessions were ended by the
    // broker and are used again. Beyond ten times the threshold no honest use is left.
    let excess = connects.saturating_sub(used).saturating_sub(closed);
    let churn = connects > 10 * limits.connect_flood_connects && connects > 2 * closed;
    if excess <= limits.connect_flood_connects && !churn {
        return None;
    }
    let severity =
        if connects > 3 * limits.connect_flood_connects { Severity::High } else { Severity::Medium };
    let client_ids = host.distinct(Sketch::ClientIds, second);
    Some(finding(
        Class::MqttConnectFlood,
        "mqtt_connect_flood",
        severity,
        (connects, limits.connect_flood_connects),
        &[
            ("connect", "packets/60s", connects),
            ("connect_10s", "packets/10s", host.windows.last10(Counter::Connect)),
            ("sessions_used", "sessions/60s", used),
            ("sessions_closed_by_broker", "sessions/60s", closed),
            ("distinct_client_ids", "ids/60s", client_ids),
        ],
    ))
}

/// How much the publish flood rule's condition matters, if it holds: cheap, for every PUBLISH.
///
/// A bridge or a shipper of logs may send some hundred messages a second for ever, and its rate alone does not tell it from a weak
/// flood: that is said, and wakes nobody. The model looks at more than the rate.
#[must_use]
#[inline]
pub fn publish_flood_severity(host: &Host, limits: &Thresholds) -> Option<Severity> {
    let all = host.windows.last10(Counter::Publish);
    let retained = host.windows.last10(Counter::PublishRetained);
    let plain = all.saturating_sub(retained);
    if plain >= FLOOD_FOR_SURE * limits.publish_flood_messages || retained >= limits.publish_flood_retained {
        return Some(Severity::High);
    }
    (plain >= limits.publish_flood_messages).then_some(Severity::Low)
}

/// Messages faster than any sensor sends. To be asked when a PUBLISH came.
pub fn publish_flood(host: &mut Host, second: u64, limits: &Thresholds) -> Option<Finding> {
    let all = host.windows.last10(Counter::Publish);
    let retained = host.windows.last10(Counter::PublishRetained);
    let plain = all.saturating_sub(retained);
    let severity = publish_flood_severity(host, limits)?;
    let passed = if plain >= limits.publish_flood_messages {
        (plain, limits.publish_flood_messages)
    } else {
        (retained, limits.publish_flood_retained)
    };
    let topics = host.distinct(Sketch::Topics, second);
    Some(finding(
        Class::MqttPublishFlood,
        "mqtt_publish_flood",
        severity,
        passed,
        &[
            ("publish", "packets/10s", all),
            ("publish_retained", "packets/10s", retained),
            ("publish_60s", "packets/60s", host.windows.last60(Counter::Publish)),
            ("sent", "octets/10s", host.windows.last10(Counter::BytesSent).saturating_mul(64)),
            ("distinct_topics", "topics/60s", topics),
        ],
    ))
}

/// Sessions held open and unused (SlowITe, SlowTT). To be asked at the end of a second.
pub fn slow_dos(host: &mut Host, _second: u64, limits: &Thresholds) -> Option<Finding> {
    let endless = host.windows.last60(Counter::LongKeepAlive);
    let used = host.windows.last60(Counter::SessionUsed);
    let endless_unused = endless.saturating_sub(used);
    let idle = host.gauges.get(Gauge::Idle);
    let unused = host.gauges.get(Gauge::Unused);
    let worst = endless_unused.min(unused).max(idle);
    if worst < limits.slow_dos_sessions {
        return None;
    }
    let severity = if worst >= 3 * limits.slow_dos_sessions { Severity::High } else { Severity::Medium };
    Some(finding(
        Class::MqttSlowDos,
        "mqtt_slow_dos",
        severity,
        (worst, limits.slow_dos_sessions),
        &[
            ("sessions_unused", "sessions", unused),
            ("sessions_idle", "sessions", idle),
            ("sessions_open", "sessions", host.gauges.get(Gauge::Sessions)),
            ("connect_long_keepalive", "packets/60s", endless),
            ("connect", "packets/60s", host.windows.last60(Counter::Connect)),
        ],
    ))
}

/// Packets that break or abuse the standard. To be asked when one came.
pub fn malformed(host: &mut Host, _second: u64, limits: &Thresholds) -> Option<Finding> {
    let violations = host.windows.last60(Counter::Violation);
    let oddities = host.windows.last60(Counter::Oddity);
    let events = violations + oddities;
    let kinds = host.violation_kinds.len();
    if events < limits.malformed_events {
        return None;
    }
    // One clumsy client library makes one mistake over and over.
    let severity = match kinds + u32::from(oddities > 0) {
        0 | 1 if oddities == 0 => Severity::Low,
        _ if events >= 10 * limits.malformed_events => Severity::High,
        _ => Severity::Medium,
    };
    Some(finding(
        Class::MqttMalformed,
        "mqtt_malformed",
        severity,
        (events, limits.malformed_events),
        &[
            ("violations", "events/60s", violations),
            ("violation_kinds", "kinds", kinds),
            ("oddities", "events/60s", oddities),
            ("connect", "packets/60s", host.windows.last60(Counter::Connect)),
        ],
    ))
}

/// A packet made to break a broker. To be asked when one of high severity came.
pub fn exploit(host: &mut Host, _second: u64, _limits: &Thresholds) -> Option<Finding> {
    let violations = host.windows.last60(Counter::Violation);
    Some(finding(
        Class::MqttMalformed,
        "mqtt_exploit",
        Severity::Medium,
        (violations, 1),
        &[
            ("violations", "events/60s", violations),
            ("violation_kinds", "kinds", host.violation_kinds.len()),
            ("connect", "packets/60s", host.windows.last60(Counter::Connect)),
        ],
    ))
}

/// Distinct ports from which no honest program's failures explain them, whatever the number of hosts.
const MANY_PORTS: u32 = 64;

/// One source tries many ports. To be asked when a connection failed.
///
/// A scanner tries many ports of a host. A peer-to-peer program tries many hosts, each at a port of its own, and many
/// of these are gone: there the ports are about as many as the hosts.
pub fn tcp_scan(host: &mut Host, second: u64, limits: &Thresholds) -> Option<Finding> {
    let failed = host.windows.last60(Counter::SynFailed);
    if failed < limits.tcp_scan_ports {
        return None;
    }
    let ports = host.distinct(Sketch::FailedPorts, second);
    let hosts = host.distinct(Sketch::FailedHosts, second);
    if ports < limits.tcp_scan_ports || (ports < 2 * hosts && ports < MANY_PORTS) {
        return None;
    }
    let severity = if ports >= 4 * limits.tcp_scan_ports { Severity::High } else { Severity::Medium };
    Some(finding(
        Class::TcpScan,
        "tcp_scan",
        severity,
        (ports, limits.tcp_scan_ports),
        &[
            ("distinct_failed_ports", "ports/60s", ports),
            ("distinct_failed_hosts", "hosts/60s", hosts),
            ("connections_failed", "connections/60s", failed),
            ("connections_opened", "connections/60s", host.windows.last60(Counter::Syn)),
        ],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::violation::Violation;

    const LIMITS: Thresholds = Thresholds::DEFAULT;

    fn host(counts: &[(Counter, u32)]) -> Host {
        let mut host = Host::NEW.clone();
        for (counter, n) in counts {
            host.count(*counter, *n, 100);
        }
        host
    }

    #[test]
    fn the_list_of_classes_is_that_of_the_rules() {
        let rules = include_str!("rules.rs").split("#[cfg(test)]").next().unwrap();
        for class in Class::ALL {
            let name = std::format!("Class::{class:?},");
            let in_rules = rules.matches(&name).count() > usize::from(CLASSES.contains(class));
            assert_eq!(in_rules, CLASSES.contains(class), "{name}");
        }
    }

    #[test]
    fn a_guesser_is_told_from_a_wrong_password() {
        let mut one_pair = host(&[(Counter::Refused, 30)]);
        one_pair.note(Sketch::Credentials, 1, 100);
        assert_eq!(bruteforce(&mut one_pair, 100, &LIMITS).map(|f| f.severity), Some(Severity::Low));
        let mut many = host(&[(Counter::Refused, 6)]);
        (0..6).for_each(|i| many.note(Sketch::Credentials, i, 100));
        let found = bruteforce(&mut many, 100, &LIMITS).unwrap();
        assert_eq!((found.severity, found.confidence), (Severity::High, 0.5));
        assert_eq!(bruteforce_success(&mut many, 100, &LIMITS).map(|f| f.severity), Some(Severity::Critical));
        assert_eq!(bruteforce(&mut host(&[(Counter::Refused, 5)]), 100, &LIMITS), None);
    }

    #[test]
    fn a_household_with_an_old_password_does_not_guess() {
        let mut home = host(&[(Counter::Refused, 60)]);
        for device in 0..6 {
            home.note(Sketch::Credentials, device, 100);
            home.note(Sketch::ClientIds, device, 100);
        }
        assert_eq!(bruteforce(&mut home, 100, &LIMITS).map(|f| f.severity), Some(Severity::Low));
        // Another name for every guess: ten are too many for a household.
        for guess in 6..10 {
            home.note(Sketch::Credentials, guess, 100);
            home.note(Sketch::ClientIds, guess, 100);
        }
        assert_eq!(bruteforce(&mut home, 100, &LIMITS).map(|f| f.severity), Some(Severity::High));
    }

    #[test]
    fn a_shape_never_gives_more_than_medium_and_a_wrong_password_low() {
        let severity = |refused, sizes| {
            let mut host = host(&[(Counter::EncryptedRefused, refused)]);
            host.connect_sizes = sizes;
            bruteforce_by_shape(&mut host, 100, &LIMITS).map(|f| f.severity)
        };
        assert_eq!(severity(11, 0b1111), None);
        assert_eq!(severity(12, 0b1111), Some(Severity::Low));
        // A device that tries again every second.
        assert_eq!(severity(60, 0b1), Some(Severity::Low));
        assert_eq!(severity(24, 0b1111), Some(Severity::Medium));
        assert_eq!(severity(500, 0b1), Some(Severity::Medium));
    }

    #[test]
    fn a_mass_reconnect_is_no_flood() {
        let mut flood = host(&[(Counter::Connect, 40)]);
        assert!(connect_flood(&mut flood, 100, &LIMITS).is_some());
        let mut fleet =
            host(&[(Counter::Connect, 200), (Counter::SessionUsed, 120), (Counter::ClosedByBroker, 60)]);
        assert_eq!(connect_flood(&mut fleet, 100, &LIMITS), None);
    }

    #[test]
    fn a_burst_of_discovery_messages_is_no_flood() {
        let mut burst = host(&[(Counter::Publish, 2500), (Counter::PublishRetained, 2500)]);
        assert_eq!(publish_flood(&mut burst, 100, &LIMITS), None);
        let mut flood = host(&[(Counter::Publish, 1000)]);
        assert_eq!(publish_flood(&mut flood, 100, &LIMITS).map(|found| found.severity), Some(Severity::Low));
        flood.count(Counter::Publish, 3 * LIMITS.publish_flood_messages, 100);
        assert_eq!(publish_flood(&mut flood, 100, &LIMITS).map(|found| found.severity), Some(Severity::High));
    }

    #[test]
    fn idle_sessions_and_endless_keep_alive() {
        let mut slowite = host(&[(Counter::LongKeepAlive, 12)]);
        (0..12).for_each(|_| slowite.gauges.up(Gauge::Unused));
        assert!(slow_dos(&mut slowite, 100, &LIMITS).is_some());
        let mut used = host(&[(Counter::LongKeepAlive, 12), (Counter::SessionUsed, 12)]);
        assert_eq!(slow_dos(&mut used, 100, &LIMITS), None);
        let mut slowtt = host(&[]);
        (0..10).for_each(|_| slowtt.gauges.up(Gauge::Idle));
        assert!(slow_dos(&mut slowtt, 100, &LIMITS).is_some());
    }

    #[test]
    fn one_mistake_over_and_over_is_low() {
        let mut clumsy = host(&[(Counter::Violation, 50)]);
        clumsy.violation_kinds.add(Violation::Utf8);
        assert_eq!(malformed(&mut clumsy, 100, &LIMITS).map(|f| f.severity), Some(Severity::Low));
        clumsy.violation_kinds =
            [Violation::Utf8, Violation::Qos3, Violation::Trailing].into_iter().collect();
        assert_eq!(malformed(&mut clumsy, 100, &LIMITS).map(|f| f.severity), Some(Severity::Medium));
    }

    #[test]
    fn a_peer_to_peer_program_is_no_scanner() {
        let mut peers = host(&[(Counter::SynFailed, 40)]);
        for peer in 0..40 {
            peers.note(Sketch::FailedPorts, peer, 100);
            peers.note(Sketch::FailedHosts, peer, 100);
        }
        assert_eq!(tcp_scan(&mut peers, 100, &LIMITS), None);
        // A whole network scanned on every port is one, even so.
        (40..128).for_each(|port| peers.note(Sketch::FailedPorts, port, 100));
        assert!(tcp_scan(&mut peers, 100, &LIMITS).is_some());
    }

    #[test]
    fn many_tries_at_one_port_are_no_scan() {
        let mut retrying = host(&[(Counter::SynFailed, 500)]);
        retrying.note(Sketch::FailedPorts, 1883, 100);
        assert_eq!(tcp_scan(&mut retrying, 100, &LIMITS), None);
        let mut scan = host(&[(Counter::SynFailed, 12)]);
        (0..12).for_each(|port| scan.note(Sketch::FailedPorts, port, 100));
        assert!(tcp_scan(&mut scan, 100, &LIMITS).is_some());
    }
}
