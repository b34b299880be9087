//! Whether both ends of a session keep to the standard beyond what a single packet shows: order, packet
//! identifiers, QoS 2, limits, keep alive.
//!
//! A state machine of one connection, in fixed memory. What it finds is told by culprit. Where octets were missed, or
//! the start was, nothing is judged that they could explain.

mod burst;
pub mod flight;
pub mod limits;
pub mod reaction;

use self::burst::Burst;
use self::flight::{Flight, Numbered, Request};
use self::limits::Limits;
use self::reaction::Pending;
use super::acknowledge::ConnAck;
use super::connect::Connect;
use super::packet::{Body, ControlPacket, PacketType};
use super::property::{Properties, PropertyId};
use super::publish::Publish;
use super::subscribe::Filters;
use super::version::Version;
use super::violation::{Violation, Violations};
use crate::flow::key::Direction;
use crate::time::Timestamp;

/// A packet of this Remaining Length before the session is accepted is no CONNECT of anybody's, in octets.
const HUGE: u32 = 65_536;
/// What is large for a first packet that is not CONNECT, in octets.
const LARGE: u32 = 4096;
/// A refused client may have sent more before it heard of it, in microseconds.
const IN_TRANSIT: u64 = 200_000;
/// A server has this long to close, in microseconds.
const TO_CLOSE: u64 = 5_000_000;
/// A keep alive may be exceeded by this, for the way, in microseconds.
const KEEP_ALIVE_SLACK: u64 = 1_000_000;

/// Violations by culprit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// The client's.
    pub client: Violations,
    /// The server's.
    pub server: Violations,
}

impl Found {
    /// None.
    pub const NONE: Self = Self { client: Violations::NONE, server: Violations::NONE };

    /// These and those.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self { client: self.client.with(other.client), server: self.server.with(other.server) }
    }

    /// Those of the one who sends in this direction.
    pub const fn by(&mut self, sender: Direction) -> &mut Violations {
        match sender {
            Direction::ToServer => &mut self.client,
            Direction::ToClient => &mut self.server,
        }
    }
}

/// A packet with what the state machine needs to know of it besides.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'s, 'p> {
    /// The packet.
    pub packet: &'s ControlPacket<'p>,
    /// Its length with the fixed header, in octets.
    pub len: u32,
    /// Which way it went.
    pub direction: Direction,
    /// The version of the session.
    pub version: Version,
    /// Both directions were followed from their start, and nothing was missed.
    pub from_start: bool,
    /// Keyed hash of the topic, or of the authentication method; 0 when there is none.
    pub hash: u64,
    /// When.
    pub now: Timestamp,
}

/// Where a session is, for the order of packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// No CONNACK yet.
    Opening,
    /// Accepted, or joined in the middle.
    Accepted,
    /// Refused at that time.
    Refused(Timestamp),
}

/// The state of one connection.
#[derive(Clone, Debug)]
pub struct Conformance {
    /// Octets were missed.
    gapped: bool,
    /// Exchanges begun by the client and by the server.
    flights: [Flight; 2],
    /// What the client and the server allow the other.
    limits: [Limits; 2],
    stage: Stage,
    /// Who has sent anything at all.
    spoke: [bool; 2],
    /// Who has sent DISCONNECT.
    said_goodbye: [bool; 2],
    /// CONNECT was seen, and asked for a clean session.
    clean: bool,
    /// CONNECT had an empty client identifier, and no clean session before version 5.
    empty_id: bool,
    empty_id_kept: bool,
    /// Hash of the authentication method of the CONNECT; 0 for none.
    auth_method: u64,
    connected: bool,
    /// Keep alive in force, in seconds; 0 for none.
    keep_alive: u16,
    /// The client's latest octets.
    last_up: Timestamp,
    /// When a WebSocket message of the client ended within a control packet; zero for never, or if more came.
    cut_short: Timestamp,
    /// The client identifier was taken over by another connection at that time.
    taken_over: Option<Timestamp>,
    /// The server left the connection open after a refusal: told once.
    left_open: bool,
    /// What came in this second.
    burst: Burst,
    /// What the client did that the server has not reacted to yet.
    pub pending: Option<Pending>,
    /// What was already told, of the client and of the server.
    told: Found,
    /// For how long the server keeps the session after the connection, in seconds; the greatest value for ever.
    pub expiry: u32,
}

