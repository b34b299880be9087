//! What an encoder of our own wrote, the framer and the decoder read: the same packets with the same fields, however the
//! stream was cut. A legal packet is never a ground for an alert, not even where its version is not known or where the
//! capture cut it.

use picket::flow::key::Direction::{self, ToClient, ToServer};
use picket::flow::ring::Buffer;
use picket::mqtt::framer::{Framer, HeadRing, Item};
use picket::mqtt::packet::{Body, ControlPacket, PacketType, RawPacket, parse};
use picket::mqtt::property::{Properties as Read, Value};
use picket::mqtt::reason;
use picket::mqtt::version::Version as Spoken;

use super::draw::Draw;
use super::encoder::{
    Ack, ConnAck, Connect, Properties, Publish, Reasoned, SubAck, Subscribe, Unsubscribe, V5, V31, V311,
    Version, Will, pingreq, pingresp,
};

/// A packet that was written, and what has to be read.
struct Written {
    direction: Direction,
    octets: Vec<u8>,
    /// Octets behind its last field.
    payload: usize,
    same: Box<dyn Fn(&Body<'_>)>,
}

/// `input` is an octet for the version, one for the cuts, then what the fields of up to 16 packets are drawn from.
pub fn holds(input: &[u8]) {
    let [version, cut, rest @ ..] = input else { return };
    let version = [V311, V5, V31][usize::from(version % 3)];
    let mut draw = Draw(rest);
    let mut written = Vec::new();
    while !draw.is_empty() && written.len() < 16 {
        written.push(write(version, &mut draw));
    }
    for direction in [ToServer, ToClient] {
        let sent: Vec<&Written> = written.iter().filter(|packet| packet.direction == direction).collect();
        check(&sent, direction, version, usize::from(*cut) + 1);
    }
}

/// All that was written in one direction is read again, cut into pieces of this size.
fn check(sent: &[&Written], direction: Direction, version: Version, piece: usize) {
    let spoken = match version {
        V31 => Spoken::V31,
        V311 => Spoken::V311,
        V5 => Spoken::V5,
    };
    let stream: Vec<u8> = sent.iter().flat_map(|packet| packet.octets.clone()).collect();
    let mut buffers = vec![Buffer::EMPTY; 1];
    let mut ring = HeadRing::new(&mut buffers);
    let (mut framer, mut read) = (Framer::AT_START, 0);
    for octets in stream.chunks(piece) {
        framer.push(octets, &mut ring, &mut |item| {
            let Item::Packet(raw) = item else { panic!("{item:?}") };
            let packet = parse(&raw, direction, spoken);
            assert_eq!(raw.first, sent[read].octets[0]);
            // Of a split packet that is longer than what is kept, the last fields may be lost.
            if raw.head.len() >= raw.remaining_length as usize - sent[read].payload {
                (sent[read].same)(&packet.body);
            }
            legal(&packet, &raw);
            for end in [raw.head.len(), raw.head.len() / 2, raw.head.len().saturating_sub(1), piece % 16] {
                let cut = RawPacket { head: raw.head.get(..end).unwrap_or(raw.head), ..raw };
                legal(&parse(&cut, direction, spoken), &cut);
                legal(&parse(&cut, direction, Spoken::Unknown), &cut);
            }
            read += 1;
        });
    }
    assert_eq!(read, sent.len());
    assert!(!framer.is_within_packet());
}

fn legal(packet: &ControlPacket<'_>, raw: &RawPacket<'_>) {
    let counted = packet.violations.counted();
    assert!(counted.is_empty(), "{:?} in {packet:?} of {raw:02x?}", counted.iter().collect::<Vec<_>>());
}

/// Writes a packet of any type that the version has.
fn write(version: Version, draw: &mut Draw<'_>) -> Written {
    let number = 1 + draw.below(15);
    let either = if draw.flag() { ToClient } else { ToServer };
    match number {
        1 => connect(version, draw),
        2 => connack(version, draw),
        3 => publish(version, either, draw),
        4..=7 => ack(number, version, either, draw),
        8 => subscribe(version, draw),
        9 | 11 => suback(number, version, draw),
        10 => unsubscribe(version, draw),
        12 => Written { direction: ToServer, octets: pingreq(), payload: 0, same: Box::new(bare) },
        13 => Written { direction: ToClient, octets: pingresp(), payload: 0, same: Box::new(bare) },
        // Before version 5 only a client says it, and there is no AUTH.
        _ if version != V5 => reasoned(14, version, ToServer, draw),
        _ => reasoned(number, version, either, draw),
    }
}

fn bare(body: &Body<'_>) {
    assert_eq!(*body, Body::Bare);
}

fn connect(version: Version, draw: &mut Draw<'_>) -> Written {
    let mut packet = Connect::new(version, draw.text(0)).keep_alive(draw.two());
    packet.clean = draw.flag();
    if version != V5 && packet.client_id.as_ref().is_some_and(Vec::is_empty) {
        packet.clean = true;
    }
    let (properties, list) = properties(1, version, ToServer, draw);
    packet.properties = properties;
    let mut will_list = Vec::new();
    if draw.flag() {
        let (properties, list) = self::properties(0, version, ToServer, draw);
        will_list = list;
        let mut will = Will::new(draw.topic(), draw.octets()).qos(draw.below(3)).properties(properties);
        will.retain = draw.flag();
        packet.will = Some(will);
    }
    if draw.flag() {
        packet.user_name = Some(draw.text(0).into());
    }
    if draw.flag() && (version == V5 || packet.user_name.is_some()) {
        packet.password = Some(draw.octets());
    }
    let bridge = version != V5 && draw.below(8) == 1;
    packet.level |= if bridge { 0x80 } else { 0 };
    let octets = packet.encode();
    let same = move |body: &Body<'_>| {
        let Body::Connect(read) = body else { panic!("{body:?}") };
        assert_eq!((read.version.level(), read.bridge), (version.level(), bridge));
        assert_eq!((read.clean, read.keep_alive), (packet.clean, packet.keep_alive));
        assert_eq!(read.client_id, packet.client_id.as_deref());
        assert_eq!(
            (read.user_name, read.password),
            (packet.user_name.as_deref(), packet.password.as_deref())
        );
        same_properties(&read.properties, &list);
        assert_eq!(read.will.is_some(), packet.will.is_some());
        if let (Some(read), Some(written)) = (read.will, &packet.will) {
            assert_eq!((read.qos, read.retain), (written.qos, written.retain));
            assert_eq!(read.topic, Some(&written.topic[..]));
            assert_eq!(read.payload_len.map(usize::from), written.message.as_ref().map(Vec::len));
            same_properties(&read.properties, &will_list);
        }
    };
    Written { direction: ToServer, octets, payload: 0, same: Box::new(same) }
}

