//! The manifest: what a release is, what it needs, and how it is tried before it is believed.

use serde::{Deserialize, Serialize};

use super::{MAX_NUMBER, Moment, is_line, read, rule};
use crate::limits::MAX_FEATURES;
use crate::update::MAX_MODEL_BYTES;
use crate::update::digest::Digest;
use crate::update::reason::Refusal;

/// Golden vectors in a manifest, at most.
pub const MAX_GOLDEN_ROWS: usize = 32;
/// Classes of a model, at most; the vocabulary has fewer.
const MAX_CLASSES: usize = 64;
const MAX_URLS: usize = 4;
const MAX_URL: usize = 512;
const DAY: u64 = 86_400;

/// The model file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Its digest.
    pub sha256: Digest,
    /// Its length in octets.
    pub length: u64,
    /// Where it can be fetched from, besides the broker; `https` only.
    pub urls: Vec<String>,
}

/// What the model needs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compat {
    /// The format of the file: `onnx`.
    pub format: String,
    /// The feature columns, such as `picket-host/1`.
    pub schema: String,
    /// Their hash.
    pub schema_hash: String,
    /// The oldest version of Picket that serves it, such as `0.1.0`.
    pub min_daemon: String,
    /// The classes that it tells apart, in the order of its output.
    pub classes: Vec<String>,
}

/// One golden vector.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenRow {
    /// The columns, in the order of the schema.
    pub x: Vec<f32>,
    /// The probabilities, in the order of the classes.
    pub probs: Vec<f32>,
}

/// What the model must do in the self-test. The device has limits of its own; the narrower one holds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfTest {
    /// Greatest accepted difference of a probability.
    pub tolerance: f32,
    /// The golden vectors.
    pub rows: Vec<GoldenRow>,
    /// Time to load it, in milliseconds.
    pub max_load_ms: u64,
    /// Time to score one row, in microseconds, at the 99th percentile.
    pub max_row_us: u64,
    /// Memory of the process that tries it, in KiB.
    pub max_memory_kib: u64,
}

/// How long the model is watched before it is kept.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probation {
    /// Rows to score beside the old model first.
    pub shadow_rows: u64,
    /// Seconds after which the shadow ends with fewer rows, on a quiet network.
    pub shadow_seconds: u64,
    /// Seconds in use until it is kept.
    pub active_seconds: u64,
    /// Starts of the daemon while on probation, until it is given up.
    pub attempts: u8,
    /// Hostile verdicts of the new model for each of the old one, and the other way round, at most.
    pub max_alert_ratio: f32,
}

/// The manifest document.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`Manifest::SCHEMA`].
    pub schema: String,
    /// Counts up with every release. Going back to an old model is a new release with old content.
    pub release: u64,
    /// The model's name, such as `default`.
    pub name: String,
    /// The model's version, for people.
    pub version: String,
    /// When it was made.
    pub issued: Moment,
    /// From when on it is not installed any more.
    pub expires: Moment,
    /// Once this release is kept, releases below are neither installed nor started any more.
    pub floor: u64,
    /// The file.
    pub artifact: Artifact,
    /// What it needs.
    pub compat: Compat,
    /// What it must do before it is used.
    pub self_test: SelfTest,
    /// What it must do before it is kept.
    pub probation: Probation,
}

impl Manifest {
    /// The value of `schema`.
    pub const SCHEMA: &'static str = "picket.manifest/1";
    /// Largest payload read, in octets.
    pub const MAX_BYTES: usize = 32 << 10;

