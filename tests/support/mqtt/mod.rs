//! An MQTT encoder of the tests' own, so that the product's decoder is not tested against itself: all 15 control packets of
//! 3.1, 3.1.1 and 5, with any field wrong on purpose.
//!
//! A builder per packet writes what it is told to, sensible or not. What no builder can say is said with [`packet`],
//! [`with_flags`] and [`with_length`].

pub mod acknowledge;
pub mod connect;
pub mod leave;
pub mod property;
pub mod publish;
pub mod subscribe;

pub use acknowledge::{Ack, ConnAck, SubAck};
pub use connect::{Connect, Will};
pub use leave::Reasoned;
pub use property::{Properties, id};
pub use publish::Publish;
pub use subscribe::{Subscribe, Unsubscribe};

/// The version spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    V31,
    V311,
    V5,
}

pub use Version::{V5, V31, V311};

impl Version {
    /// The protocol level.
    pub fn level(self) -> u8 {
        match self {
            V31 => 3,
            V311 => 4,
            V5 => 5,
        }
    }

    /// Whether packets have properties.
    pub fn has_properties(self) -> bool {
        self == V5
    }
}

/// Lets a builder stand where octets are wanted.
macro_rules! octets_of {
    ($($builder:ty),*) => {
        $(impl From<$builder> for Vec<u8> {
            fn from(builder: $builder) -> Self {
                builder.encode()
            }
        })*
    };
}

octets_of!(Connect, ConnAck, Publish, Ack, Subscribe, SubAck, Unsubscribe, Reasoned);

/// A variable byte integer in as few octets as will do.
pub fn varint(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = (value % 128) as u8;
        value /= 128;
        out.push(if value > 0 { low | 0x80 } else { low });
        if value == 0 {
            return out;
        }
    }
}

/// A variable byte integer in this many octets, needed or not.
pub fn long_varint(value: usize, octets: usize) -> Vec<u8> {
    let septet = |at: usize| (value >> (7 * at) & 0x7f) as u8;
    (0..octets).map(|at| if at + 1 < octets { septet(at) | 0x80 } else { septet(at) }).collect()
}

/// A control packet: first octet, Remaining Length, body.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    [&[first][..], &varint(body.len()), body].concat()
}

/// The packet with other flags in its fixed header.
pub fn with_flags(packet: impl Into<Vec<u8>>, flags: u8) -> Vec<u8> {
    let mut packet = packet.into();
    packet[0] = packet[0] & 0xf0 | flags;
    packet
}

/// The packet with these octets instead of its Remaining Length.
pub fn with_length(packet: impl Into<Vec<u8>>, length: &[u8]) -> Vec<u8> {
    let packet = packet.into();
    [&packet[..1], length, body(&packet)].concat()
}

/// The packet with its Remaining Length in this many octets.
pub fn with_long_length(packet: impl Into<Vec<u8>>, octets: usize) -> Vec<u8> {
    let packet = packet.into();
    let length = long_varint(body(&packet).len(), octets);
    with_length(packet, &length)
}

/// The packet with its last octets gone, and its Remaining Length to match.
pub fn cut(whole: impl Into<Vec<u8>>, octets: usize) -> Vec<u8> {
    let whole = whole.into();
    let body = body(&whole);
    packet(whole[0], &body[..body.len() - octets])
}

/// The packet with more octets behind its last field, and its Remaining Length to match.
pub fn longer(whole: impl Into<Vec<u8>>, more: &[u8]) -> Vec<u8> {
    let whole = whole.into();
    packet(whole[0], &[body(&whole), more].concat())
}

/// What stands behind the fixed header.
fn body(packet: &[u8]) -> &[u8] {
    let octets = packet[1..].iter().take_while(|octet| **octet & 0x80 != 0).count() + 1;
    &packet[1 + octets..]
}

/// A length in two octets, then the octets.
pub fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    let mut out = (text.len() as u16).to_be_bytes().to_vec();
    out.extend(text);
    out
}

/// CONNACK that accepts.
pub fn accepted(version: Version) -> Vec<u8> {
    ConnAck::new(version, 0).encode()
}

/// CONNACK for a bad user name or password.
pub fn refused(version: Version) -> Vec<u8> {
    ConnAck::new(version, if version == V5 { 0x86 } else { 5 }).encode()
}

/// PUBLISH at QoS 0.
pub fn publish(version: Version, topic: &str, payload: &[u8]) -> Vec<u8> {
    Publish::new(version, topic).payload(payload).encode()
}

/// PUBLISH at QoS 0, to be kept by the broker.
pub fn publish_retained(version: Version, topic: &str, payload: &[u8]) -> Vec<u8> {
    Publish::new(version, topic).retain().payload(payload).encode()
}

/// PUBLISH at QoS 1.
pub fn publish_qos1(version: Version, topic: &str, id: u16, payload: &[u8]) -> Vec<u8> {
    Publish::new(version, topic).qos(1, id).payload(payload).encode()
}

/// PUBACK.
pub fn puback(id: u16) -> Vec<u8> {
    Ack::puback(id).encode()
}

/// SUBSCRIBE to one filter at QoS 0.
pub fn subscribe(version: Version, id: u16, filter: &str) -> Vec<u8> {
    Subscribe::new(version, id).filter(filter, 0).encode()
}

/// SUBACK that grants QoS 0.
pub fn suback(version: Version, id: u16) -> Vec<u8> {
    SubAck::new(version, id, &[0]).encode()
}

/// PINGREQ.
pub fn pingreq() -> Vec<u8> {
    packet(0xc0, &[])
}

/// PINGRESP.
pub fn pingresp() -> Vec<u8> {
    packet(0xd0, &[])
}

/// DISCONNECT.
pub fn disconnect() -> Vec<u8> {
    packet(0xe0, &[])
}