impl Conformance {
    /// Nothing said yet.
    pub const NEW: Self = Self {
        gapped: false,
        flights: [Flight::NEW, Flight::NEW],
        limits: [Limits::DEFAULT, Limits::DEFAULT],
        stage: Stage::Opening,
        spoke: [false; 2],
        said_goodbye: [false; 2],
        clean: false,
        empty_id: false,
        empty_id_kept: false,
        auth_method: 0,
        connected: false,
        keep_alive: 0,
        last_up: Timestamp::ZERO,
        cut_short: Timestamp::ZERO,
        taken_over: None,
        left_open: false,
        burst: Burst::NEW,
        pending: None,
        told: Found::NONE,
        expiry: 0,
    };

    /// The connection was joined in the middle, or octets were missed.
    #[cold]
    pub fn on_gap(&mut self, now: Timestamp) {
        self.gapped = true;
        let second = seconds(now);
        self.flights.iter_mut().for_each(|flight| flight.forget(second));
    }

    /// The client has sent octets, whole packets or not.
    #[inline]
    pub const fn on_octets_up(&mut self, now: Timestamp) {
        self.last_up = now;
    }

    /// Octets of the client in a WebSocket have been taken in; `cut` when a message has ended with them and a control
    /// packet has not.
    pub const fn on_message_end(&mut self, cut: bool, now: Timestamp) {
        self.cut_short = if cut { now } else { Timestamp::ZERO };
    }

    /// Another connection was accepted with the same client identifier by the same server.
    pub const fn on_taken_over(&mut self, now: Timestamp) {
        self.taken_over = Some(now);
    }

    /// Those that were not told before on this connection, which from now on are.
    pub fn not_told(&mut self, culprit: Direction, violations: Violations) -> Violations {
        let told = self.told.by(culprit);
        let fresh = violations.without(*told);
        *told = told.with(violations);
        fresh
    }

