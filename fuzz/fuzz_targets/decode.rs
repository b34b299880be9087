//! Any frame under any link type is a packet or has a reason to be skipped; what is handed on lies within the
//! frame, and lengths on the wire are no less than what was captured.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../properties/decode.rs"]
mod property;

fuzz_target!(|input: &[u8]| property::holds(input));
