//! Segments that came before their turn.

use super::{Delivery, Journal, Place, Stream, Streams, distance};

/// Segments one direction may hold back.
pub(super) const MAX_HELD: u32 = 16;

impl Stream {
    /// Holds a segment until its turn comes, if there is room.
    pub(super) fn accept_early(
        &mut self,
        seq: u32,
        payload: &[u8],
        wire_len: u32,
        streams: &mut Streams<'_>,
        deliver: &mut impl FnMut(Delivery<'_>),
    ) {
        let (mut segments, mut furthest) = (0, None);
        let mut place = self.held;
        while let Some(record) = streams.held.get(place) {
            if record.seq == seq && record.wire_len == wire_len && record.octets == payload {
                streams.stats.retransmitted += 1;
                return;
            }
            if furthest.is_none_or(|(_, seq)| distance(record.seq, seq) > 0) {
                furthest = Some((place, record.seq));
            }
            segments += 1;
            place = record.before;
        }
        if segments >= MAX_HELD {
            if self.acked.is_none() {
                // Nobody will tell that the gap does not matter any more.
                self.pass(seq, payload, wire_len, streams, deliver);
                return;
            }
            // As a receiver does whose window is small: what is furthest from its turn goes.
            streams.stats.not_held += 1;
            match furthest {
                Some((place, last)) if distance(seq, last) < 0 => self.unlink(place, &mut streams.held),
                _ => return,
            }
        }
        if let Some(place) = streams.held.put(self.held, seq, payload, wire_len) {
            streams.stats.held += 1;
            self.held = place;
        } else {
            streams.stats.not_held += 1;
        }
    }

    /// Goes on to an early segment that cannot be held: everything held before it, then the gap, then the segment.
    fn pass(
        &mut self,
        seq: u32,
        payload: &[u8],
        wire_len: u32,
        streams: &mut Streams<'_>,
        deliver: &mut impl FnMut(Delivery<'_>),
    ) {
        while let Some(first) = self.first_held(&streams.held) {
            if distance(first, seq) >= 0 {
                break;
            }
            self.skip_to(first, &mut streams.stats, deliver);
            self.release(streams, deliver);
        }
        self.skip_to(seq, &mut streams.stats, deliver);
        self.accept_due(seq, payload, wire_len, &mut streams.recent, &mut streams.stats, deliver);
        self.release(streams, deliver);
    }

    /// The lowest sequence number that is held. Forgets a chain of which nothing is left.
    pub(super) fn first_held(&mut self, held: &Journal<'_>) -> Option<u32> {
        let mut first = None;
        let mut place = self.held;
        while let Some(record) = held.get(place) {
            first = Some(first.map_or(record.seq, |first| {
                if distance(record.seq, first) < 0 { record.seq } else { first }
            }));
            place = record.before;
        }
        if first.is_none() {
            self.held = Place::NONE;
        }
        first
    }

    /// Takes a record out of the chain of those held.
    fn unlink(&mut self, gone: Place, held: &mut Journal<'_>) {
        let before = held.get(gone).map_or(Place::NONE, |record| record.before);
        if self.held == gone {
            self.held = before;
            return;
        }
        let mut place = self.held;
        while let Some(record) = held.get(place) {
            if record.before == gone {
                held.relink(place, before);
                return;
            }
            place = record.before;
        }
    }

    /// Hands on every held segment whose turn has come; of several, the one that came first.
    #[cold]
    pub(super) fn release(&mut self, streams: &mut Streams<'_>, deliver: &mut impl FnMut(Delivery<'_>)) {
        let Streams { held, recent, stats } = streams;
        while let Some(next) = self.next {
            let mut due = Place::NONE;
            let mut place = self.held;
            while let Some(record) = held.get(place) {
                if distance(record.seq, next) <= 0 {
                    due = place;
                }
                place = record.before;
            }
            if due == Place::NONE {
                return;
            }
            self.unlink(due, held);
            if let Some(record) = held.get(due) {
                self.accept_due(record.seq, record.octets, record.wire_len, recent, stats, deliver);
            }
        }
    }
}
