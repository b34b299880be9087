//! The way of an alert out of the pipeline: stored first, then published, forgotten when acknowledged.
//!
//! The pipeline gives alerts to an [`Intake`] and never waits. The `picket-deliver` thread owns the store: it
//! writes what came in as one batch, keeps a window of publications under way and takes note of the answers. The
//! `picket-mqtt` thread drives the connection and reports to it. All of it comes to the deliver thread over one
//! bounded channel, so everything it does is in one order.
#![expect(clippy::disallowed_methods, reason = "the end has a deadline, and a lost record a date")]

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::client::{self, Connector, OwnClientId, Stop, Will, WillMaker};
use super::config::{PublishError, PublisherConfig};
use super::link::LinkEvent;
use super::payload::{Identity, LostReason};
use super::rfc3339::Rfc3339;
use super::status::Board;
use super::topics::{SensorName, Topics};
use super::update::{LOOK_UP, Remote};
use crate::alert::Alert;
use crate::store::socket::Answers;
use crate::store::{Counts, OpenReport, Record, Store};
use crate::time::Timestamp;
use crate::update::mailbox::ToBroker;

mod worker;

use worker::Worker;

/// Messages that wait for the deliver thread at most. An alert takes about 1 KiB.
pub const CHANNEL: usize = 256;
/// Stack of the deliver thread, in bytes: sled recurses little, but a scan of a damaged file may.
const STACK: usize = 1024 * 1024;
/// Stack of the thread that carries messages of the update, in bytes.
const SMALL_STACK: usize = 64 * 1024;
/// How long a client of the status socket waits for the store.
const QUERY_PATIENCE: Duration = Duration::from_secs(5);

/// What comes to the deliver thread.
pub(super) enum Input {
    Alert(Box<Alert>),
    /// So many alerts found the channel full since the last one that did not.
    Overload(u64),
    /// A metric, ready to be sent.
    Metric(String),
    /// Other models are loaded.
    Models(Vec<String>),
    Link(LinkEvent),
    Update(Box<ToBroker>),
    Page {
        after: u64,
        max: usize,
        reply: SyncSender<Result<Vec<Record>, String>>,
    },
    /// End before the instant.
    Stop(Instant),
}

/// `schema` of the engine's metric.
pub const METRIC_SCHEMA: &str = "picket.metric.engine/1";

#[derive(Serialize)]
struct EngineMetric<'a, E> {
    schema: &'static str,
    ts: Rfc3339,
    sensor: &'a str,
    uptime_s: u64,
    engine: &'a E,
    delivery: DeliveryCounters,
}

/// What delivery has done since it started, and what is in the store.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub struct DeliveryCounters {
    /// Alerts written to the store.
    pub stored: u64,
    /// Documents that the broker acknowledged.
    pub acknowledged: u64,
    /// Publications that the broker refused; each is tried again.
    pub refused: u64,
    /// Connections that ended because the broker sent a packet larger than is taken.
    pub too_large: u64,
    /// Alerts that never reached the store: channel full, disk full, store failed.
    pub lost: u64,
    /// Documents in the store.
    pub records: u64,
    /// Documents that the broker has not acknowledged.
    pub pending: u64,
    /// Bytes of documents in the store.
    pub live_bytes: u64,
    /// Documents that left the store to keep its budget.
    pub evicted: u64,
    /// The highest number in use.
    pub last_seq: u64,
}

impl DeliveryCounters {
    fn take_over(&mut self, counts: Counts, last_seq: u64) {
        self.records = counts.records;
        self.pending = counts.pending;
        self.live_bytes = counts.live_bytes;
        self.evicted = counts.evicted;
        self.last_seq = last_seq;
    }
}

/// The counters for everybody, and a bell for those who follow the stream.
#[derive(Default)]
pub(super) struct Shared {
    counters: Mutex<DeliveryCounters>,
    grew: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, DeliveryCounters> {
        // Counters are whole at any moment, so a poisoned lock is as good.
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pipeline's end: takes alerts without ever waiting.
#[derive(Debug)]
pub struct Intake {
    channel: SyncSender<Input>,
    /// Alerts that found the channel full and of which nobody knows yet.
    dropped: u64,
    /// Names of models that found the channel full.
    models: Option<Vec<String>>,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Input")
    }
}

impl Intake {
    /// Hands an alert over. `false` when the channel is full: the alert is gone, and the stream will say so.
    pub fn offer(&mut self, alert: Alert) -> bool {
        let sent = self.settle() && self.channel.try_send(Input::Alert(Box::new(alert))).is_ok();
        if !sent {
            self.dropped += 1;
        }
        sent
    }

