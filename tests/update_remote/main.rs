//! The way of a model over a real mosquitto with TLS, client certificates and the access list that is shipped: the operator's
//! command on one side, the sensor's side of MQTT on the other. Whole daemons are in `update_fleet`.
#![cfg(feature = "tls")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    unreachable_pub,
    dead_code,
    reason = "a test may panic, wait and read the clock; each uses a part of the support"
)]

#[path = "../support/authority.rs"]
mod authority;
#[path = "../support/desk.rs"]
mod desk;
#[path = "../publish_support/mod.rs"]
mod publish_support;

mod command;
mod overrun;
mod sensor;
mod site;
