//! Writes frames as a pcap file with nanoseconds.

use std::io::{self, Write};

use crate::frame::{Frame, LinkType};

/// The magic number of files with nanoseconds, in little-endian order.
const MAGIC: u32 = 0xa1b2_3c4d;
/// libpcap's own limit.
const SNAPLEN: u32 = 262_144;

/// A pcap file that is being written. Its link type is that of the first frame; a file without frames says Ethernet.
#[derive(Debug)]
pub struct Savefile<W> {
    out: W,
    link: Option<LinkType>,
}

/// Why a frame was not written.
#[derive(Debug, thiserror::Error)]
pub enum SavefileError {
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
    /// A pcap file has one link type only.
    #[error("a frame has another link type than those before, which a pcap file cannot hold")]
    LinkType,
}

impl<W: Write> Savefile<W> {
    /// Nothing is written before the first frame.
    #[must_use]
    pub const fn new(out: W) -> Self {
        Self { out, link: None }
    }

    /// Writes one frame.
    ///
    /// # Errors
    /// It cannot be written, or has another link type than the first.
    pub fn write(&mut self, frame: &Frame<'_>) -> Result<(), SavefileError> {
        match self.link {
            None => self.head(frame.link)?,
            Some(link) if link == frame.link => {}
            Some(_) => return Err(SavefileError::LinkType),
        }
        let secs = u32::try_from(frame.ts.as_secs()).unwrap_or(u32::MAX);
        let micros = u32::try_from(frame.ts.as_micros() % 1_000_000).unwrap_or(0);
        let kept = u32::try_from(frame.data.len()).unwrap_or(u32::MAX);
        for field in [secs, micros * 1000 + u32::from(frame.nanos), kept, frame.wire_len] {
            self.out.write_all(&field.to_le_bytes())?;
        }
        self.out.write_all(frame.data)?;
        Ok(())
    }

    fn head(&mut self, link: LinkType) -> io::Result<()> {
        self.link = Some(link);
        // Version 2.4; two fields that nobody uses.
        for field in [MAGIC, 0x0004_0002, 0, 0, SNAPLEN, u32::from(link.number())] {
            self.out.write_all(&field.to_le_bytes())?;
        }
        Ok(())
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        if self.link.is_none() {
            self.head(LinkType::Ethernet)?;
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Event, FileOptions, FileSource, FrameSource as _};
    use crate::time::Timestamp;
    use std::io::Cursor;
    use std::path::Path;

    #[test]
    fn what_was_written_is_read_again() {
        for link in [LinkType::Ethernet, LinkType::LinuxSll2, LinkType::RawIp, LinkType::Other(105)] {
            let ts = Timestamp::from_micros(1_700_000_000_123_456);
            let frame = Frame { ts, nanos: 789, link, wire_len: 9, data: b"octets" };
            let mut out = Vec::new();
            let mut file = Savefile::new(&mut out);
            file.write(&frame).unwrap();
            let other = Frame { link: LinkType::Null, ..frame };
            assert!(matches!(file.write(&other), Err(SavefileError::LinkType)));
            file.finish().unwrap();
            let stream = Box::new(Cursor::new(out));
            let mut source = FileSource::stream(Path::new("x"), stream, FileOptions::default()).unwrap();
            let Event::Frame(read) = source.next_frame().unwrap() else { panic!("no frame") };
            assert_eq!((read.ts, read.nanos, read.link), (frame.ts, frame.nanos, frame.link));
            assert_eq!((read.wire_len, read.data), (frame.wire_len, frame.data));
        }
    }
}
