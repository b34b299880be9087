//! Rules about what a host says in MQTT.

use super::{Finding, Thresholds, finding};
use crate::alert::Severity;
use crate::detect::class::Class;
use crate::host::Host;
use crate::host::gauge::Gauge;
use crate::host::rare::Rare;
use crate::host::sketch::Sketch;
use crate::host::window::Counter;

/// So many times its threshold makes a rate of messages one that no honest client has.
const FLOOD_FOR_SURE: u32 = 4;

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

/// Asking and publishing in spite of refusals, about many names: a list of rights being tried out. To be asked at the end of a second.
///
/// A client that was set up wrongly is refused the same few things again and again, and is told by their number.
pub fn recon(host: &mut Host, second: u64, limits: &Thresholds) -> Option<Finding> {
    let refused = host.rares.last60(Rare::FiltersRefused) + host.rares.last60(Rare::PublishRefused);
    if refused < limits.recon_refused {
        return None;
    }
    let (filters, topics) = (host.distinct(Sketch::Filters, second), host.distinct(Sketch::Topics, second));
    let names = filters.max(topics);
    if names < limits.recon_refused {
        return None;
    }
    let severity = if names >= 4 * limits.recon_refused { Severity::Medium } else { Severity::Low };
    Some(finding(
        Class::MqttRecon,
        "mqtt_recon",
        severity,
        (refused, limits.recon_refused),
        &[
            ("filters_refused", "filters/60s", host.rares.last60(Rare::FiltersRefused)),
            ("publish_refused", "packets/60s", host.rares.last60(Rare::PublishRefused)),
            ("distinct_filters", "filters/60s", filters),
            ("distinct_topics", "topics/60s", topics),
        ],
    ))
}

/// Wiping what the server keeps of others. To be asked at the end of a second.
///
/// Who takes devices out of a home wipes their announcements, too, but these are topics of its own, or some few.
pub fn tampering(host: &mut Host, _second: u64, limits: &Thresholds) -> Option<Finding> {
    let wiped = host.rares.last60(Rare::Emptied);
    let foreign = host.rares.last60(Rare::Foreign);
    if wiped.min(foreign) < limits.tampering_wiped {
        return None;
    }
    Some(finding(
        Class::MqttTampering,
        "mqtt_tampering",
        Severity::Medium,
        (wiped, limits.tampering_wiped),
        &[
            ("retained_wiped", "packets/60s", wiped),
            ("publish_foreign", "packets/60s", foreign),
            ("publish_retained", "packets/60s", host.windows.last60(Counter::PublishRetained)),
        ],
    ))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LIMITS, host};
    use super::*;
    use crate::mqtt::violation::Violation;

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
    fn refusals_of_the_same_few_names_are_a_mistake() {
        let mut wrong = host(&[]);
        wrong.count_rare(Rare::FiltersRefused, 60, 100);
        (0..3).for_each(|filter| wrong.note(Sketch::Filters, filter, 100));
        assert_eq!(recon(&mut wrong, 100, &LIMITS), None);
        (3..12).for_each(|filter| wrong.note(Sketch::Filters, filter, 100));
        assert_eq!(recon(&mut wrong, 100, &LIMITS).map(|f| f.severity), Some(Severity::Low));
        (12..60).for_each(|filter| wrong.note(Sketch::Filters, filter, 100));
        assert_eq!(recon(&mut wrong, 100, &LIMITS).map(|f| f.severity), Some(Severity::Medium));
    }

    #[test]
    fn wiping_what_is_ones_own_is_no_tampering() {
        let mut owner = host(&[]);
        owner.count_rare(Rare::Emptied, 100, 100);
        assert_eq!(tampering(&mut owner, 100, &LIMITS), None);
        owner.count_rare(Rare::Foreign, 20, 100);
        assert!(tampering(&mut owner, 100, &LIMITS).is_some());
    }
}
