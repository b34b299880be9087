//! `picket run`: opens everything, gives up its rights, and keeps the pipeline going.
//!
//! The order matters: capture handles, model and secrets are opened with the rights the process was started
//! with; then the rights go; then come the store, the threads and the status socket.

mod metric;
mod pipeline;
mod publisher;
mod sessions;
mod supervisor;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::capture::{LiveOptions, LiveSource};
use crate::config::{Config, Interface, OnMissing, advice};
use crate::detect::scorer::NoModel;
use crate::error::{ExitError, sysexits};
use crate::model::ModelSet;
use crate::privileges::{self, Account, Keep};
use crate::publish::delivery::{Delivery, DeliveryError};
use crate::publish::payload::Identity;
use crate::publish::status::{Board, Condition, Part};
use crate::sandbox::{self, Reach};
use crate::settings;
use crate::store::socket::Server;
use crate::store::{Store, StoreConfig, StoreError};
use crate::time::Timestamp;
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
    let (models, model_health) = load_models(config)?;
    let publisher = publisher::of(config.publish())?;
    for advice in advice(config, None).iter().filter(|advice| !advice.key.starts_with("model.")) {
        log::warn!("{advice}");
    }
    let sandbox_health = give_up_rights(config)?;

    let since = now();
    let labels = models.labels();
    let identity = Identity { sensor: config.sensor().clone(), models: labels.clone() };
    let store_config = StoreConfig { byte_budget: config.store().byte_budget };
    let (store, report) = Store::open(&config.store().path, store_config, &identity, since)?;
    let board = Board::new(config.sensor().clone(), labels, since);
    board.post(|health| {
        health.model = model_health;
        health.sandbox = sandbox_health;
    });

    let own = OwnClients::default();
    let announce = own.clone();
    let announce = Box::new(move |id: &str| announce.announce(id));
    let (delivery, intake, handle) =
        Delivery::spawn(store, &report, identity, publisher, board.clone(), announce)?;
    let _server = match config.status_socket() {
        Some(path) => match Server::start(path, Arc::new(handle.clone())) {
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
    let outcome = if models.is_empty() {
        pipeline.run(engine_settings, NoModel, &delivery)
    } else {
        pipeline.run(engine_settings, models, &delivery)
    };
    if !delivery.shutdown(SHUTDOWN) {
        log::warn!("the store was not closed in time; the next start will look through it");
    }
    outcome
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

/// The models and what the health says of them. A missing or bad one is no reason not to start, unless configured so,
/// and does not stop the others.
fn load_models(config: &Config) -> Result<(ModelSet, Part), ExitError> {
    let paths = config.model().paths();
    if paths.is_empty() {
        return Ok((ModelSet::empty(), Part::plain(Condition::Off)));
    }
    let (models, errors) = ModelSet::load(&paths);
    for label in models.labels() {
        log::info!("model {label} loaded");
    }
    let instead = if models.is_empty() { "the rules alone" } else { "the other models" };
    for error in &errors {
        log::warn!("working with {instead}: {error}");
    }
    let reasons: Vec<String> = errors.iter().map(ToString::to_string).collect();
    match errors.into_iter().next() {
        None => Ok((models, Part::ok())),
        Some(error) if config.model().on_missing == OnMissing::Refuse => Err(error.into()),
        Some(_) => Ok((models, Part::because(Condition::Degraded, reasons.join("; ")))),
    }
}

/// Becomes the unprivileged user, and goes into the cage unless that is switched off. Says what the health says of it.
fn give_up_rights(config: &Config) -> Result<Part, ExitError> {
    let folders = [Some(config.store().path.as_path()), config.status_socket().and_then(Path::parent)];
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
    if !config.sandbox() {
        return Ok(Part::plain(Condition::Off));
    }
    let mut reach = Reach::of_daemon();
    for folder in folders.into_iter().flatten() {
        // The cage can only allow what exists. Whoever uses the folder later says what is wrong with it.
        let _ = std::fs::create_dir_all(folder);
        reach.write.push(folder.to_owned());
    }
    Ok(match sandbox::enter(&reach) {
        Ok(report) => {
            log::info!("sandbox: {report}");
            report.part()
        }
        Err(error) => {
            log::warn!("no sandbox: {error}");
            Part::because(Condition::Degraded, error.to_string())
        }
    })
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