    /// Other models are at work: the alerts that follow name them, those before do not. Never waits.
    pub fn models(&mut self, labels: Vec<String>) {
        self.settle();
        self.models = Some(labels);
        self.settle();
    }

    /// Reports dropped alerts if the channel takes the report now; to be called on every tick. Returns whether
    /// nothing is left to report.
    pub fn settle(&mut self) -> bool {
        if let Some(labels) = self.models.take()
            && let Err(TrySendError::Full(Input::Models(labels))) =
                self.channel.try_send(Input::Models(labels))
        {
            self.models = Some(labels);
            return false;
        }
        if self.dropped > 0 && self.channel.try_send(Input::Overload(self.dropped)).is_ok() {
            self.dropped = 0;
        }
        self.dropped == 0
    }
}

/// A handle to the running delivery, for everybody but the pipeline.
#[derive(Clone)]
pub struct Handle {
    channel: SyncSender<Input>,
    shared: Arc<Shared>,
    board: Board,
    sensor: SensorName,
}

impl Handle {
    /// Publishes the engine's counters, if there is a connection and room: a metric is never kept. Returns whether
    /// it was handed over.
    ///
    /// `engine` is an object of numbers or of objects of numbers; `uptime` is the daemon's. The document's shape
    /// is `docs/schema/metric-engine.schema.json`.
    ///
    /// # Errors
    /// `engine` does not serialise.
    pub fn metric(
        &self,
        at: Timestamp,
        uptime: Duration,
        engine: &impl Serialize,
    ) -> Result<bool, serde_json::Error> {
        let json = serde_json::to_string(&EngineMetric {
            schema: METRIC_SCHEMA,
            ts: Rfc3339(at),
            sensor: self.sensor.as_str(),
            uptime_s: uptime.as_secs(),
            engine,
            delivery: self.counters(),
        })?;
        Ok(self.channel.try_send(Input::Metric(json)).is_ok())
    }

    /// Other models are loaded: later alerts and the status name them.
    pub fn set_models(&self, models: Vec<String>) {
        self.board.set_models(models.clone());
        if self.channel.send(Input::Models(models)).is_err() {
            log::debug!("delivery has ended");
        }
    }

    /// The counters.
    #[must_use]
    pub fn counters(&self) -> DeliveryCounters {
        *self.shared.lock()
    }
}

impl Answers for Handle {
    fn status(&self) -> String {
        let mut status = serde_json::to_value(self.board.online()).unwrap_or_default();
        if let (Some(fields), Ok(delivery)) = (status.as_object_mut(), serde_json::to_value(self.counters()))
        {
            fields.insert("delivery".to_owned(), delivery);
        }
        status.to_string()
    }

    fn page(&self, after: u64, max: usize) -> Result<Vec<Record>, String> {
        let (reply, answer) = mpsc::sync_channel(1);
        match self.channel.try_send(Input::Page { after, max, reply }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err("the daemon is busy, try again".to_owned()),
            Err(TrySendError::Disconnected(_)) => return Err("the daemon is ending".to_owned()),
        }
        answer.recv_timeout(QUERY_PATIENCE).map_err(|_| "the store does not answer in time".to_owned())?
    }

    fn head(&self) -> u64 {
        self.counters().last_seq
    }

