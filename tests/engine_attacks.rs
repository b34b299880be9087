//! Whole conversations through the engine: each attack opens one incident of its class, honest look-alikes none.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test may panic and cast figures it made itself"
)]

mod support;

use std::net::IpAddr;

use picket::alert::{Alert, Severity, State};
use picket::detect::class::Class;
use picket::limits::{CONNECTION_SETS, CONNECTION_WAYS};

use support::capture::{Capture, SECOND, START, SYN, host, segment};
use support::conversation::Conversation;
use support::mqtt::{self, Connect, V5, V311, Version};
use support::observe::{Outcome, observe, observe_with};
use support::{attack, benign};

/// When the attacks begin: the honest sensor has worked for a while.
const ATTACK: u64 = START + 10 * SECOND;

fn broker() -> (IpAddr, u16) {
    (host(1), 1883)
}

fn attacker() -> IpAddr {
    host(66)
}

/// The capture with an honest sensor beside it and silence behind it.
fn amid_honest_traffic(version: Version, capture: Capture) -> Capture {
    benign::sensor(version, host(7), broker(), START, 90).with(capture).then_quiet(100)
}

/// Wants one incident of `class` by the attacker that opens within `within` seconds, goes on, and closes.
#[track_caller]
fn expect_incident(outcome: &Outcome, class: Class, within: u64) -> Alert {
    let incident = outcome.only_incident();
    let open = incident[0];
    assert_eq!(open.class, class, "{open:#?}");
    for alert in &incident {
        assert_eq!((alert.class, alert.source.ip), (class, attacker()), "{alert:#?}");
        assert_eq!(alert.source.mac, Some(support::capture::mac(attacker())));
        assert!(alert.severity >= Severity::Medium, "{alert:#?}");
        assert!(alert.first_seen <= alert.last_seen && alert.last_seen <= alert.ts, "{alert:#?}");
        assert!((0.5..=1.0).contains(&alert.confidence), "{alert:#?}");
        assert!(!alert.evidence.is_empty());
    }
    let waited = open.ts.as_micros() - ATTACK;
    assert!(waited <= within * SECOND, "opened only after {waited} us");
    assert!(incident.iter().any(|alert| alert.state == State::Update), "{incident:#?}");
    let closed = incident.last().unwrap();
    let quiet = closed.ts.micros_since(closed.last_seen);
    assert!((60 * SECOND..=61 * SECOND + 1).contains(&quiet), "closed after {quiet} us of silence");
    (*open).clone()
}

#[test]
fn guessing_passwords() {
    for version in [V311, V5] {
        let capture = attack::brute_force(version, attacker(), broker(), ATTACK, 60, SECOND / 2);
        let outcome = observe(&amid_honest_traffic(version, capture));
        let open = expect_incident(&outcome, Class::MqttBruteforce, 4);
        assert_eq!(open.severity, Severity::High);
        assert_eq!(open.destination.map(|to| (to.ip, to.port)), Some((host(1), Some(1883))));
        assert_eq!(open.client_id.as_deref(), Some(&b"guess"[..]));
    }
}

#[test]
fn a_guess_that_succeeds_is_critical() {
    let guesses = attack::brute_force(V311, attacker(), broker(), ATTACK, 20, SECOND / 10);
    let talk = Conversation::new((attacker(), 30_000), broker(), ATTACK + 3 * SECOND).open();
    let hit = talk.connect(&Connect::new(V311, "guess").login("admin", "admin")).left_open();
    let outcome = observe(&guesses.with(hit));
    let incident = outcome.only_incident();
    assert_eq!(incident[0].severity, Severity::High);
    assert_eq!(incident.last().unwrap().severity, Severity::Critical);
}

#[test]
fn connecting_for_its_own_sake() {
    for version in [V311, V5] {
        let capture = attack::connect_flood(version, attacker(), broker(), ATTACK, 500, SECOND / 20);
        let outcome = observe(&amid_honest_traffic(version, capture));
        expect_incident(&outcome, Class::MqttConnectFlood, 3);
    }
}

#[test]
fn publishing_without_measure() {
    for version in [V311, V5] {
        let capture = attack::publish_flood(version, attacker(), broker(), ATTACK, 1000, 20);
        let outcome = observe(&amid_honest_traffic(version, capture));
        let incident = outcome.only_incident();
        let open = incident[0];
        assert_eq!((open.class, open.source.ip), (Class::MqttPublishFlood, attacker()));
        assert_eq!(open.client_id.as_deref(), Some(&b"hose"[..]));
        // 1,000 messages may be a bridge's; 4,000 in ten seconds are nobody's.
        assert_eq!((open.severity, incident[1].severity), (Severity::Low, Severity::High));
        let after = |alert: &Alert| alert.ts.as_micros() - ATTACK;
        assert!(after(open) <= 2 * SECOND && after(incident[1]) <= 5 * SECOND, "{incident:#?}");
    }
}

