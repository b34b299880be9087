//! What a sensor says of its update.

use serde::{Deserialize, Serialize};

use super::{Moment, is_line, read, rule};
use crate::update::digest::Digest;
use crate::update::reason::{Reason, Refusal};

/// Where an update is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing is going on.
    Idle,
    /// Verified as far as can be, and put off for the reason given.
    Deferred,
    /// Its blocks are being fetched.
    Downloading,
    /// Complete on the disk, its digest verified.
    Staged,
    /// Being tried in a process of its own.
    SelfTest,
    /// Scoring beside the old model.
    Shadow,
    /// In use, the old model at hand.
    Probation,
    /// In use and kept.
    Committed,
    /// Given up before it was in use, for the reason given.
    Failed,
    /// Taken out of use again, for the reason given.
    RolledBack,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Idle,
        Self::Deferred,
        Self::Downloading,
        Self::Staged,
        Self::SelfTest,
        Self::Shadow,
        Self::Probation,
        Self::Committed,
        Self::Failed,
        Self::RolledBack,
    ];
}

/// A model of which something is reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Its number; 0 for the factory's model.
    pub release: u64,
    /// The digest of the model file.
    pub sha256: Digest,
}

/// How far a transfer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Blocks that are here.
    pub blocks: u32,
    /// Blocks of the model.
    pub of: u32,
}

/// What the new model said beside the old one.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shadow {
    /// Rows that both scored.
    pub rows: u64,
    /// Rows on which both said the same.
    pub agreed: u64,
    /// Rows that the old model called hostile.
    pub old_hostile: u64,
    /// Rows that the new model called hostile.
    pub new_hostile: u64,
    /// Rows that the new model could not score although the old one could.
    pub unscored: u64,
    /// Time of the new model for one row, in microseconds, at the 99th percentile.
    pub p99_us: u64,
}

/// The document on `update/reported`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// [`Reported::SCHEMA`].
    pub schema: String,
    /// The sensor.
    pub sensor: String,
    /// When.
    pub ts: Moment,
    /// Where the update is.
    pub state: State,
    /// The model in use; none when the rules work alone.
    pub active: Option<Release>,
    /// The release that this is about.
    pub target: Option<Release>,
    /// The request that this is about.
    pub request: Option<String>,
    /// Why, where there is something to say.
    pub reason: Option<Reason>,
    /// Why, in words.
    pub detail: Option<String>,
    /// How far the transfer is.
    pub progress: Option<Progress>,
    /// What the shadow showed.
    pub shadow: Option<Shadow>,
    /// Releases below are not installed.
    pub floor: u64,
    /// The version of the root in force.
    pub root_version: u64,
    /// The number of the newest timestamp seen; 0 for none.
    pub timestamp_seq: u64,
    /// Releases that failed here.
    pub bad: Vec<u64>,
}

impl Reported {
    /// The value of `schema`.
    pub const SCHEMA: &'static str = "picket.update.reported/1";
    /// Largest message read, in octets.
    pub const MAX_BYTES: usize = 4 << 10;

    /// Reads what a sensor says; the operator's side believes it no more than the sensor the operator's.
    ///
    /// # Errors
    /// It is too large or not well formed.
    pub fn read(octets: &[u8]) -> Result<Self, Refusal> {
        let reported: Self = read("reported", octets, Self::MAX_BYTES)?;
        rule(reported.schema == Self::SCHEMA, "reported: schema is not picket.update.reported/1")?;
        rule(is_line(&reported.sensor, 64), "reported: sensor")?;
        let line = |text: &Option<String>, limit| text.as_ref().is_none_or(|text| is_line(text, limit));
        rule(line(&reported.request, 64) && line(&reported.detail, 256), "reported: request or detail")?;
        Ok(reported)
    }
}
