//! Control packets (section 2.1) and the reading of one.

use super::acknowledge::{self, Ack, ConnAck, SubAck};
use super::connect::{self, Connect};
use super::field::{Fields, is_minimal};
use super::property::Properties;
use super::publish::{self, Publish};
use super::reasoned::{self, Reasoned};
use super::subscribe::{self, Filters};
use super::version::Version;
use super::violation::{Violation, Violations};
use crate::flow::key::Direction;

/// The type of a control packet (section 2.1.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum PacketType {
    /// Type 0: forbidden.
    Reserved = 0,
    /// CONNECT.
    Connect = 1,
    /// CONNACK.
    ConnAck = 2,
    /// PUBLISH.
    Publish = 3,
    /// PUBACK.
    PubAck = 4,
    /// PUBREC.
    PubRec = 5,
    /// PUBREL.
    PubRel = 6,
    /// PUBCOMP.
    PubComp = 7,
    /// SUBSCRIBE.
    Subscribe = 8,
    /// SUBACK.
    SubAck = 9,
    /// UNSUBSCRIBE.
    Unsubscribe = 10,
    /// UNSUBACK.
    UnsubAck = 11,
    /// PINGREQ.
    PingReq = 12,
    /// PINGRESP.
    PingResp = 13,
    /// DISCONNECT.
    Disconnect = 14,
    /// AUTH.
    Auth = 15,
}

impl PacketType {
    /// Every type by number.
    pub const ALL: [Self; 16] = [
        Self::Reserved,
        Self::Connect,
        Self::ConnAck,
        Self::Publish,
        Self::PubAck,
        Self::PubRec,
        Self::PubRel,
        Self::PubComp,
        Self::Subscribe,
        Self::SubAck,
        Self::Unsubscribe,
        Self::UnsubAck,
        Self::PingReq,
        Self::PingResp,
        Self::Disconnect,
        Self::Auth,
    ];

    /// From the first octet of a fixed header.
    #[must_use]
    #[inline]
    pub const fn of(first: u8) -> Self {
        Self::ALL[(first >> 4) as usize]
    }

    /// The name in the standard.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserved => "RESERVED",
            Self::Connect => "CONNECT",
            Self::ConnAck => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::PubAck => "PUBACK",
            Self::PubRec => "PUBREC",
            Self::PubRel => "PUBREL",
            Self::PubComp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::SubAck => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::UnsubAck => "UNSUBACK",
            Self::PingReq => "PINGREQ",
            Self::PingResp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
            Self::Auth => "AUTH",
        }
    }

    /// Who may send it; `None` for both.
    #[must_use]
    pub const fn sender(self) -> Option<Direction> {
        match self {
            Self::Connect | Self::Subscribe | Self::Unsubscribe | Self::PingReq => Some(Direction::ToServer),
            Self::ConnAck | Self::SubAck | Self::UnsubAck | Self::PingResp => Some(Direction::ToClient),
            _ => None,
        }
    }

    /// The flags its fixed header must have; PUBLISH uses them freely (section 2.1.3).
    #[must_use]
    const fn fixed_flags(self) -> Option<u8> {
        match self {
            Self::Publish => None,
            Self::PubRel | Self::Subscribe | Self::Unsubscribe => Some(0x02),
            _ => Some(0x00),
        }
    }
}

/// Whether a fixed header could stand at the start of a control packet: type, flags, and a Remaining Length that
/// its type can have. Used to find packet boundaries again.
#[must_use]
pub fn is_plausible(first: u8, remaining_length: u32) -> bool {
    let packet_type = PacketType::of(first);
    let flags = first & 0x0f;
    if packet_type.fixed_flags().is_some_and(|expected| expected != flags) {
        return false;
    }
    match packet_type {
        PacketType::Reserved => false,
        PacketType::Connect => (12..=0x0004_0000).contains(&remaining_length),
        PacketType::Publish => {
            flags & 0x06 != 0x06 && remaining_length >= if flags & 0x06 == 0 { 3 } else { 5 }
        }
        PacketType::PingReq | PacketType::PingResp => remaining_length == 0,
        PacketType::Disconnect | PacketType::Auth => remaining_length <= 0x0001_0000,
        PacketType::Subscribe | PacketType::Unsubscribe => remaining_length >= 5,
        PacketType::ConnAck
        | PacketType::PubAck
        | PacketType::PubRec
        | PacketType::PubRel
        | PacketType::PubComp
        | PacketType::SubAck
        | PacketType::UnsubAck => (2..=0x0001_0000).contains(&remaining_length),
    }
}

/// Whether an octet could be the first of a control packet, by its type and flags.
#[must_use]
pub fn has_valid_flags(first: u8) -> bool {
    let packet_type = PacketType::of(first);
    packet_type != PacketType::Reserved
        && packet_type.fixed_flags().is_none_or(|expected| expected == first & 0x0f)
}

