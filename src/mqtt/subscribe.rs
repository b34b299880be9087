//! SUBSCRIBE (section 3.8) and UNSUBSCRIBE (section 3.10).

use super::field::Fields;
use super::packet::PacketType;
use super::property::{self, Place, Properties};
use super::topic;
use super::version::Version;
use super::violation::{Violation, Violations};

/// Filters read in one packet; the rest is jumped over, so that a packet's cost is bounded.
pub const MAX_FILTERS_READ: u16 = 128;

/// What a SUBSCRIBE or UNSUBSCRIBE says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Filters<'a> {
    /// Packet identifier; `None` when it was not captured.
    pub packet_id: Option<u16>,
    /// Properties; none before version 5.
    pub properties: Properties<'a>,
    /// Topic filters read.
    pub count: u16,
    /// Of these, with wildcards.
    pub wildcards: u16,
    /// Of these, shared subscriptions.
    pub shared: u16,
    /// One of them reads everything, or the broker's own figures.
    pub reads_all: bool,
    /// All filters of the packet were read.
    pub all_read: bool,
    octets: &'a [u8],
    with_options: bool,
}

impl<'a> Filters<'a> {
    /// The filters that were read, each with its subscription options (0 in an UNSUBSCRIBE).
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], u8)> {
        let mut fields = Fields::new(self.octets, u32::try_from(self.octets.len()).unwrap_or(u32::MAX));
        let with_options = self.with_options;
        (0..self.count).map_while(move |_| {
            let filter = fields.binary()?;
            Some((filter, if with_options { fields.octet()? } else { 0 }))
        })
    }
}

/// Reads a SUBSCRIBE or UNSUBSCRIBE as far as it was captured.
#[must_use]
pub fn parse<'a>(
    packet_type: PacketType,
    fields: Fields<'a>,
    version: Version,
    violations: &mut Violations,
) -> Filters<'a> {
    let (filters, found) = match version {
        Version::Unknown => guess(packet_type, fields),
        known => read_as(packet_type, fields, known),
    };
    *violations = violations.with(found);
    filters
}

/// Where the version is not known, the layout that fits is the right one; where both fit, the one with nothing wrong.
fn guess<'a>(packet_type: PacketType, fields: Fields<'a>) -> (Filters<'a>, Violations) {
    let [older, newer] = [Version::V311, Version::V5].map(|version| tiles(packet_type, fields, version));
    let (filters, found) = read_as(packet_type, fields, Version::Unknown);
    if newer && !(older && found.is_empty()) {
        let as_newer = read_as(packet_type, fields, Version::V5);
        if !older || as_newer.1.is_empty() {
            return as_newer;
        }
    }
    // What was cut fits neither, and what is read of it may not be what it says.
    let certain = older || fields.is_whole();
    (filters, if certain { found } else { Violations::NONE })
}

fn read_as<'a>(
    packet_type: PacketType,
    mut fields: Fields<'a>,
    version: Version,
) -> (Filters<'a>, Violations) {
    let mut filters = Filters { with_options: packet_type == PacketType::Subscribe, ..Filters::default() };
    let mut found = Violations::NONE;
    if read(&mut fields, version, &mut filters, &mut found).is_some() && filters.count == 0 {
        found.add(if filters.with_options { Violation::NoFilters } else { Violation::NoUnsubscribeFilters });
    }
    fields.end(&mut found);
    (filters, found)
}

fn read<'a>(
    fields: &mut Fields<'a>,
    version: Version,
    filters: &mut Filters<'a>,
    violations: &mut Violations,
) -> Option<()> {
    let packet_id = fields.two_octets()?;
    filters.packet_id = Some(packet_id);
    violations.add_if(packet_id == 0, Violation::PacketIdZero);
    if version.has_properties() {
        let place = if filters.with_options { Place::Subscribe } else { Place::Unsubscribe };
        property::parse(place, fields, &mut filters.properties, violations)?;
    }
    filters.octets = fields.rest();
    while fields.remaining() > 0 && filters.count < MAX_FILTERS_READ {
        let filter = fields.binary()?;
        let shape = topic::check_filter(filter, version, violations);
        if filters.with_options {
            let options = fields.octet()?;
            check_options(options, shape.shared, version, violations);
        }
        filters.count += 1;
        filters.wildcards += u16::from(shape.wildcard);
        filters.shared += u16::from(shape.shared);
        filters.reads_all |= shape.reads_all;
    }
    filters.all_read = fields.remaining() == 0;
    Some(())
}

/// Subscription options (section 3.8.3.1).
fn check_options(options: u8, shared: bool, version: Version, violations: &mut Violations) {
    let qos3 = options & 0x03 == 0x03;
    match version {
        Version::V5 => {
            let retain_handling_3 = options & 0x30 == 0x30;
            let reserved = options & 0xc0 != 0;
            violations.add_if(reserved || qos3 || retain_handling_3, Violation::SubscribeOptions);
            violations.add_if(shared && options & 0x04 != 0, Violation::SharedNoLocal);
        }
        // Before version 5 there is only the QoS.
        Version::V31 | Version::V311 => {
            violations.add_if(options & 0xfc != 0 || qos3, Violation::SubscribeOptions);
        }
        Version::Unknown => {}
    }
}

