//! Encoding of control packets, MQTT 3.1, 3.1.1 (OASIS 2014) and 5.0 (OASIS 2019).

use serde::{Deserialize, Serialize};

/// Protocol version, with the level byte of CONNECT.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, clap::ValueEnum)]
pub enum Version {
    /// MQTT 3.1, level 3, protocol name `MQIsdp`.
    #[serde(rename = "3.1")]
    #[value(name = "3.1")]
    V31,
    /// MQTT 3.1.1, level 4.
    #[default]
    #[serde(rename = "3.1.1")]
    #[value(name = "3.1.1")]
    V311,
    /// MQTT 5.0, level 5.
    #[serde(rename = "5")]
    #[value(name = "5")]
    V5,
}

impl Version {
    /// The protocol level byte of CONNECT (3.1.2.2).
    #[must_use]
    pub const fn level(self) -> u8 {
        match self {
            Self::V31 => 3,
            Self::V311 => 4,
            Self::V5 => 5,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::V31 => "MQIsdp",
            Self::V311 | Self::V5 => "MQTT",
        }
    }
}

/// The message that the broker publishes when the client is lost.
#[derive(Clone, Debug)]
pub struct Will<'a> {
    /// Topic name.
    pub topic: &'a str,
    /// Payload.
    pub payload: &'a [u8],
    /// Quality of service, 0 to 2.
    pub qos: u8,
    /// Retained flag.
    pub retain: bool,
}

/// What a CONNECT says (3.1).
#[derive(Clone, Debug, Default)]
pub struct Connect<'a> {
    /// Protocol version.
    pub version: Version,
    /// Client identifier; empty asks the broker for one.
    pub client_id: &'a str,
    /// Keep alive in seconds.
    pub keep_alive: u16,
    /// Clean session, or clean start in version 5.
    pub clean: bool,
    /// User name and password.
    pub login: Option<(&'a str, &'a str)>,
    /// Will message.
    pub will: Option<Will<'a>>,
}

impl Connect<'_> {
    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_with(&[])
    }

    /// The bytes on the wire, with these encoded properties in version 5.
    #[must_use]
    pub fn encode_with(&self, properties: &[u8]) -> Vec<u8> {
        let mut flags = u8::from(self.clean) << 1;
        if let Some(will) = &self.will {
            flags |= 0x04 | will.qos << 3 | u8::from(will.retain) << 5;
        }
        if self.login.is_some() {
            flags |= 0xC0;
        }
        let mut body = Vec::with_capacity(64);
        field(&mut body, self.version.name().as_bytes());
        body.extend([self.version.level(), flags]);
        body.extend(self.keep_alive.to_be_bytes());
        property_list(&mut body, self.version, properties);
        field(&mut body, self.client_id.as_bytes());
        if let Some(will) = &self.will {
            no_properties(&mut body, self.version);
            field(&mut body, will.topic.as_bytes());
            field(&mut body, will.payload);
        }
        if let Some((user, password)) = self.login {
            field(&mut body, user.as_bytes());
            field(&mut body, password.as_bytes());
        }
        packet(0x10, &body)
    }
}

/// What a PUBLISH says (3.3).
#[derive(Clone, Debug)]
pub struct Publish<'a> {
    /// Topic name.
    pub topic: &'a str,
    /// Payload.
    pub payload: &'a [u8],
    /// Quality of service, 0 to 2.
    pub qos: u8,
    /// Retained flag.
    pub retain: bool,
    /// Packet identifier, used when `qos` is above 0.
    pub id: u16,
}

impl Publish<'_> {
    /// Appends the bytes on the wire to `out`, so that many packets can share one segment.
    pub fn encode_into(&self, version: Version, out: &mut Vec<u8>) {
        self.encode_with(version, &[], out);
    }

    /// The same, with these encoded properties in version 5.
    pub fn encode_with(&self, version: Version, properties: &[u8], out: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(self.topic.len() + self.payload.len() + 5);
        field(&mut body, self.topic.as_bytes());
        if self.qos > 0 {
            body.extend(self.id.to_be_bytes());
        }
        property_list(&mut body, version, properties);
        body.extend(self.payload);
        packet_into(0x30 | self.qos << 1 | u8::from(self.retain), &body, out);
    }
}

/// SUBSCRIBE (3.8): filters with the quality of service asked for.
#[must_use]
pub fn subscribe(version: Version, id: u16, filters: &[(&str, u8)]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    no_properties(&mut body, version);
    for (filter, qos) in filters {
        field(&mut body, filter.as_bytes());
        body.push(*qos);
    }
    packet(0x82, &body)
}

/// First byte of PUBACK (3.4).
pub const PUBACK: u8 = 0x40;
/// First byte of PUBREC (3.5).
pub const PUBREC: u8 = 0x50;
/// First byte of PUBREL (3.6), whose flags are fixed at 2.
pub const PUBREL: u8 = 0x62;
/// First byte of PUBCOMP (3.7).
pub const PUBCOMP: u8 = 0x70;
/// PINGREQ (3.12).
pub const PINGREQ: [u8; 2] = [0xC0, 0];
/// DISCONNECT (3.14), normal: in version 5 the reason code may be left out.
pub const DISCONNECT: [u8; 2] = [0xE0, 0];

