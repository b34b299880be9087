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
//! | `picket.classes` | `benign,` then names of [`Class`], in the order of the output's columns |
//! | `picket.thresholds` | `class=probability,...` for every class but `benign`, in the same order |
//! | `picket.novelty` | optional, see [`Novelty`]: `factor=F columns=C bounds=B1,B2,...` |
//!
//! Other keys that begin with `picket.` are refused, others are ignored.

use tract_onnx::pb::StringStringEntryProto;

use super::error::{MetadataFault, Quoted};
use crate::detect::class::Class;
use crate::features::schema::{HOST, HOST_V1, Schema};

/// The schemas that this version computes.
pub const SCHEMAS: &[&Schema] = &[&HOST, &HOST_V1];

const NAME: &str = "picket.name";
const VERSION: &str = "picket.version";
const CREATED: &str = "picket.created";
const TRAINING: &str = "picket.training";
const SCHEMA: &str = "picket.schema";
const SCHEMA_HASH: &str = "picket.schema_hash";
const CLASSES: &str = "picket.classes";
const THRESHOLDS: &str = "picket.thresholds";
const NOVELTY: &str = "picket.novelty";
const KEYS: [&str; 9] = [NAME, VERSION, CREATED, TRAINING, SCHEMA, SCHEMA_HASH, CLASSES, THRESHOLDS, NOVELTY];

/// A class that the model can report, and from which probability on it does.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Reported {
    /// The class.
    pub class: Class,
    /// Least probability, 0 to 1.
    pub threshold: f32,
}

/// When a row is too far from the training data to be judged: more than `columns` of its values exceed
/// `factor` times the bound of their column. Bounds are one or the greatest value seen in training.
#[derive(Clone, PartialEq, Debug)]
pub struct Novelty {
    /// How far beyond its bound a value must lie to count.
    pub factor: f32,
    /// How many such columns a row may have.
    pub columns: usize,
    /// One for each column.
    pub bounds: Vec<f32>,
}

impl Novelty {
    /// Whether the model abstains from `row`.
    #[must_use]
    pub fn is_novel(&self, row: &[f32]) -> bool {
        let beyond = row.iter().zip(&self.bounds).filter(|(value, bound)| **value > self.factor * **bound);
        beyond.count() > self.columns
    }
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
    /// The hostile classes in the order of the output's columns, of which column 0 is `benign`.
    pub reported: Vec<Reported>,
    /// When to abstain.
    pub novelty: Option<Novelty>,
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
        let classes = read_classes(entries.get(CLASSES)?)?;
        let reported = read_thresholds(entries.get(THRESHOLDS)?, &classes)?;
        let novelty = entries.find(NOVELTY).map(|text| read_novelty(text, schema.width())).transpose()?;
        Ok(Self {
            name: name.into(),
            version: version.into(),
            created: created.into(),
            training: training.into(),
            schema,
            reported,
            novelty,
        })
    }

    /// Columns of the output: the hostile classes and `benign`.
    #[must_use]
    pub const fn classes(&self) -> usize {
        1 + self.reported.len()
    }
}

