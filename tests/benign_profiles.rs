//! Every kind of device of the laboratory alone on a network, in simulated time: neither rules nor the shipped model have anything
//! of medium severity or more to say. Each time the broker restarts once, so that all lose their sessions and come back at once.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may panic and use the clock's threads"
)]

mod support;

use std::sync::Mutex;
use std::thread;

use clap::ValueEnum as _;
use picket_lab::benign::profile::Profile;
use picket_lab::sim::{Only, Simulation};
use serde_json::Value;

use support::program::picket;

/// The model that is shipped.
const MODEL: &str = "models/default.onnx";
/// Threads at most.
const THREADS: usize = 4;

/// Simulates, replays, and gives the alerts that nobody should get.
fn alarms(name: &str, simulation: &Simulation) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let manifest = simulation.run(folder.path()).unwrap();
    assert!(manifest.packets > 100, "{name}: {} packets", manifest.packets);
    for device in &manifest.benign {
        let tally = &device.tally;
        let acts =
            if device.profile.speaks_mqtt() { tally.sessions + tally.refused } else { tally.published };
        assert!(acts > 0, "{name}: a device does nothing: {device:?}");
    }
    let capture = folder.path().join("capture.pcap");
    let lines = picket(args!["replay", "--model", MODEL, "--output", "jsonl", capture]).ok();
    let mut alarms: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|alert| !["info", "low"].contains(&alert["severity"].as_str().unwrap()))
        .map(|alert| format!("{name}: {} {} {}", alert["severity"], alert["detector"], alert["message"]))
        .collect();
    alarms.truncate(5);
    alarms
}

/// Wants no alarm in any of these.
#[track_caller]
fn silent(cases: &[(String, Simulation)]) {
    let (waiting, found) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from).min(THREADS) {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap().next();
                    let Some((name, simulation)) = next else { break };
                    let alarms = alarms(name, simulation);
                    found.lock().unwrap().extend(alarms);
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// From midnight to eleven: the broker restarts between three and four, people wake up at six, and everything that is switched on
/// at some hours only is on at least once.
const HOURS: u32 = 11;

#[test]
fn every_kind_of_device_alone_raises_no_alarm() {
    // More of them by hand: PICKET_PROFILE_SEEDS=1,2,3.
    let seeds = std::env::var("PICKET_PROFILE_SEEDS").unwrap_or_else(|_| "5".into());
    let seeds: Vec<u64> = seeds.split(',').map(|seed| seed.parse().unwrap()).collect();
    let cases: Vec<_> = Profile::value_variants()
        .iter()
        .flat_map(|profile| seeds.iter().map(move |seed| (*profile, *seed)))
        .map(|(profile, seed)| {
            let only = Only { profiles: vec![profile], devices: 1, together: false };
            (format!("{} {seed}", profile.name()), Simulation { hours: HOURS, seed, only: Some(only) })
        })
        .collect();
    silent(&cases);
}

#[test]
fn sixty_devices_that_come_back_after_a_restart_raise_no_alarm() {
    let profiles = vec![
        Profile::Periodic,
        Profile::Random,
        Profile::Actuator,
        Profile::Standby,
        Profile::Tasmota,
        Profile::Sparkplug,
        Profile::Ota,
        Profile::Modern,
    ];
    let only = Only { profiles, devices: 60, together: false };
    silent(&[("sixty".into(), Simulation { hours: 4, seed: 5, only: Some(only) })]);
}
