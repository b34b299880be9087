//! Packets inside packets: IP in IP, 6in4, MPLS in IP, GRE with bridged frames and ERSPAN, VXLAN.
//!
//! What is inside is treated like anything else on the wire: a gateway sees the same connection inside its tunnel
//! and outside, and it is one connection.

use etherparse::EtherType;

use super::link::{self, by_ether_type, by_version, ethernet, mpls};
use super::network::Datagram;
use super::{Failure, Packet, SkipReason, UdpDatagram};

/// Tunnels in tunnels that are looked through.
const MAX_DEPTH: u8 = 4;

/// Protocol numbers of what may hold a packet.
const IP_IN_IP: u8 = 4;
const IPV6_IN_IP: u8 = 41;
const GRE: u8 = 47;
const MPLS_IN_IP: u8 = 137;

/// UDP ports of VXLAN: the registered one (RFC 7348, section 8) and the one Linux used before.
const VXLAN_PORTS: [u16; 2] = [4789, 8472];

/// GRE protocol types of ERSPAN: types I and II, and type III.
const ERSPAN: u16 = 0x88be;
const ERSPAN_III: u16 = 0x22eb;

/// What a protocol other than TCP and UDP holds.
#[cold]
pub(super) fn inside<'a>(ip: &Datagram<'a>, depth: u8) -> Result<Packet<'a>, Failure<'a>> {
    let link = match ip.protocol {
        IP_IN_IP | IPV6_IN_IP => by_version(ip.payload),
        MPLS_IN_IP => mpls(None, ip.payload)?,
        GRE => gre(ip.payload)?,
        _ => return Err(SkipReason::OtherTransport.into()),
    };
    deeper(&link, depth)
}

/// Whether a datagram is VXLAN: by its port and by its flags, of which only that of a valid network is set, with the
/// reserved octets (RFC 7348, section 5).
#[inline]
pub(super) fn is_vxlan(udp: &UdpDatagram<'_>) -> bool {
    VXLAN_PORTS.contains(&udp.dst_port) && matches!(udp.payload, [8, 0, 0, 0, _, _, _, 0, _, ..])
}

/// What a VXLAN datagram holds: an Ethernet frame behind eight octets.
#[cold]
pub(super) fn vxlan<'a>(udp: &UdpDatagram<'a>, depth: u8) -> Result<Packet<'a>, Failure<'a>> {
    let link = ethernet(udp.payload.get(8..).unwrap_or_default())?;
    deeper(&link, depth)
}

fn deeper<'a>(link: &link::Link<'a>, depth: u8) -> Result<Packet<'a>, Failure<'a>> {
    if depth >= MAX_DEPTH {
        return Err(SkipReason::TooDeep.into());
    }
    super::datagram(link, depth + 1)
}

