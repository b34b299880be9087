//! Why a capture cannot start or go on.

use std::io;
use std::path::{Path, PathBuf};

use super::reason;

/// A capture that cannot start or go on. The text is one line and ends with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// No file of that name.
    #[error("{}: no such capture file; check the path", path.display())]
    NoSuchFile {
        /// The name as given.
        path: PathBuf,
    },
    /// The file exists but cannot be opened.
    #[error("{}: cannot open the capture: {source}; make the file readable for this user", path.display())]
    Unreadable {
        /// The name as given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A directory was given.
    #[error("{}: is a directory; name the capture files in it", path.display())]
    Directory {
        /// The name as given.
        path: PathBuf,
    },
    /// The first octets are those of neither pcap nor pcapng, or the file header is bad.
    #[error("{}: not a usable pcap or pcapng capture: {reason}; {hint}", path.display())]
    NotACapture {
        /// The name as given.
        path: PathBuf,
        /// libpcap's message.
        reason: String,
        /// What to try.
        hint: &'static str,
    },
    /// The capture ends inside a packet. Every whole packet before it was delivered.
    #[error(
        "{}: truncated inside packet {}: {reason}; the {packets} whole packets before it were read, copy the file again if it should be longer",
        path.display(), packets.saturating_add(1)
    )]
    Truncated {
        /// The name as given.
        path: PathBuf,
        /// How many whole packets were delivered (those that passed the filter, when there is one).
        packets: u64,
        /// libpcap's message: how many octets were wanted and found.
        reason: String,
    },
    /// The capture holds something that libpcap cannot take for a packet. Every packet before it was delivered.
    #[error(
        "{}: damaged after packet {packets}: {reason}; the packets before it were read, copy or write the file again",
        path.display()
    )]
    Corrupt {
        /// The name as given.
        path: PathBuf,
        /// How many whole packets were delivered (those that passed the filter, when there is one).
        packets: u64,
        /// libpcap's message.
        reason: String,
    },
    /// Reading failed below the capture format.
    #[error("{}: read error after packet {packets}: {reason}; check the disk or the pipe", path.display())]
    Read {
        /// The name as given.
        path: PathBuf,
        /// How many whole packets were delivered.
        packets: u64,
        /// libpcap's message.
        reason: String,
    },
    /// A live capture without any interface.
    #[error("no interface to capture on; name one with -i or `capture.interfaces`")]
    NoInterface,
    /// `any` was named beside other interfaces, whose frames would all come twice.
    #[error("`any` covers every interface already; name it alone, or only the others")]
    AnyAndOthers,
    /// No interface of that name.
    #[error("{interface}: no such interface; there are: {}", known.join(", "))]
    NoSuchInterface {
        /// The name as given.
        interface: String,
        /// The interfaces of this machine.
        known: Vec<String>,
    },
    /// The process may not capture.
    #[error(
        "{interface}: no permission to capture; run as root or give the binary the right with `setcap cap_net_raw+ep FILE`"
    )]
    NoPermission {
        /// The interface.
        interface: String,
    },
    /// libpcap refuses the filter expression.
    #[error("bad capture filter {filter:?}: {reason}; see pcap-filter(7)")]
    Filter {
        /// The expression.
        filter: String,
        /// libpcap's message.
        reason: String,
    },
    /// The interface exists, may be captured on, but cannot be opened.
    #[error("{interface}: cannot capture: {reason}; check the interface and try a smaller capture buffer")]
    Interface {
        /// The interface.
        interface: String,
        /// libpcap's message.
        reason: String,
    },
    /// Waiting for frames failed.
    #[error("cannot wait for frames: {source}; restart the daemon")]
    Wait {
        /// What the system said.
        source: io::Error,
    },
}

impl CaptureError {
    /// The exit code for this error, as in sysexits.h.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotACapture { .. } | Self::Truncated { .. } | Self::Corrupt { .. } => 65,
            Self::NoSuchFile { .. }
            | Self::Unreadable { .. }
            | Self::Directory { .. }
            | Self::NoSuchInterface { .. } => 66,
            Self::Read { .. } | Self::Interface { .. } | Self::Wait { .. } => 74,
            Self::NoPermission { .. } => 77,
            Self::Filter { .. } | Self::NoInterface | Self::AnyAndOthers => 78,
        }
    }

    /// A filter that libpcap refused.
    pub(super) fn filter(filter: &str, error: &pcap::Error) -> Self {
        Self::Filter { filter: filter.to_owned(), reason: reason(error) }
    }

    /// A system error on opening the file `path`.
    pub(super) fn open(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NoSuchFile { path },
            io::ErrorKind::IsADirectory => Self::Directory { path },
            _ => Self::Unreadable { path, source },
        }
    }
}
