//! A TCP connect scan of one host (ATT&CK for ICS T0846): no raw sockets, so it needs no privilege.

use std::io;
use std::thread;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{Deed, Meter, Place, defaults, share};
use crate::mqtt::session::{Dial, reset};
use crate::random::Random;
use crate::stop::{Pacer, Stop};

/// In which order the ports are tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Upwards.
    Ascending,
    /// Shuffled.
    Random,
}

/// Which ports are tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Ports {
    /// Well-known ports first, then what is above them.
    Common,
    /// A run of neighbouring ports from a random start.
    Range,
}

/// Options of the scan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct TcpScan {
    /// Ports to try
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub count: u32,
    /// Which ports
    #[arg(long, value_enum, default_value = "common")]
    pub ports: Ports,
    /// In which order
    #[arg(long, value_enum, default_value = "random")]
    pub order: Order,
    /// Ports a second over all workers; 0 is as fast as possible
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// How much each pause varies: 0 not at all, 1 from none to twice as long
    #[arg(long, default_value_t = 0.0)]
    pub jitter: f64,
    /// Workers that try at the same time
    #[arg(long, default_value_t = 1)]
    pub workers: u32,
    /// Reset open ports instead of closing them
    #[arg(long)]
    pub reset: bool,
    /// Stop after so many seconds
    #[arg(long, default_value_t = 8)]
    pub secs: u32,
}

impl Default for TcpScan {
    fn default() -> Self {
        defaults()
    }
}

/// Ports that any scanner tries first.
const COMMON: [u16; 40] = [
    21, 22, 23, 25, 53, 80, 81, 88, 110, 111, 135, 139, 143, 443, 445, 502, 554, 631, 993, 995, 1080, 1433,
    1883, 1900, 2323, 3000, 3306, 3389, 5000, 5060, 5432, 5683, 5900, 6379, 8000, 8080, 8443, 8883, 9000,
    9100,
];

impl Deed for TcpScan {
    fn label(&self) -> (&'static str, &'static str) {
        ("tcp_scan", "N1")
    }

    fn secs(&self) -> u32 {
        self.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let ports = port_list(self.ports, self.order, self.count, &mut place.random(0));
        let workers = self.workers.clamp(1, 64);
        thread::scope(|scope| {
            for worker in 0..workers {
                let mut random = place.random(worker);
                let mine = ports.iter().skip(worker as usize).step_by(workers as usize);
                scope.spawn(move || {
                    let mut pacer = Pacer::new(share(self.rate, workers)).jittered(self.jitter, &mut random);
                    for port in mine {
                        if !pacer.turn(stop) || !meter.take(u64::from(self.count)) {
                            break;
                        }
                        self.probe(&Dial { target: place.target.at_port(*port), ..place.dial() }, meter);
                    }
                });
            }
        });
    }
}

impl TcpScan {
    fn probe(&self, dial: &Dial, meter: &Meter) {
        match dial.open() {
            Ok(stream) => {
                Meter::count(&meter.accepted);
                if self.reset && reset(stream).is_err() {
                    Meter::count(&meter.failed);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Meter::count(&meter.refused);
            }
            Err(_) => Meter::count(&meter.failed),
        }
    }
}

/// The ports in the order in which they are tried: no port twice.
pub(super) fn port_list(ports: Ports, order: Order, count: u32, random: &mut Random) -> Vec<u16> {
    let count = count.clamp(1, 20_000) as usize;
    let mut list: Vec<u16> = match ports {
        Ports::Common => COMMON
            .into_iter()
            .chain((1..=u16::MAX).filter(|port| !COMMON.contains(port)))
            .take(count)
            .collect(),
        Ports::Range => {
            let start = u16::try_from(random.between((1, 40_000))).expect("below the largest port");
            (start..=u16::MAX).take(count).collect()
        }
    };
    match order {
        Order::Ascending => list.sort_unstable(),
        Order::Random => random.shuffle(&mut list),
    }
    list
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_list_holds_each_port_once_and_is_the_same_for_the_same_seed() {
        for ports in [Ports::Common, Ports::Range] {
            let list_of = |seed| port_list(ports, Order::Random, 1000, &mut Random::new(seed));
            let list = list_of(1);
            assert_eq!(list.iter().collect::<HashSet<_>>().len(), 1000);
            assert_eq!(list, list_of(1));
            assert_ne!(list, list_of(2));
        }
    }
}
