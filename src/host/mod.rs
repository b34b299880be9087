//! What is remembered of each source host: sliding windows, sketches of distinct values, gauges.

pub mod gauge;
pub mod sketch;
pub mod window;
