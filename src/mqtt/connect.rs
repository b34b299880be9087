//! CONNECT (section 3.1) and CONNACK (section 3.2).

use super::field::Fields;
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
    /// Client identifier; `None` when it was not captured.
    pub client_id: Option<&'a [u8]>,
    /// A will is left.
    pub has_will: bool,
    /// User name, if any.
    pub user_name: Option<&'a [u8]>,
    /// Password, if any: only to be hashed with a key.
    pub password: Option<&'a [u8]>,
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
    let complete = read(&mut fields, &mut connect, violations);
    if complete.is_some() && fields.remaining() > 0 {
        violations.add(Violation::Trailing);
    }
    fields.end(violations);
    connect
}

fn read<'a>(fields: &mut Fields<'a>, connect: &mut Connect<'a>, violations: &mut Violations) -> Option<()> {
    let name = fields.binary()?;
    if !matches!(name, b"MQTT" | b"MQIsdp") {
        violations.add(Violation::ProtocolName);
    }
    let level = fields.octet()?;
    connect.bridge = level & 0x80 != 0;
    match Version::from_level(level) {
        Some(version) => {
            connect.version = version;
            if (version == Version::V31) != (name == b"MQIsdp") && matches!(name, b"MQTT" | b"MQIsdp") {
                violations.add(Violation::ProtocolLevel);
            }
        }
        None => violations.add(Violation::ProtocolLevel),
    }

    let flags = fields.octet()?;
    connect.clean = flags & CLEAN != 0;
    connect.has_will = flags & WILL != 0;
    check_flags(flags, connect.version, violations);

    connect.keep_alive = fields.two_octets()?;
    let v5 = connect.version.has_properties();
    if v5 {
        fields.skip_properties()?;
    }
    let client_id = fields.string(violations)?;
    connect.client_id = Some(client_id);
    if client_id.is_empty() && !connect.clean && !v5 && connect.version != Version::Unknown {
        violations.add(Violation::EmptyClientId);
    }
    if connect.has_will {
        if v5 {
            fields.skip_properties()?;
        }
        fields.string(violations)?;
        fields.binary()?;
    }
    if flags & USER_NAME != 0 {
        connect.user_name = Some(fields.string(violations)?);
    }
    if flags & PASSWORD != 0 {
        connect.password = Some(fields.binary()?);
    }
    Some(())
}

fn check_flags(flags: u8, version: Version, violations: &mut Violations) {
    if flags & RESERVED != 0 {
        violations.add(Violation::ConnectReserved);
    }
    let will_qos = flags >> 3 & 0x03;
    if will_qos == 3 || (flags & WILL == 0 && (will_qos != 0 || flags & WILL_RETAIN != 0)) {
        violations.add(Violation::WillFlags);
    }
    let before_5 = matches!(version, Version::V31 | Version::V311);
    if before_5 && flags & PASSWORD != 0 && flags & USER_NAME == 0 {
        violations.add(Violation::PasswordWithoutUser);
    }
}

/// What a CONNACK says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnAck {
    /// The server kept a session.
    pub session_present: bool,
    /// Return code (3.1, 3.1.1) or reason code (5); 0 accepts.
    pub code: u8,
}

impl ConnAck {
    /// Whether the client is refused.
    #[must_use]
    pub const fn refuses(self) -> bool {
        self.code != 0
    }

    /// Whether it is refused for who it is: bad user name or password, not authorised, banned, bad method.
    #[must_use]
    pub const fn refuses_credentials(self) -> bool {
        matches!(self.code, 4 | 5 | 0x86 | 0x87 | 0x8a | 0x8c)
    }
}

