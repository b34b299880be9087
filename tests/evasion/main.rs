//! Ways to blind or to evade a sensor, each followed by an attack: every control packet is counted, the attack is reported, and
//! what was odd below MQTT has an event. The captures lie beside this file and equal what the builder makes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_lossless,
    unreachable_pub,
    reason = "a test may panic and cast figures it made itself"
)]

#[path = "../support/mod.rs"]
mod support;

mod cases;
mod wire;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use picket::alert::Alert;
use picket::detect::class::Class;
use picket::detect::scorer::NoModel;
use picket::engine::{Engine, Settings, Sink, Stats};
use picket::event::Event;
use picket::flow::anomaly::Anomaly;
use picket::memory::OwnedMemory;

use cases::Case;
use support::capture::{Capture, SECOND, START, SYN, host, segment};
use support::conversation::Conversation;
use support::mqtt::{self, Connect, V5, V311};
use wire::attack;

/// Octets that all captures together may take in the repository.
const BUDGET: u64 = 300_000;

/// Keeps what is told.
#[derive(Default)]
struct Told {
    alerts: Vec<Alert>,
    events: Vec<&'static str>,
}

impl Sink for Told {
    fn alert(&mut self, alert: &Alert) {
        self.alerts.push(alert.clone());
    }

    fn event(&mut self, event: &Event) {
        self.events.push(event.name);
    }
}

impl Told {
    /// Events from below MQTT.
    fn below_mqtt(&self) -> BTreeSet<&'static str> {
        let below = |name: &&&str| name.starts_with("tcp:") || name.starts_with("ip:");
        self.events.iter().filter(below).copied().collect()
    }

    fn reports(&self, class: Class, from: [u8; 4]) -> bool {
        self.alerts
            .iter()
            .any(|alert| alert.class == class && alert.source.ip == std::net::IpAddr::from(from))
    }
}

fn observe(capture: &Capture) -> (Told, Stats) {
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(Settings::default(), memory.lend(), NoModel);
    let mut told = Told::default();
    capture.iter().for_each(|frame| engine.on_frame(&frame, &mut told));
    engine.finish(&mut told);
    let stats = engine.stats();
    assert_eq!(stats.frames, stats.tcp + stats.udp + stats.skipped.iter().sum::<u64>(), "{stats:?}");
    (told, stats)
}

/// What a case is not as expected, if anything.
fn complaint(case: &Case) -> Option<String> {
    let (told, stats) = observe(&case.capture);
    let mut expected = [0; 16];
    case.packets.iter().for_each(|(packet_type, count)| expected[*packet_type] = *count);
    expected[3] += 6;
    expected[8] += 6;
    let events: BTreeSet<&str> = case.events.iter().copied().collect();
    let mut wrong = Vec::new();
    if stats.control_packets != expected {
        wrong.push(format!("control packets {:?}, expected {expected:?}", stats.control_packets));
    }
    if told.below_mqtt() != events {
        wrong.push(format!("events {:?}, expected {events:?}", told.below_mqtt()));
    }
    if !told.reports(Class::MqttMalformed, wire::CLIENT) {
        wrong.push("the attack is not reported".into());
    }
    (!wrong.is_empty()).then(|| format!("{}: {}; {:?}", case.name, wrong.join("; "), stats.stream))
}

