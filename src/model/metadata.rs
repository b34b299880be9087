//! What a model says of itself, in ONNX `metadata_props`. Read before the graph is looked at.
//!
//! | key | value |
//! |---|---|
//! | `picket.name` | 1 to 32 of `a-z 0-9 - _` |
//! | `picket.version` | 1 to 32 of `A-Z a-z 0-9 . - + _` |
//! | `picket.created` | RFC 3339 |
//! | `picket.training` | one line on data and method |
//! | `picket.schema` | such as `picket-host/1` |
//! | `picket.schema_hash` | 16 hexadecimal digits, see [`Schema::hash`] |
//! | `picket.kind` | `classifier`, also when it is missing, or `anomaly`; see [`Kind`] |
//! | `picket.classes` | `benign,` then names of [`Class`], in the order of the output's columns; of an anomaly model `benign,anomaly` |
//! | `picket.thresholds` | `class=value,...` for every class but `benign`, in the same order: a probability, or a score |
//! | `picket.vote` | `K/N`, see [`Vote`]; `2/2` when it is missing |
//! | `picket.sure` | optional, `class=value,...`: one row from this value on counts as K rows |
//! | `picket.novelty` | `factor=F columns=C bounds=B1,B2,...`, see [`Novelty`] |
//!
//! Other keys that begin with `picket.` are refused, others are ignored. `docs/models.md` says the same at length.

use std::ops::RangeInclusive;

use super::proto::StringStringEntryProto;

use super::error::{MetadataFault, Quoted};
use super::novelty::{self, Novelty};
use crate::detect::class::Class;
use crate::detect::vote::Vote;
use crate::features::connection::CONNECTION;
use crate::features::packet::PACKET;
use crate::features::schema::{HOST, HOST_V1, Schema};

/// The schemas whose rows can be scored.
pub const SCHEMAS: &[&Schema] = &[&HOST, &HOST_V1, &CONNECTION, &PACKET];

const NAME: &str = "picket.name";
const VERSION: &str = "picket.version";
const CREATED: &str = "picket.created";
const TRAINING: &str = "picket.training";
const SCHEMA: &str = "picket.schema";
const SCHEMA_HASH: &str = "picket.schema_hash";
const KIND: &str = "picket.kind";
const CLASSES: &str = "picket.classes";
const THRESHOLDS: &str = "picket.thresholds";
const VOTE: &str = "picket.vote";
const SURE: &str = "picket.sure";
pub(super) const NOVELTY: &str = "picket.novelty";
const OPTIONAL: [&str; 3] = [KIND, VOTE, SURE];
const REQUIRED: [&str; 9] =
    [NAME, VERSION, CREATED, TRAINING, SCHEMA, SCHEMA_HASH, CLASSES, THRESHOLDS, NOVELTY];

/// What a model's output is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `probs`: a probability for each class, `benign` first.
    Classifier,
    /// `score`: one number, the greater the stranger the row.
    Anomaly,
}

impl Kind {
    /// The name used in metadata.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classifier => "classifier",
            Self::Anomaly => "anomaly",
        }
    }

    /// What a threshold may be: a probability, or a score.
    const fn threshold(self) -> RangeInclusive<f32> {
        match self {
            Self::Classifier => 0.0..=1.0,
            Self::Anomaly => 1e-9..=1e9,
        }
    }
}

/// A class that the model can report, and from which output on it does.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Reported {
    /// The class.
    pub class: Class,
    /// Least probability, 0 to 1; of an anomaly model the least score.
    pub threshold: f32,
    /// From here on one row decides; infinite for never.
    pub sure: f32,
}

/// The metadata of a model, checked.
#[derive(Clone, PartialEq, Debug)]
pub struct Metadata {
    /// Such as `default`.
    pub name: String,
    /// Such as `0.1.0`.
    pub version: String,
    /// When it was trained, RFC 3339.
    pub created: String,
    /// One line on data and method.
    pub training: String,
    /// The columns it takes.
    pub schema: &'static Schema,
    /// What its output is.
    pub kind: Kind,
    /// The hostile classes in the order of the output's columns, of which column 0 is `benign`; of an anomaly model
    /// the one class whose score is the only column.
    pub reported: Vec<Reported>,
    /// How many rows of a host must agree.
    pub vote: Vote,
    /// When to abstain.
    pub novelty: Novelty,
}

