//! Simulated days: the same seed gives the same bytes, and decoders that are not ours read them without a fault.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may panic, wait, read the clock and say why it was skipped"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use picket_lab::episode::Labels;

fn simulate(hours: u32, seed: u64, out: &Path) {
    let status = Command::new(env!("CARGO_BIN_EXE_picket-lab"))
        .args(["simulate", "--hours", &hours.to_string(), "--seed", &seed.to_string(), "--out"])
        .arg(out)
        .status()
        .unwrap();
    assert!(status.success());
}

/// The frames of a classic pcap file of this machine's order, with their times in microseconds.
fn frames(file: &[u8]) -> Vec<(u64, &[u8])> {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), 0xA1B2_C3D4);
    let mut at = 24;
    let mut frames = Vec::new();
    while at < file.len() {
        let length = word(at + 8) as usize;
        assert_eq!(word(at + 8), word(at + 12));
        frames.push((
            u64::from(word(at)) * 1_000_000 + u64::from(word(at + 4)),
            &file[at + 16..at + 16 + length],
        ));
        at += 16 + length;
    }
    frames
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let dir = tempfile::tempdir().unwrap();
    let day = |name: &str, seed| {
        let out = dir.path().join(name);
        simulate(1, seed, &out);
        ["capture.pcap", "labels.toml", "manifest.json"].map(|file| fs::read(out.join(file)).unwrap())
    };
    let first = day("a", 7);
    assert!(first == day("b", 7));
    assert!(first[0] != day("c", 8)[0]);
    let labels: Labels = toml::from_str(&String::from_utf8(first[1].clone()).unwrap()).unwrap();
    assert_eq!(labels.episodes, []);
}

#[test]
fn every_frame_is_whole_in_order_and_has_right_checksums_and_sequence_numbers() {
    let dir = tempfile::tempdir().unwrap();
    simulate(4, 3, dir.path());
    let file = fs::read(dir.path().join("capture.pcap")).unwrap();
    let frames = frames(&file);
    assert!(frames.len() > 50_000, "{} frames", frames.len());
    assert!(frames.is_sorted_by_key(|(time, _)| time), "out of order");
    // The next sequence number of each direction of each connection.
    let mut expected = BTreeMap::new();
    let (mut segments, mut gaps, mut datagrams, mut arp) = (0, 0, 0, 0);
    for (_, frame) in frames {
        let packet = SlicedPacket::from_ethernet(frame).unwrap();
        match &packet.net {
            Some(NetSlice::Ipv4(ip)) => {
                assert_eq!(ip.header().header_checksum(), ip.header().to_header().calc_header_checksum());
                assert!(!ip.is_payload_fragmented());
                match &packet.transport {
                    Some(TransportSlice::Tcp(tcp)) => {
                        let payload = tcp.payload();
                        let header = tcp.to_header();
                        let sum =
                            tcp.calc_checksum_ipv4(ip.header().source(), ip.header().destination()).unwrap();
                        assert_eq!(header.checksum, sum);
                        let key = (
                            ip.header().source(),
                            ip.header().destination(),
                            header.source_port,
                            header.destination_port,
                        );
                        let next = header.sequence_number.wrapping_add(
                            u32::try_from(payload.len()).unwrap()
                                + u32::from(header.syn)
                                + u32::from(header.fin),
                        );
                        segments += 1;
                        if let Some(due) = expected.get(&key)
                            && !header.syn
                            && !header.rst
                        {
                            // A retransmission begins before what is due, and nothing ever begins after it.
                            let ahead = header.sequence_number.wrapping_sub(*due);
                            gaps += u32::from(ahead != 0 && ahead < 1 << 31);
                            if ahead >= 1 << 31 {
                                continue;
                            }
                        }
                        expected.insert(key, next);
                    }
                    Some(TransportSlice::Udp(udp)) => {
                        datagrams += 1;
                        let sum = etherparse::UdpHeader::with_ipv4_checksum(
                            udp.source_port(),
                            udp.destination_port(),
                            &ip.header().to_header(),
                            udp.payload(),
                        );
                        assert_eq!(sum.unwrap().checksum, udp.checksum());
                    }
                    _ => panic!("neither TCP nor UDP"),
                }
            }
            Some(NetSlice::Arp(_)) => arp += 1,
            _ => panic!("neither IPv4 nor ARP"),
        }
    }
    assert_eq!(gaps, 0, "of {segments} segments");
    assert!(segments > 50_000 && datagrams > 100 && arp > 100, "{segments} {datagrams} {arp}");
}

#[test]
fn tshark_finds_nothing_malformed() {
    let Ok(version) = Command::new("tshark").arg("--version").output() else {
        eprintln!("skipped: tshark is not installed");
        return;
    };
    assert!(version.status.success());
    let dir = tempfile::tempdir().unwrap();
    simulate(1, 5, dir.path());
    let output = Command::new("tshark")
        .args(["-n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-r"])
        .arg(dir.path().join("capture.pcap"))
        .args(["-Y", "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0 || tcp.analysis.lost_segment"])
        .args(["-T", "fields", "-e", "frame.number", "-e", "_ws.expert.message"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
}
