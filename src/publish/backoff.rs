//! How long to wait before the next attempt to reach the broker.

use std::time::Duration;

/// The bounds of the waiting times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BackoffPolicy {
    /// Before the second attempt.
    pub first: Duration,
    /// At most, however often it failed.
    pub most: Duration,
    /// After the broker refused us: it will not change its mind within a second.
    pub refused: Duration,
}

impl Default for BackoffPolicy {
    /// 1 s doubling to 60 s; 30 s after a refusal.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            most: Duration::from_secs(60),
            refused: Duration::from_secs(30),
        }
    }
}

/// Exponential waiting times with jitter.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    policy: BackoffPolicy,
    failures: u32,
}

impl Backoff {
    pub(super) const fn new(policy: BackoffPolicy) -> Self {
        Self { policy, failures: 0 }
    }

    /// A connection was of use: begin anew.
    pub(super) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// The time to wait after one more failure, between half the step and the whole of it; `random` is any
    /// number, and spreads the sensors of a site when their broker comes back.
    pub(super) fn next(&mut self, refused: bool, random: u32) -> Duration {
        let doubled = self.policy.first.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        let least = if refused { self.policy.refused } else { Duration::ZERO };
        let step = doubled.min(self.policy.most).max(least);
        step / 2 + (step / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_most_and_begins_anew() {
        let mut backoff = Backoff::new(BackoffPolicy::default());
        let steps: Vec<u64> = (0..9).map(|_| backoff.next(false, u32::MAX).as_secs()).collect();
        assert_eq!(steps, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        backoff.reset();
        assert_eq!(backoff.next(false, 0), Duration::from_millis(500));
        for _ in 0..100 {
            assert!(backoff.next(false, u32::MAX) <= Duration::from_secs(60));
        }
    }

    #[test]
    fn a_refusal_waits_longer() {
        let mut backoff = Backoff::new(BackoffPolicy::default());
        assert_eq!(backoff.next(true, u32::MAX), Duration::from_secs(30));
    }
}
