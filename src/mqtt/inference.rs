//! Telling the version of a session that was joined in the middle, from the shape of its packets.
//!
//! Most packets of version 5 carry a Property Length where the older versions have something else, or nothing. Some
//! shapes prove a version; a PUBLISH mostly only hints, since its payload may begin with any octet.

use super::field::Fields;
use super::packet::{PacketType, RawPacket};
use super::property::{self, Place, Properties};
use super::subscribe::tiles;
use super::version::Version;
use super::violation::Violations;

/// Hints that agree, before they are believed.
const ENOUGH: i8 = 4;

/// What has been gathered so far on one connection: towards version 5 when positive, 3.1.1 when negative.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Clues(i8);

/// What one packet says about the version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clue {
    /// It can be of this version only.
    Proof(Version),
    /// It is rather of this version.
    Hint(Version),
}

impl Clues {
    /// Nothing gathered.
    pub const NONE: Self = Self(0);

    /// Takes a packet of a connection whose version is not known; gives the version once it is.
    #[cold]
    pub fn weigh(&mut self, raw: &RawPacket<'_>) -> Option<Version> {
        match clue(raw)? {
            Clue::Proof(version) => Some(version),
            Clue::Hint(version) => {
                self.0 = self.0.saturating_add(if version == Version::V5 { 1 } else { -1 });
                (self.0.abs() >= ENOUGH).then_some(version)
            }
        }
    }
}

/// What a packet says about its version. 3.1 and 3.1.1 look the same.
#[must_use]
pub fn clue(raw: &RawPacket<'_>) -> Option<Clue> {
    use Clue::Proof;
    let len = raw.remaining_length;
    let packet_type = PacketType::of(raw.first);
    match packet_type {
        PacketType::ConnAck | PacketType::UnsubAck if len == 2 => Some(Proof(Version::V311)),
        PacketType::ConnAck | PacketType::UnsubAck if len > 2 => Some(Proof(Version::V5)),
        PacketType::PubAck | PacketType::PubRec | PacketType::PubRel | PacketType::PubComp if len > 2 => {
            Some(Proof(Version::V5))
        }
        PacketType::Disconnect if len > 0 => Some(Proof(Version::V5)),
        PacketType::Auth => Some(Proof(Version::V5)),
        // Version 5 has at least a Property Length and one code behind the packet identifier.
        PacketType::SubAck if len == 3 => Some(Proof(Version::V311)),
        PacketType::SubAck => {
            let codes = raw.head.get(2..)?;
            codes.iter().any(|code| !matches!(code, 0..=2 | 0x80)).then_some(Proof(Version::V5))
        }
        PacketType::Subscribe | PacketType::Unsubscribe => {
            let fields = Fields::new(raw.head, len);
            match (tiles(packet_type, fields, Version::V311), tiles(packet_type, fields, Version::V5)) {
                (true, false) => Some(Proof(Version::V311)),
                (false, true) => Some(Proof(Version::V5)),
                _ => None,
            }
        }
        PacketType::Publish => of_publish(raw),
        _ => None,
    }
}

fn of_publish(raw: &RawPacket<'_>) -> Option<Clue> {
    let mut fields = Fields::new(raw.head, raw.remaining_length);
    fields.binary()?;
    if raw.first & 0x06 != 0 {
        fields.two_octets()?;
    }
    if fields.remaining() == 0 {
        return Some(Clue::Proof(Version::V311));
    }
    let first = *fields.rest().first()?;
    let (mut properties, mut violations) = (Properties::NONE, Violations::NONE);
    let read = property::parse(Place::Publish, &mut fields, &mut properties, &mut violations);
    if !violations.is_empty() {
        return Some(Clue::Hint(Version::V311));
    }
    match (read, first) {
        // No text begins with an octet of 0.
        (Some(()), 0) => Some(Clue::Hint(Version::V5)),
        (Some(()), _) => Some(Clue::Proof(Version::V5)),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clue_of(octets: &[u8]) -> Option<Clue> {
        clue(&RawPacket {
            first: octets[0],
            remaining_length: u32::from(octets[1]),
            length_octets: 1,
            head: &octets[2..],
        })
    }

    #[test]
    fn shapes_that_prove_or_hint() {
        use Clue::{Hint, Proof};
        let (old, new) = (Version::V311, Version::V5);
        for (octets, expected) in [
            (&[0x20, 2, 0, 0][..], Some(Proof(old))),
            (&[0x20, 3, 0, 0, 0], Some(Proof(new))),
            (&[0x40, 2, 0, 1], None),
            (&[0x40, 3, 0, 1, 0x10], Some(Proof(new))),
            (&[0xb0, 2, 0, 1], Some(Proof(old))),
            (&[0xb0, 4, 0, 1, 0, 0], Some(Proof(new))),
            (&[0x90, 3, 0, 1, 0], Some(Proof(old))),
            (&[0x90, 4, 0, 1, 0, 1], None),
            (&[0x90, 4, 0, 1, 0, 0x87], Some(Proof(new))),
            (&[0xe0, 0], None),
            (&[0xe0, 1, 0x8e], Some(Proof(new))),
            (&[0xc0, 0], None),
            (b"\x82\x06\0\x01\0\x01a\x01", Some(Proof(old))),
            (b"\x82\x07\0\x01\0\0\x01a\x01", Some(Proof(new))),
            (b"\x30\x03\0\x01a", Some(Proof(old))),
            (b"\x30\x08\0\x01a{\"x\":", Some(Hint(old))),
            (b"\x30\x06\0\x01a\0hi", Some(Hint(new))),
            (b"\x30\x08\0\x01a\x02\x01\x01hi", Some(Proof(new))),
        ] {
            assert_eq!(clue_of(octets), expected, "{octets:?}");
        }
    }

    #[test]
    fn hints_are_believed_when_enough_agree() {
        let text = b"\0\x01a{\"x\":";
        let raw = RawPacket { first: 0x30, remaining_length: 8, length_octets: 1, head: text };
        let mut clues = Clues::NONE;
        let seen: Vec<_> = (0..4).map(|_| clues.weigh(&raw)).collect();
        assert_eq!(seen, [None, None, None, Some(Version::V311)]);
    }
}
