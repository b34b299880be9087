//! A capture as a stream: which format it is, through which compression, and its records one after another.

use std::io;

use super::buffer::{Buffer, Fill};
use super::compressed::Compression;
use super::pcap::{self, Pcap};
use super::pcapng::{self, Pcapng};
use super::record::{Losses, Step};

/// Why a stream cannot be read, or not any further.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is no capture: why, and what to do.
    NotACapture(String, &'static str),
    /// The compressed data are damaged.
    Damaged(String),
    /// Compressed, where that cannot be.
    Compressed,
    /// The system could not read it.
    Io(io::Error),
}

enum Format {
    /// Nothing is known yet.
    Unknown,
    Pcap(Pcap),
    Pcapng(Pcapng),
    /// The end was reached or a fault was told.
    Over,
}

/// A capture being read.
pub(super) struct Reader {
    buffer: Buffer,
    format: Format,
    compression: Option<Compression>,
    /// Whether the contents may be compressed.
    may_decompress: bool,
    pub(super) losses: Losses,
}

impl Reader {
    /// With `may_decompress` false, compressed contents are a fault.
    pub(super) fn new(buffer: Buffer, may_decompress: bool) -> Self {
        Self { buffer, format: Format::Unknown, compression: None, may_decompress, losses: Losses::default() }
    }

    /// So many octets from a place in the buffer.
    #[inline]
    pub(super) fn octets(&self, place: usize, len: usize) -> &[u8] {
        self.buffer.at(place, len)
    }

    /// The `LINKTYPE_` value of a pcap file whose header was read.
    pub(super) fn link_number(&self) -> Option<u16> {
        match &self.format {
            Format::Pcap(pcap) => Some(pcap.link_number()),
            _ => None,
        }
    }

    /// Whether it is compressed, as far as is known.
    pub(super) fn is_compressed(&self) -> bool {
        self.compression.is_some()
    }

    /// The next record.
    #[inline]
    pub(super) fn step(&mut self) -> Result<Step, Fault> {
        let step = match &mut self.format {
            Format::Pcap(pcap) => pcap.step(&mut self.buffer, &mut self.losses),
            Format::Pcapng(pcapng) => pcapng.step(&mut self.buffer, &mut self.losses),
            Format::Unknown => return self.begin(),
            Format::Over => return Ok(Step::End),
        };
        match step {
            Ok(step @ (Step::Frame(_) | Step::Wait | Step::Damaged(..))) => Ok(step),
            Ok(step) => {
                self.format = Format::Over;
                Ok(step)
            }
            Err(error) => self.failed(error),
        }
    }

    /// What an error on reading means.
    #[cold]
    fn failed(&mut self, error: io::Error) -> Result<Step, Fault> {
        self.format = Format::Over;
        match error.kind() {
            io::ErrorKind::UnexpectedEof if self.is_compressed() => Ok(Step::Truncated(self.buffer.offset())),
            io::ErrorKind::InvalidData if self.is_compressed() => Err(Fault::Damaged(error.to_string())),
            _ => Err(Fault::Io(error)),
        }
    }

    /// Finds out the format.
    #[cold]
    fn begin(&mut self) -> Result<Step, Fault> {
        let header = loop {
            if self.buffer.need(4) == Fill::Wait {
                return Ok(Step::Wait);
            }
            let Some(&magic) = self.buffer.rest().first_chunk() else {
                return Err(self.too_short());
            };
            if let Some(compression) = Compression::of(magic) {
                if !self.may_decompress {
                    self.format = Format::Over;
                    return Err(Fault::Compressed);
                }
                if self.is_compressed() {
                    return Err(self.no_capture("it is compressed twice".to_owned(), "decompress it once"));
                }
                let empty = Buffer::small(Box::new(io::empty()));
                let raw = std::mem::replace(&mut self.buffer, empty);
                self.buffer = Buffer::new(compression.contents(raw));
                self.compression = Some(compression);
                continue;
            }
            if magic == pcapng::SECTION_HEADER {
                break PCAPNG_HEADER;
            }
            if pcap::is_magic(magic) {
                break pcap::FILE_HEADER;
            }
            if self.buffer.need(FOREIGN_MAGIC) == Fill::Wait {
                return Ok(Step::Wait);
            }
            let (reason, hint) = foreign(self.buffer.rest());
            return Err(self.no_capture(reason.to_owned(), hint));
        };
        match self.buffer.need(header) {
            Fill::Enough => {}
            Fill::Wait => return Ok(Step::Wait),
            Fill::End => return Err(self.too_short()),
        }
        if header == PCAPNG_HEADER {
            self.format =
                Format::Pcapng(Pcapng::open(&self.buffer).map_err(|reason| self.no_capture(reason, TOOLS))?);
        } else {
            let opened = Pcap::open(&mut self.buffer);
            self.format = Format::Pcap(opened.map_err(|reason| self.no_capture(reason, TOOLS))?);
        }
        self.step()
    }

    /// The stream ended before there was a header.
    fn too_short(&mut self) -> Fault {
        if let Some(error) = self.buffer.take_failure()
            && let Err(fault) = self.failed(error)
        {
            return match fault {
                Fault::Damaged(reason) => self.no_capture(
                    format!("it cannot be decompressed: {reason}"),
                    "decompress it and pipe it in",
                ),
                fault => fault,
            };
        }
        let reason = match self.buffer.rest().len() {
            0 => "it is empty".to_owned(),
            octets => format!("it ends after {octets} octets"),
        };
        self.no_capture(reason, TOOLS)
    }

    fn no_capture(&mut self, reason: String, hint: &'static str) -> Fault {
        self.format = Format::Over;
        Fault::NotACapture(reason, hint)
    }
}

/// Octets of a section header block up to its version.
const PCAPNG_HEADER: usize = 16;

/// Octets of the longest magic that [`foreign`] knows.
const FOREIGN_MAGIC: usize = 12;

const TOOLS: &str = "give a file written by tcpdump, dumpcap or Wireshark";

/// What a file is that is no capture, and what to do with it.
fn foreign(octets: &[u8]) -> (&'static str, &'static str) {
    const CONVERT: &str = "convert it with `editcap -F pcapng FILE NEW`";
    const KINDS: [(&[u8], &str, &str); 9] = [
        (b"\xfd7zXZ", "it is compressed by xz", "pipe it in with `xzcat FILE | picket replay -`"),
        (b"BZh", "it is compressed by bzip2", "pipe it in with `bzcat FILE | picket replay -`"),
        (
            &[0x04, 0x22, 0x4d, 0x18],
            "it is compressed by lz4",
            "pipe it in with `lz4 -dc FILE | picket replay -`",
        ),
        (b"PK\x03\x04", "it is a zip archive", "unpack it first"),
        (b"snoop\0\0\0", "it is in the format of snoop", CONVERT),
        (b"XCP\0", "it is in the format of NetXRay", CONVERT),
        (b"RTSS", "it is in the format of Network Monitor", CONVERT),
        (b"GMBU", "it is in the format of Network Monitor", CONVERT),
        (b"TRSNIFF data", "it is in the format of Sniffer", CONVERT),
    ];
    let known = KINDS.into_iter().find(|(magic, ..)| octets.starts_with(magic));
    known.map_or(("its first octets are those of neither", TOOLS), |(_, reason, hint)| (reason, hint))
}
