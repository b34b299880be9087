//! MQTT is seen wherever it is: in a WebSocket it raises the same alerts as straight on TCP.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    reason = "a test may panic and cast figures it made itself"
)]

mod support;

use std::net::IpAddr;

use picket::alert::{Detector, Severity, State};
use picket::detect::class::Class;
use picket::detect::scorer::NoModel;
use picket::engine::{Engine, ObservedHello, Settings, Sink, Stats};
use picket::event::Event;
use picket::features::FeatureVector;
use picket::features::exchange::EXCHANGE;
use picket::flow::key::Socket;
use picket::flow::record::EndReason;
use picket::memory::OwnedMemory;
use picket::time::Timestamp;
use picket::tls::ja4::Ja4;

use support::capture::{Capture, SECOND, START, host};
use support::conversation::{Conversation, TLS_PORT, WEBSOCKET_PORT};
use support::mqtt::{self, Connect, V5, V311, Version};
use support::observe::{Outcome, observe};
use support::{attack, benign, tls, websocket};

const PLAIN: (IpAddr, u16) = (IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), 1883);
const WEBSOCKET: (IpAddr, u16) = (PLAIN.0, WEBSOCKET_PORT);
const TLS: (IpAddr, u16) = (PLAIN.0, TLS_PORT);

/// What an alert says, but for its times and the port.
fn says(outcome: &Outcome) -> Vec<(State, Class, Severity, u64, String)> {
    let alerts = outcome.alerts.iter();
    alerts
        .map(|a| (a.state, a.class, a.severity, a.count, format!("{:?}{:?}", a.evidence, a.client_id)))
        .collect()
}

/// Runs the same through both carriers and wants the same alerts and the same control packets.
#[track_caller]
fn expect_the_same(make: impl Fn((IpAddr, u16)) -> Capture) -> Outcome {
    let [plain, carried] = [PLAIN, WEBSOCKET].map(|broker| observe(&make(broker).then_quiet(100)));
    assert_eq!(says(&carried), says(&plain));
    assert_eq!(carried.stats.control_packets, plain.stats.control_packets);
    assert_eq!(carried.stats.violations, plain.stats.violations);
    assert_eq!((carried.stats.carriers.plain, plain.stats.carriers.websocket), (0, 0));
    assert_eq!(carried.stats.carriers.websocket, plain.stats.carriers.plain);
    assert_eq!(carried.stats.carriers.websocket_faults, 0);
    carried
}

#[test]
fn attacks_in_a_websocket_raise_the_same_alerts() {
    let attacker = host(66);
    for version in [V311, V5] {
        let outcome = expect_the_same(|to| attack::brute_force(version, attacker, to, START, 60, SECOND / 2));
        assert_eq!(outcome.only_incident()[0].class, Class::MqttBruteforce);
        let outcome = expect_the_same(|to| attack::malformed(version, attacker, to, START, 25, SECOND));
        assert_eq!(outcome.only_incident()[0].class, Class::MqttMalformed);
        let outcome =
            expect_the_same(|to| attack::connect_flood(version, attacker, to, START, 200, SECOND / 20));
        assert_eq!(outcome.only_incident()[0].class, Class::MqttConnectFlood);
        let outcome = expect_the_same(|to| attack::idle_sessions(version, attacker, to, START, 15, 60));
        assert_eq!(outcome.only_incident()[0].class, Class::MqttSlowDos);
    }
}

#[test]
fn honest_traffic_in_a_websocket_raises_none() {
    for version in [V311, V5] {
        let outcome = expect_the_same(|to| benign::sensor(version, host(7), to, START, 90));
        assert_eq!(outcome.alerts, []);
        let outcome = expect_the_same(|to| benign::mass_reconnect(version, host(8), to, START, 40));
        assert_eq!(outcome.alerts, []);
    }
}

