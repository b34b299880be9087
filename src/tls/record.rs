//! Finds TLS records in a stream (RFC 8446, section 5.1; the same in every version since SSL 3.0).

/// Content types (RFC 8446, section 5.1).
pub const CHANGE_CIPHER_SPEC: u8 = 20;
/// See [`CHANGE_CIPHER_SPEC`].
pub const ALERT: u8 = 21;
/// See [`CHANGE_CIPHER_SPEC`].
pub const HANDSHAKE: u8 = 22;
/// See [`CHANGE_CIPHER_SPEC`].
pub const APPLICATION_DATA: u8 = 23;

/// Octets of a header.
const HEADER: usize = 5;
/// A record holds no more (RFC 5246, section 6.2.3).
const MAX_LENGTH: u16 = (1 << 14) + 2048;

/// What is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item<'a> {
    /// A record begins: its content type and length.
    Record(u8, u16),
    /// The next octets of a record of this content type.
    Octets(u8, &'a [u8]),
    /// Octets of a record of this content type were not captured.
    Gap(u8),
    /// What follows is no record, or nobody knows where one begins.
    Lost,
    /// So many octets lie where no record boundary is known.
    Skipped(u32),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// At a boundary, with the first octets of a header that was split.
    Header { octets: [u8; HEADER], len: u8 },
    /// In a record.
    Body { kind: u8, missing: u16 },
    /// Boundaries lost.
    Lost,
}

const BOUNDARY: State = State::Header { octets: [0; HEADER], len: 0 };

/// The state of one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordReader {
    state: State,
}

/// The content type and length in a header, if it can be one.
const fn header(octets: [u8; HEADER]) -> Option<(u8, u16)> {
    let [kind, major, minor, high, low] = octets;
    let length = u16::from_be_bytes([high, low]);
    if kind >= CHANGE_CIPHER_SPEC && kind <= 24 && major == 3 && minor <= 4 && length <= MAX_LENGTH {
        Some((kind, length))
    } else {
        None
    }
}

/// Whether octets begin with what can be a record.
#[must_use]
pub fn begins_with_record(octets: &[u8]) -> bool {
    octets.first_chunk().is_some_and(|first| header(*first).is_some())
}

impl RecordReader {
    /// At the first record.
    pub const AT_START: Self = Self { state: BOUNDARY };
    /// Joined in the middle.
    pub const IN_THE_MIDDLE: Self = Self { state: State::Lost };

