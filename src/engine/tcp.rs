//! What each TCP segment means for its connection.

use super::carrier::Carried;
use super::mqtt::Parts;
use super::{Engine, Sink};
use crate::decode::{Packet, TcpFlags, TcpSegment};
use crate::detect::scorer::Scorer;
use crate::flow::anomaly::Anomaly;
use crate::flow::carrier::{Beginning, Carrier, beginning};
use crate::flow::connection::{Connection, Ends, Half, Phase};
use crate::flow::duplicate::{self, mark};
use crate::flow::key::{Direction, FlowKey, Socket};
use crate::flow::record::EndReason;
use crate::flow::stream::{Delivery, Stream};
use crate::flow::table::Handle;
use crate::host::rare::Rare;
use crate::host::sketch::Sketch;
use crate::host::window::Counter;
use crate::limits::{SYN_TIMEOUT_SECS, VECTOR_EVERY_SECS};
use crate::mqtt::framer::Framer;
use crate::time::Timestamp;

/// What a SYN on a known five-tuple means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Syn {
    /// It repeats the first one.
    Repeats,
    /// It begins a new connection.
    Opens,
    /// Whether it begins a new connection is for its receiver to say.
    Waits,
}

/// The counter of a service that is guessed at, by its ports (IANA: `ssh`, `telnet`) and those that devices use in their place.
const fn service(port: u16) -> Option<Rare> {
    match port {
        22 | 2222 => Some(Rare::SshOpened),
        23 | 2323 => Some(Rare::TelnetOpened),
        _ => None,
    }
}