/// A session in one WebSocket whose frames do not align with control packets: three octets to a frame, with PING between.
#[test]
fn frames_need_not_align_with_control_packets() {
    let connect = Connect::new(V311, "odd").encode();
    let stream =
        [connect, mqtt::subscribe(V311, 1, "a/b"), mqtt::publish(V311, "a", &[7; 300]), mqtt::pingreq()]
            .concat();
    let mut talk = Conversation::new((host(5), 40_000), WEBSOCKET, START).open();
    talk.reply(&[]);
    let mut octets = Vec::new();
    for (n, piece) in stream.chunks(3).enumerate() {
        let last = n % 4 == 3 || (n + 1) * 3 >= stream.len();
        let first = if n % 4 == 0 { 0x02 } else { 0x00 } | if last { 0x80 } else { 0 };
        octets.extend(websocket::frame(first, Some([9, 8, 7, n as u8]), piece));
        octets.extend(websocket::frame(0x89, Some([1, 1, 1, n as u8]), b"are you there"));
    }
    // As segments that align with nothing either.
    for segment in octets.chunks(11) {
        talk.send_raw(segment);
    }
    let outcome = observe(&talk.close());
    let packets = outcome.stats.control_packets;
    assert_eq!([packets[1], packets[3], packets[8], packets[12]], [1, 1, 1, 1], "{packets:?}");
    assert_eq!(packets.iter().sum::<u64>(), 4);
    assert_eq!((outcome.stats.violations, outcome.stats.carriers.websocket_faults), (0, 0));
}

/// What breaks the rules of section 6 is a violation each; what is legal is not.
#[test]
fn violations_of_the_websocket_transport() {
    let violations = |request: &[u8], answer: &[u8], first: u8, version: Version| {
        let mut talk = Conversation::new((host(5), 40_000), (host(1), 8080), START).open();
        talk.send(request);
        talk.reply(answer);
        talk.send(&websocket::frame(first, Some([1, 2, 3, 4]), &Connect::new(version, "x").encode()));
        talk.reply(&websocket::frame(0x82, None, &mqtt::accepted(version)));
        let stats = observe(&talk.close()).stats;
        assert_eq!((stats.carriers.websocket, stats.control_packets[1]), (1, 1), "{stats:?}");
        stats.violations
    };
    let none = |head: &[u8]| {
        String::from_utf8(head.to_vec()).unwrap().replace("Sec-WebSocket-Protocol: mqtt\r\n", "").into_bytes()
    };
    let (request, answer) = (websocket::REQUEST, websocket::ANSWER);
    for version in [V311, V5] {
        assert_eq!(violations(request, answer, 0x82, version), 0);
        assert_eq!(violations(request, answer, 0x81, version), 1);
        assert_eq!(violations(request, &none(answer), 0x82, version), 1);
        assert_eq!(violations(&none(request), &none(answer), 0x82, version), 2);
    }
}

/// Tries passwords of different lengths, `gap` microseconds apart; all are refused.
fn guesses(to: (IpAddr, u16), tries: u16, gap: u64) -> Capture {
    let mut capture = Capture::default();
    for n in 0..tries {
        let mut talk = Conversation::new((host(66), 20_000 + n), to, START + u64::from(n) * gap).open();
        let password = "p".repeat(4 + usize::from(n) * 7 % 11);
        talk.send(&Connect::new(V311, "guess").login("admin", password).encode());
        talk.reply(&mqtt::refused(V311));
        capture.frames.extend(talk.closed_by_server().frames);
    }
    capture.sorted()
}

#[test]
fn guessing_inside_tls_is_told_by_its_shape() {
    let outcome = observe(&guesses(TLS, 60, SECOND).then_quiet(100));
    let stats = outcome.stats.carriers;
    assert_eq!((stats.tls, stats.tls_refused, stats.tls_skipped_octets, stats.plain), (60, 60, 0, 0));
    assert_eq!(outcome.stats.control_packets, [0; 16]);
    let incident = outcome.only_incident();
    assert_eq!(incident[0].class, Class::MqttBruteforce);
    assert_eq!(incident[0].severity, Severity::Low);
    assert_eq!(incident.iter().map(|alert| alert.severity).max(), Some(Severity::Medium));
    assert_eq!(incident[0].detector, Detector::Rule("mqtt_bruteforce_by_shape"));
    assert_eq!(incident[0].evidence[0].name, "refused_by_shape_of_tls");
    assert_eq!(incident[0].destination.map(|to| (to.ip, to.port)), Some((TLS.0, Some(TLS_PORT))));
    // Guesses that take their time are not told from a device that is turned away.
    assert_eq!(observe(&guesses(TLS, 60, 10 * SECOND).then_quiet(100)).alerts, []);
}

