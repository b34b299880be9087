//! Finds control packets in a stream of octets, whatever the segments they came in.
//!
//! A packet that lies whole in the octets at hand is handed on without a copy. One that is split waits in the
//! ring of heads; what is beyond [`HEAD_BYTES`] is skipped by count. After damage or a gap, boundaries are found
//! again where the octets from the start of a segment tile into plausible packets.

use super::field::{Varint, varint};
use super::packet::{RawPacket, is_plausible};
use crate::flow::ring::{Ring, Ticket};
use crate::limits::HEAD_BYTES;

/// The ring of packets that wait for their rest, shared by all connections.
pub type HeadRing<'m> = Ring<'m, HEAD_BYTES>;

/// What the framer finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item<'a> {
    /// A control packet.
    Packet(RawPacket<'a>),
    /// A Remaining Length of more than four octets: the boundaries are lost.
    BadLength,
    /// Octets passed over while looking for a boundary.
    Skipped(u32),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// At a boundary, with the first octets of a fixed header that was split (0 to 4 of them).
    Header { octets: [u8; 4], len: u8 },
    /// In a packet whose head waits in the ring.
    Head(Waiting),
    /// In a packet that was handed on already.
    Skip { missing: u32 },
    /// Boundaries lost.
    Lost,
}

/// A packet that is not complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Waiting {
    first: u8,
    remaining_length: u32,
    length_octets: u8,
    /// Octets still to come.
    missing: u32,
    /// Where its head is; `None` when it did not fit.
    ticket: Option<Ticket>,
}

/// The state of one direction of one connection.
#[derive(Clone, Debug)]
pub struct Framer {
    state: State,
}

const BOUNDARY: State = State::Header { octets: [0; 4], len: 0 };

impl Framer {
    /// At the start of a connection.
    pub const AT_START: Self = Self { state: BOUNDARY };
    /// Joined in the middle.
    pub const IN_THE_MIDDLE: Self = Self { state: State::Lost };

    /// Whether boundaries are lost at the moment.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// Whether a control packet has begun that has not ended.
    #[must_use]
    pub const fn is_within_packet(&self) -> bool {
        match self.state {
            State::Header { len, .. } => len > 0,
            State::Head(_) | State::Skip { .. } => true,
            State::Lost => false,
        }
    }

