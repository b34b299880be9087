//! What is found in a WebSocket does not depend on where its two directions were cut into segments, and nothing is found
//! that was not sent.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../properties/exchange.rs"]
mod exchange;
#[path = "../properties/websocket.rs"]
mod property;

fuzz_target!(|input: &[u8]| property::holds(input));
