//! Streams of two encoders that are not ours decode to what was encoded; damaged ones cost nothing but what was damaged.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::match_bool,
    clippy::cast_possible_truncation,
    reason = "a test may panic, print what it measured, and cast figures it made itself"
)]

#[path = "../support/mod.rs"]
mod support;

mod encoders;
mod said;

use std::net::IpAddr;

use picket::detect::scorer::NoModel;
use picket::engine::{Engine, Observed, Settings, Sink};
use picket::inspect::line::{Form, Lines};
use picket::memory::OwnedMemory;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use encoders::{ENCODERS, Encoder};
use said::{Said, connack, connect, later, sort_properties};
use support::capture::{SECOND, START, host};
use support::conversation::Conversation;

/// CONNECT, CONNACK, anything, DISCONNECT.
fn session() -> impl Strategy<Value = Vec<Said>> {
    (connect(), connack(), prop::collection::vec(later(), 0..20)).prop_map(|(connect, connack, later)| {
        [vec![connect, connack], later, vec![Said::Disconnect]].concat()
    })
}

/// The packets of a session as ours shows them, from segments of at most `size` octets.
fn shown(session: &[Said], encoder: &Encoder, size: usize) -> Vec<(bool, String, Value)> {
    let mut talk = Conversation::new((host(7), 50_007), (host(1), 1883), START).open();
    // What one side says without a pause goes into one stretch of octets, however many packets it is.
    for run in session.chunk_by(|a, b| a.goes_up() == b.goes_up()) {
        let octets: Vec<u8> = run.iter().flat_map(|said| (encoder.encode)(said)).collect();
        for piece in octets.chunks(size) {
            if run[0].goes_up() { talk.send(piece) } else { talk.reply(piece) }
        }
    }
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(Settings { rules: false, ..Settings::default() }, memory.lend(), NoModel);
    let mut out = Vec::new();
    let mut lines = Lines::new(&mut out, Form::Json, false);
    talk.close().iter().for_each(|frame| engine.on_frame(&frame, &mut lines));
    engine.finish(&mut lines);
    lines.finish().unwrap();
    String::from_utf8(out)
        .unwrap()
        .lines()
        .map(|line| {
            let mut packet: Value = serde_json::from_str(line).unwrap();
            let mut fields = packet["fields"].take();
            // A random session breaks rules of order; what it says is all that counts here.
            fields.as_object_mut().unwrap().remove("violations");
            sort_properties(&mut fields);
            (packet["direction"] == "to_server", packet["type"].as_str().unwrap().to_owned(), fields)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_others_encode_decodes_to_the_same_facts(session in session(), size in prop_oneof![1..8_usize, 8..200_usize, 200..1400_usize]) {
        for encoder in &ENCODERS {
            let ours = shown(&session, encoder, size);
            let theirs: Vec<(bool, String, Value)> = session
                .iter()
                .map(|said| {
                    let (name, fields) = said.shown(encoder.v5);
                    (said.goes_up(), name.to_owned(), fields)
                })
                .collect();
            prop_assert_eq!(ours, theirs, "{} in segments of {}", encoder.name, size);
        }
    }
}

// ---- damage -----------------------------------------------------------------------------------

/// The packets a client sent: first octet, Remaining Length, and what was captured of the rest.
#[derive(Default)]
struct Heads(Vec<(u8, u32, Vec<u8>)>);

impl Sink for Heads {
    const WANTS_PACKETS: bool = true;

    fn control_packet(&mut self, seen: &Observed<'_, '_>) {
        let head = seen.raw.head;
        let kept = head.len().min(picket::limits::HEAD_BYTES);
        self.0.push((seen.raw.first, seen.raw.remaining_length, head[..kept].to_vec()));
    }
}

/// Sends packets, a segment each, on a connection of its own, and gives what was found.
fn found(engine: &mut Engine<'_, NoModel>, packets: &[Vec<u8>], turn: u32) -> Vec<(u8, u32, Vec<u8>)> {
    let [a, b, c, d] = (0x0a00_0000 + turn).to_be_bytes();
    let client = IpAddr::from([a, b, c, d]);
    let now = START + u64::from(turn) * SECOND / 100;
    let mut talk = Conversation::new((client, 50_007), (host(0xff01), 1883), now).open();
    packets.iter().for_each(|packet| talk.send(packet));
    let mut heads = Heads::default();
    talk.close().iter().for_each(|frame| engine.on_frame(&frame, &mut heads));
    heads.0
}

/// Where the octets behind the fixed header begin.
fn body(packet: &[u8]) -> usize {
    2 + packet.iter().skip(1).take_while(|octet| **octet & 0x80 != 0).count()
}

/// How many mutations of each encoder's streams, in bodies and in fixed headers each.
const MUTATIONS: u32 = 10_000;

/// Calls `check` with random streams of an encoder: CONNECT and eight packets that a client may send in a segment each.
fn with_streams(
    encoder: &Encoder,
    mut check: impl FnMut(&mut Engine<'_, NoModel>, &mut TestRng, Vec<Vec<u8>>, u32),
) {
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(Settings { rules: false, ..Settings::default() }, memory.lend(), NoModel);
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut stream = Vec::new();
    for turn in 0..MUTATIONS {
        if turn % 20 == 0 {
            let some = prop::collection::vec(later().prop_filter("of a client", Said::goes_up), 8);
            let (connect, some) = (connect(), some).new_tree(&mut runner).unwrap().current();
            let packets = std::iter::once(connect).chain(some).map(|said| (encoder.encode)(&said));
            stream = packets.map(|packet| packet[..packet.len().min(1400)].to_vec()).collect();
            // A packet that fills more than a segment would only hide where the next one begins.
            stream.retain(|packet: &Vec<u8>| packet.len() < 1400);
            stream.extend([vec![0xc0, 0], vec![0xc0, 0]]);
        }
        let mut rng = runner.new_rng();
        check(&mut engine, &mut rng, stream.clone(), turn);
    }
}

/// Wrong octets behind a fixed header: every packet is found with its own boundaries, and all others unchanged.
#[test]
fn damage_in_a_packet_costs_that_packet_alone() {
    for encoder in &ENCODERS {
        with_streams(encoder, |engine, rng, mut stream, turn| {
            let at = rng.random_range(1..stream.len());
            let begin = body(&stream[at]);
            let before = stream.clone();
            if begin < stream[at].len() {
                for _ in 0..rng.random_range(1..4) {
                    let place = rng.random_range(begin..stream[at].len());
                    stream[at][place] = rng.random();
                }
            }
            let found = found(engine, &stream, turn);
            assert_eq!(found.len(), stream.len(), "{} {turn} {at}", encoder.name);
            for (n, (first, length, head)) in found.iter().enumerate() {
                let wanted = if n == at { &stream[n] } else { &before[n] };
                let begin = body(wanted);
                assert_eq!((*first, *length as usize), (wanted[0], wanted.len() - begin));
                assert_eq!(*head, wanted[begin..][..head.len()], "{} {turn} {at} {n}", encoder.name);
            }
        });
    }
}

/// A wrong octet in a fixed header. A length is believed as its receiver believes it, so what follows a wrong one is found
/// again where the announced octets end at a boundary, or where the lengths read in their place become impossible.
/// What came before is untouched, a wrong type or wrong flags cost no boundary, and the work is bounded by the octets.
#[test]
fn damage_in_a_fixed_header_does_what_it_does_to_the_receiver() {
    for encoder in &ENCODERS {
        let (mut lengths, mut passed) = (0, 0);
        with_streams(encoder, |engine, rng, mut stream, turn| {
            let at = rng.random_range(1..stream.len() - 2);
            let place = rng.random_range(0..body(&stream[at]));
            let header = |packet: &Vec<u8>| (packet[0], packet.len() - body(packet));
            let mut sent: Vec<(u8, usize)> = stream.iter().map(header).collect();
            stream[at][place] ^= rng.random_range(1..=255_u8);
            sent[at].0 = stream[at][0];
            let octets: usize = stream.iter().map(Vec::len).sum();
            let found = found(engine, &stream, turn);
            // Every packet takes at least two octets.
            assert!(found.len() <= octets / 2);
            let ours: Vec<(u8, usize)> =
                found.iter().map(|(first, length, _)| (*first, *length as usize)).collect();
            assert_eq!(ours[..at], sent[..at], "{} {turn} {at}", encoder.name);
            if place == 0 {
                assert_eq!(ours, sent, "{} {turn} {at}", encoder.name);
            } else {
                lengths += 1;
                passed += u32::from(ours.last() == sent.last());
            }
        });
        println!("{}: {lengths} wrong lengths, {passed} of them passed within the stream", encoder.name);
    }
}

/// A length of more than four octets is none for the receiver either: the next segment that begins with a packet is found.
#[test]
fn an_impossible_length_costs_the_segment_it_stands_in() {
    for encoder in &ENCODERS {
        with_streams(encoder, |engine, rng, mut stream, turn| {
            let at = rng.random_range(1..stream.len() - 1);
            let wrong = [0x30, 0xff, 0xff, 0xff, 0x80 | rng.random::<u8>()];
            let rest = stream[at].len().min(200);
            stream[at] = [&wrong[..], &stream[at][..rest]].concat();
            let found = found(engine, &stream, turn);
            let expected: Vec<u8> =
                stream.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, packet)| packet[0]).collect();
            let firsts: Vec<u8> = found.iter().map(|(first, ..)| *first).collect();
            assert_eq!(firsts, expected, "{} {turn} {at}", encoder.name);
        });
    }
}
