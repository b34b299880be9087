//! What an encoder of our own wrote, the framer and the decoder read: the same packets with the same fields, however the
//! stream was cut.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../properties/draw.rs"]
mod draw;
#[allow(dead_code, unused_imports, reason = "the tests use all of it")]
#[path = "../../tests/support/mqtt/mod.rs"]
mod encoder;
#[path = "../properties/round_trip.rs"]
mod property;

fuzz_target!(|input: &[u8]| property::holds(input));
