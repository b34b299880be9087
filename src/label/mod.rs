//! Label files: which packets, flows, rows and episodes of a capture are which attack.
//!
//! A label file is TOML; see `docs/evaluate.md` for its keys. Its `[[rule]]` and `[[episode]]` sections are tried in the
//! order of the file, and the first that matches a packet says its label; what none matches has the default label,
//! `benign` unless `default` says otherwise. The `labels.toml` of picket-lab is such a file.
//!
//! - A **packet** is matched by its capture's name, its hosts (a source and a destination, in either direction), its
//!   time and a filter in libpcap's language.
//! - A **flow** has the label of its first packet that has another than the default one ([`LabelId::or`]).
//! - A **row** of a source host has the label of an episode in which that host acts, from [`ROW_LEAD`] after its start
//!   until [`ROW_TAIL`] after its end: the windows of ten seconds still hold the attack then. From [`ROW_LEAD`] before
//!   the start until [`ROW_GREY`] after the end the other rows of that host have no label and are to be left out, since
//!   their windows hold part of an attack. `models/train/rows.py` labels by the same figures.
//! - An **episode** is what one section labels in one capture, if its label is an attack's. It lasts from `start` to
//!   `end` where the file says both; else from its first packet to its last.

mod file;
mod labeller;
mod rule;
mod time;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use labeller::{Episode, Labeller};

use crate::config::{Fault, Summary};
use crate::error::{ExitError, sysexits};
use rule::Rule;

/// The label of honest traffic.
pub const BENIGN: &str = "benign";

/// The second in which an attack begins holds it in part only.
pub const ROW_LEAD: Duration = Duration::from_secs(1);
/// The windows of ten seconds hold an attack for so long after its end.
pub const ROW_TAIL: Duration = Duration::from_secs(10);
/// The windows of a minute hold an attack for so long after its end.
pub const ROW_GREY: Duration = Duration::from_secs(60);

/// Octets of the largest file that is read.
const MAX_FILE: u64 = 16 << 20;

/// One of the labels of a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct LabelId(u16);

impl LabelId {
    /// The label of what no rule matches.
    pub const DEFAULT: Self = Self(0);

    /// Its place in [`Labels::names`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// This label, or `later` if this is the default one: of a flow's labels in turn, the flow's.
    #[must_use]
    pub fn or(self, later: Self) -> Self {
        if self == Self::DEFAULT { later } else { self }
    }
}

/// A label file.
#[derive(Clone, PartialEq, Debug)]
pub struct Labels {
    /// The default one first.
    names: Vec<String>,
    rules: Vec<Rule>,
}

impl Labels {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong.
    pub fn load(path: &Path) -> Result<Self, LabelError> {
        let text = read(path).map_err(|source| LabelError::Read { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|faults| LabelError::Invalid { path: path.to_owned(), faults })
    }

    /// Reads the text of a label file.
    ///
    /// # Errors
    /// Every fault, in the order of the file; at least one.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        file::read(text)
    }

    /// Every label, the default one first, then in the order of the file.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What a label is called.
    #[must_use]
    pub fn name(&self, label: LabelId) -> &str {
        self.names.get(label.index()).map_or("", String::as_str)
    }

    /// Whether a label is that of an attack: neither the default one nor `benign`.
    #[must_use]
    pub fn is_attack(&self, label: LabelId) -> bool {
        label != LabelId::DEFAULT && self.name(label) != BENIGN
    }

    /// What is needed to label the capture of that name.
    #[must_use]
    pub fn for_capture(&self, capture: &Path) -> Labeller {
        let rules = self.rules.iter().filter(|rule| rule.is_about(capture));
        Labeller::new(rules.map(|rule| (rule.clone(), self.is_attack(rule.label))))
    }

    /// The label of that name, new if need be; `None` when there are 65,536.
    fn intern(&mut self, name: String) -> Option<LabelId> {
        let known = self.names.iter().position(|known| *known == name);
        let place = known.unwrap_or(self.names.len());
        let id = u16::try_from(place).ok()?;
        if known.is_none() {
            self.names.push(name);
        }
        Some(LabelId(id))
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let mut file = std::fs::File::open(path)?.take(MAX_FILE + 1);
    file.read_to_string(&mut text)?;
    if file.limit() == 0 {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "is larger than 16 MiB"));
    }
    Ok(text)
}

/// Why there are no labels to work with.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It was read and is wrong. At least one fault.
    #[error("{}: {}", path.display(), Summary(faults))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        faults: Vec<Fault>,
    },
}

impl From<LabelError> for ExitError {
    fn from(error: LabelError) -> Self {
        match &error {
            LabelError::Read { path, source } => Self::file("labels", path, source),
            LabelError::Invalid { .. } => {
                Self::new(sysexits::DATAERR, format!("labels: {error}")).hint("see docs/evaluate.md")
            }
        }
    }
}
