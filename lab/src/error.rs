//! Why the laboratory stopped, and the exit code that says so to a script.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::target::Refusal;

/// A reason to stop. Exit codes follow sysexits(3).
#[derive(Debug, Error)]
pub enum LabError {
    /// The target is not one the laboratory may touch (exit code 77).
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Options that do not fit together (exit code 64).
    #[error("{0}")]
    Usage(String),
    /// A file that does not say what it should (exit code 65).
    #[error("{path}: {reason}")]
    Data {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A program or a broker that is needed is not there (exit code 69).
    #[error("{what} is not available: {hint}")]
    Unavailable {
        /// The program or service.
        what: String,
        /// How to get it.
        hint: String,
    },
    /// A child process failed (exit code 70).
    #[error("{what} failed: {detail}")]
    Child {
        /// What was run.
        what: String,
        /// The end of what it said.
        detail: String,
    },
    /// A file or socket could not be used (exit code 74).
    #[error("{what}: {source}")]
    Io {
        /// The file or socket.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Network namespaces need root (exit code 77).
    #[error("network namespaces need root; run as root or use --loopback")]
    NeedsRoot,
    /// tcpdump may not capture (exit code 77).
    #[error("no permission to capture on {0}; run as root, or give tcpdump CAP_NET_RAW")]
    NoCapture(String),
}

impl LabError {
    /// Wraps an I/O error with the thing it happened to.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// The exit code of the process, after sysexits(3).
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::Data { .. } => 65,
            Self::Unavailable { .. } => 69,
            Self::Child { .. } => 70,
            Self::Io { .. } => 74,
            Self::Refused(_) | Self::NeedsRoot | Self::NoCapture(_) => 77,
        }
    }
}