/// The entries whose keys are ours.
struct Entries<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Entries<'a> {
    fn new(entries: &'a [StringStringEntryProto]) -> Result<Self, MetadataFault> {
        let mut ours: Vec<(&str, &str)> = Vec::new();
        for entry in entries.iter().filter(|entry| entry.key.starts_with("picket.")) {
            if !KEYS.contains(&entry.key.as_str()) {
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

/// The hostile classes; `benign` must come first and is left out.
fn read_classes(text: &str) -> Result<Vec<Class>, MetadataFault> {
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
    if classes.is_empty() {
        return Err(MetadataFault::Form {
            key: CLASSES,
            value: Quoted::new(text),
            wanted: "benign and at least one class",
        });
    }
    Ok(classes)
}

/// `class=probability`, for each of `classes` in their order.
fn read_thresholds(text: &str, classes: &[Class]) -> Result<Vec<Reported>, MetadataFault> {
    let mut entries = text.split(',');
    let mut reported = Vec::with_capacity(classes.len());
    for &class in classes {
        let entry = entries.next().unwrap_or_default();
        let value = entry
            .split_once('=')
            .filter(|(name, _)| *name == class.name())
            .map(|(_, value)| value)
            .ok_or_else(|| MetadataFault::ThresholdOrder {
            wanted: class.name(),
            found: Quoted::new(entry),
        })?;
        let threshold: f32 = value.parse().map_err(|_| MetadataFault::Form {
            key: THRESHOLDS,
            value: Quoted::new(value),
            wanted: "a number",
        })?;
        if !(0.0..=1.0).contains(&threshold) {
            return Err(MetadataFault::Threshold { class: class.name(), value: threshold });
        }
        reported.push(Reported { class, threshold });
    }
    if let Some(extra) = entries.next() {
        return Err(MetadataFault::ThresholdOrder { wanted: "no further class", found: Quoted::new(extra) });
    }
    Ok(reported)
}

/// `factor=F columns=C bounds=B1,B2,...`.
fn read_novelty(text: &str, width: usize) -> Result<Novelty, MetadataFault> {
    let fault = |part: &str, wanted| MetadataFault::Form { key: NOVELTY, value: Quoted::new(part), wanted };
    let parts: Vec<&str> = text.split(' ').collect();
    let &[factor, columns, bounds] = parts.as_slice() else {
        return Err(fault(text, "factor=F columns=C bounds=B1,B2,..."));
    };
    let factor = factor
        .strip_prefix("factor=")
        .and_then(|value| value.parse().ok())
        .filter(|factor: &f32| (1.0..=1e6).contains(factor))
        .ok_or_else(|| fault(factor, "factor= and a number from 1 to 1e6"))?;
    let columns = columns
        .strip_prefix("columns=")
        .and_then(|value| value.parse().ok())
        .filter(|columns| *columns < width)
        .ok_or_else(|| fault(columns, "columns= and a number below the width of the schema"))?;
    let list =
        bounds.strip_prefix("bounds=").ok_or_else(|| fault(bounds, "bounds= and a list of numbers"))?;
    let bounds: Vec<f32> = list
        .split(',')
        .map(|bound| {
            bound
                .parse()
                .ok()
                .filter(|bound: &f32| (0.0..=1e12).contains(bound))
                .ok_or_else(|| fault(bound, "a bound from 0 to 1e12"))
        })
        .collect::<Result<_, _>>()?;
    if bounds.len() != width {
        return Err(MetadataFault::NoveltyWidth { wanted: width, found: bounds.len() });
    }
    Ok(Novelty { factor, columns, bounds })
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
            (SCHEMA, "picket-host/1"),
            (SCHEMA_HASH, &HOST.hash().to_string()),
            (CLASSES, "benign,tcp_scan,mqtt_slow_dos"),
            (THRESHOLDS, "tcp_scan=0.5,mqtt_slow_dos=0.75"),
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
        assert_eq!(metadata.classes(), 3);
        assert_eq!(metadata.reported[1], Reported { class: Class::MqttSlowDos, threshold: 0.75 });
        assert_eq!(metadata.novelty, None);
    }

    #[test]
    fn every_key_is_required() {
        for key in KEYS.iter().filter(|key| **key != NOVELTY) {
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
    fn a_row_is_novel_by_the_number_of_columns_beyond_their_bounds() {
        let bounds = vec!["2"; HOST.width()].join(",");
        let novelty =
            with(NOVELTY, &format!("factor=10 columns=2 bounds={bounds}")).unwrap().novelty.unwrap();
        let mut row = vec![20.0; HOST.width()];
        assert!(!novelty.is_novel(&row));
        row[..2].fill(21.0);
        assert!(!novelty.is_novel(&row));
        row[2] = 21.0;
        assert!(novelty.is_novel(&row));
        assert!(matches!(
            with(NOVELTY, "factor=10 columns=2 bounds=1,2"),
            Err(MetadataFault::NoveltyWidth { .. })
        ));
        assert!(matches!(with(NOVELTY, "factor=0 columns=2 bounds=1"), Err(MetadataFault::Form { .. })));
    }
}