    /// Whether boundaries are lost at the moment.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// Takes the next octets.
    pub fn push(&mut self, mut octets: &[u8], found: &mut impl FnMut(Item<'_>)) {
        while !octets.is_empty() {
            octets = match self.state {
                State::Header { octets: kept, len } => self.in_header(kept, len, octets, found),
                State::Body { kind, missing } => {
                    let (mine, rest) = octets.split_at_checked(usize::from(missing)).unwrap_or((octets, &[]));
                    found(Item::Octets(kind, mine));
                    self.go_on(kind, missing, mine.len());
                    rest
                }
                State::Lost if tiles(octets) => {
                    self.state = BOUNDARY;
                    octets
                }
                State::Lost => {
                    found(Item::Skipped(u32::try_from(octets.len()).unwrap_or(u32::MAX)));
                    &[]
                }
            };
        }
    }

    /// Octets that were not captured. Within a record nothing is lost but they.
    pub fn gap(&mut self, len: u32, found: &mut impl FnMut(Item<'_>)) {
        if let State::Body { kind, missing } = self.state {
            found(Item::Gap(kind));
            if len <= u32::from(missing) {
                return self.go_on(kind, missing, len as usize);
            }
        }
        self.lose(found);
    }

    /// Where records begin is not known any more.
    pub fn lose(&mut self, found: &mut impl FnMut(Item<'_>)) {
        self.state = State::Lost;
        found(Item::Lost);
    }

    fn go_on(&mut self, kind: u8, missing: u16, taken: usize) {
        let missing = missing.saturating_sub(u16::try_from(taken).unwrap_or(u16::MAX));
        self.state = if missing == 0 { BOUNDARY } else { State::Body { kind, missing } };
    }

    fn in_header<'o>(
        &mut self,
        mut kept: [u8; HEADER],
        len: u8,
        octets: &'o [u8],
        found: &mut impl FnMut(Item<'_>),
    ) -> &'o [u8] {
        let have = usize::from(len);
        let taken = octets.len().min(HEADER - have.min(HEADER));
        for (place, octet) in kept.iter_mut().skip(have).zip(octets) {
            *place = *octet;
        }
        let rest = octets.get(taken..).unwrap_or_default();
        if have + taken < HEADER {
            // At most four.
            self.state = State::Header { octets: kept, len: u8::try_from(have + taken).unwrap_or(0) };
            return rest;
        }
        match header(kept) {
            Some((kind, length)) => {
                found(Item::Record(kind, length));
                self.go_on(kind, length, 0);
                rest
            }
            None => {
                self.state = State::Lost;
                found(Item::Lost);
                found(Item::Skipped(u32::try_from(rest.len()).unwrap_or(u32::MAX)));
                &[]
            }
        }
    }
}

/// Whether octets are records one after another that end where the octets end, or at least two of them.
fn tiles(mut octets: &[u8]) -> bool {
    let mut records = 0u32;
    while !octets.is_empty() {
        let Some((first, rest)) = octets.split_first_chunk() else {
            return records >= 2;
        };
        let Some((_, length)) = header(*first) else {
            return false;
        };
        records += 1;
        // A long tiling proves enough; the work stays bounded.
        if records >= 16 {
            return true;
        }
        let Some(next) = rest.get(usize::from(length)..) else {
            return records >= 2;
        };
        octets = next;
    }
    records > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat()
    }

    #[derive(Default, Debug, PartialEq)]
    struct Seen {
        records: Vec<(u8, u16)>,
        octets: Vec<u8>,
        lost: u32,
        gaps: u32,
        skipped: u32,
    }

    impl Seen {
        fn note(&mut self, item: Item<'_>) {
            match item {
                Item::Record(kind, length) => self.records.push((kind, length)),
                Item::Octets(_, octets) => self.octets.extend(octets),
                Item::Lost => self.lost += 1,
                Item::Gap(_) => self.gaps += 1,
                Item::Skipped(len) => self.skipped += len,
            }
        }
    }

    #[test]
    fn a_gap_inside_a_record_costs_nothing_else_and_one_over_a_header_is_overcome() {
        let stream = [record(22, &[1; 50]), record(23, &[2; 30]), record(23, b"")].concat();
        let (mut reader, mut seen) = (RecordReader::AT_START, Seen::default());
        let note = &mut |item: Item<'_>| seen.note(item);
        reader.push(&stream[..20], note);
        reader.gap(35, note);
        reader.push(&stream[55..], note);
        reader.gap(3, note);
        reader.push(b"junk", note);
        reader.push(&record(21, b"xy"), note);
        assert!(!reader.is_lost());
        assert_eq!(seen.records, [(22, 50), (23, 30), (23, 0), (21, 2)]);
        assert_eq!((seen.gaps, seen.lost, seen.skipped), (1, 1, 4));
    }

    #[test]
    fn what_is_no_record_is_lost_at_once() {
        let (mut reader, mut seen) = (RecordReader::AT_START, Seen::default());
        reader.push(b"\x16\x03\x03\xff\xff rest", &mut |item| seen.note(item));
        assert_eq!((seen.lost, seen.skipped), (1, 5));
        assert!(begins_with_record(b"\x17\x03\x03\x40\0") && !begins_with_record(b"\x17\x03\x03\x40"));
        assert!(!begins_with_record(b"HTTP/1.1"));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(
            bodies in prop::collection::vec((20u8..25, prop::collection::vec(any::<u8>(), 0..200)), 1..8),
            cuts in prop::collection::vec(1usize..100, 1..20),
        ) {
            let stream: Vec<u8> = bodies.iter().flat_map(|(kind, body)| record(*kind, body)).collect();
            let mut whole = Seen::default();
            RecordReader::AT_START.clone().push(&stream, &mut |item| whole.note(item));
            prop_assert_eq!(whole.octets.clone(), bodies.iter().flat_map(|(_, body)| body.clone()).collect::<Vec<_>>());
            let (mut reader, mut seen) = (RecordReader::AT_START, Seen::default());
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                reader.push(piece, &mut |item| seen.note(item));
                rest = after;
            }
            prop_assert_eq!(seen, whole);
        }

        #[test]
        fn no_octets_panic(pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..64), 0u32..100), 0..40)) {
            let mut reader = RecordReader::IN_THE_MIDDLE;
            for (piece, gap) in &pieces {
                reader.push(piece, &mut |_| {});
                reader.gap(*gap, &mut |_| {});
            }
        }
    }
}
