//! What each control packet means for its session, its host and its client.

use core::time::Duration;

use super::knowledge::Knowledge;
use super::{Observed, Sink};
use crate::detect::class::Class;
use crate::detect::rules;
use crate::flow::anomaly::Anomaly;
use crate::flow::connection::{Ends, Session, Speaks};
use crate::flow::key::Direction;
use crate::flow::stream::Delivery;
use crate::host::gauge::Gauge;
use crate::host::sketch::Sketch;
use crate::host::window::Counter;
use crate::limits::LONG_KEEP_ALIVE_SECS;
use crate::mqtt::acknowledge::ConnAck;
use crate::mqtt::connect::Connect;
use crate::mqtt::framer::{Framer, HeadRing, Item};
use crate::mqtt::packet::{Body, ControlPacket, PacketType, RawPacket, parse};
use crate::mqtt::publish::{Publish, is_odd_client_id};
use crate::mqtt::topic::is_odd_name;
use crate::mqtt::violation::{Violation, Violations};
use crate::time::Timestamp;

/// What a connection is made of, besides its streams.
pub(super) struct Talk<'c> {
    pub(super) ends: &'c mut Ends,
    pub(super) session: &'c mut Session,
    /// Set when this turns out to be the product's own connection.
    pub(super) ours: &'c mut bool,
    /// The connection was seen from its SYN.
    pub(super) from_start: bool,
    pub(super) direction: Direction,
    pub(super) now: Timestamp,
}

