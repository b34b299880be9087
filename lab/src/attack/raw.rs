//! Packets of the laboratory's own making. They are sent inside its namespaces only, to its network only.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use etherparse::{PacketBuilder, PacketBuilderStep, TcpOptionElement, ip_number};
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, SockaddrLike, sendto, socket};
use socket2::{Domain, Protocol, Socket, Type};

use super::Place;
use crate::random::Random;
use crate::target::{Target, in_sandbox_net};

/// `IPPROTO_RAW` of raw(7): the sender writes the IP header, the kernel finds the way.
const RAW: i32 = 255;

/// Sends IPv4 packets that are complete with their header.
struct RawIp(Socket);

impl RawIp {
    /// Opens a raw socket.
    ///
    /// # Errors
    /// If the target is not in a sandbox of this process, or the system says no.
    fn open(target: Target) -> io::Result<Self> {
        target.raw().map_err(io::Error::other)?;
        Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(RAW))).map(Self)
    }

    /// Sends a packet to an address of the sandboxes.
    ///
    /// # Errors
    /// If the address is another, or the system says no.
    fn send(&self, packet: &[u8], to: Ipv4Addr) -> io::Result<()> {
        if !in_sandbox_net(to) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.0.send_to(packet, &SocketAddr::new(to.into(), 0).into()).map(drop)
    }
}

/// A raw socket, packets of one tool's looks, and the victim that they are for.
pub(super) struct Packets {
    socket: RawIp,
    pub(super) maker: Maker,
    pub(super) victim: Ipv4Addr,
}

impl Packets {
    /// Opens a raw socket for an attack from this place.
    ///
    /// # Errors
    /// As [`RawIp::open`].
    pub(super) fn open(place: &Place, random: &mut Random) -> io::Result<Self> {
        let victim = place.target.raw().map_err(io::Error::other)?;
        let socket = RawIp::open(place.target)?;
        Ok(Self { socket, maker: Maker::new(place.source_v4(), random), victim })
    }

    /// Sends a packet.
    ///
    /// # Errors
    /// As [`RawIp::send`].
    pub(super) fn send(&self, packet: &[u8], to: Ipv4Addr) -> io::Result<()> {
        self.socket.send(packet, to)
    }
}

/// The interface of a host in a sandbox, for frames.
pub(super) struct RawLink {
    socket: OwnedFd,
    link: LinkAddr,
}

/// Every host of a sandbox has its only interface under this name.
const INTERFACE: &str = "eth0";

impl RawLink {
    /// Opens a packet socket.
    ///
    /// # Errors
    /// If the target is not in a sandbox of this process, there is no interface, or the system says no.
    pub(super) fn open(target: Target) -> io::Result<Self> {
        target.raw().map_err(io::Error::other)?;
        let link = getifaddrs()?
            .filter(|interface| interface.interface_name == INTERFACE)
            .find_map(|interface| interface.address?.as_link_addr().copied())
            .ok_or(io::ErrorKind::NotFound)?;
        let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)?;
        Ok(Self { socket, link })
    }

    /// The hardware address.
    pub(super) fn mac(&self) -> [u8; 6] {
        self.link.addr().unwrap_or_default()
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// The system's reason.
    pub(super) fn send(&self, frame: &[u8]) -> io::Result<()> {
        debug_assert_eq!(self.link.family(), Some(AddressFamily::Packet));
        sendto(self.socket.as_raw_fd(), frame, &self.link, MsgFlags::empty())?;
        Ok(())
    }
}

/// What a TCP packet looks like besides its ports.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) syn: bool,
    pub(super) ack: bool,
    pub(super) fin: bool,
    pub(super) psh: bool,
    pub(super) urg: bool,
}

/// A maker of packets with the looks of one tool: time to live, window and options stay the same.
pub(super) struct Maker {
    pub(super) source: Ipv4Addr,
    ttl: u8,
    window: u16,
    options: Vec<TcpOptionElement>,
}

impl Maker {
    pub(super) fn new(source: Ipv4Addr, random: &mut Random) -> Self {
        let ttl = match random.between((0, 3)) {
            0 => 255,
            1 => u8::try_from(random.between((37, 59))).expect("below 60"),
            _ => *random.pick(&[64, 128]),
        };
        let window = *random.pick(&[1024, 2048, 3072, 4096, 5840, 14_600, 29_200, 64_240, 65_535]);
        let options = match random.between((0, 2)) {
            0 => Vec::new(),
            1 => vec![TcpOptionElement::MaximumSegmentSize(1460)],
            _ => vec![
                TcpOptionElement::MaximumSegmentSize(*random.pick(&[1400, 1452, 1460])),
                TcpOptionElement::SelectiveAcknowledgementPermitted,
                TcpOptionElement::Timestamp(random.between((1, u32::MAX)), 0),
                TcpOptionElement::Noop,
                TcpOptionElement::WindowScale(7),
            ],
        };
        Self { source, ttl, window, options }
    }