/// Whether a packet that runs on behind the octets at hand is known by those: a PUBLISH by a topic of printable text
/// without wildcards, a CONNECT by the name of the protocol.
#[must_use]
pub fn is_recognised(first: u8, remaining_length: u32, head: &[u8]) -> bool {
    let mut fields = Fields::new(head, remaining_length);
    let Some(text) = fields.binary() else {
        return false;
    };
    match PacketType::of(first) {
        PacketType::Connect => matches!(text, b"MQTT" | b"MQIsdp"),
        PacketType::Publish => {
            !text.is_empty()
                && fields.remaining() >= if first & 0x06 == 0 { 0 } else { 2 }
                && core::str::from_utf8(text).is_ok_and(|topic| {
                    topic.chars().all(|c| !c.is_control() && !matches!(c, '#' | '+' | '\u{fffd}'))
                })
        }
        _ => false,
    }
}

/// A control packet as the framer found it: fixed header and as much of the rest as was kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawPacket<'a> {
    /// First octet of the fixed header.
    pub first: u8,
    /// Remaining Length.
    pub remaining_length: u32,
    /// Octets that the Remaining Length took: 1 to 4.
    pub length_octets: u8,
    /// The first octets behind the fixed header, at most [`HEAD_BYTES`](crate::limits::HEAD_BYTES) unless all were at hand.
    pub head: &'a [u8],
}

