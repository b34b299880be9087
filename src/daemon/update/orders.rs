//! Between the status socket and the thread that updates: what is asked, and what is answered.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::publish::delivery::Handle;
use crate::store::Record;
use crate::store::socket::{Answers, NO_UPDATES};
use crate::update::document::Reported;
use crate::update::mailbox::Mailbox;
use crate::update::reason::Reason;
use crate::update::slots::{Files, Place, Store};

/// Commands that wait at most.
const COMMANDS: usize = 4;

/// What an operator on the machine may want.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Command {
    /// Go back to the model before.
    GoBack,
}

/// A release on this machine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Held {
    slot: &'static str,
    release: u64,
    name: String,
    version: String,
    sha256: String,
    role: &'static str,
}

/// What lies in the slots.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
pub(in crate::daemon) struct Slots(Vec<Held>);

impl Slots {
    /// What a store holds, and the factory's model.
    pub(super) fn of<F: Files>(store: &Store<F>, factory: Option<&Path>) -> Self {
        let state = store.state();
        let role = |place| match state.pending {
            Some(pending) if pending.place == place && pending.in_use => "on probation",
            Some(pending) if pending.place == place => "being tried",
            _ if state.active == place && state.pending.is_some_and(|pending| pending.in_use) => "before",
            _ if state.active == place => "in use",
            _ if state.previous == Some(place) => "before",
            _ => "kept",
        };
        let mut held = Vec::new();
        for (slot, place) in [("A", Place::A), ("B", Place::B)] {
            if let Some(bundle) = state.slot(place).and_then(|_| store.load(place).ok()) {
                let manifest = bundle.manifest;
                held.push(Held {
                    slot,
                    release: manifest.release,
                    name: manifest.name,
                    version: manifest.version,
                    sha256: manifest.artifact.sha256.to_string(),
                    role: role(place),
                });
            }
        }
        if let Some(path) = factory {
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let (version, sha256) = (String::new(), String::new());
            held.push(Held {
                slot: "factory",
                release: 0,
                name,
                version,
                sha256,
                role: role(Place::Factory),
            });
        }
        Self(held)
    }
}

#[derive(Debug, Default)]
struct Shared {
    commands: VecDeque<Command>,
    said: Option<String>,
}

/// Orders to the updating thread, and its latest word; clones are the same.
#[derive(Clone, Debug, Default)]
pub(in crate::daemon) struct Orders(Arc<Mutex<Shared>>);

/// What `picket model status` gets.
#[derive(Serialize)]
struct Said<'a> {
    schema: &'static str,
    reported: &'a Reported,
    models: &'a Slots,
    dropped: BTreeMap<&'static str, u64>,
}

impl Orders {
    pub(super) fn take(&self) -> Option<Command> {
        self.lock().commands.pop_front()
    }

    pub(super) fn give(&self, command: Command) -> Result<(), String> {
        let mut shared = self.lock();
        if shared.commands.len() >= COMMANDS {
            return Err("the daemon is busy, try again".to_owned());
        }
        shared.commands.push_back(command);
        Ok(())
    }

    pub(super) fn say(&self, reported: &Reported, dropped: &BTreeMap<Reason, u64>, models: &Slots) {
        let dropped = dropped.iter().map(|(reason, count)| (reason.code(), *count)).collect();
        let said = Said { schema: "picket.update.status/1", reported, models, dropped };
        self.lock().said = serde_json::to_string(&said).ok();
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Nothing under this lock leaves it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The status socket's answers: delivery's, and those about the update.
pub(in crate::daemon) struct Answering {
    pub(in crate::daemon) delivery: Handle,
    pub(in crate::daemon) update: Option<(Orders, Mailbox)>,
}

impl Answers for Answering {
    fn status(&self) -> String {
        self.delivery.status()
    }
    fn page(&self, after: u64, max: usize) -> Result<Vec<Record>, String> {
        self.delivery.page(after, max)
    }
    fn head(&self) -> u64 {
        self.delivery.head()
    }
    fn wait_beyond(&self, seq: u64, patience: Duration) {
        self.delivery.wait_beyond(seq, patience);
    }
    fn update(&self) -> Result<String, String> {
        let (orders, _) = self.update.as_ref().ok_or(NO_UPDATES)?;
        orders.lock().said.clone().ok_or_else(|| "the daemon is starting, try again".to_owned())
    }
    fn roll_back(&self) -> Result<(), String> {
        let (orders, mailbox) = self.update.as_ref().ok_or(NO_UPDATES)?;
        orders.give(Command::GoBack)?;
        mailbox.ring();
        Ok(())
    }
}