    /// Takes the next octets, handing on what is found. `octets` begin where a segment began.
    pub fn push(&mut self, mut octets: &[u8], ring: &mut HeadRing<'_>, found: &mut impl FnMut(Item<'_>)) {
        while !octets.is_empty() {
            octets = match self.state {
                State::Header { len: 0, .. } => self.at_boundary(octets, ring, found),
                State::Header { octets: kept, len } => self.in_header(kept, len, octets, ring, found),
                State::Head(waiting) => self.in_head(waiting, octets, ring, found),
                State::Skip { missing } => self.in_skip(missing, octets),
                State::Lost => self.resynchronise(octets, found),
            };
        }
    }

    /// Octets that were not captured. Inside a packet whose end lies beyond them nothing is lost but they.
    pub fn gap(&mut self, len: u32, ring: &mut HeadRing<'_>, found: &mut impl FnMut(Item<'_>)) {
        self.state = match self.state {
            State::Skip { missing } if len < missing => State::Skip { missing: missing - len },
            State::Skip { missing } if len == missing => BOUNDARY,
            State::Head(Waiting { first, remaining_length, length_octets, missing, ticket }) => {
                // What was captured of the head is all there will be.
                let head = ticket.and_then(|ticket| ring.get(ticket)).unwrap_or_default();
                found(Item::Packet(RawPacket { first, remaining_length, length_octets, head }));
                match missing.checked_sub(len) {
                    Some(0) => BOUNDARY,
                    Some(missing) => State::Skip { missing },
                    None => State::Lost,
                }
            }
            State::Skip { .. } | State::Header { .. } | State::Lost => State::Lost,
        };
    }

    /// At a boundary with at least one octet at hand: the common case.
    #[inline]
    fn at_boundary<'o>(
        &mut self,
        octets: &'o [u8],
        ring: &mut HeadRing<'_>,
        found: &mut impl FnMut(Item<'_>),
    ) -> &'o [u8] {
        let Some((first, after_first)) = octets.split_first() else {
            return octets;
        };
        match varint(after_first) {
            Varint::Value { value, len } => {
                let body = after_first.get(usize::from(len)..).unwrap_or_default();
                self.body(*first, (value, len), body, ring, found)
            }
            Varint::Incomplete => {
                // At most the first octet and three of the length.
                let mut kept = [0; 4];
                let mut len = 0;
                for (to, from) in kept.iter_mut().zip(octets) {
                    *to = *from;
                    len += 1;
                }
                self.state = State::Header { octets: kept, len };
                &[]
            }
            Varint::TooLong => {
                found(Item::BadLength);
                self.state = State::Lost;
                // What else is in this segment cannot be placed.
                found(Item::Skipped(count(octets.len())));
                &[]
            }
        }
    }

    /// The fixed header was split: completes it octet by octet.
    #[cold]
    fn in_header<'o>(
        &mut self,
        mut kept: [u8; 4],
        len: u8,
        octets: &'o [u8],
        ring: &mut HeadRing<'_>,
        found: &mut impl FnMut(Item<'_>),
    ) -> &'o [u8] {
        let Some((next, rest)) = octets.split_first() else {
            return octets;
        };
        let mut header = [0; 5];
        header.iter_mut().zip(kept).for_each(|(to, from)| *to = from);
        if let Some(place) = header.get_mut(usize::from(len)) {
            *place = *next;
        }
        let [first, length @ ..] = header;
        match varint(length.get(..usize::from(len)).unwrap_or_default()) {
            Varint::Value { value, len } => self.body(first, (value, len), rest, ring, found),
            Varint::Incomplete => {
                if let Some(place) = kept.get_mut(usize::from(len)) {
                    *place = *next;
                }
                self.state = State::Header { octets: kept, len: len + 1 };
                rest
            }
            Varint::TooLong => {
                found(Item::BadLength);
                self.state = State::Lost;
                found(Item::Skipped(count(octets.len())));
                &[]
            }
        }
    }

    /// Behind a complete fixed header; `octets` may be empty.
    #[inline]
    fn body<'o>(
        &mut self,
        first: u8,
        (remaining_length, length_octets): (u32, u8),
        octets: &'o [u8],
        ring: &mut HeadRing<'_>,
        found: &mut impl FnMut(Item<'_>),
    ) -> &'o [u8] {
        let whole = remaining_length as usize;
        if let Some((body, rest)) = octets.split_at_checked(whole) {
            self.state = BOUNDARY;
            found(Item::Packet(RawPacket { first, remaining_length, length_octets, head: body }));
            return rest;
        }
        let missing = remaining_length.saturating_sub(count(octets.len()));
        if octets.len() >= HEAD_BYTES {
            self.state = State::Skip { missing };
            found(Item::Packet(RawPacket { first, remaining_length, length_octets, head: octets }));
        } else {
            let waiting =
                Waiting { first, remaining_length, length_octets, missing, ticket: ring.put(octets) };
            self.state = State::Head(waiting);
        }
        &[]
    }

    fn in_head<'o>(
        &mut self,
        waiting: Waiting,
        octets: &'o [u8],
        ring: &mut HeadRing<'_>,
        found: &mut impl FnMut(Item<'_>),
    ) -> &'o [u8] {
        let Waiting { first, remaining_length, length_octets, missing, ticket } = waiting;
        let (mine, rest) = octets.split_at_checked(missing as usize).unwrap_or((octets, &[]));
        let kept = ticket.and_then(|ticket| ring.extend(ticket, mine));
        let missing = missing.saturating_sub(count(mine.len()));
        let head = ticket.and_then(|ticket| ring.get(ticket));
        let head_is_full =
            kept.is_none_or(|kept| kept < mine.len()) || head.is_none_or(|h| h.len() == HEAD_BYTES);
        if missing == 0 || head_is_full {
            found(Item::Packet(RawPacket {
                first,
                remaining_length,
                length_octets,
                head: head.unwrap_or_default(),
            }));
            self.state = if missing == 0 { BOUNDARY } else { State::Skip { missing } };
        } else {
            self.state = State::Head(Waiting { missing, ..waiting });
        }
        rest
    }

    fn in_skip<'o>(&mut self, missing: u32, octets: &'o [u8]) -> &'o [u8] {
        match octets.split_at_checked(missing as usize) {
            Some((_, rest)) => {
                self.state = BOUNDARY;
                rest
            }
            None => {
                self.state = State::Skip { missing: missing - count(octets.len()) };
                &[]
            }
        }
    }

    /// Looks whether this segment begins at a boundary; if not, it is passed over.
    #[cold]
    fn resynchronise<'o>(&mut self, octets: &'o [u8], found: &mut impl FnMut(Item<'_>)) -> &'o [u8] {
        if tiles(octets) {
            self.state = BOUNDARY;
            octets
        } else {
            found(Item::Skipped(count(octets.len())));
            &[]
        }
    }
}

/// Whether the octets are plausible control packets one after another, the last of which may run on.
///
/// A header alone proves little (one random octet pair in ten passes), so unless the packets end exactly at the
/// end of the octets, at least two headers must be plausible.
fn tiles(mut octets: &[u8]) -> bool {
    let mut headers = 0u32;
    while let Some((first, rest)) = octets.split_first() {
        let Varint::Value { value, len } = varint(rest) else {
            return headers >= 2;
        };
        if !is_plausible(*first, value) {
            return false;
        }
        headers += 1;
        let Some(next) = rest.get(usize::from(len) + value as usize..) else {
            return headers >= 2;
        };
        octets = next;
        // A long tiling proves enough; the work stays bounded.
        if headers >= 16 {
            return true;
        }
    }
    headers > 0
}

