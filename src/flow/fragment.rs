//! IP datagrams put together of their fragments, in a bounded pool.
//!
//! Policy for overlaps: with IPv4 what came first counts, with IPv6 a datagram whose fragments overlap is dropped (RFC
//! 5722), unless a fragment is repeated as it was. Another content is a conflict and told.
//!
//! When the pool is full the oldest datagram goes: of the same source where it has a quarter of the places, else of all.

use heapless::Vec;

use super::anomaly::Anomaly;
use super::table::HashKey;
use crate::decode::{Fragment, Fragmented};
use crate::limits::{DATAGRAM_BYTES, FRAGMENT_CHUNK_BYTES};
use crate::time::Timestamp;

/// Fragments are waited for this long after the first one, in microseconds.
const PATIENCE_MICROS: u64 = 30_000_000;
/// Octets in which offsets are counted.
const UNIT: usize = 8;
/// Places in a map of the units of a datagram.
const WORDS: usize = DATAGRAM_BYTES / UNIT / 64;
/// Chunks of the longest datagram.
const CHUNKS: usize = DATAGRAM_BYTES / FRAGMENT_CHUNK_BYTES;
/// A first TCP fragment shorter than this lacks the flags (RFC 1858, section 3).
const TINY: usize = 16;
/// Protocol number of TCP.
const TCP: u8 = 6;

/// Counters of fragments.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FragmentStats {
    /// Fragments.
    pub received: u64,
    /// Datagrams put together.
    pub reassembled: u64,
    /// Fragments with nothing new.
    pub repeated: u64,
    /// Fragments that overlapped others.
    pub overlaps: u64,
    /// Fragments that repeated octets with another content, or gave the datagram another length.
    pub conflicts: u64,
    /// First fragments without all of the transport's flags.
    pub tiny: u64,
    /// Fragments that cannot be: cut by the snaplen, empty, out of step, or beyond the longest datagram.
    pub unusable: u64,
    /// Datagrams given up because their time was over.
    pub timed_out: u64,
    /// Datagrams that had to leave for others.
    pub evicted: u64,
}

/// A part of the pool's memory.
#[derive(Clone, Debug)]
pub struct Chunk([u8; FRAGMENT_CHUNK_BYTES]);

impl Chunk {
    /// An unused one.
    pub const EMPTY: Self = Self([0; FRAGMENT_CHUNK_BYTES]);
}

/// What is known of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Nothing is here.
    Free,
    /// Fragments are missing.
    Waiting,
    /// It was put together, or dropped for good: what else comes of it is passed over.
    Over,
}

/// A place for a datagram. Public so that the caller can supply the memory.
#[derive(Clone, Debug)]
pub struct FragmentSlot {
    state: State,
    of: Fragmented,
    started: Timestamp,
    /// Its length, once the last fragment has told.
    total: Option<u32>,
    /// The end of what has come.
    end: u32,
    /// Units that have come, and which.
    units: u32,
    have: [u64; WORDS],
    /// Numbers of its chunks, one more than their index; 0 for none.
    chunks: [u16; CHUNKS],
}

impl FragmentSlot {
    /// An unused one.
    pub const EMPTY: Self = Self {
        state: State::Free,
        of: Fragmented {
            src_mac: None,
            src: crate::decode::Address(0),
            dst: crate::decode::Address(0),
            id: 0,
            is_v6: false,
            protocol: 0,
            depth: 0,
        },
        started: Timestamp::ZERO,
        total: None,
        end: 0,
        units: 0,
        have: [0; WORDS],
        chunks: [0; CHUNKS],
    };
}

/// A datagram that is complete: see [`Fragments::whole`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Whole {
    /// What it is.
    pub of: Fragmented,
    /// Its length without the IP header.
    pub len: usize,
}

/// The pool.
#[derive(Debug)]
pub struct Fragments<'m> {
    slots: &'m mut [FragmentSlot],
    /// One part of each datagram's hash, side by side.
    tags: Vec<u32, MAX_SLOTS>,
    chunks: &'m mut [Chunk],
    /// Indices of chunks nobody has.
    free: Vec<u16, MAX_CHUNKS>,
    /// Where a datagram is put together.
    datagram: &'m mut [u8],
    key: HashKey,
    /// The second in which a flood was told last.
    told: u64,
    /// What happened.
    pub stats: FragmentStats,
}

/// Datagrams that can be waited for, at most.
const MAX_SLOTS: usize = 64;
/// Chunks that can be used, at most.
const MAX_CHUNKS: usize = 256;

