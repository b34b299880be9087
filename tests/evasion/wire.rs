//! A TCP connection of which every octet on the wire can be chosen.

use std::net::Ipv4Addr;

use etherparse::{IpNumber, Ipv4Header, TcpHeader};

use crate::support::capture::{Capture, START};
use crate::support::mqtt::{self, Connect, V311};

/// Where the attacker, and everybody else here, sends from.
pub const CLIENT: [u8; 4] = [10, 0, 0, 66];
/// The broker.
pub const BROKER: [u8; 4] = [10, 0, 0, 1];
/// Time between frames in microseconds; more than copies of one frame are apart.
const STEP: u64 = 2000;

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const ACK: u8 = 16;
pub const URG: u8 = 32;

/// One segment.
#[derive(Clone, Debug)]
pub struct Segment {
    pub up: bool,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub urgent: u16,
    pub ttl: u8,
    pub bad_checksum: bool,
    pub payload: Vec<u8>,
}

/// A connection that goes on.
pub struct Wire {
    pub capture: Capture,
    pub up: u32,
    pub down: u32,
    pub now: u64,
    port: u16,
    id: u16,
}

impl Wire {
    /// To a port of the broker's; nothing was said yet.
    pub fn new(port: u16) -> Self {
        Self { capture: Capture::default(), up: 1_000_000, down: 7_000_000, now: START, port, id: 1 }
    }

    /// The handshake, CONNECT, CONNACK and one PUBLISH.
    pub fn connected() -> Self {
        let mut wire = Self::new(1883);
        wire.open();
        wire.connect();
        wire.send(&mqtt::publish(V311, "room/lamp", b"on"));
        wire
    }

    pub fn open(&mut self) {
        self.push(&Segment { flags: SYN, ack: 0, ..self.segment(true, &[]) });
        self.up += 1;
        self.push(&Segment { flags: SYN | ACK, ..self.segment(false, &[]) });
        self.down += 1;
        self.push(&self.segment(true, &[]));
    }

    pub fn connect(&mut self) {
        self.send(&Connect::new(V311, "evader").encode());
        self.reply(&mqtt::accepted(V311));
    }

    /// The next segment of a direction.
    pub fn segment(&self, up: bool, payload: &[u8]) -> Segment {
        let (seq, ack) = if up { (self.up, self.down) } else { (self.down, self.up) };
        Segment {
            up,
            seq,
            ack,
            flags: ACK,
            urgent: 0,
            ttl: 64,
            bad_checksum: false,
            payload: payload.to_vec(),
        }
    }

    /// Puts a frame on the wire.
    pub fn frame(&mut self, frame: Vec<u8>) {
        self.capture.push(self.now, frame);
        self.now += STEP;
    }

    /// Puts a segment on the wire; the ends take no notice.
    pub fn push(&mut self, segment: &Segment) {
        let frame = ethernet(0x0800, &self.packet(segment));
        self.frame(frame);
    }

    /// The IPv4 packet of a segment.
    pub fn packet(&mut self, segment: &Segment) -> Vec<u8> {
        let (src, dst) = if segment.up { (CLIENT, BROKER) } else { (BROKER, CLIENT) };
        let ports = if segment.up { (40_000, self.port) } else { (self.port, 40_000) };
        let mut tcp = TcpHeader::new(ports.0, ports.1, segment.seq, 64_240);
        tcp.acknowledgment_number = segment.ack;
        tcp.fin = segment.flags & FIN != 0;
        tcp.syn = segment.flags & SYN != 0;
        tcp.rst = segment.flags & RST != 0;
        tcp.ack = segment.flags & ACK != 0;
        tcp.urg = segment.flags & URG != 0;
        tcp.urgent_pointer = segment.urgent;
        let len = tcp.header_len_u16() + segment.payload.len() as u16;
        let mut ip = Ipv4Header::new(len, segment.ttl, IpNumber::TCP, src, dst).unwrap();
        ip.identification = self.id;
        self.id += 1;
        ip.header_checksum = ip.calc_header_checksum();
        tcp.checksum =
            tcp.calc_checksum_ipv4(&ip, &segment.payload).unwrap() ^ u16::from(segment.bad_checksum);
        let mut out = Vec::new();
        ip.write(&mut out).unwrap();
        tcp.write(&mut out).unwrap();
        out.extend(&segment.payload);
        out
    }

    /// The client sends, and the broker acknowledges.
    pub fn send(&mut self, payload: &[u8]) {
        self.push(&self.segment(true, payload));
        self.went_up(payload.len());
    }

    /// Octets of the client have arrived some other way: the broker acknowledges them.
    pub fn went_up(&mut self, len: usize) {
        self.up = self.up.wrapping_add(len as u32);
        self.push(&self.segment(false, &[]));
    }

    /// The broker sends, and the client acknowledges.
    pub fn reply(&mut self, payload: &[u8]) {
        self.push(&self.segment(false, payload));
        self.down = self.down.wrapping_add(payload.len() as u32);
        self.push(&self.segment(true, &[]));
    }

    /// What gives an alert, in one segment: see [`attack`].
    pub fn attacked(mut self) -> Capture {
        self.send(&attack());
        self.closed()
    }

    /// The client closes.
    pub fn closed(mut self) -> Capture {
        self.push(&Segment { flags: FIN | ACK, ..self.segment(true, &[]) });
        self.up += 1;
        self.push(&Segment { flags: FIN | ACK, ..self.segment(false, &[]) });
        self.down += 1;
        self.push(&self.segment(true, &[]));
        self.capture
    }
}

/// An Ethernet frame.
pub fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let macs = [2, 0, 10, 0, 0, 1, 2, 0, 10, 0, 0, 66];
    [&macs[..], &ether_type.to_be_bytes(), payload].concat()
}

/// An IPv4 packet of some protocol between the ends of a tunnel.
pub fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let (from, to) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2));
    let mut ip =
        Ipv4Header::new(payload.len() as u16, 64, IpNumber(protocol), from.octets(), to.octets()).unwrap();
    ip.header_checksum = ip.calc_header_checksum();
    let mut out = Vec::new();
    ip.write(&mut out).unwrap();
    out.extend(payload);
    out
}

/// Cuts an IPv4 packet into fragments of so many octets.
pub fn fragments(packet: &[u8], len: usize) -> Vec<Vec<u8>> {
    let (head, payload) = packet.split_at(20);
    let count = payload.len().div_ceil(len);
    let cut = |(n, piece): (usize, &[u8])| {
        let (ip, _) = Ipv4Header::from_slice(head).unwrap();
        fragment(&ip, n * len, n + 1 < count, piece)
    };
    payload.chunks(len).enumerate().map(cut).collect()
}

/// One fragment of a packet with this header.
pub fn fragment(ip: &Ipv4Header, offset: usize, more: bool, piece: &[u8]) -> Vec<u8> {
    let mut ip = ip.clone();
    ip.more_fragments = more;
    ip.fragment_offset = ((offset / 8) as u16).try_into().unwrap();
    ip.set_payload_len(piece.len()).unwrap();
    ip.header_checksum = ip.calc_header_checksum();
    let mut out = Vec::new();
    ip.write(&mut out).unwrap();
    out.extend(piece);
    out
}

/// Six PUBLISH to a wildcard and six SUBSCRIBE at QoS 3: an alert, wherever they are seen.
pub fn attack() -> Vec<u8> {
    let publish = mqtt::publish(V311, "a/#", b"x").repeat(6);
    let subscribe = mqtt::packet(0x82, &[0, 1, 0, 1, b'a', 3]).repeat(6);
    [publish, subscribe].concat()
}
