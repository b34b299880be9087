//! What each control packet means for its session, its host and its client.

use core::time::Duration;

use super::knowledge::Knowledge;
use super::{Observed, Sink};
use crate::alert::Severity;
use crate::detect::class::Class;
use crate::detect::rules;
use crate::features::packet::{InSession, vector as packet_vector};
use crate::flow::anomaly::Anomaly;
use crate::flow::carrier::Carrier;
use crate::flow::connection::{Connection, Ends, Half, Session, Speaks};
use crate::flow::key::Direction;
use crate::flow::stream::Delivery;
use crate::flow::table::Handle;
use crate::host::gauge::Gauge;
use crate::host::rare::Rare;
use crate::host::sketch::Sketch;
use crate::host::window::Counter;
use crate::limits::LONG_KEEP_ALIVE_SECS;
use crate::mqtt::acknowledge::ConnAck;
use crate::mqtt::conformance::{Found, Seen};
use crate::mqtt::connect::Connect;
use crate::mqtt::framer::{Framer, HeadRing, Item};
use crate::mqtt::packet::{Body, ControlPacket, PacketType, RawPacket, parse};
use crate::mqtt::property::PropertyId;
use crate::mqtt::publish::{Publish, is_odd_client_id};
use crate::mqtt::topic::is_odd_name;
use crate::mqtt::version::Version;
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
    /// When it was first seen.
    pub(super) opened: Timestamp,
    /// Its place in the table.
    pub(super) handle: Handle,
    pub(super) direction: Direction,
    /// A WebSocket carries it.
    pub(super) in_websocket: bool,
    pub(super) now: Timestamp,
}

/// A connection taken apart.
pub(super) struct Parts<'c> {
    pub(super) talk: Talk<'c>,
    pub(super) carrier: &'c mut Carrier,
    /// The direction that speaks.
    pub(super) half: &'c mut Half,
    /// The other direction.
    pub(super) other: &'c mut Half,
}