/// What became of the octets of a fragment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Written {
    /// All of them are new.
    New,
    /// All of them were there, with the same content.
    Same,
    /// Some were there, with the same content.
    Overlap,
    /// Some were there, with another content.
    Conflict,
}

impl<'m> Fragments<'m> {
    /// A pool in the memory given; what is beyond its limits is left unused.
    #[must_use]
    pub fn new(
        slots: &'m mut [FragmentSlot],
        chunks: &'m mut [Chunk],
        datagram: &'m mut [u8],
        key: HashKey,
    ) -> Self {
        let slots = slots.get_mut(..slots.len().min(MAX_SLOTS)).unwrap_or_default();
        slots.iter_mut().for_each(|slot| slot.state = State::Free);
        let tags = slots.iter().map(|_| 0).collect();
        let free = (0u16..).zip(chunks.iter()).map(|(index, _)| index).take(MAX_CHUNKS).collect();
        Self { slots, tags, chunks, free, datagram, key, told: 0, stats: FragmentStats::default() }
    }

    /// Lends the memory in which the last datagram was put together; to be given back with [`Self::give_back`].
    #[must_use]
    pub fn whole(&mut self) -> &'m mut [u8] {
        core::mem::take(&mut self.datagram)
    }

    /// Takes back what was lent.
    pub const fn give_back(&mut self, datagram: &'m mut [u8]) {
        self.datagram = datagram;
    }

    /// Takes a fragment; gives the datagram that it completes, and says through `tell` what is odd about it.
    pub fn accept(
        &mut self,
        fragment: &Fragment<'_>,
        now: Timestamp,
        tell: &mut impl FnMut(Anomaly),
    ) -> Option<Whole> {
        self.stats.received += 1;
        let len = fragment.payload.len();
        let begin = usize::try_from(fragment.offset).ok()?;
        let end = begin + len;
        let is_whole = fragment.wire_payload_len as usize == len;
        if !is_whole || len == 0 || end > DATAGRAM_BYTES - 1 || (fragment.more && !len.is_multiple_of(UNIT)) {
            self.stats.unusable += 1;
            return None;
        }
        if begin == 0 && len < TINY && fragment.more && fragment.of.protocol == TCP {
            self.stats.tiny += 1;
            tell(Anomaly::FragmentTiny);
        }
        let index = self.place(&fragment.of, now, tell)?;
        let slot = self.slots.get_mut(index)?;
        if slot.state == State::Over {
            self.stats.repeated += 1;
            return None;
        }
        if begin == 0 {
            slot.of = fragment.of;
        }
        let end = u32::try_from(end).ok()?;
        let fits = match (slot.total, fragment.more) {
            (None, true) => true,
            (None, false) => end >= slot.end,
            (Some(total), true) => end <= total,
            (Some(total), false) => end == total,
        };
        if !fits {
            self.stats.conflicts += 1;
            tell(Anomaly::FragmentConflict);
            if fragment.of.is_v6 {
                self.drop_datagram(index);
            }
            return None;
        }
        if !self.provide(index, begin, len, now, tell) {
            return None;
        }
        let written = self.write(index, begin, fragment.payload)?;
        let slot = self.slots.get_mut(index)?;
        if !fragment.more {
            slot.total = Some(end);
        }
        slot.end = slot.end.max(end);
        match written {
            Written::New => {}
            Written::Same => self.stats.repeated += 1,
            Written::Overlap => self.stats.overlaps += 1,
            Written::Conflict => {
                self.stats.overlaps += 1;
                self.stats.conflicts += 1;
                tell(Anomaly::FragmentConflict);
            }
        }
        if fragment.of.is_v6 && matches!(written, Written::Overlap | Written::Conflict) {
            self.drop_datagram(index);
            return None;
        }
        self.complete(index)
    }

    /// The place of a datagram, found or made.
    fn place(&mut self, of: &Fragmented, now: Timestamp, tell: &mut impl FnMut(Anomaly)) -> Option<usize> {
        // With IPv6 the protocol is no part of it (RFC 8200, section 4.5).
        let protocol = if of.is_v6 { 0 } else { of.protocol };
        let hash = self.key.hash(&(of.src, of.dst, of.id, protocol));
        let tag = (hash >> 32) as u32;
        let is_mine = |slot: &FragmentSlot| {
            let theirs = &slot.of;
            slot.state != State::Free
                && (theirs.src, theirs.dst, theirs.id, theirs.is_v6) == (of.src, of.dst, of.id, of.is_v6)
                && (of.is_v6 || theirs.protocol == of.protocol)
        };
        let known = self.tags.iter().zip(self.slots.iter()).position(|(t, slot)| *t == tag && is_mine(slot));
        let index = match known {
            Some(index) if !self.slots.get(index)?.is_stale(now) => return Some(index),
            Some(index) => {
                self.leave(index, now);
                index
            }
            None => {
                let index = self.victim(of)?;
                if self.leave(index, now) && self.told != now.as_secs() {
                    self.told = now.as_secs();
                    tell(Anomaly::FragmentFlood);
                }
                index
            }
        };
        *self.tags.get_mut(index)? = tag;
        *self.slots.get_mut(index)? =
            FragmentSlot { state: State::Waiting, of: *of, started: now, ..FragmentSlot::EMPTY };
        Some(index)
    }

    /// Which place is taken for a new datagram.
    fn victim(&self, of: &Fragmented) -> Option<usize> {
        let waiting = |slot: &&FragmentSlot| slot.state == State::Waiting && slot.of.src == of.src;
        let is_greedy = self.slots.iter().filter(waiting).count() >= self.slots.len().div_ceil(4);
        let rank = |slot: &FragmentSlot| {
            let rank = match slot.state {
                State::Free => 0,
                State::Over => 1,
                State::Waiting if is_greedy && slot.of.src == of.src => 2,
                State::Waiting => 3,
            };
            (rank, slot.started)
        };
        self.slots.iter().enumerate().min_by_key(|(_, slot)| rank(slot)).map(|(index, _)| index)
    }

    /// Empties a place; says whether a datagram had to leave before its time.
    fn leave(&mut self, index: usize, now: Timestamp) -> bool {
        let Some(slot) = self.slots.get(index) else { return false };
        let (state, is_stale) = (slot.state, slot.is_stale(now));
        self.release(index, State::Free);
        match state {
            State::Waiting if is_stale => self.stats.timed_out += 1,
            State::Waiting => self.stats.evicted += 1,
            State::Free | State::Over => return false,
        }
        !is_stale
    }

    /// A datagram that is not to be put together any more, whatever else comes of it.
    fn drop_datagram(&mut self, index: usize) {
        self.release(index, State::Over);
    }

    /// Gives the chunks of a place back.
    fn release(&mut self, index: usize, state: State) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.state = state;
        for number in &mut slot.chunks {
            if let Some(chunk) = core::mem::take(number).checked_sub(1) {
                // There is room for every chunk there is.
                let _ = self.free.push(chunk);
            }
        }
    }

    /// Sees to it that the chunks of a range are there. Older datagrams may have to leave for them.
    fn provide(
        &mut self,
        index: usize,
        begin: usize,
        len: usize,
        now: Timestamp,
        tell: &mut impl FnMut(Anomaly),
    ) -> bool {
        for number in begin / FRAGMENT_CHUNK_BYTES..=(begin + len - 1) / FRAGMENT_CHUNK_BYTES {
            let place = |slots: &mut [FragmentSlot]| slots.get_mut(index)?.chunks.get(number).copied();
            match place(self.slots) {
                Some(0) => {}
                Some(_) => continue,
                None => return false,
            }
            while self.free.is_empty() {
                let others =
                    self.slots.iter().enumerate().filter(|(other, slot)| {
                        *other != index && slot.chunks.iter().any(|chunk| *chunk != 0)
                    });
                let oldest = others.min_by_key(|(_, slot)| slot.started).map(|(other, _)| other);
                let gone = oldest.unwrap_or(index);
                if self.leave(gone, now) && self.told != now.as_secs() {
                    self.told = now.as_secs();
                    tell(Anomaly::FragmentFlood);
                }
                if gone == index {
                    return false;
                }
            }
            let Some(chunk) = self.free.pop() else { return false };
            if let Some(place) = self.slots.get_mut(index).and_then(|slot| slot.chunks.get_mut(number)) {
                *place = chunk + 1;
            }
        }
        true
    }

    /// Writes what is new of a fragment whose chunks are there.
    fn write(&mut self, index: usize, begin: usize, octets: &[u8]) -> Option<Written> {
        let slot = self.slots.get_mut(index)?;
        let (first, last) = (begin / UNIT, (begin + octets.len() - 1) / UNIT);
        let new = last + 1 - first;
        let there = count(&slot.have, first, last);
        if there == 0 {
            for (at, piece) in pieces(begin, octets) {
                place(slot, self.chunks, at, piece.len())?.copy_from_slice(piece);
            }
            mark(&mut slot.have, first, last);
            slot.units += u32::try_from(new).ok()?;
            return Some(Written::New);
        }
        let mut differs = false;
        let mut unit = first;
        while unit <= last {
            // A run of units that are all there, or all new.
            let is_there = has(&slot.have, unit);
            let run = (unit..=last).take_while(|unit| has(&slot.have, *unit) == is_there).count();
            let theirs = octets.get(unit * UNIT - begin..)?;
            let theirs = theirs.get(..run * UNIT).unwrap_or(theirs);
            for (at, piece) in pieces(unit * UNIT, theirs) {
                let mine = place(slot, self.chunks, at, piece.len())?;
                if is_there {
                    differs |= mine != piece;
                } else {
                    mine.copy_from_slice(piece);
                }
            }
            unit += run;
        }
        mark(&mut slot.have, first, last);
        slot.units += u32::try_from(new - there).ok()?;
        Some(match (differs, there == new) {
            (true, _) => Written::Conflict,
            (false, true) => Written::Same,
            (false, false) => Written::Overlap,
        })
    }

    /// Puts a datagram together whose fragments are all there.
    fn complete(&mut self, index: usize) -> Option<Whole> {
        let slot = self.slots.get_mut(index)?;
        let len = usize::try_from(slot.total?).ok()?;
        if slot.units as usize != len.div_ceil(UNIT) {
            return None;
        }
        let of = slot.of;
        let datagram = self.datagram.get_mut(..len)?;
        for (number, piece) in datagram.chunks_mut(FRAGMENT_CHUNK_BYTES).enumerate() {
            let from = place(slot, self.chunks, number * FRAGMENT_CHUNK_BYTES, piece.len())?;
            piece.copy_from_slice(from);
        }
        self.drop_datagram(index);
        self.stats.reassembled += 1;
        Some(Whole { of, len })
    }
}