    fn to(&self, to: Ipv4Addr) -> PacketBuilderStep<etherparse::IpHeaders> {
        PacketBuilder::ipv4(self.source.octets(), to.octets(), self.ttl)
    }

    /// A TCP packet.
    pub(super) fn tcp(
        &self,
        to: Ipv4Addr,
        ports: (u16, u16),
        (sequence, acknowledged): (u32, u32),
        flags: Flags,
        payload: &[u8],
    ) -> Vec<u8> {
        let mut step = self.to(to).tcp(ports.0, ports.1, sequence, self.window);
        if flags.syn {
            step = step.syn().options(&self.options).expect("at most 20 bytes of options");
        }
        if flags.ack {
            step = step.ack(acknowledged);
        }
        if flags.fin {
            step = step.fin();
        }
        if flags.psh {
            step = step.psh();
        }
        if flags.urg {
            step = step.urg(0);
        }
        let mut packet = Vec::with_capacity(step.size(payload.len()));
        step.write(&mut packet, payload).expect("payloads fit a packet, and a vector takes every byte");
        packet
    }

    /// A UDP datagram.
    pub(super) fn udp(&self, to: Ipv4Addr, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
        let step = self.to(to).udp(ports.0, ports.1);
        let mut packet = Vec::with_capacity(step.size(payload.len()));
        step.write(&mut packet, payload).expect("payloads fit a packet, and a vector takes every byte");
        packet
    }

    /// A GRE packet (RFC 2784) around a UDP datagram.
    pub(super) fn gre(&self, to: Ipv4Addr, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
        let mut inner = b"\x00\x00\x08\x00".to_vec();
        inner.extend(self.udp(to, ports, payload));
        let step = self.to(to);
        let mut packet = Vec::with_capacity(step.size(inner.len()));
        step.write(&mut packet, ip_number::GRE, &inner)
            .expect("payloads fit a packet, and a vector takes every byte");
        packet
    }

    /// An ICMP echo request.
    pub(super) fn echo(&self, to: Ipv4Addr, id: u16, sequence: u16, payload: &[u8]) -> Vec<u8> {
        let step = self.to(to).icmpv4_echo_request(id, sequence);
        let mut packet = Vec::with_capacity(step.size(payload.len()));
        step.write(&mut packet, payload).expect("payloads fit a packet, and a vector takes every byte");
        packet
    }
}

/// A port that clients use.
pub(super) fn client_port(random: &mut Random) -> u16 {
    u16::try_from(random.between((32_768, 60_999))).expect("at most 60,999")
}

/// An ARP packet for Ethernet and IPv4 (RFC 826) in its frame.
pub(super) fn arp(
    operation: u16,
    frame_to: [u8; 6],
    (mac, ip): ([u8; 6], Ipv4Addr),
    (to_mac, to_ip): ([u8; 6], Ipv4Addr),
) -> Vec<u8> {
    let mut frame = Vec::with_capacity(42);
    frame.extend(frame_to);
    frame.extend(mac);
    frame.extend(b"\x08\x06\x00\x01\x08\x00\x06\x04");
    frame.extend(operation.to_be_bytes());
    frame.extend(mac);
    frame.extend(ip.octets());
    frame.extend(to_mac);
    frame.extend(to_ip.octets());
    frame
}

#[cfg(test)]
mod tests {
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};

    use super::*;

    #[test]
    fn packets_are_what_they_should_be() {
        let mut random = Random::new(4);
        let maker = Maker::new(Ipv4Addr::new(10, 77, 1, 9), &mut random);
        let to = Ipv4Addr::new(10, 77, 1, 1);
        let xmas = Flags { fin: true, psh: true, urg: true, ..Flags::default() };
        let packet = maker.tcp(to, (40_000, 1883), (7, 0), xmas, b"");
        let sliced = SlicedPacket::from_ip(&packet).unwrap();
        let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("no TCP") };
        assert_eq!((tcp.destination_port(), tcp.sequence_number()), (1883, 7));
        assert!(tcp.fin() && tcp.psh() && tcp.urg() && !tcp.syn() && !tcp.ack());
        let packet = maker.gre(to, (1, 2), b"xyz");
        let sliced = SlicedPacket::from_ip(&packet).unwrap();
        let Some(NetSlice::Ipv4(ip)) = sliced.net else { panic!("no IPv4") };
        assert_eq!(ip.header().protocol(), ip_number::GRE);
        assert_eq!(ip.header().source_addr(), maker.source);
        assert_eq!(arp(2, [255; 6], ([1; 6], maker.source), ([2; 6], to)).len(), 42);
    }

    #[test]
    fn no_raw_socket_for_loopback() {
        let target = Target::check("127.0.0.1:1883".parse().unwrap()).unwrap();
        assert!(RawIp::open(target).is_err());
        assert!(RawLink::open(target).is_err());
    }
}
