//! Compressed captures: gzip and zstd, told by their magic and decompressed on the way, in bounded memory.
//!
//! Both formats are sequences of members (gzip, RFC 1952 section 2.2) or frames (zstd, RFC 8878 section 3.1),
//! whose contents follow each other. What comes after the last and is none is padding: it ends the stream.

use std::io::{self, BufRead as _, Read};

use flate2::bufread::GzDecoder;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::buffer::{Buffer, Fill};

/// The largest window of a zstd frame, in octets: what RFC 8878 (section 3.1.1.1.2) wants every decoder to
/// support, and what `zstd -19` uses at most. More is memory that a file may not ask for.
const ZSTD_WINDOW: u64 = 8 << 20;

/// How a stream is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    /// By the first four octets.
    pub(super) fn of(magic: [u8; 4]) -> Option<Self> {
        match magic {
            [0x1f, 0x8b, 8, _] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd] => Some(Self::Zstd),
            // A skippable frame may come first.
            [first, 0x2a, 0x4d, 0x18] if first & 0xf0 == 0x50 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The contents of `raw` as a stream. Its errors: [`io::ErrorKind::UnexpectedEof`] when `raw` ends too early,
    /// [`io::ErrorKind::InvalidData`] when it is damaged, or those of `raw`.
    pub(super) fn contents(self, raw: Buffer) -> Box<dyn Read> {
        match self {
            Self::Gzip => Box::new(Gzip(Some(GzDecoder::new(raw)))),
            Self::Zstd => {
                let mut decoder = Box::new(FrameDecoder::new());
                decoder.set_max_window_size(ZSTD_WINDOW);
                Box::new(Zstd { raw, decoder, inside: false, fault: None })
            }
        }
    }
}

/// The members of a gzip stream; `None` after the last.
struct Gzip(Option<GzDecoder<Buffer>>);

impl Read for Gzip {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.0 else { return Ok(0) };
            match member.read(out) {
                Ok(0) if !out.is_empty() => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
                done => return done,
            }
            let Some(mut raw) = self.0.take().map(GzDecoder::into_inner) else { return Ok(0) };
            if next_magic(&mut raw)?.and_then(Compression::of) == Some(Compression::Gzip) {
                self.0 = Some(GzDecoder::new(raw));
            }
        }
    }
}

/// The frames of a zstd stream.
struct Zstd {
    raw: Buffer,
    decoder: Box<FrameDecoder>,
    inside: bool,
    /// What ended the frame, to be told after what was decoded of it.
    fault: Option<io::Error>,
}

impl Read for Zstd {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.inside && !self.open()? {
                return Ok(0);
            }
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(out);
            }
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            if self.decoder.is_finished() {
                self.inside = false;
                continue;
            }
            let one = BlockDecodingStrategy::UptoBlocks(1);
            if let Err(error) = self.decoder.decode_blocks(&mut self.raw, one) {
                let fault = self.fault(error);
                // The decoder keeps a window of octets back until the last block, so it is given one.
                let one = BlockDecodingStrategy::UptoBlocks(1);
                if self.decoder.decode_blocks(LAST_BLOCK, one).is_err() {
                    return Err(fault);
                }
                self.fault = Some(fault);
            }
        }
    }
}

/// An empty last block without a checksum, and one (which nobody looks at).
const LAST_BLOCK: &[u8] = &[1, 0, 0, 0, 0, 0, 0];

impl Zstd {
    /// Goes to the next frame; false when there is none.
    fn open(&mut self) -> io::Result<bool> {
        loop {
            match next_magic(&mut self.raw)? {
                Some(magic) if Compression::of(magic) != Some(Compression::Zstd) => return Ok(false),
                None => return Ok(false),
                Some([0x28, ..]) => {
                    self.decoder.reset(&mut self.raw).map_err(|error| self.fault(error))?;
                    self.inside = true;
                    return Ok(true);
                }
                Some(_) => {
                    let mut head = [0; 8];
                    self.raw.read_exact(&mut head)?;
                    let [_, _, _, _, length @ ..] = head;
                    self.raw.skip(u32::from_le_bytes(length).into());
                }
            }
        }
    }

