//! What a broker answers: just enough decoding for a client.

use std::io;

use super::packet::Version;

/// Longest packet that a client of the laboratory takes from a broker, in bytes.
const LONGEST: usize = 4 << 20;

/// A packet from the broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Incoming {
    /// CONNACK with its return or reason code; 0 is welcome.
    Connack {
        /// The code.
        code: u8,
        /// Receive Maximum (3.2.2.3.3), if version 5 names one.
        receive_maximum: Option<u16>,
    },
    /// PUBLISH.
    Publish {
        /// Topic name.
        topic: String,
        /// Quality of service.
        qos: u8,
        /// Packet identifier; 0 with quality of service 0.
        id: u16,
    },
    /// PUBREC: the broker waits for PUBREL.
    Pubrec(u16),
    /// PUBREL: the broker waits for PUBCOMP.
    Pubrel(u16),
    /// SUBACK with its codes; 0x80 and above is a refusal.
    Suback(Vec<u8>),
    /// PUBACK with its reason code; 0 before version 5.
    Puback(u8),
    /// Any other packet, by its first byte: nothing has to be answered.
    Other(u8),
}

/// Bytes of one direction of a connection, cut into packets.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
}

impl Inbox {
    /// Adds what was read from the socket.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Takes the next whole packet, if there is one.
    ///
    /// # Errors
    /// `InvalidData` if the bytes are not MQTT.
    pub fn next(&mut self, version: Version) -> io::Result<Option<Incoming>> {
        let Some((header, length)) = frame(&self.bytes)? else {
            return Ok(None);
        };
        if self.bytes.len() < header + length {
            return Ok(None);
        }
        let incoming = decode(self.bytes[0], &self.bytes[header..header + length], version)?;
        self.bytes.drain(..header + length);
        Ok(Some(incoming))
    }
}

/// Length of the fixed header and Remaining Length, once both are there.
fn frame(bytes: &[u8]) -> io::Result<Option<(usize, usize)>> {
    let mut length = 0;
    for (index, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return if length > LONGEST {
                Err(bad("packet too long"))
            } else {
                Ok(Some((index + 2, length)))
            };
        }
    }
    if bytes.len() > 4 { Err(bad("Remaining Length of more than four bytes")) } else { Ok(None) }
}

fn decode(first: u8, body: &[u8], version: Version) -> io::Result<Incoming> {
    Ok(match first >> 4 {
        2 => Incoming::Connack {
            code: *body.get(1).ok_or_else(|| bad("short CONNACK"))?,
            receive_maximum: if version == Version::V5 {
                receive_maximum(body.get(3..).unwrap_or_default())
            } else {
                None
            },
        },
        3 => {
            let length = usize::from(u16_at(body, 0)?);
            let topic = body.get(2..2 + length).ok_or_else(|| bad("short PUBLISH"))?;
            let qos = first >> 1 & 3;
            let id = if qos > 0 { u16_at(body, 2 + length)? } else { 0 };
            Incoming::Publish { topic: String::from_utf8_lossy(topic).into_owned(), qos, id }
        }
        4 => Incoming::Puback(body.get(2).copied().unwrap_or(0)),
        9 => {
            // In version 5 properties stand between the identifier and the codes; the broker sends short ones.
            let skip = if version == Version::V5 { 3 + usize::from(*body.get(2).unwrap_or(&0)) } else { 2 };
            Incoming::Suback(body.get(skip..).unwrap_or_default().to_vec())
        }
        // In version 5 a PUBREC with an error code ends the exchange: no PUBREL is due (4.3.3).
        5 if version == Version::V5 && body.get(2).is_some_and(|reason| *reason >= 0x80) => {
            Incoming::Other(first)
        }
        5 => Incoming::Pubrec(u16_at(body, 0)?),
        6 => Incoming::Pubrel(u16_at(body, 0)?),
        _ => Incoming::Other(first),
    })
}

/// Receive Maximum among the properties of a CONNACK. Any other way than to walk over all of them could find it in a text.
fn receive_maximum(mut properties: &[u8]) -> Option<u16> {
    while let Some((id, rest)) = properties.split_first() {
        let length = match id {
            0x21 => return u16_at(rest, 0).ok(),
            0x24 | 0x25 | 0x28 | 0x29 | 0x2A => 1,
            0x13 | 0x22 => 2,
            0x11 | 0x27 => 4,
            0x26 => {
                let name = 2 + usize::from(u16_at(rest, 0).ok()?);
                name + 2 + usize::from(u16_at(rest, name).ok()?)
            }
            // All others of a CONNACK are texts or octets with their length.
            _ => 2 + usize::from(u16_at(rest, 0).ok()?),
        };
        properties = rest.get(length..)?;
    }
    None
}

fn u16_at(body: &[u8], at: usize) -> io::Result<u16> {
    match body.get(at..at + 2) {
        Some(&[high, low]) => Ok(u16::from_be_bytes([high, low])),
        _ => Err(bad("short packet")),
    }
}

fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_over_any_cut() {
        let stream = b"\x20\x02\x00\x05\x32\x07\x00\x03a/b\x00\x09\x50\x02\x00\x07\xd0\x00";
        for cut in 0..stream.len() {
            let mut inbox = Inbox::default();
            let mut seen = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                inbox.push(part);
                while let Some(packet) = inbox.next(Version::V311).unwrap() {
                    seen.push(packet);
                }
            }
            let publish = Incoming::Publish { topic: "a/b".into(), qos: 1, id: 9 };
            assert_eq!(
                seen,
                [
                    Incoming::Connack { code: 5, receive_maximum: None },
                    publish,
                    Incoming::Pubrec(7),
                    Incoming::Other(0xD0)
                ],
                "cut {cut}"
            );
        }
    }

    #[test]
    fn a_refused_pubrec_of_version_5_asks_for_nothing() {
        let mut inbox = Inbox::default();
        inbox.push(b"\x50\x03\x00\x07\x87");
        assert_eq!(inbox.next(Version::V5).unwrap(), Some(Incoming::Other(0x50)));
    }

    #[test]
    fn refusals_of_a_subscription_and_of_a_message() {
        let mut inbox = Inbox::default();
        inbox.push(b"\x90\x05\x00\x01\x00\x01\x87\x40\x03\x00\x02\x87\x90\x03\x00\x01\x80");
        assert_eq!(inbox.next(Version::V5).unwrap(), Some(Incoming::Suback(vec![1, 0x87])));
        assert_eq!(inbox.next(Version::V5).unwrap(), Some(Incoming::Puback(0x87)));
        assert_eq!(inbox.next(Version::V311).unwrap(), Some(Incoming::Suback(vec![0x80])));
    }

    #[test]
    fn the_receive_maximum_of_a_broker_is_found_behind_other_properties() {
        let mut inbox = Inbox::default();
        inbox.push(b"\x20\x0e\x00\x00\x0b\x12\x00\x02!!\x22\x00\x0a\x21\x00\x14");
        let welcome = Incoming::Connack { code: 0, receive_maximum: Some(20) };
        assert_eq!(inbox.next(Version::V5).unwrap(), Some(welcome));
    }

    #[test]
    fn five_length_bytes_are_an_error() {
        let mut inbox = Inbox::default();
        inbox.push(b"\x30\x80\x80\x80\x80\x01");
        assert_eq!(inbox.next(Version::V311).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
