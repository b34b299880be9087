//! Every attack in network namespaces, and what a capture of it shows: the deed, and not only that something ran.
//! Needs root with the right to make namespaces, and tcpdump; where these are missing it says so in one line.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may panic, start programs and say why it was skipped"
)]

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

/// Name, options, catalogue number and class of every attack that the scenario has.
const ATTACKS: [(&str, &str, &str, &str); 29] = [
    ("mqtt_bruteforce", "tries = 20\nrate = 40", "A7", "mqtt_bruteforce"),
    ("mqtt_connect_flood", "count = 60\nrate = 60", "A1", "mqtt_connect_flood"),
    ("mqtt_publish_flood", "count = 400\nrate = 400\nqos = 1", "A2", "mqtt_publish_flood"),
    (
        "mqtt_slow_dos",
        "slowness = \"split\"\ncut = 10\nsessions = 30\nrate = 0\nsecs = 3",
        "A3",
        "mqtt_slow_dos",
    ),
    ("mqtt_malformed", "count = 60\nrate = 60", "A6", "mqtt_malformed"),
    ("mqtt_takeover", "count = 12\nmanner = { rate = 8 }", "A8", "mqtt_tampering"),
    ("mqtt_enumeration", "search = \"both\"\ncount = 4", "A9", "mqtt_recon"),
    (
        "mqtt_acl_probe",
        "count = 40\nprobe = \"write\"\ngranted = false\nmanner = { protocol = \"5\" }",
        "A10",
        "mqtt_recon",
    ),
    ("mqtt_retained_poisoning", "count = 30\nmanner = { rate = 30 }", "A11", "mqtt_tampering"),
    ("mqtt_command_injection", "count = 30\nmanner = { rate = 30 }", "A12", "mqtt_tampering"),
    ("mqtt_spoofed_telemetry", "count = 30\nmanner = { rate = 30 }", "A13", "mqtt_tampering"),
    ("mqtt_large_payload", "count = 2\npayload = 700000", "A14", "mqtt_publish_flood"),
    ("mqtt_qos2_exhaustion", "count = 15\nmanner = { rate = 60, secs = 2 }", "A15", "mqtt_slow_dos"),
    ("mqtt_packet_ids", "misuse = \"zero\"\ncount = 15", "A16", "mqtt_malformed"),
    ("mqtt_will_abuse", "count = 15\nretain = true", "A17", "mqtt_tampering"),
    ("mqtt_keepalive_abuse", "count = 10\nmanner = { secs = 3 }", "A18", "mqtt_slow_dos"),
    ("mqtt_shared_subscription", "count = 6\nlisten = 0.5", "A19", "mqtt_recon"),
    ("mqtt_v5_abuse", "count = 15", "A20", "mqtt_malformed"),
    ("mqtt_session_hoarding", "count = 15", "A21", "mqtt_slow_dos"),
    ("tcp_scan", "count = 60\nrate = 60", "N1", "tcp_scan"),
    ("stealth_scan", "technique = \"xmas\"\ncount = 60", "N1", "tcp_scan"),
    ("udp_scan", "count = 40", "N1", "udp_scan"),
    ("host_scan", "knock = \"arp\"\ncount = 200\nrate = 100", "N1", "host_scan"),
    ("login_bruteforce", "count = 10", "N2", "ssh_bruteforce"),
    ("network_flood", "flood = \"syn\"\nspoofed = 5\ncount = 800", "N3", "syn_flood"),
    ("mirai_scan", "count = 80", "N4", "host_scan"),
    ("arp_spoof", "count = 4\nrate = 4\nforward = true", "N5", "arp_spoof"),
    ("host_scan", "knock = \"syn\"\ncount = 120\nrate = 100", "N1", "host_scan"),
    ("network_flood", "flood = \"gre\"\ncount = 400", "N3", "udp_flood"),
];

/// Whether this process may make namespaces here.
fn may_make_namespaces() -> bool {
    let name = format!("picketlab-{}-0", std::process::id());
    let made = Command::new("ip").args(["netns", "add", &name]).stderr(Stdio::null()).status();
    if made.is_ok_and(|status| status.success()) {
        return Command::new("ip").args(["netns", "delete", &name]).status().unwrap().success();
    }
    eprintln!("skipped: no right to make network namespaces");
    false
}

/// Streams by their ports, as pieces with their sequence numbers.
type Streams = BTreeMap<(u16, u16), Vec<(u32, Vec<u8>)>>;