#[test]
fn no_trick_hides_the_attack_behind_it() {
    let wrong: Vec<String> = cases::all().iter().filter_map(complaint).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_frame_captured_twice_is_counted_once() {
    let cases = cases::all();
    let case = cases.iter().find(|case| case.name == "e4-captured-twice").unwrap();
    let (_, stats) = observe(&case.capture);
    // All but the copies of SYN and FIN, which change nothing either.
    assert_eq!(
        (stats.duplicates, stats.stream.retransmitted, stats.stream.conflicts),
        (stats.frames / 2 - 4, 0, 0)
    );
}

#[test]
fn every_event_is_documented() {
    let document = include_str!("../../docs/streams.md");
    for anomaly in Anomaly::ALL {
        let row = format!("| `{}` | {} | {} |", anomaly.name(), anomaly.severity().name(), anomaly.what());
        assert!(document.contains(&row), "{row}");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/evasion")
}

#[test]
fn the_captures_are_what_the_builder_makes() {
    let mut names = BTreeSet::new();
    let mut octets = 0;
    for case in cases::all() {
        let path = folder().join(case.name).with_extension("pcap");
        let kept = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(kept == case.capture.to_pcap(), "{} is out of date: see write_the_captures", case.name);
        octets += kept.len() as u64;
        assert!(names.insert(path), "{} twice", case.name);
    }
    assert!(octets < BUDGET, "{octets} octets");
    let others = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let others = others.filter(|path| path.extension().is_some_and(|suffix| suffix == "pcap"));
    assert_eq!(others.collect::<BTreeSet<_>>(), names);
}

/// `cargo test --test evasion -- --ignored write_the_captures`
#[test]
#[ignore = "writes into the repository"]
fn write_the_captures() {
    for case in cases::all() {
        case.capture.write(&folder().join(case.name).with_extension("pcap"));
    }
}

/// E8: whatever fills the tables, an attack that comes then is reported, and who had to leave is counted.
#[test]
fn full_tables_do_not_hide_an_attack() {
    let broker = (host(1), 1883);
    let mut clients = Capture::default();
    for n in 0..3000_u16 {
        let talk = Conversation::new((host(5), 20_000 + n), broker, START + u64::from(n) * 5000).open();
        let talk =
            talk.connect(&Connect::new(V311, format!("{:08x}", u32::from(n).wrapping_mul(0x9e37_79b1))));
        clients.frames.extend(talk.close().frames);
    }
    let mut sources = Capture::default();
    for n in 0..20_000_u32 {
        let [a, b, c, d] = n.wrapping_mul(2_654_435_761).to_be_bytes();
        let source = ([a | 1, b, c, d].into(), 1024 + n as u16);
        sources.push(START + u64::from(n) * 500, segment(source, broker, n, 0, SYN, &[]));
    }
    let mut topics = Conversation::new((host(6), 40_000), broker, START).open();
    topics = topics.connect(&Connect::new(V5, "topics"));
    for n in 0..800_u32 {
        let burst: Vec<u8> = (0..5_u32)
            .flat_map(|k| mqtt::publish(V5, &format!("t/{:x}", (n * 5 + k).wrapping_mul(0x85eb_ca77)), b""))
            .collect();
        topics.wait_until(START + u64::from(n) * 50_000);
        topics.send(&burst);
    }
    let mut after = Conversation::new((host(66), 40_000), broker, START + 9 * SECOND).open();
    after = after.connect(&Connect::new(V311, "evader"));
    after.send(&attack());
    let capture = clients.with(sources).with(topics.close()).with(after.close());
    let (told, stats) = observe(&capture.then_quiet(1));
    assert!(told.reports(Class::MqttMalformed, [10, 0, 0, 66]), "{stats:?}");
    assert!(stats.clients_evicted > 500 && stats.connections_evicted > 10_000, "{stats:?}");
    assert_eq!((stats.control_packets[1], stats.control_packets[3]), (3002, 4006));
}

/// E9: packets that take long to read, for those who read them to the end.
#[test]
fn packets_of_many_parts_are_read_and_hide_nothing() {
    // A CONNECT of 8,000 user properties, a topic of 20,000 levels, a SUBSCRIBE of 10,000 filters.
    let properties: Vec<u8> = [0x26, 0, 1, b'k', 0, 1, b'v'].repeat(8000);
    let len = properties.len();
    let length = [(len % 128) as u8 | 0x80, (len / 128 % 128) as u8 | 0x80, (len / 16_384) as u8];
    let connect =
        [&mqtt::string("MQTT")[..], &[5, 2, 0, 60], &length, &properties, &mqtt::string("evader")].concat();
    let filters: Vec<u8> = [&mqtt::string("a/b/c")[..], &[0]].concat().repeat(10_000);
    let subscribe = [&[0, 7, 0], &filters[..]].concat();
    let broker = (host(1), 1883);
    let mut talk = Conversation::new((host(66), 40_000), broker, START).open();
    talk.send(&mqtt::packet(0x10, &connect));
    talk.reply(&mqtt::accepted(V5));
    talk.send(&mqtt::publish(V5, &"/".repeat(20_000), b"on"));
    // Longer than an IPv4 packet, so in two segments.
    let subscribe = mqtt::packet(0x82, &subscribe);
    subscribe.chunks(50_000).for_each(|piece| talk.send(piece));
    talk.send(&mqtt::publish(V5, "a/#", b"x").repeat(12));
    let (told, stats) = observe(&talk.close().then_quiet(1));
    assert!(told.reports(Class::MqttMalformed, [10, 0, 0, 66]), "{stats:?}");
    let packets = [1, 2, 3, 8].map(|packet_type: usize| stats.control_packets[packet_type]);
    assert_eq!((packets, stats.unframed_octets), ([1, 1, 13, 1], 0));
}
