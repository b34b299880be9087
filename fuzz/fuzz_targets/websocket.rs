//! What is found in a WebSocket does not depend on where its octets were cut into segments, and finding it never fails.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../properties/websocket.rs"]
mod property;

fuzz_target!(|input: &[u8]| property::holds(input));
