//! What is found in TLS does not depend on where its two directions were cut into segments; any hello has a fingerprint
//! or is not complete.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../properties/exchange.rs"]
mod exchange;
#[path = "../properties/tls.rs"]
mod property;

fuzz_target!(|input: &[u8]| property::holds(input));
