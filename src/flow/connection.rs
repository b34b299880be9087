//! Everything remembered of one TCP connection.

use super::carrier::Carrier;
use super::duplicate::Marks;
use super::key::{Direction, Socket};
use super::record::Meter;
use super::stream::Stream;
use super::table::{Handle, Worth};
use crate::mqtt::conformance::Conformance;
use crate::mqtt::framer::Framer;
use crate::mqtt::inference::Clues;
use crate::mqtt::version::Version;
use crate::time::Timestamp;

/// Where a connection is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// A SYN was seen, nothing else.
    Opening,
    /// The server answered, or data flows.
    Open,
    /// FIN both ways, or RST. Kept a while for stragglers.
    Closed,
}

/// Whether a connection speaks MQTT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speaks {
    /// Nothing said yet.
    Unknown,
    /// MQTT, by its CONNECT or by its port.
    Mqtt,
    /// MQTT in TLS, by its port or by the application protocol asked for: encrypted.
    Encrypted,
    /// Something else.
    Other,
}

/// The two ends.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Who opened the connection.
    pub client: Socket,
    /// Who was connected to.
    pub server: Socket,
    /// The client's place in the host table.
    pub host: Handle,
}

/// One direction.
#[derive(Clone, Debug)]
pub struct Half {
    /// Octets in order.
    pub stream: Stream,
    /// Control packets.
    pub framer: Framer,
    /// Figures.
    pub meter: Meter,
    /// The last frames, to know a copy by.
    pub marks: Marks,
    /// FIN or RST seen.
    pub finished: bool,
    /// RST seen.
    pub reset: bool,
    /// Followed from its SYN.
    pub from_start: bool,
}

impl Half {
    /// Nothing seen yet.
    pub const NEW: Self = Self {
        stream: Stream::NEW,
        framer: Framer::AT_START,
        meter: Meter::NEW,
        marks: Marks::NONE,
        finished: false,
        reset: false,
        from_start: true,
    };
}

/// What MQTT has said on a connection.
#[derive(Clone, Debug)]
pub struct Session {
    /// Whether this is MQTT at all.
    pub speaks: Speaks,
    /// Protocol version.
    pub version: Version,
    /// When CONNECT was seen.
    pub connected: Option<Timestamp>,
    /// The server's port is none where MQTT is expected.
    pub unexpected_port: bool,
    /// CONNACK accepted it (or the connection was joined in the middle and is in use).
    pub accepted: bool,
    /// CONNACK refused it.
    pub refused: bool,
    /// The client has published, subscribed or received.
    pub used: bool,
    /// Counted in the host's gauge of open sessions.
    pub counted_open: bool,
    /// Counted in the host's gauge of idle sessions.
    pub counted_idle: bool,
    /// The client said DISCONNECT.
    pub said_goodbye: bool,
    /// When the client and the server sent their latest control packets; kept only while packet vectors are wanted.
    pub spoke_at: [Timestamp; 2],
    /// The CONNECT asked for a session that another host held.
    pub takes_over: bool,
    /// PUBLISH sent with QoS 2 whose PUBREL has not come.
    pub qos2_open: u16,
    /// Within a control packet of the client when it was last looked at: how many it had sent, modulo 2^15, and one.
    pub within: u16,
    /// Keep alive in seconds.
    pub keep_alive: u16,
    /// Connect flags that are features: clean, will, user name.
    pub clean: bool,
    /// A will was left.
    pub has_will: bool,
    /// A user name was given.
    pub has_user: bool,
    /// Length of the client id in octets.
    pub client_id_len: u16,
    /// The client's place in the client table.
    pub client: Handle,
    /// From CONNECT to CONNACK in microseconds.
    pub connack_delay: Option<u32>,
    /// Figures for the connection vector.
    pub tally: Tally,
    /// Whether both ends keep to the standard.
    pub conformance: Conformance,
    /// Hints at the version, while it is not known.
    pub clues: Clues,
}

/// Counts of what was said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Control packets to the server and to the client.
    pub packets: [u32; 2],
    /// PUBLISH sent by the client, by QoS 0, 1, 2.
    pub published: [u32; 3],
    /// PUBLISH sent by the client with RETAIN.
    pub retained: u32,
    /// PUBLISH sent by the client with DUP.
    pub duplicates: u32,
    /// Sum of Remaining Length of the client's packets.
    pub length_sum: u64,
    /// Longest Remaining Length of the client's packets.
    pub length_max: u32,
    /// Sum of the topic lengths of the client's PUBLISH.
    pub topic_len_sum: u64,
    /// Topic filters subscribed to.
    pub filters: u32,
    /// Of these, with wildcards.
    pub wildcards: u32,
    /// PUBACK and PUBREC received for the client's PUBLISH.
    pub acknowledged: u32,
    /// Violations by the client.
    pub violations: u32,
    /// PINGREQ.
    pub pings: u32,
}

