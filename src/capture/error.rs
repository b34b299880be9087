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
    #[error("{}: is a directory; name the capture files in it, or follow it with --watch", path.display())]
    Directory {
        /// The name as given.
        path: PathBuf,
    },
    /// The first octets are those of neither pcap nor pcapng, or the file header is bad.
    #[error("{}: not a usable pcap or pcapng capture: {reason}; {hint}", path.display())]
    NotACapture {
        /// The name as given.
        path: PathBuf,
        /// Why not.
        reason: String,
        /// What to try.
        hint: &'static str,
    },
    /// The capture holds something that is no packet, and no packet was found behind it. Every one before it was delivered.
    #[error(
        "{}: damaged after packet {packets}: {reason}; the packets before it were read, copy or write the file again",
        path.display()
    )]
    Corrupt {
        /// The name as given.
        path: PathBuf,
        /// How many whole packets were read.
        packets: u64,
        /// Where, or what the decompression said.
        reason: String,
    },
    /// Reading failed below the capture format.
    #[error("{}: read error after packet {packets}: {source}; check the disk, pipe or connection", path.display())]
    Read {
        /// The name as given.
        path: PathBuf,
        /// How many whole packets were read.
        packets: u64,
        /// What the system said.
        source: io::Error,
    },
    /// No connection to a sender of packets.
    #[error(
        "tcp://{address}: cannot connect: {source}; is there a sender of pcap-over-IP, and is it host:port?"
    )]
    Connect {
        /// Host and port as given.
        address: String,
        /// What the system said.
        source: io::Error,
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
        /// libpcap's message, or ours.
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
    /// libpcap's packet header is not the one that this program was compiled with.
    #[error(
        "libpcap and this program disagree about the header of a packet, so that every length would be wrong; \
         take a build for this system's C library (see cross/README.md)"
    )]
    Abi,
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
            Self::NotACapture { .. } | Self::Corrupt { .. } => 65,
            Self::NoSuchFile { .. }
            | Self::Unreadable { .. }
            | Self::Directory { .. }
            | Self::NoSuchInterface { .. } => 66,
            Self::Connect { .. } => 69,
            Self::Abi => 70,
            Self::Read { .. } | Self::Interface { .. } | Self::Wait { .. } => 74,
            Self::NoPermission { .. } => 77,
            Self::Filter { .. } | Self::NoInterface | Self::AnyAndOthers => 78,
        }
    }

    /// A filter that libpcap refused.
    pub(super) fn filter(filter: &str, error: &::pcap::Error) -> Self {
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