/// What a control packet says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body<'a> {
    /// CONNECT.
    Connect(Connect<'a>),
    /// CONNACK; `None` if it could not be read.
    ConnAck(Option<ConnAck<'a>>),
    /// PUBLISH.
    Publish(Publish<'a>),
    /// SUBSCRIBE.
    Subscribe(Filters<'a>),
    /// UNSUBSCRIBE.
    Unsubscribe(Filters<'a>),
    /// PUBACK, PUBREC, PUBREL or PUBCOMP.
    Ack(Ack<'a>),
    /// SUBACK or UNSUBACK.
    SubAck(SubAck<'a>),
    /// DISCONNECT.
    Disconnect(Reasoned<'a>),
    /// AUTH.
    Auth(Reasoned<'a>),
    /// Nothing more to read: PINGREQ, PINGRESP, and what is forbidden.
    Bare,
}

impl<'a> Body<'a> {
    /// The properties of a client's packet.
    #[must_use]
    pub const fn properties(&self) -> Option<&Properties<'a>> {
        match self {
            Self::Connect(connect) => Some(&connect.properties),
            Self::Publish(publish) => Some(&publish.properties),
            Self::Subscribe(filters) | Self::Unsubscribe(filters) => Some(&filters.properties),
            Self::Ack(ack) => Some(&ack.properties),
            Self::Disconnect(reasoned) | Self::Auth(reasoned) => Some(&reasoned.properties),
            Self::ConnAck(_) | Self::SubAck(_) | Self::Bare => None,
        }
    }
}

/// A control packet that was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ControlPacket<'a> {
    /// Its type.
    pub packet_type: PacketType,
    /// Its fields.
    pub body: Body<'a>,
    /// What is wrong with it.
    pub violations: Violations,
}

/// Reads one control packet sent in `direction` on a connection of this version.
#[must_use]
#[inline]
pub fn parse<'a>(raw: &RawPacket<'a>, direction: Direction, version: Version) -> ControlPacket<'a> {
    let packet_type = PacketType::of(raw.first);
    let mut violations = Violations::NONE;
    let flags = raw.first & 0x0f;
    if packet_type.fixed_flags().is_some_and(|expected| expected != flags) {
        violations.add(flags_violation(packet_type));
    }
    if packet_type.sender().is_some_and(|sender| sender != direction) {
        let connack = packet_type == PacketType::ConnAck;
        violations.add(if connack { Violation::ConnAckFromClient } else { Violation::WrongDirection });
    }
    if !is_minimal(raw.remaining_length, raw.length_octets) && version == Version::V5 {
        violations.add(Violation::NonMinimalLength);
    }
    let fields = Fields::new(raw.head, raw.remaining_length);
    let body = match packet_type {
        PacketType::Publish => {
            Body::Publish(publish::parse(flags, fields, direction, version, &mut violations))
        }
        PacketType::PubAck | PacketType::PubRec | PacketType::PubRel | PacketType::PubComp => {
            let ack = acknowledge::parse_ack(packet_type, fields, version, &mut violations);
            if ack.packet_id == Some(0) {
                violations.add(id_zero(direction));
            }
            Body::Ack(ack)
        }
        PacketType::Connect => Body::Connect(connect::parse(fields, &mut violations)),
        PacketType::ConnAck => Body::ConnAck(acknowledge::parse_connack(fields, version, &mut violations)),
        PacketType::Subscribe => {
            Body::Subscribe(subscribe::parse(packet_type, fields, version, &mut violations))
        }
        PacketType::Unsubscribe => {
            Body::Unsubscribe(subscribe::parse(packet_type, fields, version, &mut violations))
        }
        PacketType::SubAck | PacketType::UnsubAck => {
            let ack = acknowledge::parse_suback(packet_type, fields, version, &mut violations);
            if ack.packet_id == Some(0) {
                violations.add(id_zero(direction));
            }
            Body::SubAck(ack)
        }
        PacketType::Disconnect => {
            let before_5 = matches!(version, Version::V31 | Version::V311);
            // Before version 5 a server says nothing; it closes.
            violations.add_if(before_5 && direction == Direction::ToClient, Violation::WrongDirection);
            Body::Disconnect(reasoned::parse(packet_type, fields, direction, version, &mut violations))
        }
        PacketType::PingReq | PacketType::PingResp => {
            violations.add_if(raw.remaining_length != 0, Violation::Trailing);
            Body::Bare
        }
        PacketType::Auth if matches!(version, Version::V5 | Version::Unknown) => {
            Body::Auth(reasoned::parse(packet_type, fields, direction, version, &mut violations))
        }
        PacketType::Reserved | PacketType::Auth => {
            violations.add(Violation::ReservedType);
            Body::Bare
        }
    };
    ControlPacket { packet_type, body, violations }
}

/// The statement that wrong flags of this type break.
#[cold]
const fn flags_violation(packet_type: PacketType) -> Violation {
    match packet_type {
        PacketType::PubRel => Violation::PubRelFlags,
        PacketType::Subscribe => Violation::SubscribeFlags,
        PacketType::Unsubscribe => Violation::UnsubscribeFlags,
        PacketType::Disconnect => Violation::DisconnectFlags,
        PacketType::Auth => Violation::AuthFlags,
        _ => Violation::ReservedFlags,
    }
}

#[cold]
const fn id_zero(direction: Direction) -> Violation {
    match direction {
        Direction::ToServer => Violation::PacketIdZero,
        Direction::ToClient => Violation::ServerPacketIdZero,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8], direction: Direction, version: Version) -> ControlPacket<'_> {
        let raw = RawPacket {
            first: octets[0],
            remaining_length: u32::from(octets[1]),
            length_octets: 1,
            head: &octets[2..],
        };
        parse(&raw, direction, version)
    }

    #[test]
    fn acknowledgements_and_pings() {
        let ack = read(&[0x40, 2, 0, 9], Direction::ToClient, Version::V311);
        assert!(matches!(ack.body, Body::Ack(Ack { packet_id: Some(9), code: 0, .. })));
        assert!(ack.violations.is_empty());
        assert!(read(&[0xc0, 0], Direction::ToServer, Version::V311).violations.is_empty());
        let goodbye = read(&[0xe0, 1, 0x8e], Direction::ToClient, Version::V5);
        assert!(matches!(goodbye.body, Body::Disconnect(Reasoned { code: 0x8e, .. })));
    }

    #[test]
    fn notes_what_is_wrong() {
        use Direction::{ToClient, ToServer};
        for (octets, direction, version, expected) in [
            (&[0x00, 0][..], ToServer, Version::V311, Violation::ReservedType),
            (&[0xf0, 0], ToServer, Version::V311, Violation::ReservedType),
            (&[0x60, 2, 0, 1], ToServer, Version::V311, Violation::PubRelFlags),
            (&[0x80, 6, 0, 1, 0, 1, b'a', 0], ToServer, Version::V311, Violation::SubscribeFlags),
            (&[0xa0, 5, 0, 1, 0, 1, b'a'], ToServer, Version::V311, Violation::UnsubscribeFlags),
            (&[0xe1, 0], ToServer, Version::V311, Violation::DisconnectFlags),
            (&[0xf1, 0], ToServer, Version::V5, Violation::AuthFlags),
            (&[0xc1, 0], ToServer, Version::V311, Violation::ReservedFlags),
            (&[0xc0, 1, 0], ToServer, Version::V311, Violation::Trailing),
            (&[0x20, 2, 0, 0], ToServer, Version::V311, Violation::ConnAckFromClient),
            (&[0xe0, 0], ToClient, Version::V311, Violation::WrongDirection),
            (&[0xc0, 0], ToClient, Version::V311, Violation::WrongDirection),
            (&[0x40, 1, 0], ToServer, Version::V311, Violation::Truncated),
            (&[0x40, 2, 0, 0], ToServer, Version::V311, Violation::PacketIdZero),
            (&[0x40, 2, 0, 0], ToClient, Version::V311, Violation::ServerPacketIdZero),
        ] {
            let packet = read(octets, direction, version);
            assert!(
                packet.violations.has(expected) && packet.violations.len() == 1,
                "{expected:?} {octets:?} {packet:?}"
            );
        }
        assert!(read(&[0xf0, 0], ToServer, Version::V5).violations.is_empty());
    }

    #[test]
    fn names_and_numbers() {
        for (number, packet_type) in (0u8..16).zip(PacketType::ALL) {
            assert_eq!(packet_type as u8, number);
            assert_eq!(PacketType::of(number << 4 | 0x0f), packet_type);
        }
        assert_eq!(PacketType::of(0x30).name(), "PUBLISH");
    }
}