/// Whether a payload begins with an HTTP request (RFC 9112, section 3).
#[cold]
fn asks_http(payload: &[u8]) -> bool {
    const METHODS: [&[u8]; 6] = [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"OPTIONS "];
    METHODS.iter().any(|method| payload.starts_with(method))
}

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
        let flags = segment.flags;
        let opens = flags.has(TcpFlags::SYN) && !flags.has_any(TcpFlags::ACK | TcpFlags::RST);
        let found = match self.connections.find(&key, now) {
            Some(handle) if flags.has(TcpFlags::SYN) => {
                match self.on_known_syn(handle, src, segment, now, sink) {
                    Syn::Repeats => Some(handle),
                    Syn::Opens => None,
                    Syn::Waits => return,
                }
            }
            found => found,
        };
        let handle = match found {
            Some(handle) => handle,
            None if opens || segment.wire_payload_len > 0 || flags.has(TcpFlags::SYN) => {
                if let Some(old) = self.connections.find(&key, now) {
                    self.end_and_remove(old, EndReason::EndOfFlow, now, sink);
                } else if !opens && segment.wire_payload_len == 0 {
                    // An answer to a SYN that was not seen (backscatter looks like this).
                    self.stats.stray += 1;
                    return;
                }
                if !flags.has_any(TcpFlags::SYN | TcpFlags::RST) {
                    self.knowledge.on_probe(Counter::Stray, packet.src, segment.dst_port, now);
                }
                self.open(key, src, dst, segment, now, sink)
            }
            None => {
                if !flags.has(TcpFlags::RST) {
                    self.knowledge.on_probe(Counter::Stray, packet.src, segment.dst_port, now);
                }
                // A stray acknowledgement or reset: no evidence against anyone (backscatter looks like this, too).
                self.stats.stray += 1;
                return;
            }
        };
        if flags.has(TcpFlags::SYN) && found.is_none() {
            self.on_syn(handle, if opens { packet.src_mac } else { None }, now);
        }
        let Some((_, connection)) = self.connections.at(handle) else {
            return;
        };
        let direction = connection.direction_from(src);
        let is_tracked = !matches!(connection.carrier, Carrier::Other) && !connection.ours;
        let (half, other) = connection.halves(direction);
        if half.marks.note(mark(packet, segment))
            && half.meter.last().is_some_and(|last| now <= last + duplicate::WITHIN)
        {
            // Nothing can hide here: octets count as a copy only when they are known to be the same.
            let repeats = segment.wire_payload_len == 0
                || !is_tracked
                || half.stream.repeats(segment.seq, segment.payload, &self.streams);
            if repeats && !flags.has_any(TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST) {
                self.stats.duplicates += 1;
                return;
            }
        }
        half.meter.measure(now, packet.ip_len, segment);
        let mut drains = false;
        let is_near = half.stream.is_near(segment.seq);
        if flags.has(TcpFlags::SYN) {
            half.stream.synchronise(segment.seq);
        }
        if flags.has(TcpFlags::ACK) && is_near {
            drains = other.stream.note_ack(segment.ack);
        }
        let is_keep_alive = half.stream.is_keep_alive(segment.seq, segment.wire_payload_len)
            && !flags.has_any(TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST);
        let is_finished = half.finished;
        connection.last_seen = now;
        if connection.ours {
            return;
        }
        if connection.phase == Phase::Closed || is_finished {
            return self.on_segment_after_the_end(handle, direction, segment, drains, now, sink);
        }
        if is_keep_alive {
            self.streams.stats.keep_alives += 1;
        } else if segment.wire_payload_len > 0 && !flags.has(TcpFlags::RST) {
            if !flags.has(TcpFlags::SYN) {
                connection.phase = Phase::Open;
                connection.doubted_end = false;
            }
            if core::mem::take(&mut drains) {
                // What it acknowledges came before what it says.
                self.drain(handle, direction.reverse(), Some(segment.ack), now, sink);
            }
            self.on_payload(handle, direction, segment, now, sink);
            if let Some(old) = self.knowledge.taken_over.take() {
                self.on_taken_over(old, now);
            }
        }
        if drains {
            // It releases what the other direction holds back behind octets the capture missed.
            self.drain(handle, direction.reverse(), Some(segment.ack), now, sink);
        }
        if flags.has_any(TcpFlags::RST | TcpFlags::FIN) {
            if is_near {
                self.on_closing(handle, direction, segment, now, sink);
            } else {
                self.streams.stats.out_of_window += 1;
            }
        }
    }

    /// A segment with SYN on a known five-tuple. One that is forged must not end or restart what is going on: a SYN
    /// is believed once its receiver answers it.
    fn on_known_syn<K: Sink>(
        &mut self,
        handle: Handle,
        src: Socket,
        segment: &TcpSegment<'_>,
        now: Timestamp,
        sink: &mut K,
    ) -> Syn {
        let Some((_, connection)) = self.connections.at(handle) else {
            return Syn::Opens;
        };
        let direction = connection.direction_from(src);
        let ends = (connection.ends.client, connection.ends.server);
        let phase = connection.phase;
        let doubted = connection.doubted_syn;
        let (half, other) = connection.halves(direction);
        let first = segment.seq.wrapping_add(1);
        if segment.flags.has(TcpFlags::ACK) {
            let answers = doubted
                .is_some_and(|(from, seq)| from == direction.reverse() && segment.ack.wrapping_sub(1) == seq);
            if answers {
                return Syn::Opens;
            }
            // An answer to something that was not said.
            let fits = other.stream.has_sent(segment.ack);
            if phase == Phase::Opening && direction == Direction::ToClient && fits {
                connection.phase = Phase::Open;
            } else if phase == Phase::Opening || !half.stream.is_near(first) {
                self.streams.stats.out_of_window += 1;
                return Syn::Waits;
            }
            return Syn::Repeats;
        }
        if segment.flags.has(TcpFlags::RST) {
            return Syn::Repeats;
        }
        let repeats = direction == Direction::ToServer && half.stream.next() == Some(first);
        let is_answered = half.stream.is_positioned() && other.stream.is_positioned();
        match phase {
            Phase::Closed => return Syn::Opens,
            _ if repeats => return Syn::Repeats,
            // Nobody was heard to answer so far, so nobody is waited for.
            Phase::Open if !is_answered => return Syn::Opens,
            Phase::Open => {
                self.streams.stats.syns_in_connection += 1;
                connection.doubted_syn = Some((direction, segment.seq));
                self.knowledge.tell(Anomaly::SynInConnection, ends, direction, now, sink);
            }
            Phase::Opening => connection.doubted_syn = Some((direction, segment.seq)),
        }
        Syn::Waits
    }

    fn open<K: Sink>(
        &mut self,
        key: FlowKey,
        src: Socket,
        dst: Socket,
        segment: &TcpSegment<'_>,
        now: Timestamp,
        sink: &mut K,
    ) -> Handle {
        self.stats.connections_opened += 1;
        let is_mqtt = |socket: Socket| self.settings.mqtt_ports.contains(&socket.port);
        let opens = segment.flags.has(TcpFlags::SYN);
        let answers = opens && segment.flags.has(TcpFlags::ACK);
        let src_is_client = !answers && (opens || is_mqtt(dst) || (!is_mqtt(src) && src.port >= dst.port));
        let (client, server) = if src_is_client { (src, dst) } else { (dst, src) };
        let ends = Ends { client, server, host: Handle::NONE };
        let phase = if opens && !answers { Phase::Opening } else { Phase::Open };
        let mut connection = Connection::new(ends, phase, now);
        if answers {
            connection.up.stream.synchronise(segment.ack.wrapping_sub(1));
        }
        if !opens {
            connection.up.framer = Framer::IN_THE_MIDDLE;
            connection.down.framer = Framer::IN_THE_MIDDLE;
            connection.up.from_start = false;
            connection.down.from_start = false;
            connection.session.conformance.on_gap(now);
        }
        let inserted = self.connections.insert(key, connection, now);
        let due = if phase == Phase::Opening { SYN_TIMEOUT_SECS } else { VECTOR_EVERY_SECS };
        self.connection_due.set(inserted.handle.index(), now.as_secs() + due);
        if let Some((_, mut evicted)) = inserted.evicted {
            self.stats.connections_evicted += 1;
            self.end(&mut evicted, EndReason::LackOfResources, now, sink);
        }
        inserted.handle
    }

    fn on_syn(&mut self, handle: Handle, mac: Option<[u8; 6]>, now: Timestamp) {
        let Some((_, connection)) = self.connections.at(handle) else {
            return;
        };
        let target = connection.ends.server.addr;
        let service = service(connection.ends.server.port);
        let hash = self.settings.key.hash(&target);
        let Some(host) = self.knowledge.host(&mut connection.ends, now) else {
            return;
        };
        // Loopback has a link address of zeros, which names nobody.
        host.mac = mac.filter(|mac| *mac != [0; 6]).or(host.mac);
        host.target = Some(target);
        host.count(Counter::Syn, 1, now.as_secs());
        host.note(Sketch::Hosts, hash, now.as_secs());
        if let Some(opened) = service {
            host.count_rare(opened, 1, now.as_secs());
        }
    }

    pub(super) fn on_payload<K: Sink>(
        &mut self,
        handle: Handle,
        direction: Direction,
        segment: &TcpSegment<'_>,
        now: Timestamp,
        sink: &mut K,
    ) {
        if segment.flags.has(TcpFlags::URG) {
            return self.on_urgent(handle, direction, segment, now, sink);
        }
        self.on_octets(handle, direction, segment, now, sink);
    }

    /// Takes a segment with an urgent octet, which its receiver gets apart from the others (RFC 9293, section 3.8.5;
    /// RFC 6093): the pointer is that of the octet behind it, as nearly everybody has it.
    #[cold]
    fn on_urgent<K: Sink>(
        &mut self,
        handle: Handle,
        direction: Direction,
        segment: &TcpSegment<'_>,
        now: Timestamp,
        sink: &mut K,
    ) {
        self.streams.stats.urgent += 1;
        if let Some((_, connection)) = self.connections.at(handle) {
            let ends = (connection.ends.client, connection.ends.server);
            self.knowledge.tell(Anomaly::Urgent, ends, direction, now, sink);
        }
        let place = usize::from(segment.urgent.max(1)) - 1;
        let Some((before, [_, after @ ..])) = segment.payload.split_at_checked(place) else {
            return self.on_octets(handle, direction, segment, now, sink);
        };
        let first_len = segment.urgent.max(1).into();
        let first = TcpSegment {
            payload: before,
            wire_payload_len: u32::from(segment.urgent.max(1)) - 1,
            ..*segment
        };
        if !before.is_empty() {
            self.on_octets(handle, direction, &first, now, sink);
        }
        let seq = segment.first_octet().wrapping_add(first_len);
        let rest = TcpSegment {
            seq,
            flags: TcpFlags::new(segment.flags.bits() & !TcpFlags::SYN),
            payload: after,
            wire_payload_len: segment.wire_payload_len.saturating_sub(first_len),
            ..*segment
        };
        if let Some((_, connection)) = self.connections.at(handle) {
            connection.halves(direction).0.stream.skip_urgent(seq.wrapping_sub(1));
        }
        if rest.wire_payload_len > 0 {
            self.on_octets(handle, direction, &rest, now, sink);
        }
    }

    fn on_octets<K: Sink>(
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
            _ if direction == Direction::ToServer && asks_http(segment.payload) => {
                self.knowledge.count(&mut connection.ends, Counter::HttpRequest, 1, now);
            }
            _ => {}
        }
        match connection.carrier {
            Carrier::Plain => {}
            Carrier::Other => return self.on_other(handle, direction, segment, now, sink),
            _ => return self.on_carried(handle, direction, segment, now, sink),
        }
        let Parts { mut talk, half, .. } = Parts::of(connection, handle, direction, now);
        let knowledge = &mut self.knowledge;
        let octets = segment.wire_payload_len;
        knowledge.count_segment(talk.ends, direction, octets, now);
        let Half { stream, framer, .. } = half;
        let heads = &mut self.heads;
        stream.accept(segment.first_octet(), segment.payload, octets, &mut self.streams, &mut |delivery| {
            knowledge.on_delivery(&mut talk, framer, heads, delivery, sink);
        });
    }

    /// Follows a connection that is not MQTT, and looks whether its client says CONNECT in place of what it said
    /// first: then the receiver may have got that instead.
    fn on_other<K: Sink>(
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
        let seq = segment.first_octet();
        let ends = (connection.ends.client, connection.ends.server);
        let (half, _) = connection.halves(direction);
        let says_it_now = direction == Direction::ToServer
            && half.stream.has_passed(seq)
            && beginning(segment.payload) == Beginning::Connect;
        if !says_it_now {
            half.stream.follow(seq, segment.wire_payload_len);
            return;
        }
        half.stream = Stream::NEW;
        connection.carrier = Carrier::NEW;
        self.streams.stats.conflicts += 1;
        self.knowledge.tell(Anomaly::OverlapConflict, ends, direction, now, sink);
        self.on_carried(handle, direction, segment, now, sink);
    }

    /// Hands on held segments of one direction: up to an acknowledgement, or all.
    #[cold]
    pub(super) fn drain<K: Sink>(
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
        let Parts { talk, carrier, half, other } = Parts::of(connection, handle, direction, now);
        let Half { stream, framer, .. } = half;
        let mqtt_port = self.settings.mqtt_ports.contains(&talk.ends.server.port);
        let mut carried = Carried { talk, carrier, framer, other, mqtt_port };
        let (knowledge, heads) = (&mut self.knowledge, &mut self.heads);
        let mut deliver = |delivery: Delivery<'_>| knowledge.on_carried(&mut carried, heads, delivery, sink);
        match ack {
            Some(ack) => stream.acknowledged(ack, &mut self.streams, &mut deliver),
            None => stream.finish(&mut self.streams, &mut deliver),
        }
    }

    /// The session of this connection went on to another: its server has to close it.
    #[cold]
    fn on_taken_over(&mut self, old: Handle, now: Timestamp) {
        if let Some((_, connection)) = self.connections.at(old)
            && connection.phase == Phase::Open
            && connection.session.accepted
            && !connection.up.finished
            && !connection.down.finished
        {
            connection.session.conformance.on_taken_over(now);
        }
    }
}