fn connack(version: Version, draw: &mut Draw<'_>) -> Written {
    let code = match version {
        V5 => code(PacketType::ConnAck, draw),
        _ => draw.below(6),
    };
    let present = code == 0 && version != V31 && draw.flag();
    let (properties, list) = properties(2, version, ToClient, draw);
    let octets = ConnAck::new(version, code).flags(present.into()).properties(properties).encode();
    let same = move |body: &Body<'_>| {
        let Body::ConnAck(Some(read)) = body else { panic!("{body:?}") };
        assert_eq!((read.session_present, read.code), (present, code));
        same_properties(&read.properties, &list);
    };
    Written { direction: ToClient, octets, payload: 0, same: Box::new(same) }
}

fn publish(version: Version, direction: Direction, draw: &mut Draw<'_>) -> Written {
    let (properties, list) = properties(3, version, direction, draw);
    let has_alias = list.iter().any(|(id, _)| *id == 0x23);
    let topic = if has_alias && draw.flag() { String::new() } else { draw.topic() };
    let mut packet = Publish::new(version, topic).properties(properties);
    packet.retain = draw.flag();
    packet.qos = draw.below(3);
    if packet.qos > 0 {
        packet.dup = draw.flag();
        packet.id = Some(draw.two_not_zero());
    }
    packet.payload = vec![draw.octet(); usize::from(draw.two() % 4096)];
    let (octets, payload) = (packet.encode(), packet.payload.len());
    let same = move |body: &Body<'_>| {
        let Body::Publish(read) = body else { panic!("{body:?}") };
        assert_eq!((read.qos, read.dup, read.retain), (packet.qos, packet.dup, packet.retain));
        assert_eq!((read.topic, read.packet_id), (Some(&packet.topic[..]), packet.id));
        assert_eq!(read.payload_len.map(|len| len as usize), Some(packet.payload.len()));
        same_properties(&read.properties, &list);
    };
    Written { direction, octets, payload, same: Box::new(same) }
}

