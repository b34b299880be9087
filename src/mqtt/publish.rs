//! PUBLISH (section 3.3).

use super::field::Fields;
use super::property::{self, Place, Properties};
use super::topic;
use super::version::Version;
use super::violation::{Violation, Violations};
use crate::flow::key::Direction;

/// What a PUBLISH says; its payload is never looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Publish<'a> {
    /// Topic; empty with an alias, `None` when it was not captured.
    pub topic: Option<&'a [u8]>,
    /// 0, 1, 2, or the illegal 3.
    pub qos: u8,
    /// A re-delivery.
    pub dup: bool,
    /// To be kept by the broker.
    pub retain: bool,
    /// Packet identifier; `None` with QoS 0 or when it was not captured.
    pub packet_id: Option<u16>,
    /// Properties; none before version 5.
    pub properties: Properties<'a>,
    /// Length of the payload in octets; `None` when what stands before it was not captured. Where the version is
    /// not known it may hold properties too.
    pub payload_len: Option<u32>,
}

/// Reads a PUBLISH as far as it was captured.
#[must_use]
#[inline]
pub fn parse<'a>(
    flags: u8,
    mut fields: Fields<'a>,
    direction: Direction,
    version: Version,
    violations: &mut Violations,
) -> Publish<'a> {
    let mut publish = Publish {
        topic: None,
        qos: flags >> 1 & 0x03,
        dup: flags & 0x08 != 0,
        retain: flags & 0x01 != 0,
        packet_id: None,
        properties: Properties::NONE,
        payload_len: None,
    };
    violations.add_if(publish.qos == 3, Violation::Qos3);
    violations.add_if(publish.qos == 0 && publish.dup, Violation::DupQos0);
    let complete = read(&mut fields, &mut publish, direction, version, violations);
    if complete.is_some() {
        publish.payload_len = u32::try_from(fields.remaining()).ok();
    } else if !violations.has(Violation::PublishIdMissing) {
        fields.end(violations);
    }
    publish
}

#[inline]
fn read<'a>(
    fields: &mut Fields<'a>,
    publish: &mut Publish<'a>,
    direction: Direction,
    version: Version,
    violations: &mut Violations,
) -> Option<()> {
    let name = fields.binary()?;
    publish.topic = Some(name);
    topic::check_name(name, Violation::TopicUtf8, violations);
    if let [b'$', ..] = name {
        note_dollar(name, direction, violations);
    }
    if publish.qos != 0 {
        if fields.remaining() < 2 {
            violations.add(Violation::PublishIdMissing);
            return None;
        }
        let id = fields.two_octets()?;
        publish.packet_id = Some(id);
        if id == 0 {
            violations.add(match direction {
                Direction::ToServer => Violation::PacketIdZero,
                Direction::ToClient => Violation::ServerPacketIdZero,
            });
        }
    }
    if version == Version::V5 {
        let read = property::parse(Place::Publish, fields, &mut publish.properties, violations);
        let has_alias = publish.properties.has(property::PropertyId::TopicAlias);
        violations.add_if(name.is_empty() && !has_alias && read.is_some(), Violation::EmptyTopic);
        let from_client = direction == Direction::ToServer;
        let names_subscription = publish.properties.has(property::PropertyId::SubscriptionIdentifier);
        violations.add_if(from_client && names_subscription, Violation::SubscriptionIdFromClient);
        return read;
    }
    violations.add_if(name.is_empty() && version != Version::Unknown, Violation::EmptyTopic);
    Some(())
}

/// A topic with `$` is the broker's; some broker fell over one that it did not know (CVE-2018-12543).
#[cold]
fn note_dollar(name: &[u8], direction: Direction, violations: &mut Violations) {
    let from_client = direction == Direction::ToServer;
    violations.add_if(from_client && topic::is_foreign_dollar(name), Violation::DollarTopic);
}