impl Knowledge<'_> {
    /// Takes the next octets of a direction, or a gap in them, through its framer.
    #[inline]
    pub(super) fn on_delivery<K: Sink>(
        &mut self,
        talk: &mut Talk<'_>,
        framer: &mut Framer,
        heads: &mut HeadRing<'_>,
        delivery: Delivery<'_>,
        sink: &mut K,
    ) {
        if matches!(delivery, Delivery::Conflict { .. }) {
            let ends = (talk.ends.client, talk.ends.server);
            self.tell(Anomaly::OverlapConflict, ends, talk.direction, talk.now, sink);
        }
        let mut found = |item: Item<'_>| self.on_item(talk, item, sink);
        match delivery {
            Delivery::Octets(octets) => framer.push(octets, heads, &mut found),
            Delivery::Gap(len) => framer.gap(len, heads, &mut found),
            Delivery::Conflict { settled: true, .. } => {}
            Delivery::Conflict { octets, .. } => {
                // Either copy may be what the receiver took, so boundaries are known of neither.
                framer.gap(u32::MAX, heads, &mut found);
                framer.push(octets, heads, &mut found);
            }
            // The framer has gone on, so they are read by themselves.
            Delivery::Late(octets) => Framer::IN_THE_MIDDLE.clone().push(octets, heads, &mut found),
        }
    }

    /// Takes what the framer found.
    #[inline]
    fn on_item<K: Sink>(&mut self, talk: &mut Talk<'_>, item: Item<'_>, sink: &mut K) {
        if *talk.ours {
            return;
        }
        match item {
            Item::Packet(raw) => self.on_packet(talk, &raw, sink),
            Item::BadLength => {
                self.counts.bad_lengths += 1;
                if talk.direction == Direction::ToServer {
                    let mut violations = Violations::default();
                    violations.add(Violation::RemainingLength);
                    self.on_violations(talk, violations, sink);
                }
            }
            Item::Skipped(octets) => self.counts.unframed_octets += u64::from(octets),
        }
    }

    fn on_packet<K: Sink>(&mut self, talk: &mut Talk<'_>, raw: &RawPacket<'_>, sink: &mut K) {
        let packet = parse(raw, talk.direction, talk.session.version);
        self.counts.control_packets[packet.packet_type as usize] += 1;
        let up = talk.direction == Direction::ToServer;
        let mut violations = packet.violations;
        note_packet(talk, raw, &mut violations, packet.packet_type);
        match packet.body {
            Body::Publish(publish) if up => self.on_publish(talk, &publish, sink),
            Body::Publish(_) => {
                self.count(talk.ends, Counter::PublishReceived, 1, talk.now);
                self.on_used(talk);
            }
            Body::Connect(connect) if up => self.on_connect(talk, &connect, sink),
            Body::ConnAck(Some(ack)) if !up => self.on_connack(talk, &ack, sink),
            Body::Subscribe(filters) if up => {
                talk.session.tally.filters += u32::from(filters.count);
                talk.session.tally.wildcards += u32::from(filters.wildcards);
                self.count(talk.ends, Counter::Subscribe, 1, talk.now);
                self.on_used(talk);
            }
            Body::Ack(_) if !up && matches!(packet.packet_type, PacketType::PubAck | PacketType::PubRec) => {
                talk.session.tally.acknowledged += 1;
            }
            Body::Bare if packet.packet_type == PacketType::PingReq && up => {
                talk.session.tally.pings += 1;
                self.count(talk.ends, Counter::PingReq, 1, talk.now);
            }
            Body::Disconnect(_) if up => {
                talk.session.said_goodbye = true;
                self.count(talk.ends, Counter::Disconnect, 1, talk.now);
            }
            _ => {}
        }
        if K::WANTS_PACKETS && !*talk.ours {
            self.show(talk, raw, &ControlPacket { violations, ..packet }, sink);
        }
        // After the packet itself, so that a CONNECT's host is known with its client.
        let violations = violations.counted();
        if !violations.is_empty() && !*talk.ours {
            self.counts.violations += 1;
            if up {
                self.on_violations(talk, violations, sink);
            }
        }
    }

    /// Shows a packet to whoever looks on.
    fn show<K: Sink>(
        &mut self,
        talk: &Talk<'_>,
        raw: &RawPacket<'_>,
        packet: &ControlPacket<'_>,
        sink: &mut K,
    ) {
        let client_id = self.clients.at(talk.session.client).map(|(_, client)| client.id.as_slice());
        sink.control_packet(&Observed {
            ts: talk.now - Duration::from_micros(self.clock_offset),
            client: talk.ends.client,
            server: talk.ends.server,
            direction: talk.direction,
            version: talk.session.version,
            client_id,
            raw,
            packet,
        });
    }

    fn on_connect<K: Sink>(&mut self, talk: &mut Talk<'_>, connect: &Connect<'_>, sink: &mut K) {
        let (now, second) = (talk.now, talk.now.as_secs());
        let id = connect.client_id.unwrap_or_default();
        if self.is_own_client(id) {
            *talk.ours = true;
            return;
        }
        let session = &mut *talk.session;
        session.version = connect.version;
        session.connected = Some(now);
        session.keep_alive = connect.keep_alive;
        session.clean = connect.clean;
        session.has_will = connect.will.is_some();
        session.has_user = connect.user_name.is_some();
        session.client_id_len = u16::try_from(id.len()).unwrap_or(u16::MAX);
        if !id.is_empty() {
            session.client = self.client(id, now);
        }
        let (id_hash, client) = (self.key.hash_bytes(id), talk.session.client);
        let credentials = (connect.user_name.is_some() || connect.password.is_some())
            .then(|| self.key.hash(&(connect.user_name, connect.password)));
        let server = talk.ends.server;
        let Some(host) = self.host(talk.ends, now) else {
            return;
        };
        host.client = client;
        host.server = Some(server);
        host.connected_in = second;
        host.count(Counter::Connect, 1, second);
        if !id.is_empty() {
            host.note(Sketch::ClientIds, id_hash, second);
        }
        if let Some(hash) = credentials {
            host.note(Sketch::Credentials, hash, second);
        }
        if is_endless(connect.keep_alive) {
            host.count(Counter::LongKeepAlive, 1, second);
        }
        if is_odd_client_id(id) {
            host.count(Counter::Oddity, 1, second);
            self.ask(rules::malformed, talk.ends, now, sink);
        }
    }

    fn on_connack<K: Sink>(&mut self, talk: &mut Talk<'_>, ack: &ConnAck<'_>, sink: &mut K) {
        let now = talk.now;
        if let Some(connected) = talk.session.connected {
            talk.session.connack_delay = Some(u32::try_from(now.micros_since(connected)).unwrap_or(u32::MAX));
        }
        if ack.refuses() {
            talk.session.refused = true;
            self.count(talk.ends, Counter::Refused, 1, now);
            self.ask(rules::bruteforce, talk.ends, now, sink);
            return;
        }
        if talk.session.accepted {
            return;
        }
        talk.session.accepted = true;
        talk.session.counted_open = true;
        let Some(host) = self.host(talk.ends, now) else {
            return;
        };
        host.count(Counter::Accepted, 1, now.as_secs());
        host.gauges.up(Gauge::Sessions);
        host.gauges.up(Gauge::Unused);
        if ack.session_present {
            // The server kept the subscriptions: nothing more needs to be said.
            self.on_used(talk);
        }
        self.ask(rules::bruteforce_success, talk.ends, now, sink);
        if is_endless(talk.session.keep_alive) {
            self.ask(rules::slow_dos, talk.ends, now, sink);
        }
    }

    #[inline]
    fn on_publish<K: Sink>(&mut self, talk: &mut Talk<'_>, publish: &Publish<'_>, sink: &mut K) {
        let (now, second) = (talk.now, talk.now.as_secs());
        let tally = &mut talk.session.tally;
        if let Some(count) = tally.published.get_mut(usize::from(publish.qos)) {
            *count += 1;
        }
        tally.retained += u32::from(publish.retain);
        tally.duplicates += u32::from(publish.dup);
        let topic = publish.topic.unwrap_or_default();
        tally.topic_len_sum += topic.len() as u64;
        let topic_hash = self.key.hash_bytes(topic);
        let (server, client, limits) = (talk.ends.server, talk.session.client, self.thresholds);
        let Some(host) = self.host(talk.ends, now) else {
            return;
        };
        host.count(Counter::Publish, 1, second);
        host.note(Sketch::Topics, topic_hash, second);
        host.server = Some(server);
        host.client = client;
        if publish.retain {
            host.count(Counter::PublishRetained, 1, second);
        }
        if publish.qos > 0 {
            host.count(Counter::PublishAcked, 1, second);
        }
        let odd = is_odd_name(topic);
        if odd {
            host.count(Counter::Oddity, 1, second);
        }
        if rules::publish_flood_holds(host, &limits) {
            self.ask_flood(Class::MqttPublishFlood, rules::publish_flood, talk.ends, now, sink);
        }
        if odd {
            self.ask(rules::malformed, talk.ends, now, sink);
        }
        if !talk.session.used {
            self.on_used(talk);
        }
    }

    pub(super) fn on_violations<K: Sink>(
        &mut self,
        talk: &mut Talk<'_>,
        violations: Violations,
        sink: &mut K,
    ) {
        let now = talk.now;
        talk.session.tally.violations += 1;
        let server = talk.ends.server;
        let Some(host) = self.host(talk.ends, now) else {
            return;
        };
        host.server = Some(server);
        host.violation_kinds = host.violation_kinds.with(violations);
        host.count(Counter::Violation, 1, now.as_secs());
        self.ask(rules::malformed, talk.ends, now, sink);
    }

    /// The session has done what a session is for.
    #[inline]
    fn on_used(&mut self, talk: &mut Talk<'_>) {
        if talk.session.used {
            return;
        }
        talk.session.used = true;
        let (open, idle) = (talk.session.counted_open, talk.session.counted_idle);
        talk.session.counted_idle = false;
        let Some(host) = self.host(talk.ends, talk.now) else {
            return;
        };
        host.count(Counter::SessionUsed, 1, talk.now.as_secs());
        if open {
            host.gauges.down(Gauge::Unused);
        }
        if idle {
            host.gauges.down(Gauge::Idle);
        }
    }

    /// The connection has ended: takes its session out of the gauges.
    /// Counts an accepted session again that had ended.
    pub(super) fn on_session_resumed(&mut self, ends: &mut Ends, session: &mut Session, now: Timestamp) {
        if !session.accepted || session.counted_open {
            return;
        }
        session.counted_open = true;
        if let Some(host) = self.host(ends, now) {
            host.gauges.up(Gauge::Sessions);
            if !session.used {
                host.gauges.up(Gauge::Unused);
            }
        }
    }

    pub(super) fn on_session_end(
        &mut self,
        ends: &mut Ends,
        session: &mut Session,
        by_broker: bool,
        now: Timestamp,
    ) {
        if !session.counted_open && !session.counted_idle {
            return;
        }
        let (open, idle, used) = (session.counted_open, session.counted_idle, session.used);
        session.counted_open = false;
        session.counted_idle = false;
        let Some(host) = self.host(ends, now) else {
            return;
        };
        if open {
            host.gauges.down(Gauge::Sessions);
            if !used {
                host.gauges.down(Gauge::Unused);
            }
        }
        if idle {
            host.gauges.down(Gauge::Idle);
        }
        if open && by_broker && !session.said_goodbye {
            host.count(Counter::ClosedByBroker, 1, now.as_secs());
        }
    }
}

