//! Capture files: pcap and pcapng, told apart by their first octets, from a path or standard input.
//!
//! libpcap reads pcapng only when all its interfaces have one link type and one snaplen; any other is
//! refused as [`CaptureError::NotACapture`] or, when the second interface comes late, [`CaptureError::Corrupt`].
//!
//! A cooked capture (`any`) may hold both copies of a loopback frame. The outgoing one, packet type 4 on a
//! device of ARPHRD type 772, is skipped by adding to the filter. Whatever libpcap itself captures holds one
//! copy already, but other writers exist. In an Ethernet capture of a loopback device the two copies
//! cannot be told apart, nor need they: no current tool writes both.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pcap::{Capture, Offline, Precision};

use super::{CaptureError, Event, FrameSource, reason, timestamp};
use crate::frame::{Frame, LinkType};

/// The name that means standard input.
const STDIN: &str = "-";

/// A capture file being read.
///
/// Nothing is copied or allocated per packet: a frame lies in libpcap's buffer.
pub struct FileSource {
    path: PathBuf,
    capture: Capture<Offline>,
    link: LinkType,
    packets: u64,
    total: Option<u64>,
    descriptor: Option<i32>,
    ended: bool,
}

impl FileSource {
    /// Opens the capture `path` (`-`: standard input), to yield what passes the BPF expression `filter`.
    ///
    /// # Errors
    /// [`CaptureError`]: no such file, unreadable, a directory, not a capture, or a bad filter.
    pub fn open(path: &Path, filter: Option<&str>) -> Result<Self, CaptureError> {
        let stdin = path.as_os_str() == STDIN;
        let (capture, descriptor, total) = if stdin {
            let total = fs::metadata("/proc/self/fd/0").ok().filter(fs::Metadata::is_file);
            (open_offline(path, path)?, Some(0), total.map(|meta| meta.len()))
        } else {
            let meta = fs::metadata(path).map_err(|error| CaptureError::open(path, error))?;
            if meta.is_dir() {
                return Err(CaptureError::Directory { path: path.to_owned() });
            }
            let capture = if meta.is_file() { open_regular(path)? } else { open_offline(path, path)? };
            let total = meta.is_file().then_some(meta.len());
            (capture, total.and_then(|_| descriptor_of(&meta)), total)
        };
        let link = LinkType::from_number(capture.get_datalink().0);
        let mut source =
            Self { path: path.to_owned(), capture, link, packets: 0, total, descriptor, ended: false };
        source.set_filter(filter)?;
        Ok(source)
    }

    /// How many packets it has yielded.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// The link type of every frame in it.
    #[must_use]
    pub fn link(&self) -> LinkType {
        self.link
    }

    /// Its size in octets; `None` for a pipe.
    #[must_use]
    pub fn total_bytes(&self) -> Option<u64> {
        self.total
    }

    /// How many octets have been read, ahead of the last frame by at most libpcap's buffer; `None` for a
    /// pipe. A system call or two: ask a few times a second, not per frame.
    #[must_use]
    pub fn position_bytes(&self) -> Option<u64> {
        // libpcap keeps its stream to itself, so the kernel is asked where the descriptor stands.
        let total = self.total?;
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", self.descriptor?)).ok()?;
        let position: u64 = info.lines().find_map(|line| line.strip_prefix("pos:"))?.trim().parse().ok()?;
        Some(position.min(total))
    }

    fn set_filter(&mut self, filter: Option<&str>) -> Result<(), CaptureError> {
        let filter = filter.map(str::trim).filter(|filter| !filter.is_empty());
        if let Some(filter) = filter {
            // On its own first, so that an error names the user's expression and `)` cannot close ours.
            self.capture.compile(filter, true).map_err(|error| CaptureError::filter(filter, &error))?;
        }
        let one_copy = match self.link {
            LinkType::LinuxSll => Some("(link[0:2] != 4 or link[2:2] != 772)"),
            LinkType::LinuxSll2 => Some("(link[10] != 4 or link[8:2] != 772)"),
            _ => None,
        };
        let whole = match (filter, one_copy) {
            (None, None) => return Ok(()),
            (Some(filter), None) => filter.to_owned(),
            (None, Some(one_copy)) => one_copy.to_owned(),
            (Some(filter), Some(one_copy)) => format!("({filter}) and {one_copy}"),
        };
        self.capture.filter(&whole, true).map_err(|error| CaptureError::filter(&whole, &error))
    }
}