    /// Reads a manifest and checks it by itself.
    ///
    /// # Errors
    /// It is too large or not well formed.
    pub fn read(octets: &[u8]) -> Result<Self, Refusal> {
        let manifest: Self = read("manifest", octets, Self::MAX_BYTES)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Checks what can be seen by looking at this manifest alone.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), Refusal> {
        rule(self.schema == Self::SCHEMA, "manifest: schema is not picket.manifest/1")?;
        rule((1..MAX_NUMBER).contains(&self.release), "manifest: release is out of range")?;
        rule(self.floor <= self.release, "manifest: floor is above the release itself")?;
        rule(is_line(&self.name, 64) && is_line(&self.version, 64), "manifest: name or version")?;
        rule(self.issued < self.expires, "manifest: it expires before it was made")?;
        let Artifact { length, urls, .. } = &self.artifact;
        rule(*length >= 1, "manifest: the model is empty")?;
        if *length > MAX_MODEL_BYTES {
            let detail =
                format!("manifest: the model has {length} octets, at most {MAX_MODEL_BYTES} are taken");
            return Err(Refusal::new(super::Reason::TooLarge, detail));
        }
        let is_url = |url: &String| is_line(url, MAX_URL) && url.starts_with("https://");
        rule(urls.len() <= MAX_URLS && urls.iter().all(is_url), "manifest: artifact.urls")?;
        self.check_compat()?;
        self.check_self_test()?;
        let Probation { shadow_rows, shadow_seconds, active_seconds, attempts, max_alert_ratio } =
            &self.probation;
        rule(*shadow_rows <= 1_000_000, "manifest: probation.shadow_rows is above 1000000")?;
        rule(*shadow_seconds <= DAY, "manifest: probation.shadow_seconds is above a day")?;
        rule(*active_seconds <= 7 * DAY, "manifest: probation.active_seconds is above a week")?;
        rule((1..=3).contains(attempts), "manifest: probation.attempts is not 1 to 3")?;
        rule((1.0..=100.0).contains(max_alert_ratio), "manifest: probation.max_alert_ratio is not 1 to 100")
    }

    fn check_compat(&self) -> Result<(), Refusal> {
        let Compat { format, schema, schema_hash, min_daemon, classes } = &self.compat;
        let texts = [format, schema, schema_hash, min_daemon];
        rule(texts.iter().all(|text| is_line(text, 64)), "manifest: compat")?;
        rule(version(min_daemon).is_some(), "manifest: compat.min_daemon is no version")?;
        let some = (2..=MAX_CLASSES).contains(&classes.len()) && classes.iter().all(|name| is_line(name, 64));
        rule(some, "manifest: compat.classes")
    }

    fn check_self_test(&self) -> Result<(), Refusal> {
        let SelfTest { tolerance, rows, max_load_ms, max_row_us, max_memory_kib } = &self.self_test;
        rule((0.0..=0.1).contains(tolerance), "manifest: self_test.tolerance is not 0 to 0.1")?;
        rule((1..=MAX_GOLDEN_ROWS).contains(&rows.len()), "manifest: self_test.rows is not 1 to 32 rows")?;
        let fits = |row: &GoldenRow| {
            (1..=MAX_FEATURES).contains(&row.x.len())
                && row.probs.len() == self.compat.classes.len()
                && row.x.iter().chain(&row.probs).all(|value| value.is_finite())
        };
        rule(rows.iter().all(fits), "manifest: a golden vector does not fit")?;
        rule((1..=60_000).contains(max_load_ms), "manifest: self_test.max_load_ms is not 1 to 60000")?;
        rule((1..=1_000_000).contains(max_row_us), "manifest: self_test.max_row_us is not 1 to 1000000")?;
        rule((1..=1 << 20).contains(max_memory_kib), "manifest: self_test.max_memory_kib is not 1 to 1048576")
    }
}

/// `major.minor.patch` as numbers that can be compared.
pub(in crate::update) fn version(text: &str) -> Option<[u32; 3]> {
    let mut parts = text.split('.');
    let mut next = || {
        let part = parts.next()?;
        let digits = part.bytes().all(|c| c.is_ascii_digit());
        if digits { part.parse::<u32>().ok() } else { None }
    };
    let numbers = [next()?, next()?, next()?];
    if parts.next().is_none() { Some(numbers) } else { None }
}
