//! Whatever segments of one stream come, in whatever order, repeated, cut or acknowledged: what is delivered lies where
//! it was sent, gaps are as long as told, and octets that are the same are no conflict.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../properties/stream.rs"]
mod property;

fuzz_target!(|input: &[u8]| property::holds(input));