/// Whether a keep alive is as good as none.
const fn is_endless(keep_alive: u16) -> bool {
    keep_alive == 0 || keep_alive > LONG_KEEP_ALIVE_SECS
}

/// Notes what can be told without the fields, and what depends on the order of packets.
#[inline]
fn note_packet(
    talk: &mut Talk<'_>,
    raw: &RawPacket<'_>,
    violations: &mut Violations,
    packet_type: PacketType,
) {
    let session = &mut *talk.session;
    session.speaks = Speaks::Mqtt;
    let tally = &mut session.tally;
    let way = usize::from(talk.direction == Direction::ToClient);
    let first_of_client = way == 0 && tally.packets[0] == 0;
    tally.packets[way] += 1;
    if way == 0 {
        tally.length_sum += u64::from(raw.remaining_length);
        tally.length_max = tally.length_max.max(raw.remaining_length);
        match packet_type {
            PacketType::Connect if session.connected.is_some() => violations.add(Violation::SecondConnect),
            PacketType::Connect => {}
            _ if first_of_client && talk.from_start => violations.add(Violation::NotConnectFirst),
            _ => {}
        }
    }
    if session.connected.is_none() && !talk.from_start && packet_type != PacketType::Connect {
        // Joined in the middle of a session that is evidently in use.
        session.accepted = true;
        session.used = true;
    }
}
