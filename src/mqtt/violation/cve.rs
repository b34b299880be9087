//! Reports of flaws in brokers and clients that can be told on the wire, and what tells them.
//!
//! Traffic of such a shape proves that somebody tries, not that the broker at hand has the flaw: products and versions are
//! there for whoever knows what runs there. Where the report does not publish the shape, what comes nearest is named,
//! and the entry says so.

use crate::detect::class::Class;

/// One report, or several on the same shape.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Its identifiers: a CVE, or a project's own issue.
    pub ids: &'static [&'static str],
    /// What is affected, as far as the report says.
    pub affected: &'static str,
    /// What is sent, and what happens.
    pub shape: &'static str,
    /// What tells it. Empty where nothing of it can be seen in MQTT.
    pub told_by: &'static [Told],
}

/// What tells a report's traffic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// An event of the [table](super::table).
    Event(&'static str),
    /// Alerts of this class.
    Alert(Class),
}

use Told::{Alert, Event};

/// All of them, oldest first.
pub static REPORTS: [Report; 34] = [
    Report {
        ids: &["CVE-2017-7650"],
        affected: "Mosquitto 0.15 to 1.4.11",
        shape: "`#` or `+` as client identifier or user name passes access rules that are made of patterns",
        told_by: &[Event("cve:CVE-2017-7650")],
    },
    Report {
        ids: &["CVE-2017-7651"],
        affected: "Mosquitto 0.15 to 1.4.14",
        shape: "a great Remaining Length before the login takes memory",
        told_by: &[Event("cve:CVE-2017-7651")],
    },
    Report {
        ids: &["CVE-2017-7653"],
        affected: "Mosquitto up to 1.4.15",
        shape: "a topic that is not UTF-8 is handed on, and strict clients disconnect",
        told_by: &[Event("mqtt311:1.5.3-1")],
    },
    Report {
        ids: &["CVE-2017-7654"],
        affected: "Mosquitto 1.0 to 1.4.15",
        shape: "crafted CONNECT packets leak memory; the report does not say how they are crafted",
        told_by: &[Event("cve:CVE-2017-7654"), Alert(Class::MqttMalformed)],
    },
    Report {
        ids: &["CVE-2018-12543"],
        affected: "Mosquitto 1.5 to 1.5.2",
        shape: "a PUBLISH to a topic that begins with `$` but not with `$SYS` ends the broker",
        told_by: &[Event("cve:CVE-2018-12543")],
    },
    Report {
        ids: &["CVE-2019-11779"],
        affected: "Mosquitto 1.5 to 1.6.5",
        shape: "a SUBSCRIBE to a filter of some 65,400 levels overflows the stack; since then 200 are allowed",
        told_by: &[Event("cve:CVE-2019-11779")],
    },
    Report {
        ids: &["CVE-2020-13849"],
        affected: "MQTT 3.1.1 itself (SlowITe)",
        shape: "sessions with an endless keep alive use up the broker's connections",
        told_by: &[Event("cve:CVE-2020-13849"), Alert(Class::MqttSlowDos)],
    },
    Report {
        ids: &["CVE-2021-22116"],
        affected: "RabbitMQ before 3.8.16",
        shape: "published together with the next two, but its record speaks of AMQP 1.0: nothing of it is MQTT",
        told_by: &[],
    },
    Report {
        ids: &["CVE-2021-33175"],
        affected: "EMQ X before 4.2.8",
        shape: "crafted input takes memory until the system ends the broker; the shape is not published",
        told_by: &[Event("cve:CVE-2021-33175"), Alert(Class::MqttMalformed)],
    },
    Report {
        ids: &["CVE-2021-33176"],
        affected: "VerneMQ before 1.12.0",
        shape: "as before; it was mended with a limit on topic levels",
        told_by: &[Event("cve:CVE-2021-33176")],
    },
    Report {
        ids: &["CVE-2021-28166"],
        affected: "Mosquitto 2.0.0 to 2.0.9",
        shape: "a client of version 5 sends CONNACK, and the broker follows a null pointer",
        told_by: &[Event("cve:CVE-2021-28166")],
    },
    Report {
        ids: &["CVE-2021-34431"],
        affected: "Mosquitto 1.6 to 2.0.10",
        shape: "a connected client of version 5 sends a crafted CONNECT, which leaks memory",
        told_by: &[Event("cve:CVE-2021-34431"), Event("mqtt5:3.1.0-2")],
    },
    Report {
        ids: &["CVE-2021-34432"],
        affected: "Mosquitto up to 2.0.7",
        shape: "a PUBLISH with an empty topic ends the broker",
        told_by: &[Event("cve:CVE-2021-34432")],
    },
    Report {
        ids: &["CVE-2021-41039"],
        affected: "Mosquitto 1.6 to 2.0.11",
        shape: "a great number of user properties in a CONNECT takes CPU time",
        told_by: &[Event("cve:CVE-2021-41039")],
    },
    Report {
        ids: &["CVE-2023-0809"],
        affected: "Mosquitto before 2.0.16",
        shape: "a large first packet that is not CONNECT takes memory",
        told_by: &[Event("cve:CVE-2023-0809"), Event("mqtt311:3.1.0-1")],
    },
    Report {
        ids: &["CVE-2023-28366"],
        affected: "Mosquitto 1.3.2 to 2.0.15",
        shape: "many PUBLISH of QoS 2 with one packet identifier, whose PUBREC are never answered, leak memory",
        told_by: &[Event("cve:CVE-2023-28366"), Event("mqtt311:4.3.3-1")],
    },
    Report {
        ids: &["CVE-2023-3592"],
        affected: "Mosquitto before 2.0.16",
        shape: "a CONNECT whose will has properties that a will cannot have leaks memory",
        told_by: &[Event("cve:CVE-2023-3592")],
    },
    Report {
        ids: &["CVE-2024-8376"],
        affected: "Mosquitto up to 2.0.18",
        shape: "sequences of SUBSCRIBE, UNSUBSCRIBE and DISCONNECT with shared and plain filters leak memory or use it freed",
        told_by: &[Event("cve:CVE-2024-8376")],
    },
    Report {
        ids: &["CVE-2024-3935"],
        affected: "Mosquitto 2.0.0 to 2.0.18 as a bridge that rewrites topics",
        shape: "a crafted PUBLISH of the other broker is freed twice; how it is crafted is not published",
        told_by: &[Event("mqtt311:3.3.2-2"), Event("mqtt311:1.5.3-1"), Event("mqtt311:4.7.3-1")],
    },
    Report {
        ids: &["CVE-2024-10525"],
        affected: "libmosquitto 1.3.2 to 2.0.18",
        shape: "a SUBACK without codes makes the client read what is not there",
        told_by: &[Event("cve:CVE-2024-10525")],
    },
    Report {
        ids: &["CVE-2024-26001"],
        affected: "Phoenix Contact CHARX SEC-3000, -3050, -3100 and -3150",
        shape: "malformed packets are written past the end of a buffer; the shape is not published",
        told_by: &[Alert(Class::MqttMalformed)],
    },
    Report {
        ids: &["CVE-2024-42645"],
        affected: "FlashMQ",
        shape: "crafted packets end the broker; the shape is not published",
        told_by: &[Alert(Class::MqttMalformed)],
    },
    Report {
        ids: &["CVE-2024-48077"],
        affected: "NanoMQ 0.22.7",
        shape: "a flood of connections or packets fills the receive queue until nothing moves",
        told_by: &[Alert(Class::MqttConnectFlood), Alert(Class::MqttPublishFlood)],
    },
    Report {
        ids: &["CVE-2024-50948"],
        affected: "mochi-mqtt 2.6.3",
        shape: "crafted packets stop the broker; the shape is not published",
        told_by: &[Alert(Class::MqttMalformed)],
    },
    Report {
        ids: &["CVE-2025-56352"],
        affected: "tinyMQTT at commit 6226ade",
        shape: "an empty client identifier without clean session is refused, but the connection is never closed",
        told_by: &[Event("cve:CVE-2025-56352")],
    },
    Report {
        ids: &["CVE-2025-59946", "nanomq#2114", "nanomq#2115", "nanomq#2116"],
        affected: "NanoMQ before 0.24.2; all of it mended in 0.24.4",
        shape: "subscriptions made and dropped in quick succession, and takeovers, meet in a race, and memory is used after it is freed",
        told_by: &[Event("cve:CVE-2025-59946")],
    },
    Report {
        ids: &["CVE-2026-21888"],
        affected: "NanoMQ up to 0.24.6",
        shape: "a Property Length of five octets makes the broker read past the end of the packet",
        told_by: &[Event("cve:CVE-2026-21888")],
    },
    Report {
        ids: &["CVE-2026-25627"],
        affected: "NanoMQ before 0.24.8",
        shape: "in a WebSocket, a Remaining Length beyond the end of the frame makes the broker read past its buffer",
        told_by: &[Event("cve:CVE-2026-25627")],
    },
    Report {
        ids: &["CVE-2026-42209"],
        affected: "FlashMQ before 1.26.1, with both of its deferral times set",
        shape: "a retained PUBLISH divides by zero; one is as good as any other, so only a storm of them stands out",
        told_by: &[Event("cve:CVE-2026-42209")],
    },
    Report {
        ids: &["CVE-2026-95844"],
        affected: "Moquette 0.8 to 0.18.0",
        shape: "a topic of very many levels overflows the stack",
        told_by: &[Event("cve:CVE-2019-11779")],
    },
    Report {
        ids: &["nanomq#2270"],
        affected: "NanoMQ 0.24.10",
        shape: "a PUBLISH with QoS above 0 that ends before its packet identifier is read past its end",
        told_by: &[Event("mqtt311:2.3.1-1"), Event("mqtt5:2.2.1-3")],
    },
    Report {
        ids: &["nanomq#1042", "nanomq#1043", "nanomq#1169"],
        affected: "NanoMQ of 2023",
        shape: "properties of a CONNECT that run past its end are read there",
        told_by: &[Event("mqtt5:2.2.2-1"), Event("mqtt5:2.2.2.2")],
    },
    Report {
        ids: &["sol#15"],
        affected: "sol 0.18.5",
        shape: "an acknowledgement before the CONNECT follows a null pointer",
        told_by: &[Event("mqtt311:3.1.0-1")],
    },
    Report {
        ids: &["sol#17"],
        affected: "sol 0.18.5",
        shape: "a client identifier is taken over without closing the older connection, whose messages go astray",
        told_by: &[Event("mqtt311:3.1.4-2")],
    },
];