impl Session {
    /// Nothing said yet.
    pub const NEW: Self = Self {
        speaks: Speaks::Unknown,
        version: Version::Unknown,
        connected: None,
        unexpected_port: false,
        accepted: false,
        refused: false,
        used: false,
        counted_open: false,
        counted_idle: false,
        said_goodbye: false,
        spoke_at: [Timestamp::ZERO; 2],
        takes_over: false,
        qos2_open: 0,
        within: 0,
        keep_alive: 0,
        clean: false,
        has_will: false,
        has_user: false,
        client_id_len: 0,
        client: Handle::NONE,
        connack_delay: None,
        tally: Tally {
            packets: [0; 2],
            published: [0; 3],
            retained: 0,
            duplicates: 0,
            length_sum: 0,
            length_max: 0,
            topic_len_sum: 0,
            filters: 0,
            wildcards: 0,
            acknowledged: 0,
            violations: 0,
            pings: 0,
        },
        conformance: Conformance::NEW,
        clues: Clues::NONE,
    };
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Who talks to whom.
    pub ends: Ends,
    /// Where it is in its life.
    pub phase: Phase,
    /// First segment seen.
    pub opened: Timestamp,
    /// Latest segment seen.
    pub last_seen: Timestamp,
    /// When the current flow record began.
    pub record_start: Timestamp,
    /// The product's own connection to its broker: not looked into.
    pub ours: bool,
    /// What carries MQTT here.
    pub carrier: Carrier,
    /// A SYN seen while the connection was open: its sender and sequence number.
    pub doubted_syn: Option<(Direction, u32)>,
    /// A RST was seen that its receiver need not take, so that the connection is over only if it stays silent; or
    /// octets came after its end.
    pub doubted_end: bool,
    /// To the server.
    pub up: Half,
    /// To the client.
    pub down: Half,
    /// MQTT.
    pub session: Session,
}

impl Connection {
    /// A connection first seen now.
    #[must_use]
    pub fn new(ends: Ends, phase: Phase, now: Timestamp) -> Self {
        Self {
            ends,
            phase,
            opened: now,
            last_seen: now,
            record_start: now,
            ours: false,
            carrier: Carrier::NEW,
            doubted_syn: None,
            doubted_end: false,
            up: Half::NEW,
            down: Half::NEW,
            session: Session::NEW,
        }
    }

    /// Which way a segment from this socket goes.
    #[must_use]
    #[inline]
    pub fn direction_from(&self, src: Socket) -> Direction {
        if src == self.ends.client { Direction::ToServer } else { Direction::ToClient }
    }

    /// The half that a direction's segments belong to, and the other one.
    #[inline]
    pub const fn halves(&mut self, direction: Direction) -> (&mut Half, &mut Half) {
        match direction {
            Direction::ToServer => (&mut self.up, &mut self.down),
            Direction::ToClient => (&mut self.down, &mut self.up),
        }
    }

    /// Whether the client has got no further than to the middle of the same control packet since it was asked last.
    pub fn is_stalled(&mut self) -> bool {
        let is_within =
            self.session.speaks == Speaks::Mqtt && !self.ours && self.up.framer.is_within_packet();
        let sent = (self.session.tally.packets[0] & 0x7fff) as u16;
        let now = if is_within { sent + 1 } else { 0 };
        core::mem::replace(&mut self.session.within, now) == now && is_within
    }

    /// Whether either side has sent payload.
    #[must_use]
    pub const fn carried_data(&self) -> bool {
        self.up.meter.payload > 0 || self.down.meter.payload > 0
    }
}

impl Worth for Connection {
    /// Accepted sessions outlive connections that have yet to prove that they are more than a SYN.
    fn worth(&self) -> u8 {
        match (self.phase, self.session.speaks) {
            (Phase::Closed, _) => 0,
            (Phase::Opening, _) => 1,
            (Phase::Open, Speaks::Other | Speaks::Unknown) => 2,
            (Phase::Open, Speaks::Mqtt) if self.session.accepted => 4,
            (Phase::Open, Speaks::Mqtt | Speaks::Encrypted) => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_outlive_half_open_connections() {
        let ends = Ends { client: Socket::default(), server: Socket::default(), host: Handle::NONE };
        let mut connection = Connection::new(ends, Phase::Opening, Timestamp::ZERO);
        let mut worths = vec![connection.worth()];
        connection.phase = Phase::Open;
        worths.push(connection.worth());
        connection.session.speaks = Speaks::Mqtt;
        worths.push(connection.worth());
        connection.session.accepted = true;
        worths.push(connection.worth());
        assert_eq!(worths, [1, 2, 3, 4]);
        connection.phase = Phase::Closed;
        assert_eq!(connection.worth(), 0);
    }
}
