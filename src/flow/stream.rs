//! One direction of a TCP connection: octets in order, with a bounded allowance for segments that come early.
//!
//! What was delivered first counts; a retransmission only adds what is new behind it. It is compared with what is
//! still remembered of the octets it repeats: another content is a conflict. As long as the receiver has not
//! acknowledged those octets, nobody but the receiver knows which copy it took, so both are looked into.
//!
//! A segment beyond a gap is held until the gap is filled, until the receiver acknowledges past it (then the
//! capture missed it, not the receiver), or, where acknowledgements are not seen, until no more can be held.
//! A segment far from the expected position is not believed, unless it is acknowledged or goes on.

mod held;
mod stats;

use super::journal::{Journal, Place};
pub use stats::StreamStats;

/// Delivered segments that a repeated one is compared with.
const MAX_COMPARED: u32 = 8;
/// A segment further away than this is no part of the stream: more than any window seen on a LAN.
const MAX_AHEAD: u32 = 4 << 20;
/// Segments in a row, each going on where the one before ended, that make a new position believed where nothing was
/// ever acknowledged, and where the acknowledgements have stayed away.
const STRANGERS_BELIEVED: [u8; 2] = [3, 32];

/// What a stream hands on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery<'a> {
    /// The next octets, in order.
    Octets(&'a [u8]),
    /// So many octets were not captured.
    Gap(u32),
    /// A segment that repeats octets with another content and perhaps goes on behind them.
    Conflict {
        /// The whole segment.
        octets: &'a [u8],
        /// The receiver had acknowledged the repeated octets before, so it took the copy delivered first.
        settled: bool,
    },
    /// Octets of a gap that had been given up.
    Late(&'a [u8]),
}

/// What the streams of one engine share.
#[derive(Debug)]
pub struct Streams<'m> {
    /// Segments that came before their turn.
    held: Journal<'m>,
    /// What was delivered last.
    recent: Journal<'m>,
    /// What was odd.
    pub stats: StreamStats,
}

impl<'m> Streams<'m> {
    /// With memory for segments that came before their turn, and for what was delivered last.
    #[must_use]
    pub fn new(held: &'m mut [u8], recent: &'m mut [u8]) -> Self {
        Self { held: Journal::new(held), recent: Journal::new(recent), stats: StreamStats::default() }
    }
}

/// A run of segments that lies outside the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stranger {
    start: u32,
    end: u32,
    segments: u8,
}

/// The state of one direction.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The next expected sequence number; `None` before the first segment.
    next: Option<u32>,
    /// What the receiver has acknowledged, as far as it was seen to be sent.
    acked: Option<u32>,
    /// The newest held segment.
    held: Place,
    /// The newest delivered segment.
    recent: Place,
    /// The gap given up last, from and to.
    given_up: (u32, u32),
    stranger: Option<Stranger>,
    missed: u32,
}

/// `a - b` in sequence space (RFC 9293, section 3.4), as a signed distance.
#[inline]
const fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}

/// The later of two sequence numbers.
const fn later(a: u32, b: u32) -> u32 {
    if distance(a, b) >= 0 { a } else { b }
}

/// Lengths of slices of a segment fit easily.
fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

impl Stream {
    /// Nothing seen yet.
    pub const NEW: Self = Self {
        next: None,
        acked: None,
        held: Place::NONE,
        recent: Place::NONE,
        given_up: (0, 0),
        stranger: None,
        missed: 0,
    };

    /// Whether a segment or a SYN has set the position.
    #[must_use]
    pub const fn is_positioned(&self) -> bool {
        self.next.is_some()
    }

    /// The next sequence number expected.
    #[must_use]
    pub const fn next(&self) -> Option<u32> {
        self.next
    }

    /// Whether segments are held back.
    #[must_use]
    #[inline]
    pub const fn holds(&self) -> bool {
        self.held.is_some()
    }

    /// Octets of gaps that were given up, as many as a number holds.
    #[must_use]
    pub const fn missed(&self) -> u32 {
        self.missed
    }

    /// A SYN with this sequence number: payload starts one behind it.
    pub fn synchronise(&mut self, seq: u32) {
        if self.next.is_none() {
            self.next = Some(seq.wrapping_add(1));
        }
    }

    /// Whether a segment so far from the expected position can belong to the stream at all.
    #[must_use]
    #[inline]
    pub fn is_near(&self, seq: u32) -> bool {
        self.next.is_none_or(|next| distance(seq, next).unsigned_abs() <= MAX_AHEAD)
    }

