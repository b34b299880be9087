//! From counters to rows of numbers. No address, port, TTL, checksum, link type, TCP window or timestamp is ever a column.

pub mod connection;
pub mod exchange;
pub mod schema;

use crate::limits::MAX_FEATURES;

/// One row, in the order of its schema; the places beyond the schema's width are zero.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FeatureVector {
    /// The values; only the first `schema.width()` count.
    pub values: [f32; MAX_FEATURES],
}

impl FeatureVector {
    /// All zero.
    pub const ZERO: Self = Self { values: [0.0; MAX_FEATURES] };

    /// The row as the schema sees it.
    #[must_use]
    pub fn row(&self, width: usize) -> &[f32] {
        self.values.get(..width).unwrap_or(&self.values)
    }
}
