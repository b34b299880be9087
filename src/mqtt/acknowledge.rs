//! What answers: CONNACK (section 3.2), PUBACK, PUBREC, PUBREL and PUBCOMP (3.4 to 3.7), SUBACK (3.9) and UNSUBACK (3.11).

use super::field::Fields;
use super::packet::PacketType;
use super::property::{self, Place, Properties};
use super::reason;
use super::version::Version;
use super::violation::{Violation, Violations};

/// What a CONNACK says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnAck<'a> {
    /// The server kept a session.
    pub session_present: bool,
    /// Return code (3.1, 3.1.1) or reason code (5); 0 accepts.
    pub code: u8,
    /// Properties; none before version 5.
    pub properties: Properties<'a>,
}

impl ConnAck<'_> {
    /// Whether the client is refused.
    #[must_use]
    pub const fn refuses(&self) -> bool {
        self.code != 0
    }

    /// Whether it is refused for who it is: bad user name or password, not authorised, banned, bad method.
    #[must_use]
    pub const fn refuses_credentials(&self) -> bool {
        matches!(self.code, 4 | 5 | 0x86 | 0x87 | 0x8a | 0x8c)
    }
}

/// Reads a CONNACK; `None` when its two octets were not captured.
#[must_use]
pub fn parse_connack<'a>(
    mut fields: Fields<'a>,
    version: Version,
    violations: &mut Violations,
) -> Option<ConnAck<'a>> {
    let (flags, code) = (fields.octet(), fields.octet());
    fields.end(violations);
    let (flags, code) = (flags?, code?);
    let mut ack = ConnAck { session_present: flags & 1 != 0, code, properties: Properties::NONE };
    // In 3.1 this octet is reserved.
    violations.add_if(flags & 0xfe != 0, Violation::ConnAckFlags);
    violations.add_if(code != 0 && ack.session_present, Violation::SessionPresentRefused);
    // A server that does not know version 5 says so in the form of 3.1.1.
    let in_old_form = fields.remaining() == 0 && code <= 5;
    match version {
        Version::V5 if in_old_form => violations.add_if(code != 1, Violation::PropertyLength),
        Version::V5 => {
            violations.add_if(!reason::is_known(PacketType::ConnAck, code), Violation::ConnAckCode);
            read_properties(Place::ConnAck, &mut fields, &mut ack.properties, violations);
        }
        Version::V31 | Version::V311 => {
            violations.add_if(code > 5, Violation::ConnAckCode);
            fields.nothing_more(violations);
        }
        Version::Unknown => {
            if fields.remaining() > 0 {
                read_properties(Place::ConnAck, &mut fields, &mut ack.properties, violations);
            }
        }
    }
    Some(ack)
}

/// Properties that end the packet.
fn read_properties<'a>(
    place: Place,
    fields: &mut Fields<'a>,
    into: &mut Properties<'a>,
    violations: &mut Violations,
) {
    if property::parse(place, fields, into, violations).is_some() {
        fields.nothing_more(violations);
    }
}

/// What a PUBACK, PUBREC, PUBREL or PUBCOMP says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ack<'a> {
    /// Packet identifier; `None` when it was not captured.
    pub packet_id: Option<u16>,
    /// Reason code; 0 before version 5 and where it is left out.
    pub code: u8,
    /// Properties; none before version 5.
    pub properties: Properties<'a>,
}

/// Reads a PUBACK, PUBREC, PUBREL or PUBCOMP.
#[must_use]
#[inline]
pub fn parse_ack<'a>(
    packet_type: PacketType,
    mut fields: Fields<'a>,
    version: Version,
    violations: &mut Violations,
) -> Ack<'a> {
    let mut ack = Ack { packet_id: fields.two_octets(), code: 0, properties: Properties::NONE };
    fields.end(violations);
    if fields.remaining() == 0 || ack.packet_id.is_none() {
        return ack;
    }
    if matches!(version, Version::V31 | Version::V311) {
        fields.nothing_more(violations);
        return ack;
    }
    let place = match packet_type {
        PacketType::PubAck => Place::PubAck,
        PacketType::PubRec => Place::PubRec,
        PacketType::PubRel => Place::PubRel,
        _ => Place::PubComp,
    };
    if let Some(code) = fields.octet() {
        ack.code = code;
        violations.add_if(!reason::is_known(packet_type, code), Violation::ReasonCode);
    }
    // The Property Length may be left out (section 3.4.2.2.1).
    if fields.remaining() > 0 {
        read_properties(place, &mut fields, &mut ack.properties, violations);
    }
    ack
}

/// What a SUBACK or UNSUBACK says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SubAck<'a> {
    /// Packet identifier; `None` when it was not captured.
    pub packet_id: Option<u16>,
    /// Properties; none before version 5.
    pub properties: Properties<'a>,
    /// One code per filter, as far as captured; none in an UNSUBACK before version 5.
    pub codes: &'a [u8],
    /// How many codes there are, captured or not.
    pub count: u32,
}

