//! One frame that was captured twice: on a bridge and on its port, or with and without a VLAN tag.
//!
//! The copies are the same octets from the IP header on, and come within [`WITHIN_MICROS`] of each other. A retransmission
//! is another packet: it comes a round trip later at least, and nearly every sender gives it another IPv4
//! identification or TCP timestamp, and so another checksum.

use core::time::Duration;

use super::table::HashKey;
use crate::decode::{Packet, TcpSegment, UdpDatagram};
use crate::time::Timestamp;

/// The copies of a frame come this close to each other, in microseconds.
const WITHIN_MICROS: u64 = 1000;

/// Time in which copies of a frame come.
pub const WITHIN: Duration = Duration::from_micros(WITHIN_MICROS);

/// Marks of the last four frames of one direction of a connection.
#[repr(Rust, packed(8))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Marks(u128);

impl Marks {
    /// No frame yet.
    pub const NONE: Self = Self(0);

    /// Notes the mark of a frame, and says whether it was there.
    #[must_use]
    #[inline]
    pub fn note(&mut self, mark: u32) -> bool {
        let mark = u128::from(mark);
        let differs = self.0 ^ (mark | mark << 32 | mark << 64 | mark << 96);
        const LOW: u128 = 0xffff_ffff;
        let known = (0..4).any(|n| differs >> (32 * n) & LOW == 0);
        self.0 = self.0 << 32 | mark;
        known
    }
}

/// What copies of one frame have in common, and hardly ever two frames of one direction of a connection.
#[must_use]
#[inline]
pub fn mark(packet: &Packet<'_>, segment: &TcpSegment<'_>) -> u32 {
    let id = u32::from(packet.id) << 16 | u32::from(segment.checksum);
    let place = segment.seq.wrapping_mul(0x9e37_79b1) ^ segment.ack.rotate_left(16).wrapping_mul(0x85eb_ca77);
    id ^ place ^ segment.wire_payload_len ^ u32::from(segment.flags.bits()) << 20
}

/// UDP datagrams remembered.
const DATAGRAMS: usize = 16;

/// The last UDP datagrams of all hosts, which have no connection that would remember them.
#[derive(Clone, Debug)]
pub struct Datagrams {
    seen: [(u64, Timestamp); DATAGRAMS],
    next: usize,
}

impl Datagrams {
    /// None yet.
    pub const NONE: Self = Self { seen: [(0, Timestamp::ZERO); DATAGRAMS], next: 0 };

    /// Notes a datagram, and says whether it is a copy of one before: a keyed hash of all that was captured of it tells.
    #[must_use]
    pub fn note(&mut self, packet: &Packet<'_>, udp: &UdpDatagram<'_>, key: HashKey, now: Timestamp) -> bool {
        let ends = (packet.src, packet.dst, udp.src_port, udp.dst_port);
        let hash = key.hash(&(ends, packet.id, packet.ip_len, udp.payload));
        let known = self.seen.iter().any(|(seen, at)| *seen == hash && now <= *at + WITHIN);
        if let Some(place) = self.seen.get_mut(self.next) {
            *place = (hash, now);
        }
        self.next = (self.next + 1) % DATAGRAMS;
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Address, Transport};

    #[test]
    fn four_frames_are_remembered() {
        let mut marks = Marks::NONE;
        assert!((1..=5).all(|mark| !marks.note(mark)));
        assert!(marks.note(2));
        // The second 2 has pushed the 1 out, and the 3 is the oldest now.
        assert!(!marks.note(1));
        assert!(marks.note(4) && marks.note(u32::from(true)));
    }

    #[test]
    fn a_datagram_is_known_by_all_of_it_for_a_millisecond() {
        let mut datagrams = Datagrams::NONE;
        let mut note = |id, payload: &[u8], micros| {
            let udp = UdpDatagram { src_port: 1, dst_port: 2, payload, wire_payload_len: 1 };
            let (src, dst) = (Address::v4([1; 4]), Address::v4([2; 4]));
            let packet =
                Packet { src_mac: None, src, dst, ip_len: 29, id, depth: 0, transport: Transport::Udp(udp) };
            datagrams.note(&packet, &udp, HashKey(1, 2), Timestamp::from_micros(micros))
        };
        assert!(!note(1, b"a", 5000) && note(1, b"a", 6000));
        assert!(!note(1, b"b", 6000) && !note(2, b"a", 6000) && !note(2, b"a", 7001));
    }
}