/// Lengths of slices of a segment fit easily.
fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ring::Buffer;
    use proptest::prelude::*;

    #[derive(Debug, PartialEq, Clone)]
    enum Seen {
        Packet(u8, u32, Vec<u8>),
        BadLength,
        Skipped(u32),
    }

    fn frame_up(framer: &mut Framer, pieces: &[&[u8]]) -> Vec<Seen> {
        let mut buffers = vec![Buffer::EMPTY; 4];
        let mut ring = Ring::new(&mut buffers);
        let mut seen = Vec::new();
        for piece in pieces {
            framer.push(piece, &mut ring, &mut |item| seen.push(note(item)));
        }
        seen
    }

    fn note(item: Item<'_>) -> Seen {
        match item {
            Item::Packet(p) => {
                Seen::Packet(p.first, p.remaining_length, p.head[..p.head.len().min(HEAD_BYTES)].to_vec())
            }
            Item::BadLength => Seen::BadLength,
            Item::Skipped(n) => Seen::Skipped(n),
        }
    }

    fn encode(first: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![first];
        let mut len = body.len();
        loop {
            let more = len > 0x7f;
            out.push((len & 0x7f) as u8 | if more { 0x80 } else { 0 });
            len >>= 7;
            if !more {
                break;
            }
        }
        out.extend(body);
        out
    }

    #[test]
    fn many_in_one_segment() {
        let seen = frame_up(&mut Framer::AT_START.clone(), &[b"\xc0\0\x30\x03\0\x01a\xd0\0"]);
        assert_eq!(
            seen,
            [
                Seen::Packet(0xc0, 0, vec![]),
                Seen::Packet(0x30, 3, b"\0\x01a".to_vec()),
                Seen::Packet(0xd0, 0, vec![])
            ]
        );
    }

    #[test]
    fn a_length_of_five_octets_loses_the_boundary_until_a_segment_begins_with_one() {
        let mut framer = Framer::AT_START;
        let seen =
            frame_up(&mut framer, &[b"\x30\xff\xff\xff\xff\x01", b"garbage", b"\xc0\0", b"\x30\x03\0\x01a"]);
        assert_eq!(
            seen,
            [
                Seen::BadLength,
                Seen::Skipped(6),
                Seen::Skipped(7),
                Seen::Packet(0xc0, 0, vec![]),
                Seen::Packet(0x30, 3, b"\0\x01a".to_vec())
            ]
        );
    }

    #[test]
    fn a_gap_inside_a_payload_costs_nothing_else() {
        let mut buffers = vec![Buffer::EMPTY; 4];
        let mut ring = Ring::new(&mut buffers);
        let mut seen = Vec::new();
        let mut framer = Framer::AT_START;
        let packet = encode(0x30, &[b'x'; 5000]);
        let mut found = |item: Item<'_>| seen.push(note(item));
        framer.push(&packet[..1500], &mut ring, &mut found);
        framer.gap(2000, &mut ring, &mut found);
        framer.push(&packet[3500..], &mut ring, &mut found);
        framer.push(b"\xc0\0", &mut ring, &mut found);
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[1], Seen::Packet(0xc0, 0, vec![]));
        assert!(!framer.is_lost());
    }

    #[test]
    fn joined_in_the_middle() {
        let mut framer = Framer::IN_THE_MIDDLE;
        let seen = frame_up(&mut framer, &[b"rest of some payload", b"\xd0\0"]);
        assert_eq!(seen, [Seen::Skipped(20), Seen::Packet(0xd0, 0, vec![])]);
    }

    proptest! {
        /// The packets found do not depend on where the stream was cut.
        #[test]
        fn any_split_gives_the_same_packets(
            bodies in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..3000)), 1..6),
            cuts in prop::collection::vec(1usize..400, 1..50),
        ) {
            let packets: Vec<(u8, Vec<u8>)> = bodies;
            let stream: Vec<u8> = packets.iter().flat_map(|(first, body)| encode(*first, body)).collect();
            let mut pieces = Vec::new();
            let mut at = 0;
            for cut in cuts.iter().cycle() {
                if at >= stream.len() { break; }
                let end = (at + cut).min(stream.len());
                pieces.push(&stream[at..end]);
                at = end;
            }
            let split = frame_up(&mut Framer::AT_START.clone(), &pieces);
            let expected: Vec<Seen> = packets
                .iter()
                .map(|(first, body)| Seen::Packet(*first, body.len() as u32, body[..body.len().min(HEAD_BYTES)].to_vec()))
                .collect();
            prop_assert_eq!(split, expected);
        }

        #[test]
        fn no_octets_panic_or_loop(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..40), gaps in prop::collection::vec(0u32..100, 0..40)) {
            let mut buffers = vec![Buffer::EMPTY; 4];
            let mut ring = Ring::new(&mut buffers);
            let mut framer = Framer::AT_START;
            for (i, piece) in pieces.iter().enumerate() {
                framer.push(piece, &mut ring, &mut |_| {});
                if let Some(gap) = gaps.get(i) {
                    framer.gap(*gap, &mut ring, &mut |_| {});
                }
            }
        }
    }
}