    /// Whether the receiver would take a RST with this sequence number (RFC 5961, section 3.2). It expects what it
    /// acknowledged last, or anything up to what was sent since.
    #[must_use]
    pub fn resets_at(&self, seq: u32) -> bool {
        let Some(next) = self.next else { return true };
        let from = self.acked.unwrap_or(next);
        distance(seq, from) >= 0 && distance(seq, next) <= 0
    }

    /// Whether a segment of no octet, or of one, tells nothing but that its sender is there: it stands before the
    /// next position, and everything sent is acknowledged.
    #[must_use]
    #[inline]
    pub fn is_keep_alive(&self, seq: u32, wire_len: u32) -> bool {
        wire_len <= 1 && self.next == Some(seq.wrapping_add(1)) && self.acked == self.next
    }

    /// Follows the position only, where nobody wants the octets.
    #[inline]
    pub fn follow(&mut self, seq: u32, wire_len: u32) {
        let end = seq.wrapping_add(wire_len);
        self.next = Some(self.next.map_or(end, |next| later(next, end)));
    }

    /// Passes over an urgent octet whose turn it is.
    pub fn skip_urgent(&mut self, seq: u32) {
        if self.next == Some(seq) {
            self.next = Some(seq.wrapping_add(1));
        }
    }

    /// Whether an acknowledgement is of something that was sent, or nothing is known of that.
    #[must_use]
    pub fn has_sent(&self, ack: u32) -> bool {
        self.next.is_none_or(|next| distance(ack, next) <= 0) && self.is_near(ack)
    }

    /// Whether octets at `seq` were delivered, or passed over, before.
    #[must_use]
    #[inline]
    pub fn has_passed(&self, seq: u32) -> bool {
        self.next.is_some_and(|next| distance(seq, next) < 0)
    }

    /// Whether a segment repeats octets that were delivered, and is known to repeat every one of them as it was.
    #[must_use]
    pub fn repeats(&self, seq: u32, payload: &[u8], streams: &Streams<'_>) -> bool {
        let len = count(payload.len());
        self.next.is_some_and(|next| distance(seq.wrapping_add(len), next) <= 0)
            && self.compare(seq, payload, &streams.recent) == Comparison::Same
    }

