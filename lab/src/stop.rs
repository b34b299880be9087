//! When to stop: a signal, a deadline, whichever comes first. Every wait in the laboratory goes through here.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::random::Random;

/// Longest uninterrupted sleep: the delay between a signal and its effect.
const SLICE: Duration = Duration::from_millis(50);

/// A shared stop flag with an optional deadline of its own.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Stop {
    /// A stop that SIGINT, SIGTERM and SIGHUP set. A second signal changes nothing: cleaning up is bounded in time,
    /// and half of it would leave namespaces behind.
    ///
    /// # Errors
    /// If the handlers cannot be installed.
    pub fn on_signals() -> io::Result<Self> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&stop.flag))?;
        }
        Ok(stop)
    }

    /// The same flag, with a deadline that is no later than its own.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        let end = Instant::now() + limit;
        Self { flag: Arc::clone(&self.flag), deadline: Some(self.deadline.map_or(end, |own| own.min(end))) }
    }

    /// Sets the flag for everyone who shares it.
    pub fn set(&self) {
        self.flag.store(true, Ordering::Relaxed);
    }

    /// Whether the flag is set: someone, or a signal, wants everything to end.
    #[must_use]
    pub fn interrupted(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// Whether it is time to stop.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.interrupted() || self.deadline.is_some_and(|end| Instant::now() >= end)
    }

    /// Sleeps until `until`, or until it is time to stop. True if the time came and there is no reason to stop.
    #[must_use]
    pub fn sleep_until(&self, until: Instant) -> bool {
        loop {
            if self.is_set() {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(
                self.deadline
                    .map_or(left, |end| left.min(end.saturating_duration_since(Instant::now())))
                    .min(SLICE),
            );
        }
    }

    /// Sleeps for a while; see [`Stop::sleep_until`].
    #[must_use]
    pub fn sleep(&self, time: Duration) -> bool {
        self.sleep_until(Instant::now() + time)
    }
}

/// Hands out turns at a constant rate, on average: a late turn is made good by the next ones.
#[derive(Debug)]
pub struct Pacer {
    next: Instant,
    gap: Duration,
    jitter: Option<(f64, Random)>,
}

impl Pacer {
    /// `per_second` turns a second; zero means no limit.
    #[must_use]
    pub fn new(per_second: f64) -> Self {
        let gap = if per_second > 0.0 { Duration::from_secs_f64(1.0 / per_second) } else { Duration::ZERO };
        Self { next: Instant::now(), gap, jitter: None }
    }

    /// Lets each gap vary by up to this share of it, up and down; the mean stays.
    #[must_use]
    pub fn jittered(self, share: f64, random: &mut Random) -> Self {
        let share = share.clamp(0.0, 1.0);
        Self { jitter: (share > 0.0).then(|| (share, Random::new(random.seed()))), ..self }
    }

    /// Waits for the next turn. False when it is time to stop instead.
    #[must_use]
    pub fn turn(&mut self, stop: &Stop) -> bool {
        let go = if self.gap.is_zero() { !stop.is_set() } else { stop.sleep_until(self.next) };
        self.next += match &mut self.jitter {
            Some((share, random)) => self.gap.mul_f64(random.between_f64((1.0 - *share, 1.0 + *share))),
            None => self.gap,
        };
        go
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_ends_a_sleep_and_never_moves_later() {
        let stop = Stop::default().within(Duration::from_millis(30));
        let start = Instant::now();
        assert!(!stop.within(Duration::from_mins(1)).sleep(Duration::from_mins(1)));
        assert!(start.elapsed() < Duration::from_secs(50));
        assert!(stop.is_set() && !stop.interrupted());
    }

    #[test]
    fn the_flag_is_shared() {
        let stop = Stop::default();
        let other = stop.within(Duration::from_mins(1));
        assert!(other.sleep(Duration::from_millis(1)));
        stop.set();
        assert!(other.is_set() && other.interrupted());
    }

    #[test]
    fn a_pacer_keeps_its_rate() {
        let stop = Stop::default();
        let mut pacer = Pacer::new(200.0);
        let start = Instant::now();
        for _ in 0..21 {
            assert!(pacer.turn(&stop));
        }
        assert!(start.elapsed() >= Duration::from_millis(95), "21 turns at 200/s take 20 gaps");
    }
}
