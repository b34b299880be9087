//! Frames, and the capture file that they are written to in order of time.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::Ipv4Addr;
use std::path::Path;

use etherparse::{
    ArpEthIpv4Packet, ArpOperation, EtherType, Ethernet2Header, IpFragOffset, IpHeaders, IpNumber,
    Ipv4Header, PacketBuilder, TcpHeader,
};

use super::Time;
use super::queue::Queue;

/// Bytes of the file header, and of the header of each frame, of a pcap file.
const FILE_HEADER: u64 = 24;
const FRAME_HEADER: u64 = 16;

/// An interface of a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Host {
    pub(super) mac: [u8; 6],
    pub(super) ip: Ipv4Addr,
    /// Time to live of what it sends, as the gateway sees it.
    pub(super) ttl: u8,
}

/// A capture file in the making. Frames may be given some time ahead; [`Recorder::flush`] writes those whose time has
/// come.
#[derive(Debug)]
pub(super) struct Recorder {
    waiting: Queue<Vec<u8>>,
    file: BufWriter<File>,
    /// Seconds since 1970 UTC at time 0.
    start: u64,
    identification: u16,
    /// Frames written.
    pub(super) frames: u64,
    /// Length of the file.
    pub(super) bytes: u64,
}

impl Recorder {
    pub(super) fn create(path: &Path, start: u64) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        // Magic number for microseconds, version 2.4, time zone, accuracy, longest frame, Ethernet.
        for word in [0xA1B2_C3D4, 0x0004_0002, 0, 0, 65_535, 1_u32] {
            file.write_all(&word.to_le_bytes())?;
        }
        Ok(Self { waiting: Queue::new(), file, start, identification: 0, frames: 0, bytes: FILE_HEADER })
    }

    /// Writes every frame whose time is not after `until`.
    pub(super) fn flush(&mut self, until: Time) -> io::Result<()> {
        while let Some((at, frame)) = self.waiting.pop(until) {
            let seconds = u32::try_from(self.start + at / 1_000_000).unwrap_or(u32::MAX);
            let micros = u32::try_from(at % 1_000_000).expect("below a million");
            let length = u32::try_from(frame.len()).expect("a frame is short");
            for word in [seconds, micros, length, length] {
                self.file.write_all(&word.to_le_bytes())?;
            }
            self.file.write_all(&frame)?;
            self.frames += 1;
            self.bytes += FRAME_HEADER + frame.len() as u64;
        }
        Ok(())
    }

    /// Writes what is there by `end`, and closes the file.
    pub(super) fn finish(&mut self, end: Time) -> io::Result<()> {
        self.flush(end)?;
        self.file.flush()
    }

    pub(super) fn tcp(&mut self, at: Time, from: &Host, to: &Host, mut header: TcpHeader, payload: &[u8]) {
        let ip = self.ipv4(from, to, header.header_len() + payload.len(), IpNumber::TCP);
        header.checksum = header.calc_checksum_ipv4(&ip, payload).expect("shorter than 64 KiB");
        let mut frame = Vec::with_capacity(34 + header.header_len() + payload.len());
        let ethernet = Ethernet2Header { source: from.mac, destination: to.mac, ether_type: EtherType::IPV4 };
        ethernet.write(&mut frame).expect("writing to a vector");
        ip.write(&mut frame).expect("writing to a vector");
        header.write(&mut frame).expect("writing to a vector");
        frame.extend(payload);
        self.waiting.push(at, frame);
    }

    pub(super) fn udp(&mut self, at: Time, from: &Host, to: &Host, ports: (u16, u16), payload: &[u8]) {
        let ip = self.ipv4(from, to, 8 + payload.len(), IpNumber::UDP);
        let builder = PacketBuilder::ethernet2(from.mac, to.mac)
            .ip(IpHeaders::Ipv4(ip, etherparse::Ipv4Extensions::default()))
            .udp(ports.0, ports.1);
        let mut frame = Vec::with_capacity(builder.size(payload.len()));
        builder.write(&mut frame, payload).expect("writing to a vector");
        self.waiting.push(at, frame);
    }

    /// Who has `to`? Tell `from`. And the answer a moment later.
    pub(super) fn arp(&mut self, at: Time, from: &Host, to: &Host) {
        let question = |operation, from: &Host, to: &Host, target: [u8; 6], mac: [u8; 6]| {
            let arp = ArpEthIpv4Packet {
                operation,
                sender_mac: from.mac,
                sender_ipv4: from.ip.octets(),
                target_mac: target,
                target_ipv4: to.ip.octets(),
            };
            let mut frame = Vec::with_capacity(42);
            let ethernet = Ethernet2Header { source: from.mac, destination: mac, ether_type: EtherType::ARP };
            ethernet.write(&mut frame).expect("writing to a vector");
            frame.extend(arp.to_bytes());
            frame
        };
        self.waiting.push(at, question(ArpOperation::REQUEST, from, to, [0; 6], [0xFF; 6]));
        self.waiting.push(at + 60, question(ArpOperation::REPLY, to, from, from.mac, from.mac));
    }

    fn ipv4(&mut self, from: &Host, to: &Host, payload: usize, protocol: IpNumber) -> Ipv4Header {
        self.identification = self.identification.wrapping_add(1);
        let mut ip = Ipv4Header {
            identification: self.identification,
            dont_fragment: true,
            fragment_offset: IpFragOffset::ZERO,
            time_to_live: from.ttl,
            protocol,
            source: from.ip.octets(),
            destination: to.ip.octets(),
            ..Ipv4Header::default()
        };
        ip.set_payload_len(payload).expect("shorter than 64 KiB");
        ip.header_checksum = ip.calc_header_checksum();
        ip
    }
}