impl FrameSource for FileSource {
    fn next_frame(&mut self) -> Result<Event<'_>, CaptureError> {
        if self.ended {
            return Ok(Event::End);
        }
        match self.capture.next_packet() {
            Ok(packet) => {
                self.packets += 1;
                Ok(Event::Frame(Frame {
                    ts: timestamp(packet.header),
                    link: self.link,
                    wire_len: packet.header.len,
                    data: packet.data,
                }))
            }
            Err(error) => {
                self.ended = true;
                end_of(&self.path, self.packets, &error)
            }
        }
    }
}

/// What it means that libpcap yields nothing more.
#[cold]
fn end_of(path: &Path, packets: u64, error: &pcap::Error) -> Result<Event<'static>, CaptureError> {
    if *error == pcap::Error::NoMorePackets {
        return Ok(Event::End);
    }
    let path = path.to_owned();
    let reason = reason(error);
    // libpcap gives no code, only these words (sf-pcap.c, sf-pcapng.c).
    Err(if reason.contains("truncated") {
        CaptureError::Truncated { path, packets, reason }
    } else if reason.contains("error reading") {
        CaptureError::Read { path, packets, reason }
    } else {
        CaptureError::Corrupt { path, packets, reason }
    })
}

/// Has libpcap open `name`, which errors are to call `path`.
fn open_offline(path: &Path, name: &Path) -> Result<Capture<Offline>, CaptureError> {
    Capture::from_file_with_precision(name, Precision::Micro).map_err(|error| CaptureError::NotACapture {
        path: path.to_owned(),
        reason: reason(&error),
        hint: "give a file written by tcpdump, dumpcap or Wireshark",
    })
}

/// Opens a regular file, with the hints that a look at its first octets allows.
fn open_regular(path: &Path) -> Result<Capture<Offline>, CaptureError> {
    let mut file = File::open(path).map_err(|error| CaptureError::open(path, error))?;
    let opened = if path.to_str().is_some() {
        open_offline(path, path)
    } else {
        // The crate takes UTF-8 names only.
        open_offline(path, Path::new(&format!("/proc/self/fd/{}", file.as_raw_fd())))
    };
    opened.map_err(|error| {
        let mut magic = [0; 4];
        let hint = match (file.read_exact(&mut magic), magic) {
            (Ok(()), [0x1f, 0x8b, ..]) => "it is gzipped: pipe it with `zcat FILE | picket replay -`",
            (Ok(()), [0x28, 0xb5, 0x2f, 0xfd]) => "it is zstd: pipe it with `zstdcat FILE | picket replay -`",
            (Ok(()), [0xfd, b'7', b'z', b'X']) => "it is xz: pipe it with `xzcat FILE | picket replay -`",
            (Ok(()), [0x0a, 0x0d, 0x0d, 0x0a]) => "try it as plain pcap: `editcap -F pcap FILE NEW`",
            _ => return error,
        };
        match error {
            CaptureError::NotACapture { path, reason, .. } => {
                CaptureError::NotACapture { path, reason, hint }
            }
            other => other,
        }
    })
}

/// The descriptor by which this process (libpcap) reads that file; the newest when there are several.
fn descriptor_of(meta: &fs::Metadata) -> Option<i32> {
    fs::read_dir("/proc/self/fd")
        .ok()?
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let seen = fs::metadata(entry.path()).ok()?;
            let same = (seen.dev(), seen.ino()) == (meta.dev(), meta.ino());
            same.then(|| entry.file_name().to_str()?.parse().ok()).flatten()
        })
        .max()
}
