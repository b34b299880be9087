//! What has to hold for any input. The fuzz targets feed it, and so does `tests/properties.rs`, which needs no
//! nightly compiler.

pub mod capture;
pub mod config;
pub mod decode;
pub mod draw;
#[allow(dead_code, unused_imports, reason = "the other tests use all of it")]
#[path = "../../tests/support/mqtt/mod.rs"]
pub mod encoder;
pub mod engine;
pub mod exchange;
pub mod fragment;
pub mod framer;
pub mod model;
pub mod round_trip;
pub mod stream;
pub mod tls;
pub mod websocket;
