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
    /// PUBLISH sent with QoS 2 whose PUBREL has not come.
    Qos2Open,
}

impl Gauge {
    /// How many gauges there are.
    pub const COUNT: usize = Self::Qos2Open as usize + 1;
}

/// The gauges of one host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Gauges([u32; Gauge::COUNT]);

impl Gauges {
    /// All zero.
    pub const NONE: Self = Self([0; Gauge::COUNT]);

    /// One more.
    pub fn up(&mut self, gauge: Gauge) {
        self.0[gauge as usize] += 1;
    }

    /// One less; never below zero, since a host may have been forgotten and met again between.
    pub fn down(&mut self, gauge: Gauge) {
        self.down_by(gauge, 1);
    }

    /// So many less, and never below zero.
    pub fn down_by(&mut self, gauge: Gauge, n: u32) {
        let value = &mut self.0[gauge as usize];
        *value = value.saturating_sub(n);
    }

    /// The value.
    #[must_use]
    pub const fn get(&self, gauge: Gauge) -> u32 {
        self.0[gauge as usize]
    }
}
