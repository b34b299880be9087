//! The thread that updates the model: it carries out what the [`Updater`] decides, and tells it what came of it.
//!
//! It owns the store, loads models and drops them, hashes and writes. Nothing of that is done by the pipeline, which takes a
//! loaded model from the [`Desk`] between two frames, nor by the threads of the transports, which see the [`Mailbox`] alone.
//! [`Runner::step`] is given its time, so that tests drive it without waiting.

mod clock;
mod inbox;
mod orders;
mod start;

pub(super) use orders::{Answering, Orders};
pub(super) use start::{reach, start, start_tester};

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::{Desk, OnnxScorer, Order};
use crate::publish::status::{Board, Condition, Part};
use crate::update::document::Get;
use crate::update::machine::{Action, At, BLOCK_BYTES, Event, Updater};
use crate::update::mailbox::{Inbound, Mailbox};
use crate::update::reason::{Reason, Refusal};
use crate::update::selftest::Tester;
use crate::update::slots::{Folder, Place, Running};
use inbox::Inbox;
use orders::{Command, Slots};

/// Messages taken in one step at most; the rest waits for the next one.
const MESSAGES: usize = 32;
/// How long the thread waits for a message at most.
const PATIENCE: Duration = Duration::from_secs(1);
/// The same while a self-test runs, whose end comes by another way.
const SHORT_PATIENCE: Duration = Duration::from_millis(50);
/// Milliseconds between two ticks.
const TICK_MS: u64 = 1000;

/// Who tries models; the [`Tester`], or a stand-in.
trait Trial {
    fn begin(&mut self, place: Place, now_ms: u64);
    fn poll(&mut self, now_ms: u64) -> Option<Result<String, Refusal>>;
    fn is_alive(&self) -> bool;
}

impl Trial for Tester {
    fn begin(&mut self, place: Place, now_ms: u64) {
        self.begin(place, now_ms);
    }
    fn poll(&mut self, now_ms: u64) -> Option<Result<String, Refusal>> {
        self.poll(now_ms)
    }
    fn is_alive(&self) -> bool {
        self.is_alive()
    }
}

/// What does not change while the daemon runs.
struct Fixed {
    /// The sensor's name.
    sensor: String,
    /// The model of the configuration that releases take the place of.
    factory: Option<PathBuf>,
    /// Names of the other models: a release may have none of them.
    taken: Vec<String>,
    /// Seconds without a new timestamp from which the health warns.
    stale_after: u64,
    /// What was wrong with the store at the start.
    trouble: Option<String>,
}

/// Everything the thread works with.
struct Runner<T> {
    updater: Updater<Folder>,
    mailbox: Mailbox,
    desk: Desk,
    trial: T,
    inbox: Option<Inbox>,
    orders: Orders,
    board: Board,
    fixed: Fixed,
    state: Progress,
}

/// How far things are.
struct Progress {
    /// What the pipeline was told to use last.
    using: Running,
    /// The number of the latest order on the desk.
    order: u64,
    is_testing: bool,
    ticked_ms: Option<u64>,
    /// What the slots held, and in which generation of the store's state.
    slots: (Option<u64>, Slots),
}

/// What carrying out an action brought about at once.
enum Follow {
    NotLoaded(Refusal),
    Block { transfer: String, index: u32, octets: Vec<u8> },
}

impl<T: Trial> Runner<T> {
    /// With the factory's model in use, and nothing begun.
    fn new(
        updater: Updater<Folder>,
        trial: T,
        mailbox: Mailbox,
        desk: Desk,
        board: Board,
        inbox: Option<Inbox>,
        fixed: Fixed,
    ) -> Self {
        let installed = updater.store().state().installed(Place::Factory);
        let using = Running { place: Place::Factory, installed };
        let state =
            Progress { using, order: 0, is_testing: false, ticked_ms: None, slots: (None, Slots::default()) };
        let orders = Orders::default();
        Self { updater, mailbox, desk, trial, inbox, orders, board, fixed, state }
    }

    /// Until the mailbox is closed.
    fn run(&mut self, mut now: impl FnMut() -> At) {
        self.handle(Event::Start, now());
        while !self.mailbox.is_closed() {
            let patience = if self.state.is_testing { SHORT_PATIENCE } else { PATIENCE };
            let first = self.mailbox.receive(patience);
            self.step(first, now());
        }
        self.handle(Event::Stop, now());
    }

