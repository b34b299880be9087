//! Every column of the host vector beyond the first version's: what it counts rises with the deed, and stays at zero without it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    reason = "a test may panic, and counts are exact"
)]

mod support;

use std::collections::BTreeMap;
use std::net::IpAddr;

use picket::detect::scorer::NoModel;
use picket::engine::{Engine, Settings, Sink};
use picket::features::FeatureVector;
use picket::features::packet::PACKET;
use picket::features::schema::{HOST, HOST_V1};
use picket::flow::key::Socket as FlowSocket;
use picket::memory::OwnedMemory;
use picket::time::Timestamp;

use support::benign;
use support::capture::{ACK, Capture, FIN, Flags, SECOND, START, Socket, datagram, host, mac, segment};
use support::conversation::Conversation;
use support::mqtt::{
    self, Ack, Connect, Properties, Publish, Reasoned, SubAck, Subscribe, V5, V311, Version, Will,
};

const BROKER: Socket = (IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), 1883);

/// The greatest value of each column, by host.
#[derive(Default)]
struct Greatest {
    by_host: BTreeMap<IpAddr, Vec<f32>>,
    /// Vectors before this do not count.
    from: u64,
}

impl Sink for Greatest {
    const WANTS_VECTORS: bool = true;

    fn host_vector(&mut self, ts: Timestamp, host: IpAddr, vector: &FeatureVector) {
        if ts.as_micros() < self.from {
            return;
        }
        let row = vector.row(HOST.width());
        let greatest = self.by_host.entry(host).or_insert_with(|| vec![0.0; row.len()]);
        greatest.iter_mut().zip(row).for_each(|(greatest, value)| *greatest = greatest.max(*value));
    }
}

/// The columns beyond version 1 that are not zero, of one host.
fn columns(capture: &Capture, of: IpAddr) -> Vec<(&'static str, f32)> {
    columns_from(capture, of, 0)
}

/// The same from some time on.
fn columns_from(capture: &Capture, of: IpAddr, from: u64) -> Vec<(&'static str, f32)> {
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(Settings::default(), memory.lend(), NoModel);
    let mut greatest = Greatest { from, ..Greatest::default() };
    capture.iter().for_each(|frame| engine.on_frame(&frame, &mut greatest));
    engine.finish(&mut greatest);
    let row = greatest.by_host.remove(&of).unwrap_or_default();
    let new = HOST.features.iter().zip(row).skip(HOST_V1.width());
    new.map(|(feature, value)| (feature.name, value)).filter(|(_, value)| *value > 0.0).collect()
}

fn attacker() -> IpAddr {
    host(66)
}

/// An accepted session of the attacker.
fn session(connect: &Connect, port: u16, at: u64) -> Conversation {
    Conversation::new((attacker(), port), BROKER, at).open().connect(connect)
}

fn plain(version: Version) -> Conversation {
    session(&Connect::new(version, "x66"), 30_000, START)
}

fn leave(talk: Conversation) -> Capture {
    talk.close().then_quiet(100)
}

#[test]
fn an_honest_sensor_leaves_them_alone() {
    let capture = benign::sensor(V311, host(7), BROKER, START, 90).then_quiet(100);
    let seen = columns(&capture, host(7));
    assert!(seen.iter().all(|(name, _)| matches!(*name, "filters_60s" | "distinct_filters_60s")), "{seen:?}");
}

#[test]
fn what_a_connect_leaves_behind() {
    let kept = Connect::new(V311, "x66").kept().will(Will::new("alarm", "on"));
    let seen = columns(&leave(session(&kept, 30_000, START)), attacker());
    let expected = [("connect_persistent_60s", 1.0), ("connect_will_60s", 1.0), ("will_released_60s", 1.0)];
    assert_eq!(seen, expected);
    let kept = Connect::new(V5, "x66").properties(Properties::new().four(0x11, 3600));
    let seen = columns(&leave(session(&kept, 30_000, START)), attacker());
    assert_eq!(seen, [("connect_persistent_60s", 1.0), ("property_bytes_60s", 1.0)]);
    // Who says DISCONNECT takes his will back.
    let mut talk = session(&Connect::new(V5, "x66").will(Will::new("alarm", "on")), 30_000, START);
    talk.send(&Reasoned::disconnect(0).encode());
    assert_eq!(columns(&leave(talk), attacker()), [("connect_will_60s", 1.0)]);
}