/// Reads a CONNACK.
#[must_use]
pub fn parse_ack(mut fields: Fields<'_>, violations: &mut Violations) -> Option<ConnAck> {
    let flags = fields.octet();
    let code = fields.octet();
    fields.end(violations);
    if flags.is_some_and(|flags| flags & 0xfe != 0) {
        violations.add(Violation::ConnAck);
    }
    Some(ConnAck { session_present: flags? & 1 != 0, code: code? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: &[u8]) -> (Connect<'_>, Violations) {
        let mut violations = Violations::default();
        let connect = parse(Fields::new(body, u32::try_from(body.len()).unwrap()), &mut violations);
        (connect, violations)
    }

    #[test]
    fn reads_311_with_everything() {
        let body = b"\0\x04MQTT\x04\xc6\0\x3c\0\x02id\0\x01t\0\x02wm\0\x04user\0\x06secret";
        let (connect, violations) = parsed(body);
        assert!(violations.is_empty(), "{violations:?}");
        assert_eq!(
            connect,
            Connect {
                version: Version::V311,
                bridge: false,
                clean: true,
                keep_alive: 60,
                client_id: Some(b"id"),
                has_will: true,
                user_name: Some(b"user"),
                password: Some(b"secret"),
            }
        );
    }

    #[test]
    fn reads_5_with_properties_and_31_and_the_bridge_bit() {
        let (connect, violations) = parsed(b"\0\x04MQTT\x05\x02\0\x0a\x05\x11\0\0\0\x0a\0\x01c");
        assert!(violations.is_empty(), "{violations:?}");
        assert_eq!((connect.version, connect.client_id), (Version::V5, Some(&b"c"[..])));

        let (connect, violations) = parsed(b"\0\x06MQIsdp\x83\x02\0\x0a\0\x01c");
        assert!(violations.is_empty(), "{violations:?}");
        assert_eq!((connect.version, connect.bridge), (Version::V31, true));
    }

    #[test]
    fn notes_what_is_wrong() {
        for (body, expected) in [
            (&b"\0\x04MQTX\x04\x02\0\0\0\0"[..], Violation::ProtocolName),
            (b"\0\x04MQTT\x09\x02\0\0\0\0", Violation::ProtocolLevel),
            (b"\0\x04MQTT\x03\x02\0\0\0\0", Violation::ProtocolLevel),
            (b"\0\x04MQTT\x04\x03\0\0\0\0", Violation::ConnectReserved),
            (b"\0\x04MQTT\x04\x0a\0\0\0\0", Violation::WillFlags),
            (b"\0\x04MQTT\x04\x42\0\0\0\0\0\0", Violation::PasswordWithoutUser),
            (b"\0\x04MQTT\x04\0\0\0\0\0", Violation::EmptyClientId),
            (b"\0\x04MQTT\x04\x02\0\0\0\x05a", Violation::Truncated),
            (b"\0\x04MQTT\x04\x02\0\0\0\x01aXX", Violation::Trailing),
            (b"\0\x04MQTT\x04\x02\0\0\0\x01\0", Violation::NulInString),
        ] {
            let (_, violations) = parsed(body);
            assert!(violations.has(expected), "{expected:?} in {body:?}, got {violations:?}");
            assert_eq!(violations.len(), 1, "{body:?}");
        }
        // Version 5 allows a password alone.
        assert!(parsed(b"\0\x04MQTT\x05\x42\0\0\0\0\0\0\x01p").1.is_empty());
    }

    #[test]
    fn connack_codes() {
        let ack = |octets: &[u8]| {
            let mut violations = Violations::default();
            (
                parse_ack(Fields::new(octets, u32::try_from(octets.len()).unwrap()), &mut violations),
                violations,
            )
        };
        let (accepted, none) = ack(&[1, 0]);
        assert_eq!(accepted, Some(ConnAck { session_present: true, code: 0 }));
        assert!(none.is_empty());
        assert!(ack(&[0, 5, 0]).0.is_some_and(ConnAck::refuses_credentials));
        assert!(ack(&[0, 3]).0.is_some_and(|a| a.refuses() && !a.refuses_credentials()));
        assert!(ack(&[2, 0]).1.has(Violation::ConnAck));
        assert!(ack(&[0]).1.has(Violation::Truncated));
    }
}
