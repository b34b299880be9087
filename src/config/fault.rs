//! What is wrong with a configuration, with the key and the line it is wrong at.

use std::fmt;
use std::path::PathBuf;

use crate::error::{ExitError, sysexits};

/// Faults reported of one file; a file with more is not a configuration.
const MAX_FAULTS: usize = 50;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The key with its sections, such as `capture.snaplen`; a command-line option where the value came from
    /// there; empty when the text is not TOML at that place.
    pub key: String,
    /// The line of the file, counted from 1, where one is known.
    pub line: Option<usize>,
    /// What is wrong and what would be right. No final full stop.
    pub why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key.is_empty(), self.line) {
            (true, None) => write!(f, "{}", self.why),
            (true, Some(line)) => write!(f, "line {line}: {}", self.why),
            (false, None) => write!(f, "{}: {}", self.key, self.why),
            (false, Some(line)) => write!(f, "{} (line {line}): {}", self.key, self.why),
        }
    }
}

/// All that is wrong.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Faults {
    list: Vec<Fault>,
}

impl Faults {
    /// Adds one, unless there are too many already.
    pub(crate) fn push(&mut self, key: impl Into<String>, line: Option<usize>, why: impl Into<String>) {
        if self.list.len() < MAX_FAULTS {
            self.list.push(Fault { key: key.into(), line, why: why.into() });
        }
    }

    /// The faults found, in the order of the file; empty when all is well.
    pub(crate) fn into_list(mut self) -> Vec<Fault> {
        self.list.sort_by_key(|fault| fault.line.unwrap_or(usize::MAX));
        self.list
    }

    /// Whether nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// Why there is no configuration to work with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It was read and is wrong. At least one fault.
    #[error("{}: {}", origin.display(), Summary(faults))]
    Invalid {
        /// The file, or `command line` where no file was read.
        origin: PathBuf,
        /// What is wrong.
        faults: Vec<Fault>,
    },
}

impl ConfigError {
    /// Every fault, for `picket check`; empty when the file could not be read at all.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::Read { .. } => &[],
            Self::Invalid { faults, .. } => faults,
        }
    }
}

/// The first fault and how many more there are, on one line.
pub(crate) struct Summary<'a>(pub(crate) &'a [Fault]);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(first) = self.0.first() {
            write!(f, "{first}")?;
        }
        match self.0.len() {
            0 | 1 => Ok(()),
            2 => f.write_str(" (and 1 more fault)"),
            n => write!(f, " (and {} more faults)", n - 1),
        }
    }
}

impl From<ConfigError> for ExitError {
    fn from(error: ConfigError) -> Self {
        match &error {
            ConfigError::Read { path, source } => {
                let file = Self::file("configuration", path, source);
                // A service manager that restarts on 66 or 74 would loop: the file will not appear by itself.
                let code = if file.code == sysexits::NOPERM { file.code } else { sysexits::CONFIG };
                Self { code, ..file }
            }
            ConfigError::Invalid { .. } => Self::new(sysexits::CONFIG, format!("configuration: {error}"))
                .hint("`picket check` lists every fault"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(key: &str, line: Option<usize>) -> Fault {
        Fault { key: key.into(), line, why: "is wrong".into() }
    }

    #[test]
    fn a_fault_says_where() {
        assert_eq!(fault("a.b", Some(3)).to_string(), "a.b (line 3): is wrong");
        assert_eq!(fault("a.b", None).to_string(), "a.b: is wrong");
        assert_eq!(fault("", Some(3)).to_string(), "line 3: is wrong");
    }

    #[test]
    fn the_error_is_one_line_with_code_78() {
        let faults = vec![fault("a.b", Some(3)), fault("c", None), fault("d", None)];
        let exit = ExitError::from(ConfigError::Invalid { origin: "p.toml".into(), faults });
        assert_eq!(exit.code, sysexits::CONFIG);
        assert_eq!(
            exit.to_string(),
            "picket: configuration: p.toml: a.b (line 3): is wrong (and 2 more faults); \
             `picket check` lists every fault"
        );
    }

    #[test]
    fn the_list_is_bounded() {
        let mut faults = Faults::default();
        for _ in 0..1000 {
            faults.push("k", None, "x");
        }
        assert_eq!(faults.into_list().len(), MAX_FAULTS);
    }

    #[test]
    fn a_missing_file_is_a_configuration_error() {
        let source = std::io::Error::from_raw_os_error(2);
        let exit = ExitError::from(ConfigError::Read { path: "/none".into(), source });
        assert_eq!(exit.code, sysexits::CONFIG);
        assert_eq!(
            exit.to_string(),
            "picket: configuration: /none: no such file or directory; check the path"
        );
    }
}
