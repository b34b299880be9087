//! What is told by frames that carry no segment and no datagram: ARP, ICMP, other protocols, tunnels. Looked at apart, so that the
//! way of all others stays short.

use super::link::{self, Link};
use super::network::{self, TCP, UDP};
use super::{Address, Failure};
use crate::frame::{Frame, LinkType};

/// An ARP message between Ethernet and IPv4 (RFC 826).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arp {
    /// A request, else a reply.
    pub is_request: bool,
    /// Sender hardware address.
    pub sender_mac: [u8; 6],
    /// Sender protocol address.
    pub sender_ip: u32,
    /// Target protocol address.
    pub target_ip: u32,
}

/// Something besides TCP and UDP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aside {
    /// ARP.
    Arp(Arp),
    /// ICMP: a packet of this sender could not be delivered (RFC 792; RFC 4443, section 3.1).
    Unreachable {
        /// Who sent that packet.
        of: Address,
    },
    /// An IP packet with neither TCP nor UDP, or a tunnel.
    Other {
        /// Who sent it.
        by: Address,
    },
}

const ETHERTYPE_ARP: u16 = 0x0806;
const VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
const ICMP: u8 = 1;
const ICMP_V6: u8 = 58;
const IGMP: u8 = 2;

/// Reads a frame in which [`dissect`](super::dissect) found nothing, or which holds a tunnel.
#[must_use]
#[cold]
pub fn aside(frame: &Frame<'_>) -> Option<Aside> {
    if let Some((ETHERTYPE_ARP, payload)) = by_type(frame) {
        return arp(payload).map(Aside::Arp);
    }
    let link = link::decode(frame).ok()?;
    ip(&link).ok()?
}

/// The EtherType behind all VLAN tags, and what follows it.
fn by_type<'a>(frame: &Frame<'a>) -> Option<(u16, &'a [u8])> {
    let (type_at, mut payload_at) = match frame.link {
        LinkType::Ethernet => (12, 14),
        LinkType::LinuxSll => (14, 16),
        LinkType::LinuxSll2 => (0, 20),
        _ => return None,
    };
    let two = |at: usize| {
        let octets = frame.data.get(at..)?.first_chunk::<2>()?;
        Some(u16::from_be_bytes(*octets))
    };
    let mut kind = two(type_at)?;
    for _ in 0..3 {
        if VLAN.contains(&kind) {
            kind = two(payload_at + 2)?;
            payload_at += 4;
        }
    }
    Some((kind, frame.data.get(payload_at..)?))
}

fn arp(payload: &[u8]) -> Option<Arp> {
    let [0, 1, 8, 0, 6, 4, 0, operation @ (1 | 2), rest @ ..] = payload else {
        return None;
    };
    let (sender_mac, rest) = rest.split_first_chunk::<6>()?;
    let (sender_ip, rest) = rest.split_first_chunk::<4>()?;
    let target_ip = rest.get(6..)?.first_chunk::<4>()?;
    Some(Arp {
        is_request: *operation == 1,
        sender_mac: *sender_mac,
        sender_ip: u32::from_be_bytes(*sender_ip),
        target_ip: u32::from_be_bytes(*target_ip),
    })
}

fn ip<'a>(link: &Link<'a>) -> Result<Option<Aside>, Failure<'a>> {
    let ip = network::decode(link)?;
    let kind = ip.payload.first().copied().unwrap_or_default();
    let quoted = ip.payload.get(8..).unwrap_or_default();
    Ok(match (ip.protocol, kind) {
        (ICMP, 3) => quoted
            .get(12..)
            .and_then(<[u8]>::first_chunk::<4>)
            .map(|of| Aside::Unreachable { of: Address::v4(*of) }),
        (ICMP_V6, 1) => quoted
            .get(8..)
            .and_then(<[u8]>::first_chunk::<16>)
            .map(|of| Aside::Unreachable { of: Address::v6(*of) }),
        // Who answers an echo is not who began it; neighbours are looked for by everybody.
        (TCP | UDP | IGMP, _) | (ICMP, 0) | (ICMP_V6, 129..=143) => None,
        _ => Some(Aside::Other { by: ip.src }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use etherparse::PacketBuilder;

    fn read(link: LinkType, data: &[u8]) -> Option<Aside> {
        aside(&Frame {
            ts: Timestamp::ZERO,
            nanos: 0,
            link,
            wire_len: u32::try_from(data.len()).unwrap(),
            data,
        })
    }

    fn arp_frame(tags: &[u8], operation: u8) -> Vec<u8> {
        let head = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 9], tags, &[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, operation]];
        let body = [&[2, 0, 0, 0, 0, 9][..], &[10, 0, 0, 9], &[0; 6], &[10, 0, 0, 1], &[0; 18]];
        [head.concat(), body.concat()].concat()
    }

    #[test]
    fn arp_with_and_without_tags() {
        let expected = |is_request| {
            Some(Aside::Arp(Arp {
                is_request,
                sender_mac: [2, 0, 0, 0, 0, 9],
                sender_ip: 0x0a00_0009,
                target_ip: 0x0a00_0001,
            }))
        };
        assert_eq!(read(LinkType::Ethernet, &arp_frame(&[], 1)), expected(true));
        assert_eq!(read(LinkType::Ethernet, &arp_frame(&[0x81, 0, 0, 7], 2)), expected(false));
        assert_eq!(read(LinkType::Ethernet, &arp_frame(&[], 3)), None);
        let whole = arp_frame(&[], 1);
        (0..42).for_each(|end| assert_eq!(read(LinkType::Ethernet, &whole[..end]), None, "{end}"));
        let cooked = [&[0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 9, 0, 0][..], &whole[12..]].concat();
        assert_eq!(read(LinkType::LinuxSll, &cooked), expected(true));
    }

    #[test]
    fn icmp_and_others() {
        let mut inner = Vec::new();
        PacketBuilder::ipv4([10, 0, 0, 2], [10, 0, 0, 1], 64).udp(4, 5).write(&mut inner, b"x").unwrap();
        let send = |kind: u8, payload: &[u8]| {
            let mut out = Vec::new();
            PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
                .icmpv4_raw(kind, 3, [0; 4])
                .write(&mut out, payload)
                .unwrap();
            read(LinkType::RawIp, &out)
        };
        assert_eq!(send(3, &inner), Some(Aside::Unreachable { of: Address::v4([10, 0, 0, 2]) }));
        assert_eq!(send(3, &inner[..10]), None);
        assert_eq!(send(8, b"ping"), Some(Aside::Other { by: Address::v4([10, 0, 0, 1]) }));
        assert_eq!(send(0, b"ping"), None);
        // A tunnel: the inner packet is read by others, what counts here is who sent it.
        let mut tunnel = inner.clone();
        tunnel[9] = 47;
        assert_eq!(read(LinkType::RawIp, &tunnel), Some(Aside::Other { by: Address::v4([10, 0, 0, 2]) }));
        assert_eq!(read(LinkType::RawIp, &inner), None);
    }
}
