//! MQTT is seen wherever it is: in a WebSocket it raises the same alerts as straight on TCP.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test may panic and cast figures it made itself"
)]

mod support;

use std::net::IpAddr;

use picket::alert::{Severity, State};
use picket::detect::class::Class;

use support::capture::{Capture, SECOND, START, host};
use support::conversation::{Conversation, WEBSOCKET_PORT};
use support::mqtt::{self, Connect, V5, V311, Version};
use support::observe::{Outcome, observe};
use support::{attack, benign, websocket};

const PLAIN: (IpAddr, u16) = (IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), 1883);
const WEBSOCKET: (IpAddr, u16) = (PLAIN.0, WEBSOCKET_PORT);

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