#[test]
fn taking_over_the_session_of_another_host() {
    let victim =
        |port, at| Conversation::new((host(7), port), BROKER, at).open().connect(&Connect::new(V311, "pump"));
    let held = victim(20_000, START).left_open();
    let theft = session(&Connect::new(V311, "pump"), 30_000, START + SECOND).left_open();
    // The victim takes back what is its own, on another connection, and the thief comes again.
    let back = victim(20_001, START + 2 * SECOND).left_open();
    let again = session(&Connect::new(V311, "pump"), 30_001, START + 3 * SECOND).left_open();
    let capture = held.with(theft).with(back).with(again).then_quiet(100);
    assert_eq!(columns(&capture, attacker()), [("takeover_60s", 2.0)]);
    assert_eq!(columns(&capture, host(7)), []);
    // The server may close the older connection before it accepts the newer one.
    let mut thief = Conversation::new((attacker(), 30_000), BROKER, START + SECOND).open();
    thief.send(&Connect::new(V311, "pump").encode());
    let mut held = victim(20_000, START);
    held.wait_until(thief.now);
    held.server_finishes();
    thief.wait_until(held.now);
    thief.reply(&mqtt::accepted(V311));
    let back = victim(20_001, START + 2 * SECOND).left_open();
    let capture = held.left_open().with(thief.left_open()).with(back).then_quiet(100);
    assert_eq!(columns(&capture, attacker()), [("takeover_60s", 1.0)]);
    assert_eq!(columns(&capture, host(7)), []);
}

#[test]
fn a_client_that_moved_is_no_thief() {
    let first = Conversation::new((host(7), 20_000), BROKER, START)
        .open()
        .connect(&Connect::new(V311, "van"))
        .close();
    let second = session(&Connect::new(V311, "van"), 30_000, START + 5 * SECOND).left_open();
    assert_eq!(columns(&first.with(second).then_quiet(100), attacker()), []);
}

#[test]
fn topics_of_others() {
    let mut sensor =
        Conversation::new((host(7), 20_000), BROKER, START).open().connect(&Connect::new(V311, "t"));
    sensor = sensor.subscribe(V311, "valve/set");
    sensor.send(&mqtt::publish(V311, "tank/level", b"7"));
    let mut talk = session(&Connect::new(V311, "x66"), 30_000, START + SECOND);
    talk.send(&mqtt::publish(V311, "tank/level", b"9"));
    talk.send(&mqtt::publish(V311, "valve/set", b"open"));
    talk.send(&mqtt::publish(V311, "mine", b"x"));
    talk.send(&mqtt::publish_retained(V311, "mine", b""));
    let capture = sensor.left_open().with(talk.left_open()).then_quiet(100);
    let expected =
        [("publish_emptied_60s", 1.0), ("publish_foreign_60s", 1.0), ("publish_commanding_60s", 1.0)];
    assert_eq!(columns(&capture, attacker()), expected);
    let of_sensor = columns(&capture, host(7));
    assert_eq!(of_sensor, [("filters_60s", 1.0), ("distinct_filters_60s", 1.0)]);
    // A will counts as what it will be.
    let will = Connect::new(V311, "x66").will(Will::new("tank/level", "0"));
    let mut sensor =
        Conversation::new((host(7), 20_000), BROKER, START).open().connect(&Connect::new(V311, "t"));
    sensor.send(&mqtt::publish(V311, "tank/level", b"7"));
    let capture = sensor.left_open().with(session(&will, 30_000, START + SECOND).left_open()).then_quiet(100);
    assert!(columns(&capture, attacker()).contains(&("publish_foreign_60s", 1.0)));
}

