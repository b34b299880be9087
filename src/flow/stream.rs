//! One direction of a TCP connection: octets in order, with a bounded allowance for segments that come early.
//!
//! Policy for overlaps: what was delivered first counts, a retransmission only adds what is new behind it.
//! A segment beyond a gap is held until the gap is filled, until the receiver acknowledges past it (then the
//! capture missed it, not the receiver), or until no more can be held. Then the gap is reported and the stream goes on.

use super::ring::{Ring, Ticket};
use crate::limits::HELD_BYTES;

/// Segments one direction may hold back.
const MAX_HELD: usize = 4;
/// A segment further ahead than this is taken as a new position, not as early: larger than any window seen on a LAN.
const MAX_AHEAD: u32 = 4 << 20;

/// The ring of held segments, shared by all connections.
pub type HeldRing<'m> = Ring<'m, HELD_BYTES>;

/// What a stream hands on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery<'a> {
    /// The next octets, in order.
    Octets(&'a [u8]),
    /// So many octets were not captured.
    Gap(u32),
}

/// Counters of what went wrong or was odd; kept per engine, not per stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StreamStats {
    /// Segments with nothing new.
    pub retransmitted: u64,
    /// Segments that came before their turn and were held.
    pub held: u64,
    /// Gaps given up on.
    pub gaps: u64,
    /// Octets in those gaps.
    pub gap_octets: u64,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    seq: u32,
    len: u32,
    ticket: Ticket,
}

/// The state of one direction.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The next expected sequence number; `None` before the first segment.
    next: Option<u32>,
    held: heapless::Vec<Held, MAX_HELD>,
}

/// `a - b` in sequence space (RFC 9293, section 3.4), as a signed distance.
#[inline]
fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}

impl Stream {
    /// Nothing seen yet.
    pub const NEW: Self = Self { next: None, held: heapless::Vec::new() };

    /// Whether a segment or a SYN has set the position.
    #[must_use]
    pub const fn is_positioned(&self) -> bool {
        self.next.is_some()
    }

    /// Whether `seq` is the next sequence number, or nothing is known yet.
    #[must_use]
    pub fn expects(&self, seq: u32) -> bool {
        self.next.is_none_or(|next| next == seq)
    }

    /// Whether segments are held back.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// A SYN with this sequence number: payload starts one behind it.
    pub fn synchronise(&mut self, seq: u32) {
        if self.next.is_none() {
            self.next = Some(seq.wrapping_add(1));
        }
    }

