//! What each TCP segment means for its connection.

use super::carrier::Carried;
use super::mqtt::Talk;
use super::{Engine, Sink};
use crate::decode::{Packet, TcpFlags, TcpSegment};
use crate::detect::rules;
use crate::detect::scorer::Scorer;
use crate::features::connection::vector;
use crate::flow::carrier::Carrier;
use crate::flow::connection::{Connection, Ends, Half, Phase};
use crate::flow::key::{Direction, FlowKey, Socket};
use crate::flow::record::EndReason;
use crate::flow::stream::Delivery;
use crate::flow::table::Handle;
use crate::host::sketch::Sketch;
use crate::host::window::Counter;
use crate::limits::{SYN_TIMEOUT_SECS, VECTOR_EVERY_SECS};
use crate::mqtt::framer::Framer;
use crate::time::Timestamp;

impl<S: Scorer> Engine<'_, S> {
    pub(super) fn on_segment<K: Sink>(
        &mut self,
        packet: &Packet<'_>,
        segment: &TcpSegment<'_>,
        now: Timestamp,
        sink: &mut K,
    ) {
        let src = Socket { addr: packet.src, port: segment.src_port };
        let dst = Socket { addr: packet.dst, port: segment.dst_port };
        let key = FlowKey::new(src, dst);
        let opens = segment.flags.has(TcpFlags::SYN) && !segment.flags.has(TcpFlags::ACK);
        let found = self
            .connections
            .find(&key, now)
            .filter(|handle| !(opens && self.is_reopened(*handle, src, segment)));
        let handle = match found {
            Some(handle) => handle,
            None if opens || segment.wire_payload_len > 0 => {
                if let Some(old) = self.connections.find(&key, now) {
                    self.end_and_remove(old, EndReason::EndOfFlow, now, sink);
                }
                self.open(key, src, dst, opens, now, sink)
            }
            None => {
                // A stray acknowledgement, reset or answer: no evidence against anyone (backscatter looks like this).
                self.stats.stray += 1;
                return;
            }
        };
        if opens && found.is_none() {
            self.on_syn(handle, packet, now);
        }
        let Some((_, connection)) = self.connections.at(handle) else {
            return;
        };
        connection.last_seen = now;
        let direction = connection.direction_from(src);
        let half = match direction {
            Direction::ToServer => &mut connection.up,
            Direction::ToClient => &mut connection.down,
        };
        half.meter.measure(now, packet.ip_len, segment);
        if connection.ours {
            return;
        }
        let before = connection.phase;
        if segment.flags.has(TcpFlags::SYN) {
            half.stream.synchronise(segment.seq);
            if segment.flags.has(TcpFlags::ACK)
                && before == Phase::Opening
                && direction == Direction::ToClient
            {
                connection.phase = Phase::Open;
            }
        }
        if segment.wire_payload_len > 0 && before != Phase::Closed {
            connection.phase = Phase::Open;
            self.on_payload(handle, direction, segment, now, sink);
        }
        if segment.flags.has(TcpFlags::ACK) {
            // It releases what the other direction holds back behind octets the capture missed.
            self.drain(handle, direction.reverse(), Some(segment.ack), now, sink);
        }
        if segment.flags.has(TcpFlags::RST) || segment.flags.has(TcpFlags::FIN) {
            self.on_closing(handle, direction, segment.flags, now, sink);
        }
    }

    /// Whether a SYN on a known five-tuple begins a new connection rather than repeating the first one.
    fn is_reopened(&mut self, handle: Handle, src: Socket, segment: &TcpSegment<'_>) -> bool {
        self.connections.at(handle).is_some_and(|(_, connection)| {
            connection.phase == Phase::Closed
                || connection.ends.client != src
                || (connection.phase == Phase::Open
                    && !connection.up.stream.expects(segment.seq.wrapping_add(1)))
        })
    }

    fn open<K: Sink>(
        &mut self,
        key: FlowKey,
        src: Socket,
        dst: Socket,
        opens: bool,
        now: Timestamp,
        sink: &mut K,
    ) -> Handle {
        self.stats.connections_opened += 1;
        let is_mqtt = |socket: Socket| self.settings.mqtt_ports.contains(&socket.port);
        let src_is_client = opens || is_mqtt(dst) || (!is_mqtt(src) && src.port >= dst.port);
        let (client, server) = if src_is_client { (src, dst) } else { (dst, src) };
        let ends = Ends { client, server, host: Handle::NONE };
        let phase = if opens { Phase::Opening } else { Phase::Open };
        let mut connection = Connection::new(ends, phase, now);
        if !opens {
            connection.up.framer = Framer::IN_THE_MIDDLE;
            connection.down.framer = Framer::IN_THE_MIDDLE;
            connection.up.from_start = false;
            connection.down.from_start = false;
        }
        let inserted = self.connections.insert(key, connection, now);
        let due = if opens { SYN_TIMEOUT_SECS } else { VECTOR_EVERY_SECS };
        self.connection_due.set(inserted.handle.index(), now.as_secs() + due);
        if let Some((_, mut evicted)) = inserted.evicted {
            self.stats.connections_evicted += 1;
            self.end(&mut evicted, EndReason::LackOfResources, now, sink);
        }
        inserted.handle
    }

    fn on_syn(&mut self, handle: Handle, packet: &Packet<'_>, now: Timestamp) {
        let Some((_, connection)) = self.connections.at(handle) else {
            return;
        };
        let target = connection.ends.server.addr;
        let hash = self.settings.key.hash(&target);
        let Some(host) = self.knowledge.host(&mut connection.ends, now) else {
            return;
        };
        // Loopback has a link address of zeros, which names nobody.
        host.mac = packet.src_mac.filter(|mac| *mac != [0; 6]).or(host.mac);
        host.target = Some(target);
        host.count(Counter::Syn, 1, now.as_secs());
        host.note(Sketch::Hosts, hash, now.as_secs());
    }

    fn on_payload<K: Sink>(
        &mut self,
        handle: Handle,
        direction: Direction,
        segment: &TcpSegment<'_>,
        now: Timestamp,
        sink: &mut K,
    ) {
        let Some((_, connection)) = self.connections.at(handle) else {
            return;
        };
        match connection.carrier {
            Carrier::Plain => {}
            Carrier::Other => return,
            _ => return self.on_carried(handle, direction, segment, now, sink),
        }
        let Connection { ends, up, down, session, ours, .. } = connection;
        let from_start = up.from_start;
        let knowledge = &mut self.knowledge;
        let octets = segment.wire_payload_len;
        knowledge.count_segment(ends, direction, octets, now);
        let half = match direction {
            Direction::ToServer => up,
            Direction::ToClient => down,
        };
        let Half { stream, framer, .. } = half;
        let mut talk = Talk { ends, session, ours, from_start, direction, now };
        let heads = &mut self.heads;
        stream.accept(
            segment.seq,
            segment.payload,
            octets,
            &mut self.held,
            &mut self.stats.stream,
            &mut |delivery| knowledge.on_delivery(&mut talk, framer, heads, delivery, sink),
        );
    }

    /// Hands on held segments of one direction: up to an acknowledgement, or all.
    #[inline]
    fn drain<K: Sink>(
        &mut self,
        handle: Handle,
        direction: Direction,
        ack: Option<u32>,
        now: Timestamp,
        sink: &mut K,
    ) {
        let Some((_, connection)) = self.connections.at(handle) else {
            return;
        };
        let Connection { ends, up, down, session, ours, carrier, .. } = connection;
        let from_start = up.from_start;
        let (half, other) = match direction {
            Direction::ToServer => (up, down),
            Direction::ToClient => (down, up),
        };
        let Half { stream, framer, .. } = half;
        if !stream.holds() {
            return;
        }
        let mqtt_port = self.settings.mqtt_ports.contains(&ends.server.port);
        let talk = Talk { ends, session, ours, from_start, direction, now };
        let mut carried = Carried { talk, carrier, framer, other, mqtt_port };
        let (knowledge, heads) = (&mut self.knowledge, &mut self.heads);
        let mut deliver = |delivery: Delivery<'_>| knowledge.on_carried(&mut carried, heads, delivery, sink);
        match ack {
            Some(ack) => stream.acknowledged(ack, &mut self.held, &mut self.stats.stream, &mut deliver),
            None => stream.finish(&mut self.held, &mut self.stats.stream, &mut deliver),
        }
    }

    /// FIN or RST.
    fn on_closing<K: Sink>(
        &mut self,
        handle: Handle,
        from: Direction,
        flags: TcpFlags,
        now: Timestamp,
        sink: &mut K,
    ) {
        let Some((_, connection)) = self.connections.at(handle) else {
            return;
        };
        let phase = connection.phase;
        if phase == Phase::Closed {
            return;
        }
        let other_had_finished = match from {
            Direction::ToServer => connection.down.finished,
            Direction::ToClient => connection.up.finished,
        };
        if flags.has(TcpFlags::FIN) {
            match from {
                Direction::ToServer => connection.up.finished = true,
                Direction::ToClient => connection.down.finished = true,
            }
        }
        if !flags.has(TcpFlags::RST) && !other_had_finished {
            let by_broker = from == Direction::ToClient;
            let Connection { ends, session, .. } = connection;
            self.knowledge.on_session_end(ends, session, by_broker, now);
            return;
        }
        self.drain(handle, Direction::ToServer, None, now, sink);
        self.drain(handle, Direction::ToClient, None, now, sink);
        let Some((_, connection)) = self.connections.at(handle) else {
            return;
        };
        connection.phase = Phase::Closed;
        let mut ended = core::mem::replace(connection, Connection::new(connection.ends, Phase::Closed, now));
        ended.phase = phase;
        let by_broker = from == Direction::ToClient && !ended.up.finished;
        let Connection { ends, session, .. } = &mut ended;
        self.knowledge.on_session_end(ends, session, by_broker, now);
        self.end(&mut ended, EndReason::EndOfFlow, now, sink);
        self.connection_due.set(handle.index(), now.as_secs() + crate::limits::LINGER_SECS);
    }

    /// Ends the record of a connection that leaves the table or is over: gauges, scan evidence, last vector.
    pub(super) fn end<K: Sink>(
        &mut self,
        connection: &mut Connection,
        reason: EndReason,
        now: Timestamp,
        sink: &mut K,
    ) {
        if connection.phase == Phase::Closed {
            return;
        }
        let unused = !connection.carried_data() && !connection.ours;
        let answered = connection.phase == Phase::Open;
        let Connection { ends, session, .. } = connection;
        self.knowledge.on_session_end(ends, session, false, now);
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
