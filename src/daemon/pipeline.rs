//! The pipeline thread: frames in, alerts out, health and metrics on the way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::metric::EngineCounters;
use super::sessions::Sessions;
use super::supervisor::Supervisor;
use crate::alert::Alert;
use crate::capture::{BlindReason, Event, FrameSource as _, InterfaceStatus, LiveSource, State};
use crate::detect::scorer::Scorer;
use crate::engine::{Engine, Settings, Sink};
use crate::error::{ExitError, sysexits};
use crate::memory::OwnedMemory;
use crate::publish::delivery::{Delivery, Handle, Intake};
use crate::publish::status::{Board, Condition, Part};
use crate::time::Timestamp;

/// Client ids of our own that are about to be used, on their way from the MQTT thread to the engine.
#[derive(Clone, Default, Debug)]
pub(super) struct OwnClients {
    waiting: Arc<Mutex<Vec<String>>>,
    any: Arc<AtomicBool>,
}

impl OwnClients {
    /// Called before the connection is made, so that the engine knows before its first frame comes.
    pub(super) fn announce(&self, id: &str) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(id.to_owned());
        self.any.store(true, Ordering::Release);
    }

    #[inline]
    fn tell<S: Scorer>(&self, engine: &mut Engine<'_, S>) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        self.any.store(false, Ordering::Release);
        for id in self.waiting.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            engine.expect_own_client(id.as_bytes());
        }
    }
}

/// Everything the pipeline works with.
pub(super) struct Pipeline {
    pub(super) source: LiveSource,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) own: OwnClients,
    pub(super) intake: Intake,
    pub(super) handle: Handle,
    pub(super) board: Board,
    pub(super) metrics_every: Duration,
    /// Where there is a folder for it.
    pub(super) sessions: Option<Sessions>,
}

impl Sink for Intake {
    fn alert(&mut self, alert: &Alert) {
        // A full channel is counted by the intake and told in the stream.
        let _ = self.offer(alert.clone());
    }
}

impl Pipeline {
    /// Runs until it is told to stop. `between` is called once a second, between two frames, and may exchange models; it returns
    /// the names of all when it did.
    pub(super) fn run<S: Scorer>(
        mut self,
        settings: Settings,
        scorer: S,
        delivery: &Delivery,
        mut between: impl FnMut(&mut Engine<'_, S>) -> Option<Vec<String>>,
    ) -> Result<(), ExitError> {
        let mut memory = OwnedMemory::new();
        let mut engine = Engine::new(settings, memory.lend(), scorer);
        let mut duties = Duties::new(self.metrics_every);
        let mut supervisor = Supervisor::default();
        self.post_capture_health();
        supervisor.ready();
        while !self.stop.load(Ordering::Relaxed) {
            let now = match self.source.next_frame()? {
                Event::Frame(frame) => {
                    self.own.tell(&mut engine);
                    let ts = frame.ts;
                    engine.on_frame(&frame, &mut self.intake);
                    ts
                }
                Event::Idle(now) => {
                    engine.on_tick(now, &mut self.intake);
                    now
                }
                // Of files alone.
                Event::Notice(_) => continue,
                Event::End => break,
            };
            let Some(due) = duties.due(now) else { continue };
            self.intake.settle();
            if let Some(labels) = between(&mut engine) {
                self.board.set_models(labels.clone());
                self.intake.models(labels);
            }
            if let Some(sessions) = &mut self.sessions {
                sessions.resume(&mut engine, now);
                sessions.keep(&engine, now);
            }
            self.post_capture_health();
            if let Some(name) = self.may_not_reopen() {
                if let Some(sessions) = &mut self.sessions {
                    sessions.save(&engine, now);
                }
                engine.stop(&mut self.intake);
                let message = format!("run: {name} is back, and the right to open it was given up");
                return Err(ExitError::new(sysexits::TEMPFAIL, message).hint(
                    "start the daemon again, as a service manager does, or set sandbox.enabled = false",
                ));
            }
            if !delivery.is_alive() {
                return Err(ExitError::new(sysexits::SOFTWARE, "run: the delivery thread has ended")
                    .hint("see the log; the service manager should start the daemon again"));
            }
            supervisor.alive(now.as_secs());
            if due.metric {
                let counters =
                    EngineCounters::new(&engine.stats(), engine.violations(), self.source.status());
                if let Err(error) = self.handle.metric(now, duties.uptime(now), &counters) {
                    log::debug!("no metric: {error}");
                }
            }
        }
        log::info!("stopping");
        supervisor.stopping();
        if let Some(sessions) = &mut self.sessions {
            sessions.save(&engine, Timestamp::from_secs(duties.last));
        }
        engine.stop(&mut self.intake);
        Ok(())
    }

    /// An interface that only a new start will see again.
    fn may_not_reopen(&self) -> Option<String> {
        let lost = |status: &&InterfaceStatus| {
            matches!(status.state, State::Blind { reason: BlindReason::NoRights, .. })
        };
        self.source.status().find(lost).map(|status| status.name.clone())
    }

    fn post_capture_health(&self) {
        let part = capture_health(self.source.status());
        self.board.post(|health| health.capture = part);
    }
}

/// What the states of the interfaces mean for the whole.
fn capture_health<'a>(interfaces: impl Iterator<Item = &'a InterfaceStatus>) -> Part {
    let (mut watching, mut trouble) = (0, Vec::new());
    for interface in interfaces {
        match &interface.state {
            State::Ok => watching += 1,
            State::Blind { reason, .. } => trouble.push(format!("{}: {reason}", interface.name)),
        }
    }
    let condition = match (watching, trouble.is_empty()) {
        (_, true) => return Part::ok(),
        (0, false) => Condition::Blind,
        (_, false) => Condition::Degraded,
    };
    Part::because(condition, trouble.join("; "))
}