    /// Everything that is to be done now.
    fn step(&mut self, first: Option<Inbound>, at: At) {
        let mut next = first;
        for _ in 0..MESSAGES {
            match next.take().or_else(|| self.mailbox.receive(Duration::ZERO)) {
                Some(Inbound::Desired(message)) => self.handle(Event::Desired(&message), at),
                Some(Inbound::Block { transfer, index, octets }) => {
                    self.handle(Event::Block { transfer: &transfer, index, octets: &octets }, at);
                }
                Some(Inbound::NotFetched { transfer, refusal }) => {
                    self.handle(Event::NotFetched { transfer: &transfer, refusal }, at);
                }
                None => break,
            }
        }
        while let Some(Command::GoBack) = self.orders.take() {
            log::info!("the operator goes back to the model before");
            self.handle(Event::GoBack, at);
        }
        if let Some(outcome) = self.trial.poll(at.uptime_ms) {
            self.state.is_testing = false;
            match &outcome {
                Ok(detail) => log::info!("self-test passed: {detail}"),
                Err(refusal) => log::warn!("self-test: {refusal}"),
            }
            self.handle(Event::SelfTested(outcome.map(drop)), at);
        }
        let is_due = self.state.ticked_ms.is_none_or(|last| at.uptime_ms >= last.saturating_add(TICK_MS));
        if is_due {
            self.state.ticked_ms = Some(at.uptime_ms);
            self.tick(at);
        }
    }

    fn tick(&mut self, at: At) {
        let readings = self.desk.look();
        // Readings of before the latest order are about other models.
        if readings.orders >= self.state.order {
            if let Some(shadow) = readings.shadow {
                self.handle(Event::Shadowed(shadow), at);
            }
            self.handle(Event::Probed(readings.probe), at);
        }
        for message in self.inbox.as_mut().map(Inbox::look).unwrap_or_default() {
            self.handle(Event::Desired(&message), at);
        }
        self.handle(Event::Tick, at);
        let part = self.health(at);
        self.board.post(|health| health.update = part);
    }

