//! Port scans by single packets, which no connection follows, and the probes by which a scanner guesses the system.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::raw::{Flags, Packets, client_port};
use super::scan::{Order, Ports, port_list};
use super::{Deed, Meter, Place, defaults};
use crate::random::Random;
use crate::stop::{Pacer, Stop};

/// Which packets are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Technique {
    /// SYN: the half-open scan.
    Syn,
    /// FIN alone.
    Fin,
    /// No flag at all.
    Null,
    /// FIN, PSH and URG.
    Xmas,
    /// ACK: is there a firewall?
    Ack,
    /// Odd combinations to a few ports, with echo requests and a datagram to a closed port: which system is it?
    Os,
}

/// Options of the scan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct StealthScan {
    /// Packets in all
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub count: u32,
    /// Which packets
    #[arg(long, value_enum, default_value = "syn")]
    pub technique: Technique,
    /// Which ports
    #[arg(long, value_enum, default_value = "common")]
    pub ports: Ports,
    /// In which order
    #[arg(long, value_enum, default_value = "random")]
    pub order: Order,
    /// Packets a second; 0 is as fast as possible
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// How much each pause varies: 0 not at all, 1 from none to twice as long
    #[arg(long, default_value_t = 0.0)]
    pub jitter: f64,
    /// Send everything from one source port
    #[arg(long)]
    pub one_source_port: bool,
    /// Stop after so many seconds
    #[arg(long, default_value_t = 8)]
    pub secs: u32,
}

impl Default for StealthScan {
    fn default() -> Self {
        defaults()
    }
}

impl Deed for StealthScan {
    fn label(&self) -> (&'static str, &'static str) {
        ("tcp_scan", "N1")
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
        let source_port = client_port(&mut random);
        let mut pacer = Pacer::new(self.rate).jittered(self.jitter, &mut random);
        // The probes for the system go to the broker's port and to two ports that are most likely closed.
        let ports = if self.technique == Technique::Os {
            vec![place.target.address().port(), 1, 33_434]
        } else {
            port_list(self.ports, self.order, self.count, &mut random)
        };
        for (index, port) in ports.iter().cycle().take(self.count as usize).enumerate() {
            if !pacer.turn(stop) || !meter.take(u64::from(self.count)) {
                break;
            }
            let from = if self.one_source_port { source_port } else { client_port(&mut random) };
            let packet = self.packet(&packets, (from, *port), index, &mut random);
            let sent = packets.send(&packet, packets.victim);
            meter.tell(&sent);
        }
    }
}

impl StealthScan {
    fn packet(
        &self,
        &Packets { ref maker, victim, .. }: &Packets,
        ports: (u16, u16),
        index: usize,
        random: &mut Random,
    ) -> Vec<u8> {
        let none = Flags::default();
        let flags = match self.technique {
            Technique::Syn => Flags { syn: true, ..none },
            Technique::Fin => Flags { fin: true, ..none },
            Technique::Null => none,
            Technique::Xmas => Flags { fin: true, psh: true, urg: true, ..none },
            Technique::Ack => Flags { ack: true, ..none },
            Technique::Os => match index % 8 {
                0 | 1 => Flags { syn: true, ..none },
                2 => none,
                3 => Flags { syn: true, fin: true, urg: true, psh: true, ..none },
                4 => Flags { ack: true, ..none },
                5 => Flags { fin: true, psh: true, urg: true, ..none },
                6 => {
                    let id = u16::try_from(random.between((1, 65_535))).expect("at most 65,535");
                    return maker.echo(victim, id, 295, &[0; 120]);
                }
                _ => return maker.udp(victim, ports, &[b'C'; 300]),
            },
        };
        let numbers = (random.between((0, u32::MAX)), random.between((0, u32::MAX)));
        maker.tcp(victim, ports, numbers, flags, b"")
    }
}