impl Metadata {
    /// Reads and checks every key.
    ///
    /// # Errors
    ///
    /// The first key that is missing or wrong.
    pub fn read(entries: &[StringStringEntryProto]) -> Result<Self, MetadataFault> {
        let entries = Entries::new(entries)?;
        let schema = read_schema(&entries)?;
        let name = entries.form(NAME, "1 to 32 of a-z 0-9 - _", |text| {
            is_short(text)
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
        })?;
        let version = entries.form(VERSION, "1 to 32 of A-Z a-z 0-9 . - + _", |text| {
            is_short(text) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-+_".contains(&b))
        })?;
        let created =
            entries.form(CREATED, "a time in RFC 3339", |text| humantime::parse_rfc3339(text).is_ok())?;
        let training = entries.form(TRAINING, "one line of 1 to 1024 printable characters", |text| {
            (1..=1024).contains(&text.len()) && !text.chars().any(char::is_control)
        })?;
        let kind = read_kind(entries.find(KIND))?;
        let classes = read_classes(entries.get(CLASSES)?, kind)?;
        let mut reported = read_thresholds(entries.get(THRESHOLDS)?, &classes, kind)?;
        if let Some(text) = entries.find(SURE) {
            read_sure(text, &mut reported, kind)?;
        }
        let vote = entries.find(VOTE).map_or(Ok(Vote::DEFAULT), read_vote)?;
        let novelty = novelty::read(entries.get(NOVELTY)?, schema.width())?;
        Ok(Self {
            name: name.into(),
            version: version.into(),
            created: created.into(),
            training: training.into(),
            schema,
            kind,
            reported,
            vote,
            novelty,
        })
    }

    /// Columns of the output: the hostile classes and `benign`, or the one score.
    #[must_use]
    pub const fn columns(&self) -> usize {
        match self.kind {
            Kind::Classifier => 1 + self.reported.len(),
            Kind::Anomaly => 1,
        }
    }
}

/// The entries whose keys are ours.
struct Entries<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Entries<'a> {
    fn new(entries: &'a [StringStringEntryProto]) -> Result<Self, MetadataFault> {
        let mut ours: Vec<(&str, &str)> = Vec::new();
        for entry in entries.iter().filter(|entry| entry.key.starts_with("picket.")) {
            if !REQUIRED.iter().chain(&OPTIONAL).any(|key| *key == entry.key) {
                return Err(MetadataFault::UnknownKey(Quoted::new(&entry.key)));
            }
            if ours.iter().any(|(key, _)| *key == entry.key) {
                return Err(MetadataFault::Twice(Quoted::new(&entry.key)));
            }
            ours.push((&entry.key, &entry.value));
        }
        Ok(Self(ours))
    }

    fn find(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
    }

    fn get(&self, key: &'static str) -> Result<&'a str, MetadataFault> {
        self.find(key).ok_or(MetadataFault::Missing(key))
    }

    fn form(
        &self,
        key: &'static str,
        wanted: &'static str,
        fits: impl Fn(&str) -> bool,
    ) -> Result<&'a str, MetadataFault> {
        let text = self.get(key)?;
        if fits(text) { Ok(text) } else { Err(MetadataFault::Form { key, value: Quoted::new(text), wanted }) }
    }
}

fn is_short(text: &str) -> bool {
    (1..=32).contains(&text.len())
}

