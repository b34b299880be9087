//! `picket run`: opens everything, gives up its rights, and keeps the pipeline going.
//!
//! The order matters: capture handles, model and secrets are opened with the rights the process was started
//! with; then the rights go; then come the store, the threads and the status socket.

mod fetcher;
mod metric;
mod pipeline;
mod publisher;
mod sessions;
mod supervisor;
mod update;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::capture::{LiveOptions, LiveSource};
use crate::config::{Config, Interface, OnMissing, advice};
use crate::detect::scorer::NoModel;
use crate::engine::Engine;
use crate::error::{ExitError, sysexits};
use crate::model::{Desk, LiveModels, ModelSet, OnnxScorer};
use crate::privileges::{self, Account, Keep};
use crate::publish::delivery::{Delivery, DeliveryError};
use crate::publish::payload::Identity;
use crate::publish::status::{Board, Condition, Part};
use crate::publish::update::Remote;
use crate::sandbox::{self, Reach};
use crate::settings;
use crate::store::socket::Server;
use crate::store::{Store, StoreConfig, StoreError};
use crate::time::Timestamp;
use crate::update::mailbox::Mailbox;
use crate::update::selftest::Tester;
use fetcher::Fetcher;
use pipeline::{OwnClients, Pipeline};
use sessions::Sessions;

/// How long an orderly end may take.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// Something needed could not be opened, or a thread died.
pub fn run(config: &Config) -> Result<(), ExitError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(|error| {
            ExitError::new(sysexits::SOFTWARE, format!("run: cannot watch signal {signal}: {error}"))
        })?;
    }

    let source = open_capture(config)?;
    let (models, factory, model_health) = load_models(config)?;
    let mailbox = config.update().enabled.then(Mailbox::new);
    let remote = mailbox.clone().map(|mailbox| Remote { mailbox, channel: config.update().channel.clone() });
    let publisher = publisher::of(config.publish(), remote)?;
    let fetcher = Fetcher::of(config.update())?;
    for advice in advice(config, None).iter().filter(|advice| !advice.key.starts_with("model.")) {
        log::warn!("{advice}");
    }
    let (sandbox_health, tester) = give_up_rights(config)?;

    let since = now();
    let mut labels = models.labels();
    labels.extend(factory.as_ref().map(|model| model.info().label()));
    let identity = Identity { sensor: config.sensor().clone(), models: labels.clone() };
    let store_config = StoreConfig { byte_budget: config.store().byte_budget };
    let (store, report) = Store::open(&config.store().path, store_config, &identity, since)?;
    let board = Board::new(config.sensor().clone(), labels, since);
    board.post(|health| {
        health.model = model_health;
        health.sandbox = sandbox_health;
        health.update = Part::plain(if tester.is_some() { Condition::Starting } else { Condition::Off });
    });

    let own = OwnClients::default();
    let announce = own.clone();
    let announce = Box::new(move |id: &str| announce.announce(id));
    let (delivery, intake, handle) =
        Delivery::spawn(store, &report, identity, publisher, board.clone(), announce)?;
    let taken = models.models().iter().map(|model| model.info().name.clone()).collect();
    let updates = tester
        .zip(mailbox)
        .and_then(|(tester, mailbox)| update::start(config, tester, &mailbox, taken, &board));
    if let Some(updates) = &updates {
        fetcher.start(updates.mailbox.clone())?;
    }
    let answers = update::Answering {
        delivery: handle.clone(),
        update: updates.as_ref().map(|updates| (updates.orders.clone(), updates.mailbox.clone())),
    };
    let _server = match config.status_socket() {
        Some(path) => match Server::start(path, Arc::new(answers)) {
            Ok(server) => Some(server),
            Err(error) => {
                // Detection matters more than being asked about it.
                log::warn!("no status socket: {error}");
                None
            }
        },
        None => None,
    };

    let mut engine_settings = settings::of(config);
    engine_settings.key = settings::random_key().map_err(|error| {
        ExitError::new(sysexits::SOFTWARE, format!("run: no random numbers from the system: {error}"))
    })?;
    log::info!("watching {} as sensor {}", names(config), config.sensor());
    let pipeline = Pipeline {
        source,
        stop,
        own,
        intake,
        handle,
        board,
        metrics_every: config.publish().metrics_every,
        sessions: config.status_socket().and_then(Path::parent).map(Sessions::open),
    };
    let outcome = match &updates {
        Some(updates) => {
            let live = LiveModels::new(models, factory);
            pipeline.run(engine_settings, live, &delivery, |engine| exchange(engine, &updates.desk))
        }
        None if models.is_empty() && factory.is_none() => {
            pipeline.run(engine_settings, NoModel, &delivery, |_| None)
        }
        None => pipeline.run(engine_settings, LiveModels::new(models, factory), &delivery, |_| None),
    };
    if let Some(updates) = updates {
        updates.end(SHUTDOWN);
    }
    if !delivery.shutdown(SHUTDOWN) {
        log::warn!("the store was not closed in time; the next start will look through it");
    }
    outcome
}