/// PUBACK, PUBREC, PUBREL or PUBCOMP in the two-byte form that every version allows.
#[must_use]
pub const fn acknowledge(first: u8, id: u16) -> [u8; 4] {
    let [high, low] = id.to_be_bytes();
    [first, 2, high, low]
}

/// A whole packet: first byte, Remaining Length, body.
#[must_use]
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 5);
    packet_into(first, body, &mut out);
    out
}

fn packet_into(first: u8, body: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    remaining_length(body.len(), out);
    out.extend(body);
}

/// Remaining Length: seven bits a byte, low first (2.2.3; version 5: 1.5.5).
pub fn remaining_length(mut length: usize, out: &mut Vec<u8>) {
    loop {
        let low = u8::try_from(length & 0x7F).expect("seven bits fit a byte");
        length >>= 7;
        if length == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// A length-prefixed field (1.5.3). Anything past 65,535 bytes is cut off: the format has no room for it.
pub fn field(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend(length.to_be_bytes());
    out.extend(&bytes[..usize::from(length)]);
}

/// The empty property list, which version 5 cannot leave out.
fn no_properties(out: &mut Vec<u8>, version: Version) {
    property_list(out, version, &[]);
}

/// Property Length and properties (version 5: 2.2.2); nothing in older versions.
fn property_list(out: &mut Vec<u8>, version: Version, properties: &[u8]) {
    if version == Version::V5 {
        remaining_length(properties.len(), out);
        out.extend(properties);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_3_1_1_with_everything() {
        let connect = Connect {
            version: Version::V311,
            client_id: "c1",
            keep_alive: 60,
            clean: true,
            login: Some(("u", "pw")),
            will: Some(Will { topic: "w", payload: b"x", qos: 1, retain: true }),
        };
        assert_eq!(
            connect.encode(),
            b"\x10\x1b\x00\x04MQTT\x04\xee\x00\x3c\x00\x02c1\x00\x01w\x00\x01x\x00\x01u\x00\x02pw"
        );
    }

    #[test]
    fn connect_3_1_and_5() {
        let old = Connect { version: Version::V31, client_id: "a", clean: true, ..Connect::default() };
        assert_eq!(old.encode(), b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x00\x00\x01a");
        let new = Connect {
            version: Version::V5,
            keep_alive: 0xFFFF,
            will: Some(Will { topic: "w", payload: b"", qos: 2, retain: false }),
            ..Connect::default()
        };
        assert_eq!(new.encode(), b"\x10\x13\x00\x04MQTT\x05\x14\xff\xff\x00\x00\x00\x00\x00\x01w\x00\x00");
    }

    #[test]
    fn publish_of_each_qos() {
        let encode = |version, qos, retain| {
            let mut out = Vec::new();
            Publish { topic: "a/b", payload: b"21", qos, retain, id: 0x0102 }.encode_into(version, &mut out);
            out
        };
        assert_eq!(encode(Version::V311, 0, false), b"\x30\x07\x00\x03a/b21");
        assert_eq!(encode(Version::V311, 1, true), b"\x33\x09\x00\x03a/b\x01\x0221");
        assert_eq!(encode(Version::V5, 2, false), b"\x34\x0a\x00\x03a/b\x01\x02\x0021");
    }

    #[test]
    fn subscribe_and_acknowledge() {
        assert_eq!(subscribe(Version::V311, 7, &[("a/#", 1)]), b"\x82\x08\x00\x07\x00\x03a/#\x01");
        assert_eq!(
            subscribe(Version::V5, 7, &[("a", 0), ("b", 2)]),
            b"\x82\x0b\x00\x07\x00\x00\x01a\x00\x00\x01b\x02"
        );
        assert_eq!(acknowledge(PUBREL, 0x1234), [0x62, 2, 0x12, 0x34]);
    }

    #[test]
    fn remaining_length_at_its_borders() {
        let encode = |length| {
            let mut out = Vec::new();
            remaining_length(length, &mut out);
            out
        };
        assert_eq!(encode(0), [0]);
        assert_eq!(encode(127), [0x7F]);
        assert_eq!(encode(128), [0x80, 1]);
        assert_eq!(encode(16_383), [0xFF, 0x7F]);
        assert_eq!(encode(16_384), [0x80, 0x80, 1]);
        assert_eq!(encode(2_097_152), [0x80, 0x80, 0x80, 1]);
        assert_eq!(encode(268_435_455), [0xFF, 0xFF, 0xFF, 0x7F]);
    }

    #[test]
    fn a_field_too_long_is_cut_and_stays_consistent() {
        let mut out = Vec::new();
        field(&mut out, &vec![7; 70_000]);
        assert_eq!(out.len(), 65_537);
        assert_eq!(out[..2], [0xFF, 0xFF]);
    }
}
