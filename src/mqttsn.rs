//! MQTT-SN over UDP (version 1.2, 2013; the header of the drafts of 2.0 differs only where said): one message per datagram, read
//! as far as flow records need.

/// Ports that gateways use: 1883 after MQTT, 1884 and 10000 by default of the common ones.
pub const PORTS: [u16; 3] = [1883, 1884, 10_000];

/// Message types that flow records tell apart (section 5.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// ADVERTISE, SEARCHGW, GWINFO.
    Discovery,
    /// CONNECT.
    Connect,
    /// CONNACK.
    ConnAck,
    /// WILLTOPIC..., WILLMSG... and their answers.
    Will,
    /// REGISTER and REGACK: a topic gets a number.
    Register,
    /// PUBLISH; in 2.0 also that without a session.
    Publish,
    /// PUBACK, PUBCOMP, PUBREC, PUBREL.
    Acknowledge,
    /// SUBSCRIBE, UNSUBSCRIBE and their answers.
    Subscribe,
    /// PINGREQ and PINGRESP.
    Ping,
    /// DISCONNECT, which also puts to sleep.
    Disconnect,
    /// Forwarder encapsulation and, in 2.0, protection: another message is inside.
    Wrapped,
    /// AUTH of 2.0, at a number that 1.2 reserves.
    Auth,
}

/// A message's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// What it is.
    pub kind: Kind,
    /// The message type as sent.
    pub number: u8,
    /// The length field disagrees with the datagram, is written longer than it need be, or is too short for the type.
    pub bad_length: bool,
    /// A CONNECT's protocol identifier: 1 in 1.2, 2 in 2.0.
    pub version: Option<u8>,
    /// A CONNACK's return code.
    pub code: Option<u8>,
}

/// The kind behind a number, and the fewest octets of its body.
const fn kind(number: u8) -> Option<(Kind, usize)> {
    Some(match number {
        0x00 => (Kind::Discovery, 3),
        0x01 | 0x02 => (Kind::Discovery, 1),
        0x03 => (Kind::Auth, 1),
        // Flags, protocol identifier, duration; the client id may be empty in 2.0.
        0x04 => (Kind::Connect, 4),
        0x05 => (Kind::ConnAck, 1),
        0x06..=0x09 | 0x1a | 0x1c => (Kind::Will, 0),
        0x1b | 0x1d => (Kind::Will, 1),
        0x0a => (Kind::Register, 4),
        0x0b => (Kind::Register, 5),
        0x0c => (Kind::Publish, 5),
        0x11 => (Kind::Publish, 3),
        0x0d => (Kind::Acknowledge, 5),
        0x0e..=0x10 => (Kind::Acknowledge, 2),
        0x12 | 0x14 => (Kind::Subscribe, 3),
        0x13 => (Kind::Subscribe, 6),
        0x15 => (Kind::Subscribe, 2),
        0x16 | 0x17 => (Kind::Ping, 0),
        0x18 => (Kind::Disconnect, 0),
        0xfe | 0x1e => (Kind::Wrapped, 1),
        _ => return None,
    })
}

/// Reads the header of a datagram, of which `wire_len` octets were on the wire; `None` if it is no message.
#[must_use]
pub fn read(payload: &[u8], wire_len: u32) -> Option<Message> {
    let (length, long, rest) = match payload {
        [1, high, low, rest @ ..] => (u16::from_be_bytes([*high, *low]), true, rest),
        [length, rest @ ..] => (u16::from(*length), false, rest),
        [] => return None,
    };
    let (number, body) = rest.split_first()?;
    let (kind, least) = kind(*number)?;
    let header = if long { 4 } else { 2 };
    let own_body = usize::from(length).checked_sub(header)?;
    // The length of a wrapper is that of its own header.
    let other_than_datagram = u32::from(length) != wire_len && kind != Kind::Wrapped;
    let bad_length = other_than_datagram || (long && length < 256) || own_body < least;
    Some(Message {
        kind,
        number: *number,
        bad_length,
        version: body.get(1).copied().filter(|_| kind == Kind::Connect),
        code: body.first().copied().filter(|_| kind == Kind::ConnAck),
    })
}

/// Whether a datagram on any port is a CONNECT and nothing else: exact length, known protocol identifier.
#[must_use]
pub fn is_connect(payload: &[u8], wire_len: u32) -> bool {
    read(payload, wire_len)
        .is_some_and(|message| !message.bad_length && matches!(message.version, Some(1 | 2)) && wire_len > 6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(octets: &[u8]) -> Option<Message> {
        read(octets, octets.len() as u32)
    }

    #[test]
    fn messages_of_either_form() {
        let connect = of(b"\x0a\x04\x04\x01\0\x3cdev1").unwrap();
        assert_eq!((connect.kind, connect.version, connect.bad_length), (Kind::Connect, Some(1), false));
        assert!(is_connect(b"\x0a\x04\x04\x01\0\x3cdev1", 10));
        let refused = of(b"\x03\x05\x01").unwrap();
        assert_eq!((refused.kind, refused.code), (Kind::ConnAck, Some(1)));
        let mut long = vec![1, 1, 44, 0x0c, 0x62, 0, 1, 0, 7];
        long.resize(300, b'x');
        assert_eq!(of(&long).map(|m| (m.kind, m.bad_length)), Some((Kind::Publish, false)));
        assert_eq!(of(b"\x02\x16").map(|m| m.kind), Some(Kind::Ping));
        // Another message lies behind the wrapper.
        assert_eq!(
            of(b"\x05\xfe\x01ab\x02\x16").map(|m| (m.kind, m.bad_length)),
            Some((Kind::Wrapped, false))
        );
    }

    #[test]
    fn lengths_that_are_wrong_and_what_is_no_message() {
        assert!(of(b"\x0b\x04\x04\x01\0\x3cdev1").unwrap().bad_length);
        assert!(of(b"\x01\0\x0c\x04\x04\x01\0\x3cdev1").unwrap().bad_length);
        assert!(of(b"\x03\x0c\0").unwrap().bad_length);
        assert!(!is_connect(b"\x0a\x04\x04\x07\0\x3cdev1", 10));
        // Cut by the snaplen, which is not the sender's fault.
        assert!(!read(b"\x0a\x04\x04\x01\0", 10).unwrap().bad_length);
        for octets in [&b""[..], b"\x02", b"\x02\x7f", b"\x01\0", b"\0\x04", b"\x01\x04"] {
            assert_eq!(of(octets), None, "{octets:?}");
        }
    }

    proptest! {
        #[test]
        fn no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..40), wire in any::<u32>()) {
            let _ = (read(&octets, wire), is_connect(&octets, wire));
        }
    }
}