#[test]
fn reading_and_probing() {
    let mut talk = plain(V5);
    let filters =
        Subscribe::new(V5, 1).filter("#", 0).filter("$share/g/a", 0).filter("a/+", 0).filter("b", 0);
    talk.send(&filters.encode());
    talk.reply(&SubAck::new(V5, 1, &[0x87, 0, 0x80, 1]).encode());
    talk.reply(&mqtt::publish_retained(V5, "a", b"x"));
    talk.send(&Publish::new(V5, "a").qos(1, 2).encode());
    talk.reply(&Ack::puback(2).code(0x87).encode());
    let expected = [
        ("publish_refused_60s", 1.0),
        ("retained_received_60s", 1.0),
        ("filters_60s", 4.0),
        ("filters_wildcard_60s", 2.0),
        ("filters_shared_60s", 1.0),
        ("subscribe_all_60s", 1.0),
        ("filters_refused_60s", 2.0),
        ("distinct_filters_60s", 4.0),
    ];
    assert_eq!(columns(&leave(talk), attacker()), expected);
}

#[test]
fn exchanges_that_are_never_finished() {
    let mut talk = plain(V311);
    for id in 1..=5 {
        talk.send(&Publish::new(V311, "a").qos(2, id).payload("x").encode());
        talk.reply(&Ack::pubrec(id).encode());
    }
    talk.send(&Ack::pubrel(1).encode());
    talk.wait_until(START + 5 * SECOND);
    talk.send(&mqtt::pingreq());
    assert_eq!(columns(&leave(talk.clone()), attacker()), [("qos2_open", 4.0)]);
    // With the connection they are over, and the host goes on.
    let other = session(&Connect::new(V311, "x66"), 30_001, START + 10 * SECOND).left_open();
    let capture = talk.close().with(other).then_quiet(20);
    assert_eq!(columns_from(&capture, attacker(), START + 10 * SECOND), []);
}

#[test]
fn large_packets_and_packets_that_never_end() {
    let mut talk = plain(V311);
    // PUBLISH of 100,000 octets, of which 2,000 come.
    talk.send(&[&[0x30, 0xa0, 0x8d, 0x06, 0, 1, b'a'][..], &[7; 1993]].concat());
    talk.wait_until(START + 35 * SECOND);
    talk.send(&[7; 10]);
    let seen = columns(&talk.left_open().then_quiet(1), attacker());
    assert_eq!(seen.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["large_packets_60s", "stalled_60s"]);
    assert!(seen[1].1 >= 2.0, "{seen:?}");
    // The beginning of a CONNECT, one octet after the other.
    let mut talk = Conversation::new((attacker(), 30_000), BROKER, START).open();
    for (octet, second) in Connect::new(V311, "slow").encode().iter().zip(0..8) {
        talk.wait_until(START + second * 5 * SECOND);
        talk.send(&[*octet]);
    }
    let seen = columns(&talk.left_open().then_quiet(1), attacker());
    assert!(matches!(seen[..], [("stalled_60s", 2.0..)]), "{seen:?}");
}

#[test]
fn properties_and_families_of_violations() {
    for (packet, column) in [
        (mqtt::packet(0x36, &[0, 1, b'a', 0, 1, 0]), "violation_format_60s"),
        (Connect::new(V5, "again").encode(), "violation_order_60s"),
        (Ack::puback(9).encode(), "violation_identifier_60s"),
        (mqtt::publish(V5, "a/#", b"x"), "violation_text_60s"),
        (Publish::new(V5, "a").properties(Properties::new().two(0x23, 0)).encode(), "violation_property_60s"),
    ] {
        let mut talk = plain(V5);
        talk.send(&packet);
        let seen = columns(&leave(talk), attacker());
        assert!(
            seen.contains(&(column, 1.0))
                && seen.iter().any(|(name, _)| *name == "violation_kinds")
                    != (column == "violation_identifier_60s"),
            "{column}: {seen:?}"
        );
        let families =
            seen.iter().filter(|(name, _)| name.starts_with("violation_") && name.ends_with("60s"));
        assert_eq!(families.count(), 1, "{column}: {seen:?}");
    }
    let mut talk = plain(V5);
    let many =
        (0..20).fold(Properties::new(), |properties, _| properties.user("name", "a value of some length"));
    talk.send(&Publish::new(V5, "a").properties(many).encode());
    assert!(matches!(columns(&leave(talk), attacker())[..], [("property_bytes_60s", 10.0)]));
}

