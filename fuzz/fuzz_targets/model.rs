//! Any octets are a model or are refused with a reason. A model that was taken gives verdicts in range for the
//! smallest and the largest row.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../properties/model.rs"]
mod property;

fuzz_target!(|octets: &[u8]| property::holds(octets));
