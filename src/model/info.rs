//! What can be told of a loaded model without asking it anything.

use std::fmt;
use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::metadata::{Metadata, Reported};
use crate::features::schema::Schema;

/// A loaded model's description, for `picket model show`, the status topic and alerts.
#[derive(Clone, PartialEq, Debug)]
pub struct ModelInfo {
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
    /// The classes it reports, each with its threshold.
    pub reported: Vec<Reported>,
    /// Octets of the file.
    pub file_size: usize,
    /// `SipHash-1-3` of the file with 128 bits and a zero key, in hexadecimal: tells files apart, and is no defence against
    /// forgery.
    pub fingerprint: String,
    /// Weights of all layers.
    pub weights: usize,
}

impl ModelInfo {
    pub(super) fn new(metadata: &Metadata, file: &[u8], weights: usize) -> Self {
        let mut hasher = SipHasher13::new();
        hasher.write(file);
        Self {
            name: metadata.name.clone(),
            version: metadata.version.clone(),
            created: metadata.created.clone(),
            training: metadata.training.clone(),
            schema: metadata.schema,
            reported: metadata.reported.clone(),
            file_size: file.len(),
            fingerprint: format!("{:032x}", hasher.finish128().as_u128()),
            weights,
        }
    }

    /// The `detector` of this model's alerts: `model:<name>@<version>`.
    #[must_use]
    pub fn detector(&self) -> String {
        format!("model:{}@{}", self.name, self.version)
    }
}

impl fmt::Display for ModelInfo {
    /// Several lines of `key: value`, without a line feed at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "name:        {}", self.name)?;
        writeln!(f, "version:     {}", self.version)?;
        writeln!(f, "created:     {}", self.created)?;
        writeln!(f, "training:    {}", self.training)?;
        writeln!(f, "schema:      {}/{} ({})", self.schema.name, self.schema.version, self.schema.hash())?;
        writeln!(f, "columns:     {}", self.schema.width())?;
        writeln!(f, "weights:     {} int8", self.weights)?;
        writeln!(f, "file size:   {} octets", self.file_size)?;
        writeln!(f, "fingerprint: {}", self.fingerprint)?;
        write!(f, "classes:     benign")?;
        for Reported { class, threshold } in &self.reported {
            write!(f, "\n             {} from {threshold}", class.name())?;
        }
        Ok(())
    }
}
