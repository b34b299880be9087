//! What a short look at live traffic says of the place of capture.

use std::collections::HashMap;

use super::facts::{Sampled, Snapshot};
use super::finding::Finding;
use crate::decode::{self, Address, Transport};
use crate::frame::Frame;

/// Packets of a connection from which on it is strange that all go one way.
pub const ENOUGH: u32 = 8;
/// Connections that are counted at most; those beyond are left out.
const CONNECTIONS: usize = 4096;
/// Octets of a frame around its payload: Ethernet with two VLAN tags and the checksum.
const AROUND: u32 = 26;

type Endpoint = (Address, u16);

/// Counts frames of one interface.
#[derive(Default)]
pub struct Sampler {
    seen: Sampled,
    mqtt_ports: Vec<u16>,
    /// Packets of each connection: from its lesser end, and from its greater one.
    connections: HashMap<(Endpoint, Endpoint), [u32; 2]>,
}

impl Sampler {
    /// For this interface, with these ports of MQTT.
    #[must_use]
    pub fn new(interface: &str, mqtt_ports: Vec<u16>) -> Self {
        let seen = Sampled { interface: interface.to_owned(), ..Sampled::default() };
        Self { seen, mqtt_ports, connections: HashMap::new() }
    }

    /// Counts a frame.
    pub fn frame(&mut self, frame: &Frame<'_>) {
        self.seen.frames += 1;
        self.seen.largest = self.seen.largest.max(frame.wire_len);
        let Ok(packet) = decode::decode(frame) else { return };
        let Transport::Tcp(segment) = &packet.transport else { return };
        let (from, to) = ((packet.src, segment.src_port), (packet.dst, segment.dst_port));
        if self.mqtt_ports.iter().any(|port| [from.1, to.1].contains(port)) {
            self.seen.mqtt_packets += 1;
        }
        let (key, side) = if from <= to { ((from, to), 0) } else { ((to, from), 1) };
        if self.connections.len() < CONNECTIONS || self.connections.contains_key(&key) {
            let sides = self.connections.entry(key).or_default();
            if let Some(count) = sides.get_mut(side) {
                *count = count.saturating_add(1);
            }
        }
    }

    /// What was seen within so many seconds, of which so many frames were dropped.
    #[must_use]
    pub fn finish(mut self, seconds: u32, dropped: u64) -> Sampled {
        self.seen.seconds = seconds;
        self.seen.dropped = dropped;
        for sides in self.connections.values() {
            match sides {
                [0, other] | [other, 0] => self.seen.one_sided += usize::from(*other >= ENOUGH),
                _ => self.seen.two_sided += 1,
            }
        }
        self.seen
    }
}

/// A look that was not possible.
#[must_use]
pub(super) fn failed(interface: &str, why: String) -> Sampled {
    Sampled { interface: interface.to_owned(), failed: Some(why), ..Sampled::default() }
}

pub(super) fn check(facts: &Snapshot, out: &mut Vec<Finding>) {
    let Some(samples) = &facts.samples else {
        out.push(Finding::info(
            "sample.none",
            "live traffic was not looked at",
            "add --sample 10 for ten seconds of it",
        ));
        return;
    };
    for sample in samples {
        one(facts, sample, out);
    }
}

fn one(facts: &Snapshot, sample: &Sampled, out: &mut Vec<Finding>) {
    let Sampled { interface, seconds, frames, dropped, largest, one_sided, two_sided, .. } = sample;
    if let Some(why) = &sample.failed {
        out.push(Finding::warning("sample.failed", format!("{interface}: {why}"), "run as root"));
        return;
    }
    if *frames == 0 {
        out.push(Finding::warning(
            "sample.silent",
            format!("{interface}: no frame in {seconds} s"),
            "is this the interface that MQTT passes? If it is quiet now, look again with more seconds",
        ));
        return;
    }
    let before = out.len();
    // A few connections whose other half has just ended say nothing.
    if *one_sided >= 2 && one_sided * 4 >= *two_sided {
        out.push(Finding::warning(
            "sample.one-sided",
            format!("{interface}: of {one_sided} of {} connections one direction is missing", one_sided + two_sided),
            "watch the interface that both directions pass: the bridge instead of its port; look for offloading and asymmetric routes",
        ));
    }
    let interface_mtu = facts.interfaces.iter().find(|one| one.name == *interface).and_then(|one| one.mtu);
    if interface_mtu.is_some_and(|mtu| *largest > mtu.saturating_add(AROUND))
        && facts.config.snaplen < *largest
    {
        out.push(Finding::warning(
            "sample.cut",
            format!(
                "{interface}: frames are put together to up to {largest} octets (GRO), and capture.snaplen cuts them at {}",
                facts.config.snaplen
            ),
            format!("set capture.snaplen to 65535, or ethtool -K {interface} gro off lro off"),
        ));
    }
    if *dropped > 0 {
        out.push(Finding::warning(
            "sample.dropped",
            format!("{interface}: {dropped} frames were dropped besides {frames} seen"),
            "raise capture.buffer-mib, or narrow capture.filter",
        ));
    }
    if sample.mqtt_packets == 0 {
        out.push(Finding::info(
            "sample.no-mqtt",
            format!("{interface}: {frames} frames in {seconds} s, none to or from a port of MQTT"),
            "if MQTT is spoken now, it does not pass here",
        ));
    }
    if out.len() == before {
        out.push(Finding::ok(
            "sample.ok",
            format!(
                "{interface}: {frames} frames in {seconds} s, {} of MQTT, both directions seen",
                sample.mqtt_packets
            ),
        ));
    }
}
