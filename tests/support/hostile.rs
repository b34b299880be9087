//! Frames made to cost as much as they can below MQTT.

use etherparse::{IpNumber, Ipv4Header};

use super::capture::{ACK, Capture, Flags, RST, SECOND, START, SYN, SYN_ACK, Socket, host, mac, segment};
use super::mqtt::{self, Connect, V311};

/// Frames of each capture, about: few enough to stay in a cache, so that the engine is measured and not the memory.
const FRAMES: u32 = 1000;
/// Microseconds between two frames: ten thousand a second.
const STEP: u64 = 100;

/// A connection to a broker, of which segments can be sent at any offset.
struct Stream {
    client: Socket,
    server: Socket,
    capture: Capture,
    at: u64,
}

impl Stream {
    fn open() -> Self {
        let (client, server) = ((host(66), 40_000), (host(1), 1883));
        let mut stream = Self { client, server, capture: Capture::default(), at: START };
        stream.push(segment(client, server, 999, 0, SYN, &[]));
        stream.push(segment(server, client, 4999, 1000, SYN_ACK, &[]));
        stream.up(0, ACK, &Connect::new(V311, "hostile").encode());
        stream.push(segment(server, client, 5000, 1000 + Self::CONNECT, ACK, &mqtt::accepted(V311)));
        stream
    }

    /// Octets of the CONNECT.
    const CONNECT: u32 = 21;

    fn push(&mut self, frame: Vec<u8>) {
        self.capture.push(self.at, frame);
        self.at += STEP;
    }

    fn up(&mut self, offset: u32, flags: Flags, payload: &[u8]) {
        let frame = segment(self.client, self.server, offset.wrapping_add(1000), 5004, flags, payload);
        self.push(frame);
    }

    fn acknowledged(&mut self, offset: u32) {
        let frame = segment(self.server, self.client, 5004, offset.wrapping_add(1000), ACK, &[]);
        self.push(frame);
    }
}

/// Every one, by name.
pub fn all() -> Vec<(&'static str, Capture)> {
    vec![
        ("segments of one octet", one_octet()),
        ("segments of one octet in reverse", in_reverse()),
        ("copies with other contents", conflicts()),
        ("overlapping copies", overlaps()),
        ("far segments", far()),
        ("forged RST and SYN", forged()),
        ("SYN of many sources", spoofed()),
        ("small first fragments", fragments(8, 1)),
        ("large first fragments", fragments(1480, 1)),
        ("datagrams in fragments of eight octets", fragments(8, 180)),
        ("fragments over one another", fragments_again()),
    ]
}

fn one_octet() -> Capture {
    let mut stream = Stream::open();
    let message = mqtt::publish(V311, "a/b", b"0123456789");
    for (n, octet) in (0..FRAMES).zip(message.iter().cycle()) {
        stream.up(Stream::CONNECT + n, ACK, &[*octet]);
    }
    stream.capture
}

fn in_reverse() -> Capture {
    let mut stream = Stream::open();
    let message = mqtt::publish(V311, "a/b", b"0123456789");
    for group in 0..FRAMES / 17 {
        for n in (0..17).rev() {
            stream.up(Stream::CONNECT + group * 17 + n, ACK, &message[n as usize..=n as usize]);
        }
    }
    stream.capture
}

fn conflicts() -> Capture {
    let mut stream = Stream::open();
    for n in 0..FRAMES / 4 {
        for copy in 0..4 {
            let payload = mqtt::publish(V311, "a/b", &[copy; 90]);
            stream.up(Stream::CONNECT + n * 97, ACK, &payload);
        }
    }
    stream.capture
}

fn overlaps() -> Capture {
    let mut stream = Stream::open();
    let message = mqtt::publish(V311, "a/b", &[b'x'; 90]).repeat(20);
    for n in 0..FRAMES {
        // Eight octets on, with all that the comparison remembers before them.
        let from = n as usize * 8 % 97;
        stream.up(Stream::CONNECT + n * 8, ACK, &message[from..from + 1400]);
    }
    stream.capture
}

fn far() -> Capture {
    let mut stream = Stream::open();
    for n in 0..FRAMES {
        stream.up(1 << 30 | (n << 12), ACK, &[0x30; 60]);
    }
    stream.capture
}

fn forged() -> Capture {
    let mut stream = Stream::open();
    for n in 0..FRAMES / 3 {
        stream.up(Stream::CONNECT + 5000 + n, RST, &[]);
        stream.up(77 + n, SYN, &[]);
        stream.acknowledged(1 << 31);
    }
    stream.capture
}

fn spoofed() -> Capture {
    let mut capture = Capture::default();
    for n in 0..FRAMES {
        let [a, b, c, d] = n.wrapping_mul(2_654_435_761).to_be_bytes();
        let frame = segment(([a | 1, b, c, d].into(), 1024), (host(1), 1883), n, 0, SYN, &[]);
        capture.push(START + u64::from(n) * STEP, frame);
    }
    capture
}

/// A fragment of a TCP packet.
fn fragment(source: [u8; 4], id: u16, offset: usize, more: bool, payload: &[u8]) -> Vec<u8> {
    let mut ip = Ipv4Header::new(payload.len() as u16, 64, IpNumber::TCP, source, [10, 0, 0, 1]).unwrap();
    ip.identification = id;
    ip.more_fragments = more;
    ip.fragment_offset = ((offset / 8) as u16).try_into().unwrap();
    ip.header_checksum = ip.calc_header_checksum();
    let mut out = [mac(host(1)), mac(host(66))].concat();
    out.extend([8, 0]);
    ip.write(&mut out).unwrap();
    out.extend(payload);
    out
}

/// Datagrams of so many fragments of so many octets, each from another source; a single one is never completed.
fn fragments(len: usize, count: u32) -> Capture {
    let mut capture = Capture::default();
    for n in 0..FRAMES {
        let (datagram, part) = (n / count, n % count);
        let [a, b, c, d] = datagram.wrapping_mul(2_654_435_761).to_be_bytes();
        let more = count == 1 || part + 1 < count;
        let frame =
            fragment([a | 1, b, c, d], datagram as u16, part as usize * len, more, &vec![part as u8; len]);
        capture.push(START + u64::from(n) * STEP, frame);
    }
    capture
}

/// The same range of one datagram with another content each time.
fn fragments_again() -> Capture {
    let mut capture = Capture::default();
    for n in 0..FRAMES {
        let id = (u64::from(n) * STEP / SECOND) as u16;
        let frame = fragment([10, 0, 0, 66], id, 8 * (n as usize % 3), true, &vec![n as u8; 1480]);
        capture.push(START + u64::from(n) * STEP, frame);
    }
    capture
}
