//! An alert as JSON. Replay prints what this makes, the store keeps it, the broker gets it: one function.
//!
//! The shape is fixed by `docs/schema/alert.schema.json` and `docs/schema/lost.schema.json`; the order of the
//! fields is fixed too, so that the same alert is always the same bytes.

use core::net::IpAddr;

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::rfc3339::Rfc3339;
use super::topics::SensorName;
use crate::alert::{Alert, Detector, Endpoint, Evidence};
use crate::escape::escape;
use crate::time::Timestamp;

pub mod event;
mod sentence;

/// `schema` of an alert.
pub const ALERT_SCHEMA: &str = "picket.alert/1";
/// `schema` of a lost record.
pub const LOST_SCHEMA: &str = "picket.lost/1";

/// What the shell adds to an alert of the core.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Who speaks.
    pub sensor: SensorName,
    /// `<name>@<version>` of each model, by its place.
    pub models: Vec<String>,
}

/// Why alerts are missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LostReason {
    /// The byte budget of the store was passed while the broker was away; the oldest went.
    Budget,
    /// More alerts at once than the channel to the delivery thread holds.
    Overload,
    /// The store could not be written: disk full or failing.
    StoreFailed,
    /// The store could not be read and was set aside.
    StoreReset,
    /// The daemon ended without closing its store: kill, power cut. What was in memory is gone, and the
    /// numbers it had reserved are not used again.
    UncleanStop,
}

/// That, and how many, alerts are missing from the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lost {
    /// The first number that will not come, or not come again.
    pub from_seq: u64,
    /// The last such number.
    pub to_seq: u64,
    /// How many alerts of that range the broker never acknowledged; `None` where that cannot be known.
    pub count: Option<u64>,
    /// Why.
    pub reason: LostReason,
}

/// What a reader needs of a stored document to route and filter it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(tag = "schema")]
pub enum Head {
    /// An alert.
    #[serde(rename = "picket.alert/1")]
    Alert {
        /// The incident.
        id: String,
        /// Number of the message.
        seq: u64,
        /// Name of the severity.
        severity: String,
        /// Name of the class.
        class: String,
    },
    /// A lost record.
    #[serde(rename = "picket.lost/1")]
    Lost {
        /// Number of the message.
        seq: u64,
        /// First number missing.
        from_seq: u64,
        /// Last number missing.
        to_seq: u64,
        /// How many alerts, if known.
        count: Option<u64>,
    },
}

impl Head {
    /// Reads the head of a document.
    ///
    /// # Errors
    /// The text is not one of our documents.
    pub fn of(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// Number of the message.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        match self {
            Self::Alert { seq, .. } | Self::Lost { seq, .. } => *seq,
        }
    }
}

#[derive(Serialize)]
struct AlertDocument<'a> {
    schema: &'static str,
    id: String,
    seq: u64,
    ts: Rfc3339,
    first_seen: Rfc3339,
    last_seen: Rfc3339,
    sensor: &'a str,
    class: &'static str,
    severity: &'static str,
    confidence: f64,
    detector: String,
    source: Source,
    destination: Option<Destination>,
    client_id: Option<String>,
    #[serde(serialize_with = "evidence")]
    evidence: &'a [Evidence],
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    violations: &'a [&'static str],
    count: u64,
    state: &'static str,
    message: String,
}

#[derive(Serialize)]
struct Source {
    ip: IpAddr,
    port: Option<u16>,
    mac: Option<String>,
}

#[derive(Serialize)]
struct Destination {
    ip: IpAddr,
    port: Option<u16>,
}

#[derive(Serialize)]
struct Figure {
    value: u64,
    unit: &'static str,
}

#[derive(Serialize)]
struct LostDocument<'a> {
    schema: &'static str,
    seq: u64,
    ts: Rfc3339,
    sensor: &'a str,
    from_seq: u64,
    to_seq: u64,
    count: Option<u64>,
    reason: LostReason,
}

/// The alert as one line of JSON, without a line end.
#[must_use]
pub fn alert_json(alert: &Alert, seq: u64, identity: &Identity) -> String {
    let client_id = alert.client_id.as_deref().map(escape);
    to_line(&AlertDocument {
        schema: ALERT_SCHEMA,
        id: Ulid::from_bytes(alert.incident.to_be_bytes()).to_string(),
        seq,
        ts: Rfc3339(alert.ts),
        first_seen: Rfc3339(alert.first_seen),
        last_seen: Rfc3339(alert.last_seen),
        sensor: identity.sensor.as_str(),
        class: alert.class.name(),
        severity: alert.severity.name(),
        confidence: rounded(alert.confidence),
        detector: match alert.detector {
            Detector::Rule(name) => format!("rule:{name}"),
            Detector::Model(place) => {
                let label = identity.models.get(usize::from(place));
                format!("model:{}", label.map_or("unnamed@0", String::as_str))
            }
        },
        source: Source { ip: alert.source.ip, port: alert.source.port, mac: alert.source.mac.map(mac_text) },
        destination: alert.destination.map(|Endpoint { ip, port, .. }| Destination { ip, port }),
        message: sentence::of(alert, client_id.as_deref()),
        client_id,
        evidence: &alert.evidence,
        violations: &alert.violations,
        count: alert.count,
        state: alert.state.name(),
    })
}