/// GRE (RFC 2784, section 2; RFC 2890, section 2): flags, protocol type, then checksum, key and sequence number where
/// the flags say so.
fn gre(payload: &[u8]) -> Result<link::Link<'_>, SkipReason> {
    let ([flags, version, high, low], rest) =
        payload.split_first_chunk::<4>().ok_or(SkipReason::Transport)?;
    // With routing (RFC 1701) it is of another length; version 1 is PPTP.
    if flags & 0x40 != 0 || version & 7 != 0 {
        return Err(SkipReason::OtherTransport);
    }
    let options = [0x80, 0x20, 0x10].iter().filter(|bit| flags & **bit != 0).count();
    let rest = rest.get(4 * options..).ok_or(SkipReason::Transport)?;
    let kind = u16::from_be_bytes([*high, *low]);
    // ERSPAN (draft-foschiano-erspan): type I, without a sequence number, has no header of its own.
    let own = match kind {
        ERSPAN if flags & 0x10 == 0 => 0,
        ERSPAN => 8,
        // The optional part is announced by the lowest bit of the header.
        ERSPAN_III if rest.get(11).is_some_and(|octet| octet & 1 != 0) => 20,
        ERSPAN_III => 12,
        _ => return by_ether_type(None, EtherType(kind), rest),
    };
    ethernet(rest.get(own..).ok_or(SkipReason::Transport)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Address, Packet, Transport, decode};
    use crate::frame::{Frame, LinkType};
    use crate::time::Timestamp;
    use etherparse::PacketBuilder;

    /// A segment from 10.1.1.1, or from fd00::1, with "hello" in it.
    fn inner(v6: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let six = |last| [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
        let ip = if v6 {
            PacketBuilder::ipv6(six(1), six(2), 64)
        } else {
            PacketBuilder::ipv4([10, 1, 1, 1], [10, 1, 1, 2], 64)
        };
        ip.tcp(40_000, 1883, 100, 1024).write(&mut out, b"hello").unwrap();
        out
    }

    fn ethernet_frame(ether_type: u16, payload: &[u8]) -> Vec<u8> {
        [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &ether_type.to_be_bytes(), payload].concat()
    }

    /// An IPv4 packet of some protocol.
    fn ip(protocol: u8, payload: &[u8]) -> Vec<u8> {
        let len = (20 + payload.len() as u16).to_be_bytes();
        let head = [0x45, 0, len[0], len[1], 0, 1, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
        [&head[..], payload].concat()
    }

    fn read(link: LinkType, data: &[u8]) -> Result<Packet<'_>, SkipReason> {
        decode(&Frame {
            ts: Timestamp::ZERO,
            nanos: 0,
            link,
            wire_len: u32::try_from(data.len()).unwrap(),
            data,
        })
    }

    #[track_caller]
    fn expect(link: LinkType, data: &[u8], mac: Option<[u8; 6]>) {
        let packet = read(link, data).unwrap();
        let Transport::Tcp(segment) = packet.transport else { panic!("not TCP") };
        let is_inner = packet.src == Address::v4([10, 1, 1, 1])
            || packet.src == Address(0xfd00_0000_0000_0000_0000_0000_0000_0001);
        assert!(is_inner && segment.payload == b"hello", "{packet:?}");
        assert_eq!((packet.src_mac, segment.wire_payload_len), (mac, 5));
        // However little of it was captured.
        for end in 0..data.len() {
            let _ = read(link, &data[..end]);
        }
    }

    const MAC: Option<[u8; 6]> = Some([2, 0, 0, 0, 0, 1]);
    const IPV4: u16 = 0x0800;

    #[test]
    fn ip_in_ip_and_mpls() {
        expect(LinkType::RawIp, &ip(IP_IN_IP, &inner(false)), None);
        expect(LinkType::RawIp, &ip(IPV6_IN_IP, &inner(true)), None);
        let stack = [&[0, 1, 0, 64, 0, 2, 1, 64][..], &inner(false)].concat();
        expect(LinkType::RawIp, &ip(MPLS_IN_IP, &stack), None);
        expect(LinkType::Ethernet, &ethernet_frame(0x8847, &stack), MAC);
        let endless = ethernet_frame(0x8847, &[0; 100]);
        assert_eq!(read(LinkType::Ethernet, &endless).unwrap_err(), SkipReason::TooDeep);
    }

    #[test]
    fn gre_with_every_option() {
        let frame = ethernet_frame(IPV4, &inner(false));
        let v6 = inner(true);
        type Case<'a> = (&'a [u8], &'a [u8], Option<[u8; 6]>);
        let cases: [Case<'_>; 8] = [
            (&[0, 0, 8, 0], &inner(false), None),
            (&[0, 0, 0x86, 0xdd], &v6, None),
            (&[0xb0, 0, 8, 0, 1, 1, 0, 0, 2, 2, 2, 2, 3, 3, 3, 3], &inner(false), None),
            (&[0x20, 0, 0x65, 0x58, 2, 2, 2, 2], &frame, MAC),
            // ERSPAN I, II, III, and III with its optional part.
            (&[0, 0, 0x88, 0xbe], &frame, MAC),
            (&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 1, 0, 1, 0, 0, 0, 0], &frame, MAC),
            (&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], &frame, MAC),
            (
                &[
                    0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
                    0, 0,
                ],
                &frame,
                MAC,
            ),
        ];
        for (head, payload, mac) in cases {
            expect(LinkType::RawIp, &ip(GRE, &[head, payload].concat()), mac);
        }
        for refused in [[0x40, 0, 8, 0], [0x20, 1, 0x88, 0x0b]] {
            let packet = ip(GRE, &refused);
            assert_eq!(read(LinkType::RawIp, &packet).unwrap_err(), SkipReason::OtherTransport);
        }
    }

    #[test]
    fn vxlan_by_port_and_flags() {
        let datagram = |port: u16, flags: u8| {
            let payload = [&[flags, 0, 0, 0, 0, 0, 7, 0][..], &ethernet_frame(IPV4, &inner(false))].concat();
            let mut out = Vec::new();
            let builder = PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64).udp(50_000, port);
            builder.write(&mut out, &payload).unwrap();
            out
        };
        expect(LinkType::RawIp, &datagram(4789, 8), MAC);
        expect(LinkType::RawIp, &datagram(8472, 8), MAC);
        for other in [datagram(4789, 9), datagram(4790, 8)] {
            let packet = read(LinkType::RawIp, &other).unwrap();
            assert!(matches!(packet.transport, Transport::Udp(_)), "{packet:?}");
        }
    }

    #[test]
    fn ppp_and_pppoe() {
        let inner = inner(false);
        let session = |ppp: &[u8]| [&[0x11, 0, 0, 1, 0, 47][..], ppp, &inner].concat();
        expect(LinkType::Ethernet, &ethernet_frame(0x8864, &session(&[0, 0x21])), MAC);
        expect(LinkType::PppEther, &session(&[0x21]), None);
        for head in [&[0xff, 3, 0, 0x21][..], &[0xff, 3, 0x21], &[0, 0x21], &[0x21]] {
            expect(LinkType::Ppp, &[head, &inner].concat(), None);
        }
        expect(LinkType::CiscoHdlc, &[&[0x0f, 0, 8, 0], &inner[..]].concat(), None);
        // Discovery, and link control.
        let discovery = ethernet_frame(0x8864, &[0x11, 9, 0, 0, 0, 0]);
        assert_eq!(read(LinkType::Ethernet, &discovery).unwrap_err(), SkipReason::NotIp);
        assert_eq!(read(LinkType::Ppp, &[0xff, 3, 0xc0, 0x21]).unwrap_err(), SkipReason::NotIp);
    }

    #[test]
    fn four_tunnels_and_no_more() {
        let mut packet = inner(false);
        for _ in 0..MAX_DEPTH {
            packet = ip(IP_IN_IP, &packet);
        }
        expect(LinkType::RawIp, &packet, None);
        let packet = ip(IP_IN_IP, &packet);
        assert_eq!(read(LinkType::RawIp, &packet).unwrap_err(), SkipReason::TooDeep);
        let bridged = ethernet_frame(0x6558, &ethernet_frame(0x6558, &ethernet_frame(IPV4, &inner(false))));
        assert_eq!(read(LinkType::Ethernet, &bridged).unwrap_err(), SkipReason::TooDeep);
    }

    #[test]
    fn lengths_left_to_the_interface() {
        // BIG TCP: no length in the header, as with segmentation left to the interface; the rest was cut by the snaplen.
        let mut v4 = inner(false);
        v4[2..4].copy_from_slice(&[0, 0]);
        let mut v6 = inner(true);
        v6[4..6].copy_from_slice(&[0, 0]);
        // A hop-by-hop header with the jumbo payload option (RFC 2675, section 2).
        v6[6] = 0;
        v6.splice(40..40, [6, 0, 0xc2, 4, 0, 1, 0x11, 0x88]);
        for data in [v4, v6] {
            let frame = Frame {
                ts: Timestamp::ZERO,
                nanos: 0,
                link: LinkType::RawIp,
                wire_len: 100_000,
                data: &data,
            };
            let packet = decode(&frame).unwrap();
            let Transport::Tcp(segment) = packet.transport else { panic!("not TCP") };
            assert_eq!(segment.payload, b"hello");
            let headers = data.len() as u32 - 5;
            assert_eq!((segment.wire_payload_len, packet.ip_len), (100_000 - headers, 100_000));
        }
    }
}
