//! The properties that the fuzz targets check, on octets drawn at random and on the seeds of `fuzz/corpus`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    unreachable_pub,
    reason = "a test may panic, and the properties are shared with the fuzz targets"
)]

use std::fs;
use std::path::Path;

use proptest::prelude::*;

#[path = "../fuzz/properties/mod.rs"]
mod properties;

/// Gives every seed of a target to its property.
fn seeds(target: &str, holds: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        // What a fuzzer found has no suffix and may be anything; seeds are named.
        if path.extension().is_some() {
            holds(&fs::read(&path).unwrap());
            count += 1;
        }
    }
    assert!(count > 0, "no seeds in {}", folder.display());
}

#[test]
fn seeds_of_config_toml() {
    seeds("config_toml", |octets| properties::config::holds(std::str::from_utf8(octets).unwrap()));
}

#[test]
fn seeds_of_decode() {
    seeds("decode", properties::decode::holds);
}

#[test]
fn seeds_of_mqtt_framer_split() {
    seeds("mqtt_framer_split", properties::framer::holds);
}

#[test]
fn seeds_of_engine() {
    seeds("engine", properties::engine::holds);
}

#[test]
fn seeds_of_model() {
    seeds("model", properties::model::holds);
}

/// A step of the engine's property that is likely to be a segment of MQTT.
fn step() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        Just(b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a".to_vec()),
        Just(b"\x20\x02\0\0".to_vec()),
        Just(b"\x20\x02\0\x05".to_vec()),
        Just(b"\x30\x04\0\x01tx".to_vec()),
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    (prop_oneof![Just(0u8), Just(16), any::<u8>()], any::<u8>(), any::<[u8; 4]>(), payload).prop_map(
        |(kind, time, place, payload)| {
            let length = u8::try_from(payload.len()).unwrap();
            [&[kind, time, length][..], if kind & 12 == 0 { &place } else { &[] }, &payload].concat()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_frame_decodes_or_is_skipped(input in prop::collection::vec(any::<u8>(), 0..200)) {
        properties::decode::holds(&input);
    }

    #[test]
    fn any_cut_gives_the_same_packets(input in prop::collection::vec(any::<u8>(), 0..2000)) {
        properties::framer::holds(&input);
    }

    #[test]
    fn any_steps_leave_the_engine_in_order(steps in prop::collection::vec(step(), 0..60)) {
        properties::engine::holds(&steps.concat());
    }

    #[test]
    fn any_octets_are_a_model_or_refused(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        properties::model::holds(&octets);
    }
}
