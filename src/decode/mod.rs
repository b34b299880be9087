//! From a frame to a packet: link, IP and transport headers, through tunnels. Borrows only, copies nothing.
//!
//! Bad or foreign frames are not errors but a [`SkipReason`], which the engine counts. A fragment is handed out for
//! [`flow::fragment`](crate::flow::fragment) to put together.

pub mod aside;
mod extension;
mod link;
mod network;
mod tunnel;

use core::net::IpAddr;

use etherparse::{TcpHeaderSlice, UdpHeaderSlice};

use crate::frame::Frame;

/// Why a frame was not looked at any further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum SkipReason {
    /// A link type that is not decoded.
    LinkType,
    /// Link header cut short or broken.
    Link,
    /// Neither IPv4 nor IPv6 (ARP, LLDP, ...).
    NotIp,
    /// IP header cut short or broken.
    Ip,
    /// A fragment that does not complete its datagram.
    Fragment,
    /// TCP or UDP header cut short or broken.
    Transport,
    /// Neither TCP nor UDP.
    OtherTransport,
    /// Tunnels in tunnels, more than are looked through.
    TooDeep,
}

impl SkipReason {
    /// Every reason, in order.
    pub const ALL: [Self; 8] = [
        Self::LinkType,
        Self::Link,
        Self::NotIp,
        Self::Ip,
        Self::Fragment,
        Self::Transport,
        Self::OtherTransport,
        Self::TooDeep,
    ];

    /// The name used in statistics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LinkType => "link_type",
            Self::Link => "link_header",
            Self::NotIp => "not_ip",
            Self::Ip => "ip_header",
            Self::Fragment => "fragment",
            Self::Transport => "transport_header",
            Self::OtherTransport => "other_transport",
            Self::TooDeep => "too_deep",
        }
    }
}

/// An IP address as one number: IPv4 as `::ffff:a.b.c.d` (RFC 4291, section 2.5.5.2).
///
/// Aligned like a word of eight octets: tables hold thousands, and the sixteen of the number would be padding.
#[repr(Rust, packed(8))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Address(pub u128);

impl Address {
    /// From four octets in network order.
    #[must_use]
    pub const fn v4(octets: [u8; 4]) -> Self {
        Self(0xffff_0000_0000 | u32::from_be_bytes(octets) as u128)
    }

    /// From sixteen octets in network order.
    #[must_use]
    pub const fn v6(octets: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(octets))
    }

    /// The four octets of an IPv4 address as one number.
    #[must_use]
    #[inline]
    pub const fn as_v4(self) -> Option<u32> {
        if self.0 >> 32 == 0xffff { Some((self.0 & 0xffff_ffff) as u32) } else { None }
    }

    /// As the standard library's type; mapped addresses become IPv4.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        IpAddr::V6(self.0.into()).to_canonical()
    }
}

/// The TCP flags this product looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TcpFlags(u8);

impl TcpFlags {
    /// FIN.
    pub const FIN: u8 = 0x01;
    /// SYN.
    pub const SYN: u8 = 0x02;
    /// RST.
    pub const RST: u8 = 0x04;
    /// PSH.
    pub const PSH: u8 = 0x08;
    /// ACK.
    pub const ACK: u8 = 0x10;
    /// URG.
    pub const URG: u8 = 0x20;

    /// From the low octet of the TCP flags field (RFC 9293, section 3.1).
    #[must_use]
    pub const fn new(bits: u8) -> Self {
        Self(bits)
    }

    /// The octet itself.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether any of `bits` is set.
    #[must_use]
    pub const fn has_any(self, bits: u8) -> bool {
        self.0 & bits != 0
    }

    /// Whether all of `bits` are set.
    #[must_use]
    pub const fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }
}

/// A TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct TcpSegment<'a> {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number of the first payload octet (of the SYN, if set).
    pub seq: u32,
    /// Acknowledgement number; meaningful with ACK only.
    pub ack: u32,
    /// Flags.
    pub flags: TcpFlags,
    /// Checksum as it stands there. It is not verified: on the sending machine it is often left to the interface.
    pub checksum: u16,
    /// Urgent pointer; meaningful with URG only.
    pub urgent: u16,
    /// What was captured of the payload.
    pub payload: &'a [u8],
    /// The payload's length on the wire, at least `payload.len()`.
    pub wire_payload_len: u32,
}

