//! A scan of UDP ports by ordinary sockets: closed ports answer by ICMP, open ones perhaps.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::scan::Order;
use super::{Deed, Meter, Place, defaults};
use crate::stop::{Pacer, Stop};

/// Options of the scan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct UdpScan {
    /// Datagrams in all
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub count: u32,
    /// In which order
    #[arg(long, value_enum, default_value = "random")]
    pub order: Order,
    /// Datagrams a second; 0 is as fast as possible
    #[arg(long, default_value_t = 50.0)]
    pub rate: f64,
    /// How much each pause varies: 0 not at all, 1 from none to twice as long
    #[arg(long, default_value_t = 0.0)]
    pub jitter: f64,
    /// Payload in bytes where no protocol has a usual one
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1400))]
    pub payload: u32,
    /// Times that each port is tried
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10))]
    pub tries: u32,
    /// Stop after so many seconds
    #[arg(long, default_value_t = 8)]
    pub secs: u32,
}

impl Default for UdpScan {
    fn default() -> Self {
        defaults()
    }
}

/// Ports that any scanner tries first.
const COMMON: [u16; 24] = [
    53, 67, 69, 123, 137, 138, 161, 162, 500, 514, 520, 623, 1194, 1434, 1701, 1900, 2049, 3702, 4500, 5060,
    5353, 5683, 10_000, 47_808,
];

impl Deed for UdpScan {
    fn label(&self) -> (&'static str, &'static str) {
        ("udp_scan", "N1")
    }

    fn secs(&self) -> u32 {
        self.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let mut random = place.random(0);
        let mut ports: Vec<u16> = COMMON
            .into_iter()
            .chain((1..=u16::MAX).filter(|port| !COMMON.contains(port)))
            .take(self.count.div_ceil(self.tries) as usize)
            .collect();
        match self.order {
            Order::Ascending => ports.sort_unstable(),
            Order::Random => random.shuffle(&mut ports),
        }
        let mut pacer = Pacer::new(self.rate).jittered(self.jitter, &mut random);
        let source = place.from.unwrap_or_else(|| place.target.default_source());
        let filler = random.text(self.payload as usize);
        for port in ports.iter().flat_map(|port| std::iter::repeat_n(port, self.tries as usize)) {
            if !pacer.turn(stop) || !meter.take(u64::from(self.count)) {
                break;
            }
            let sent = send(source, place.target.at_port(*port).address(), probe(*port, filler.as_bytes()));
            meter.tell(&sent);
        }
    }
}

/// Each datagram from a socket of its own: a refusal of one says nothing about the next.
fn send(from: IpAddr, to: SocketAddr, payload: &[u8]) -> std::io::Result<()> {
    UdpSocket::bind((from, 0))?.send_to(payload, to).map(drop)
}

/// What makes the service of a port answer: a DNS question for the version, an SNMP get, an NTP request, an SSDP
/// search.
fn probe(port: u16, filler: &[u8]) -> &[u8] {
    match port {
        53 | 5353 => {
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07version\x04bind\x00\x00\x10\x00\x03"
        }
        123 => b"\xe3\x00\x04\xfa\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
                 \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xc5\x4f\x23\x4b\x71\xb1\x52\xf3",
        161 => b"\x30\x26\x02\x01\x01\x04\x06public\xa0\x19\x02\x04\x01\x02\x03\x04\x02\x01\x00\x02\x01\x00\x30\x0b\
                 \x30\x09\x06\x05\x2b\x06\x01\x02\x01\x05\x00",
        1900 => b"M-SEARCH * HTTP/1.1\r\nHost:239.255.255.250:1900\r\nST:upnp:rootdevice\r\nMan:\"ssdp:discover\"\r\nMX:3\r\n\r\n",
        _ => filler,
    }
}
