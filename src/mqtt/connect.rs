//! CONNECT (section 3.1).

use super::field::Fields;
use super::property::{self, Place, Properties};
use super::topic;
use super::version::Version;
use super::violation::{Violation, Violations};

/// What a CONNECT says. Strings and secrets are borrowed, never kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Connect<'a> {
    /// Protocol version.
    pub version: Version,
    /// Mosquitto's private bridge bit in the protocol level.
    pub bridge: bool,
    /// Clean session (clean start in 5).
    pub clean: bool,
    /// Keep alive in seconds; 0 is none.
    pub keep_alive: u16,
    /// Properties; none before version 5.
    pub properties: Properties<'a>,
    /// Client identifier; `None` when it was not captured.
    pub client_id: Option<&'a [u8]>,
    /// The will that is left.
    pub will: Option<Will<'a>>,
    /// User name, if any.
    pub user_name: Option<&'a [u8]>,
    /// Password, if any: only to be hashed with a key.
    pub password: Option<&'a [u8]>,
}

/// A will (section 3.1.2.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Will<'a> {
    /// 0, 1, 2, or the illegal 3.
    pub qos: u8,
    /// To be kept by the broker.
    pub retain: bool,
    /// Properties; none before version 5.
    pub properties: Properties<'a>,
    /// Topic; `None` when it was not captured.
    pub topic: Option<&'a [u8]>,
    /// Length of the message in octets; `None` when it was not captured.
    pub payload_len: Option<u16>,
}

const RESERVED: u8 = 0x01;
const CLEAN: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;

/// Reads a CONNECT as far as it was captured.
#[must_use]
pub fn parse<'a>(mut fields: Fields<'a>, violations: &mut Violations) -> Connect<'a> {
    let mut connect = Connect::default();
    let mut found = Violations::NONE;
    let flags = read_head(&mut fields, &mut connect, &mut found);
    if let Some(flags) = flags
        && read_payload(flags, &mut fields, &mut connect, &mut found).is_some()
    {
        judge_leftover(flags, fields.rest(), fields.remaining(), &mut found);
    }
    let field_is_missing = [
        Violation::ClientIdMissing,
        Violation::WillFieldsMissing,
        Violation::UserNameMissing,
        Violation::PasswordMissing,
    ];
    if !field_is_missing.into_iter().any(|missing| found.has(missing)) {
        fields.end(&mut found);
    }
    found.add_if(!found.counted().is_empty(), Violation::MalformedConnect);
    *violations = violations.with(found);
    connect
}

/// The variable header; gives the connect flags.
fn read_head<'a>(
    fields: &mut Fields<'a>,
    connect: &mut Connect<'a>,
    violations: &mut Violations,
) -> Option<u8> {
    let name = fields.binary()?;
    let name_is_known = matches!(name, b"MQTT" | b"MQIsdp");
    violations.add_if(!name_is_known, Violation::ProtocolName);
    let level = fields.octet()?;
    connect.bridge = level & 0x80 != 0;
    match Version::from_level(level) {
        Some(version) => {
            connect.version = version;
            let fits = (version == Version::V31) == (name == b"MQIsdp");
            violations.add_if(name_is_known && !fits, Violation::ProtocolLevel);
        }
        None => violations.add(Violation::ProtocolLevel),
    }
    let flags = fields.octet()?;
    connect.clean = flags & CLEAN != 0;
    check_flags(flags, connect.version, violations);
    connect.keep_alive = fields.two_octets()?;
    violations.add_if(matches!(connect.keep_alive, 0 | u16::MAX), Violation::EndlessKeepAlive);
    if connect.version.has_properties() {
        property::parse(Place::Connect, fields, &mut connect.properties, violations)?;
    }
    Some(flags)
}

fn read_payload<'a>(
    flags: u8,
    fields: &mut Fields<'a>,
    connect: &mut Connect<'a>,
    violations: &mut Violations,
) -> Option<()> {
    let version = connect.version;
    violations.add_if(fields.remaining() == 0, Violation::ClientIdMissing);
    let id = fields.string(violations)?;
    connect.client_id = Some(id);
    violations.add_if(core::str::from_utf8(id).is_err(), Violation::ClientIdUtf8);
    violations.add_if(has_wildcard(id), Violation::IdentityWildcard);
    let needs_id = matches!(version, Version::V31 | Version::V311);
    violations.add_if(id.is_empty() && !connect.clean && needs_id, Violation::EmptyClientIdKept);
    if flags & WILL != 0 {
        let qos = flags >> 3 & 0x03;
        let will = connect.will.insert(Will { qos, retain: flags & WILL_RETAIN != 0, ..Will::default() });
        read_will(fields, will, version, violations)?;
    }
    if flags & USER_NAME != 0 {
        violations.add_if(fields.remaining() == 0, Violation::UserNameMissing);
        let name = fields.string(violations)?;
        connect.user_name = Some(name);
        violations.add_if(core::str::from_utf8(name).is_err(), Violation::UserNameUtf8);
        violations.add_if(has_wildcard(name), Violation::IdentityWildcard);
    }
    if flags & PASSWORD != 0 {
        violations.add_if(fields.remaining() == 0, Violation::PasswordMissing);
        connect.password = Some(fields.binary()?);
    }
    Some(())
}

