//! A model takes the place of another while frames come: every frame is counted, connections and windows stay, and alerts
//! are the same.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may panic, read the clock and say what it measured"
)]

mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, Instant};

use picket::alert::Alert;
use picket::engine::{Engine, Settings, Stats};
use picket::memory::OwnedMemory;
use picket::model::{Desk, LiveModels, ModelSet, OnnxScorer, Order};

use support::capture::{Capture, START, Socket, host};
use support::mqtt::V311;
use support::observe::Alerts;
use support::{attack, benign};

const BROKER: Socket = (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1883);

fn model() -> OnnxScorer {
    OnnxScorer::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default.onnx")).unwrap()
}

/// Four minutes of sensors, then a scan and a flood of connections.
fn capture() -> Capture {
    let mut capture = Capture::default();
    for sensor in 7..17 {
        capture = capture.with(benign::sensor(V311, host(sensor), BROKER, START, 240));
    }
    let later = START + 240_000_000;
    capture = capture.with(attack::tcp_scan(host(66), BROKER.0, later, 200, 20_000));
    capture.sorted().then_quiet(90)
}

/// The capture through an engine whose model is exchanged every so many frames; also how long that took at most, and how often
/// it was done.
fn run(capture: &Capture, every: Option<usize>) -> (Vec<Alert>, Stats, Duration, u32) {
    let desk = Desk::default();
    let mut memory = OwnedMemory::new();
    let live = LiveModels::new(ModelSet::empty(), Some(model()));
    let mut engine = Engine::new(Settings::default(), memory.lend(), live);
    let mut alerts = Alerts::default();
    let (mut longest, mut swaps) = (Duration::ZERO, 0);
    for (number, frame) in capture.iter().enumerate() {
        engine.on_frame(&frame, &mut alerts);
        if every.is_some_and(|every| number % every == every - 1) {
            desk.put(Order::Use(Some(Box::new(model()))));
            let begun = Instant::now();
            assert!(engine.scorer().visit(&desk));
            let place = engine.scorer().place();
            engine.model_changed(place);
            longest = longest.max(begun.elapsed());
            swaps += 1;
            desk.look();
        }
    }
    engine.finish(&mut alerts);
    (alerts.0, engine.stats(), longest, swaps)
}

#[test]
fn nothing_is_lost_by_two_hundred_swaps() {
    let capture = capture();
    let frames = capture.iter().count();
    let (alerts, stats, _, _) = run(&capture, None);
    let every = frames / 200;
    let (alerts_swapped, stats_swapped, longest, swaps) = run(&capture, Some(every));
    println!("{swaps} swaps during {frames} frames, the longest {longest:?}");
    assert!(swaps >= 200 && !alerts.is_empty());
    assert_eq!(stats_swapped.frames, frames as u64);
    // All counters: frames, octets, control packets, connections, hosts, rows scored, alerts.
    assert_eq!(format!("{stats_swapped:?}"), format!("{stats:?}"));
    assert_eq!(format!("{alerts_swapped:?}"), format!("{alerts:?}"));
}

/// Rows are made when a model comes that wants them, and not before.
#[test]
fn a_model_where_there_was_none() {
    let desk = Desk::default();
    let mut memory = OwnedMemory::new();
    let live = LiveModels::new(ModelSet::empty(), None);
    let mut engine = Engine::new(Settings::default(), memory.lend(), live);
    let mut alerts = Alerts::default();
    let capture = capture();
    let half = capture.iter().count() / 2;
    for (number, frame) in capture.iter().enumerate() {
        if number == half {
            assert_eq!(engine.stats().scored, 0);
            desk.put(Order::Use(Some(Box::new(model()))));
            assert!(engine.scorer().visit(&desk));
            let place = engine.scorer().place();
            engine.model_changed(place);
        }
        engine.on_frame(&frame, &mut alerts);
    }
    assert!(engine.stats().scored > 0);
}