impl FragmentSlot {
    fn is_stale(&self, now: Timestamp) -> bool {
        now.micros_since(self.started) > PATIENCE_MICROS
    }
}

/// A range of octets, cut where chunks end.
fn pieces(begin: usize, octets: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let (mut at, mut rest) = (begin, octets);
    core::iter::from_fn(move || {
        let room = FRAGMENT_CHUNK_BYTES - at % FRAGMENT_CHUNK_BYTES;
        let (piece, after) = rest.split_at_checked(room).unwrap_or((rest, &[]));
        let place = at;
        at += piece.len();
        rest = after;
        (!piece.is_empty()).then_some((place, piece))
    })
}

/// Where octets of a datagram lie that do not cross the end of a chunk.
fn place<'c>(slot: &FragmentSlot, chunks: &'c mut [Chunk], at: usize, len: usize) -> Option<&'c mut [u8]> {
    let number = slot.chunks.get(at / FRAGMENT_CHUNK_BYTES)?.checked_sub(1)?;
    let chunk = chunks.get_mut(usize::from(number))?;
    let at = at % FRAGMENT_CHUNK_BYTES;
    chunk.0.get_mut(at..at + len)
}

/// Bits of one word of a map for the units from `first` to `last`.
fn bits(word: usize, first: usize, last: usize) -> u64 {
    let low = first.saturating_sub(word * 64).min(63);
    let high = (last - word * 64).min(63);
    (u64::MAX >> (63 - (high - low))) << low
}

/// How many of the units from `first` to `last` are there.
fn count(have: &[u64; WORDS], first: usize, last: usize) -> usize {
    let words = have.iter().enumerate().take(last / 64 + 1).skip(first / 64);
    words.map(|(word, value)| (value & bits(word, first, last)).count_ones() as usize).sum()
}

/// Whether a unit is there.
fn has(have: &[u64; WORDS], unit: usize) -> bool {
    have.get(unit / 64).is_some_and(|word| word >> (unit % 64) & 1 != 0)
}

/// Notes that the units from `first` to `last` are there.
fn mark(have: &mut [u64; WORDS], first: usize, last: usize) {
    for (word, value) in have.iter_mut().enumerate().take(last / 64 + 1).skip(first / 64) {
        *value |= bits(word, first, last);
    }
}

#[cfg(test)]
mod tests;
