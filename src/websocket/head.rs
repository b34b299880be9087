//! Reads the head of an HTTP/1.1 request or response (RFC 9112, section 2) for what it says of WebSocket, octet by
//! octet, and keeps no more of it than one token.

/// Octets of the longest token that matters: `sec-websocket-extensions`.
const TOKEN_OCTETS: usize = 24;
/// A head of more octets than this is none that is looked into.
const HEAD_OCTETS: u16 = 16 * 1024;

/// What a head says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Head {
    /// Status code of a response, 0 in a request or when unreadable.
    pub status: u16,
    /// The request's method is GET.
    pub get: bool,
    /// `Upgrade: websocket`.
    pub upgrade: bool,
    /// `Sec-WebSocket-Protocol` is there.
    pub subprotocol: bool,
    /// `Sec-WebSocket-Protocol` names `mqtt` or, of MQTT 3.1, `mqttv3.1`.
    pub mqtt: bool,
    /// `Sec-WebSocket-Extensions` names an extension that compresses (`permessage-deflate`, RFC 7692, or one before it).
    pub compression: bool,
    /// `Transfer-Encoding` is there: how long the body is, is not known.
    pub chunked: bool,
    /// `Content-Length`.
    pub body: u32,
}

/// What came of some octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The head goes on.
    More,
    /// The head is complete; so many of the octets were its own.
    Done(Head, usize),
    /// It is too long.
    TooLong,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// The first line.
    Start,
    /// A field's name.
    Name,
    /// A field's value.
    Value(Field),
    /// The rest of a line that says nothing.
    Rest,
}

/// The fields that matter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    Upgrade,
    Subprotocol,
    Extensions,
    TransferEncoding,
    ContentLength,
    Any,
}

/// The state between two octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeadReader {
    part: Part,
    /// The token that is going on, in lower case.
    token: [u8; TOKEN_OCTETS],
    /// Its length, which may be more than is kept.
    len: u8,
    /// Octets of the head so far.
    octets: u16,
    head: Head,
}

impl HeadReader {
    /// Before the first octet.
    pub const NEW: Self = Self {
        part: Part::Start,
        token: [0; TOKEN_OCTETS],
        len: 0,
        octets: 0,
        head: Head {
            status: 0,
            get: false,
            upgrade: false,
            subprotocol: false,
            mqtt: false,
            compression: false,
            chunked: false,
            body: 0,
        },
    };

    /// Takes the next octets.
    pub fn push(&mut self, octets: &[u8]) -> Outcome {
        let mut rest = octets;
        while let Some((octet, after)) = rest.split_first() {
            if self.octets >= HEAD_OCTETS {
                return Outcome::TooLong;
            }
            self.octets += 1;
            rest = after;
            if self.take(*octet) {
                return Outcome::Done(self.head, octets.len() - rest.len());
            }
            if self.part == Part::Rest {
                // Most of a head: passed over in one go.
                let room = usize::from(HEAD_OCTETS - self.octets).min(rest.len());
                let line = rest.get(..room).unwrap_or_default();
                let passed = line.iter().position(|octet| *octet == b'\n').unwrap_or(room);
                self.octets += u16::try_from(passed).unwrap_or(HEAD_OCTETS);
                rest = rest.get(passed..).unwrap_or_default();
            }
        }
        Outcome::More
    }

    /// Takes one octet; whether it ends the head.
    fn take(&mut self, octet: u8) -> bool {
        match (self.part, octet) {
            (part, b'\n') => return self.end_line(part),
            // A line may end without CR (section 2.2).
            (_, b'\r') | (Part::Rest, _) => {}
            // A line that begins with white space goes on with the value before it (section 5.2); of old only.
            (Part::Name, b' ' | b'\t') if self.len == 0 => self.part = Part::Rest,
            (Part::Name, b':') => {
                let field = self.field();
                self.head.subprotocol |= field == Field::Subprotocol;
                self.head.chunked |= field == Field::TransferEncoding;
                self.part = if field == Field::Any { Part::Rest } else { Part::Value(field) };
                self.len = 0;
            }
            (Part::Value(field), b' ' | b'\t' | b',' | b';') => self.end_token(field),
            (Part::Start | Part::Name | Part::Value(_), _) => self.keep(octet),
        }
        false
    }

    fn keep(&mut self, octet: u8) {
        if let Some(place) = self.token.get_mut(usize::from(self.len)) {
            *place = octet.to_ascii_lowercase();
        }
        self.len = self.len.saturating_add(1);
    }

    /// The token that is going on; what is too long for it is none that matters, but for its beginning.
    fn token(&self) -> &[u8] {
        self.token.get(..usize::from(self.len)).unwrap_or_default()
    }

