//! From the configuration to the running thread.

use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::clock::{Clocks, built};
use super::inbox::Inbox;
use super::{Fixed, Orders, Runner};
use crate::config::{Config, Transport, Update};
use crate::error::plain;
use crate::features::connection::CONNECTION;
use crate::features::packet::PACKET;
use crate::features::schema::HOST;
use crate::model::Desk;
use crate::publish::status::{Board, Condition, Part};
use crate::update::compat::{Device, Ways};
use crate::update::machine::Updater;
use crate::update::mailbox::Mailbox;
use crate::update::read_at_most;
use crate::update::selftest::{Limits, Tester};
use crate::update::slots::{Folder, Opened, Store};
use crate::update::trust::{Kind, SignedRoot};

/// Stack of the thread, in bytes: models are built on it.
const STACK: usize = 2 << 20;

/// The running thread and the ways to it.
pub(in crate::daemon) struct Started {
    pub(in crate::daemon) mailbox: Mailbox,
    pub(in crate::daemon) orders: Orders,
    pub(in crate::daemon) desk: Desk,
    pub(in crate::daemon) thread: JoinHandle<()>,
}

impl Started {
    /// Lets the thread come to an end; a phase that is under way goes on after the next start.
    #[expect(clippy::disallowed_methods, reason = "the end has a deadline")]
    pub(in crate::daemon) fn end(self, patience: Duration) {
        let until = Instant::now() + patience;
        self.mailbox.close();
        while !self.thread.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// This device, as releases see it.
fn device(config: &Config) -> Device {
    let update = config.update();
    let schemas = [&HOST, &CONNECTION, &PACKET];
    let by_broker = config.publish().broker.is_some() && update.transport != Transport::Https;
    Device {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schemas: schemas
            .map(|schema| (format!("{}/{}", schema.name, schema.version), schema.hash().to_string()))
            .to_vec(),
        max_model: update.max_model,
        max_row_us: limits(update).max_row_us,
        max_memory_kib: limits(update).max_memory_kib,
        ways: Ways {
            blocks: by_broker || update.inbox.is_some(),
            https: update.ca_file.is_some() && update.transport != Transport::Mqtt,
        },
    }
}

/// What a model may cost here.
fn limits(update: &Update) -> Limits {
    let max_row_us = u64::try_from(update.max_row_time.as_micros()).unwrap_or(u64::MAX);
    Limits { max_row_us, max_memory_kib: update.max_memory >> 10 }
}

/// Opens the store and starts the thread; `tester` was started before the daemon locked itself in. What is wrong is said in the
/// health: the daemon detects without updates, too.
pub(in crate::daemon) fn start(
    config: &Config,
    tester: std::io::Result<Tester>,
    mailbox: &Mailbox,
    taken: Vec<String>,
    board: &Board,
) -> Option<Started> {
    match try_start(config, tester, mailbox, taken, board) {
        Ok(started) => Some(started),
        Err(why) => {
            log::error!("no updates of the model: {why}");
            mailbox.close();
            board.post(|health| health.update = Part::because(Condition::Failed, why));
            None
        }
    }
}

fn try_start(
    config: &Config,
    tester: std::io::Result<Tester>,
    mailbox: &Mailbox,
    taken: Vec<String>,
    board: &Board,
) -> Result<Started, String> {
    let update = config.update();
    let tester = tester.map_err(|error| format!("the helper for self-tests: {}", plain(&error)))?;
    let anchor = read_root(&update.trust_root)?;
    let folder = Folder::open(&update.path)
        .map_err(|error| format!("{}: {}", update.path.display(), plain(&error)))?;
    let (store, opened) = Store::open(folder, &anchor, built());
    let trouble = tell(opened);
    let fixed = Fixed {
        sensor: config.sensor().to_string(),
        factory: config.model().path.clone(),
        taken,
        stale_after: update.stale_after.as_secs(),
        trouble,
    };
    let desk = Desk::default();
    let inbox = update.inbox.clone().map(Inbox::new);
    let updater = Updater::new(store, device(config));
    let mut runner = Runner::new(updater, tester, mailbox.clone(), desk.clone(), board.clone(), inbox, fixed);
    let orders = runner.orders.clone();
    let clocks = Clocks::new(update.time_mark.clone());
    let thread = thread::Builder::new()
        .name("picket-update".to_owned())
        .stack_size(STACK)
        .spawn(move || runner.run(|| clocks.now()))
        .map_err(|error| format!("no thread: {error}"))?;
    Ok(Started { mailbox: mailbox.clone(), orders, desk, thread })
}

/// Says what was found at the start; what lasts is given back for the health.
fn tell(opened: Opened) -> Option<String> {
    if let Some((release, reason)) = opened.gave_up {
        log::warn!("release {release} was given up: {reason}");
    }
    if opened.fell_back {
        log::warn!("the model that should run was damaged or revoked; another took its place");
    }
    if opened.new_anchor {
        log::info!("another root file than before: what was known of timestamps is forgotten");
    }
    let lost = "what was known of releases was lost: floor and failed releases begin anew";
    opened.state_lost.then(|| {
        log::error!("{lost}");
        lost.to_owned()
    })
}

fn read_root(path: &Path) -> Result<SignedRoot, String> {
    let octets = read_at_most(path, Kind::Root.max_envelope() as u64)
        .map_err(|error| format!("{}: {}", path.display(), plain(&error)))?;
    SignedRoot::from_file(&octets).map_err(|refusal| format!("{}: {refusal}", path.display()))
}

/// Starts the helper for self-tests. To be called while programs can still be started.
pub(in crate::daemon) fn start_tester(update: &Update) -> std::io::Result<Tester> {
    // The helper may only read what exists.
    std::fs::create_dir_all(&update.path)?;
    Tester::start("/proc/self/exe".as_ref(), &update.path, limits(update))
}

/// What the daemon reads for updates, besides the folders that it writes.
pub(in crate::daemon) fn reach(config: &Config) -> Vec<PathBuf> {
    let update = config.update();
    let mut read = vec![update.trust_root.clone(), "/run/systemd".into()];
    read.extend(config.model().path.clone());
    // The mark comes to be later, perhaps.
    read.extend(update.time_mark.as_deref().and_then(Path::parent).map(PathBuf::from));
    read
}