/// The lost record as one line of JSON, without a line end.
#[must_use]
pub fn lost_json(lost: &Lost, seq: u64, ts: Timestamp, identity: &Identity) -> String {
    to_line(&LostDocument {
        schema: LOST_SCHEMA,
        seq,
        ts: Rfc3339(ts),
        sensor: identity.sensor.as_str(),
        from_seq: lost.from_seq,
        to_seq: lost.to_seq,
        count: lost.count,
        reason: lost.reason,
    })
}

/// Confidence to three decimals; what is no number counts as none.
fn rounded(confidence: f32) -> f64 {
    if confidence.is_nan() {
        return 0.0;
    }
    (f64::from(confidence.clamp(0.0, 1.0)) * 1000.0).round() / 1000.0
}

fn mac_text(mac: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = mac;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

/// Name -> {value, unit}, in the detector's order.
fn evidence<S: Serializer>(items: &&[Evidence], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(items.len()))?;
    for Evidence { name, unit, value } in *items {
        map.serialize_entry(name, &Figure { value: *value, unit })?;
    }
    map.end()
}

fn to_line<T: Serialize>(document: &T) -> String {
    serde_json::to_string(document).expect("a document has only text keys and no fallible parts")
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::alert::{ClientId, EvidenceList, Severity, State, ViolationNames};
    use crate::detect::class::Class;

    pub(crate) fn identity() -> Identity {
        Identity {
            sensor: "gw-1".parse().unwrap(),
            models: vec!["default@3".to_owned(), "second@1".to_owned()],
        }
    }

    pub(crate) fn sample(client_id: &[u8]) -> Alert {
        let ts = Timestamp::from_micros(1_700_000_060_000_000);
        Alert {
            incident: 0x018b_cfe5_6800_0000_0000_0000_0000_002a,
            ts,
            first_seen: Timestamp::from_secs(1_700_000_000),
            last_seen: ts,
            class: Class::MqttBruteforce,
            severity: Severity::High,
            confidence: 0.987_654,
            detector: Detector::Rule("mqtt_bruteforce"),
            source: Endpoint {
                ip: "127.0.66.1".parse().unwrap(),
                port: None,
                mac: Some([2, 0, 0, 0xab, 0, 1]),
            },
            destination: Some(Endpoint { ip: "127.0.0.1".parse().unwrap(), port: Some(1883), mac: None }),
            client_id: Some(ClientId::from_slice(client_id).unwrap()),
            evidence: EvidenceList::from_slice(&[
                Evidence { name: "connack_refused", unit: "packets/60s", value: 12 },
                Evidence { name: "connections", unit: "connections/60s", value: 12 },
            ])
            .unwrap(),
            violations: ViolationNames::new(),
            count: 3,
            state: State::Open,
        }
    }

    #[test]
    fn an_alert_is_these_bytes() {
        assert_eq!(
            alert_json(&sample(b"probe-1"), 7, &identity()),
            concat!(
                r#"{"schema":"picket.alert/1","id":"01HF7YAT00000000000000001A","seq":7,"#,
                r#""ts":"2023-11-14T22:14:20.000000Z","first_seen":"2023-11-14T22:13:20.000000Z","#,
                r#""last_seen":"2023-11-14T22:14:20.000000Z","sensor":"gw-1","class":"mqtt_bruteforce","#,
                r#""severity":"high","confidence":0.988,"detector":"rule:mqtt_bruteforce","#,
                r#""source":{"ip":"127.0.66.1","port":null,"mac":"02:00:00:ab:00:01"},"#,
                r#""destination":{"ip":"127.0.0.1","port":1883},"client_id":"probe-1","#,
                r#""evidence":{"connack_refused":{"value":12,"unit":"packets/60s"},"#,
                r#""connections":{"value":12,"unit":"connections/60s"}},"count":3,"state":"open","#,
                r#""message":"127.0.66.1 is guessing user names or passwords at 127.0.0.1:1883 as client "#,
                r#"'probe-1' (connack refused: 12 packets in 60 s; connections: 12 connections in 60 s)."}"#
            )
        );
    }

    #[test]
    fn the_head_of_every_document_is_read_back() {
        let head = Head::of(&alert_json(&sample(b"x"), 9, &identity())).unwrap();
        assert!(matches!(&head, Head::Alert { seq: 9, severity, class, .. }
            if severity == "high" && class == "mqtt_bruteforce"));
        let lost = Lost { from_seq: 1, to_seq: 5, count: None, reason: LostReason::StoreReset };
        let head = Head::of(&lost_json(&lost, 6, Timestamp::ZERO, &identity())).unwrap();
        assert_eq!(head, Head::Lost { seq: 6, from_seq: 1, to_seq: 5, count: None });
    }

    #[test]
    fn confidence_is_always_a_number_from_0_to_1() {
        for (given, written) in
            [(f32::NAN, 0.0), (f32::INFINITY, 1.0), (-1.0, 0.0), (0.1, 0.1), (0.999_96, 1.0)]
        {
            assert!((rounded(given) - written).abs() < f64::EPSILON, "{given}");
        }
    }

    proptest! {
        #[test]
        fn any_client_id_gives_one_line_of_valid_json(bytes in prop::collection::vec(any::<u8>(), 0..=64)) {
            let json = alert_json(&sample(&bytes), 1, &identity());
            prop_assert!(!json.chars().any(char::is_control), "{json}");
            let value: Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(value["client_id"].as_str().unwrap(), escape(&bytes));
        }
    }
}
