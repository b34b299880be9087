//! Capture time made monotonic. The box has no clock chip: its time may jump in both directions.

use crate::time::Timestamp;

/// A step back of up to this much is reordering, not a changed clock, in microseconds.
const REORDERING: u64 = 1_000_000;

/// Engine time: that of the frames, but never going back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    now: Option<Timestamp>,
    /// What is added to the frames' time since the clock was set back, in microseconds.
    offset: u64,
}

impl Clock {
    /// The engine time of a frame.
    #[inline]
    pub fn normalise(&mut self, ts: Timestamp) -> Timestamp {
        let shifted = Timestamp::from_micros(ts.as_micros().saturating_add(self.offset));
        let Some(now) = self.now else {
            self.now = Some(shifted);
            return shifted;
        };
        if shifted >= now {
            self.now = Some(shifted);
            return shifted;
        }
        let back = now.micros_since(shifted);
        if back > REORDERING {
            // The clock was set back: time goes on from here at its new pace.
            self.offset = self.offset.saturating_add(back);
        }
        now
    }

    /// The engine time of a tick; a tick from before the latest frame changes nothing.
    pub fn tick(&mut self, ts: Timestamp) -> Timestamp {
        let shifted = Timestamp::from_micros(ts.as_micros().saturating_add(self.offset));
        let now = self.now().max(shifted);
        self.now = Some(now);
        now
    }

    /// The latest engine time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now.unwrap_or_default()
    }

    /// Whether a frame has been seen.
    #[must_use]
    pub const fn has_started(&self) -> bool {
        self.now.is_some()
    }

    /// What was added to the frames' time, in microseconds; to be taken off again where time is shown.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_goes_back_and_goes_on_after_a_step_back() {
        let mut clock = Clock::default();
        let at = Timestamp::from_micros;
        assert_eq!(clock.normalise(at(10_000_000)), at(10_000_000));
        assert_eq!(clock.normalise(at(9_500_000)), at(10_000_000));
        assert_eq!(clock.offset(), 0);
        // Set back by eight seconds.
        assert_eq!(clock.normalise(at(2_000_000)), at(10_000_000));
        assert_eq!(clock.normalise(at(2_500_000)), at(10_500_000));
        assert_eq!(clock.offset(), 8_000_000);
        assert_eq!(clock.tick(at(1_000_000)), at(10_500_000));
        assert_eq!(clock.tick(at(3_000_000)), at(11_000_000));
    }
}
