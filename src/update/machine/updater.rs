//! The machine itself.

use std::collections::BTreeMap;

use super::download::Download;
use super::fetching::RETRY_MS;
use super::verdict::{self, Probe};
use crate::update::compat::Device;
use crate::update::document::{Get, Manifest, Progress, Release, Reported, Shadow, State};
use crate::update::mailbox::Fetch;
use crate::update::reason::{Reason, Refusal};
use crate::update::slots::{Fault, Files, Place, Running, Store};
use crate::update::trust::Clock;

/// One message about what is desired is examined in this time, in milliseconds.
const MESSAGE_EVERY_MS: u64 = 10_000;
/// What was put off is looked at again after this time, in milliseconds.
const DEFERRED_MS: u64 = 60_000;
/// The time is written down this often, in milliseconds.
const SAVE_TIME_MS: u64 = 6 * 3_600_000;

/// When something happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct At {
    /// What the clock on the wall says.
    pub clock: Clock,
    /// Milliseconds of a clock that never goes back.
    pub uptime_ms: u64,
}

/// What happens.
#[derive(Clone, PartialEq, Debug)]
pub enum Event<'a> {
    /// The process begins.
    Start,
    /// A message on `update/desired` or on the channel; an empty one takes what is under way back.
    Desired(&'a [u8]),
    /// A message on `update/data/<transfer>/<index>`.
    Block {
        /// From the topic.
        transfer: &'a str,
        /// From the topic.
        index: u32,
        /// The message.
        octets: &'a [u8],
    },
    /// The blocks of this transfer cannot be had over HTTPS.
    NotFetched {
        /// The transfer.
        transfer: &'a str,
        /// Why.
        refusal: Refusal,
    },
    /// The self-test of the pending release ended.
    SelfTested(Result<(), Refusal>),
    /// What both models said so far, side by side.
    Shadowed(Shadow),
    /// What the model in use did so far on probation.
    Probed(Probe),
    /// The model to be used, or to be tried beside it, could not be loaded into this process.
    NotLoaded(Refusal),
    /// The operator goes back to the model before.
    GoBack,
    /// Time passes; at least once a second.
    Tick,
    /// The process ends in order.
    Stop,
}

/// What is to be done.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// Score with this model, without a pause. For the factory's place: the model of the configuration.
    Use(Running),
    /// Try this release in a process of its own, then say [`Event::SelfTested`].
    SelfTest(Place),
    /// Score with this model beside the one in use, and say [`Event::Shadowed`] from time to time.
    Shadow(Place),
    /// Score with the model in use alone again.
    EndShadow,
    /// Ask for blocks over the broker.
    Ask(Get),
    /// Ask for blocks over HTTPS.
    Fetch(Fetch),
    /// Say where the update is.
    Report,
}

#[derive(Debug)]
pub(super) enum Phase {
    Idle,
    Downloading(Box<Download>),
    SelfTest(Box<Manifest>),
    Shadow { manifest: Box<Manifest>, since_ms: u64, seen: Shadow },
    Probation { manifest: Box<Manifest>, since_ms: u64, before: Option<Shadow> },
}

/// What is reported, besides the phase.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) state: State,
    pub(super) target: Option<Release>,
    pub(super) request: Option<String>,
    pub(super) refusal: Option<Refusal>,
    pub(super) shadow: Option<Shadow>,
}

impl Outcome {
    pub(super) const NONE: Self =
        Self { state: State::Idle, target: None, request: None, refusal: None, shadow: None };
}

/// The machine.
#[derive(Debug)]
pub struct Updater<F> {
    pub(super) store: Store<F>,
    pub(super) device: Device,
    pub(super) phase: Phase,
    pub(super) outcome: Outcome,
    /// The newest message that waits for its time, and the time.
    pub(super) waiting: Option<(u64, Vec<u8>)>,
    examined_ms: Option<u64>,
    saved_ms: u64,
    /// Messages that were dropped, by reason.
    pub(super) dropped: BTreeMap<Reason, u64>,
}

impl<F: Files> Updater<F> {
    /// The machine over an opened store.
    pub const fn new(store: Store<F>, device: Device) -> Self {
        Self {
            store,
            device,
            phase: Phase::Idle,
            outcome: Outcome::NONE,
            waiting: None,
            examined_ms: None,
            saved_ms: 0,
            dropped: BTreeMap::new(),
        }
    }

    /// The store.
    pub const fn store(&self) -> &Store<F> {
        &self.store
    }

    /// Whether blocks are wanted.
    pub const fn is_fetching(&self) -> bool {
        matches!(self.phase, Phase::Downloading(_))
    }