impl<'c> Parts<'c> {
    /// The parts of the connection at this place, of which this direction speaks now.
    #[inline]
    pub(super) const fn of(
        connection: &'c mut Connection,
        handle: Handle,
        direction: Direction,
        now: Timestamp,
    ) -> Self {
        let Connection { ends, up, down, session, ours, carrier, opened, .. } = connection;
        let from_start = up.from_start;
        let (half, other) = match direction {
            Direction::ToServer => (up, down),
            Direction::ToClient => (down, up),
        };
        let opened = *opened;
        let talk =
            Talk { ends, session, ours, from_start, opened, handle, direction, in_websocket: false, now };
        Self { talk, carrier, half, other }
    }
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
            Delivery::Gap(len) => {
                framer.gap(len, heads, &mut found);
                talk.session.conformance.on_gap(talk.now);
            }
            Delivery::Conflict { settled: true, .. } => {}
            Delivery::Conflict { octets, .. } => {
                // Either copy may be what the receiver took, so boundaries are known of neither.
                framer.gap(u32::MAX, heads, &mut found);
                framer.push(octets, heads, &mut found);
                talk.session.conformance.on_gap(talk.now);
            }
            // The framer has gone on, so they are read by themselves.
            Delivery::Late(octets) => Framer::IN_THE_MIDDLE.clone().push(octets, heads, &mut found),
        }
        if talk.direction == Direction::ToServer {
            talk.session.conformance.on_octets_up(talk.now);
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
                talk.session.conformance.on_gap(talk.now);
                self.on_wrong(talk, talk.direction, Violation::RemainingLength, sink);
            }
            Item::Skipped(octets) => {
                self.counts.unframed_octets += u64::from(octets);
                talk.session.conformance.on_gap(talk.now);
            }
        }
    }

    fn on_packet<K: Sink>(&mut self, talk: &mut Talk<'_>, raw: &RawPacket<'_>, sink: &mut K) {
        if talk.session.version == Version::Unknown
            && let Some(version) = talk.session.clues.weigh(raw)
        {
            talk.session.version = version;
        }
        let packet = parse(raw, talk.direction, talk.session.version);
        self.counts.control_packets[packet.packet_type as usize] += 1;
        let up = talk.direction == Direction::ToServer;
        let mut found = Found::NONE;
        *found.by(talk.direction) = packet.violations;
        note_packet(talk, raw, &mut found, packet.packet_type);
        let alias = match &packet.body {
            Body::Publish(publish) if publish.properties.has(PropertyId::TopicAlias) => {
                self.on_alias(talk, publish, &mut found)
            }
            _ => None,
        };
        let (topic, hash) = self.topic_and_hash(talk.direction, &packet.body, alias.as_ref());
        match &packet.body {
            Body::Publish(publish) if up => {
                let topic_len = alias.as_ref().map_or(topic.len(), |alias| alias.len);
                self.on_publish(talk, publish, (topic, topic_len, hash), sink);
            }
            Body::Publish(publish) => {
                self.count(talk.ends, Counter::PublishReceived, 1, talk.now);
                if publish.retain {
                    self.count_rare(talk.ends, Rare::RetainedReceived, 1, talk.now);
                }
                self.on_used(talk);
            }
            Body::Connect(connect) if up => self.on_connect(talk, connect, sink),
            Body::ConnAck(Some(ack)) if !up => self.on_connack(talk, ack, &mut found, sink),
            Body::Subscribe(filters) if up => {
                talk.session.tally.filters += u32::from(filters.count);
                talk.session.tally.wildcards += u32::from(filters.wildcards);
                self.count(talk.ends, Counter::Subscribe, 1, talk.now);
                self.on_filters(talk, filters);
                self.on_used(talk);
            }
            Body::SubAck(ack) if !up && packet.packet_type == PacketType::SubAck => {
                self.on_codes(talk, ack.codes);
            }
            Body::Ack(ack)
                if !up && matches!(packet.packet_type, PacketType::PubAck | PacketType::PubRec) =>
            {
                talk.session.tally.acknowledged += 1;
                if ack.code >= REFUSES {
                    self.count_rare(talk.ends, Rare::PublishRefused, 1, talk.now);
                    self.on_released(talk, packet.packet_type == PacketType::PubRec);
                }
            }
            Body::Ack(_) if up && packet.packet_type == PacketType::PubRel => self.on_released(talk, true),
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
        if *talk.ours {
            return;
        }
        if up {
            self.on_size(talk, raw, &packet.body);
        }
        let broken = talk.session.conformance.on_packet(&Seen {
            packet: &packet,
            len: raw.remaining_length + 1 + u32::from(raw.length_octets),
            direction: talk.direction,
            version: talk.session.version,
            from_start: talk.from_start,
            hash,
            now: talk.now,
        });
        found = found.with(broken);
        if K::WANTS_PACKETS {
            let violations = *found.by(talk.direction);
            self.show(talk, raw, &ControlPacket { violations, ..packet }, topic, sink);
        }
        if K::WANTS_PACKET_VECTORS || self.packet_rows.wanted {
            let violations = *found.by(talk.direction);
            let topic_len = alias.as_ref().map_or(topic.len(), |alias| alias.len);
            self.give_packet_vector(talk, raw, &ControlPacket { violations, ..packet }, topic_len, sink);
        }
        if !up {
            self.on_server_packet(talk, &packet, sink);
        }
        // After the packet itself, so that a CONNECT's host is known with its client.
        if found != Found::NONE {
            self.on_found(talk, found, Some(packet.packet_type), sink);
        }
    }

    /// Shows a packet to whoever looks on.
    fn show<K: Sink>(
        &mut self,
        talk: &Talk<'_>,
        raw: &RawPacket<'_>,
        packet: &ControlPacket<'_>,
        topic: &[u8],
        sink: &mut K,
    ) {
        let client_id = self.clients.at(talk.session.client).map(|(_, client)| client.id.as_slice());
        sink.control_packet(&Observed {
            ts: talk.now - Duration::from_micros(self.clock_offset),
            client: talk.ends.client,
            server: talk.ends.server,
            direction: talk.direction,
            in_websocket: talk.in_websocket,
            version: talk.session.version,
            client_id,
            topic,
            raw,
            packet,
        });
    }

    /// Gives the vector of a client's packet out, and notes when either side spoke.
    fn give_packet_vector<K: Sink>(
        &mut self,
        talk: &mut Talk<'_>,
        raw: &RawPacket<'_>,
        packet: &ControlPacket<'_>,
        topic_len: usize,
        sink: &mut K,
    ) {
        let now = talk.now;
        let since =
            talk.session.spoke_at.map(|at| if at == Timestamp::ZERO { 0 } else { now.micros_since(at) });
        let [by_client, by_server] = &mut talk.session.spoke_at;
        if talk.direction == Direction::ToClient {
            *by_server = now;
            return;
        }
        *by_client = now;
        let (session, opened, in_websocket) = (&*talk.session, talk.opened, talk.in_websocket);
        let seen = InSession { raw, packet, topic_len, session, opened, since, in_websocket };
        let admitted = self.packet_rows.wanted
            && !*talk.ours
            && self.hosts.at(talk.ends.host).is_some_and(|(_, host)| self.packet_rows.admits(host, now));
        if !admitted && !K::WANTS_PACKET_VECTORS {
            return;
        }
        let vector = packet_vector(&seen, now);
        if admitted {
            self.packet_rows.push(vector, talk.ends.host);
        }
        if K::WANTS_PACKET_VECTORS {
            let ts = now - Duration::from_micros(self.clock_offset);
            sink.packet_vector(ts, talk.ends.client, talk.ends.server, &vector);
        }
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
        talk.session.takes_over = self.takes_over(talk, client);
        let credentials = (connect.user_name.is_some() || connect.password.is_some())
            .then(|| self.key.hash(&(connect.user_name, connect.password)));
        if let Some(login) = credentials.filter(|_| connect.password.is_some()) {
            let of_host = || self.key.hash(&talk.ends.client.addr);
            let client = if id.is_empty() { of_host() } else { id_hash };
            self.on_login(talk, login, client, sink);
        }
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
        self.on_asked(talk, connect);
        if is_odd_client_id(id) {
            self.count(talk.ends, Counter::Oddity, 1, now);
            self.ask(rules::malformed, talk.ends, now, sink);
        }
    }

    fn on_connack<K: Sink>(
        &mut self,
        talk: &mut Talk<'_>,
        ack: &ConnAck<'_>,
        found: &mut Found,
        sink: &mut K,
    ) {
        let now = talk.now;
        if talk.session.unexpected_port {
            self.on_unexpected_port(talk, sink);
        }
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
        self.on_session_taken(talk, ack, found);
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
    fn on_publish<K: Sink>(
        &mut self,
        talk: &mut Talk<'_>,
        publish: &Publish<'_>,
        (topic, topic_len, topic_hash): (&[u8], usize, u64),
        sink: &mut K,
    ) {
        let (now, second) = (talk.now, talk.now.as_secs());
        let tally = &mut talk.session.tally;
        if let Some(count) = tally.published.get_mut(usize::from(publish.qos)) {
            *count += 1;
        }
        tally.retained += u32::from(publish.retain);
        tally.duplicates += u32::from(publish.dup);
        tally.topic_len_sum += topic_len as u64;
        let (server, client, limits) = (talk.ends.server, talk.session.client, self.thresholds);
        self.on_topic(talk, publish, topic_hash);
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
        if let Some(severity) = rules::publish_flood_severity(host, &limits) {
            self.ask_flood(Class::MqttPublishFlood, severity, rules::publish_flood, talk.ends, now, sink);
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
        host.violation_version = talk.session.version;
        host.count(Counter::Violation, 1, now.as_secs());
        self.ask(rules::malformed, talk.ends, now, sink);
        // What breaks brokers is sent once. Not where octets are missing, since what is left may look like anything.
        let whole = talk.from_start && talk.session.conformance.is_complete();
        if whole && violations.iter().any(|violation| violation.row().severity >= Severity::High) {
            self.ask(rules::exploit, talk.ends, now, sink);
        }
    }
}

/// Reason codes from here on refuse (5: 2.4), as does the one of a SUBACK before (3.1.1: 3.9.3).
pub(super) const REFUSES: u8 = 0x80;

/// Whether a keep alive is as good as none.
const fn is_endless(keep_alive: u16) -> bool {
    keep_alive == 0 || keep_alive > LONG_KEEP_ALIVE_SECS
}

/// Notes what can be told without the fields.
#[inline]
fn note_packet(talk: &mut Talk<'_>, raw: &RawPacket<'_>, found: &mut Found, packet_type: PacketType) {
    let session = &mut *talk.session;
    session.speaks = Speaks::Mqtt;
    let tally = &mut session.tally;
    let way = usize::from(talk.direction == Direction::ToClient);
    tally.packets[way] += 1;
    if way == 0 {
        tally.length_sum += u64::from(raw.remaining_length);
        tally.length_max = tally.length_max.max(raw.remaining_length);
        let again = packet_type == PacketType::Connect && session.connected.is_some();
        found.client.add_if(again, Violation::SecondConnect);
    }
    if session.connected.is_none() && !talk.from_start && packet_type != PacketType::Connect {
        // Joined in the middle of a session that is evidently in use.
        session.accepted = true;
        session.used = true;
    }
}
