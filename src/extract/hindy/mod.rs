//! The schemas of MQTT-IoT-IDS2020 (Hindy and others, DOI 10.21227/bhxy-ep04): packets, unidirectional and bidirectional
//! flows, as its scripts compute them.

mod biflow;
mod moments;
mod packet;
mod uniflow;

pub use biflow::{BIFLOW, Biflows};
pub use packet::{PACKET, Packets};
pub use uniflow::{UNIFLOW, Uniflows};

use super::ipv4::{Ipv4, TCP, UDP};
use crate::decode::Address;
use crate::frame::Frame;

const ORIGIN: &str = "MQTT-IoT-IDS2020, Hindy and others, DOI 10.21227/bhxy-ep04";

/// The classes of the published files and their numbers.
pub const CLASSES: [(&str, i64); 5] =
    [("normal", 0), ("scan_A", 1), ("scan_sU", 2), ("sparta", 3), ("mqtt_bruteforce", 4)];

/// The number of the class that a label of ours or of the published files stands for; `None` for another attack.
#[must_use]
pub fn class_id(label: &str) -> Option<i64> {
    let published = match label {
        "benign" => "normal",
        "tcp_scan" | "host_scan" => "scan_A",
        "udp_scan" => "scan_sU",
        "ssh_bruteforce" => "sparta",
        label => label,
    };
    CLASSES.iter().find(|(name, _)| *name == published).map(|(_, id)| *id)
}

/// What a flow is told apart by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Tuple {
    src: Address,
    dst: Address,
    src_port: u16,
    dst_port: u16,
    protocol: u8,
}

impl Tuple {
    const fn reverse(self) -> Self {
        Self { src: self.dst, dst: self.src, src_port: self.dst_port, dst_port: self.src_port, ..self }
    }
}

/// A packet as the flow scripts see one.
struct Seen {
    tuple: Tuple,
    /// IP total length.
    len: u32,
    /// The lower octet of the TCP flags; 0 for UDP.
    flags: u8,
    /// Seconds since 1970.
    seconds: f64,
}

impl Seen {
    #[inline]
    fn of(frame: &Frame<'_>) -> Option<Self> {
        let ip = Ipv4::of(frame)?;
        let (src_port, dst_port, flags) = match ip.protocol {
            TCP => {
                let tcp = ip.tcp()?;
                (tcp.src_port, tcp.dst_port, (tcp.flags & 0xff) as u8)
            }
            UDP => {
                let (src_port, dst_port) = ip.udp()?;
                (src_port, dst_port, 0)
            }
            _ => return None,
        };
        let micros = frame.ts.as_micros();
        Some(Self {
            tuple: Tuple { src: ip.src, dst: ip.dst, src_port, dst_port, protocol: ip.protocol },
            len: ip.total_len,
            flags,
            // The scripts add two floating point numbers; differences of such times come in steps of 0.24 us.
            seconds: (micros / 1_000_000) as f64 + (micros % 1_000_000) as f64 / 1e6,
        })
    }
}
