//! What the service manager is told: that the daemon is ready, that its pipeline lives, that it stops (sd_notify(3)).
//!
//! Started by hand, or by a manager that does not ask, nothing is told. The sign of life comes from the pipeline, between two frames,
//! and only while alerts can be delivered: a timer thread of its own would go on when detection hangs.

use sd_notify::NotifyState;

/// Seconds between two signs of life at most: half of the shortest time that a manager may be set to wait, 10 s.
const EVERY: u64 = 5;

/// The service manager, if there is one.
#[derive(Debug, Default)]
pub(super) struct Supervisor {
    /// The second of the last sign of life.
    last: u64,
    /// Whether telling failed before: said once.
    failed: bool,
}

impl Supervisor {
    /// Frames are being read.
    pub(super) fn ready(&mut self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// The pipeline lives in this second; a clock that is set back makes no pause.
    pub(super) fn alive(&mut self, second: u64) {
        if self.last.abs_diff(second) >= EVERY {
            self.last = second;
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    /// The end has begun.
    pub(super) fn stopping(&mut self) {
        self.tell(&[NotifyState::Stopping]);
    }

    fn tell(&mut self, state: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(state)
            && !self.failed
        {
            self.failed = true;
            log::warn!("the service manager cannot be told: {error}");
        }
    }
}
