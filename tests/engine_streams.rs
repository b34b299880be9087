//! However the octets of a connection are cut, reordered, repeated or damaged: same counts, no panic, no frame lost.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test may panic and cast figures it made itself"
)]

mod support;

use picket::detect::scorer::NoModel;
use picket::engine::{Engine, Settings, Stats};
use picket::frame::{Frame, LinkType};
use picket::memory::OwnedMemory;
use picket::time::Timestamp;
use proptest::prelude::*;

use support::attack;
use support::capture::{ACK, Capture, FIN, SECOND, START, SYN, SYN_ACK, host, segment};
use support::mqtt::{self, Connect, V5, V311, Version};
use support::observe::{Alerts, observe};

/// What a client says in one connection: 1 CONNECT, 20 PUBLISH, 1 SUBSCRIBE, 1 PINGREQ, 1 DISCONNECT.
fn words(version: Version) -> Vec<Vec<u8>> {
    let mut words = vec![Connect::new(version, "cut").login("user", "secret").encode()];
    words.push(mqtt::subscribe(version, 7, "a/b"));
    for n in 0..20 {
        words.push(mqtt::publish_qos1(
            version,
            &format!("topic/{n}"),
            1 + n,
            &vec![b'x'; usize::from(n) * 13],
        ));
    }
    words.push(mqtt::pingreq());
    words.push(mqtt::disconnect());
    words
}

/// How many of each type `words` says.
const COUNTS: [(usize, u64); 5] = [(1, 1), (3, 20), (8, 1), (12, 1), (14, 1)];

/// A connection whose client sends `segments`, each an offset into the stream and what is there.
fn connection(segments: &[(usize, Vec<u8>)]) -> Capture {
    const UP: u32 = u32::MAX - 100; // wraps on the way
    let (client, server) = ((host(5), 40_000), (host(1), 1883));
    let mut capture = Capture::default();
    let mut at = START;
    let mut push = |frame| {
        at += 500;
        capture.push(at, frame);
    };
    push(segment(client, server, UP, 0, SYN, &[]));
    push(segment(server, client, 900, UP.wrapping_add(1), SYN_ACK, &[]));
    let first = UP.wrapping_add(1);
    for (offset, payload) in segments {
        push(segment(client, server, first.wrapping_add(*offset as u32), 901, ACK, payload));
    }
    let end = segments.iter().map(|(offset, payload)| offset + payload.len()).max().unwrap_or(0);
    let last = first.wrapping_add(end as u32);
    push(segment(server, client, 901, last, FIN, &[]));
    push(segment(client, server, last, 902, FIN, &[]));
    capture
}

/// Cuts a stream after the octets given, each cut modulo what is left.
fn cut(stream: &[u8], lengths: &[usize]) -> Vec<(usize, Vec<u8>)> {
    let mut segments = Vec::new();
    let mut offset = 0;
    let mut lengths = lengths.iter().cycle();
    while offset < stream.len() {
        let len = (*lengths.next().unwrap()).clamp(1, stream.len() - offset);
        segments.push((offset, stream[offset..offset + len].to_vec()));
        offset += len;
    }
    segments
}

#[track_caller]
fn expect_counts(capture: &Capture) -> Stats {
    let stats = observe(capture).stats;
    let mut expected = [0; 16];
    COUNTS.iter().for_each(|(packet_type, count)| expected[*packet_type] = *count);
    assert_eq!(stats.control_packets, expected, "{stats:?}");
    assert_eq!((stats.violations, stats.bad_lengths, stats.unframed_octets), (0, 0, 0), "{stats:?}");
    stats
}

#[test]
fn one_packet_a_segment_all_in_one_and_one_octet_a_segment_count_the_same() {
    for version in [V311, V5] {
        let words = words(version);
        let stream = words.concat();
        let lengths: Vec<usize> = words.iter().map(Vec::len).collect();
        expect_counts(&connection(&cut(&stream, &lengths)));
        expect_counts(&connection(&cut(&stream, &[stream.len()])));
        expect_counts(&connection(&cut(&stream, &[1])));
    }
}

