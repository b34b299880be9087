//! Counts of what is so at this moment.

/// What is gauged per source host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Gauge {
    /// Accepted sessions that are open.
    Sessions,
    /// Of these, those that never published nor subscribed.
    Unused,
    /// Of these, those unused for more than [`IDLE_AFTER_SECS`](crate::limits::IDLE_AFTER_SECS).
    Idle,
}
