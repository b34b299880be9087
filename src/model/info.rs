//! What can be told of a loaded model without asking it anything.

use std::fmt;
use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::chain::Size;
use super::metadata::{Kind, Metadata, Reported};
use super::novelty::Novelty;
use crate::detect::vote::Vote;
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
    /// What its output is.
    pub kind: Kind,
    /// How many rows of a host must agree.
    pub vote: Vote,
    /// When it says nothing.
    pub novelty: Novelty,
    /// The classes it reports, each with its threshold.
    pub reported: Vec<Reported>,
    /// Octets of the file.
    pub file_size: usize,
    /// `SipHash-1-3` of the file with 128 bits and a zero key, in hexadecimal: tells files apart, and is no defence against
    /// forgery.
    pub fingerprint: String,
    /// What it consists of.
    pub size: Size,
}

impl ModelInfo {
    pub(super) fn new(metadata: &Metadata, file: &[u8], size: Size) -> Self {
        let mut hasher = SipHasher13::new();
        hasher.write(file);
        Self {
            name: metadata.name.clone(),
            version: metadata.version.clone(),
            created: metadata.created.clone(),
            training: metadata.training.clone(),
            schema: metadata.schema,
            kind: metadata.kind,
            vote: metadata.vote,
            novelty: metadata.novelty.clone(),
            reported: metadata.reported.clone(),
            file_size: file.len(),
            fingerprint: format!("{:032x}", hasher.finish128().as_u128()),
            size,
        }
    }

    /// `<name>@<version>`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// The `detector` of this model's alerts: `model:<name>@<version>`.
    #[must_use]
    pub fn detector(&self) -> String {
        format!("model:{}", self.label())
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
        writeln!(f, "kind:        {}", self.kind.name())?;
        let Size { int8_weights, float_weights, trees, nodes } = self.size;
        let parts = [
            (int8_weights, format!("{int8_weights} int8 weights")),
            (float_weights, format!("{float_weights} float weights")),
            (trees, format!("{trees} trees of {nodes} nodes")),
        ];
        let parts: Vec<String> =
            parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text).collect();
        writeln!(f, "size:        {}", parts.join(", "))?;
        writeln!(f, "file size:   {} octets", self.file_size)?;
        writeln!(f, "fingerprint: {}", self.fingerprint)?;
        write!(f, "classes:     benign")?;
        for Reported { class, threshold, sure } in &self.reported {
            write!(f, "\n             {} from {threshold}", class.name())?;
            if sure.is_finite() {
                write!(f, ", sure from {sure}")?;
            }
        }
        write!(f, "\nvote:        {} of the last {} rows of a host", self.vote.needed(), self.vote.of())?;
        let Novelty { factor, columns, .. } = self.novelty;
        write!(f, "\nabstains:    where more than {columns} columns exceed {factor} times their bound")
    }
}
