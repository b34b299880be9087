//! Frames with their times, and how they become a capture file.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use etherparse::PacketBuilder;
use picket::frame::{Frame, LinkType};
use picket::time::Timestamp;

/// Microseconds in a second.
pub const SECOND: u64 = 1_000_000;
/// When the captures begin, in microseconds since 1970.
pub const START: u64 = 1_750_000_000 * SECOND;

/// An IPv4 address in the tests' network.
pub fn host(last: u16) -> IpAddr {
    let [high, low] = last.to_be_bytes();
    Ipv4Addr::new(10, 0, high, low).into()
}

/// A link address made of the IP address.
pub fn mac(addr: IpAddr) -> [u8; 6] {
    let low = match addr {
        IpAddr::V4(v4) => v4.octets(),
        IpAddr::V6(v6) => v6.octets()[12..].try_into().unwrap(),
    };
    [2, 0, low[0], low[1], low[2], low[3]]
}

/// The flags of a segment.
#[derive(Clone, Copy, Default, Debug)]
pub struct Flags {
    pub syn: bool,
    pub ack: bool,
    pub fin: bool,
    pub rst: bool,
}

/// SYN.
pub const SYN: Flags = Flags { syn: true, ack: false, fin: false, rst: false };
/// SYN and ACK.
pub const SYN_ACK: Flags = Flags { syn: true, ack: true, fin: false, rst: false };
/// ACK.
pub const ACK: Flags = Flags { syn: false, ack: true, fin: false, rst: false };
/// FIN and ACK.
pub const FIN: Flags = Flags { syn: false, ack: true, fin: true, rst: false };
/// RST and ACK.
pub const RST: Flags = Flags { syn: false, ack: true, fin: false, rst: true };

/// One end of a segment.
pub type Socket = (IpAddr, u16);

/// An Ethernet frame with a TCP segment.
pub fn segment(from: Socket, to: Socket, seq: u32, ack: u32, flags: Flags, payload: &[u8]) -> Vec<u8> {
    let ethernet = PacketBuilder::ethernet2(mac(from.0), mac(to.0));
    let ip = match (from.0, to.0) {
        (IpAddr::V4(a), IpAddr::V4(b)) => ethernet.ipv4(a.octets(), b.octets(), 64),
        (IpAddr::V6(a), IpAddr::V6(b)) => ethernet.ipv6(a.octets(), b.octets(), 64),
        _ => panic!("both ends speak the same version of IP"),
    };
    let mut tcp = ip.tcp(from.1, to.1, seq, 64_240);
    if flags.syn {
        tcp = tcp.syn();
    }
    if flags.ack {
        tcp = tcp.ack(ack);
    }
    if flags.fin {
        tcp = tcp.fin();
    }
    if flags.rst {
        tcp = tcp.rst();
    }
    if !payload.is_empty() {
        tcp = tcp.psh();
    }
    let mut out = Vec::with_capacity(tcp.size(payload.len()));
    tcp.write(&mut out, payload).unwrap();
    out
}

/// An Ethernet frame with a UDP datagram.
pub fn datagram(from: Socket, to: Socket, payload: &[u8]) -> Vec<u8> {
    let (IpAddr::V4(a), IpAddr::V4(b)) = (from.0, to.0) else { panic!("IPv4 only") };
    let udp = PacketBuilder::ethernet2(mac(from.0), mac(to.0)).ipv4(a.octets(), b.octets(), 64);
    let mut out = Vec::new();
    udp.udp(from.1, to.1).write(&mut out, payload).unwrap();
    out
}

/// Frames and their times in microseconds.
#[derive(Clone, Default, Debug)]
pub struct Capture {
    pub frames: Vec<(u64, Vec<u8>)>,
}

impl Capture {
    /// Adds one frame.
    pub fn push(&mut self, at: u64, frame: Vec<u8>) {
        self.frames.push((at, frame));
    }

    /// This and that, in order of time.
    pub fn with(mut self, other: Self) -> Self {
        self.frames.extend(other.frames);
        self.sorted()
    }

    /// In order of time; frames of one time keep their order.
    pub fn sorted(mut self) -> Self {
        self.frames.sort_by_key(|(at, _)| *at);
        self
    }

    /// With a harmless datagram so many seconds after the last frame, so that everything that is due happens.
    pub fn then_quiet(mut self, seconds: u64) -> Self {
        let last = self.frames.iter().map(|(at, _)| *at).max().unwrap_or(START);
        self.push(last + seconds * SECOND, datagram((host(250), 123), (host(251), 123), b"time"));
        self
    }

    /// The frames as the engine takes them.
    pub fn iter(&self) -> impl Iterator<Item = Frame<'_>> {
        self.frames.iter().map(|(at, data)| Frame {
            ts: Timestamp::from_micros(*at),
            nanos: 0,
            link: LinkType::Ethernet,
            wire_len: data.len() as u32,
            data,
        })
    }

    /// As a pcap file (little-endian, microseconds, Ethernet).
    pub fn to_pcap(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(PCAP_HEADER);
        for (at, data) in &self.frames {
            out.extend(pcap_record(*at, data.len()));
            out.extend(data);
        }
        out
    }

    /// Writes the pcap file.
    pub fn write(&self, path: &Path) {
        std::fs::write(path, self.to_pcap()).unwrap();
    }
}

/// The header of a pcap file: little-endian, microseconds, version 2.4, snaplen 262144, Ethernet.
pub const PCAP_HEADER: [u8; 24] =
    [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];

/// The header of one record in a pcap file.
pub fn pcap_record(at: u64, len: usize) -> [u8; 16] {
    let fields = [(at / SECOND) as u32, (at % SECOND) as u32, len as u32, len as u32];
    let mut out = [0; 16];
    for (place, field) in out.chunks_exact_mut(4).zip(fields) {
        place.copy_from_slice(&field.to_le_bytes());
    }
    out
}
