//! CoAP over UDP (RFC 7252), read as far as flow records need: type, code, and whether the message is well-formed.

/// The port (IANA: `coap`).
pub const PORT: u16 = 5683;
/// Options looked at in one message; the work stays bounded.
const OPTIONS: u8 = 64;

/// Message types (section 3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    /// To be acknowledged.
    Confirmable,
    /// Not to be acknowledged.
    NonConfirmable,
    /// Acknowledges.
    Acknowledgement,
    /// Refuses to process.
    Reset,
}

/// What a code says (section 5.9, 12.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Code {
    /// 0.00: nothing, as in a ping.
    Empty,
    /// 0.01 to 0.31.
    Request,
    /// 2.00 to 2.31.
    Success,
    /// 4.00 to 5.31.
    Failure,
    /// Classes 1, 3, 6 and 7.
    Reserved,
}

/// A message's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its type.
    pub message_type: Type,
    /// What its code says.
    pub code: Code,
    /// Octets of the token, by the header.
    pub token_length: u8,
    /// It breaks the format: a receiver has to reject it (section 3, 4.1).
    pub malformed: bool,
}

/// Reads the header of a datagram, of which `wire_len` octets were on the wire; `None` if it is no CoAP of version 1.
#[must_use]
pub fn read(payload: &[u8], wire_len: u32) -> Option<Message> {
    let [first, code, _, _, rest @ ..] = payload else {
        return None;
    };
    if first >> 6 != 1 {
        return None;
    }
    let message_type = match first >> 4 & 3 {
        0 => Type::Confirmable,
        1 => Type::NonConfirmable,
        2 => Type::Acknowledgement,
        _ => Type::Reset,
    };
    let code = match (code >> 5, code & 31) {
        (0, 0) => Code::Empty,
        (0, _) => Code::Request,
        (2, _) => Code::Success,
        (4 | 5, _) => Code::Failure,
        _ => Code::Reserved,
    };
    let token_length = first & 15;
    let whole = u32::try_from(payload.len()).is_ok_and(|captured| captured == wire_len);
    let malformed = match (code, message_type) {
        // An empty message has nothing behind its identifier (section 4.1), and is the only kind that resets (section 4.2).
        (Code::Empty, _) => token_length != 0 || wire_len != 4 || message_type == Type::NonConfirmable,
        (Code::Reserved, _) | (_, Type::Reset) | (Code::Request, Type::Acknowledgement) => true,
        _ => token_length > 8 || !is_well_formed(rest, usize::from(token_length), whole),
    };
    Some(Message { message_type, code, token_length, malformed })
}

/// Whether a token, options and a payload follow as they must (section 3.1); what was cut off is not held against it.
fn is_well_formed(rest: &[u8], token: usize, whole: bool) -> bool {
    let Some(mut rest) = rest.get(token..) else {
        return !whole;
    };
    for _ in 0..OPTIONS {
        let Some((first, after)) = rest.split_first() else {
            return true;
        };
        if *first == 0xff {
            // A marker without a payload is an error.
            return !after.is_empty() || !whole;
        }
        let (delta, length) = (first >> 4, first & 15);
        if delta == 15 || length == 15 {
            return false;
        }
        // 13 and 14 stand for one and two octets more.
        let delta_octets = usize::from(delta.saturating_sub(12));
        let more = usize::from(length.saturating_sub(12));
        let Some(extended) = after.get(delta_octets..).and_then(|after| after.get(..more)) else {
            return !whole;
        };
        let value = match *extended {
            [octet] => 13 + usize::from(octet),
            [high, low] => 269 + usize::from(u16::from_be_bytes([high, low])),
            _ => usize::from(length),
        };
        let Some(next) = after.get(delta_octets + more + value..) else {
            return !whole;
        };
        rest = next;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(octets: &[u8]) -> Option<Message> {
        read(octets, octets.len() as u32)
    }

    fn malformed(octets: &[u8]) -> bool {
        of(octets).unwrap().malformed
    }

    #[test]
    fn the_examples_of_the_standard() {
        // Appendix A: GET coap://server/temperature, with and without a token, and its answer.
        let get = of(b"\x40\x01\x7d\x34\xbbtemperature").unwrap();
        assert_eq!((get.message_type, get.code, get.malformed), (Type::Confirmable, Code::Request, false));
        let token = of(b"\x41\x01\x7d\x35\x20\xbbtemperature").unwrap();
        assert_eq!((token.token_length, token.malformed), (1, false));
        let answer = of(b"\x60\x45\x7d\x34\xff22.3 C").unwrap();
        assert_eq!(
            (answer.message_type, answer.code, answer.malformed),
            (Type::Acknowledgement, Code::Success, false)
        );
        assert_eq!(of(b"\x70\0\x7d\x34").map(|m| (m.message_type, m.malformed)), Some((Type::Reset, false)));
    }

    #[test]
    fn what_breaks_the_format() {
        for octets in [
            &b"\x49\x01\0\x01123456789"[..], // a token of nine octets
            b"\x42\x01\0\x01t",              // a token that is cut off
            b"\x40\x01\0\x01\xff",           // a marker without payload
            b"\x40\x01\0\x01\xf1x",          // a reserved delta
            b"\x40\x01\0\x01\xb5abc",        // an option that runs out
            b"\x40\0\0\x01x",                // an empty message that is not
            b"\x50\0\0\x01",                 // an empty message that asks nothing
            b"\x60\x01\0\x01",               // a request that acknowledges
            b"\x70\x45\0\x01",               // a reset that answers
            b"\x40\xe1\0\x01",               // signalling, which is for TCP (RFC 8323)
        ] {
            assert!(malformed(octets), "{octets:?}");
        }
        assert!(!malformed(b"\x40\x01\0\x01\xdd\x01\x03abcdefghijklmnop"));
        // Cut by the snaplen, which is not the sender's fault.
        assert!(!read(b"\x40\x01\0\x01\xb5abc", 40).unwrap().malformed);
        for octets in [&b""[..], b"\x40\x01\0", b"\x80\x01\0\x01", b"\0\x01\0\x01"] {
            assert_eq!(of(octets), None);
        }
    }

    proptest! {
        #[test]
        fn no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..60), wire in any::<u32>()) {
            let _ = (read(&octets, wire), of(&octets));
        }
    }
}
