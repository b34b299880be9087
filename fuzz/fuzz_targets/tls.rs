//! The hellos found in TLS do not depend on where the octets were cut into segments, up to the first octets that are no record
//! (from there on, boundaries are looked for at the starts of segments). Fingerprints are 36 characters.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../properties/tls.rs"]
mod property;

fuzz_target!(|input: &[u8]| property::holds(input));