/// The built-in schema that the model names, if it has the same columns.
fn read_schema(entries: &Entries<'_>) -> Result<&'static Schema, MetadataFault> {
    let name = entries.get(SCHEMA)?;
    let schema = SCHEMAS
        .iter()
        .find(|schema| format!("{}/{}", schema.name, schema.version) == name)
        .ok_or_else(|| MetadataFault::UnknownSchema(Quoted::new(name)))?;
    let found = entries.form(SCHEMA_HASH, "16 hexadecimal digits in lower case", |text| {
        text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })?;
    let wanted = schema.hash().to_string();
    if found != wanted {
        return Err(MetadataFault::SchemaHash { schema: name.into(), wanted, found: Quoted::new(found) });
    }
    Ok(schema)
}

fn read_kind(text: Option<&str>) -> Result<Kind, MetadataFault> {
    match text {
        None | Some("classifier") => Ok(Kind::Classifier),
        Some("anomaly") => Ok(Kind::Anomaly),
        Some(other) => {
            Err(MetadataFault::Form { key: KIND, value: Quoted::new(other), wanted: "classifier or anomaly" })
        }
    }
}

/// The hostile classes; `benign` must come first and is left out.
fn read_classes(text: &str, kind: Kind) -> Result<Vec<Class>, MetadataFault> {
    let mut names = text.split(',');
    let first = names.next().unwrap_or_default();
    if first != "benign" {
        return Err(MetadataFault::FirstClass(Quoted::new(first)));
    }
    let mut classes = Vec::new();
    for name in names {
        let class = Class::from_name(name).ok_or_else(|| MetadataFault::UnknownClass(Quoted::new(name)))?;
        if classes.contains(&class) {
            return Err(MetadataFault::ClassTwice(Quoted::new(name)));
        }
        classes.push(class);
    }
    let wanted = match kind {
        Kind::Classifier if classes.is_empty() => "benign and at least one class",
        Kind::Anomaly if classes != [Class::Anomaly] => "benign,anomaly, as an anomaly model has it",
        _ => return Ok(classes),
    };
    Err(MetadataFault::Form { key: CLASSES, value: Quoted::new(text), wanted })
}

/// The value of `entry`, which must be `class=value` of this class and fit the kind.
fn read_value(entry: &str, class: Class, key: &'static str, kind: Kind) -> Result<f32, MetadataFault> {
    let value =
        entry.split_once('=').filter(|(name, _)| *name == class.name()).map(|(_, value)| value).ok_or_else(
            || MetadataFault::ThresholdOrder { wanted: class.name(), found: Quoted::new(entry) },
        )?;
    let value: f32 = value.parse().map_err(|_| MetadataFault::Form {
        key,
        value: Quoted::new(value),
        wanted: "a number",
    })?;
    if kind.threshold().contains(&value) {
        return Ok(value);
    }
    let (least, greatest) = kind.threshold().into_inner();
    Err(MetadataFault::Threshold { class: class.name(), value, least, greatest })
}

/// `class=value`, for each of `classes` in their order.
fn read_thresholds(text: &str, classes: &[Class], kind: Kind) -> Result<Vec<Reported>, MetadataFault> {
    let mut entries = text.split(',');
    let mut reported = Vec::with_capacity(classes.len());
    for &class in classes {
        let threshold = read_value(entries.next().unwrap_or_default(), class, THRESHOLDS, kind)?;
        reported.push(Reported { class, threshold, sure: f32::INFINITY });
    }
    if let Some(extra) = entries.next() {
        return Err(MetadataFault::ThresholdOrder { wanted: "no further class", found: Quoted::new(extra) });
    }
    Ok(reported)
}

/// `class=value`, for some of the classes in any order.
fn read_sure(text: &str, reported: &mut [Reported], kind: Kind) -> Result<(), MetadataFault> {
    for entry in text.split(',') {
        let name = entry.split_once('=').map_or(entry, |(name, _)| name);
        let place = reported
            .iter_mut()
            .find(|reported| reported.class.name() == name)
            .ok_or_else(|| MetadataFault::UnknownClass(Quoted::new(name)))?;
        if place.sure.is_finite() {
            return Err(MetadataFault::ClassTwice(Quoted::new(name)));
        }
        let sure = read_value(entry, place.class, SURE, kind)?;
        if sure < place.threshold {
            return Err(MetadataFault::Form {
                key: SURE,
                value: Quoted::new(entry),
                wanted: "at or above the threshold of its class",
            });
        }
        place.sure = sure;
    }
    Ok(())
}

/// `K/N`.
fn read_vote(text: &str) -> Result<Vote, MetadataFault> {
    text.split_once('/')
        .and_then(|(needed, of)| Vote::new(needed.parse().ok()?, of.parse().ok()?))
        .ok_or_else(|| MetadataFault::Form {
            key: VOTE,
            value: Quoted::new(text),
            wanted: "K/N with 1 <= K <= N <= 16",
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(change: impl Fn(&mut Vec<(String, String)>)) -> Vec<StringStringEntryProto> {
        let mut pairs: Vec<(String, String)> = [
            (NAME, "test"),
            (VERSION, "1.0"),
            (CREATED, "2026-01-01T00:00:00Z"),
            (TRAINING, "by hand"),
            (SCHEMA, &format!("{}/{}", HOST.name, HOST.version)),
            (SCHEMA_HASH, &HOST.hash().to_string()),
            (CLASSES, "benign,tcp_scan,mqtt_slow_dos"),
            (THRESHOLDS, "tcp_scan=0.5,mqtt_slow_dos=0.75"),
            (NOVELTY, &format!("factor=10 columns=2 bounds={}", vec!["2"; HOST.width()].join(","))),
        ]
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
        change(&mut pairs);
        pairs.into_iter().map(|(key, value)| StringStringEntryProto { key, value }).collect()
    }

    fn with(key: &str, value: &str) -> Result<Metadata, MetadataFault> {
        Metadata::read(&entries(|pairs| {
            pairs.retain(|(known, _)| known != key);
            pairs.push((key.into(), value.into()));
        }))
    }

    #[test]
    fn good_metadata_are_read() {
        let metadata = Metadata::read(&entries(|_| {})).unwrap();
        assert_eq!(metadata.name, "test");
        assert_eq!(metadata.schema.name, HOST.name);
        assert_eq!((metadata.kind, metadata.columns(), metadata.vote), (Kind::Classifier, 3, Vote::DEFAULT));
        let slow_dos = Reported { class: Class::MqttSlowDos, threshold: 0.75, sure: f32::INFINITY };
        assert_eq!(metadata.reported[1], slow_dos);
    }

    #[test]
    fn every_key_but_those_with_a_default_is_required() {
        for key in &REQUIRED {
            let fault =
                Metadata::read(&entries(|pairs| pairs.retain(|(known, _)| known != key))).unwrap_err();
            assert_eq!(fault, MetadataFault::Missing(key));
        }
    }

    #[test]
    fn a_foreign_schema_hash_is_refused_with_both_hashes() {
        let text = with(SCHEMA_HASH, "0123456789abcdef").unwrap_err().to_string();
        assert!(text.contains("0123456789abcdef") && text.contains(&HOST.hash().to_string()), "{text}");
    }

    #[test]
    fn classes_and_thresholds_must_agree() {
        assert!(matches!(with(CLASSES, "tcp_scan"), Err(MetadataFault::FirstClass(_))));
        assert!(matches!(with(CLASSES, "benign,nonsense"), Err(MetadataFault::UnknownClass(_))));
        assert!(matches!(with(CLASSES, "benign,tcp_scan,tcp_scan"), Err(MetadataFault::ClassTwice(_))));
        assert!(matches!(with(THRESHOLDS, "tcp_scan=0.5"), Err(MetadataFault::ThresholdOrder { .. })));
        assert!(matches!(
            with(THRESHOLDS, "tcp_scan=1.5,mqtt_slow_dos=0.5"),
            Err(MetadataFault::Threshold { .. })
        ));
        assert!(matches!(
            with(THRESHOLDS, "tcp_scan=NaN,mqtt_slow_dos=0.5"),
            Err(MetadataFault::Threshold { .. })
        ));
    }

    #[test]
    fn votes_have_room_and_sense() {
        assert_eq!(with(VOTE, "3/5").unwrap().vote, Vote::new(3, 5).unwrap());
        for text in ["0/1", "3/2", "1/17", "2", "2/2/2", "-1/2", "a/b", "", "256/256"] {
            assert!(matches!(with(VOTE, text), Err(MetadataFault::Form { key: VOTE, .. })), "{text}");
        }
    }

    #[test]
    fn what_is_sure_is_at_least_likely() {
        let reported = with(SURE, "mqtt_slow_dos=0.9").unwrap().reported;
        assert!(reported[0].sure.is_infinite());
        assert_eq!(reported[1].sure.to_bits(), 0.9f32.to_bits());
        assert!(matches!(with(SURE, "mqtt_slow_dos=0.7"), Err(MetadataFault::Form { .. })));
        assert!(matches!(with(SURE, "mqtt_slow_dos=1.1"), Err(MetadataFault::Threshold { .. })));
        assert!(matches!(with(SURE, "arp_spoof=0.9"), Err(MetadataFault::UnknownClass(_))));
        assert!(matches!(with(SURE, "tcp_scan=0.9,tcp_scan=0.9"), Err(MetadataFault::ClassTwice(_))));
        assert!(matches!(with(SURE, ""), Err(MetadataFault::UnknownClass(_))));
    }

    #[test]
    fn an_anomaly_model_has_one_class_and_a_score() {
        let with = |kind: &str, classes: &str, thresholds: &str| {
            Metadata::read(&entries(|pairs| {
                pairs.retain(|(known, _)| ![CLASSES, THRESHOLDS].contains(&known.as_str()));
                for (key, value) in [(KIND, kind), (CLASSES, classes), (THRESHOLDS, thresholds)] {
                    pairs.push((key.into(), value.into()));
                }
            }))
        };
        let anomaly = with("anomaly", "benign,anomaly", "anomaly=3.5").unwrap();
        assert_eq!((anomaly.kind, anomaly.columns()), (Kind::Anomaly, 1));
        assert!(matches!(
            with("anomaly", "benign,tcp_scan", "tcp_scan=3.5"),
            Err(MetadataFault::Form { .. })
        ));
        assert!(matches!(
            with("anomaly", "benign,anomaly", "anomaly=0"),
            Err(MetadataFault::Threshold { .. })
        ));
        assert!(matches!(
            with("classifier", "benign,anomaly", "anomaly=3.5"),
            Err(MetadataFault::Threshold { .. })
        ));
        assert!(matches!(with("oracle", "benign,anomaly", "anomaly=1"), Err(MetadataFault::Form { .. })));
    }
}