    /// Lets the machine decide, and carries out what it decided.
    fn handle(&mut self, event: Event<'_>, at: At) {
        let mut follows = VecDeque::new();
        let actions = self.updater.handle(event, at);
        self.carry_out(actions, at, &mut follows);
        // Each makes a transfer or a fall back go one step further, and both end.
        while let Some(follow) = follows.pop_front() {
            let actions = match &follow {
                Follow::NotLoaded(refusal) => self.updater.handle(Event::NotLoaded(refusal.clone()), at),
                Follow::Block { transfer, index, octets } => {
                    self.updater.handle(Event::Block { transfer, index: *index, octets }, at)
                }
            };
            self.carry_out(actions, at, &mut follows);
        }
        if !self.updater.is_fetching() {
            self.mailbox.expect_nothing();
            if let Some(inbox) = &mut self.inbox {
                inbox.forget_model();
            }
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>, at: At, follows: &mut VecDeque<Follow>) {
        for action in actions {
            match action {
                Action::Use(running) => {
                    if let Err(refusal) = self.use_model(running) {
                        log::error!("release {} cannot be used: {refusal}", running.installed.release);
                        follows.push_back(Follow::NotLoaded(refusal));
                        // What follows was decided for a model that is not there.
                        return;
                    }
                }
                Action::Shadow(place) => match self.load(place) {
                    Ok(model) => self.state.order = self.desk.put(Order::Shadow(Box::new(model))),
                    Err(refusal) => follows.push_back(Follow::NotLoaded(refusal)),
                },
                Action::EndShadow => self.state.order = self.desk.put(Order::EndShadow),
                Action::SelfTest(place) => {
                    self.state.is_testing = true;
                    self.trial.begin(place, at.uptime_ms);
                }
                Action::Ask(get) => {
                    if !self.ask_inbox(&get, follows) {
                        self.mailbox.ask(get);
                    }
                }
                Action::Fetch(fetch) => {
                    if !self.ask_inbox(&fetch.get, follows) {
                        self.mailbox.fetch(fetch);
                    }
                }
                Action::Report => self.report(at),
            }
        }
    }

    /// Takes blocks from a bundle in the inbox, if it is there.
    fn ask_inbox(&mut self, get: &Get, follows: &mut VecDeque<Follow>) -> bool {
        let Some(model) = self.inbox.as_mut().and_then(|inbox| inbox.model(get.sha256)) else { return false };
        for index in &get.blocks {
            let number = usize::try_from(*index).unwrap_or(usize::MAX);
            if let Some(octets) = model.chunks(BLOCK_BYTES as usize).nth(number) {
                let (transfer, octets) = (get.transfer.clone(), octets.to_vec());
                follows.push_back(Follow::Block { transfer, index: *index, octets });
            }
        }
        true
    }

    fn use_model(&mut self, running: Running) -> Result<(), Refusal> {
        if running == self.state.using {
            return Ok(());
        }
        let model = match running.place {
            Place::Factory => self.factory(),
            place => Some(self.load(place)?),
        };
        let label = model.as_ref().map(|model| model.info().label());
        log::info!("model in use from now on: {}", label.as_deref().unwrap_or("none"));
        self.state.order = self.desk.put(Order::Use(model.map(Box::new)));
        self.state.using = running;
        Ok(())
    }

    /// The factory's model; without one the rules go on alone.
    fn factory(&self) -> Option<OnnxScorer> {
        let loaded = self.fixed.factory.as_deref().map(OnnxScorer::load)?;
        let part = match &loaded {
            Ok(_) => Part::ok(),
            Err(error) => {
                log::error!("the factory's model: {error}");
                Part::because(Condition::Degraded, error.to_string())
            }
        };
        self.board.post(|health| health.model = part);
        loaded.ok()
    }

    fn load(&self, place: Place) -> Result<OnnxScorer, Refusal> {
        let bundle = self
            .updater
            .store()
            .load(place)
            .map_err(|fault| Refusal::new(fault.reason(), fault.to_string()))?;
        let refused = |detail: String| Refusal::new(Reason::ModelRefused, detail);
        let model = OnnxScorer::from_bytes(&bundle.model).map_err(|fault| refused(fault.to_string()))?;
        if self.fixed.taken.contains(&model.info().name) {
            return Err(refused("a model of the configuration has its name".to_owned()));
        }
        self.board.post(|health| health.model = Part::ok());
        Ok(model)
    }

    fn report(&mut self, at: At) {
        let reported = self.updater.reported(&self.fixed.sensor, at);
        let mut dropped = self.mailbox.dropped();
        for (reason, count) in self.updater.dropped() {
            *dropped.entry(*reason).or_default() += count;
        }
        self.look_at_slots();
        self.orders.say(&reported, &dropped, &self.state.slots.1);
        self.mailbox.report(reported);
    }

    /// Reads what the slots hold, if it can have changed: with every block of a transfer there is a report.
    fn look_at_slots(&mut self) {
        let store = self.updater.store();
        let generation = Some(store.state().generation);
        if self.state.slots.0 != generation {
            self.state.slots = (generation, Slots::of(store, self.fixed.factory.as_deref()));
        }
    }

    /// How updating is, not how the latest update went: that is reported.
    fn health(&self, at: At) -> Part {
        if !self.trial.is_alive() {
            return Part::because(
                Condition::Failed,
                "the helper for self-tests is lost; start the daemon again",
            );
        }
        if let Some(trouble) = &self.fixed.trouble {
            return Part::because(Condition::Degraded, trouble.clone());
        }
        let trust = self.updater.store().trust();
        let age = match trust.seen {
            Some(seen) if at.clock.is_trusted(trust.time_floor) => {
                at.clock.now.0.saturating_sub(seen.issued.0)
            }
            // Without the time, or before the first one: how long this process has heard of none.
            _ => at.uptime_ms / 1000,
        };
        if age > self.fixed.stale_after {
            let days = age / 86_400;
            let reason = format!("update_stale: no sign of the newest release for {days} days");
            return Part::because(Condition::Degraded, reason);
        }
        Part::ok()
    }
}

#[cfg(test)]
mod tests;
