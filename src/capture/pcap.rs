//! The classic format: a file header, then records (draft-ietf-opsawg-pcap, pcap-savefile(5)).
//!
//! Its lengths carry no check, so a record is believed when it fits into the buffer. When it does not, and the
//! file's snaplen does not explain it, the next record is searched for: a header that makes sense, after whose
//! data another one follows or the file ends.

use std::io;

use super::buffer::{Buffer, Fill, MAX_FRAME};
use super::record::{Found, Losses, Order, Search, Step, short, size};
use crate::frame::LinkType;
use crate::time::Timestamp;

/// Octets of the file header.
pub(super) const FILE_HEADER: usize = 24;

/// The longest record that is passed over because the file's snaplen allows it: libpcap's limit for USB.
const MAX_SNAPLEN: u32 = 128 << 20;

/// Octets of record headers that are seen under [`VARIANTS`]' first magic too: Red Hat 6.1 wrote those of
/// "modified" files, Nokia has four octets more than others.
const RECORDS: [usize; 3] = [16, 24, 20];

/// How far apart in seconds two records may be for a search to believe both.
const DAY: u32 = 86_400;

/// What the magic number says, beside the octet order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Variant {
    magic: u32,
    nanoseconds: bool,
    /// Octets of a record header.
    record: usize,
    /// Octets after the file header.
    extra: usize,
}

/// The known variants. Microseconds; nanoseconds; "modified" (Kuznetsov), with interface, protocol and packet type
/// after the lengths; Ixia's two (hardware, software), with the size of the file after its header.
const VARIANTS: [Variant; 5] = [
    Variant { magic: 0xa1b2_c3d4, nanoseconds: false, record: 16, extra: 0 },
    Variant { magic: 0xa1b2_3c4d, nanoseconds: true, record: 16, extra: 0 },
    Variant { magic: 0xa1b2_cd34, nanoseconds: false, record: 24, extra: 0 },
    Variant { magic: 0x1c00_01ab, nanoseconds: false, record: 16, extra: 4 },
    Variant { magic: 0x1c00_01ac, nanoseconds: false, record: 16, extra: 4 },
];

/// Whether these are the first octets of a pcap file.
pub(super) fn is_magic(octets: [u8; 4]) -> bool {
    variant(octets).is_some()
}

fn variant(octets: [u8; 4]) -> Option<(Order, Variant)> {
    [Order::Little, Order::Big]
        .into_iter()
        .flat_map(|order| VARIANTS.map(|variant| (order, variant)))
        .find(|(order, variant)| order.u32(octets) == variant.magic)
}

/// A pcap file being read.
pub(super) struct Pcap {
    order: Order,
    variant: Variant,
    link: LinkType,
    number: u16,
    snaplen: u32,
    /// Files of versions before 2.4 may have the two lengths of a record the other way round.
    swapped: bool,
    /// Seconds of the last record; `None` before the first was looked at, 0 before it was read.
    last: Option<u32>,
    search: Option<Search>,
}

