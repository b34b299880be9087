//! The control packets found in a stream do not depend on where it was cut into segments, up to the first length
//! that is none (from there on, boundaries are looked for at the starts of segments). Reading them never fails.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../properties/framer.rs"]
mod property;

fuzz_target!(|input: &[u8]| property::holds(input));