fn ack(number: u8, version: Version, direction: Direction, draw: &mut Draw<'_>) -> Written {
    let id = draw.two_not_zero();
    let mut packet = match number {
        4 => Ack::puback(id),
        5 => Ack::pubrec(id),
        6 => Ack::pubrel(id),
        _ => Ack::pubcomp(id),
    };
    let mut list = Vec::new();
    if version == V5 && draw.flag() {
        packet.code = Some(code(PacketType::of(number << 4), draw));
        if draw.flag() {
            let (properties, drawn) = properties(number, version, direction, draw);
            packet.properties = Some(properties);
            list = drawn;
        }
    }
    let octets = packet.encode();
    let same = move |body: &Body<'_>| {
        let Body::Ack(read) = body else { panic!("{body:?}") };
        assert_eq!((read.packet_id, read.code), (Some(id), packet.code.unwrap_or(0)));
        same_properties(&read.properties, &list);
    };
    Written { direction, octets, payload: 0, same: Box::new(same) }
}

fn subscribe(version: Version, draw: &mut Draw<'_>) -> Written {
    let id = draw.two_not_zero();
    let (properties, list) = properties(8, version, ToServer, draw);
    let mut packet = Subscribe::new(version, id).properties(properties);
    let (mut wildcards, mut shares) = (0, 0);
    for _ in 0..=draw.below(4) {
        let (filter, wildcard, shared) = draw.filter();
        let mut options = draw.below(3);
        if version == V5 {
            options |=
                draw.below(3) << 4 | draw.octet() & 0x08 | if shared { 0 } else { draw.octet() & 0x04 };
        }
        packet = packet.filter(filter, options);
        wildcards += u16::from(wildcard);
        shares += u16::from(shared);
    }
    let octets = packet.encode();
    let same = move |body: &Body<'_>| {
        let Body::Subscribe(read) = body else { panic!("{body:?}") };
        let filters: Vec<(Vec<u8>, u8)> = read.iter().map(|(filter, qos)| (filter.to_vec(), qos)).collect();
        assert_eq!(filters, packet.filters);
        assert_eq!((read.packet_id, usize::from(read.count)), (Some(id), filters.len()));
        assert_eq!((read.wildcards, read.shared, read.all_read), (wildcards, shares, true));
        same_properties(&read.properties, &list);
    };
    Written { direction: ToServer, octets, payload: 0, same: Box::new(same) }
}

fn unsubscribe(version: Version, draw: &mut Draw<'_>) -> Written {
    let id = draw.two_not_zero();
    let (properties, list) = properties(10, version, ToServer, draw);
    let mut packet = Unsubscribe::new(version, id).properties(properties);
    for _ in 0..=draw.below(4) {
        packet = packet.filter(draw.filter().0);
    }
    let octets = packet.encode();
    let same = move |body: &Body<'_>| {
        let Body::Unsubscribe(read) = body else { panic!("{body:?}") };
        let filters: Vec<Vec<u8>> = read.iter().map(|(filter, _)| filter.to_vec()).collect();
        assert_eq!((read.packet_id, read.all_read), (Some(id), true));
        assert_eq!(filters, packet.filters);
        same_properties(&read.properties, &list);
    };
    Written { direction: ToServer, octets, payload: 0, same: Box::new(same) }
}

