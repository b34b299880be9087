//! Whatever comes in, in whatever order of time: every incident opens once, is closed once, and says what can be
//! true; the same input gives the same alerts again.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../properties/engine.rs"]
mod property;

fuzz_target!(|input: &[u8]| property::holds(input));