    /// Takes the payload of a segment; `wire_len` is its length on the wire, more than `payload` when it was cut.
    #[inline]
    pub fn accept(
        &mut self,
        seq: u32,
        payload: &[u8],
        wire_len: u32,
        streams: &mut Streams<'_>,
        deliver: &mut impl FnMut(Delivery<'_>),
    ) {
        if self.next.is_none_or(|next| next == seq) && payload.len() == wire_len as usize && wire_len > 0 {
            self.stranger = None;
            self.append(seq, payload, &mut streams.recent, deliver);
            if self.held.is_some() {
                self.release(streams, deliver);
            }
            return;
        }
        self.accept_odd(seq, payload, wire_len, streams, deliver);
    }

    /// The other side has acknowledged up to `ack`. Whether there is more to do about it: see [`Self::acknowledged`].
    #[must_use]
    #[inline]
    pub fn note_ack(&mut self, ack: u32) -> bool {
        let Some(next) = self.next else { return false };
        let behind = distance(next, ack);
        if self.held.is_some() || self.stranger.is_some() || behind < 0 || behind.unsigned_abs() > MAX_AHEAD {
            return true;
        }
        // An old one says nothing new.
        if self.acked.is_none_or(|acked| distance(ack, acked) > 0) {
            self.acked = Some(ack);
        }
        false
    }

    /// What is missing before an acknowledgement will not come any more.
    #[cold]
    pub fn acknowledged(
        &mut self,
        ack: u32,
        streams: &mut Streams<'_>,
        deliver: &mut impl FnMut(Delivery<'_>),
    ) {
        let Some(next) = self.next else { return };
        if let Some(run) = self.stranger
            && distance(ack, run.start) > 0
            && distance(ack, run.end) <= 0
        {
            self.jump_to(run.end, &mut streams.stats, deliver);
            self.acked = Some(ack);
            return;
        }
        if !self.is_near(ack) {
            streams.stats.out_of_window += 1;
            return;
        }
        while let Some(first) = self.first_held(&streams.held) {
            if distance(ack, first) < 0 {
                break;
            }
            self.skip_to(first, &mut streams.stats, deliver);
            self.release(streams, deliver);
        }
        // What was not seen to be sent is not known to be what was acknowledged.
        let seen = self.next.unwrap_or(next);
        let ack = if distance(ack, seen) > 0 { seen } else { ack };
        self.acked = Some(self.acked.map_or(ack, |acked| later(acked, ack)));
    }

    /// The connection ends: hands on whatever is held.
    pub fn finish(&mut self, streams: &mut Streams<'_>, deliver: &mut impl FnMut(Delivery<'_>)) {
        while let Some(first) = self.first_held(&streams.held) {
            self.skip_to(first, &mut streams.stats, deliver);
            self.release(streams, deliver);
        }
    }

    /// The next octets, whole.
    #[inline]
    fn append(
        &mut self,
        seq: u32,
        payload: &[u8],
        recent: &mut Journal<'_>,
        deliver: &mut impl FnMut(Delivery<'_>),
    ) {
        let len = count(payload.len());
        self.next = Some(seq.wrapping_add(len));
        if let Some(place) = recent.put(self.recent, seq, payload, len) {
            self.recent = place;
        }
        deliver(Delivery::Octets(payload));
    }

    #[cold]
    fn accept_odd(
        &mut self,
        seq: u32,
        payload: &[u8],
        wire_len: u32,
        streams: &mut Streams<'_>,
        deliver: &mut impl FnMut(Delivery<'_>),
    ) {
        if wire_len == 0 {
            return;
        }
        let next = *self.next.get_or_insert(seq);
        let ahead = distance(seq, next);
        if ahead.unsigned_abs() > MAX_AHEAD {
            self.accept_stranger(seq, payload, wire_len, streams, deliver);
            return;
        }
        self.stranger = None;
        if ahead > 0 {
            self.accept_early(seq, payload, wire_len, streams, deliver);
            return;
        }
        self.accept_due(seq, payload, wire_len, &mut streams.recent, &mut streams.stats, deliver);
        self.release(streams, deliver);
    }

    /// A segment that begins at or before the expected position, or was cut.
    fn accept_due(
        &mut self,
        seq: u32,
        payload: &[u8],
        wire_len: u32,
        recent: &mut Journal<'_>,
        stats: &mut StreamStats,
        deliver: &mut impl FnMut(Delivery<'_>),
    ) {
        let next = self.next.unwrap_or(seq);
        let old = next.wrapping_sub(seq);
        let repeated = payload.get(..old as usize).unwrap_or(payload);
        let end = later(next, seq.wrapping_add(wire_len));
        if let Comparison::Differs(at) = self.compare(seq, repeated, recent) {
            stats.conflicts += 1;
            let settled = self.acked.is_some_and(|acked| distance(acked, at) > 0);
            deliver(Delivery::Conflict { octets: payload, settled });
            if !settled {
                // Both copies are remembered; the later one speaks for the position.
                if let Some(place) = recent.put(self.recent, seq, payload, wire_len) {
                    self.recent = place;
                }
                self.next = Some(later(next, seq.wrapping_add(count(payload.len()))));
                self.skip_cut(seq, payload, end, stats, deliver);
                return;
            }
        }
        self.accept_late(seq, repeated, stats, deliver);
        if old >= wire_len {
            stats.retransmitted += 1;
            return;
        }
        let fresh = payload.get(old as usize..).unwrap_or_default();
        if !fresh.is_empty() {
            self.append(next, fresh, recent, deliver);
        }
        self.skip_cut(seq, payload, end, stats, deliver);
    }

    /// Skips what the snaplen cut off a segment that ends at `end`.
    fn skip_cut(
        &mut self,
        seq: u32,
        payload: &[u8],
        end: u32,
        stats: &mut StreamStats,
        deliver: &mut impl FnMut(Delivery<'_>),
    ) {
        let captured = later(seq.wrapping_add(count(payload.len())), self.next.unwrap_or(seq));
        let cut = distance(end, captured);
        if cut > 0 {
            self.next = Some(end);
            self.miss(cut.unsigned_abs(), stats, deliver);
        }
    }

    /// Repeated octets that lie in the gap given up last were never delivered.
    fn accept_late(
        &mut self,
        seq: u32,
        repeated: &[u8],
        stats: &mut StreamStats,
        deliver: &mut impl FnMut(Delivery<'_>),
    ) {
        let (from, to) = self.given_up;
        if from == to {
            return;
        }
        let skipped = distance(from, seq).max(0).unsigned_abs();
        let Some(octets) = repeated.get(skipped as usize..) else { return };
        let begin = seq.wrapping_add(skipped);
        let room = distance(to, begin).max(0).unsigned_abs();
        let octets = octets.get(..room as usize).unwrap_or(octets);
        if octets.is_empty() {
            return;
        }
        // What came is not late a second time; what is before it will not come in order any more.
        self.given_up = (begin.wrapping_add(count(octets.len())), to);
        stats.late_octets += octets.len() as u64;
        deliver(Delivery::Late(octets));
    }

    /// Compares octets of a segment with those remembered, newest first, so that each is compared once.
    fn compare(&self, seq: u32, payload: &[u8], recent: &Journal<'_>) -> Comparison {
        // What is still to be compared: `payload[from..to]`.
        let (mut from, mut to) = (0, payload.len());
        let mut place = self.recent;
        for _ in 0..MAX_COMPARED {
            if from >= to {
                return Comparison::Same;
            }
            let Some(record) = recent.get(place) else { break };
            place = record.before;
            // Where the record lies in the segment, and the segment in the record.
            let ahead = distance(record.seq, seq);
            let skip = ahead.max(0).unsigned_abs() as usize;
            let skip_record = ahead.min(0).unsigned_abs() as usize;
            let begin = skip.max(from);
            let Some(theirs) = record.octets.get(skip_record + (begin - skip)..) else { continue };
            let end = to.min(begin.saturating_add(theirs.len()));
            let Some(mine) = payload.get(begin..end) else { continue };
            if let Some(at) = first_difference(mine, theirs) {
                return Comparison::Differs(seq.wrapping_add(count(begin + at)));
            }
            if begin == from {
                from = end;
            } else if end == to {
                to = begin;
            }
        }
        if from >= to { Comparison::Same } else { Comparison::Unknown }
    }

    /// A segment outside the window: not believed until several go on from one another, or one is acknowledged.
    fn accept_stranger(
        &mut self,
        seq: u32,
        payload: &[u8],
        wire_len: u32,
        streams: &mut Streams<'_>,
        deliver: &mut impl FnMut(Delivery<'_>),
    ) {
        streams.stats.out_of_window += 1;
        let end = seq.wrapping_add(wire_len);
        let run = match self.stranger {
            Some(run) if run.end == seq => Stranger { end, segments: run.segments.saturating_add(1), ..run },
            _ => Stranger { start: seq, end, segments: 1 },
        };
        self.stranger = Some(run);
        let [unheard, unacknowledged] = STRANGERS_BELIEVED;
        if run.segments >= if self.acked.is_some() { unacknowledged } else { unheard } {
            self.jump_to(seq, &mut streams.stats, deliver);
            self.accept(seq, payload, wire_len, streams, deliver);
        }
    }

    fn jump_to(&mut self, seq: u32, stats: &mut StreamStats, deliver: &mut impl FnMut(Delivery<'_>)) {
        let missing = seq.wrapping_sub(self.next.unwrap_or(seq));
        // How much is missing is not known; what is held or remembered lies elsewhere.
        *self = Self { next: Some(seq), missed: self.missed, ..Self::NEW };
        stats.jumps += 1;
        deliver(Delivery::Gap(missing));
    }

    fn skip_to(&mut self, seq: u32, stats: &mut StreamStats, deliver: &mut impl FnMut(Delivery<'_>)) {
        let Some(next) = self.next else { return };
        let missing = distance(seq, next);
        if missing > 0 {
            self.given_up = (next, seq);
            self.next = Some(seq);
            self.miss(missing.unsigned_abs(), stats, deliver);
        }
    }

    fn miss(&mut self, octets: u32, stats: &mut StreamStats, deliver: &mut impl FnMut(Delivery<'_>)) {
        stats.gaps += 1;
        stats.gap_octets += u64::from(octets);
        self.missed = self.missed.saturating_add(octets);
        deliver(Delivery::Gap(octets));
    }
}

/// What comparing a segment with what is remembered gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Comparison {
    /// Every octet is the same.
    Same,
    /// Some octets are not remembered; the others are the same.
    Unknown,
    /// The octet with this sequence number is another one.
    Differs(u32),
}

/// Where two slices differ first, as far as both go.
fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    let len = a.len().min(b.len());
    // A comparison of slices is far faster than one of octets, and nearly always the answer.
    if a.get(..len) == b.get(..len) {
        return None;
    }
    a.iter().zip(b).position(|(a, b)| a != b)
}

#[cfg(test)]
mod tests;
