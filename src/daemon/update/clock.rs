//! The time for updates, and whether it is known to be right.
//!
//! A gateway without a battery starts in the past. Whoever sets its clock leaves a mark, and only with one is expiry judged:
//! systemd-timesyncd makes its own, the package for OpenWrt brings a hotplug script of ntpd that makes one; for others (chrony)
//! a unit ordered after `time-sync.target` makes the one that is configured (`update.time-mark`). The kernel's own word
//! (adjtimex(2)) is not asked for: safe Rust has no way to it, and the cage forbids the call, which is also the one that
//! sets the clock.

use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::config::CLOCK_MARKS;
use crate::update::document::Moment;
use crate::update::machine::At;
use crate::update::trust::Clock;

/// It is later than this in any case: 2026-11-01.
const RELEASED: Moment = Moment(1_793_491_200);

/// When this program was built, if the builder said so; at least when this version was made.
pub(super) fn built() -> Moment {
    // The first is what cross/build.sh sets, the second what packagers do.
    let built = option_env!("PICKET_BUILT")
        .or(option_env!("SOURCE_DATE_EPOCH"))
        .and_then(|seconds| seconds.parse().ok())
        .map(Moment);
    built.map_or(RELEASED, |built| built.max(RELEASED))
}

/// The clocks of this machine.
#[derive(Debug)]
pub(super) struct Clocks {
    marks: Vec<PathBuf>,
    started: Instant,
}

impl Clocks {
    /// With these marks besides the known ones.
    #[expect(clippy::disallowed_methods, reason = "waiting and retrying go by the clock of a living process")]
    pub(super) fn new(mark: Option<PathBuf>) -> Self {
        let marks = mark.into_iter().chain(CLOCK_MARKS.map(PathBuf::from)).collect();
        Self { marks, started: Instant::now() }
    }

    /// Now.
    #[expect(clippy::disallowed_methods, reason = "signed documents expire by the clock on the wall")]
    pub(super) fn now(&self) -> At {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let synchronised = self.marks.iter().any(|mark| mark.exists());
        let uptime_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        At { clock: Clock { now: Moment(since.as_secs()), synchronised }, uptime_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_decides() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("set");
        let mut clocks = Clocks::new(Some(mark.clone()));
        clocks.marks.truncate(1);
        assert!(!clocks.now().clock.synchronised);
        std::fs::write(&mark, "").unwrap();
        let now = clocks.now();
        assert!(now.clock.synchronised && now.clock.now > Moment(0));
        assert!(built() >= RELEASED);
    }
}