/// Reads a SUBACK or UNSUBACK.
#[must_use]
pub fn parse_suback<'a>(
    packet_type: PacketType,
    mut fields: Fields<'a>,
    version: Version,
    violations: &mut Violations,
) -> SubAck<'a> {
    let mut ack =
        SubAck { packet_id: fields.two_octets(), properties: Properties::NONE, codes: &[], count: 0 };
    fields.end(violations);
    if ack.packet_id.is_none() {
        return ack;
    }
    let of_subscribe = packet_type == PacketType::SubAck;
    if version == Version::V5 {
        let place = if of_subscribe { Place::SubAck } else { Place::UnsubAck };
        if property::parse(place, &mut fields, &mut ack.properties, violations).is_none() {
            return ack;
        }
    } else if !of_subscribe && version != Version::Unknown {
        fields.nothing_more(violations);
        return ack;
    }
    ack.codes = fields.rest();
    ack.count = u32::try_from(fields.remaining()).unwrap_or(u32::MAX);
    violations.add_if(of_subscribe && ack.count == 0, Violation::SubAckEmpty);
    for code in ack.codes {
        match version {
            Version::V5 if !reason::is_known(packet_type, *code) => {
                violations.add(if of_subscribe { Violation::SubAckCode } else { Violation::ReasonCode });
            }
            Version::V311 | Version::V31 => {
                violations.add_if(!matches!(code, 0..=2 | 0x80), Violation::SubAckCode);
            }
            _ => {}
        }
    }
    ack
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::property::PropertyId;

    fn fields(octets: &[u8]) -> Fields<'_> {
        Fields::new(octets, u32::try_from(octets.len()).unwrap())
    }

    #[test]
    fn connack_codes() {
        let ack = |octets: &'static [u8], version| {
            let mut violations = Violations::default();
            (parse_connack(fields(octets), version, &mut violations), violations)
        };
        let (accepted, none) = ack(&[1, 0], Version::V311);
        assert!(accepted.is_some_and(|ack| ack.session_present && !ack.refuses()) && none.is_empty());
        assert!(ack(&[0, 5], Version::V311).0.is_some_and(|a| a.refuses_credentials()));
        assert!(ack(&[0, 3], Version::V311).0.is_some_and(|a| a.refuses() && !a.refuses_credentials()));
        for (octets, version, expected) in [
            (&[2, 0][..], Version::V311, Violation::ConnAckFlags),
            (&[0], Version::V311, Violation::Truncated),
            (&[0, 6], Version::V311, Violation::ConnAckCode),
            (&[0, 0, 0], Version::V311, Violation::Trailing),
            (&[1, 5], Version::V311, Violation::SessionPresentRefused),
            (&[0, 0], Version::V5, Violation::PropertyLength),
            (&[0, 0x8e, 0], Version::V5, Violation::ConnAckCode),
            (&[0, 0, 0, 7], Version::V5, Violation::Trailing),
        ] {
            let (_, violations) = ack(octets, version);
            assert_eq!(violations, [expected].into_iter().collect(), "{octets:?}");
        }
        // A broker of 3.1.1 refuses version 5 in its own form.
        assert!(ack(&[0, 1], Version::V5).1.is_empty());
        let (full, violations) = ack(&[0, 0, 3, 0x13, 0, 30], Version::V5);
        assert!(violations.is_empty());
        assert_eq!(full.unwrap().properties.integer(PropertyId::ServerKeepAlive), Some(30));
    }

    #[test]
    fn acknowledgements_of_every_length() {
        let ack = |octets: &'static [u8], version| {
            let mut violations = Violations::default();
            (parse_ack(PacketType::PubAck, fields(octets), version, &mut violations), violations)
        };
        for octets in [&[0, 9][..], &[0, 9, 0x10], &[0, 9, 0x10, 0], b"\0\x09\x10\x05\x1f\0\x02no"] {
            let (ack, violations) = ack(octets, Version::V5);
            assert!(violations.is_empty() && ack.packet_id == Some(9), "{octets:?} {violations:?}");
            assert_eq!(ack.code, if octets.len() > 2 { 0x10 } else { 0 });
        }
        for (octets, version, expected) in [
            (&[0][..], Version::V5, Violation::Truncated),
            (&[0, 9, 0], Version::V311, Violation::Trailing),
            (&[0, 9, 0x11], Version::V5, Violation::ReasonCode),
            (&[0, 9, 0, 5, 1], Version::V5, Violation::PropertyLength),
        ] {
            assert_eq!(ack(octets, version).1, [expected].into_iter().collect(), "{octets:?}");
        }
    }

    #[test]
    fn subacks() {
        let ack = |octets: &'static [u8], packet_type, version| {
            let mut violations = Violations::default();
            (parse_suback(packet_type, fields(octets), version, &mut violations), violations)
        };
        let (three, violations) = ack(&[0, 1, 0, 1, 0x80], PacketType::SubAck, Version::V311);
        assert!(violations.is_empty() && three.codes == [0, 1, 0x80] && three.count == 3);
        let (five, violations) = ack(&[0, 1, 0, 0x87], PacketType::SubAck, Version::V5);
        assert!(violations.is_empty() && five.codes == [0x87]);
        for (octets, packet_type, version, expected) in [
            (&[0, 1][..], PacketType::SubAck, Version::V311, Violation::SubAckEmpty),
            (&[0, 1, 0], PacketType::SubAck, Version::V5, Violation::SubAckEmpty),
            (&[0, 1, 3], PacketType::SubAck, Version::V311, Violation::SubAckCode),
            (&[0, 1, 0, 3], PacketType::SubAck, Version::V5, Violation::SubAckCode),
            (&[0, 1, 0, 3], PacketType::UnsubAck, Version::V5, Violation::ReasonCode),
            (&[0, 1, 0], PacketType::UnsubAck, Version::V311, Violation::Trailing),
        ] {
            assert_eq!(ack(octets, packet_type, version).1, [expected].into_iter().collect(), "{octets:?}");
        }
        assert!(ack(&[0, 1], PacketType::UnsubAck, Version::V311).1.is_empty());
    }
}