#[test]
fn holding_sessions_with_an_endless_keep_alive() {
    for version in [V311, V5] {
        let capture = attack::slowite(version, attacker(), broker(), ATTACK, 40, 45);
        let outcome = observe(&amid_honest_traffic(version, capture));
        expect_incident(&outcome, Class::MqttSlowDos, 3);
    }
}

#[test]
fn holding_sessions_that_only_ping() {
    for version in [V311, V5] {
        let capture = attack::idle_sessions(version, attacker(), broker(), ATTACK, 15, 60);
        let outcome = observe(&amid_honest_traffic(version, capture));
        expect_incident(&outcome, Class::MqttSlowDos, 35);
    }
}

#[test]
fn trying_ports() {
    let capture = attack::tcp_scan(attacker(), host(1), ATTACK, 100, SECOND / 5);
    let outcome = observe(&amid_honest_traffic(V311, capture));
    let open = expect_incident(&outcome, Class::TcpScan, 8);
    assert_eq!(open.destination.map(|to| (to.ip, to.port)), Some((host(1), None)));
    assert_eq!(open.client_id, None);
}

#[test]
fn breaking_the_standard() {
    for version in [V311, V5] {
        let capture = attack::malformed(version, attacker(), broker(), ATTACK, 25, SECOND);
        let outcome = observe(&amid_honest_traffic(version, capture));
        expect_incident(&outcome, Class::MqttMalformed, 12);
    }
}

#[test]
fn over_ipv6() {
    let six = |last: u16| -> IpAddr { [0xfd00, 0, 0, 0, 0, 0, 0, last].into() };
    let capture = attack::brute_force(V5, six(66), (six(1), 1883), ATTACK, 30, SECOND / 2);
    let incident_alerts = observe(&capture);
    let open = incident_alerts.only_incident()[0];
    assert_eq!((open.class, open.source.ip), (Class::MqttBruteforce, six(66)));
}

#[test]
fn on_any_port_by_its_first_packet() {
    let elsewhere = (host(1), 18_830);
    let capture = attack::brute_force(V311, attacker(), elsewhere, ATTACK, 60, SECOND / 2);
    let outcome = observe(&amid_honest_traffic(V311, capture));
    let open = expect_incident(&outcome, Class::MqttBruteforce, 4);
    assert_eq!(open.destination.map(|to| (to.ip, to.port)), Some((host(1), Some(18_830))));
}

/// Wants nothing that would wake somebody.
#[track_caller]
fn expect_silence(capture: Capture) -> Outcome {
    let outcome = observe(&capture.then_quiet(100));
    assert!(outcome.at_least_medium().is_empty(), "{:#?}", outcome.alerts);
    outcome
}

#[test]
fn an_honest_sensor_is_not_mentioned_at_all() {
    for version in [V311, V5] {
        let outcome = expect_silence(benign::sensor(version, host(7), broker(), START, 200));
        assert!(outcome.alerts.is_empty(), "{:#?}", outcome.alerts);
        assert_eq!(outcome.stats.violations, 0);
        assert_eq!((outcome.stats.control_packets[1], outcome.stats.control_packets[3]), (1, 193));
    }
}

#[test]
fn a_wrong_password_tried_for_ever_wakes_nobody() {
    for version in [V311, V5] {
        let outcome = expect_silence(benign::wrong_password(version, host(8), broker(), START, 60));
        let incident = outcome.only_incident();
        assert_eq!((incident[0].class, incident[0].severity), (Class::MqttBruteforce, Severity::Low));
    }
}

#[test]
fn a_fleet_that_comes_back_is_no_flood() {
    for version in [V311, V5] {
        expect_silence(benign::mass_reconnect(version, host(9), broker(), START, 50));
    }
}

#[test]
fn a_burst_of_discovery_messages_is_no_flood() {
    for version in [V311, V5] {
        let outcome = expect_silence(benign::discovery_burst(version, host(9), broker(), START, 2000));
        assert_eq!(outcome.stats.control_packets[3], 2000);
    }
}

#[test]
fn browsing_is_no_scan() {
    expect_silence(benign::web_browsing(host(10), START, 600));
}

#[test]
fn backscatter_is_no_scan() {
    let outcome = expect_silence(benign::backscatter([203, 0, 113, 9].into(), START, 2000));
    assert_eq!((outcome.stats.stray, outcome.stats.connections_opened), (2000, 0));
}

