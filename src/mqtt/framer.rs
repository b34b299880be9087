//! Finds control packets in a stream of octets, whatever the segments they came in.
//!
//! A packet that lies whole in the octets at hand is handed on without a copy. One that is split waits in the
//! ring of heads; what is beyond [`HEAD_BYTES`] is skipped by count. After damage or a gap, boundaries are found
//! again where the octets from the start of a segment tile into plausible packets.

use super::field::{Varint, varint};
use super::packet::{RawPacket, has_valid_flags, is_plausible, is_recognised};
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
    /// Boundaries lost; with the first octets of what may be a fixed header that was split (0 to 4 of them).
    Lost { octets: [u8; 4], len: u8 },
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
const LOST: State = State::Lost { octets: [0; 4], len: 0 };

impl Framer {
    /// At the start of a connection.
    pub const AT_START: Self = Self { state: BOUNDARY };
    /// Joined in the middle.
    pub const IN_THE_MIDDLE: Self = Self { state: LOST };

    /// Whether boundaries are lost at the moment.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost { .. })
    }

    /// Whether a control packet has begun that has not ended.
    #[must_use]
    pub const fn is_within_packet(&self) -> bool {
        match self.state {
            State::Header { len, .. } => len > 0,
            State::Head(_) | State::Skip { .. } => true,
            State::Lost { .. } => false,
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
                State::Lost { len: 0, .. } => self.resynchronise(octets, found),
                State::Lost { octets: kept, len } => self.resynchronise_split(kept, len, octets, found),
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
                    None => LOST,
                }
            }
            State::Lost { len: kept, .. } => {
                if kept > 0 {
                    found(Item::Skipped(kept.into()));
                }
                LOST
            }
            State::Skip { .. } | State::Header { .. } => LOST,
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
                self.state = LOST;
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
                self.state = LOST;
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
        if tiles(octets, 0) {
            self.state = BOUNDARY;
            return octets;
        }
        let mut kept = [0; 4];
        if octets.len() <= kept.len() && may_begin_header(octets) {
            // Too little to tell: the next octets will.
            let mut len = 0;
            for (to, from) in kept.iter_mut().zip(octets) {
                *to = *from;
                len += 1;
            }
            self.state = State::Lost { octets: kept, len };
        } else {
            found(Item::Skipped(count(octets.len())));
        }
        &[]
    }

    /// The same with the first octets of what may be a fixed header, from a segment before.
    #[cold]
    fn resynchronise_split<'o>(
        &mut self,
        kept: [u8; 4],
        len: u8,
        octets: &'o [u8],
        found: &mut impl FnMut(Item<'_>),
    ) -> &'o [u8] {
        let mut header = [0; 5];
        let begun = kept.iter().take(len.into());
        let filled = header.iter_mut().zip(begun.chain(octets)).map(|(to, from)| *to = *from).count();
        let [first, length @ ..] = header;
        let fits = match varint(length.get(..filled.saturating_sub(1)).unwrap_or_default()) {
            Varint::Value { value, len: length_octets } if is_plausible(first, value) => {
                let begins = (1 + usize::from(length_octets)).saturating_sub(len.into());
                let body = octets.get(begins..).unwrap_or_default();
                match body.get(value as usize..) {
                    Some(next) => tiles(next, 1),
                    None => is_recognised(first, value, body),
                }
            }
            _ => false,
        };
        if fits {
            self.state = State::Header { octets: kept, len };
        } else {
            found(Item::Skipped(len.into()));
            self.state = LOST;
        }
        octets
    }
}

/// Whether the octets are plausible control packets one after another, `headers` of them before; the last may run on.
///
/// A header alone proves little (one random octet pair in ten passes), so unless the packets end exactly at the end of
/// the octets, at least two headers must be plausible, or the one that runs on be known by what stands behind it.
fn tiles(mut octets: &[u8], mut headers: u32) -> bool {
    while let Some((first, rest)) = octets.split_first() {
        let Varint::Value { value, len } = varint(rest) else {
            return headers >= 2;
        };
        if !is_plausible(*first, value) {
            return false;
        }
        headers += 1;
        let body = rest.get(usize::from(len)..).unwrap_or_default();
        let Some(next) = body.get(value as usize..) else {
            return headers >= 2 || is_recognised(*first, value, body);
        };
        octets = next;
        // A long tiling proves enough; the work stays bounded.
        if headers >= 16 {
            return true;
        }
    }
    headers > 0
}

/// Whether so few octets could be the beginning of a fixed header.
fn may_begin_header(octets: &[u8]) -> bool {
    octets.split_first().is_some_and(|(first, length)| {
        has_valid_flags(*first) && length.iter().all(|octet| octet & 0x80 != 0)
    })
}

/// Lengths of slices of a segment fit easily.
fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