impl Pcap {
    /// Takes the file header from the buffer, which has it.
    pub(super) fn open(buffer: &mut Buffer) -> Result<Self, String> {
        let header = buffer.rest().first_chunk::<FILE_HEADER>().copied().unwrap_or_default();
        let [a, b, c, d, major @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = header;
        let [_, _, _, _, _, _, m, n, .., e, f, g, h, i, j, k, l] = header;
        let Some((order, variant)) = variant([a, b, c, d]) else {
            return Err("no known magic number".to_owned());
        };
        let (major, minor) = (order.u16(major), order.u16([m, n]));
        // 543.0 is what DG/UX wrote.
        if !(major == 2 || (major, minor) == (543, 0)) {
            return Err(format!("version {major}.{minor} of pcap is unknown"));
        }
        // The upper half tells the length of the frame check sequence, which stays with the frame: what is in a
        // frame knows its own length.
        let link = order.u32([i, j, k, l]) & 0xffff;
        let number = u16::try_from(link).unwrap_or_default();
        buffer.skip((FILE_HEADER + variant.extra) as u64);
        Ok(Self {
            order,
            variant,
            link: LinkType::from_number(number.into()),
            number,
            snaplen: order.u32([e, f, g, h]),
            swapped: (major, minor) < (2, 4) || major == 543,
            last: None,
            search: None,
        })
    }

    /// The `LINKTYPE_` value of every frame.
    pub(super) fn link_number(&self) -> u16 {
        self.number
    }

    #[inline]
    pub(super) fn step(&mut self, buffer: &mut Buffer, losses: &mut Losses) -> io::Result<Step> {
        loop {
            if self.search.is_some() {
                return self.search(buffer, losses);
            }
            match buffer.need(self.variant.record) {
                Fill::Enough => {}
                fill => return short(buffer, fill),
            }
            let [secs, fraction, mut kept, mut wire] = self.fields(buffer.rest());
            if kept > wire && self.swapped {
                (kept, wire) = (wire, kept);
            }
            if self.last.is_none() && self.guess(buffer) {
                continue;
            }
            if size(kept) > MAX_FRAME {
                self.beyond(kept, buffer, losses);
                continue;
            }
            if kept == 0 && self.is_file_header(buffer.rest()) {
                match buffer.need(FILE_HEADER) {
                    Fill::Enough => {}
                    fill => return short(buffer, fill),
                }
                if let Ok(next) = Self::open(buffer) {
                    *self = next;
                    continue;
                }
            }
            let whole = self.variant.record + size(kept);
            match buffer.need(whole) {
                Fill::Enough => {}
                fill => return short(buffer, fill),
            }
            self.last = Some(secs);
            return Ok(Step::Frame(Found {
                ts: self.timestamp(secs, fraction),
                nanos: self.nanos(fraction),
                link: self.link,
                number: self.number,
                wire_len: wire.max(kept),
                place: buffer.consume(whole) + self.variant.record,
                len: size(kept),
            }));
        }
    }

    /// Seconds, fraction, octets captured and octets on the wire.
    #[inline]
    fn fields(&self, octets: &[u8]) -> [u32; 4] {
        let [s0, s1, s2, s3, f0, f1, f2, f3, k0, k1, k2, k3, w0, w1, w2, w3] =
            octets.first_chunk::<16>().copied().unwrap_or_default();
        [[s0, s1, s2, s3], [f0, f1, f2, f3], [k0, k1, k2, k3], [w0, w1, w2, w3]]
            .map(|field| self.order.u32(field))
    }

    #[inline]
    fn timestamp(&self, secs: u32, fraction: u32) -> Timestamp {
        let micros = if self.variant.nanoseconds { fraction / 1000 } else { fraction };
        Timestamp::from_micros(u64::from(secs) * 1_000_000 + u64::from(micros))
    }

    /// What [`Self::timestamp`] leaves over.
    #[inline]
    fn nanos(&self, fraction: u32) -> u16 {
        if self.variant.nanoseconds { u16::try_from(fraction % 1000).unwrap_or(0) } else { 0 }
    }

    /// Looks at the first two records, and changes to another length of their headers where only that makes sense.
    #[cold]
    fn guess(&mut self, buffer: &mut Buffer) -> bool {
        self.last = Some(0);
        for record in std::iter::once(self.variant.record).chain(RECORDS) {
            let Some((secs, kept)) = self.credible(buffer.rest(), None) else { break };
            let fits = match buffer.need(kept + 2 * record) {
                Fill::Enough => {
                    let next = buffer.rest().get(record + kept..).unwrap_or_default();
                    self.credible(next, Some(secs)).is_some()
                }
                Fill::End => buffer.rest().len() == record + kept,
                Fill::Wait => break,
            };
            if fits {
                self.variant.record = record;
                return true;
            }
        }
        false
    }

    /// Whether a second file was appended to the first. Read as a record its header would be an empty frame of
    /// the year 2055 (or 1984, Ixia's).
    #[cold]
    fn is_file_header(&self, octets: &[u8]) -> bool {
        octets.starts_with(&match self.order {
            Order::Little => self.variant.magic.to_le_bytes(),
            Order::Big => self.variant.magic.to_be_bytes(),
        })
    }

    /// A record that does not fit: the snaplen allows it, or it is none.
    #[cold]
    fn beyond(&mut self, kept: u32, buffer: &mut Buffer, losses: &mut Losses) {
        if kept <= self.snaplen.min(MAX_SNAPLEN) {
            losses.oversize += 1;
            buffer.skip(self.variant.record as u64 + u64::from(kept));
        } else {
            losses.damages += 1;
            self.search = Some(Search { from: buffer.offset() });
        }
    }

    #[cold]
    fn search(&mut self, buffer: &mut Buffer, losses: &mut Losses) -> io::Result<Step> {
        let Some(search) = self.search else { return Ok(Step::Wait) };
        let header = self.variant.record;
        let found = search.go_on(buffer, header, losses, |buffer| {
            let Some((secs, kept)) = self.credible(buffer.rest(), self.last) else { return Some(false) };
            let next = header + kept;
            match buffer.need(next + header) {
                Fill::Wait => None,
                Fill::End => Some(buffer.rest().len() == next),
                Fill::Enough => {
                    let after = buffer.rest().get(next..).unwrap_or_default();
                    Some(self.credible(after, Some(secs)).is_some())
                }
            }
        })?;
        match found {
            None => Ok(Step::Wait),
            Some(step) => {
                self.search = None;
                Ok(step)
            }
        }
    }

    /// Whether a record header makes sense beside one of the second `near`: its seconds and length then.
    fn credible(&self, octets: &[u8], near: Option<u32>) -> Option<(u32, usize)> {
        let [secs, fraction, kept, wire] = self.fields(octets);
        let unit = if self.variant.nanoseconds { 1_000_000_000 } else { 1_000_000 };
        let timely = near.filter(|near| *near != 0).map_or(secs != 0, |near| secs.abs_diff(near) <= DAY);
        let sized = kept > 0 && kept <= wire && size(kept) <= MAX_FRAME && size(wire) <= MAX_FRAME;
        (timely && sized && fraction < unit).then_some((secs, size(kept)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn header(magic: u32, version: [u16; 2], snaplen: u32, link: u32) -> Vec<u8> {
        let mut out = magic.to_le_bytes().to_vec();
        out.extend(version.map(u16::to_le_bytes).concat());
        out.extend([0; 8]);
        out.extend(snaplen.to_le_bytes());
        out.extend(link.to_le_bytes());
        out
    }

    fn record(secs: u32, kept: u32, wire: u32) -> Vec<u8> {
        let mut out = [secs, 5, kept, wire].map(u32::to_le_bytes).concat();
        out.extend((0..kept.min(1 << 20)).map(|n| n as u8));
        out
    }

    /// What a file holds: (seconds, captured, wire), and everything else.
    fn read(octets: Vec<u8>) -> (Vec<(u64, usize, u32)>, Vec<Step>, Losses) {
        let mut buffer = Buffer::new(Box::new(Cursor::new(octets)));
        assert_eq!(buffer.need(FILE_HEADER), Fill::Enough);
        let mut pcap = Pcap::open(&mut buffer).unwrap();
        let (mut frames, mut other, mut losses) = (Vec::new(), Vec::new(), Losses::default());
        loop {
            match pcap.step(&mut buffer, &mut losses).unwrap() {
                Step::Frame(found) => frames.push((found.ts.as_secs(), found.len, found.wire_len)),
                step => {
                    let last = !matches!(step, Step::Damaged(..));
                    other.push(step);
                    if last {
                        return (frames, other, losses);
                    }
                }
            }
        }
    }

    #[test]
    fn versions_and_the_octets_of_the_link_type() {
        let open = |version, link| {
            let mut buffer = Buffer::new(Box::new(Cursor::new(header(0xa1b2_c3d4, version, 0, link))));
            buffer.need(FILE_HEADER);
            Pcap::open(&mut buffer).map(|pcap| pcap.link_number())
        };
        assert_eq!(open([2, 4], 1), Ok(1));
        assert_eq!(open([2, 3], 0x2400_0071), Ok(113), "an FCS of four octets");
        assert_eq!(open([543, 0], 1), Ok(1));
        assert_eq!(open([3, 0], 1), Err("version 3.0 of pcap is unknown".to_owned()));
    }

    #[test]
    fn old_files_have_their_lengths_swapped() {
        let octets = [header(0xa1b2_c3d4, [2, 2], 0, 1), record(7, 60, 60)].concat();
        let mut swapped = octets.clone();
        swapped[24 + 8..24 + 16].copy_from_slice(&[[100, 0, 0, 0], [60, 0, 0, 0]].concat());
        assert_eq!(read(swapped).0, [(7, 60, 100)]);
        assert_eq!(read(octets).0, [(7, 60, 60)]);
    }

    #[test]
    fn a_length_beyond_the_wire_or_the_snaplen_is_believed() {
        let octets = [header(0xa1b2_c3d4, [2, 4], 60, 1), record(7, 200, 100), record(8, 10, 10)].concat();
        let (frames, other, losses) = read(octets);
        assert_eq!(frames, [(7, 200, 200), (8, 10, 10)]);
        assert!(matches!(other[..], [Step::End]));
        assert_eq!(losses, Losses::default());
    }

    #[test]
    fn what_the_snaplen_allows_but_no_frame_has_is_passed_over() {
        let big = MAX_FRAME as u32 + 1;
        let octets =
            [header(0xa1b2_c3d4, [2, 4], 1 << 20, 1), record(7, big, big), record(8, 10, 10)].concat();
        let (frames, other, losses) = read(octets.clone());
        assert_eq!((frames, losses.oversize), (vec![(8, 10, 10)], 1));
        assert!(matches!(other[..], [Step::End]));
        let (_, other, _) = read(octets[..1000].to_vec());
        assert!(matches!(other[..], [Step::Truncated(_)]), "{other:?}");
    }

    #[test]
    fn an_absurd_length_costs_the_record_alone() {
        let (first, good) = (record(1_700_000_000, 100, 100), record(1_700_000_001, 60, 60));
        let mut bad = good.clone();
        bad[8..12].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
        let file = header(0xa1b2_c3d4, [2, 4], 65_535, 1);
        let octets = [&file[..], &first, &bad, &good, &good, &good].concat();
        let (frames, other, losses) = read(octets);
        assert_eq!(frames.len(), 4);
        assert_eq!((losses.damages, losses.damaged_octets), (1, 76));
        assert!(matches!(other[..], [Step::Damaged(140, 76), Step::End]), "{other:?}");

        let (frames, other, losses) = read([&file[..], &first, &bad].concat());
        assert_eq!((frames.len(), losses.damaged_octets), (1, 76));
        assert!(matches!(other[..], [Step::Lost(140)]), "{other:?}");
    }

    #[test]
    fn other_record_headers_are_found_out() {
        for extra in [8, 4] {
            let mut long = record(1_700_000_000, 60, 60);
            long.splice(16..16, std::iter::repeat_n(3, extra));
            let file = header(0xa1b2_c3d4, [2, 4], 65_535, 1);
            let (frames, other, _) = read([&file[..], &long, &long, &long].concat());
            assert_eq!((frames.len(), frames[0]), (3, (1_700_000_000, 60, 60)));
            assert!(matches!(other[..], [Step::End]));
            assert_eq!(read([file, long].concat()).0.len(), 1, "one alone");
        }
    }

    #[test]
    fn appended_files_are_read_on() {
        let one = [header(0xa1b2_c3d4, [2, 4], 0, 1), record(7, 10, 10)].concat();
        let two = [header(0xa1b2_c3d4, [2, 4], 0, 113), record(9, 11, 11)].concat();
        assert_eq!(read([one, two].concat()).0, [(7, 10, 10), (9, 11, 11)]);
    }

    #[test]
    fn the_size_after_the_header_of_ixia_is_no_record() {
        for magic in [0x1c00_01ab, 0x1c00_01ac] {
            let octets =
                [header(magic, [2, 4], 0, 1), vec![9, 9, 0, 0], record(7, 10, 10), record(8, 9, 9)].concat();
            assert_eq!(read(octets).0, [(7, 10, 10), (8, 9, 9)]);
        }
    }

    #[test]
    fn the_modified_record_header_has_eight_octets_more() {
        let mut record = [7_u32, 5, 3, 9].map(u32::to_le_bytes).concat();
        record.extend([2, 0, 0, 0, 8, 0, 4, 0, b'a', b'b', b'c']);
        let (frames, ..) = read([&header(0xa1b2_cd34, [2, 4], 0, 1)[..], &record, &record].concat());
        assert_eq!(frames, [(7, 3, 9), (7, 3, 9)]);
    }
}