/// Whether a client id is of a shape that no honest client uses although the standard allows it: wildcards or
/// `$` (CVE-2017-7650 turns on them), path climbing, or absurd length.
#[must_use]
pub fn is_odd_client_id(id: &[u8]) -> bool {
    id.len() > 256
        || id.iter().any(|octet| matches!(octet, b'#' | b'+'))
        || id.starts_with(b"$")
        || id.windows(3).any(|w| w == b"../")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(flags: u8, body: &[u8], version: Version) -> (Publish<'_>, Violations) {
        let mut violations = Violations::default();
        let fields = Fields::new(body, u32::try_from(body.len()).unwrap());
        let publish = parse(flags, fields, Direction::ToServer, version, &mut violations);
        (publish, violations)
    }

    #[test]
    fn reads_each_qos() {
        let (publish, violations) = parsed(0x01, b"\0\x03a/bxyz", Version::V311);
        assert!(violations.is_empty());
        assert_eq!((publish.topic, publish.retain, publish.payload_len), (Some(&b"a/b"[..]), true, Some(3)));
        let (publish, violations) = parsed(0x0a, b"\0\x01a\x12\x34", Version::V311);
        assert!(violations.is_empty());
        assert_eq!(
            (publish.qos, publish.dup, publish.packet_id, publish.payload_len),
            (1, true, Some(0x1234), Some(0))
        );
    }

    #[test]
    fn reads_properties() {
        let (publish, violations) = parsed(0, b"\0\0\x03\x23\0\x05xyz", Version::V5);
        assert!(violations.is_empty(), "{violations:?}");
        assert_eq!(publish.properties.integer(property::PropertyId::TopicAlias), Some(5));
        assert_eq!((publish.topic, publish.payload_len), (Some(&b""[..]), Some(3)));
        assert_eq!(parsed(0, b"\0\x01a\0xyz", Version::V5).0.payload_len, Some(3));
    }

    #[test]
    fn a_long_one_is_read_by_its_head() {
        let mut violations = Violations::default();
        let up = Direction::ToServer;
        let fields = Fields::new(b"\0\x01a\0\x07first", 1_000_005);
        let publish = parse(0x02, fields, up, Version::V311, &mut violations);
        assert!(violations.is_empty());
        assert_eq!((publish.packet_id, publish.payload_len), (Some(7), Some(1_000_000)));
        let head_only = parse(0, Fields::new(b"\0\x20part", 500), up, Version::V311, &mut violations);
        assert_eq!((head_only.topic, violations.is_empty()), (None, true));
    }

    #[test]
    fn notes_what_is_wrong() {
        for (flags, body, version, expected) in [
            (0x06, &b"\0\x01a\0\x01"[..], Version::V311, Violation::Qos3),
            (0x08, b"\0\x01a", Version::V311, Violation::DupQos0),
            (0x02, b"\0\x01a\0\0", Version::V311, Violation::PacketIdZero),
            (0x00, b"\0\x02a#", Version::V311, Violation::WildcardTopic),
            (0x00, b"\0\x04$a/b", Version::V311, Violation::DollarTopic),
            (0x00, b"\0\0", Version::V311, Violation::EmptyTopic),
            (0x00, b"\0\0\0", Version::V5, Violation::EmptyTopic),
            (0x02, b"\0\x01a\0", Version::V311, Violation::PublishIdMissing),
            (0x02, b"\0\x01a", Version::V5, Violation::PublishIdMissing),
            (0x00, b"\0\x09a", Version::V311, Violation::Truncated),
            (0x00, b"\0\x01a", Version::V5, Violation::PropertyLength),
            (0x00, b"\0\x01a\x02\x0b\x01", Version::V5, Violation::SubscriptionIdFromClient),
        ] {
            let (_, violations) = parsed(flags, body, version);
            assert!(
                violations.has(expected) && violations.len() == 1,
                "{expected:?} in {body:?}, got {violations:?}"
            );
        }
    }

    #[test]
    fn odd_client_ids() {
        for id in [&b"$"[..], b"#", b"a+b", &[b'x'; 680]] {
            assert!(is_odd_client_id(id));
        }
        for id in [&b""[..], b"sensor-1", b"beem.loadr-7", b"a$b"] {
            assert!(!is_odd_client_id(id));
        }
    }
}