    fn field(&self) -> Field {
        match self.token() {
            b"upgrade" => Field::Upgrade,
            b"sec-websocket-protocol" => Field::Subprotocol,
            b"sec-websocket-extensions" => Field::Extensions,
            b"transfer-encoding" => Field::TransferEncoding,
            b"content-length" => Field::ContentLength,
            _ => Field::Any,
        }
    }

    fn end_token(&mut self, field: Field) {
        let token = self.token.get(..usize::from(self.len)).unwrap_or_default();
        let head = &mut self.head;
        match (field, token) {
            (Field::Upgrade, b"websocket") => head.upgrade = true,
            (Field::Subprotocol, b"mqtt" | b"mqttv3.1") => head.mqtt = true,
            (Field::Extensions, b"permessage-deflate" | b"x-webkit-deflate-frame") => head.compression = true,
            (Field::ContentLength, digits) => {
                for digit in digits.iter().filter(|digit| digit.is_ascii_digit()) {
                    head.body = head.body.saturating_mul(10).saturating_add(u32::from(*digit - b'0'));
                }
            }
            _ => {}
        }
        self.len = 0;
    }

    /// A line has ended; whether the head has.
    fn end_line(&mut self, part: Part) -> bool {
        match part {
            // Empty lines before the first one are passed over (section 2.2).
            Part::Start if self.len == 0 => return false,
            Part::Start => {
                self.head.get = self.token.starts_with(b"get ");
                self.head.status = status(&self.token);
            }
            Part::Name if self.len == 0 => return true,
            Part::Value(field) => self.end_token(field),
            Part::Name | Part::Rest => {}
        }
        self.part = Part::Name;
        self.len = 0;
        false
    }
}

/// The status code in `http/1.1 101 ...`.
fn status(line: &[u8]) -> u16 {
    match line {
        [
            b'h',
            b't',
            b't',
            b'p',
            b'/',
            b'1',
            b'.',
            _,
            b' ',
            a @ b'0'..=b'9',
            b @ b'0'..=b'9',
            c @ b'0'..=b'9',
            ..,
        ] => u16::from(*a - b'0') * 100 + u16::from(*b - b'0') * 10 + u16::from(*c - b'0'),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REQUEST: &[u8] =
        b"GET /mqtt HTTP/1.1\r\nHost: broker:9001\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Protocol: mqttv3.1, mqtt\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
    const RESPONSE: &[u8] =
        b"HTTP/1.1 101 Switching Protocols\nupgrade:websocket\nsec-websocket-protocol:mqtt\n\n";

    fn read(octets: &[u8]) -> (Head, usize) {
        match HeadReader::NEW.clone().push(octets) {
            Outcome::Done(head, len) => (head, len),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_and_a_response() {
        let (head, len) = read(REQUEST);
        assert!(head.get && head.upgrade && head.mqtt && head.subprotocol && head.compression);
        assert_eq!((head.status, head.body, head.chunked, len), (0, 0, false, REQUEST.len()));
        let (head, len) = read(&[RESPONSE, b"\x82\x04"].concat());
        assert!(!head.get && head.upgrade && head.mqtt && !head.compression);
        assert_eq!((head.status, len), (101, RESPONSE.len()));
    }

    #[test]
    fn what_is_alike_is_not_the_same() {
        for field in [
            "X-Sec-WebSocket-Protocol: mqtt",
            "Sec-WebSocket-Protocol: mqtt2",
            "Sec-WebSocket-Protocol: m qtt",
            "Sec-WebSocket-Protocols: mqtt",
        ] {
            let head = read(format!("GET / HTTP/1.1\r\n{field}\r\n\r\n").as_bytes()).0;
            assert!(!head.mqtt && !head.upgrade, "{field}");
        }
        let long = format!("GET / HTTP/1.1\r\nSec-WebSocket-Protocol: {},mqtt\r\n\r\n", "x".repeat(300));
        assert!(read(long.as_bytes()).0.mqtt);
        let (head, _) =
            read(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!((head.status, head.body, head.chunked), (401, 12, true));
        assert!(!read(b"POST / HTTP/1.1\r\n\r\n").0.get);
        assert_eq!(HeadReader::NEW.clone().push(&[b'x'; 20_000]), Outcome::TooLong);
    }

    proptest! {
        #[test]
        fn the_cut_makes_no_difference(cut in 0..REQUEST.len()) {
            let mut reader = HeadReader::NEW;
            prop_assert_eq!(reader.push(&REQUEST[..cut]), Outcome::More);
            prop_assert_eq!(reader.push(&REQUEST[cut..]), Outcome::Done(read(REQUEST).0, REQUEST.len() - cut));
        }

        #[test]
        fn no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = HeadReader::NEW.clone().push(&octets);
        }
    }
}