#[test]
fn logins_elsewhere_and_web_requests() {
    let mut capture = Capture::default();
    for n in 0..5u16 {
        for port in [22, 23, 2323] {
            let start = START + u64::from(n) * SECOND;
            let mut talk = Conversation::new((attacker(), 30_000 + n), (host(9), port), start).open();
            talk.send(b"root");
            capture = capture.with(talk.close());
        }
    }
    let seen = columns(&capture.then_quiet(5), attacker());
    assert_eq!(seen, [("ssh_opened_60s", 5.0), ("telnet_opened_60s", 10.0)]);
    let mut capture = Capture::default();
    for n in 0..120u16 {
        let start = START + u64::from(n) * SECOND / 30;
        let mut talk = Conversation::new((attacker(), 30_000 + n), (host(9), 80), start).open();
        talk.send(if n % 2 == 0 { b"GET / HTTP/1.1\r\n\r\n" } else { b"POST / HTTP/1.1\r\n\r\n" });
        talk.send(b"GET /again HTTP/1.1\r\n\r\n");
        capture = capture.with(talk.close());
    }
    let seen = columns(&capture.then_quiet(5), attacker());
    assert_eq!(seen, [("http_requests_10s", 240.0)]);
}

#[test]
fn failed_hosts() {
    let tried =
        (0..20).map(|n| Conversation::new((attacker(), 30_000), (host(100 + n), 23), START).refused());
    let capture = tried.fold(Capture::default(), Capture::with).then_quiet(5);
    let seen = columns(&capture, attacker());
    let expected = [("telnet_opened_60s", 20.0..=20.0), ("distinct_failed_hosts_60s", 17.0..=20.0)];
    assert_eq!(seen.len(), expected.len(), "{seen:?}");
    for ((name, value), (column, range)) in seen.iter().zip(&expected) {
        assert!(name == column && range.contains(value), "{seen:?}");
    }
}

#[test]
fn segments_and_datagrams_that_belong_to_nothing() {
    let mut capture = Capture::default();
    for n in 0..200u16 {
        let to = (host(1), 1000 + n);
        let at = START + u64::from(n) * 5_000;
        let flags = if n % 2 == 0 { ACK } else { FIN };
        capture
            .push(at, segment((attacker(), 40_000), to, 1, 1, flags, if n % 4 == 0 { b"junk" } else { b"" }));
        capture.push(at, datagram((host(67), 50_000), to, b"junk"));
        // The answers to both are nobody's fault.
        let reset = Flags { rst: true, ..ACK };
        capture.push(at, segment(to, (attacker(), 40_000), 1, 1, reset, b""));
        capture.push(at, datagram(to, (host(67), 50_000), b"what"));
    }
    let capture = capture.then_quiet(5);
    let seen = columns(&capture, attacker());
    // The first few of a sender that was not known are not counted.
    assert!(
        matches!(seen[..], [("stray_sent_10s", 197.0), ("distinct_probed_ports_60s", 80.0..=128.0)]),
        "{seen:?}"
    );
    let seen = columns(&capture, host(67));
    assert!(
        matches!(seen[..], [("udp_sent_10s", 197.0), ("distinct_probed_ports_60s", 80.0..=128.0)]),
        "{seen:?}"
    );
    assert_eq!(columns(&capture, host(1)), []);
}

/// An Ethernet frame with an IPv4 packet of this protocol.
fn packet(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = datagram((from, 1), (to, 1), &[&[0; 8][..], payload].concat());
    frame.drain(34..50);
    frame[14 + 9] = protocol;
    let len = (frame.len() as u16 - 14).to_be_bytes();
    frame[16..18].copy_from_slice(&len);
    frame
}