impl TcpSegment<'_> {
    /// Sequence number of the first octet of the payload: a SYN counts as one before it.
    #[must_use]
    #[inline]
    pub const fn first_octet(&self) -> u32 {
        self.seq.wrapping_add(self.flags.has(TcpFlags::SYN) as u32)
    }
}

/// A UDP datagram.
#[derive(Clone, Copy, Debug)]
pub struct UdpDatagram<'a> {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// What was captured of the payload.
    pub payload: &'a [u8],
    /// The payload's length on the wire, at least `payload.len()`.
    pub wire_payload_len: u32,
}

/// The transport layer of a packet.
#[derive(Clone, Copy, Debug)]
pub enum Transport<'a> {
    /// TCP.
    Tcp(TcpSegment<'a>),
    /// UDP.
    Udp(UdpDatagram<'a>),
}

/// A decoded packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Link address of the sender, where the link has one.
    pub src_mac: Option<[u8; 6]>,
    /// Source address.
    pub src: Address,
    /// Destination address.
    pub dst: Address,
    /// Length of the IP packet on the wire in octets.
    pub ip_len: u32,
    /// Identification of an IPv4 packet (RFC 791); 0 with IPv6.
    pub id: u16,
    /// Tunnels around it.
    pub depth: u8,
    /// TCP or UDP.
    pub transport: Transport<'a>,
}

/// A fragment of an IP datagram (RFC 791, section 3.2; RFC 8200, section 4.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment<'a> {
    /// What it has in common with the others of its datagram.
    pub of: Fragmented,
    /// Where in the datagram it lies, in octets.
    pub offset: u32,
    /// More fragments follow.
    pub more: bool,
    /// What was captured of it.
    pub payload: &'a [u8],
    /// Its length on the wire, at least `payload.len()`.
    pub wire_payload_len: u32,
}

/// What fragments of one datagram have in common. The first fragment's is that of the datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragmented {
    /// Link address of the sender, where the link has one.
    pub src_mac: Option<[u8; 6]>,
    /// Source address.
    pub src: Address,
    /// Destination address.
    pub dst: Address,
    /// Identification: sixteen bits with IPv4.
    pub id: u32,
    /// Whether it is IPv6.
    pub is_v6: bool,
    /// Protocol of what the datagram carries.
    pub protocol: u8,
    /// Tunnels around it.
    pub depth: u8,
}

/// Why there is no packet in a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure<'a> {
    /// It is not looked at any further.
    Skipped(SkipReason),
    /// It holds a part of one.
    Fragment(Fragment<'a>),
}

impl From<SkipReason> for Failure<'_> {
    fn from(reason: SkipReason) -> Self {
        Self::Skipped(reason)
    }
}

impl Failure<'_> {
    /// The reason to be counted when nothing comes of it.
    #[must_use]
    pub const fn reason(&self) -> SkipReason {
        match self {
            Self::Skipped(reason) => *reason,
            Self::Fragment(_) => SkipReason::Fragment,
        }
    }
}

/// Decodes one frame.
///
/// # Errors
/// The reason why there is nothing to look at, to be counted, not reported; or a fragment.
#[inline]
pub fn dissect<'a>(frame: &Frame<'a>) -> Result<Packet<'a>, Failure<'a>> {
    let link = link::decode(frame)?;
    datagram(&link, 0)
}

/// What a frame holds behind its link header, VLAN tags and the like: an IP packet, by its first octet.
#[derive(Clone, Copy, Debug)]
pub struct NetworkLayer<'a> {
    /// What was captured of it, with padding.
    pub octets: &'a [u8],
    /// Octets that the snaplen cut off.
    pub uncaptured: u32,
}