#[cfg(test)]
mod tests {
    use super::super::table::ROWS;
    use super::*;

    #[test]
    fn every_cve_of_the_table_is_explained_and_every_event_named_is_of_the_table() {
        let names: Vec<&str> = ROWS.iter().flat_map(|row| [row.v311, row.v5, row.cves].concat()).collect();
        let told: Vec<Told> = REPORTS.iter().flat_map(|report| report.told_by).copied().collect();
        for name in names.iter().filter(|name| name.starts_with("cve:")) {
            let id = name.trim_start_matches("cve:");
            let report = REPORTS.iter().find(|report| report.ids.contains(&id));
            assert!(report.is_some_and(|report| report.told_by.contains(&Event(name))), "{name}");
        }
        for told in told {
            assert!(!matches!(told, Event(name) if !names.contains(&name)), "{told:?}");
        }
        for report in &REPORTS {
            assert!(!report.shape.ends_with('.') && !report.affected.is_empty(), "{report:?}");
        }
    }

    /// The reports this product set out to tell.
    #[test]
    fn none_is_missing() {
        let ids: Vec<&str> = REPORTS.iter().flat_map(|report| report.ids).copied().collect();
        for id in [
            "CVE-2017-7650 CVE-2017-7651 CVE-2017-7654 CVE-2018-12543 CVE-2019-11779 CVE-2020-13849",
            "CVE-2021-28166 CVE-2021-34431 CVE-2021-34432 CVE-2021-41039 CVE-2021-22116 CVE-2021-33175",
            "CVE-2021-33176 CVE-2023-0809 CVE-2023-28366 CVE-2023-3592 CVE-2024-8376 CVE-2024-3935",
            "CVE-2024-10525 CVE-2024-42645 CVE-2024-50948 CVE-2024-26001 CVE-2024-48077 CVE-2025-56352",
            "CVE-2025-59946 nanomq#2114 nanomq#2115 nanomq#2116 CVE-2026-21888 CVE-2026-25627",
            "nanomq#2270 nanomq#1042 nanomq#1043 nanomq#1169 CVE-2026-42209 sol#17",
        ]
        .iter()
        .flat_map(|line| line.split(' '))
        {
            assert_eq!(ids.iter().filter(|known| **known == id).count(), 1, "{id}");
        }
    }
}