fn read_will<'a>(
    fields: &mut Fields<'a>,
    will: &mut Will<'a>,
    version: Version,
    violations: &mut Violations,
) -> Option<()> {
    if version.has_properties() {
        violations.add_if(fields.remaining() == 0, Violation::WillFieldsMissing);
        property::parse(Place::Will, fields, &mut will.properties, violations)?;
    }
    violations.add_if(fields.remaining() == 0, Violation::WillFieldsMissing);
    let name = fields.binary()?;
    will.topic = Some(name);
    topic::check_name(name, Violation::WillTopicUtf8, violations);
    violations.add_if(name.is_empty(), Violation::EmptyTopic);
    violations.add_if(fields.remaining() == 0, Violation::WillFieldsMissing);
    will.payload_len = u16::try_from(fields.binary()?.len()).ok();
    Some(())
}

/// Octets behind the last field that the flags announce: a field whose flag is not set, or nothing that can be named.
fn judge_leftover(flags: u8, rest: &[u8], remaining: usize, violations: &mut Violations) {
    if remaining == 0 {
        return;
    }
    let mut leftover = Fields::new(rest, u32::try_from(remaining).unwrap_or(u32::MAX));
    let ends_here = |leftover: &mut Fields<'_>| leftover.binary().is_some() && leftover.remaining() == 0;
    let mut again = leftover;
    let announced = flags & (USER_NAME | PASSWORD);
    if announced == USER_NAME && ends_here(&mut leftover) {
        violations.add(Violation::PasswordUnannounced);
    } else if announced == 0 && ends_here(&mut leftover) {
        violations.add(Violation::UserNameUnannounced);
    } else if announced == 0 && again.binary().is_some() && ends_here(&mut again) {
        violations.add(Violation::UserNameUnannounced);
        violations.add(Violation::PasswordUnannounced);
    } else {
        violations.add(Violation::PayloadOrder);
    }
}

fn has_wildcard(text: &[u8]) -> bool {
    text.iter().any(|octet| matches!(octet, b'#' | b'+'))
}

