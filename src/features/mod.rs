//! From counters to rows of numbers. No address, port, TTL, checksum, link type, TCP window or timestamp is ever a column.

pub mod connection;
pub mod exchange;
pub mod packet;
pub mod schema;

use crate::limits::MAX_FEATURES;
use crate::time::Timestamp;

/// One row, in the order of its schema; the places beyond the schema's width are zero.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FeatureVector {
    /// The values; only the first `schema.width()` count.
    pub values: [f32; MAX_FEATURES],
}

impl FeatureVector {
    /// All zero.
    pub const ZERO: Self = Self { values: [0.0; MAX_FEATURES] };

    /// What each of these columns says of `subject` at `now`.
    #[must_use]
    pub fn of<T>(columns: &[fn(&T, Timestamp) -> u64], subject: &T, now: Timestamp) -> Self {
        let mut vector = Self::ZERO;
        for (value, column) in vector.values.iter_mut().zip(columns) {
            // Exact up to 2^24, beyond that rounded the same way everywhere.
            *value = column(subject, now) as f32;
        }
        vector
    }

    /// The row as the schema sees it.
    #[must_use]
    pub fn row(&self, width: usize) -> &[f32] {
        self.values.get(..width).unwrap_or(&self.values)
    }
}
