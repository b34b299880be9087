//! Whatever fragments come, of several datagrams, in whatever order and at whatever time: what is put together is
//! what was sent.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../properties/fragment.rs"]
mod property;

fuzz_target!(|input: &[u8]| property::holds(input));
