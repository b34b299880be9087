//! What happens on the wire, as a fuzzer writes it: a sequence of steps.
//!
//! A step is an octet for its kind, one for the time since the step before, one for the length of its octets, then what
//! the kind asks for, then the octets. Kind: bits 0 and 1 are the unit of time (1 ms, 1 s, 1 h, back by 1 s); bit 2 is a
//! tick; bit 3 a raw Ethernet frame; bit 4 goes towards the broker; bit 5 a turn of one of a few connections, whose
//! numbers follow by themselves; without any of these it is a TCP segment with numbers of its own.
//!
//! A segment asks for an octet with host and port, one for flags, two of sequence number. A turn asks for an octet:
//! bits 0 and 1 are the device, bits 2 to 4 the port, bits 5 to 7 what is done with the octets; see [`Manner`]. Bit 6 of
//! its kind repeats the octets 16 times, and bit 7 sends the packet in two fragments.

use etherparse::PacketBuilder;
use picket::frame::LinkType;
use picket::time::Timestamp;

/// MQTT, MQTT in TLS, WebSocket, one that is unexpected; CoAP and MQTT-SN over UDP.
const PORTS: [u16; 8] = [1883, 8883, 8080, 5555, 1883, 80, 5683, 1884];

/// What happens at a step.
pub enum Happening {
    Tick,
    Frames(LinkType, Vec<Vec<u8>>),
}

/// What a turn does with its octets.
enum Manner {
    /// They come next.
    Next,
    /// A SYN and its answer, with new numbers; the octets are in the SYN (RFC 7413).
    Open,
    /// They come next, with a FIN.
    Close,
    /// A RST.
    Reset,
    /// They repeat as many octets that were there before.
    Again,
    /// As many octets are missing, and come next time.
    Early,
    /// As many octets are never seen before them.
    Behind,
    /// They are not there, but the numbers go on.
    Missed,
}

impl Manner {
    const ALL: [Self; 8] = [
        Self::Next,
        Self::Open,
        Self::Close,
        Self::Reset,
        Self::Again,
        Self::Early,
        Self::Behind,
        Self::Missed,
    ];
}

/// The time, and the numbers that come next: of each device, of each port, towards the broker and back.
pub struct Wire {
    micros: u64,
    next: [[[u32; 2]; 8]; 4],
    opened: u32,
    identification: u16,
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

impl Wire {
    /// Nothing has happened.
    pub fn new() -> Self {
        Self { micros: 1_700_000_000_000_000, next: [[[1; 2]; 8]; 4], opened: 0, identification: 0 }
    }

    /// The next step, if there is one.
    pub fn read(&mut self, input: &mut &[u8]) -> Option<(Timestamp, Happening)> {
        let (&[kind, time, length], mut rest) = input.split_first_chunk()?;
        let unit = [1_000, 1_000_000, 3_600_000_000, -1_000_000][usize::from(kind & 3)];
        self.micros = self.micros.saturating_add_signed(i64::from(time) * unit);
        let up = kind & 16 != 0;
        let happening = if kind & 4 != 0 {
            Happening::Tick
        } else if kind & 8 != 0 {
            Happening::Frames(LinkType::Ethernet, vec![take(&mut rest, length).to_vec()])
        } else if kind & 32 != 0 {
            let (place, after) = rest.split_first()?;
            rest = after;
            let payload = take(&mut rest, length).repeat(if kind & 64 == 0 { 1 } else { 16 });
            let packets = self.turn(*place, up, &payload);
            let packets = if kind & 128 == 0 {
                packets
            } else {
                packets.iter().flat_map(|packet| fragments(packet, time & 1 == 0)).collect()
            };
            Happening::Frames(LinkType::RawIp, packets)
        } else {
            let (&[place, flags, high, low], after) = rest.split_first_chunk()?;
            rest = after;
            let seq = u32::from(u16::from_be_bytes([high, low]));
            let port = (40_000 + u16::from(place >> 4), 1883);
            let ack = u32::from(flags >> 5);
            let packet = segment(up, place & 15, port, (seq, ack), flags, take(&mut rest, length));
            Happening::Frames(LinkType::RawIp, vec![packet])
        };
        *input = rest;
        Some((Timestamp::from_micros(self.micros), happening))
    }