#[test]
fn other_protocols_and_what_comes_back() {
    let mut capture = Capture::default();
    for n in 0..150 {
        let at = START + n * 10_000;
        capture.push(at, packet(attacker(), host(1), 1, &[8, 0, 0, 0, 0, 0, 0, 0]));
        // A tunnel with made-up senders inside.
        let inner = datagram((host(1000 + n as u16), 9), (host(1), 9), b"x");
        let tunnel = [&[0, 0, 8, 0][..], &inner[14..]].concat();
        capture.push(at, packet(host(67), host(1), 47, &tunnel));
        let quoted = datagram((host(68), 40_000), (host(1), 1000 + n as u16), b"x");
        capture
            .push(at, packet(host(1), host(68), 1, &[&[3, 3, 0, 0, 0, 0, 0, 0][..], &quoted[14..]].concat()));
    }
    let capture = capture.then_quiet(5);
    assert_eq!(columns(&capture, attacker()), [("other_sent_10s", 147.0)]);
    assert_eq!(columns(&capture, host(67)), [("other_sent_10s", 147.0)]);
    assert_eq!(columns(&capture, host(68)), [("unreachable_60s", 147.0)]);
    assert_eq!(columns(&capture, host(1)), []);
}

/// An Ethernet frame with an ARP message.
fn arp(operation: u8, by: IpAddr, claims: IpAddr, target: IpAddr) -> Vec<u8> {
    let octets = |addr| match addr {
        IpAddr::V4(v4) => v4.octets(),
        IpAddr::V6(_) => panic!("ARP is for IPv4"),
    };
    let head = [&[0xff; 6][..], &mac(by), &[8, 6, 0, 1, 8, 0, 6, 4, 0, operation]].concat();
    [&head[..], &mac(by), &octets(claims), &[0; 6], &octets(target)].concat()
}

#[test]
fn addresses_claimed() {
    let (gateway, sensor) = (host(1), host(7));
    let mut capture = Capture::default();
    for n in 0..20 {
        let at = START + n * SECOND;
        // Everybody asks and is answered.
        for (who, whom) in [(sensor, gateway), (attacker(), gateway), (gateway, sensor)] {
            capture.push(at, arp(1, who, who, whom));
            capture.push(at + 100, arp(2, whom, whom, who));
        }
        capture.push(at + 500_000, arp(2, attacker(), gateway, sensor));
    }
    let capture = capture.then_quiet(5);
    let seen = columns(&capture, attacker());
    assert!(matches!(seen[..], [("arp_claims_60s", 17.0)]), "{seen:?}");
    assert_eq!(columns(&capture, gateway), []);
    assert_eq!(columns(&capture, sensor), []);
    let mut capture = Capture::default();
    for n in 0..30 {
        capture.push(START + n * SECOND, arp(1, attacker(), attacker(), attacker()));
    }
    assert_eq!(columns(&capture.then_quiet(5), attacker()), [("arp_unasked_60s", 27.0)]);
}

#[test]
fn logins_refused_behind_tls() {
    let mut capture = Capture::default();
    for n in 0..4u16 {
        let at = START + u64::from(n) * SECOND;
        let mut talk = Conversation::new((attacker(), 30_000 + n), (host(1), 8883), at).open();
        talk.send(&Connect::new(V311, "guess").login("admin", "secret").encode());
        talk.reply(&mqtt::refused(V311));
        capture = capture.with(talk.closed_by_server());
    }
    // Such connections alone make no vector: nothing in them is known to be MQTT but their port.
    let mut talk = plain(V311);
    talk.wait_until(START + 10 * SECOND);
    talk.send(&mqtt::pingreq());
    let capture = capture.with(talk.close()).then_quiet(5);
    assert_eq!(columns(&capture, attacker()), [("encrypted_refused_60s", 4.0)]);
}

#[test]
fn a_crowd_of_made_up_senders_takes_no_place() {
    let mut capture = Capture::default();
    for n in 0..5000u32 {
        let from = IpAddr::from((0x0b00_0000 + n * 7).to_be_bytes());
        capture.push(START + u64::from(n) * 100, datagram((from, 50_000), (host(1), 53), b"x"));
        capture.push(START + u64::from(n) * 100, segment((from, 50_000), BROKER, 1, 1, ACK, b""));
    }
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(Settings::default(), memory.lend(), NoModel);
    capture.iter().for_each(|frame| engine.on_frame(&frame, &mut Greatest::default()));
    assert!(engine.stats().hosts < 40, "{}", engine.stats().hosts);
}