/// Who claims which address by ARP.
type Claims = HashSet<(Ipv4Addr, [u8; 6])>;

/// What one address sent and got.
#[derive(Default)]
struct Seen {
    /// Flags of each TCP segment without payload, with destination, port and sequence number.
    segments: Vec<(u8, Ipv4Addr, u16, u32)>,
    udp_ports: HashSet<u16>,
    gre: u32,
    sent: Streams,
    got: Streams,
    /// Targets of its ARP requests.
    asked: HashSet<Ipv4Addr>,
}

impl Seen {
    /// Control packets of all connections: first byte and body.
    fn mqtt(streams: &Streams) -> Vec<(u8, Vec<u8>)> {
        let mut all = Vec::new();
        for pieces in streams.values() {
            let bytes = in_order(pieces);
            let mut rest = bytes.as_slice();
            while rest.len() >= 2 {
                let mut length = 0;
                let mut header = 1;
                while header < rest.len().min(5) {
                    length |= usize::from(rest[header] & 0x7F) << (7 * (header - 1));
                    header += 1;
                    if rest[header - 1] & 0x80 == 0 {
                        break;
                    }
                }
                let end = (header + length).min(rest.len());
                all.push((rest[0], rest[header.min(end)..end].to_vec()));
                rest = &rest[end..];
            }
        }
        all
    }

    fn packets(&self, kind: u8) -> Vec<(u8, Vec<u8>)> {
        Self::mqtt(&self.sent).into_iter().filter(|(first, _)| first >> 4 == kind).collect()
    }

    fn answers(&self, kind: u8) -> Vec<Vec<u8>> {
        let answers = Self::mqtt(&self.got).into_iter().filter(|(first, _)| first >> 4 == kind);
        answers.map(|(_, body)| body).collect()
    }

    /// First strings of all PUBLISH or, with `skip` 2, SUBSCRIBE.
    fn topics(&self, kind: u8, skip: usize) -> Vec<String> {
        self.packets(kind).iter().map(|(_, body)| text(&body[skip..])).collect()
    }
}

fn in_order(pieces: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Some((first, _)) = pieces.first() else { return bytes };
    for (sequence, piece) in pieces {
        let at = sequence.wrapping_sub(*first) as usize;
        if at == bytes.len() {
            bytes.extend(piece);
        }
    }
    bytes
}

fn text(body: &[u8]) -> String {
    let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
    String::from_utf8_lossy(&body[2..2 + length]).into_owned()
}

/// What each address did, by a reading of the capture that shares nothing with what made it; and all claims in ARP replies.
fn read(capture: &Path) -> (BTreeMap<Ipv4Addr, Seen>, Claims) {
    let bytes = fs::read(capture).unwrap();
    assert_eq!(bytes[..4], 0xA1B2_C3D4_u32.to_le_bytes());
    let (mut hosts, mut claims) = (BTreeMap::<Ipv4Addr, Seen>::new(), Claims::new());
    let mut rest = &bytes[24..];
    while rest.len() >= 16 {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let frame = &rest[16..16 + length];
        rest = &rest[16 + length..];
        if frame[12..14] == [8, 6] {
            let ip = |at: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&frame[at..at + 4]).unwrap());
            if frame[21] == 1 {
                hosts.entry(ip(28)).or_default().asked.insert(ip(38));
            } else {
                claims.insert((ip(28), frame[22..28].try_into().unwrap()));
            }
            continue;
        }
        let Ok(packet) = SlicedPacket::from_ethernet(frame) else { continue };
        let Some(NetSlice::Ipv4(ip)) = &packet.net else { continue };
        let (from, to) = (ip.header().source_addr(), ip.header().destination_addr());
        match &packet.transport {
            Some(TransportSlice::Tcp(tcp)) => {
                let ports = (tcp.source_port(), tcp.destination_port());
                let sequence = tcp.sequence_number();
                let flags = tcp.slice()[13];
                hosts.entry(from).or_default().segments.push((flags, to, ports.1, sequence));
                if !tcp.payload().is_empty() {
                    let piece = (sequence, tcp.payload().to_vec());
                    hosts.entry(from).or_default().sent.entry(ports).or_default().push(piece.clone());
                    hosts.entry(to).or_default().got.entry(ports).or_default().push(piece);
                }
            }
            Some(TransportSlice::Udp(udp)) => {
                hosts.entry(from).or_default().udp_ports.insert(udp.destination_port());
            }
            _ if ip.header().protocol() == etherparse::ip_number::GRE => {
                hosts.entry(from).or_default().gre += 1;
            }
            _ => {}
        }
    }
    (hosts, claims)
}

