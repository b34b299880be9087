//! What can go wrong with the store.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error(
        "alert store {0} is in use by another picket process; stop it, or give this one its own [store] path"
    )]
    InUse(PathBuf),
    /// A file or directory of the store cannot be used.
    #[error("alert store: cannot {doing} {path}: {source}")]
    Io {
        /// What was tried, as in "create".
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// No space left, or a quota is used up.
    #[error("alert store: no space left on the device ({0})")]
    Full(String),
    /// The database failed in another way.
    #[error("alert store: database failed: {0}")]
    Database(String),
    /// An earlier failure closed the database; it has to be opened again first.
    #[error("alert store is closed after a failure")]
    Closed,
    /// The daemon that should answer does not, or says no.
    #[error("picket's status socket {path}: {why}")]
    Daemon {
        /// The socket.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
    /// Following needs a daemon, and none answers.
    #[error("no daemon is running, so no new alert will come; start picket run")]
    NoDaemon,
    /// A read without a daemon found no store.
    #[error("no alert store in {0}; has picket run with this [store] path?")]
    Missing(PathBuf),
}

impl StoreError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        if is_full(source.kind()) {
            return Self::Full(format!("{doing} {}", path.display()));
        }
        Self::Io { doing, path: path.to_owned(), source }
    }

    /// The sysexits code for ending because of it: 69 unavailable, 74 io, 66 no input.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::InUse(_) | Self::Closed | Self::Daemon { .. } | Self::NoDaemon => 69,
            Self::Missing(_) => 66,
            Self::Io { .. } | Self::Full(_) | Self::Database(_) => 74,
        }
    }
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        match error {
            // sled copies its errors by kind, the code of the system does not survive.
            sled::Error::Io(source) if is_full(source.kind()) => Self::Full(source.to_string()),
            // Not the database's fault, and no reason to give it up.
            sled::Error::Io(source)
                if matches!(
                    source.kind(),
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                ) =>
            {
                Self::Io { doing: "use", path: PathBuf::from("db"), source }
            }
            other => Self::Database(other.to_string()),
        }
    }
}

fn is_full(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
