//! The timestamp: which release is the newest, so that somebody who holds updates back is noticed.

use serde::{Deserialize, Serialize};

use super::{MAX_NUMBER, Moment, read, rule};
use crate::update::digest::Digest;
use crate::update::reason::Refusal;

/// The timestamp document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timestamp {
    /// [`Timestamp::SCHEMA`].
    pub schema: String,
    /// Counts up with every timestamp.
    pub seq: u64,
    /// When it was made.
    pub issued: Moment,
    /// From when on it says nothing any more.
    pub expires: Moment,
    /// The version of the root in force.
    pub root_version: u64,
    /// The newest release.
    pub release: u64,
    /// The digest of its manifest's payload.
    pub manifest_sha256: Digest,
}

impl Timestamp {
    /// The value of `schema`.
    pub const SCHEMA: &'static str = "picket.timestamp/1";
    /// Largest payload read, in octets.
    pub const MAX_BYTES: usize = 1 << 10;

    /// Reads a timestamp and checks it by itself.
    ///
    /// # Errors
    /// It is too large or not well formed.
    pub fn read(octets: &[u8]) -> Result<Self, Refusal> {
        let timestamp: Self = read("timestamp", octets, Self::MAX_BYTES)?;
        timestamp.check()?;
        Ok(timestamp)
    }

    /// Checks what can be seen by looking at it alone.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), Refusal> {
        rule(self.schema == Self::SCHEMA, "timestamp: schema is not picket.timestamp/1")?;
        for number in [self.seq, self.root_version, self.release] {
            rule((1..MAX_NUMBER).contains(&number), "timestamp: a number is out of range")?;
        }
        rule(self.issued < self.expires, "timestamp: it expires before it was made")
    }
}