/// What is to be done now and then, by the time of frames and ticks.
struct Duties {
    every: u64,
    started: Option<u64>,
    last: u64,
    next_metric: u64,
}

/// Something is due.
struct Due {
    metric: bool,
}

impl Duties {
    fn new(metrics_every: Duration) -> Self {
        Self { every: metrics_every.as_secs().max(1), started: None, last: 0, next_metric: 0 }
    }

    /// Once a second; every so many of them with a metric.
    #[inline]
    fn due(&mut self, now: Timestamp) -> Option<Due> {
        let second = now.as_secs();
        if second == self.last {
            return None;
        }
        self.last = second;
        let started = *self.started.get_or_insert(second);
        if self.next_metric == 0 {
            self.next_metric = started + self.every;
        }
        // A clock set back would otherwise silence the metric for as long.
        let metric = second >= self.next_metric || second + self.every < self.next_metric;
        if metric {
            self.next_metric = second + self.every;
        }
        Some(Due { metric })
    }

    fn uptime(&self, now: Timestamp) -> Duration {
        Duration::from_secs(now.as_secs().saturating_sub(self.started.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Counters;

    fn interface(name: &str, state: State) -> InterfaceStatus {
        InterfaceStatus { name: name.to_owned(), state, counters: Counters::default(), recoveries: 0 }
    }

    #[test]
    fn one_blind_interface_degrades_and_all_blind_blinds() {
        let blind = || State::Blind { since: Timestamp::ZERO, reason: BlindReason::Gone };
        let of = |states: [State; 2]| {
            let [a, b] = states;
            let interfaces = [interface("eth0", a), interface("lo", b)];
            capture_health(interfaces.iter())
        };
        assert_eq!(of([State::Ok, State::Ok]), Part::ok());
        assert_eq!(of([blind(), State::Ok]).state, Condition::Degraded);
        let all = of([blind(), blind()]);
        assert_eq!(all.state, Condition::Blind);
        assert_eq!(all.reason.as_deref(), Some("eth0: no such interface; lo: no such interface"));
    }

    #[test]
    fn a_metric_comes_every_so_often_even_when_the_clock_is_set() {
        let mut duties = Duties::new(Duration::from_secs(60));
        let mut metrics = Vec::new();
        for second in (1000..1130).chain(500..520) {
            if duties.due(Timestamp::from_secs(second)).is_some_and(|due| due.metric) {
                metrics.push(second);
            }
        }
        assert_eq!(metrics, [1060, 1120, 500]);
        assert!(duties.due(Timestamp::from_secs(519)).is_none());
    }
}