    /// One end of a connection says something.
    fn turn(&mut self, place: u8, up: bool, payload: &[u8]) -> Vec<Vec<u8>> {
        let (device, port) = (place & 3, place >> 2 & 7);
        let ports = (50_000 + u16::from(port), PORTS[usize::from(port)]);
        self.identification = self.identification.wrapping_add(1);
        if port >= 6 {
            return vec![datagram(up, device, ports, payload)];
        }
        let next = &mut self.next[usize::from(device)][usize::from(port)];
        let (way, len) = (usize::from(!up), payload.len() as u32);
        let [mine, theirs] = [next[way], next[1 - way]];
        let id = self.identification;
        let packet = |seq, flags| {
            let mut packet = segment(up, device, ports, (seq, theirs), flags, payload);
            packet[4..6].copy_from_slice(&id.to_be_bytes());
            packet
        };
        match Manner::ALL[usize::from(place >> 5)] {
            Manner::Next => {
                next[way] = mine.wrapping_add(len);
                vec![packet(mine, ACK)]
            }
            Manner::Open => {
                // Every other one is about to wrap around.
                self.opened += 1;
                let start = if self.opened.is_multiple_of(2) { u32::MAX - 20 } else { self.opened << 16 };
                *next = [start.wrapping_add(1 + len), start.wrapping_add(501)];
                let syn = segment(true, device, ports, (start, 0), SYN, payload);
                let numbers = (start.wrapping_add(500), next[0]);
                vec![syn, segment(false, device, ports, numbers, SYN | ACK, &[])]
            }
            Manner::Close => {
                next[way] = mine.wrapping_add(len + 1);
                vec![packet(mine, ACK | FIN)]
            }
            Manner::Reset => vec![packet(mine, RST | ACK)],
            Manner::Again => vec![packet(mine.wrapping_sub(len), ACK)],
            Manner::Early => vec![packet(mine.wrapping_add(len), ACK)],
            Manner::Behind => {
                next[way] = mine.wrapping_add(2 * len);
                vec![packet(mine.wrapping_add(len), ACK)]
            }
            Manner::Missed => {
                next[way] = mine.wrapping_add(len);
                Vec::new()
            }
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], length: u8) -> &'a [u8] {
    let (taken, after) = rest.split_at(usize::from(length).min(rest.len()));
    *rest = after;
    taken
}

/// The addresses of a device and the broker, from and to.
fn ends(up: bool, device: u8) -> ([u8; 4], [u8; 4]) {
    let (device, broker) = ([10, 0, 0, device], [10, 0, 1, 1]);
    if up { (device, broker) } else { (broker, device) }
}

/// Ports in the same order, from those of a device and the broker.
fn ordered(up: bool, (device, broker): (u16, u16)) -> (u16, u16) {
    if up { (device, broker) } else { (broker, device) }
}

/// An IPv4 packet with a segment, with sequence and acknowledgement number.
fn segment(
    up: bool,
    device: u8,
    ports: (u16, u16),
    (seq, ack): (u32, u32),
    flags: u8,
    payload: &[u8],
) -> Vec<u8> {
    let ((src, dst), (from, to)) = (ends(up, device), ordered(up, ports));
    let mut builder = PacketBuilder::ipv4(src, dst, 64).tcp(from, to, seq, 1024);
    if flags & FIN != 0 {
        builder = builder.fin();
    }
    if flags & SYN != 0 {
        builder = builder.syn();
    }
    if flags & RST != 0 {
        builder = builder.rst();
    }
    if flags & ACK != 0 {
        builder = builder.ack(ack);
    }
    let mut out = Vec::new();
    builder.write(&mut out, payload).expect("a vector takes everything");
    out
}

fn datagram(up: bool, device: u8, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let ((src, dst), (from, to)) = (ends(up, device), ordered(up, ports));
    let mut out = Vec::new();
    PacketBuilder::ipv4(src, dst, 64)
        .udp(from, to)
        .write(&mut out, payload)
        .expect("a vector takes everything");
    out
}

/// An IPv4 packet in two fragments, the second of which may come first; checksums are not looked at.
fn fragments(packet: &[u8], second_first: bool) -> Vec<Vec<u8>> {
    let (head, body) = packet.split_at(20);
    let (first, second) = body.split_at((body.len() / 2).next_multiple_of(8).min(body.len()));
    let fragment = |offset: usize, more: bool, part: &[u8]| {
        let mut out = [head, part].concat();
        out[2..4].copy_from_slice(&((20 + part.len()) as u16).to_be_bytes());
        out[6..8].copy_from_slice(&((offset / 8) as u16 | if more { 0x2000 } else { 0 }).to_be_bytes());
        out
    };
    let mut both = vec![fragment(0, true, first), fragment(first.len(), false, second)];
    if second_first {
        both.reverse();
    }
    both
}