    /// Messages that were dropped, by reason.
    pub const fn dropped(&self) -> &BTreeMap<Reason, u64> {
        &self.dropped
    }

    /// Takes an event. The actions are to be carried out in their order.
    pub fn handle(&mut self, event: Event<'_>, at: At) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Start => self.start(at, &mut actions),
            Event::Desired(message) => self.desired(message, at, &mut actions),
            Event::Block { transfer, index, octets } => self.block(transfer, index, octets, at, &mut actions),
            Event::SelfTested(outcome) => self.self_tested(outcome, at, &mut actions),
            Event::Shadowed(shadow) => self.shadowed(shadow, at, &mut actions),
            Event::Probed(probe) => self.probed(&probe, &mut actions),
            Event::NotFetched { transfer, refusal } => self.not_fetched(transfer, &refusal, at, &mut actions),
            Event::NotLoaded(refusal) => self.not_loaded(refusal, &mut actions),
            Event::GoBack => self.go_back(&mut actions),
            Event::Tick => self.tick(at, &mut actions),
            Event::Stop => {
                if matches!(self.phase, Phase::Shadow { .. } | Phase::Probation { .. }) {
                    // One attempt less is the worst that comes of a failure here.
                    let _ = self.store.rest();
                }
            }
        }
        actions
    }

    /// What is to be said on `update/reported`.
    pub fn reported(&self, sensor: &str, at: At) -> Reported {
        let trust = self.store.trust();
        let running = self.store.running();
        let active = (running.place != Place::Factory).then(|| self.store.load(running.place).ok()).flatten();
        let active =
            active.map(|b| Release { release: b.manifest.release, sha256: b.manifest.artifact.sha256 });
        let progress = match &self.phase {
            Phase::Downloading(download) => {
                let blocks = &download.fetching.blocks;
                Some(Progress { blocks: blocks.count(), of: blocks.total() })
            }
            _ => None,
        };
        Reported {
            schema: Reported::SCHEMA.to_owned(),
            sensor: sensor.to_owned(),
            ts: at.clock.now,
            state: self.outcome.state,
            active,
            target: self.outcome.target,
            request: self.outcome.request.clone(),
            reason: self.outcome.refusal.as_ref().map(|refusal| refusal.reason),
            detail: self.outcome.refusal.as_ref().map(|refusal| short(&refusal.detail)),
            progress,
            shadow: self.outcome.shadow,
            floor: trust.floor(),
            root_version: trust.root.root.version,
            timestamp_seq: trust.seen.map_or(0, |seen| seen.seq),
            bad: trust.bad.iter().map(|bad| bad.release).collect(),
        }
    }

    fn start(&mut self, at: At, actions: &mut Vec<Action>) {
        let running = self.store.running();
        let Some(pending) = self.store.state().pending else {
            actions.extend([Action::Use(running), Action::Report]);
            return;
        };
        let manifest = match self.store.load(pending.place) {
            Ok(bundle) => Box::new(bundle.manifest),
            Err(fault) => return self.give_up(refusal(&fault), actions),
        };
        let manifest = self.narrowed(manifest);
        self.outcome.target = Some(target(&manifest));
        if !pending.in_use {
            actions.push(Action::Use(running));
            self.enter(State::SelfTest, Phase::SelfTest(manifest), actions);
            actions.push(Action::SelfTest(pending.place));
            return;
        }
        // Counted on the disk before it is loaded: whoever ends with it leaves one attempt less behind.
        if let Err(fault) = self.store.attempt() {
            return self.give_up(refusal(&fault), actions);
        }
        actions.push(Action::Use(running));
        let probation = Phase::Probation { manifest, since_ms: at.uptime_ms, before: None };
        self.enter(State::Probation, probation, actions);
    }

    fn desired(&mut self, message: &[u8], at: At, actions: &mut Vec<Action>) {
        if message.is_empty() {
            return self.withdraw(actions);
        }
        let due = self.examined_ms.map_or(0, |last| last.saturating_add(MESSAGE_EVERY_MS));
        if at.uptime_ms >= due && matches!(self.phase, Phase::Idle | Phase::Downloading(_)) {
            return self.examine(message, at, actions);
        }
        // Retained messages come once: the newest one waits, whatever stood in its way.
        if self.waiting.is_some() {
            *self.dropped.entry(Reason::RateLimited).or_default() += 1;
        }
        let kept = message.len() <= crate::update::document::Desired::MAX_BYTES;
        if kept {
            self.waiting = Some((due, message.to_vec()));
        } else {
            *self.dropped.entry(Reason::TooLarge).or_default() += 1;
        }
    }

    fn examine(&mut self, message: &[u8], at: At, actions: &mut Vec<Action>) {
        self.examined_ms = Some(at.uptime_ms);
        self.waiting = None;
        let trust = self.store.trust();
        let examined = trust.examine(message, self.store.newest(), &self.device, at.clock);
        let request = examined.request.clone();
        if examined.trust != trust {
            match self.store.learn(&examined.trust) {
                Ok(false) => {}
                Ok(true) => actions.push(Action::Use(self.store.running())),
                Err(fault) => return self.refuse(request, refusal(&fault), message, at, actions),
            }
        }
        match examined.outcome {
            Ok(None) => {
                self.outcome.request = request;
                actions.push(Action::Report);
            }
            Ok(Some(offer)) => self.begin(*offer, message, at, actions),
            Err(refusal) => self.refuse(request, refusal, message, at, actions),
        }
    }

    /// Refuses a message. What is under way goes on.
    pub(super) fn refuse(
        &mut self,
        request: Option<String>,
        refusal: Refusal,
        message: &[u8],
        at: At,
        actions: &mut Vec<Action>,
    ) {
        let reason = refusal.reason;
        let again = match reason {
            reason if reason.defers() => Some(DEFERRED_MS),
            Reason::NoSpace | Reason::InputOutput => Some(RETRY_MS),
            _ => None,
        };
        if let Some(after) = again {
            self.waiting = Some((at.uptime_ms.saturating_add(after), message.to_vec()));
        }
        if matches!(self.phase, Phase::Idle) {
            let state = if reason.defers() { State::Deferred } else { State::Failed };
            self.outcome = Outcome { state, request, refusal: Some(refusal), ..Outcome::NONE };
        } else {
            *self.dropped.entry(reason).or_default() += 1;
        }
        actions.push(Action::Report);
    }

    fn self_tested(&mut self, outcome: Result<(), Refusal>, at: At, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::SelfTest(_)) {
            return;
        }
        if let Err(refusal) = outcome {
            return self.give_up(refusal, actions);
        }
        // Counted before it is loaded into this process, if only beside the old one.
        if let Err(fault) = self.store.attempt() {
            return self.give_up(refusal(&fault), actions);
        }
        let Phase::SelfTest(manifest) = std::mem::replace(&mut self.phase, Phase::Idle) else { return };
        if manifest.probation.shadow_rows == 0 {
            return self.activate(manifest, None, at, actions);
        }
        let place = self.store.state().pending.map_or(Place::Factory, |pending| pending.place);
        let shadow = Phase::Shadow { manifest, since_ms: at.uptime_ms, seen: Shadow::default() };
        self.enter(State::Shadow, shadow, actions);
        actions.push(Action::Shadow(place));
    }

    fn shadowed(&mut self, shadow: Shadow, at: At, actions: &mut Vec<Action>) {
        let Phase::Shadow { seen, .. } = &mut self.phase else { return };
        *seen = shadow;
        self.outcome.shadow = Some(shadow);
        self.judge_shadow(at, actions);
    }

    fn judge_shadow(&mut self, at: At, actions: &mut Vec<Action>) {
        let Phase::Shadow { manifest, since_ms, seen } = &self.phase else { return };
        let late = at.uptime_ms.saturating_sub(*since_ms) / 1000 >= manifest.probation.shadow_seconds;
        if seen.rows < manifest.probation.shadow_rows && !late {
            return;
        }
        if let Err(refusal) = verdict::shadow(manifest, seen) {
            return self.give_up(refusal, actions);
        }
        let (manifest, seen) = (manifest.clone(), *seen);
        actions.push(Action::EndShadow);
        self.activate(manifest, Some(seen), at, actions);
    }

    fn activate(
        &mut self,
        manifest: Box<Manifest>,
        before: Option<Shadow>,
        at: At,
        actions: &mut Vec<Action>,
    ) {
        match self.store.activate() {
            Ok(running) => {
                actions.push(Action::Use(running));
                let probation = Phase::Probation { manifest, since_ms: at.uptime_ms, before };
                self.enter(State::Probation, probation, actions);
            }
            Err(fault) => self.give_up(refusal(&fault), actions),
        }
    }

    fn probed(&mut self, probe: &Probe, actions: &mut Vec<Action>) {
        let Phase::Probation { manifest, before, .. } = &self.phase else { return };
        if let Err(refusal) = verdict::probation(manifest, *before, probe) {
            self.give_up(refusal, actions);
        }
    }

    fn tick(&mut self, at: At, actions: &mut Vec<Action>) {
        if at.clock.synchronised && at.uptime_ms.saturating_sub(self.saved_ms) >= SAVE_TIME_MS {
            self.saved_ms = at.uptime_ms;
            // It will be written with the next change.
            let _ = self.store.save_time(at.clock.now);
        }
        if matches!(self.outcome.state, State::Failed | State::RolledBack)
            && matches!(self.phase, Phase::Idle)
            && self.store.state().pending.is_some()
        {
            // It was given up on a disk that could not be written.
            let _ = self.store.give_up();
        }
        self.pull(at, actions);
        self.judge_shadow(at, actions);
        if let Phase::Probation { manifest, since_ms, .. } = &self.phase
            && at.uptime_ms.saturating_sub(*since_ms) / 1000 >= manifest.probation.active_seconds
            // A disk that cannot be written now may be later; until then the old model is at hand.
            && self.store.commit().is_ok()
        {
            self.finish(State::Committed, None, actions);
        }
        let due = self.waiting.as_ref().is_some_and(|(due, _)| *due <= at.uptime_ms);
        if due
            && matches!(self.phase, Phase::Idle | Phase::Downloading(_))
            && let Some((_, message)) = self.waiting.take()
        {
            self.examine(&message, at, actions);
        }
    }

    /// Gives the pending release up; the old model is in use, or again.
    fn give_up(&mut self, refusal: Refusal, actions: &mut Vec<Action>) {
        let Some(pending) = self.store.state().pending else { return };
        let transient = matches!(
            refusal.reason,
            Reason::SelfTestFailed | Reason::InputOutput | Reason::NoSpace | Reason::Withdrawn
        );
        let ended = if transient { self.store.withdraw() } else { self.store.give_up() };
        match ended {
            Ok(running) => actions.extend([Action::EndShadow, Action::Use(running)]),
            // Not written, so the next start may try it again; in this process it is over.
            Err(_) => {
                let kept = self.store.kept();
                actions.extend([Action::EndShadow, Action::Use(kept)]);
            }
        }
        let state = if pending.in_use { State::RolledBack } else { State::Failed };
        self.finish(state, Some(refusal), actions);
    }

    /// The pending model is given up; of the one that is kept, the one before is used.
    fn not_loaded(&mut self, refusal: Refusal, actions: &mut Vec<Action>) {
        if self.store.state().pending.is_some() {
            return self.give_up(refusal, actions);
        }
        let running = self.store.fall_back().unwrap_or_else(|_| self.store.running());
        actions.push(Action::Use(running));
        self.finish(State::RolledBack, Some(refusal), actions);
    }

    fn withdraw(&mut self, actions: &mut Vec<Action>) {
        self.waiting = None;
        let refusal = Refusal::new(Reason::Withdrawn, "the operator took the update back");
        match self.phase {
            Phase::Idle => {
                self.outcome = Outcome::NONE;
                actions.push(Action::Report);
            }
            Phase::Downloading(_) => {
                let _ = self.store.discard();
                self.finish(State::Failed, Some(refusal), actions);
            }
            _ => self.give_up(refusal, actions),
        }
    }

    fn go_back(&mut self, actions: &mut Vec<Action>) {
        self.waiting = None;
        match self.store.go_back() {
            Ok(running) => {
                actions.extend([Action::EndShadow, Action::Use(running)]);
                let refusal = Refusal::new(Reason::RolledBack, "the operator went back");
                self.finish(State::RolledBack, Some(refusal), actions);
            }
            Err(fault) => {
                self.outcome.refusal = Some(refusal(&fault));
                actions.push(Action::Report);
            }
        }
    }

    /// The limits of the manifest, where they are narrower than this device's own.
    pub(super) fn narrowed(&self, mut manifest: Box<Manifest>) -> Box<Manifest> {
        self.device.narrow(&mut manifest);
        manifest
    }

    pub(super) fn enter(&mut self, state: State, phase: Phase, actions: &mut Vec<Action>) {
        self.phase = phase;
        self.outcome.state = state;
        self.outcome.refusal = None;
        actions.push(Action::Report);
    }

    pub(super) fn finish(&mut self, state: State, refusal: Option<Refusal>, actions: &mut Vec<Action>) {
        self.phase = Phase::Idle;
        self.outcome.state = state;
        self.outcome.refusal = refusal;
        actions.push(Action::Report);
    }
}

pub(super) fn refusal(fault: &Fault) -> Refusal {
    match fault {
        Fault::Refused(refusal) => refusal.clone(),
        Fault::Io(error) => Refusal::new(fault.reason(), crate::error::plain(error)),
    }
}

pub(super) const fn target(manifest: &Manifest) -> Release {
    Release { release: manifest.release, sha256: manifest.artifact.sha256 }
}

/// At most as much as a document takes.
fn short(detail: &str) -> String {
    detail.chars().filter(|c| !c.is_control()).take(120).collect()
}
