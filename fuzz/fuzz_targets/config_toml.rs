//! Any text is a configuration or a list of faults. A configuration, written out, reads back as the same one.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../properties/config.rs"]
mod property;

fuzz_target!(|text: &str| property::holds(text));
