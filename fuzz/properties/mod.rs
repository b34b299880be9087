//! What has to hold for any input. The fuzz targets feed it, and so does `tests/properties.rs`, which needs no
//! nightly compiler.

pub mod capture;
pub mod config;
pub mod decode;
pub mod engine;
pub mod framer;
pub mod model;
pub mod tls;
pub mod websocket;