fn suback(number: u8, version: Version, draw: &mut Draw<'_>) -> Written {
    let id = draw.two_not_zero();
    let (properties, list) = properties(number, version, ToClient, draw);
    let count = 1 + draw.below(4);
    let code = |draw: &mut Draw<'_>| match version {
        V5 => code(PacketType::of(number << 4), draw),
        _ => draw.one_of(&[0, 1, 2, 0x80]),
    };
    let codes: Vec<u8> = (0..count).map(|_| code(draw)).collect();
    let packet = match number {
        9 => SubAck::new(version, id, &codes),
        _ => SubAck::unsuback(version, id, &codes),
    };
    let packet = packet.properties(properties);
    let octets = packet.encode();
    let same = move |body: &Body<'_>| {
        let Body::SubAck(read) = body else { panic!("{body:?}") };
        assert_eq!((read.packet_id, read.codes), (Some(id), &packet.codes[..]));
        assert_eq!(read.count as usize, packet.codes.len());
        same_properties(&read.properties, &list);
    };
    Written { direction: ToClient, octets, payload: 0, same: Box::new(same) }
}

/// DISCONNECT or AUTH.
fn reasoned(number: u8, version: Version, direction: Direction, draw: &mut Draw<'_>) -> Written {
    let mut packet = if number == 14 { Reasoned::disconnect(0) } else { Reasoned::auth(0) };
    packet.code = None;
    let mut list = Vec::new();
    if version == V5 && draw.flag() {
        packet.code = Some(code(PacketType::of(number << 4), draw));
        if draw.flag() {
            let (properties, drawn) = properties(number, version, direction, draw);
            packet.properties = Some(properties);
            list = drawn;
        }
    }
    let octets = packet.encode();
    let same = move |body: &Body<'_>| {
        let (Body::Disconnect(read) | Body::Auth(read)) = body else { panic!("{body:?}") };
        assert_eq!(matches!(body, Body::Disconnect(_)), number == 14);
        assert_eq!(read.code, packet.code.unwrap_or(0));
        same_properties(&read.properties, &list);
    };
    Written { direction, octets, payload: 0, same: Box::new(same) }
}

/// A reason code that a packet of version 5 may have.
fn code(packet_type: PacketType, draw: &mut Draw<'_>) -> u8 {
    let codes: Vec<u8> = (0..=u8::MAX).filter(|code| reason::is_known(packet_type, *code)).collect();
    draw.one_of(&codes)
}

/// A property's value as it was drawn.
#[derive(Debug)]
enum Drawn {
    Integer(u32),
    Octets(Vec<u8>),
    Pair(String, String),
}

/// Types of values.
#[derive(Clone, Copy)]
enum Kind {
    Flag,
    Two,
    TwoNotZero,
    Four,
    FourNotZero,
    Varint,
    Text,
    Binary,
    Pair,
}

/// Table 2-4 of version 5: identifier, type of value, and the packets it may stand in by number; 0 is the will.
const PROPERTIES: [(u8, Kind, &[u8]); 27] = [
    (0x01, Kind::Flag, &[0, 3]),
    (0x02, Kind::Four, &[0, 3]),
    (0x03, Kind::Text, &[0, 3]),
    (0x08, Kind::Text, &[0, 3]),
    (0x09, Kind::Binary, &[0, 3]),
    (0x0b, Kind::Varint, &[3, 8]),
    (0x11, Kind::Four, &[1, 2, 14]),
    (0x12, Kind::Text, &[2]),
    (0x13, Kind::Two, &[2]),
    (0x15, Kind::Text, &[1, 2, 15]),
    (0x16, Kind::Binary, &[1, 2, 15]),
    (0x17, Kind::Flag, &[1]),
    (0x18, Kind::Four, &[0]),
    (0x19, Kind::Flag, &[1]),
    (0x1a, Kind::Text, &[2]),
    (0x1c, Kind::Text, &[2, 14]),
    (0x1f, Kind::Text, &[2, 4, 5, 6, 7, 9, 11, 14, 15]),
    (0x21, Kind::TwoNotZero, &[1, 2]),
    (0x22, Kind::Two, &[1, 2]),
    (0x23, Kind::TwoNotZero, &[3]),
    (0x24, Kind::Flag, &[2]),
    (0x25, Kind::Flag, &[2]),
    (0x26, Kind::Pair, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15]),
    (0x27, Kind::FourNotZero, &[1, 2]),
    (0x28, Kind::Flag, &[2]),
    (0x29, Kind::Flag, &[2]),
    (0x2a, Kind::Flag, &[2]),
];