    /// Takes the payload of a segment; `wire_len` is its length on the wire, more than `payload` when it was cut.
    #[inline]
    pub fn accept(
        &mut self,
        seq: u32,
        payload: &[u8],
        wire_len: u32,
        ring: &mut HeldRing<'_>,
        stats: &mut StreamStats,
        deliver: &mut impl FnMut(Delivery<'_>),
    ) {
        if wire_len == 0 {
            return;
        }
        let next = *self.next.get_or_insert(seq);
        let ahead = distance(seq, next);
        if ahead > 0 {
            self.accept_early(seq, payload, wire_len, ring, stats, deliver);
            return;
        }
        self.accept_due(seq, payload, wire_len, stats, deliver);
        if !self.held.is_empty() {
            self.release(ring, stats, deliver);
        }
    }

    /// The other side has acknowledged up to `ack`: what is missing before that will not come any more.
    #[inline]
    pub fn acknowledged(
        &mut self,
        ack: u32,
        ring: &mut HeldRing<'_>,
        stats: &mut StreamStats,
        deliver: &mut impl FnMut(Delivery<'_>),
    ) {
        while let Some(first) = self.first_held() {
            if distance(ack, first.seq) < 0 {
                break;
            }
            self.skip_to(first.seq, stats, deliver);
            self.release(ring, stats, deliver);
        }
    }

    /// The connection ends: hands on whatever is held.
    pub fn finish(
        &mut self,
        ring: &mut HeldRing<'_>,
        stats: &mut StreamStats,
        deliver: &mut impl FnMut(Delivery<'_>),
    ) {
        while let Some(first) = self.first_held() {
            self.skip_to(first.seq, stats, deliver);
            self.release(ring, stats, deliver);
        }
    }

    /// A segment that begins at or before the expected position.
    #[inline]
    fn accept_due(
        &mut self,
        seq: u32,
        payload: &[u8],
        wire_len: u32,
        stats: &mut StreamStats,
        deliver: &mut impl FnMut(Delivery<'_>),
    ) {
        let next = self.next.unwrap_or(seq);
        let old = next.wrapping_sub(seq);
        if old >= wire_len {
            stats.retransmitted += 1;
            return;
        }
        let fresh = payload.get(old as usize..).unwrap_or_default();
        if !fresh.is_empty() {
            deliver(Delivery::Octets(fresh));
        }
        self.next = Some(seq.wrapping_add(wire_len));
        let captured_end = u32::try_from(payload.len()).unwrap_or(u32::MAX).max(old);
        let cut = wire_len.saturating_sub(captured_end);
        if cut > 0 {
            stats.gaps += 1;
            stats.gap_octets += u64::from(cut);
            deliver(Delivery::Gap(cut));
        }
    }

    #[cold]
    fn accept_early(
        &mut self,
        seq: u32,
        payload: &[u8],
        wire_len: u32,
        ring: &mut HeldRing<'_>,
        stats: &mut StreamStats,
        deliver: &mut impl FnMut(Delivery<'_>),
    ) {
        let next = self.next.unwrap_or(seq);
        if self.held.iter().any(|held| held.seq == seq && held.len >= wire_len) {
            stats.retransmitted += 1;
            return;
        }
        let whole = u32::try_from(payload.len()).is_ok_and(|len| len == wire_len);
        let in_reach = seq.wrapping_sub(next) <= MAX_AHEAD;
        if whole
            && in_reach
            && !self.held.is_full()
            && let Some(ticket) = ring.put(payload)
        {
            stats.held += 1;
            // Room was checked above.
            let _ = self.held.push(Held { seq, len: wire_len, ticket });
            return;
        }
        // It cannot be held: everything held before it goes on first, then the gap, then this segment.
        while let Some(first) = self.first_held() {
            if distance(first.seq, seq) >= 0 {
                break;
            }
            self.skip_to(first.seq, stats, deliver);
            self.release(ring, stats, deliver);
        }
        if self.next.is_some_and(|next| distance(seq, next) > 0) {
            self.skip_to(seq, stats, deliver);
        }
        self.accept_due(seq, payload, wire_len, stats, deliver);
        self.release(ring, stats, deliver);
    }

    fn first_held(&self) -> Option<Held> {
        let next = self.next?;
        self.held.iter().copied().min_by_key(|held| distance(held.seq, next))
    }

    fn skip_to(&mut self, seq: u32, stats: &mut StreamStats, deliver: &mut impl FnMut(Delivery<'_>)) {
        let Some(next) = self.next else { return };
        let missing = distance(seq, next);
        if missing > 0 {
            stats.gaps += 1;
            stats.gap_octets += u64::from(missing.unsigned_abs());
            self.next = Some(seq);
            deliver(Delivery::Gap(missing.unsigned_abs()));
        }
    }

    /// Hands on every held segment whose turn has come.
    #[cold]
    fn release(
        &mut self,
        ring: &mut HeldRing<'_>,
        stats: &mut StreamStats,
        deliver: &mut impl FnMut(Delivery<'_>),
    ) {
        while let Some(next) = self.next {
            let Some(at) = self.held.iter().position(|held| distance(held.seq, next) <= 0) else {
                return;
            };
            let held = self.held.swap_remove(at);
            match ring.get(held.ticket) {
                Some(octets) => self.accept_due(held.seq, octets, held.len, stats, deliver),
                // Overwritten by newer ones: as if it had not been captured.
                None => self.skip_to(held.seq.wrapping_add(held.len), stats, deliver),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ring::Buffer;
    use proptest::prelude::*;

    fn run(segments: &[(u32, &[u8], u32)], syn: Option<u32>) -> (Vec<u8>, u64, StreamStats) {
        let mut buffers = vec![Buffer::EMPTY; 8];
        let mut ring = Ring::new(&mut buffers);
        let mut stats = StreamStats::default();
        let (mut out, mut gap) = (Vec::new(), 0);
        let mut stream = Stream::NEW;
        if let Some(seq) = syn {
            stream.synchronise(seq);
        }
        let mut deliver = |d: Delivery<'_>| match d {
            Delivery::Octets(o) => out.extend_from_slice(o),
            Delivery::Gap(n) => {
                gap += u64::from(n);
                out.push(b'?');
            }
        };
        for (seq, payload, wire) in segments {
            stream.accept(*seq, payload, *wire, &mut ring, &mut stats, &mut deliver);
        }
        stream.finish(&mut ring, &mut stats, &mut deliver);
        (out, gap, stats)
    }

    #[test]
    fn in_order_retransmitted_overlapping_and_early() {
        let segments: &[(u32, &[u8], u32)] =
            &[(101, b"ab", 2), (101, b"ab", 2), (105, b"ef", 2), (102, b"bXd", 3), (107, b"g", 1)];
        let (out, gap, stats) = run(segments, Some(100));
        // The retransmitted "b" is not taken again, "X" fills octet 103 since it is the first to do so.
        assert_eq!((out.as_slice(), gap), (&b"abXdefg"[..], 0));
        assert_eq!((stats.retransmitted, stats.held), (1, 1));
    }

    #[test]
    fn wraps_around() {
        let (out, gap, _) = run(&[(u32::MAX, b"ab", 2), (1, b"c", 1)], Some(u32::MAX - 1));
        assert_eq!((out.as_slice(), gap), (&b"abc"[..], 0));
    }

    #[test]
    fn a_gap_is_told_when_the_stream_ends_or_is_acknowledged() {
        let (out, gap, _) = run(&[(1, b"a", 1), (5, b"b", 1)], Some(0));
        assert_eq!((out.as_slice(), gap), (&b"a?b"[..], 3));

        let mut buffers = vec![Buffer::EMPTY; 2];
        let mut ring = Ring::new(&mut buffers);
        let mut stats = StreamStats::default();
        let mut seen = Vec::new();
        let mut stream = Stream::NEW;
        stream.accept(1, b"a", 1, &mut ring, &mut stats, &mut |_| {});
        stream.accept(5, b"b", 1, &mut ring, &mut stats, &mut |_| {});
        let mut deliver = |d: Delivery<'_>| seen.push(format!("{d:?}"));
        stream.acknowledged(5, &mut ring, &mut stats, &mut deliver);
        assert_eq!(seen, ["Gap(3)", "Octets([98])"]);
    }

    #[test]
    fn a_snaplen_cut_is_a_gap_behind_what_was_captured() {
        let (out, gap, _) = run(&[(1, b"abc", 10), (11, b"d", 1)], Some(0));
        assert_eq!((out.as_slice(), gap), (&b"abc?d"[..], 7));
    }

    #[test]
    fn more_than_can_be_held_becomes_a_gap() {
        let early: Vec<(u32, &[u8], u32)> = (0..20).map(|i| (10 + 2 * i, &b"xy"[..], 2)).collect();
        let (out, gap, _) = run(&early, Some(0));
        assert_eq!(out.iter().filter(|b| **b == b'x').count(), 20);
        assert_eq!(gap, 9);
    }

    proptest! {
        /// Whatever the order within the allowance, the octets come out as they were sent.
        #[test]
        fn reordering_within_the_allowance_changes_nothing(
            data in prop::collection::vec(any::<u8>(), 1..200),
            cuts in prop::collection::vec(1usize..20, 1..40),
            start in any::<u32>(),
            swaps in prop::collection::vec(0usize..40, 0..20),
        ) {
            let mut segments = Vec::new();
            let mut at = 0;
            for cut in cuts.iter().cycle() {
                if at >= data.len() { break; }
                let end = (at + cut).min(data.len());
                segments.push((start.wrapping_add(1).wrapping_add(at as u32), &data[at..end], (end - at) as u32));
                at = end;
            }
            let n = segments.len();
            for s in swaps {
                if n > 1 { segments.swap(s % (n - 1), s % (n - 1) + 1); }
            }
            // Adjacent swaps can carry one segment far; keep only orders in which none is early by more than the allowance.
            let mut order_ok = true;
            let mut seen = std::collections::BTreeSet::new();
            let mut next = start.wrapping_add(1);
            for (seq, payload, _) in &segments {
                seen.insert((seq.wrapping_sub(start), payload.len()));
                while let Some(first) = seen.first().copied() {
                    if first.0 == next.wrapping_sub(start) {
                        next = next.wrapping_add(first.1 as u32);
                        seen.pop_first();
                    } else { break; }
                }
                order_ok &= seen.len() <= MAX_HELD;
            }
            prop_assume!(order_ok);
            let (out, gap, _) = run(&segments, Some(start));
            prop_assert_eq!(gap, 0);
            prop_assert_eq!(out, data);
        }
    }
}
