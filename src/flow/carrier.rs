//! What carries MQTT on a TCP connection, if anything does. The client's first octets tell, on any port and however
//! they are cut into segments.

use crate::mqtt::field::{Varint, varint};
use crate::tls::Tls;
use crate::websocket::WebSocket;

/// As many octets as the longest beginning that has to be seen: of a CONNECT with a length of four octets.
const OPENING_OCTETS: usize = 13;

/// The layer between TCP and MQTT.
#[derive(Clone, Debug)]
pub enum Carrier {
    /// The client has not said enough yet.
    Unknown(Opening),
    /// None: control packets straight on TCP.
    Plain,
    /// A WebSocket, or an HTTP connection that may yet become one.
    WebSocket(WebSocket),
    /// TLS: encrypted, and seen by its records alone.
    Tls(Tls),
    /// Whatever this is, it is not looked into.
    Other,
}

impl Carrier {
    /// Nothing said yet.
    pub const NEW: Self = Self::Unknown(Opening::NEW);

    /// Whether control packets lie straight on TCP.
    #[must_use]
    #[inline]
    pub const fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }

    /// Whether control packets can be read here.
    #[must_use]
    pub fn carries_mqtt(&self) -> bool {
        match self {
            Self::Plain => true,
            Self::WebSocket(socket) => socket.is_open(),
            Self::Unknown(_) | Self::Tls(_) | Self::Other => false,
        }
    }
}

/// What a client's first octets are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beginning {
    /// A CONNECT: the fixed header, then one of the two protocol names.
    Connect,
    /// An HTTP request that could ask for an upgrade.
    Http,
    /// A TLS record with a ClientHello (RFC 8446, sections 4 and 5.1).
    Tls,
    /// A TLS record other than a ClientHello, where a connection with TLS was joined in the middle.
    Record,
    /// None of these.
    Unlike,
    /// One of these or none; more octets are needed.
    Short,
}

/// The client's first octets, kept until they say what they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opening {
    octets: [u8; OPENING_OCTETS],
    len: u8,
}

impl Opening {
    /// None yet.
    pub const NEW: Self = Self { octets: [0; OPENING_OCTETS], len: 0 };

    /// The octets kept.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Keeps as many more octets as there is room for, and says how many.
    pub fn keep(&mut self, octets: &[u8]) -> usize {
        let mut kept = 0;
        for (place, octet) in self.octets.iter_mut().skip(usize::from(self.len)).zip(octets) {
            *place = *octet;
            kept += 1;
            self.len += 1;
        }
        kept
    }
}

/// What a stream begins with.
#[must_use]
pub fn beginning(octets: &[u8]) -> Beginning {
    let connect = begins_with_connect(octets);
    let http = prefix(octets, b"GET ");
    let tls = begins_with_hello(octets);
    match (connect, http, tls) {
        (Some(true), _, _) => Beginning::Connect,
        (_, Some(true), _) => Beginning::Http,
        (_, _, Some(true)) => Beginning::Tls,
        (Some(false), Some(false), Some(false)) => Beginning::Unlike,
        _ => Beginning::Short,
    }
}

/// Whether octets begin with a CONNECT; `None` while they are too few to tell.
fn begins_with_connect(octets: &[u8]) -> Option<bool> {
    let (first, rest) = octets.split_first()?;
    if *first != 0x10 {
        return Some(false);
    }
    let len = match varint(rest) {
        Varint::Value { len, .. } => len,
        Varint::Incomplete => return None,
        Varint::TooLong => return Some(false),
    };
    let body = rest.get(usize::from(len)..).unwrap_or_default();
    let answers = [prefix(body, b"\0\x04MQTT"), prefix(body, b"\0\x06MQIsdp")];
    answers.into_iter().find(|answer| *answer == Some(true)).unwrap_or(if answers.contains(&None) {
        None
    } else {
        Some(false)
    })
}

/// Whether octets begin with a TLS record that begins with a ClientHello; `None` while they are too few to tell.
fn begins_with_hello(octets: &[u8]) -> Option<bool> {
    match octets {
        [0x16, 3, minor, _, _, kind, ..] => Some(*minor <= 4 && *kind == 1),
        [0x16, 3, minor, ..] if *minor > 4 => Some(false),
        [] | [0x16] | [0x16, 3, ..] => None,
        _ => Some(false),
    }
}

/// Whether octets begin with `wanted`; `None` while they are too few to tell.
fn prefix(octets: &[u8], wanted: &[u8]) -> Option<bool> {
    let agrees = octets.iter().zip(wanted).all(|(a, b)| a == b);
    if agrees && octets.len() < wanted.len() { None } else { Some(agrees) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_beginning_once_it_has_seen_enough() {
        let cases: [(&[u8], Beginning); 7] = [
            (b"GET /mqtt HTTP/1.1", Beginning::Http),
            (b"\x10\x0e\0\x04MQTT\x04\x02\0\x3c\0\x02ab", Beginning::Connect),
            (b"\x10\x80\x01\0\x06MQIsdp\x03", Beginning::Connect),
            // A length written longer than it need be, which brokers take.
            (b"\x10\x8e\x80\x80\0\0\x04MQTT", Beginning::Connect),
            (b"\x10\x0e\0\x04HTTP", Beginning::Unlike),
            (b"\x16\x03\x01\x02\0\x01\0\x01", Beginning::Tls),
            (b"SSH-2.0", Beginning::Unlike),
        ];
        for (octets, expected) in cases {
            assert_eq!(beginning(octets), expected, "{octets:?}");
            // However few have come: the same or not enough.
            let mut told = false;
            for len in 0..octets.len() {
                let early = beginning(&octets[..len]);
                assert!(
                    early == expected && len > 0 || early == Beginning::Short && !told,
                    "{octets:?} {len}"
                );
                told = early == expected;
            }
        }
        assert_eq!(beginning(b"\x17\x03\x03\0\x20"), Beginning::Unlike);
        assert_eq!(beginning(b"\x16\x03\x03\0\x20\x02"), Beginning::Unlike);
    }

    #[test]
    fn keeps_no_more_than_it_needs() {
        let mut opening = Opening::NEW;
        assert_eq!(opening.keep(b"\x10\x8e"), 2);
        assert_eq!(opening.keep(&[7; 20]), OPENING_OCTETS - 2);
        assert_eq!(opening.keep(b"x"), 0);
        assert_eq!(&opening.octets()[..3], b"\x10\x8e\x07");
    }
}