    /// Whether nothing was missed.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        !self.gapped
    }

    /// Whether the CONNECT asked for a clean session; `None` if it was not seen.
    #[must_use]
    pub const fn asked_for_clean(&self) -> Option<bool> {
        if self.connected { Some(self.clean) } else { None }
    }

    /// Takes a packet in.
    #[inline]
    pub fn on_packet(&mut self, seen: &Seen<'_, '_>) -> Found {
        let mut found = Found::NONE;
        self.check_order(seen, &mut found);
        if seen.len > self.limits[usize::from(seen.direction == Direction::ToServer)].packet_size {
            found.by(seen.direction).add(match seen.direction {
                Direction::ToServer => Violation::PacketTooLarge,
                Direction::ToClient => Violation::ServerPacketTooLarge,
            });
        }
        match &seen.packet.body {
            Body::Publish(publish) => self.on_publish(publish, seen, &mut found),
            Body::Bare => {}
            _ => self.on_other(seen, &mut found),
        }
        found
    }

    /// Order of packets, and keep alive.
    #[inline]
    fn check_order(&mut self, seen: &Seen<'_, '_>, found: &mut Found) {
        let up = seen.direction == Direction::ToServer;
        let packet_type = seen.packet.packet_type;
        let way = usize::from(!up);
        let first = !self.spoke[way];
        self.spoke[way] = true;
        if self.said_goodbye[way] {
            found.by(seen.direction).add(Violation::AfterDisconnect);
        }
        if up {
            if self.keep_alive > 0 {
                self.check_keep_alive(seen.now, found);
            }
            self.last_up = seen.now;
        }
        if self.stage == Stage::Accepted && !first {
            return;
        }
        self.check_opening(packet_type, first, seen, found);
    }

    #[cold]
    fn check_opening(
        &mut self,
        packet_type: PacketType,
        first: bool,
        seen: &Seen<'_, '_>,
        found: &mut Found,
    ) {
        let up = seen.direction == Direction::ToServer;
        if !seen.from_start || self.gapped {
            // Joined in the middle of a session that is evidently in use.
            if !self.connected && packet_type != PacketType::Connect {
                self.stage = Stage::Accepted;
            }
            return;
        }
        if up {
            if first && packet_type != PacketType::Connect {
                found.client.add(Violation::NotConnectFirst);
                found.client.add_if(seen.len > LARGE, Violation::NotConnectLarge);
            }
            found
                .client
                .add_if(self.stage != Stage::Accepted && seen.len > HUGE, Violation::HugeBeforeAccept);
            let authenticating = self.stage == Stage::Opening && self.auth_method != 0;
            let may = matches!(packet_type, PacketType::Auth | PacketType::Disconnect | PacketType::Connect);
            found.client.add_if(authenticating && !may, Violation::PacketDuringAuth);
            if let Stage::Refused(at) = self.stage {
                found.client.add_if(seen.now.micros_since(at) > IN_TRANSIT, Violation::AfterRefusal);
            }
            return;
        }
        let says_goodbye = packet_type == PacketType::Disconnect;
        let v5 = seen.version == Version::V5;
        if first && packet_type != PacketType::ConnAck {
            let may_come_first = packet_type == PacketType::Auth || says_goodbye && v5;
            found.server.add_if(!may_come_first, Violation::ConnAckNotFirst);
        }
        found
            .server
            .add_if(self.stage == Stage::Opening && says_goodbye && v5, Violation::ServerDisconnectEarly);
        if matches!(self.stage, Stage::Refused(_)) {
            let again = packet_type == PacketType::ConnAck;
            found.server.add_if(!says_goodbye && !again, Violation::AfterRefusal);
        }
    }

    fn check_keep_alive(&self, now: Timestamp, found: &mut Found) {
        let silent = now.micros_since(self.last_up);
        let allowed = u64::from(self.keep_alive) * 1_000_000;
        if silent > allowed + KEEP_ALIVE_SLACK {
            found.client.add(Violation::KeepAliveExceeded);
            let kept = silent > allowed + allowed / 2 + KEEP_ALIVE_SLACK;
            found.server.add_if(kept, Violation::KeepAliveTolerated);
        }
    }

    #[inline]
    fn on_publish(&mut self, publish: &Publish<'_>, seen: &Seen<'_, '_>, found: &mut Found) {
        let up = seen.direction == Direction::ToServer;
        let (way, other) = (usize::from(!up), usize::from(up));
        if up && publish.retain {
            found.client.add_if(self.burst.retained(seconds(seen.now)), Violation::RetainStorm);
        }
        if publish.qos != 0 {
            self.on_numbered(publish, seen, found);
        }
        let limits = self.limits[other];
        if limits == Limits::DEFAULT && publish.properties.len == 0 {
            return;
        }
        // Whether the other end has said what it allows is known only from its CONNECT or CONNACK.
        let told = if up { self.stage == Stage::Accepted && self.connected } else { self.connected };
        let culprit = found.by(seen.direction);
        if up && told {
            culprit.add_if(publish.qos > limits.qos, Violation::QosAboveMaximum);
            culprit.add_if(publish.retain && !limits.retain, Violation::RetainNotAvailable);
        }
        let alias = publish.properties.integer(PropertyId::TopicAlias);
        if told && alias.is_some_and(|alias| alias > u32::from(limits.alias_maximum)) {
            culprit.add(match (up, limits.alias_maximum) {
                (true, 0) => Violation::AliasNotAllowed,
                (true, _) => Violation::AliasTooHigh,
                (false, 0) => Violation::ServerAliasNotAllowed,
                (false, _) => Violation::ServerAliasTooHigh,
            });
        }
        let outstanding = self.flights[way].outstanding;
        let violation = if up { Violation::ReceiveMaximum } else { Violation::ServerReceiveMaximum };
        let beyond = publish.qos != 0 && outstanding > limits.receive_maximum && told && !self.gapped;
        culprit.add_if(beyond, violation);
    }

    fn on_numbered(&mut self, publish: &Publish<'_>, seen: &Seen<'_, '_>, found: &mut Found) {
        let (Some(id), 1..=2) = (publish.packet_id, publish.qos) else { return };
        let up = seen.direction == Direction::ToServer;
        let in_use = if up { Violation::PacketIdInUse } else { Violation::ServerPacketIdInUse };
        // Any 32 bits of the keyed hash will do.
        let [_, _, _, _, topic @ ..] = seen.hash.to_be_bytes();
        let sent = Numbered { id, qos: publish.qos, dup: publish.dup, topic: u32::from_be_bytes(topic) };
        let v5 = seen.version == Version::V5;
        let broken = self.flights[usize::from(!up)].publish(sent, in_use, v5, seconds(seen.now));
        let culprit = found.by(seen.direction);
        *culprit = culprit.with(broken);
    }

    /// Everything but PUBLISH and pings.
    fn on_other(&mut self, seen: &Seen<'_, '_>, found: &mut Found) {
        let up = seen.direction == Direction::ToServer;
        let second = seconds(seen.now);
        // Who is answered.
        let (own, other) = (usize::from(!up), usize::from(up));
        let culprit = seen.direction;
        let broken = match &seen.packet.body {
            Body::Connect(connect) if up => {
                self.on_connect(connect, seen);
                Violations::NONE
            }
            Body::ConnAck(Some(ack)) if !up => self.on_connack(ack, seen),
            Body::Ack(ack) => match (ack.packet_id, seen.packet.packet_type) {
                (None, _) => Violations::NONE,
                (Some(id), PacketType::PubAck) => self.flights[other].puback(id, second),
                (Some(id), PacketType::PubRec) => self.flights[other].pubrec(id, ack.code >= 0x80, second),
                (Some(id), PacketType::PubRel) => self.flights[own].release(id, ack.code == 0x92, second),
                (Some(id), _) => self.flights[other].pubcomp(id, ack.code == 0x92, second),
            },
            Body::Subscribe(filters) | Body::Unsubscribe(filters) if up => self.on_request(filters, seen),
            Body::SubAck(ack) if !up => match (ack.packet_id, seen.packet.packet_type) {
                (None, _) => Violations::NONE,
                (Some(id), PacketType::SubAck) => {
                    self.flights[other].suback(id, ack.codes, ack.count, second)
                }
                (Some(id), _) => self.flights[other].unsuback(id, second),
            },
            Body::Disconnect(goodbye) => {
                self.said_goodbye[own] = true;
                if let Some(expiry) = goodbye.properties.integer(PropertyId::SessionExpiryInterval) {
                    self.expiry = expiry;
                }
                Violations::NONE
            }
            Body::Auth(auth) => self.on_auth(&auth.properties, seen),
            _ => Violations::NONE,
        };
        let culprit = found.by(culprit);
        *culprit = culprit.with(broken);
    }

    fn on_connect(&mut self, connect: &Connect<'_>, seen: &Seen<'_, '_>) {
        if self.connected {
            return;
        }
        self.connected = true;
        self.clean = connect.clean;
        self.empty_id = connect.client_id.is_some_and(<[u8]>::is_empty);
        self.empty_id_kept = self.empty_id && !connect.clean && connect.version != Version::V5;
        self.keep_alive = connect.keep_alive;
        self.expiry = match connect.version {
            Version::V5 => connect.properties.integer(PropertyId::SessionExpiryInterval).unwrap_or(0),
            _ if connect.clean => 0,
            _ => u32::MAX,
        };
        self.limits[0] = Limits::of(&connect.properties);
        self.auth_method = seen.hash;
    }

    fn on_connack(&mut self, ack: &ConnAck<'_>, seen: &Seen<'_, '_>) -> Violations {
        let mut broken = Violations::NONE;
        if self.stage != Stage::Opening {
            broken.add_if(self.connected, Violation::SecondConnAck);
            return broken;
        }
        if ack.refuses() {
            self.stage = Stage::Refused(seen.now);
            return broken;
        }
        self.stage = Stage::Accepted;
        if !self.connected {
            return broken;
        }
        broken.add_if(ack.session_present && self.clean, Violation::SessionPresentClean);
        broken.add_if(self.empty_id_kept, Violation::EmptyClientIdAccepted);
        let v5 = seen.version == Version::V5;
        let assigned = ack.properties.has(PropertyId::AssignedClientIdentifier);
        broken.add_if(v5 && self.empty_id && !assigned, Violation::AssignedIdMissing);
        if v5 {
            self.limits[1] = Limits::of(&ack.properties);
            if let Some(expiry) = ack.properties.integer(PropertyId::SessionExpiryInterval) {
                self.expiry = expiry;
            }
            if let Some(seconds) = ack.properties.integer(PropertyId::ServerKeepAlive) {
                self.keep_alive = u16::try_from(seconds).unwrap_or(u16::MAX);
            }
            if self.auth_method == 0 {
                broken.add_if(seen.hash != 0, Violation::ServerAuthUnsolicited);
            } else {
                broken.add_if(seen.hash != self.auth_method, Violation::AuthMethodMismatch);
            }
        }
        broken
    }

    fn on_auth(&mut self, properties: &Properties<'_>, seen: &Seen<'_, '_>) -> Violations {
        let mut broken = Violations::NONE;
        if !self.connected {
            return broken;
        }
        if self.auth_method == 0 {
            broken.add(match seen.direction {
                Direction::ToServer => Violation::AuthWithoutMethod,
                Direction::ToClient => Violation::ServerAuthUnsolicited,
            });
        } else {
            // A cut packet may have lost it.
            let complete = properties.len == 0 || properties.has(PropertyId::AuthenticationMethod);
            broken.add_if(complete && seen.hash != self.auth_method, Violation::AuthMethodMismatch);
        }
        broken
    }

    fn on_request(&mut self, filters: &Filters<'_>, seen: &Seen<'_, '_>) -> Violations {
        let mut broken = Violations::NONE;
        let packet_type = seen.packet.packet_type;
        let churns = self.burst.request(packet_type, filters.shared > 0, seconds(seen.now));
        broken.add_if(churns, Violation::SubscriptionChurn);
        let Some(id) = filters.packet_id else { return broken };
        let qos = (0u32..16)
            .zip(filters.iter())
            .fold(0, |qos, (place, (_, options))| qos | u32::from(options & 0x03) << (2 * place));
        let request = Request { id, filters: filters.all_read.then_some(filters.count), qos };
        let subscribes = packet_type == PacketType::Subscribe;
        broken.with(self.flights[0].request(request, subscribes, seconds(seen.now)))
    }

    /// A control packet of the client is not complete although its WebSocket message is: told once.
    fn judge_cut_short(&mut self, found: &mut Found) {
        found.client.add_if(self.cut_short != Timestamp::ZERO, Violation::WebSocketShortFrame);
        self.cut_short = Timestamp::ZERO;
    }

    /// The server closes: on a client that was silent for too long, or one whose control packet is not complete although
    /// its WebSocket message is.
    pub fn on_server_closes(&mut self, now: Timestamp) -> Found {
        let mut found = Found::NONE;
        self.judge_cut_short(&mut found);
        if self.keep_alive > 0 && self.connected && self.stage == Stage::Accepted {
            self.check_keep_alive(now, &mut found);
            // It does not keep it any longer.
            found.server = Violations::NONE;
        }
        found
    }

    /// What time alone shows, on a connection that is open; asked every few seconds.
    pub fn on_time(&mut self, now: Timestamp) -> Found {
        let mut found = Found::NONE;
        let second = seconds(now);
        for (way, sender) in [(0, Direction::ToServer), (1, Direction::ToClient)] {
            let (by_other, by_self) = self.flights[way].overdue(second);
            *found.by(sender) = found.by(sender).with(by_self);
            let other = found.by(sender.reverse());
            *other = other.with(by_other);
        }
        if let Stage::Refused(at) = self.stage
            && now.micros_since(at) > TO_CLOSE
            && !self.left_open
        {
            self.left_open = true;
            found.server.add(Violation::RefusedLeftOpen);
            found.server.add_if(self.empty_id_kept, Violation::EmptyClientIdLeftOpen);
        }
        if self.cut_short != Timestamp::ZERO && now.micros_since(self.cut_short) > TO_CLOSE {
            self.judge_cut_short(&mut found);
        }
        if self.taken_over.is_some_and(|at| now.micros_since(at) > TO_CLOSE) {
            self.taken_over = None;
            found.server.add(Violation::TakeoverNotClosed);
        }
        found
    }
}

fn seconds(now: Timestamp) -> u32 {
    u32::try_from(now.as_secs()).unwrap_or(u32::MAX)
}