/// The network layer of a frame, not looked into.
///
/// # Errors
/// The reason why there is nothing to look at.
#[inline]
pub fn network_layer<'a>(frame: &Frame<'a>) -> Result<NetworkLayer<'a>, SkipReason> {
    let link = link::decode(frame)?;
    Ok(NetworkLayer { octets: link.payload, uncaptured: link.uncaptured })
}

/// Decodes one frame by itself.
///
/// # Errors
/// The reason why there is nothing to look at.
#[inline]
pub fn decode<'a>(frame: &Frame<'a>) -> Result<Packet<'a>, SkipReason> {
    dissect(frame).map_err(|failure| failure.reason())
}

/// Sender and receiver of a frame's IP packet, the innermost that can be seen, whatever it carries; or of an ARP message.
#[must_use]
pub fn hosts(frame: &Frame<'_>) -> Option<(Address, Address)> {
    match dissect(frame) {
        Ok(packet) => Some((packet.src, packet.dst)),
        Err(Failure::Fragment(fragment)) => Some((fragment.of.src, fragment.of.dst)),
        Err(Failure::Skipped(_)) => {
            if let Some(aside::Aside::Arp(arp)) = aside::aside(frame) {
                return Some((
                    Address::v4(arp.sender_ip.to_be_bytes()),
                    Address::v4(arp.target_ip.to_be_bytes()),
                ));
            }
            let ip = network::decode(&link::decode(frame).ok()?).ok()?;
            Some((ip.src, ip.dst))
        }
    }
}

/// Decodes a datagram that was put together of fragments.
///
/// # Errors
/// The reason why there is nothing to look at, or a fragment inside a tunnel.
pub fn reassembled<'a>(of: &Fragmented, payload: &'a [u8]) -> Result<Packet<'a>, Failure<'a>> {
    let wire_payload_len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut ip = network::Datagram {
        src: of.src,
        dst: of.dst,
        protocol: of.protocol,
        id: u16::try_from(of.id).unwrap_or(0),
        wire_len: wire_payload_len.saturating_add(if of.is_v6 { 48 } else { 20 }),
        wire_payload_len,
        payload,
    };
    if of.is_v6 {
        network::skip_extensions(&mut ip)?;
    }
    transport(of.src_mac, &ip, of.depth)
}

/// An IP datagram inside so many tunnels.
#[inline]
fn datagram<'a>(link: &link::Link<'a>, depth: u8) -> Result<Packet<'a>, Failure<'a>> {
    let ip = network::decode(link).map_err(|failure| match failure {
        Failure::Fragment(fragment) => {
            Failure::Fragment(Fragment { of: Fragmented { depth, ..fragment.of }, ..fragment })
        }
        skipped @ Failure::Skipped(_) => skipped,
    })?;
    transport(link.src_mac, &ip, depth)
}

#[inline]
fn transport<'a>(
    src_mac: Option<[u8; 6]>,
    ip: &network::Datagram<'a>,
    depth: u8,
) -> Result<Packet<'a>, Failure<'a>> {
    let transport = match ip.protocol {
        network::TCP => tcp(ip)?,
        network::UDP => match udp(ip)? {
            Transport::Udp(udp) if tunnel::is_vxlan(&udp) => return tunnel::vxlan(&udp, depth),
            udp => udp,
        },
        _ => return tunnel::inside(ip, depth),
    };
    let network::Datagram { src, dst, id, wire_len, .. } = *ip;
    Ok(Packet { src_mac, src, dst, ip_len: wire_len, id, depth, transport })
}

#[inline]
fn tcp<'a>(ip: &network::Datagram<'a>) -> Result<Transport<'a>, SkipReason> {
    let header = TcpHeaderSlice::from_slice(ip.payload).map_err(|_| SkipReason::Transport)?;
    let header_len = header.slice().len();
    let flags = header.slice().get(13).copied().unwrap_or_default();
    let payload = ip.payload.get(header_len..).unwrap_or_default();
    let wire_payload_len = ip.wire_payload_len.saturating_sub(u32::try_from(header_len).unwrap_or(0));
    Ok(Transport::Tcp(TcpSegment {
        src_port: header.source_port(),
        dst_port: header.destination_port(),
        seq: header.sequence_number(),
        ack: header.acknowledgment_number(),
        flags: TcpFlags::new(flags),
        checksum: header.checksum(),
        urgent: header.urgent_pointer(),
        payload,
        wire_payload_len,
    }))
}