/// The rows of every control packet of clients.
#[derive(Default)]
struct Packets(Vec<Vec<f32>>);

impl Sink for Packets {
    const WANTS_PACKET_VECTORS: bool = true;

    fn packet_vector(&mut self, _ts: Timestamp, client: FlowSocket, _to: FlowSocket, vector: &FeatureVector) {
        assert_eq!(client.addr.ip(), attacker());
        self.0.push(vector.row(PACKET.width()).to_vec());
    }
}

#[test]
fn a_row_for_every_control_packet_of_a_client() {
    let will = Will::new("alarm", "on fire").retain();
    let connect = Connect::new(V5, "x66").login("u", "p").will(will).keep_alive(30);
    let mut talk = session(&connect, 30_000, START);
    let subscribe = Subscribe::new(V5, 7).filter("#", 0).filter("$share/g/a", 1).filter("b", 0);
    talk.send(&subscribe.encode());
    talk.reply(&SubAck::new(V5, 7, &[0, 1, 0]).encode());
    talk.wait_until(START + 2 * SECOND);
    let user = Properties::new().user("n", "v");
    talk.send(&Publish::new(V5, "a/b/c").qos(2, 9).retain().payload("12345").properties(user).encode());
    talk.send(&Publish::new(V5, "a/#").encode());
    talk.send(&Ack::puback(99).code(0x87).encode());
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(Settings::default(), memory.lend(), NoModel);
    let mut packets = Packets::default();
    talk.close().iter().for_each(|frame| engine.on_frame(&frame, &mut packets));
    let value = |row: usize, name: &str| {
        packets.0[row][PACKET.features.iter().position(|feature| feature.name == name).unwrap()]
    };
    let expected: [&[(&str, f32)]; 5] = [
        &[
            ("packet_type", 1.0),
            ("is_connect", 1.0),
            ("client_id_length", 3.0),
            ("will", 1.0),
            ("will_retain", 1.0),
        ],
        &[
            ("is_subscribe", 1.0),
            ("filters", 3.0),
            ("filters_wildcard", 1.0),
            ("filters_shared", 1.0),
            ("reads_all", 1.0),
        ],
        &[("is_publish", 1.0), ("qos", 2.0), ("retain", 1.0), ("topic_levels", 3.0), ("payload_length", 5.0)],
        &[("violation_text", 1.0), ("violations", 1.0), ("violation_format", 0.0), ("unanswered", 1.0)],
        &[
            ("is_acknowledgement", 1.0),
            ("refuses", 1.0),
            ("violation_identifier", 1.0),
            ("violations_before", 1.0),
        ],
    ];
    assert_eq!(packets.0.len(), expected.len());
    for (row, columns) in expected.iter().enumerate() {
        assert_eq!(value(row, "position"), row as f32 + 1.0);
        for (name, wanted) in *columns {
            assert_eq!(value(row, name), *wanted, "{name} of packet {row}");
        }
    }
    let connect =
        [("keep_alive", 30.0), ("will_length", 7.0), ("user_name", 1.0), ("password", 1.0), ("clean", 1.0)];
    connect.iter().for_each(|(name, wanted)| assert_eq!(value(0, name), *wanted, "{name}"));
    let publish = [
        ("topic_length", 5.0),
        ("property_length", 7.0),
        ("qos2_open", 1.0),
        ("answers", 2.0),
        ("accepted", 1.0),
    ];
    publish.iter().for_each(|(name, wanted)| assert_eq!(value(2, name), *wanted, "{name}"));
    assert_eq!((value(0, "since_client"), value(0, "since_server"), value(0, "accepted")), (0.0, 0.0, 0.0));
    assert!(value(2, "since_client") > 1_990_000.0 && value(2, "since_server") < value(2, "since_client"));
    assert!((1999.0..=2001.0).contains(&value(2, "age")), "{}", value(2, "age"));
}