#[test]
fn a_segment_that_was_not_captured_is_a_gap_and_the_rest_is_read() {
    let words = words(V311);
    let lengths: Vec<usize> = words.iter().map(Vec::len).collect();
    let mut segments = cut(&words.concat(), &lengths);
    segments.remove(10);
    let stats = observe(&connection(&segments)).stats;
    assert_eq!((stats.stream.gaps, stats.stream.gap_octets), (1, words[10].len() as u64));
    // Only the lost PUBLISH is missing, or one neighbour that could not be told apart from it.
    assert!((18..=19).contains(&stats.control_packets[3]), "{stats:?}");
    assert_eq!(stats.control_packets[14], 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cuts_reordering_and_retransmissions_change_no_count(
        five in any::<bool>(),
        lengths in prop::collection::vec(1_usize..200, 1..20),
        swaps in prop::collection::vec((any::<prop::sample::Index>(), 1_usize..4), 0..12),
        repeats in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..6), 0..6),
    ) {
        let stream = words(if five { V5 } else { V311 }).concat();
        let mut segments = cut(&stream, &lengths);
        let whole = segments.clone();
        let mut last_swapped = 0;
        let mut order: Vec<usize> = swaps.iter().map(|(at, _)| at.index(segments.len())).collect();
        order.sort_unstable();
        // Swaps do not overlap, so that nothing is further from its place than a few segments.
        for (at, (_, ahead)) in order.into_iter().zip(&swaps) {
            if at >= last_swapped && at + ahead < segments.len() {
                segments.swap(at, at + ahead);
                last_swapped = at + ahead + 1;
            }
        }
        for (at, later) in &repeats {
            let again = at.index(whole.len());
            let place = segments.iter().position(|segment| *segment == whole[again]).unwrap();
            segments.insert((place + 1 + later).min(segments.len()), whole[again].clone());
        }
        expect_counts(&connection(&segments));
    }
}

/// The link types there are, decoded or not.
const LINKS: [LinkType; 6] = [
    LinkType::Ethernet,
    LinkType::LinuxSll,
    LinkType::LinuxSll2,
    LinkType::RawIp,
    LinkType::Null,
    LinkType::Other(147),
];

/// A frame of any content; most times are near each other, as they are in captures.
fn any_frame() -> impl Strategy<Value = (LinkType, u64, u32, Vec<u8>)> {
    let at = prop_oneof![9 => START..START + 10 * SECOND, 1 => any::<u64>()];
    (prop::sample::select(&LINKS[..]), at, any::<u32>(), prop::collection::vec(any::<u8>(), 0..200))
}

/// Feeds frames and wants every one of them accounted for.
fn feed(frames: &[(LinkType, u64, u32, Vec<u8>)]) {
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(Settings::default(), memory.lend(), NoModel);
    let mut alerts = Alerts::default();
    for (link, at, wire_len, data) in frames {
        let frame =
            Frame { ts: Timestamp::from_micros(*at), nanos: 0, link: *link, wire_len: *wire_len, data };
        engine.on_frame(&frame, &mut alerts);
    }
    engine.finish(&mut alerts);
    let stats = engine.stats();
    assert_eq!(stats.frames, frames.len() as u64);
    assert_eq!(stats.frames, stats.tcp + stats.udp + stats.skipped.iter().sum::<u64>(), "{stats:?}");
    assert_eq!(stats.alerts, alerts.0.len() as u64);
    assert_eq!(stats.incidents_open, 0);
}

/// A bit of everything that the engine reacts to.
fn everything() -> Vec<(u64, Vec<u8>)> {
    let broker = (host(1), 1883);
    attack::malformed(V5, host(3), broker, START, 10, 1000)
        .with(attack::brute_force(V311, host(4), broker, START, 10, 1000))
        .with(attack::tcp_scan(host(5), host(1), START, 20, 1000))
        .with(connection(&cut(&words(V5).concat(), &[17])))
        .frames
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_octets_never_panic(frames in prop::collection::vec(any_frame(), 0..100)) {
        feed(&frames);
    }

    #[test]
    fn damaged_captures_never_panic(
        damage in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), any::<bool>()),
            0..60,
        ),
    ) {
        let mut frames: Vec<_> = everything()
            .into_iter()
            .map(|(at, data)| (LinkType::Ethernet, at, data.len() as u32, data))
            .collect();
        for (which, place, value, cut) in damage {
            let index = which.index(frames.len());
            let (_, _, wire_len, data) = &mut frames[index];
            if data.is_empty() {
                continue;
            }
            let place = place.index(data.len());
            if cut {
                data.truncate(place);
            } else {
                data[place] = value;
                *wire_len = wire_len.wrapping_add(u32::from(value) % 3);
            }
        }
        feed(&frames);
    }
}