#[test]
fn every_attack_does_what_its_name_says() {
    if !may_make_namespaces() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut scenario = "name = \"wire\"\nsecs = 8\nauth = true\nacl = true\n\
         [[devices]]\nprofile = \"periodic\"\ncount = 3\n"
        .to_owned();
    for (name, options, ..) in ATTACKS {
        scenario.push_str(&format!("[[attacks]]\nname = \"{name}\"\nat = 1.5\n{options}\n"));
    }
    let file = dir.path().join("wire.toml");
    fs::write(&file, scenario).unwrap();
    let out = dir.path().join("out");
    let status = Command::new(env!("CARGO_BIN_EXE_picket-lab"))
        .arg("scenario")
        .arg(&file)
        .args(["--netns", "--seed", "6", "--out"])
        .arg(&out)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let manifest: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(out.join("manifest.json")).unwrap()).unwrap();
    let devices: Vec<_> =
        manifest["benign"].as_array().unwrap().iter().map(|d| d["client_id"].as_str().unwrap()).collect();
    let (hosts, claims) = read(&out.join("capture.pcap"));
    let nobody = Seen::default();
    let episodes = manifest["episodes"].as_array().unwrap();
    assert_eq!(episodes.len(), ATTACKS.len());
    for episode in episodes {
        let name = episode["style"]["name"].as_str().unwrap();
        let known = ATTACKS.iter().find(|(of, _, number, class)| {
            *of == name && episode["attack"] == **number && episode["class"] == **class
        });
        assert!(known.is_some(), "wrong label: {episode}");
        assert_eq!(episode["failed"], 0, "{episode}");
        let own: Ipv4Addr = episode["attacker"].as_str().unwrap().parse().unwrap();
        let seen = hosts.get(&own).unwrap_or(&nobody);
        let connects = seen.packets(1);
        let count = usize::try_from(episode["count"].as_u64().unwrap()).unwrap();
        let flagged = |flags| seen.segments.iter().filter(|(own, ..)| *own == flags).count();
        match (name, episode["style"]["flood"].as_str(), episode["style"]["knock"].as_str()) {
            ("mqtt_bruteforce", ..) => {
                assert_eq!(seen.answers(2).iter().filter(|body| body[1] != 0).count(), 20);
            }
            ("mqtt_connect_flood", ..) => assert_eq!(connects.len(), 60),
            ("mqtt_publish_flood", ..) => {
                assert_eq!(seen.packets(3).len(), 400);
                assert!(seen.answers(4).len() > 300, "acknowledged");
            }
            ("mqtt_slow_dos", ..) => {
                assert!(seen.sent.values().all(|pieces| pieces.len() == 2 && pieces[0].1.len() == 10));
                assert!(connects.iter().all(|(_, body)| body[8..10] == [0xFF, 0xFF]));
            }
            ("mqtt_malformed", ..) => assert!(episode["refused"].as_u64().unwrap() > 20),
            ("mqtt_takeover", ..) => {
                assert_eq!(connects.len(), 12);
                let ids: HashSet<_> = connects.iter().map(|(_, body)| text(&body[10..])).collect();
                assert!(ids.iter().all(|id| devices.contains(&id.as_str())), "{ids:?}");
            }
            ("mqtt_enumeration", ..) => {
                let filters: HashSet<_> = seen.topics(8, 2).into_iter().collect();
                assert_eq!(filters, ["#".to_owned(), "$SYS/#".to_owned()].into());
                assert!(seen.answers(3).len() > 20, "the broker told about itself");
            }
            ("mqtt_acl_probe", ..) => {
                // Not authorized: with an ACL file mosquitto refuses messages, not subscriptions.
                assert!(seen.answers(4).iter().filter(|body| body.get(2) == Some(&0x87)).count() > 20);
            }
            ("mqtt_retained_poisoning", ..) => {
                assert_eq!(seen.packets(3).iter().filter(|(first, _)| first & 1 == 1).count(), count);
            }
            ("mqtt_command_injection", ..) => {
                let topics = seen.topics(3, 0);
                assert!(topics.len() == count && topics.iter().any(|topic| topic.ends_with("/set")));
            }
            ("mqtt_spoofed_telemetry", ..) => {
                let topics = seen.topics(3, 0);
                let of_devices = |topic: &String| devices.iter().any(|id| topic.contains(id));
                assert!(topics.len() == count && topics.iter().all(of_devices), "{topics:?}");
            }
            ("mqtt_large_payload", ..) => {
                // The end of the attack, or of the capture, may cut the last one.
                let sent = seen.packets(3);
                let large = sent.iter().filter(|(_, body)| body.len() > 700_000).count();
                assert!(large > 0 && large + 1 >= sent.len(), "{large} of {}", sent.len());
            }
            ("mqtt_qos2_exhaustion", ..) => {
                assert!(!seen.answers(5).is_empty(), "PUBREC");
                assert!(seen.packets(6).is_empty(), "no PUBREL");
            }
            ("mqtt_packet_ids", ..) => {
                let zero = |body: &[u8]| body[2 + text(body).len()..].starts_with(&[0, 0]);
                assert!(seen.packets(3).iter().all(|(_, body)| zero(body)));
            }
            ("mqtt_will_abuse", ..) => {
                assert_eq!(connects.iter().filter(|(_, body)| body[7] & 0x24 == 0x24).count(), count);
                assert!(seen.packets(14).is_empty(), "no DISCONNECT");
            }
            ("mqtt_keepalive_abuse", ..) => {
                assert_eq!(connects.iter().filter(|(_, body)| body[8..10] == [0xFF, 0xFF]).count(), 10);
            }
            ("mqtt_shared_subscription", ..) => {
                assert!(seen.topics(8, 2).iter().all(|filter| filter.starts_with("$share/")));
                assert_eq!(seen.answers(9).len(), 6);
            }
            ("mqtt_v5_abuse", ..) => {
                assert!(connects.iter().all(|(_, body)| body[6] == 5));
                assert!(seen.packets(3).iter().all(|(_, body)| body.len() > 2000));
            }
            ("mqtt_session_hoarding", ..) => {
                assert_eq!(connects.iter().filter(|(_, body)| body[7] & 2 == 0).count(), 15);
            }
            ("tcp_scan", ..) => {
                let syn = seen.segments.iter().filter(|(flags, ..)| *flags == 2);
                let ports: HashSet<_> = syn.map(|(_, _, port, _)| port).collect();
                assert_eq!(ports.len(), 60);
            }
            ("stealth_scan", ..) => assert_eq!(flagged(0x29), 60),
            ("udp_scan", ..) => assert_eq!(seen.udp_ports.len(), 40),
            ("host_scan", _, Some("arp")) => assert!(seen.asked.len() >= 199),
            ("host_scan", ..) => {
                // Who does not answer ARP gets no SYN.
                assert!(flagged(2) > 5 && seen.asked.len() > 60, "{} SYN", flagged(2));
            }
            ("login_bruteforce", ..) => {
                let ssh = seen.sent.values().filter(|pieces| in_order(pieces).starts_with(b"SSH-2.0-"));
                assert_eq!(ssh.count(), 10);
            }
            ("network_flood", Some("gre"), _) => assert_eq!(seen.gre, 400),
            ("network_flood", ..) => {
                let sources: Vec<_> = episode["disguises"].as_array().unwrap().iter().collect();
                let syn: usize = sources
                    .iter()
                    .map(|ip| hosts[&ip.as_str().unwrap().parse::<Ipv4Addr>().unwrap()].segments.len())
                    .sum();
                assert_eq!((sources.len(), syn), (5, 800));
                assert_eq!(flagged(2), 0, "nothing under its own name");
            }
            ("mirai_scan", ..) => {
                let syn: Vec<_> = seen.segments.iter().filter(|(flags, ..)| *flags == 2).collect();
                assert!(syn.len() > 5);
                assert!(syn.iter().all(|(_, to, port, sequence)| {
                    *sequence == to.to_bits() && [23, 2323].contains(port)
                }));
            }
            ("arp_spoof", ..) => {
                let broker: Ipv4Addr = Ipv4Addr::new(own.octets()[0], own.octets()[1], own.octets()[2], 1);
                assert_eq!(claims.iter().filter(|(ip, _)| *ip == broker).count(), 2, "two claim its address");
            }
            other => panic!("no check for {other:?}"),
        }
    }
}
