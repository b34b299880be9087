//! SUBSCRIBE (section 3.8) and UNSUBSCRIBE (section 3.10).

use super::field::Fields;
use super::version::Version;
use super::violation::{Violation, Violations};

/// Filters read in one packet; the rest is jumped over, so that a packet's cost is bounded.
pub const MAX_FILTERS_READ: usize = 128;

/// What a SUBSCRIBE or UNSUBSCRIBE says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Filters {
    /// Packet identifier.
    pub packet_id: Option<u16>,
    /// How many filters were read.
    pub count: u16,
    /// How many of these hold a wildcard.
    pub wildcards: u16,
    /// A filter takes in everything (`#`), or the broker's own tree (`$SYS/...`).
    pub reads_all: bool,
}

/// Whether filters come with subscription options.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// SUBSCRIBE.
    Subscribe,
    /// UNSUBSCRIBE.
    Unsubscribe,
}

/// Reads a SUBSCRIBE or UNSUBSCRIBE as far as it was captured.
#[must_use]
pub fn parse(kind: Kind, mut fields: Fields<'_>, version: Version, violations: &mut Violations) -> Filters {
    let mut filters = Filters::default();
    if read(kind, &mut fields, version, &mut filters, violations).is_some() && filters.count == 0 {
        violations.add(Violation::NoFilters);
    }
    fields.end(violations);
    filters
}

fn read(
    kind: Kind,
    fields: &mut Fields<'_>,
    version: Version,
    filters: &mut Filters,
    violations: &mut Violations,
) -> Option<()> {
    let packet_id = fields.two_octets()?;
    filters.packet_id = Some(packet_id);
    if packet_id == 0 {
        violations.add(Violation::PacketIdZero);
    }
    if version.has_properties() {
        fields.skip_properties()?;
    }
    while fields.remaining() > 0 && usize::from(filters.count) < MAX_FILTERS_READ {
        let filter = fields.string(violations)?;
        if kind == Kind::Subscribe {
            let options = fields.octet()?;
            // Version 5 uses bits 2 to 5 (section 3.8.3.1); before that only the QoS is there.
            let reserved = if version.has_properties() { 0xc0 } else { 0xfc };
            if version != Version::Unknown && (options & reserved != 0 || options & 0x03 == 0x03) {
                violations.add(Violation::SubscribeOptions);
            }
        }
        filters.count += 1;
        note_filter(filter, filters, violations);
    }
    Some(())
}

fn note_filter(filter: &[u8], filters: &mut Filters, violations: &mut Violations) {
    let mut wildcard = false;
    let mut levels = filter.split(|octet| *octet == b'/').peekable();
    while let Some(level) = levels.next() {
        let has = |wanted| level.contains(&wanted);
        if has(b'#') && (level.len() > 1 || levels.peek().is_some()) || has(b'+') && level.len() > 1 {
            violations.add(Violation::MisplacedWildcard);
        }
        wildcard |= has(b'#') || has(b'+');
    }
    if filter.is_empty() {
        violations.add(Violation::EmptyTopic);
    }
    filters.wildcards += u16::from(wildcard);
    filters.reads_all |= filter == b"#" || filter == b"+/#" || filter.starts_with(b"$SYS/");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(kind: Kind, body: &[u8], version: Version) -> (Filters, Violations) {
        let mut violations = Violations::default();
        let filters =
            parse(kind, Fields::new(body, u32::try_from(body.len()).unwrap()), version, &mut violations);
        (filters, violations)
    }

    #[test]
    fn reads_filters() {
        let (filters, violations) = parsed(Kind::Subscribe, b"\0\x07\0\x03a/b\x01\0\x01#\x02", Version::V311);
        assert!(violations.is_empty());
        assert_eq!(filters, Filters { packet_id: Some(7), count: 2, wildcards: 1, reads_all: true });
        let (filters, violations) = parsed(Kind::Subscribe, b"\0\x07\x02\x0b\x05\0\x03+/b\x2d", Version::V5);
        assert!(violations.is_empty(), "{violations:?}");
        assert_eq!((filters.count, filters.wildcards, filters.reads_all), (1, 1, false));
        assert_eq!(parsed(Kind::Unsubscribe, b"\0\x07\0\x01a\0\x01b", Version::V311).0.count, 2);
    }

    #[test]
    fn notes_what_is_wrong() {
        for (body, expected) in [
            (&b"\0\x01"[..], Violation::NoFilters),
            (b"\0\0\0\x01a\0", Violation::PacketIdZero),
            (b"\0\x01\0\x01a\x03", Violation::SubscribeOptions),
            (b"\0\x01\0\x01a\x04", Violation::SubscribeOptions),
            (b"\0\x01\0\x03a#b\0", Violation::MisplacedWildcard),
            (b"\0\x01\0\x03#/b\0", Violation::MisplacedWildcard),
            (b"\0\x01\0\x02a+\0", Violation::MisplacedWildcard),
            (b"\0\x01\0\0\0", Violation::EmptyTopic),
            (b"\0\x01\0\x05a", Violation::Truncated),
        ] {
            let (_, violations) = parsed(Kind::Subscribe, body, Version::V311);
            assert!(
                violations.has(expected) && violations.len() == 1,
                "{expected:?} in {body:?}, got {violations:?}"
            );
        }
    }

    #[test]
    fn the_work_is_bounded() {
        let mut body = vec![0, 1];
        for _ in 0..5000 {
            body.extend([0, 1, b'a', 0]);
        }
        assert_eq!(usize::from(parsed(Kind::Subscribe, &body, Version::V311).0.count), MAX_FILTERS_READ);
    }
}
