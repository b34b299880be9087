//! Any octets are a capture or are refused; reading ends, frames are no longer than they may be, and how the octets
//! arrive makes no difference.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../properties/capture.rs"]
mod property;

fuzz_target!(|octets: &[u8]| property::holds(octets));