    fn wait_beyond(&self, seq: u64, patience: Duration) {
        let counters = self.shared.lock();
        drop(self.shared.grew.wait_timeout_while(counters, patience, |counters| counters.last_seq <= seq));
    }
}

/// The two threads.
#[derive(Debug)]
pub struct Delivery {
    channel: SyncSender<Input>,
    stop: Stop,
    deliver: JoinHandle<()>,
    mqtt: Option<JoinHandle<()>>,
}

/// Why delivery cannot start.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The connection to the broker cannot be set up.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// No thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

impl Delivery {
    /// Starts delivery from `store`, to the broker of `publisher` or, without one, only to the disk.
    ///
    /// `report` is what [`Store::open`] said; the health of the store on `board` follows from it.
    /// `own_client_id` hears the client id of every attempt to connect before it is made.
    ///
    /// # Errors
    /// TLS files that cannot be used, or no threads.
    pub fn spawn(
        store: Store,
        report: &OpenReport,
        identity: Identity,
        publisher: Option<PublisherConfig>,
        board: Board,
        own_client_id: OwnClientId,
    ) -> Result<(Self, Intake, Handle), DeliveryError> {
        let (topics, sensor) = (Topics::new(&identity.sensor), identity.sensor.clone());
        let status_every = publisher.as_ref().map(|config| config.status_every);
        let remote = publisher.as_ref().and_then(|config| config.update.clone());
        let discovery = publisher.as_ref().and_then(|config| config.home_assistant.clone());
        let connector = publisher
            .map(|config| {
                let (topic, board) = (topics.status(), board.clone());
                let will: WillMaker =
                    Box::new(move || Will { topic: topic.clone(), payload: board.offline().to_json() });
                Connector::new(config, sensor.clone(), Some(will))
            })
            .transpose()?;
        let (channel, inputs) = mpsc::sync_channel(CHANNEL);
        let (stop, shared) = (Stop::default(), Arc::new(Shared::default()));
        let worker = Worker::new(
            store,
            report,
            identity,
            topics.clone(),
            remote.clone(),
            discovery,
            board.clone(),
            Arc::clone(&shared),
            stop.clone(),
            status_every,
        );
        let deliver = thread::Builder::new()
            .name("picket-deliver".to_owned())
            .stack_size(STACK)
            .spawn(move || run(worker, &inputs))?;
        let mqtt = connector
            .map(|connector| {
                let (channel, remote) = (channel.clone(), remote.clone());
                client::spawn(connector, own_client_id, stop.clone(), move |event| match event {
                    // Past the channel of the alerts: a flood from the broker takes no place there.
                    LinkEvent::Message(message) => {
                        if let Some(remote) = &remote {
                            remote.take(&topics, &message);
                        }
                        true
                    }
                    event => channel.send(Input::Link(event)).is_ok(),
                })
            })
            .transpose()?;
        if let (Some(remote), Some(_)) = (remote, &mqtt) {
            let (channel, stop) = (channel.clone(), stop.clone());
            thread::Builder::new()
                .name("picket-report".to_owned())
                .stack_size(SMALL_STACK)
                .spawn(move || carry(&remote, &channel, &stop))?;
        }
        let intake = Intake { channel: channel.clone(), dropped: 0, models: None };
        let handle = Handle { channel: channel.clone(), shared, board, sensor };
        Ok((Self { channel, stop, deliver, mqtt }, intake, handle))
    }

    /// Whether both threads still run; they end only by [`Delivery::shutdown`] or by a fault.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.deliver.is_finished() && self.mqtt.as_ref().is_none_or(|mqtt| !mqtt.is_finished())
    }

    /// Stores what is still in the channel, waits for answers under way, says `offline`, disconnects and closes
    /// the store, all within `patience`. Returns whether the store was closed in time; the rest is courtesy.
    #[must_use]
    pub fn shutdown(self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut stop = Input::Stop(until);
        while let Err(TrySendError::Full(back)) = self.channel.try_send(stop) {
            if Instant::now() >= until {
                return false;
            }
            stop = back;
            thread::sleep(Duration::from_millis(5));
        }
        let closed = join_by(self.deliver, until);
        self.stop.stop();
        // An attempt to connect cannot be interrupted; it ends with the process.
        let courtesy = until.min(Instant::now() + Duration::from_millis(200));
        if self.mqtt.is_some_and(|mqtt| !join_by(mqtt, courtesy)) {
            log::debug!("an attempt to connect was still under way");
        }
        closed
    }
}

/// Waits for a thread until an instant; returns whether it ended, and in order.
fn join_by(thread: JoinHandle<()>, until: Instant) -> bool {
    while !thread.is_finished() {
        if Instant::now() >= until {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    thread.join().is_ok()
}

/// The deliver thread.
fn run(mut worker: Worker, inputs: &Receiver<Input>) {
    loop {
        match inputs.recv_timeout(worker.patience()) {
            Ok(input) => {
                worker.take(input);
                for input in inputs.try_iter().take(worker::BATCH) {
                    worker.take(input);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        worker.work();
        if worker.is_done() {
            break;
        }
    }
    worker.close();
}

/// The thread that carries messages of the update to the deliver thread.
fn carry(remote: &Remote, channel: &SyncSender<Input>, stop: &Stop) {
    while !remote.mailbox.is_closed() && !stop.is_stopped() {
        if let Some(message) = remote.mailbox.for_broker(LOOK_UP)
            && channel.send(Input::Update(Box::new(message))).is_err()
        {
            return;
        }
    }
}

/// The wall clock; it dates lost records and nothing else.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// Alerts lost between the pipeline and the store, by reason, until the stream can say so.
#[derive(Default)]
pub(super) struct Unstored {
    count: u64,
    reason: Option<LostReason>,
}