#[test]
fn honest_traffic_inside_tls_raises_nothing_that_would_wake_somebody() {
    for version in [V311, V5] {
        let silent = [
            benign::sensor(version, host(7), TLS, START, 90),
            benign::mass_reconnect(version, host(8), TLS, START, 60),
        ];
        for capture in silent {
            let outcome = observe(&capture.then_quiet(100));
            assert_eq!(outcome.alerts, []);
            assert!(outcome.stats.carriers.tls > 0 && outcome.stats.carriers.tls_refused == 0);
        }
        let wrong = observe(&benign::wrong_password(version, host(9), TLS, START, 200).then_quiet(100));
        assert_eq!(wrong.at_least_medium(), Vec::<&picket::alert::Alert>::new());
        assert_eq!(wrong.stats.carriers.tls_refused, 200);
    }
}

/// Keeps the names of events and what hellos say.
#[derive(Default)]
struct Watch {
    events: Vec<(&'static str, u16)>,
    hellos: Vec<(u16, String)>,
}

impl Sink for Watch {
    fn event(&mut self, event: &Event) {
        self.events.push((event.name, event.server.port));
    }

    fn tls_hello(&mut self, seen: &ObservedHello<'_>) {
        let ja4 = Ja4::new(seen.hello).unwrap().as_str().to_owned();
        self.hellos.push((seen.server.port, ja4));
    }
}

fn watch(capture: &Capture) -> (Watch, Stats) {
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(Settings::default(), memory.lend(), NoModel);
    let mut watch = Watch::default();
    capture.iter().for_each(|frame| engine.on_frame(&frame, &mut watch));
    engine.finish(&mut watch);
    let stats = engine.stats();
    (watch, stats)
}

/// A session in TLS that asks for these application protocols.
fn session_in_tls(port: u16, client: u16, protocols: &[&[u8]]) -> Capture {
    let mut talk = Conversation::new((host(5), client), (host(1), port), START).open();
    for (up, octets) in [
        (true, tls::client_hello(protocols)),
        (false, tls::server_flight()),
        (true, tls::client_finished()),
        (true, tls::sealed(&Connect::new(V5, "x").encode())),
        (false, tls::sealed(&mqtt::accepted(V5))),
    ] {
        if up {
            talk.send(&octets);
        } else {
            talk.reply(&octets);
        }
    }
    talk.close()
}

#[test]
fn mqtt_where_none_is_expected_is_told_once_for_each_server() {
    let plain = |port, client| {
        let talk = Conversation::new((host(5), client), (host(1), port), START).open();
        talk.connect(&Connect::new(V311, "x")).close()
    };
    let capture = plain(7000, 40_000)
        .with(plain(7000, 40_001))
        .with(plain(1883, 40_002))
        .with(plain(WEBSOCKET_PORT, 40_003))
        .with(session_in_tls(443, 40_004, &[b"h2", b"mqtt"]))
        .with(session_in_tls(8443, 40_005, &[b"h2"]))
        .with(session_in_tls(8443, 40_006, &[]));
    // A CONNECT that nobody answers proves nothing.
    let mut unanswered = Conversation::new((host(5), 40_007), (host(1), 22), START).open();
    unanswered.send(&Connect::new(V311, "x").encode());
    let (watch, stats) = watch(&capture.with(unanswered.close()));
    let mut events = watch.events.clone();
    events.sort_unstable();
    assert_eq!(events, [("mqtt:unexpected-port", 443), ("mqtt:unexpected-port", 7000)]);
    let carriers = stats.carriers;
    assert_eq!((carriers.plain, carriers.websocket, carriers.tls, carriers.tls_other), (4, 1, 1, 2));
    assert_eq!(carriers.unexpected_port, 3);
    let asking_for_h2 = watch.hellos.iter().filter(|(_, ja4)| ja4.starts_with("t13i0103h2")).count();
    // Four hellos: three clients, and the server of the one that says it is MQTT.
    assert_eq!((watch.hellos.len(), asking_for_h2), (4, 2));
}

#[test]
fn tls_joined_in_the_middle_is_still_known_by_its_port() {
    let mut talk = Conversation::new((host(5), 40_000), (host(1), TLS_PORT), START);
    for _ in 0..5 {
        talk.send(&mqtt::pingreq());
        talk.reply(&mqtt::pingresp());
    }
    let stats = observe(&talk.left_open()).stats;
    assert_eq!((stats.carriers.tls, stats.carriers.tls_skipped_octets), (1, 0));
}

/// Keeps the rows of exchanges by column name.
#[derive(Default)]
struct Rows(Vec<(u16, EndReason, std::collections::BTreeMap<&'static str, f32>)>);

impl Sink for Rows {
    const WANTS_VECTORS: bool = true;

    fn exchange_vector(
        &mut self,
        _: Timestamp,
        _: Socket,
        server: Socket,
        end: EndReason,
        vector: &FeatureVector,
    ) {
        let columns = EXCHANGE.features.iter().map(|feature| feature.name).zip(vector.values);
        self.0.push((server.port, end, columns.collect()));
    }
}

#[test]
fn datagrams_of_mqttsn_and_coap_become_flow_records() {
    let mut capture = Capture::default();
    let mut say = |at: u64, from: (IpAddr, u16), to: (IpAddr, u16), octets: &[u8]| {
        capture.push(START + at * SECOND, support::capture::datagram(from, to, octets));
    };
    let (device, gateway) = ((host(5), 40_000), (host(1), 1884));
    say(0, device, gateway, b"\x0a\x04\x04\x01\0\x3cdev1");
    say(0, gateway, device, b"\x03\x05\0");
    for n in 1..20 {
        say(n, device, gateway, b"\x09\x0c\x62\0\x01\0\x07hi");
    }
    say(20, device, gateway, b"\x7f\x0c\x62\0\x01\0\x07hi");
    // The gateway answers with CoAP's port as its own: the other end is the client.
    let (sensor, collector) = ((host(6), 5683), (host(2), 50_000));
    say(1, collector, sensor, b"\x40\x01\x7d\x34\xbbtemperature");
    say(1, sensor, collector, b"\x60\x84\x7d\x34");
    say(2, collector, sensor, b"\x49\x01\0\x01123456789");
    // On any port by its CONNECT; what else comes over UDP is nobody's business here.
    let odd = (host(1), 7777);
    say(3, device, odd, b"\x09\x0c\x62\0\x01\0\x07hi");
    say(4, device, odd, b"\x0a\x04\x04\x01\0\x3cdev1");
    say(5, device, odd, b"\x09\x0c\x62\0\x01\0\x07hi");
    say(90, (host(9), 123), (host(8), 123), b"time");
    let capture = capture.sorted();
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(Settings::default(), memory.lend(), NoModel);
    let mut rows = Rows::default();
    capture.iter().for_each(|frame| engine.on_frame(&frame, &mut rows));
    engine.finish(&mut rows);
    let stats = engine.stats().datagrams;
    assert_eq!((stats.mqttsn, stats.coap, stats.malformed, stats.exchanges), (24, 3, 2, 3));
    rows.0.sort_by_key(|(port, ..)| *port);
    let ends: Vec<_> = rows.0.iter().map(|(port, end, _)| (*port, *end)).collect();
    assert_eq!(ends, [(1884, EndReason::Idle), (5683, EndReason::Idle), (7777, EndReason::Idle)]);
    let value = |row: usize, column: &str| rows.0[row].2[column];
    let of_gateway = ["datagrams_up", "datagrams_down", "connects", "requests", "malformed", "coap"];
    assert_eq!(of_gateway.map(|column| value(0, column)), [21.0, 1.0, 1.0, 20.0, 1.0, 0.0]);
    let of_sensor =
        ["coap", "datagrams_up", "datagrams_down", "requests", "refusals", "confirmable", "malformed"];
    assert_eq!(of_sensor.map(|column| value(1, column)), [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0]);
    assert_eq!(["connects", "requests"].map(|column| value(2, column)), [1.0, 1.0]);
}