/// Properties that may stand in a packet of this number, and the list of them; none before version 5.
fn properties(
    number: u8,
    version: Version,
    direction: Direction,
    draw: &mut Draw<'_>,
) -> (Properties, Vec<(u8, Drawn)>) {
    let (mut properties, mut list) = (Properties::new(), Vec::new());
    if version != V5 {
        return (properties, list);
    }
    let from_server = direction == ToClient;
    let allowed: Vec<(u8, Kind)> = PROPERTIES
        .iter()
        .filter(|(_, _, places)| places.contains(&number))
        // Only a server names subscriptions, and only a client changes the expiry of its session at its end.
        .filter(|(id, ..)| *id != 0x0b || number == 8 || from_server)
        .filter(|(id, ..)| *id != 0x11 || number != 14 || !from_server)
        .map(|(id, kind, _)| (*id, *kind))
        .collect();
    for _ in 0..draw.below(6) {
        let (id, kind) = draw.one_of(&allowed);
        let repeatable = id == 0x26 || id == 0x0b && number == 3;
        if !repeatable && list.iter().any(|(other, _)| *other == id) {
            continue;
        }
        let drawn;
        (properties, drawn) = value(id, kind, properties, draw);
        list.push((id, drawn));
    }
    (properties, list)
}

/// Draws a value and writes it.
fn value(id: u8, kind: Kind, properties: Properties, draw: &mut Draw<'_>) -> (Properties, Drawn) {
    match kind {
        Kind::Flag => {
            let value = draw.below(2);
            (properties.octet(id, value), Drawn::Integer(value.into()))
        }
        Kind::Two | Kind::TwoNotZero => {
            let value = if matches!(kind, Kind::Two) { draw.two() } else { draw.two_not_zero() };
            (properties.two(id, value), Drawn::Integer(value.into()))
        }
        Kind::Four | Kind::FourNotZero => {
            let value = if matches!(kind, Kind::Four) { draw.four() } else { draw.four().max(1) };
            (properties.four(id, value), Drawn::Integer(value))
        }
        Kind::Varint => {
            let value = (draw.four() >> draw.below(32)).clamp(1, 268_435_455);
            (properties.varint(id, value as usize), Drawn::Integer(value))
        }
        Kind::Text => {
            let value = draw.text(0).into_bytes();
            (properties.text(id, &value), Drawn::Octets(value))
        }
        Kind::Binary => {
            let value = draw.octets();
            (properties.text(id, &value), Drawn::Octets(value))
        }
        Kind::Pair => {
            let (name, value) = (draw.text(0), draw.text(0));
            (properties.user(&name, &value), Drawn::Pair(name, value))
        }
    }
}

fn same_properties(read: &Read<'_>, written: &[(u8, Drawn)]) {
    assert_eq!(usize::from(read.count), written.len());
    let mut left = written.iter();
    for (id, value) in read.iter() {
        let (written_id, drawn) = left.next().expect("no more are read than were counted");
        assert_eq!(id as u8, *written_id);
        let same = match (value, drawn) {
            (Value::Integer(read), Drawn::Integer(written)) => read == *written,
            (Value::Text(read) | Value::Binary(read), Drawn::Octets(written)) => read == written,
            (Value::Pair(name, text), Drawn::Pair(written_name, written_text)) => {
                (name, text) == (written_name.as_bytes(), written_text.as_bytes())
            }
            _ => false,
        };
        assert!(same, "{id:?}: {value:?} is not {drawn:?}");
    }
    assert!(left.next().is_none());
}