#[test]
fn a_clock_set_back_does_not_hide_an_attack() {
    let hour = 3600 * SECOND;
    let mut capture = attack::brute_force(V311, attacker(), broker(), ATTACK + hour, 40, SECOND / 2);
    // Five tries, too few to be reported, then the clock is an hour slow.
    let split = ATTACK + hour + 5 * SECOND / 2;
    for (at, _) in &mut capture.frames {
        if *at >= split {
            *at -= hour;
        }
    }
    let outcome = observe(&capture);
    let incident = outcome.only_incident();
    assert_eq!((incident[0].class, incident[0].source.ip), (Class::MqttBruteforce, attacker()));
    // Times are shown by the clock as it is now.
    let shown = incident[0].ts.as_micros();
    assert!((ATTACK..ATTACK + 60 * SECOND).contains(&shown), "{shown}");
}

#[test]
fn a_clock_set_forward_does_not_stop_detection() {
    let day = 86_400 * SECOND;
    let mut capture = attack::brute_force(V311, attacker(), broker(), ATTACK, 60, SECOND / 2);
    for (at, _) in capture.frames.iter_mut().filter(|(at, _)| *at >= ATTACK + 15 * SECOND) {
        *at += day;
    }
    let outcome = observe(&capture);
    let incidents = outcome.incidents();
    // The jump closes what was open; the attack that goes on is found again.
    assert_eq!(incidents.len(), 2, "{:#?}", outcome.alerts);
    for incident in incidents {
        assert_eq!(incident[0].class, Class::MqttBruteforce);
        assert_eq!(incident.last().unwrap().state, State::Closed);
    }
    assert_eq!(outcome.stats.time_jumps, 1);
}

#[test]
fn the_own_connection_is_not_analysed_and_only_once() {
    let own = attack::publish_flood(V5, host(2), broker(), ATTACK, 1000, 10);
    let announce =
        |capture: &Capture| observe_with(capture, |engine| engine.expect_own_client(b"hose")).alerts;
    assert!(announce(&own).is_empty());
    // Who uses the same client id later is looked at again.
    let imitator = attack::publish_flood(V5, attacker(), broker(), ATTACK + 20 * SECOND, 1000, 10);
    let alerts = announce(&own.with(imitator));
    assert!(!alerts.is_empty());
    assert!(alerts.iter().all(|alert| alert.source.ip == attacker()), "{alerts:#?}");
}

#[test]
fn a_flood_of_half_open_connections_is_counted_and_hides_no_scan() {
    let mut flood = Capture::default();
    for n in 0..20_000_u32 {
        let [_, a, b, c] = n.to_be_bytes();
        let spoofed = (IpAddr::from([11, a, b, c]), 1024 + (n % 60_000) as u16);
        flood.push(START + u64::from(n) * 1000, segment(spoofed, (host(1), 1883), n, 0, SYN, &[]));
    }
    let scan = attack::tcp_scan(attacker(), host(1), START + SECOND, 60, SECOND / 4);
    let outcome = observe(&flood.with(scan).then_quiet(1));
    let stats = outcome.stats;
    let capacity = (CONNECTION_SETS * CONNECTION_WAYS) as u64;
    assert_eq!(stats.connections_opened, 20_060);
    assert!(stats.connections <= capacity && stats.connections_evicted > 10_000, "{stats:?}");
    assert!(stats.hosts_evicted > 10_000, "{stats:?}");
    let by_scanner: Vec<_> = outcome.alerts.iter().filter(|alert| alert.source.ip == attacker()).collect();
    assert!(by_scanner.iter().any(|alert| alert.class == Class::TcpScan), "{:#?}", outcome.alerts);
}

#[test]
fn more_client_ids_than_places_are_counted() {
    let capture = attack::connect_flood(V311, attacker(), broker(), ATTACK, 5000, 2000);
    let stats = observe(&capture).stats;
    assert!(stats.clients_evicted >= 5000 - stats.clients, "{stats:?}");
    assert_eq!(stats.control_packets[1], 5000);
}

#[test]
fn a_connect_over_two_segments_counts_like_one() {
    // SlowITe sends its CONNECT in two segments, the last of two octets.
    let mut capture = Capture::default();
    for n in 0..20 {
        let mut talk = Conversation::new((attacker(), 20_000 + n), broker(), ATTACK + u64::from(n) * 9000);
        talk = talk.open();
        let connect = Connect::new(V311, format!("slow{n}")).keep_alive(u16::MAX).encode();
        let (head, tail) = connect.split_at(connect.len() - 2);
        talk.send(head);
        talk.wait_until(talk.now + 1000);
        talk.send(tail);
        talk.reply(&mqtt::accepted(V311));
        capture.frames.extend(talk.left_open().frames);
    }
    let outcome = observe(&capture.sorted().then_quiet(1));
    assert_eq!(outcome.stats.control_packets[1], 20);
    assert_eq!(outcome.only_incident()[0].class, Class::MqttSlowDos);
}