/// Whether all of a packet is filters when it is laid out as in this version.
pub(super) fn tiles(packet_type: PacketType, mut fields: Fields<'_>, version: Version) -> bool {
    let mut rest = || -> Option<bool> {
        fields.two_octets()?;
        if version.has_properties() {
            let len = fields.varint()?;
            fields.take(len as usize)?;
        }
        let mut any = false;
        // As many as are read.
        for _ in 0..MAX_FILTERS_READ {
            if fields.remaining() == 0 {
                break;
            }
            let filter = fields.binary()?;
            if filter.is_empty() || (packet_type == PacketType::Subscribe && fields.octet()? & 0xc0 != 0) {
                return None;
            }
            any = true;
        }
        Some(any)
    };
    rest().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(packet_type: PacketType, body: &[u8], version: Version) -> (Filters<'_>, Violations) {
        let mut violations = Violations::default();
        let fields = Fields::new(body, u32::try_from(body.len()).unwrap());
        let filters = parse(packet_type, fields, version, &mut violations);
        (filters, violations)
    }

    #[test]
    fn reads_filters() {
        let (filters, violations) =
            parsed(PacketType::Subscribe, b"\0\x07\0\x03a/b\x01\0\x01#\x02", Version::V311);
        assert!(violations.is_empty());
        assert_eq!((filters.packet_id, filters.count, filters.wildcards), (Some(7), 2, 1));
        assert!(filters.reads_all && filters.all_read);
        assert_eq!(filters.iter().collect::<Vec<_>>(), [(&b"a/b"[..], 1), (b"#", 2)]);
        let (filters, violations) =
            parsed(PacketType::Subscribe, b"\0\x07\x02\x0b\x05\0\x03+/b\x2d", Version::V5);
        assert!(violations.is_empty(), "{violations:?}");
        assert_eq!((filters.count, filters.wildcards, filters.reads_all), (1, 1, false));
        assert_eq!(parsed(PacketType::Unsubscribe, b"\0\x07\0\x01a\0\x01b", Version::V311).0.count, 2);
    }

    #[test]
    fn where_the_version_is_not_known_the_layout_that_fits_is_taken() {
        for (body, version) in
            [(&b"\0\x07\0\x03a/b\x01"[..], Version::V311), (b"\0\x07\x02\x0b\x05\0\x03+/b\x2d", Version::V5)]
        {
            let (filters, violations) = parsed(PacketType::Subscribe, body, Version::Unknown);
            assert!(violations.is_empty() && filters.count == 1, "{body:?} {violations:?}");
            let fields = Fields::new(body, u32::try_from(body.len()).unwrap());
            assert!(tiles(PacketType::Subscribe, fields, version));
        }
    }

    #[test]
    fn where_the_version_is_not_known_and_both_layouts_fit_the_one_with_nothing_wrong_is_taken() {
        // Version 5: two filters behind a subscription identifier; before: a filter of 523 octets, with NUL in it.
        let body = [&b"\0\x01\x02\x0b\x01\0\x03a/b\0\x02\x02"[..], &[b'x'; 514], &[1]].concat();
        let fields = Fields::new(&body, u32::try_from(body.len()).unwrap());
        assert!(tiles(PacketType::Subscribe, fields, Version::V311));
        let (filters, violations) = parsed(PacketType::Subscribe, &body, Version::Unknown);
        assert!(violations.is_empty() && filters.count == 2, "{violations:?}");
        assert_eq!(filters.iter().next(), Some((&b"a/b"[..], 0)));
    }

    #[test]
    fn where_the_version_is_not_known_a_packet_that_was_cut_is_nobodys_fault() {
        let mut violations = Violations::NONE;
        let fields = Fields::new(b"\0\x01\0\0\x01", 6);
        let _ = parse(PacketType::Unsubscribe, fields, Version::Unknown, &mut violations);
        assert!(violations.is_empty(), "{violations:?}");
    }

    #[test]
    fn notes_what_is_wrong() {
        for (body, version, expected) in [
            (&b"\0\x01"[..], Version::V311, Violation::NoFilters),
            (b"\0\0\0\x01a\0", Version::V311, Violation::PacketIdZero),
            (b"\0\x01\0\x01a\x03", Version::V311, Violation::SubscribeOptions),
            (b"\0\x01\0\x01a\x04", Version::V311, Violation::SubscribeOptions),
            (b"\0\x01\0\0\x01a\x30", Version::V5, Violation::SubscribeOptions),
            (b"\0\x01\0\0\x0a$share/g/a\x04", Version::V5, Violation::SharedNoLocal),
            (b"\0\x01\0\x03a#b\0", Version::V311, Violation::MisplacedHash),
            (b"\0\x01\0\x02a+\0", Version::V311, Violation::MisplacedPlus),
            (b"\0\x01\0\0\0", Version::V311, Violation::EmptyTopic),
            (b"\0\x01\0\x05a", Version::V311, Violation::Truncated),
        ] {
            let (_, violations) = parsed(PacketType::Subscribe, body, version);
            assert_eq!(violations, [expected].into_iter().collect(), "{body:?}");
        }
        let (_, violations) = parsed(PacketType::Unsubscribe, b"\0\x01", Version::V311);
        assert!(violations.has(Violation::NoUnsubscribeFilters));
    }

    #[test]
    fn the_work_is_bounded() {
        let mut body = vec![0, 1];
        for _ in 0..5000 {
            body.extend([0, 1, b'a', 0]);
        }
        let (filters, violations) = parsed(PacketType::Subscribe, &body, Version::V311);
        assert_eq!((filters.count, filters.all_read), (MAX_FILTERS_READ, false));
        assert!(violations.is_empty());
    }
}