/// Lets models change hands; returns the names of all when the one in use is another.
fn exchange(engine: &mut Engine<'_, LiveModels>, desk: &Desk) -> Option<Vec<String>> {
    let scorer = engine.scorer();
    if !scorer.visit(desk) {
        return None;
    }
    let (place, labels) = (scorer.place(), scorer.labels());
    engine.model_changed(place);
    Some(labels)
}

fn names(config: &Config) -> String {
    let names: Vec<&str> = config.capture().interfaces.iter().map(Interface::as_str).collect();
    names.join(", ")
}

fn open_capture(config: &Config) -> Result<LiveSource, ExitError> {
    let capture = config.capture();
    let interfaces = config
        .interfaces_to_capture()
        .map_err(|fault| ExitError::new(sysexits::CONFIG, format!("run: {fault}")))?;
    let names: Vec<&str> = interfaces.iter().map(Interface::as_str).collect();
    let options = LiveOptions {
        snaplen: capture.snaplen,
        buffer_bytes: capture.buffer_bytes(),
        promiscuous: capture.promiscuous,
        immediate: capture.immediate,
        filter: (!capture.filter.is_empty()).then(|| capture.filter.clone()),
        ..LiveOptions::default()
    };
    Ok(LiveSource::open(&names, options)?)
}

/// The models, that which updates replace for itself, and what the health says of them. A missing or bad one is no reason not to
/// start, unless configured so, and does not stop the others.
fn load_models(config: &Config) -> Result<(ModelSet, Option<OnnxScorer>, Part), ExitError> {
    let paths = config.model().paths();
    if paths.is_empty() {
        return Ok((ModelSet::empty(), None, Part::plain(Condition::Off)));
    }
    let factory = config.model().path.as_deref().filter(|_| config.update().enabled);
    let set = if factory.is_some() { config.model().more.clone() } else { paths };
    let (models, mut errors) = ModelSet::load(&set);
    let factory = factory.and_then(|path| OnnxScorer::load(path).map_err(|error| errors.push(error)).ok());
    let labels = models.labels().into_iter().chain(factory.as_ref().map(|model| model.info().label()));
    for label in labels {
        log::info!("model {label} loaded");
    }
    let is_alone = models.is_empty() && factory.is_none();
    let instead = if is_alone { "the rules alone" } else { "the other models" };
    for error in &errors {
        log::warn!("working with {instead}: {error}");
    }
    let reasons: Vec<String> = errors.iter().map(ToString::to_string).collect();
    match errors.into_iter().next() {
        None => Ok((models, factory, Part::ok())),
        Some(error) if config.model().on_missing == OnMissing::Refuse => Err(error.into()),
        Some(_) => Ok((models, factory, Part::because(Condition::Degraded, reasons.join("; ")))),
    }
}

/// The helper for self-tests, where models are updated, and whether it could be started.
type Helper = Option<std::io::Result<Tester>>;

/// Becomes the unprivileged user, starts the helper for self-tests, and goes into the cage unless that is switched off. Says
/// what the health says of it.
fn give_up_rights(config: &Config) -> Result<(Part, Helper), ExitError> {
    let updates = config.update().enabled;
    let folders = [
        Some(config.store().path.as_path()),
        config.status_socket().and_then(Path::parent),
        Some(config.update().path.as_path()).filter(|_| updates),
        config.update().inbox.as_deref().filter(|_| updates),
    ];
    let keep = if config.sandbox() { Keep::Nothing } else { Keep::NetRaw };
    let report = if privileges::is_root() {
        let account = Account::find(&config.capture().user)?;
        for folder in folders.into_iter().flatten() {
            account.own(folder)?;
        }
        privileges::drop_all(Some(&account), keep)?
    } else {
        privileges::drop_all(None, keep)?
    };
    log::info!("{report}");
    // Without rights, and with those of starting programs for the last time.
    let helper = updates.then(|| update::start_tester(config.update()));
    if !config.sandbox() {
        return Ok((Part::plain(Condition::Off), helper));
    }
    let mut reach = Reach::of_daemon();
    if updates {
        reach.read.extend(update::reach(config));
    }
    for folder in folders.into_iter().flatten() {
        // The cage can only allow what exists. Whoever uses the folder later says what is wrong with it.
        let _ = std::fs::create_dir_all(folder);
        reach.write.push(folder.to_owned());
    }
    let part = match sandbox::enter(&reach) {
        Ok(report) => {
            log::info!("sandbox: {report}");
            report.part()
        }
        Err(error) => {
            log::warn!("no sandbox: {error}");
            Part::because(Condition::Degraded, error.to_string())
        }
    };
    Ok((part, helper))
}

#[expect(clippy::disallowed_methods, reason = "the start of the daemon is dated for people")]
fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
}

impl From<StoreError> for ExitError {
    fn from(error: StoreError) -> Self {
        Self::new(error.exit_code(), error.to_string())
    }
}

impl From<DeliveryError> for ExitError {
    fn from(error: DeliveryError) -> Self {
        let code = match error {
            DeliveryError::Publish(_) => sysexits::CONFIG,
            DeliveryError::Thread(_) => sysexits::SOFTWARE,
        };
        Self::new(code, format!("run: {error}"))
    }
}
