//! Traffic built by code: MQTT packets, TCP conversations, whole captures, and what the engine makes of them.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::cast_lossless,
    reason = "every test binary uses another part of it, and a test may panic and cast figures it made itself"
)]

pub mod again;
pub mod attack;
pub mod benign;
pub mod capture;
pub mod conversation;
pub mod corpus;
pub mod extract;
pub mod hostile;
pub mod mqtt;
pub mod namespace;
pub mod observe;
pub mod program;
pub mod savefile;
pub mod seen;
pub mod tls;
pub mod websocket;
