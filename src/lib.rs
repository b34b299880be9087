//! Picket: intrusion detection for the MQTT traffic of an IoT gateway.
//!
//! This file is the map. The **core** has no I/O, no clock, no heap and compiles without std; time is an
//! argument. The **shell** (feature `std`) captures, loads models, stores, publishes and talks to people.
//!
//! The way of a frame: [`decode`] -> [`flow`] -> [`mqtt`] -> [`host`] -> [`features`] -> [`detect`] ->
//! [`alert`], all driven by [`engine`].
#![cfg_attr(not(any(test, feature = "std")), no_std)]
#![forbid(unsafe_code)]
// Unit tests may read a clock, wait, and cast figures that they made themselves.
#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        clippy::disallowed_methods,
        clippy::float_cmp,
        clippy::large_stack_arrays,
        reason = "tests"
    )
)]

// ---- core ------------------------------------------------------------------------------------
pub mod alert;
pub mod client;
pub mod coap;
pub mod decode;
pub mod detect;
pub mod engine;
pub mod event;
pub mod features;
pub mod flow;
pub mod frame;
pub mod host;
pub mod limits;
pub mod mqtt;
pub mod mqttsn;
pub mod time;
pub mod tls;
pub mod websocket;

// ---- shell -----------------------------------------------------------------------------------
#[cfg(feature = "std")]
pub mod capture;
#[cfg(feature = "std")]
pub mod cli;
#[cfg(feature = "std")]
pub mod config;
#[cfg(feature = "std")]
pub mod daemon;
#[cfg(feature = "std")]
pub mod doctor;
#[cfg(feature = "std")]
pub mod error;
#[cfg(feature = "std")]
pub mod escape;
#[cfg(feature = "std")]
pub mod evaluate;
#[cfg(feature = "std")]
pub mod extract;
#[cfg(feature = "std")]
pub mod inspect;
#[cfg(feature = "std")]
pub mod label;
#[cfg(feature = "std")]
pub mod logging;
#[cfg(feature = "std")]
pub mod memory;
#[cfg(feature = "std")]
pub mod model;
#[cfg(feature = "std")]
pub mod privileges;
#[cfg(feature = "std")]
pub mod publish;
#[cfg(feature = "std")]
pub mod sandbox;
#[cfg(feature = "std")]
pub mod settings;
#[cfg(feature = "std")]
pub mod store;
#[cfg(feature = "std")]
pub mod update;