    /// What an error of the decoder, which does not say, is due to.
    fn fault(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
        let cut = self.raw.has_ended() && self.raw.rest().is_empty();
        io::Error::new(if cut { io::ErrorKind::UnexpectedEof } else { io::ErrorKind::InvalidData }, error)
    }
}

/// The next four octets, if there are as many.
fn next_magic(raw: &mut Buffer) -> io::Result<Option<[u8; 4]>> {
    raw.fill_buf()?;
    while raw.need(4) == Fill::Wait {}
    Ok(raw.rest().first_chunk().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    use std::io::{Cursor, Write as _};

    fn gzip(octets: &[u8]) -> Vec<u8> {
        let mut out = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(octets).unwrap();
        out.finish().unwrap()
    }

    fn zstd(octets: &[u8]) -> Vec<u8> {
        compress_to_vec(octets, CompressionLevel::Fastest)
    }

    fn read(octets: Vec<u8>) -> (Vec<u8>, io::Result<()>) {
        let mut raw = Buffer::new(Box::new(Cursor::new(octets)));
        let magic = next_magic(&mut raw).unwrap().unwrap();
        let mut contents = Compression::of(magic).unwrap().contents(raw);
        let mut out = Vec::new();
        let end = contents.read_to_end(&mut out);
        (out, end.map(drop))
    }

    /// Half of it hard to compress.
    fn sample() -> Vec<u8> {
        (0..300_000_u32)
            .map(|n| if n & 0x800 == 0 { (n.wrapping_mul(2_654_435_761) >> 24) as u8 } else { 7 })
            .collect()
    }

    #[test]
    fn members_and_frames_follow_each_other() {
        let (one, two) = (sample(), b"two".to_vec());
        let skippable = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        for whole in [
            [gzip(&one), gzip(&two)].concat(),
            [gzip(&one), gzip(b""), gzip(&two), vec![0; 700]].concat(),
            [zstd(&one), zstd(&two)].concat(),
            [skippable.clone(), zstd(&one), skippable, zstd(&two)].concat(),
        ] {
            let (out, end) = read(whole);
            end.unwrap();
            assert!(out == [one.clone(), two.clone()].concat());
        }
    }

    #[test]
    fn a_cut_is_told_after_what_was_whole() {
        for compress in [gzip, zstd] {
            let whole = compress(&sample());
            for cut in [5, 30, whole.len() / 2, whole.len() - 1] {
                let (out, end) = read(whole[..cut].to_vec());
                assert!(sample().starts_with(&out));
                assert_eq!(end.expect_err("cut").kind(), io::ErrorKind::UnexpectedEof, "{cut}");
            }
            assert!(read(whole[..whole.len() / 2].to_vec()).0.len() > 10_000);
        }
    }

    #[test]
    fn damage_is_no_cut() {
        let mut whole = gzip(&sample());
        let checksum = whole.len() - 8;
        whole[checksum] ^= 1;
        assert_eq!(read(whole).1.expect_err("checksum").kind(), io::ErrorKind::InvalidData);
        let mut whole = zstd(&sample());
        // The type of the first block, after the frame header: 3 is reserved.
        let block =
            4 + 1 + if whole[4] & 0x20 == 0 { 1 } else { 0 } + [0, 2, 4, 8][usize::from(whole[4] >> 6)];
        whole[block] |= 6;
        assert_eq!(read(whole).1.expect_err("block").kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_window_beyond_the_limit_is_refused() {
        // Frame header: no single segment, window descriptor of exponent 17 (128 MiB).
        let (out, end) = read(vec![0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3, 1, 0, 0]);
        assert!(out.is_empty());
        assert!(end.expect_err("too much memory").to_string().contains("window"));
    }
}
