//! How connections end, and how some go on after all.

use super::scoring::Subject;
use super::{Engine, Sink};
use crate::decode::{TcpFlags, TcpSegment};
use crate::detect::rules;
use crate::detect::scorer::Scorer;
use crate::event::Reaction;
use crate::features::connection::vector;
use crate::flow::anomaly::Anomaly;
use crate::flow::connection::{Connection, Phase};
use crate::flow::key::Direction;
use crate::flow::record::EndReason;
use crate::flow::table::Handle;
use crate::host::sketch::Sketch;
use crate::host::window::Counter;
use crate::limits::{LINGER_SECS, VECTOR_EVERY_SECS};
use crate::mqtt::conformance::Found;
use crate::time::Timestamp;

impl<S: Scorer> Engine<'_, S> {
    /// FIN or RST.
    #[cold]
    pub(super) fn on_closing<K: Sink>(
        &mut self,
        handle: Handle,
        from: Direction,
        segment: &TcpSegment<'_>,
        now: Timestamp,
        sink: &mut K,
    ) {
        let resets = segment.flags.has(TcpFlags::RST);
        let Some((_, connection)) = self.connections.at(handle) else {
            return;
        };
        let is_over = connection.phase == Phase::Closed;
        if resets && !is_over && !self.is_reset(handle, from, segment, now, sink) {
            return;
        }
        let Some((_, connection)) = self.connections.at(handle) else {
            return;
        };
        let (half, other) = connection.halves(from);
        half.reset |= resets;
        half.finished = true;
        let other_had_finished = other.finished;
        if is_over {
            return;
        }
        let by_broker = from == Direction::ToClient;
        if by_broker && !other_had_finished {
            self.knowledge.on_encrypted_end(connection, now, sink);
        }
        let reaction = if by_broker { Reaction::Closed } else { Reaction::Ignored };
        let Connection { ends, session, .. } = connection;
        if by_broker {
            let found = session.conformance.on_server_closes(now);
            if found != Found::NONE {
                self.knowledge.note_found(ends, session, found, None, now, sink);
            }
        }
        self.knowledge.on_reaction(ends, session, reaction, now, sink);
        if !resets && !other_had_finished {
            self.knowledge.on_session_end(ends, session, by_broker, now);
            return;
        }
        self.drain(handle, Direction::ToServer, None, now, sink);
        self.drain(handle, Direction::ToClient, None, now, sink);
        let Some((_, connection)) = self.connections.at(handle) else {
            return;
        };
        let closed = Connection::new(connection.ends, Phase::Closed, now);
        let mut ended = core::mem::replace(connection, closed);
        let Connection { ends, session, .. } = &mut ended;
        self.knowledge.on_session_end(ends, session, by_broker && !other_had_finished, now);
        self.end(&mut ended, EndReason::EndOfFlow, now, sink);
        if let Some((_, connection)) = self.connections.at(handle) {
            // Its streams are kept: octets may still come, and the end may be a forged one.
            *connection = Connection { phase: Phase::Closed, last_seen: now, ..ended };
        }
        self.connection_due.set(handle.index(), now.as_secs() + LINGER_SECS);
    }

    /// Whether the receiver of a RST has reason to take it. If not, the connection is over only if it falls silent.
    fn is_reset<K: Sink>(
        &mut self,
        handle: Handle,
        from: Direction,
        segment: &TcpSegment<'_>,
        now: Timestamp,
        sink: &mut K,
    ) -> bool {
        let Some((_, connection)) = self.connections.at(handle) else {
            return false;
        };
        let ends = (connection.ends.client, connection.ends.server);
        if segment.wire_payload_len > 0 {
            // No receiver reads it (RFC 9293, section 3.5.2, lets it be an explanation).
            self.streams.stats.resets_with_data += 1;
            self.knowledge.tell(Anomaly::ResetWithData, ends, from, now, sink);
        }
        let (half, other) = connection.halves(from);
        let believed = if half.stream.is_positioned() {
            half.stream.resets_at(segment.seq)
                // FIN takes a number of its own.
                || (half.finished && half.stream.resets_at(segment.seq.wrapping_sub(1)))
        } else {
            // It refuses a SYN, and says which.
            !segment.flags.has(TcpFlags::ACK) || other.stream.has_sent(segment.ack)
        };
        if !believed {
            connection.doubted_end = true;
            self.streams.stats.resets_refused += 1;
            self.knowledge.tell(Anomaly::ResetRefused, ends, from, now, sink);
        }
        believed
    }

    /// A segment from one that had said FIN, or of a connection that is over. Stragglers are read like all others. But who goes
    /// on after its own end has not ended: then that was forged, or made for us to see and for nobody else.
    #[cold]
    pub(super) fn on_segment_after_the_end<K: Sink>(
        &mut self,
        handle: Handle,
        direction: Direction,
        segment: &TcpSegment<'_>,
        drains: bool,
        now: Timestamp,
        sink: &mut K,
    ) {
        let Some((_, connection)) = self.connections.at(handle) else {
            return;
        };
        let is_doubted = connection.doubted_end;
        let (half, other) = connection.halves(direction);
        let resets = segment.flags.has(TcpFlags::RST);
        let before = half.stream.next();
        let is_near = half.stream.is_near(segment.seq);
        let has_heard = is_doubted
            && half.reset
            && !resets
            && segment.flags.has(TcpFlags::ACK)
            && is_near
            && other.stream.next() == Some(segment.ack);
        if segment.wire_payload_len > 0 && !resets {
            self.on_payload(handle, direction, segment, now, sink);
        }
        if drains {
            self.drain(handle, direction.reverse(), Some(segment.ack), now, sink);
        }
        let Some((_, connection)) = self.connections.at(handle) else {
            return;
        };
        let is_over = connection.phase == Phase::Closed;
        let (half, _) = connection.halves(direction);
        let goes_on = half.stream.next() != before;
        let lives = has_heard || goes_on && half.finished;
        if goes_on && is_over {
            // The other end may not know yet that it is over.
            connection.doubted_end = true;
        }
        if lives {
            self.revive(handle, direction, now, sink);
        }
        if is_near && segment.flags.has_any(TcpFlags::RST | TcpFlags::FIN) {
            self.on_closing(handle, direction, segment, now, sink);
        }
    }

    /// Takes a connection up again that had ended.
    fn revive<K: Sink>(&mut self, handle: Handle, direction: Direction, now: Timestamp, sink: &mut K) {
        let Some((_, connection)) = self.connections.at(handle) else {
            return;
        };
        let ends = (connection.ends.client, connection.ends.server);
        connection.doubted_end = false;
        for half in [&mut connection.up, &mut connection.down] {
            half.finished = false;
            half.reset = false;
        }
        if connection.phase == Phase::Closed {
            connection.phase = Phase::Open;
            connection.record_start = now;
            self.connection_due.set(handle.index(), now.as_secs() + VECTOR_EVERY_SECS);
        }
        let Connection { ends: both, session, .. } = connection;
        self.knowledge.on_session_resumed(both, session, now);
        self.streams.stats.revived += 1;
        self.knowledge.tell(Anomaly::FalseEnd, ends, direction, now, sink);
    }

    /// Ends the record of a connection that leaves the table or is over: gauges, scan evidence, last vector.
    pub(super) fn end<K: Sink>(
        &mut self,
        connection: &mut Connection,
        reason: EndReason,
        now: Timestamp,
        sink: &mut K,
    ) {
        let Connection { ends, session, .. } = &mut *connection;
        self.knowledge.on_reaction(ends, session, Reaction::Ignored, now, sink);
        self.knowledge.on_session_end(ends, session, false, now);
        if connection.phase == Phase::Closed {
            return;
        }
        let unused = !connection.carried_data() && !connection.ours;
        let answered = connection.phase == Phase::Open;
        // Refused, never answered, or opened and dropped without a word; cut short by us proves nothing once answered.
        if unused && (!answered || reason == EndReason::EndOfFlow) && connection.up.stream.is_positioned() {
            let port = self.settings.key.hash(&connection.ends.server.port);
            let addr = self.settings.key.hash(&connection.ends.server.addr);
            if let Some(host) = self.knowledge.host(&mut connection.ends, now) {
                host.count(Counter::SynFailed, 1, now.as_secs());
                host.note(Sketch::FailedPorts, port, now.as_secs());
                host.note(Sketch::FailedHosts, addr, now.as_secs());
            }
            self.knowledge.ask(rules::tcp_scan, &mut connection.ends, now, sink);
        }
        if K::WANTS_VECTORS {
            let vector = vector(connection, now);
            sink.connection_vector(
                now,
                connection.ends.client,
                connection.ends.server,
                Some(reason),
                &vector,
            );
        }
        let host = connection.ends.host;
        if !connection.ours && self.admits(Subject::Connection, host, now) {
            let row = vector(connection, now);
            self.offer(Subject::Connection, &row, host, now, sink);
        }
    }

    /// Takes a connection out of the table.
    pub(super) fn end_and_remove<K: Sink>(
        &mut self,
        handle: Handle,
        reason: EndReason,
        now: Timestamp,
        sink: &mut K,
    ) {
        if let Some((_, mut connection)) = self.connections.remove(handle) {
            self.connection_due.cancel(handle.index());
            self.end(&mut connection, reason, now, sink);
        }
    }
}
