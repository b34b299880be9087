//! The properties that the fuzz targets check, on octets drawn at random and on the seeds of `fuzz/corpus`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    unreachable_pub,
    reason = "a test may panic and cast figures it made itself; the properties are shared with the fuzz targets"
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
fn seeds_of_capture_file() {
    seeds("capture_file", properties::capture::holds);
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
fn seeds_of_mqtt_round_trip() {
    seeds("mqtt_round_trip", properties::round_trip::holds);
}

#[test]
fn seeds_of_engine() {
    seeds("engine", properties::engine::holds);
}

#[test]
fn seeds_of_websocket() {
    seeds("websocket", properties::websocket::holds);
}

#[test]
fn seeds_of_stream() {
    seeds("stream", properties::stream::holds);
}

#[test]
fn seeds_of_fragment() {
    seeds("fragment", properties::fragment::holds);
}

#[test]
fn seeds_of_tls() {
    seeds("tls", properties::tls::holds);
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
    let kind = prop_oneof![Just(0u8), Just(16), Just(32), Just(48), any::<u8>()];
    (kind, any::<u8>(), any::<[u8; 4]>(), payload).prop_map(|(kind, time, place, payload)| {
        let length = u8::try_from(payload.len()).unwrap();
        let place = match kind {
            _ if kind & 12 != 0 => &[][..],
            // A turn, most often on the same connection and with nothing odd about it.
            _ if kind & 32 != 0 => &[if place[1] < 99 { place[0] } else { 0 }],
            _ => &place,
        };
        [&[kind, time, length][..], place, &payload].concat()
    })
}

/// A step of the WebSocket's property: one of its parts, or anything.
fn websocket_step() -> impl Strategy<Value = Vec<u8>> {
    let octets = prop_oneof![
        Just(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n".to_vec()),
        Just(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n".to_vec()),
        Just(b"Sec-WebSocket-Protocol: mqtt\r\n".to_vec()),
        Just(b"Sec-WebSocket-Extensions: permessage-deflate\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\x82\x82\x01\x02\x03\x04\xc1\x02".to_vec()),
        Just(b"\xc2\x03abc\x89\0\x01\x02hi".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    (any::<bool>(), octets).prop_map(|(down, octets)| {
        [&[u8::from(down), u8::try_from(octets.len()).unwrap()][..], &octets].concat()
    })
}

/// A step of the property of TLS: the beginning of a hello, a record of anything, or anything.
fn tls_step() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(any::<u8>(), 0..60);
    let octets = (0..3, 20_u8..25, body).prop_map(|(kind, content, body)| {
        let hello = [&[1, 0, 0, 60, 3, 3][..], &[0x55; 32], &[0, 0, 2, 0x13, 1, 1, 0], &body].concat();
        match kind {
            0 => [&[22, 3, 3, 0, u8::try_from(hello.len()).unwrap()][..], &hello].concat(),
            1 => [&[content, 3, 3, 0, u8::try_from(body.len()).unwrap()][..], &body].concat(),
            _ => body,
        }
    });
    (any::<bool>(), octets).prop_map(|(down, octets)| {
        [&[u8::from(down), u8::try_from(octets.len()).unwrap()][..], &octets].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_octets_after_a_header_are_a_capture(
        seed in prop::sample::select(vec!["micro", "nano-big", "sections", "blocks", "zstd"]),
        kept in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/capture_file");
        let mut octets = fs::read(folder.join(seed).with_extension("bin")).unwrap();
        for (place, octet) in changes {
            let place = place.index(octets.len());
            octets[place] = octet;
        }
        octets.truncate(kept.index(octets.len()).max(24));
        octets.extend(rest);
        properties::capture::holds(&octets);
    }

    #[test]
    fn any_segments_are_delivered_where_they_were_sent(
        first in any::<[u8; 4]>(),
        steps in prop::collection::vec((0u8..8, 0u8..2, any::<u8>(), any::<u8>()), 0..120),
    ) {
        let steps = steps.into_iter().flat_map(|(kind, high, low, len)| [kind, high, low, len]);
        properties::stream::holds(&first.into_iter().chain(steps).collect::<Vec<u8>>());
    }

    #[test]
    fn any_fragments_give_what_was_sent(
        steps in prop::collection::vec((0u8..3, any::<bool>(), 0u8..90, any::<u8>(), 0u8..4), 0..120),
    ) {
        let step = |(which, six, offset, len, wait)| [which | u8::from(six) << 7, offset, len, wait];
        properties::fragment::holds(&steps.into_iter().flat_map(step).collect::<Vec<u8>>());
    }

    #[test]
    fn any_frame_decodes_or_is_skipped(input in prop::collection::vec(any::<u8>(), 0..200)) {
        properties::decode::holds(&input);
    }

    #[test]
    fn any_cut_gives_the_same_in_a_websocket(steps in prop::collection::vec(websocket_step(), 0..40)) {
        properties::websocket::holds(&steps.concat());
    }

    #[test]
    fn any_cut_gives_the_same_hellos(steps in prop::collection::vec(tls_step(), 0..20)) {
        properties::tls::holds(&steps.concat());
    }

    #[test]
    fn any_cut_gives_the_same_packets(input in prop::collection::vec(any::<u8>(), 0..2000)) {
        properties::framer::holds(&input);
    }

    #[test]
    fn any_packets_are_read_as_they_were_written(input in prop::collection::vec(any::<u8>(), 0..400)) {
        properties::round_trip::holds(&input);
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
