//! PUBLISH (section 3.3).

use super::field::Fields;
use super::version::Version;
use super::violation::{Violation, Violations};

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
    /// Length of the payload (in version 5 with its properties) in octets; `None` when the topic was not captured.
    pub payload_len: Option<u32>,
}

/// Reads a PUBLISH as far as it was captured.
#[must_use]
#[inline]
pub fn parse<'a>(
    flags: u8,
    mut fields: Fields<'a>,
    version: Version,
    violations: &mut Violations,
) -> Publish<'a> {
    let mut publish = Publish {
        topic: None,
        qos: flags >> 1 & 0x03,
        dup: flags & 0x08 != 0,
        retain: flags & 0x01 != 0,
        packet_id: None,
        payload_len: None,
    };
    if publish.qos == 3 {
        violations.add(Violation::Qos3);
    }
    if publish.qos == 0 && publish.dup {
        violations.add(Violation::DupQos0);
    }
    publish.topic = fields.string(violations);
    if let Some(topic) = publish.topic {
        if topic.is_empty() && version != Version::V5 {
            violations.add(Violation::EmptyTopic);
        }
        if topic.iter().any(|octet| matches!(octet, b'#' | b'+')) {
            violations.add(Violation::WildcardTopic);
        }
        if publish.qos != 0 {
            publish.packet_id = fields.two_octets();
            if publish.packet_id == Some(0) {
                violations.add(Violation::PacketIdZero);
            }
        }
        publish.payload_len = u32::try_from(fields.remaining()).ok();
    }
    fields.end(violations);
    publish
}

/// Whether a topic is of a shape that no honest publisher uses although the standard allows it: levels that are
/// empty throughout, path climbing, or the broker's own `$SYS` tree.
#[must_use]
pub fn is_odd_topic(topic: &[u8]) -> bool {
    topic.starts_with(b"$SYS")
        || topic == b"$"
        || topic.windows(3).any(|w| w == b"///" || w == b"../")
        || (!topic.is_empty() && topic.iter().all(|octet| *octet == b'/'))
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
        let publish =
            parse(flags, Fields::new(body, u32::try_from(body.len()).unwrap()), version, &mut violations);
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
    fn a_long_one_is_read_by_its_head() {
        let mut violations = Violations::default();
        let publish =
            parse(0x02, Fields::new(b"\0\x01a\0\x07first", 1_000_005), Version::V311, &mut violations);
        assert!(violations.is_empty());
        assert_eq!((publish.packet_id, publish.payload_len), (Some(7), Some(1_000_000)));
        let head_only = parse(0, Fields::new(b"\0\x20part", 500), Version::V311, &mut violations);
        assert_eq!((head_only.topic, violations.is_empty()), (None, true));
    }

    #[test]
    fn notes_what_is_wrong() {
        for (flags, body, expected) in [
            (0x06, &b"\0\x01a\0\x01"[..], Violation::Qos3),
            (0x08, b"\0\x01a", Violation::DupQos0),
            (0x02, b"\0\x01a\0\0", Violation::PacketIdZero),
            (0x00, b"\0\x02a#", Violation::WildcardTopic),
            (0x00, b"\0\0", Violation::EmptyTopic),
            (0x02, b"\0\x01a\0", Violation::Truncated),
            (0x00, b"\0\x09a", Violation::Truncated),
        ] {
            let (_, violations) = parsed(flags, body, Version::V311);
            assert!(
                violations.has(expected) && violations.len() == 1,
                "{expected:?} in {body:?}, got {violations:?}"
            );
        }
        assert!(parsed(0, b"\0\0", Version::V5).1.is_empty());
    }

    #[test]
    fn odd_shapes() {
        for topic in [&b"$SYS/broker/uptime"[..], b"$", b"///////", b"/../../../../", b"a///b", b"/"] {
            assert!(is_odd_topic(topic), "{topic:?}");
        }
        for topic in [&b"a/b"[..], b"/home/temp", b"a//b", b"$aws/things/x/shadow/update", b"a/b.c/d"] {
            assert!(!is_odd_topic(topic), "{topic:?}");
        }
        for id in [&b"$"[..], b"#", b"a+b", &[b'x'; 680]] {
            assert!(is_odd_client_id(id));
        }
        for id in [&b""[..], b"sensor-1", b"beem.loadr-7", b"a$b"] {
            assert!(!is_odd_client_id(id));
        }
    }
}
