//! The packets that are a reason code with properties: DISCONNECT (section 3.14) and AUTH (section 3.15).

use super::field::Fields;
use super::packet::PacketType;
use super::property::{self, Place, Properties, PropertyId};
use super::reason;
use super::version::Version;
use super::violation::{Violation, Violations};
use crate::flow::key::Direction;

/// What a DISCONNECT or AUTH says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reasoned<'a> {
    /// Reason code; 0 before version 5 and where it is left out (sections 3.14.2.1 and 3.15.2.1).
    pub code: u8,
    /// Properties; none before version 5.
    pub properties: Properties<'a>,
}

/// Reads a DISCONNECT or AUTH.
#[must_use]
pub fn parse<'a>(
    packet_type: PacketType,
    mut fields: Fields<'a>,
    direction: Direction,
    version: Version,
    violations: &mut Violations,
) -> Reasoned<'a> {
    let mut reasoned = Reasoned::default();
    if fields.remaining() == 0 {
        return reasoned;
    }
    if matches!(version, Version::V31 | Version::V311) {
        fields.nothing_more(violations);
        return reasoned;
    }
    let Some(code) = fields.octet() else {
        return reasoned;
    };
    reasoned.code = code;
    violations.add_if(!reason::is_known(packet_type, code), Violation::ReasonCode);
    // The Property Length may be left out (section 3.14.2.2.1).
    if fields.remaining() == 0 {
        return reasoned;
    }
    let place = if packet_type == PacketType::Auth { Place::Auth } else { Place::Disconnect };
    if property::parse(place, &mut fields, &mut reasoned.properties, violations).is_some() {
        fields.nothing_more(violations);
    }
    let expiry = reasoned.properties.has(PropertyId::SessionExpiryInterval);
    let by_server = place == Place::Disconnect && direction == Direction::ToClient;
    violations.add_if(by_server && expiry, Violation::ServerDisconnectExpiry);
    reasoned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(
        packet_type: PacketType,
        octets: &[u8],
        direction: Direction,
        version: Version,
    ) -> (Reasoned<'_>, Violations) {
        let mut violations = Violations::default();
        let fields = Fields::new(octets, u32::try_from(octets.len()).unwrap());
        (parse(packet_type, fields, direction, version, &mut violations), violations)
    }

    #[test]
    fn any_part_from_the_end_may_be_left_out() {
        use Direction::ToClient;
        for (octets, code) in
            [(&[][..], 0), (&[0x8e], 0x8e), (&[0x8e, 0], 0x8e), (b"\x8e\x05\x1f\0\x02no", 0x8e)]
        {
            let (reasoned, violations) = parsed(PacketType::Disconnect, octets, ToClient, Version::V5);
            assert!(violations.is_empty() && reasoned.code == code, "{octets:?} {violations:?}");
        }
        assert!(parsed(PacketType::Auth, &[], ToClient, Version::V5).1.is_empty());
    }

    #[test]
    fn notes_what_is_wrong() {
        use Direction::{ToClient, ToServer};
        let expiry = [0, 5, 0x11, 0, 0, 0, 1];
        for (packet_type, octets, direction, version, expected) in [
            (PacketType::Disconnect, &[0][..], ToServer, Version::V311, Violation::Trailing),
            (PacketType::Disconnect, &[0x18], ToServer, Version::V5, Violation::ReasonCode),
            (PacketType::Auth, &[0x8e], ToServer, Version::V5, Violation::ReasonCode),
            (PacketType::Disconnect, &expiry, ToClient, Version::V5, Violation::ServerDisconnectExpiry),
            (PacketType::Disconnect, &[0, 9], ToServer, Version::V5, Violation::PropertyLength),
        ] {
            let (_, violations) = parsed(packet_type, octets, direction, version);
            assert_eq!(violations, [expected].into_iter().collect(), "{octets:?}");
        }
        assert!(parsed(PacketType::Disconnect, &expiry, ToServer, Version::V5).1.is_empty());
    }
}
