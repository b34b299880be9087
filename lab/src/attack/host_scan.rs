//! Scans over the addresses of the network: who is there, and, as Mirai does, who has Telnet.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;
use serde::{Deserialize, Serialize};
use socket2::{Domain, Protocol, Socket, Type};

use super::raw::{Flags, Packets, RawLink, arp, client_port};
use super::scan::Order;
use super::{Deed, Meter, Place, defaults};
use crate::random::Random;
use crate::stop::{Pacer, Stop};
use crate::target::Target;

/// By what a host is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Knock {
    /// TCP connections to one or more ports: needs no privilege.
    Connect,
    /// SYN packets (namespaces only).
    Syn,
    /// ICMP echo requests (namespaces only).
    Ping,
    /// ARP requests (namespaces only).
    Arp,
}

/// Options of the host scan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct HostScan {
    /// Probes in all
    #[arg(long, default_value_t = 254, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub count: u32,
    /// By what a host is found
    #[arg(long, value_enum, default_value = "connect")]
    pub knock: Knock,
    /// Ports that are tried at each host, from a list of usual ones; 1 is the broker's
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub ports: u32,
    /// In which order the hosts are tried
    #[arg(long, value_enum, default_value = "ascending")]
    pub order: Order,
    /// Probes a second; 0 is as fast as possible
    #[arg(long, default_value_t = 60.0)]
    pub rate: f64,
    /// How much each pause varies: 0 not at all, 1 from none to twice as long
    #[arg(long, default_value_t = 0.0)]
    pub jitter: f64,
    /// Stop after so many seconds
    #[arg(long, default_value_t = 8)]
    pub secs: u32,
}

impl Default for HostScan {
    fn default() -> Self {
        defaults()
    }
}

impl Deed for HostScan {
    fn label(&self) -> (&'static str, &'static str) {
        ("host_scan", "N1")
    }

    fn secs(&self) -> u32 {
        self.secs
    }

    fn raw(&self) -> bool {
        self.knock != Knock::Connect
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let mut random = place.random(0);
        let Ok(mut knocker) = self.knocker(place, &mut random) else {
            return Meter::count(&meter.failed);
        };
        let mut hosts: Vec<u8> = (1..=254).collect();
        if self.order == Order::Random {
            random.shuffle(&mut hosts);
        }
        let mut ports = vec![place.target.address().port(), 80, 22, 443, 23, 8080, 8883, 502];
        ports.truncate(self.ports as usize);
        let mut pacer = Pacer::new(self.rate).jittered(self.jitter, &mut random);
        let probes = hosts.iter().flat_map(|host| ports.iter().map(move |port| (*host, *port)));
        for (host, port) in probes.cycle().take(self.count as usize) {
            if !pacer.turn(stop) || !meter.take(u64::from(self.count)) {
                break;
            }
            let target = place.target.neighbour(host).at_port(port);
            match knocker.knock(target, place, &mut random) {
                Ok(()) => Meter::count(&meter.accepted),
                Err(_) => Meter::count(&meter.failed),
            }
        }
    }
}

impl HostScan {
    fn knocker(&self, place: &Place, random: &mut Random) -> io::Result<Knocker> {
        Ok(match self.knock {
            Knock::Connect => Knocker::Connect(Vec::new()),
            Knock::Syn => Knocker::Syn(Packets::open(place, random)?),
            Knock::Ping => Knocker::Ping(Packets::open(place, random)?),
            Knock::Arp => Knocker::Arp(RawLink::open(place.target)?),
        })
    }
}

/// Most connections whose answer is awaited at the same time.
const MOST_OPEN: usize = 64;

/// A way of knocking, with what it needs.
enum Knocker {
    Connect(Vec<Socket>),
    Syn(Packets),
    Ping(Packets),
    Arp(RawLink),
}

impl Knocker {
    fn knock(&mut self, target: Target, place: &Place, random: &mut Random) -> io::Result<()> {
        let SocketAddr::V4(address) = target.address() else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let (host, port) = (*address.ip(), address.port());
        match self {
            Self::Connect(open) => {
                // Hosts that are not there would hold up the scan: nobody waits for the answer here.
                let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
                if let Some(from) = place.from {
                    socket.bind(&SocketAddr::new(from, 0).into())?;
                }
                socket.set_nonblocking(true)?;
                // It is under way, or refused at once; both are answers.
                let _ = socket.connect(&SocketAddr::V4(address).into());
                if open.len() >= MOST_OPEN {
                    open.remove(0);
                }
                open.push(socket);
                Ok(())
            }
            Self::Syn(packets) => {
                let ports = (client_port(random), port);
                let flags = Flags { syn: true, ..Flags::default() };
                let sequence = random.between((1, u32::MAX));
                packets.send(&packets.maker.tcp(host, ports, (sequence, 0), flags, b""), host)
            }
            Self::Ping(packets) => {
                let id = u16::try_from(random.between((1, 65_535))).expect("at most 65,535");
                packets.send(&packets.maker.echo(host, id, 1, &[0x2A; 48]), host)
            }
            Self::Arp(link) => link.send(&arp(1, [0xFF; 6], (link.mac(), place.source_v4()), ([0; 6], host))),
        }
    }
}

/// Options of Mirai's scan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct MiraiScan {
    /// SYN packets in all
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: u32,
    /// SYN packets a second; 0 is as fast as possible
    #[arg(long, default_value_t = 60.0)]
    pub rate: f64,
    /// Try other ports of devices, too (2323, 7547, 5555, 37215, 52869)
    #[arg(long)]
    pub wide: bool,
    /// Stop after so many seconds
    #[arg(long, default_value_t = 8)]
    pub secs: u32,
}

impl Default for MiraiScan {
    fn default() -> Self {
        defaults()
    }
}

impl Deed for MiraiScan {
    fn label(&self) -> (&'static str, &'static str) {
        ("host_scan", "N4")
    }

    fn secs(&self) -> u32 {
        self.secs
    }

    fn raw(&self) -> bool {
        true
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let mut random = place.random(0);
        let Ok(packets) = Packets::open(place, &mut random) else {
            return Meter::count(&meter.failed);
        };
        // Its source port stays the same as long as it runs.
        let source_port = client_port(&mut random);
        let mut pacer = Pacer::new(self.rate);
        let [a, b, c, _] = packets.victim.octets();
        while pacer.turn(stop) && meter.take(u64::from(self.count)) {
            let last = u8::try_from(random.between((1, 254))).expect("below 255");
            let host = Ipv4Addr::new(a, b, c, last);
            let port = match random.between((0, 9)) {
                0 => 2323,
                1..=3 if self.wide => *random.pick(&[2323, 7547, 5555, 37_215, 52_869]),
                _ => 23,
            };
            let flags = Flags { syn: true, ..Flags::default() };
            // Its mark: the sequence number is the destination's address.
            let packet = packets.maker.tcp(host, (source_port, port), (host.to_bits(), 0), flags, b"");
            let sent = packets.send(&packet, host);
            meter.tell(&sent);
        }
    }
}