#[inline]
fn udp<'a>(ip: &network::Datagram<'a>) -> Result<Transport<'a>, SkipReason> {
    let header = UdpHeaderSlice::from_slice(ip.payload).map_err(|_| SkipReason::Transport)?;
    let header_len = header.slice().len();
    let rest = ip.payload.get(header_len..).unwrap_or_default();
    let in_ip = ip.wire_payload_len.saturating_sub(u32::try_from(header_len).unwrap_or(0));
    // What lies behind the datagram's own length is padding; a length too short for its header says nothing
    // (RFC 768; zero with jumbograms, RFC 2675, section 4).
    let own = usize::from(header.length()).checked_sub(header_len).unwrap_or(usize::MAX);
    Ok(Transport::Udp(UdpDatagram {
        src_port: header.source_port(),
        dst_port: header.destination_port(),
        payload: rest.get(..own).unwrap_or(rest),
        wire_payload_len: in_ip.min(u32::try_from(own).unwrap_or(u32::MAX)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::LinkType;
    use crate::time::Timestamp;
    use etherparse::PacketBuilder;

    fn frame(link: LinkType, data: &[u8]) -> Frame<'_> {
        Frame { ts: Timestamp::ZERO, nanos: 0, link, wire_len: u32::try_from(data.len()).unwrap(), data }
    }

    fn ethernet(vlan: bool, payload: &[u8]) -> Vec<u8> {
        let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let mut out = Vec::new();
        if vlan {
            let id = 7.try_into().unwrap();
            let outer = 9.try_into().unwrap();
            builder
                .double_vlan(outer, id)
                .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
                .tcp(40_000, 1883, 100, 1024)
                .psh()
                .ack(7)
                .write(&mut out, payload)
                .unwrap();
        } else {
            builder
                .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
                .tcp(40_000, 1883, 100, 1024)
                .psh()
                .ack(7)
                .write(&mut out, payload)
                .unwrap();
        }
        out
    }

    fn expect_segment(frame: &Frame<'_>) -> TcpSegmentFacts {
        let packet = decode(frame).unwrap();
        let Transport::Tcp(tcp) = packet.transport else { panic!("not TCP") };
        (packet.src.ip().to_string(), tcp.src_port, tcp.dst_port, tcp.seq, tcp.payload.to_vec())
    }
    type TcpSegmentFacts = (String, u16, u16, u32, Vec<u8>);

    #[test]
    fn the_same_segment_under_every_link_header() {
        let plain = ethernet(false, b"hello");
        let ip = &plain[14..];
        let expected = ("10.0.0.1".to_string(), 40_000, 1883, 100, b"hello".to_vec());
        assert_eq!(expect_segment(&frame(LinkType::Ethernet, &plain)), expected);
        assert_eq!(expect_segment(&frame(LinkType::Ethernet, &ethernet(true, b"hello"))), expected);
        assert_eq!(expect_segment(&frame(LinkType::RawIp, ip)), expected);
        for family in [[2, 0, 0, 0], [0, 0, 0, 2]] {
            let null: Vec<u8> = family.iter().chain(ip).copied().collect();
            assert_eq!(expect_segment(&frame(LinkType::Null, &null)), expected);
        }
        let sll: Vec<u8> =
            [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0].iter().chain(ip).copied().collect();
        assert_eq!(expect_segment(&frame(LinkType::LinuxSll, &sll)), expected);
        let sll2: Vec<u8> =
            [8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0].iter().chain(ip).copied().collect();
        assert_eq!(expect_segment(&frame(LinkType::LinuxSll2, &sll2)), expected);
    }

    #[test]
    fn ipv6_with_extension_headers() {
        let mut plain = Vec::new();
        PacketBuilder::ipv6([1; 16], [2; 16], 64).tcp(1, 2, 3, 4).write(&mut plain, b"x").unwrap();
        // A destination options header of eight octets (RFC 8200, section 4.6) between IPv6 and TCP.
        let mut with = plain[..40].to_vec();
        with[6] = 60;
        let len = u16::from_be_bytes([with[4], with[5]]) + 8;
        with[4..6].copy_from_slice(&len.to_be_bytes());
        with.extend([6, 0, 1, 4, 0, 0, 0, 0]);
        with.extend(&plain[40..]);
        let facts = expect_segment(&frame(LinkType::RawIp, &with));
        assert_eq!((facts.1, facts.2, facts.4), (1, 2, b"x".to_vec()));
    }

    #[test]
    fn padding_is_not_payload_and_a_cut_is_known() {
        let mut padded = ethernet(false, b"");
        padded.extend([0; 6]);
        assert!(expect_segment(&frame(LinkType::Ethernet, &padded)).4.is_empty());

        let whole = ethernet(false, &[7; 100]);
        let cut = &whole[..whole.len() - 60];
        let Transport::Tcp(tcp) = decode(&frame(LinkType::Ethernet, cut)).unwrap().transport else {
            panic!("not TCP")
        };
        assert_eq!((tcp.payload.len(), tcp.wire_payload_len), (40, 100));
    }

    #[test]
    fn a_datagram_ends_where_it_says_and_a_cut_is_known() {
        let mut plain = Vec::new();
        PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .udp(40_000, 1884)
            .write(&mut plain, b"payload")
            .unwrap();
        let read = |data: &[u8]| {
            let packet = decode(&frame(LinkType::RawIp, data)).unwrap();
            let Transport::Udp(udp) = packet.transport else { panic!("not UDP") };
            (udp.src_port, udp.dst_port, udp.payload.to_vec(), udp.wire_payload_len)
        };
        assert_eq!(read(&plain), (40_000, 1884, b"payload".to_vec(), 7));
        assert_eq!(read(&plain[..plain.len() - 3]), (40_000, 1884, b"payl".to_vec(), 7));
        // A length of three octets less, as if the rest were padding; then one that cannot be.
        plain[25] -= 3;
        assert_eq!(read(&plain), (40_000, 1884, b"payl".to_vec(), 4));
        plain[25] = 3;
        assert_eq!(read(&plain), (40_000, 1884, b"payload".to_vec(), 7));
    }

    #[test]
    fn hosts_are_known_of_any_ip_packet() {
        let ends = Some((Address::v4([10, 0, 0, 1]), Address::v4([10, 0, 0, 2])));
        let mut segment = ethernet(true, b"hello");
        assert_eq!(hosts(&frame(LinkType::Ethernet, &segment)), ends);
        // Double VLAN: the IPv4 header begins at octet 22, its protocol is at 9, its fragment offset at 6.
        segment[22 + 9] = 1;
        assert_eq!(decode(&frame(LinkType::Ethernet, &segment)).unwrap_err(), SkipReason::OtherTransport);
        assert_eq!(hosts(&frame(LinkType::Ethernet, &segment)), ends);
        segment[22 + 6] = 0x20;
        assert_eq!(decode(&frame(LinkType::Ethernet, &segment)).unwrap_err(), SkipReason::Fragment);
        assert_eq!(hosts(&frame(LinkType::Ethernet, &segment)), ends);
        segment[16..18].copy_from_slice(&[8, 6]);
        assert_eq!(hosts(&frame(LinkType::Ethernet, &segment)), None, "no ARP but by its type");
        let mut arp = vec![2; 12];
        arp.extend([
            8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2,
        ]);
        assert_eq!(hosts(&frame(LinkType::Ethernet, &arp)), ends);
    }

    #[test]
    fn nothing_short_or_random_panics() {
        let whole = ethernet(true, b"hello");
        for link in [
            LinkType::Ethernet,
            LinkType::LinuxSll,
            LinkType::LinuxSll2,
            LinkType::RawIp,
            LinkType::Null,
            LinkType::Other(147),
        ] {
            for end in 0..whole.len() {
                let _ = decode(&frame(link, &whole[..end]));
            }
        }
        assert_eq!(decode(&frame(LinkType::Other(147), &whole)).unwrap_err(), SkipReason::LinkType);
    }
}