fn check_flags(flags: u8, version: Version, violations: &mut Violations) {
    violations.add_if(flags & RESERVED != 0, Violation::ConnectReserved);
    let will_qos = flags >> 3 & 0x03;
    violations.add_if(will_qos == 3, Violation::WillQos3);
    if flags & WILL == 0 {
        let retain = flags & WILL_RETAIN != 0;
        violations.add_if(will_qos != 0, Violation::WillQosWithoutWill);
        violations.add_if(retain, Violation::WillRetainWithoutWill);
        let before_5 = version != Version::V5;
        violations.add_if(before_5 && (will_qos != 0 || retain), Violation::WillFlagsWithoutWill);
    }
    let before_5 = matches!(version, Version::V31 | Version::V311);
    let password_alone = flags & PASSWORD != 0 && flags & USER_NAME == 0;
    violations.add_if(before_5 && password_alone, Violation::PasswordWithoutUser);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::property::PropertyId;

    fn parsed(body: &[u8]) -> (Connect<'_>, Violations) {
        let mut violations = Violations::default();
        let connect = parse(Fields::new(body, u32::try_from(body.len()).unwrap()), &mut violations);
        (connect, violations)
    }

    #[test]
    fn reads_311_with_everything() {
        let body = b"\0\x04MQTT\x04\xee\0\x3c\0\x02id\0\x01t\0\x02wm\0\x04user\0\x06secret";
        let (connect, violations) = parsed(body);
        assert!(violations.is_empty(), "{violations:?}");
        let will = Will {
            qos: 1,
            retain: true,
            properties: Properties::NONE,
            topic: Some(b"t"),
            payload_len: Some(2),
        };
        assert_eq!(
            connect,
            Connect {
                version: Version::V311,
                bridge: false,
                clean: true,
                keep_alive: 60,
                properties: Properties::NONE,
                client_id: Some(b"id"),
                will: Some(will),
                user_name: Some(b"user"),
                password: Some(b"secret"),
            }
        );
    }

    #[test]
    fn reads_5_with_properties_and_31_and_the_bridge_bit() {
        let (connect, violations) =
            parsed(b"\0\x04MQTT\x05\x06\0\x0a\x05\x11\0\0\0\x0a\0\x01c\x05\x18\0\0\0\x05\0\x01w\0\0");
        assert!(violations.is_empty(), "{violations:?}");
        assert_eq!((connect.version, connect.client_id), (Version::V5, Some(&b"c"[..])));
        assert_eq!(connect.properties.integer(PropertyId::SessionExpiryInterval), Some(10));
        assert_eq!(connect.will.unwrap().properties.integer(PropertyId::WillDelayInterval), Some(5));

        let (connect, violations) = parsed(b"\0\x06MQIsdp\x83\x02\0\x0a\0\x01c");
        assert!(violations.is_empty(), "{violations:?}");
        assert_eq!((connect.version, connect.bridge), (Version::V31, true));
    }

    #[test]
    fn notes_what_is_wrong() {
        use Violation as V;
        for (body, expected) in [
            (&b"\0\x04MQTX\x04\x02\0\x01\0\0"[..], &[V::ProtocolName][..]),
            (b"\0\x04MQTT\x09\x02\0\x01\0\0", &[V::ProtocolLevel]),
            (b"\0\x04MQTT\x03\x02\0\x01\0\0", &[V::ProtocolLevel]),
            (b"\0\x04MQTT\x04\x03\0\x01\0\0", &[V::ConnectReserved]),
            (b"\0\x04MQTT\x04\x0a\0\x01\0\0", &[V::WillQosWithoutWill, V::WillFlagsWithoutWill]),
            (b"\0\x04MQTT\x04\x22\0\x01\0\0", &[V::WillRetainWithoutWill, V::WillFlagsWithoutWill]),
            (b"\0\x04MQTT\x04\x1e\0\x01\0\x01a\0\x01t\0\0", &[V::WillQos3]),
            (b"\0\x04MQTT\x04\x06\0\x01\0\x01a", &[V::WillFieldsMissing]),
            (b"\0\x04MQTT\x04\x06\0\x01\0\x01a\0\x01t", &[V::WillFieldsMissing]),
            (b"\0\x04MQTT\x04\x42\0\x01\0\x01a\0\x01p", &[V::PasswordWithoutUser]),
            (b"\0\x04MQTT\x04\x82\0\x01\0\x01a", &[V::UserNameMissing]),
            (b"\0\x04MQTT\x04\xc2\0\x01\0\x01a\0\x01u", &[V::PasswordMissing]),
            (b"\0\x04MQTT\x04\x02\0\x01\0\x01a\0\x01u", &[V::UserNameUnannounced]),
            (b"\0\x04MQTT\x04\x82\0\x01\0\x01a\0\x01u\0\x01p", &[V::PasswordUnannounced]),
            (b"\0\x04MQTT\x04\0\0\x01\0\0", &[V::EmptyClientIdKept]),
            (b"\0\x04MQTT\x04\x02\0\x01", &[V::ClientIdMissing]),
            (b"\0\x04MQTT\x04\x02\0\x01\0\x05a", &[V::Truncated]),
            (b"\0\x04MQTT\x04\x02\0\x01\0\x01aXX", &[V::PayloadOrder]),
            (b"\0\x04MQTT\x04\x02\0\x01\0\x01\0", &[V::NulInString]),
            (b"\0\x04MQTT\x04\x02\0\x01\0\x01\xff", &[V::Utf8, V::ClientIdUtf8]),
            (b"\0\x04MQTT\x04\x82\0\x01\0\x01a\0\x01\xff", &[V::Utf8, V::UserNameUtf8]),
            (b"\0\x04MQTT\x04\x06\0\x01\0\x01a\0\x01\xff\0\0", &[V::Utf8, V::WillTopicUtf8]),
            (b"\0\x04MQTT\x04\x02\0\x01\0\x02a+", &[V::IdentityWildcard]),
            (b"\0\x04MQTT\x04\x02\0\0\0\x01a", &[V::EndlessKeepAlive]),
            (b"\0\x04MQTT\x05\x02\0\x01\x02\x17\x02\0\0", &[V::PropertyValue]),
        ] {
            let (mut violations, expected) = (parsed(body).1, expected.iter().copied().collect());
            let malformed: Violations = [V::MalformedConnect].into_iter().collect();
            assert_eq!(violations.has(V::MalformedConnect), !violations.counted().is_empty(), "{body:?}");
            violations = violations.without(malformed);
            assert_eq!(violations, expected, "{body:?}");
        }
        // Version 5 allows a password alone, and an empty client identifier.
        assert!(parsed(b"\0\x04MQTT\x05\x40\0\x01\0\0\0\0\x01p").1.is_empty());
    }
}
