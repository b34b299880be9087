//! What the deliver thread does with what comes to it.
#![expect(clippy::disallowed_methods, reason = "retries and the end go by the clock of a living process")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::client::Stop;
use super::super::home_assistant::Announcement;
use super::super::link::{Down, LinkEvent, Manner, Sender};
use super::super::payload::{Head, Identity, LostReason};
use super::super::status::{Board, Condition, Part};
use super::super::subscriptions::Subscriptions;
use super::super::topics::Topics;
use super::super::update::Remote;
use super::super::window::{Tag, Window};
use super::{Input, Shared, Unstored, now};
use crate::alert::Alert;
use crate::store::{OpenReport, Store, StoreError};
use crate::update::mailbox::ToBroker;

/// Inputs looked at before the store is written: the most alerts in one batch.
pub(super) const BATCH: usize = 64;
/// How often the thread looks up when nothing comes.
const TICK: Duration = Duration::from_millis(500);
/// How long acknowledgements may stay unflushed.
const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// How long after a failure the store is tried again.
const STORE_RETRY: Duration = Duration::from_secs(5);
/// How long after a refused publication it is tried again: first, and at most.
const REFUSED_RETRY: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(900));

/// The end, once asked for.
struct Ending {
    /// Leave by then, whatever is open.
    until: Instant,
    /// Wait that long for answers under way before saying goodbye.
    linger: Instant,
    said_goodbye: bool,
}

/// Everything the deliver thread owns.
pub(super) struct Worker {
    store: Store,
    identity: Identity,
    topics: Topics,
    remote: Option<Remote>,
    subscriptions: Subscriptions,
    /// What Home Assistant is told once per connection, and whether it was.
    discovery: Option<(Announcement, bool)>,
    /// What is to be said of the update and found no room.
    update: ToBroker,
    board: Board,
    shared: Arc<Shared>,
    stop: Stop,
    batch: Vec<Alert>,
    unstored: Unstored,
    /// When the store is tried again after a failure.
    retry_store: Option<Instant>,
    last_flush: Instant,
    sender: Option<Sender>,
    window: Window,
    /// Documents up to here were given to the present connection or passed over.
    cursor: u64,
    /// The edition of the status that the present connection has seen, and when.
    status_sent: Option<(u64, Instant)>,
    /// How often it is repeated.
    status_every: Duration,
    /// When refused documents are given once more, and how long the next time.
    retry_refused: Option<Instant>,
    refused_pause: Duration,
    ending: Option<Ending>,
}

impl Worker {
    #[expect(clippy::too_many_arguments, reason = "called once; a struct would only repeat the fields")]
    pub(super) fn new(
        store: Store,
        report: &OpenReport,
        identity: Identity,
        topics: Topics,
        remote: Option<Remote>,
        discovery: Option<String>,
        board: Board,
        shared: Arc<Shared>,
        stop: Stop,
        status_every: Option<Duration>,
    ) -> Self {
        let filters = remote.as_ref().map(|remote| remote.filters(&topics)).unwrap_or_default();
        let discovery = discovery.map(|prefix| (Announcement::of(&prefix, &identity.sensor), false));
        let worker = Self {
            store,
            identity,
            topics,
            remote,
            discovery,
            subscriptions: Subscriptions::new(filters),
            update: ToBroker::default(),
            board,
            shared,
            stop,
            batch: Vec::new(),
            unstored: Unstored::default(),
            retry_store: None,
            last_flush: Instant::now(),
            sender: None,
            window: Window::default(),
            cursor: 0,
            status_sent: None,
            status_every: status_every.unwrap_or(Duration::MAX),
            retry_refused: None,
            refused_pause: REFUSED_RETRY.0,
            ending: None,
        };
        worker.post_store(report);
        worker.board.post(|health| {
            health.broker =
                Part::plain(if status_every.is_some() { Condition::Starting } else { Condition::Off });
        });
        worker.count(|_| {});
        worker
    }

    /// How long the thread may sleep.
    pub(super) fn patience(&self) -> Duration {
        if self.ending.is_some() { Duration::from_millis(20) } else { TICK }
    }

    pub(super) fn take(&mut self, input: Input) {
        match input {
            Input::Alert(alert) => self.batch.push(*alert),
            Input::Overload(count) => {
                // In its place in the stream: after the alerts that came before.
                self.write_batch();
                self.forget(count, LostReason::Overload);
                self.write_lost();
            }
            Input::Models(models) => {
                self.write_batch();
                self.identity.models = models;
            }
            Input::Metric(json) => {
                let topic = self.topics.metric_engine();
                if let Some(sender) = &self.sender
                    && sender.publish(&topic, json, Manner::Casual)
                {
                    self.window.give(Tag::Metric);
                }
            }
            Input::Link(event) => self.link(event),
            Input::Update(message) => {
                // The newer takes the place of the older; without a connection neither is of use.
                let ToBroker { get, reported } = *message;
                if self.sender.is_some() {
                    self.update.get = get.or(self.update.get.take());
                    self.update.reported = reported.or(self.update.reported.take());
                }
            }
            Input::Page { after, max, reply } => {
                let page = self.store.range(after, max).map_err(|error| error.to_string());
                // A client that has gone does not want its answer.
                if reply.try_send(page).is_err() {
                    log::debug!("a client of the status socket left before its answer");
                }
                self.notice_closed();
            }
            Input::Stop(until) => {
                let linger = Instant::now() + until.saturating_duration_since(Instant::now()) / 2;
                self.ending.get_or_insert(Ending { until, linger, said_goodbye: false });
            }
        }
    }

    /// Everything that follows from what was taken.
    pub(super) fn work(&mut self) {
        self.write_batch();
        if self.retry_store.is_some_and(|at| at <= Instant::now()) {
            self.recover_store();
        }
        if self.last_flush.elapsed() >= FLUSH_EVERY {
            self.last_flush = Instant::now();
            let outcome = self.store.flush();
            self.check(outcome);
        }
        self.feed();
        self.say_goodbye();
    }

    /// Whether the thread has nothing more to do.
    pub(super) fn is_done(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| self.sender.is_none() || ending.until <= Instant::now())
    }

    pub(super) fn close(self) {
        if let Err(error) = self.store.close() {
            log::error!("{error}");
        }
    }

    // ---- the store ---------------------------------------------------------------------------

    fn write_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let alerts = std::mem::take(&mut self.batch);
        let count = u64::try_from(alerts.len()).unwrap_or(u64::MAX);
        self.write_lost();
        if self.retry_store.is_some() {
            self.forget(count, LostReason::StoreFailed);
            return;
        }
        match self.store.append(&alerts, &self.identity, now()) {
            Ok(_) => self.count(|counters| counters.stored += count),
            Err(error) => {
                self.forget(count, LostReason::StoreFailed);
                self.check(Err(error));
            }
        }
    }

    /// Remembers that `count` alerts are gone until the stream can say so.
    fn forget(&mut self, count: u64, reason: LostReason) {
        self.unstored.count += count;
        // A failing store explains an overload, not the other way round.
        if self.unstored.reason != Some(LostReason::StoreFailed) {
            self.unstored.reason = Some(reason);
        }
        self.count(|counters| counters.lost += count);
    }

    fn write_lost(&mut self) {
        let (count, Some(reason)) = (self.unstored.count, self.unstored.reason) else { return };
        if self.retry_store.is_some() {
            return;
        }
        match self.store.append_lost(count, reason, &self.identity, now()) {
            Ok(_) => {
                self.unstored = Unstored::default();
                self.count(|_| {});
            }
            Err(error) => self.check(Err(error)),
        }
    }

    fn recover_store(&mut self) {
        if !self.store.is_open() {
            match self.store.reopen(&self.identity, now()) {
                Ok(report) => self.post_store(&report),
                Err(error) => return self.check(Err(error)),
            }
        }
        self.retry_store = None;
        self.write_lost();
        if self.retry_store.is_none() {
            log::info!("the alert store works again");
            self.board.post(|health| {
                if health.store.state == Condition::Failed {
                    health.store = Part::ok();
                }
            });
        }
    }

    /// Takes note of a failure: said once, tried again later.
    fn check(&mut self, outcome: Result<(), StoreError>) {
        let Err(error) = outcome else { return };
        if self.retry_store.is_none() {
            log::error!("{error}; detection goes on, alerts are counted until the store works again");
        }
        self.retry_store = Some(Instant::now() + STORE_RETRY);
        self.board.post(|health| health.store = Part::because(Condition::Failed, error.to_string()));
    }

    /// A read may have found the store failing.
    fn notice_closed(&mut self) {
        if !self.store.is_open() && self.retry_store.is_none() {
            self.check(Err(StoreError::Closed));
        }
    }

    fn post_store(&self, report: &OpenReport) {
        let part = match (&report.set_aside, report.is_damaged()) {
            (Some((path, why)), _) => Part::because(
                Condition::Degraded,
                format!("the store was set aside as {} ({why}), history lost", path.display()),
            ),
            (None, true) => Part::because(Condition::Degraded, "part of the stored history was lost"),
            (None, false) => Part::ok(),
        };
        if let Some(reason) = &part.reason {
            log::warn!("{reason}");
        }
        self.board.post(|health| health.store = part);
    }

    /// Changes the counters and rings the bell for those who follow.
    fn count(&self, change: impl FnOnce(&mut super::DeliveryCounters)) {
        let mut counters = self.shared.lock();
        change(&mut counters);
        counters.take_over(self.store.counts(), self.store.last_seq());
        drop(counters);
        self.shared.grew.notify_all();
    }

    // ---- the broker --------------------------------------------------------------------------

    fn link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Up(sender) => {
                log::info!("connected to the management broker");
                self.sender = Some(sender);
                self.window.clear();
                self.cursor = 0;
                self.refused_pause = REFUSED_RETRY.0;
                self.status_sent = None;
                self.board.post(|health| health.broker = Part::ok());
                if let Some(remote) = &self.remote {
                    remote.mailbox.connected();
                }
                if let Some((_, is_made)) = &mut self.discovery {
                    *is_made = false;
                }
            }
            LinkEvent::Written(packet_id) => self.window.write(packet_id),
            LinkEvent::Answered(packet_id, verdict) => self.answered(packet_id, verdict),
            LinkEvent::NotSubscribed => {
                log::warn!(
                    "the broker refuses a subscription; check its access list: models are not updated by it"
                );
            }
            // Taken before it comes here.
            LinkEvent::Message(_) => {}
            LinkEvent::Down(down) => {
                if down == Down::TooLarge {
                    self.count(|counters| counters.too_large += 1);
                    for filter in self.subscriptions.overrun(Instant::now()) {
                        log::warn!("{down}; {filter} is not subscribed for a while");
                    }
                }
                self.sender = None;
                self.window.clear();
                self.retry_refused = None;
                self.update = ToBroker::default();
                self.subscriptions.lost();
                let condition =
                    if matches!(down, Down::Refused(_)) { Condition::Refused } else { Condition::Away };
                let part = Part::because(condition, down.to_string());
                if self.board.health().broker != part && self.ending.is_none() {
                    log::warn!("no connection to the management broker: {part}");
                }
                self.board.post(|health| health.broker = part);
            }
        }
    }

    fn answered(&mut self, packet_id: u16, verdict: Result<(), &'static str>) {
        let Some(tag) = self.window.answer(packet_id) else { return };
        match (verdict, tag) {
            (Ok(()), Tag::Document(seq)) => {
                let outcome = self.store.acknowledge(seq);
                let is_stored = outcome.is_ok();
                self.check(outcome);
                if is_stored {
                    self.count(|counters| counters.acknowledged += 1);
                }
            }
            (Ok(()), _) => {}
            (Err(why), tag) => {
                let what = match tag {
                    Tag::Document(seq) => format!("document {seq}"),
                    Tag::Status | Tag::Metric => "the status".to_owned(),
                    Tag::Update => "what is said of the update".to_owned(),
                    Tag::Discovery => "what Home Assistant is told".to_owned(),
                };
                let part = Part::because(Condition::Refused, format!("publishing: {why}"));
                if self.board.health().broker != part {
                    log::warn!("the broker refuses {what}: {why}; check its access list");
                }
                self.board.post(|health| health.broker = part);
                self.count(|counters| counters.refused += 1);
                // The document stays in the outbox, the others go on.
                self.retry_refused.get_or_insert(Instant::now() + self.refused_pause);
            }
        }
    }

    /// Gives the connection what it has room for: the status if it changed, then documents in their order.
    fn feed(&mut self) {
        let Some(sender) = &self.sender else { return };
        if self.ending.as_ref().is_some_and(|ending| ending.said_goodbye) {
            return;
        }
        let edition = self.board.edition();
        let is_fresh = |(sent, at): (u64, Instant)| sent == edition && at.elapsed() < self.status_every;
        if !self.status_sent.is_some_and(is_fresh)
            && sender.publish(&self.topics.status(), self.board.online().to_json(), Manner::Retained)
        {
            self.window.give(Tag::Status);
            self.status_sent = Some((edition, Instant::now()));
        }
        self.feed_update();
        let Some(sender) = &self.sender else { return };
        if self.retry_refused.is_some_and(|at| at <= Instant::now()) {
            self.retry_refused = None;
            self.refused_pause = (self.refused_pause * 2).min(REFUSED_RETRY.1);
            self.cursor = 0;
            self.board.post(|health| health.broker = Part::ok());
        }
        let room = self.window.room();
        if room == 0 || self.cursor >= self.store.last_seq() || self.ending.is_some() {
            return;
        }
        let page = match self.store.outbox_next(self.cursor, room) {
            Ok(page) => page,
            Err(error) => return self.check(Err(error)),
        };
        if page.is_empty() {
            self.cursor = self.store.last_seq();
        }
        for record in page {
            if self.window.contains(record.seq) {
                self.cursor = record.seq;
                continue;
            }
            let topic = Head::of(&record.json).ok().and_then(|head| self.topics.of(&head));
            let Some(topic) = topic else {
                // A class that this version does not know how to write; a later one will.
                log::warn!("document {} has no topic and stays in the store", record.seq);
                self.cursor = record.seq;
                continue;
            };
            if !sender.publish(&topic, record.json, Manner::Once) {
                break;
            }
            self.window.give(Tag::Document(record.seq));
            self.cursor = record.seq;
        }
    }

    /// Subscribes what is due, and says what is to be said of the update.
    fn feed_update(&mut self) {
        let Some(sender) = &self.sender else { return };
        let now = Instant::now();
        for filter in self.subscriptions.due(now) {
            if sender.subscribe(&filter) {
                self.subscriptions.made(&filter, now);
            }
        }
        if let Some((announcement, is_made)) = &mut self.discovery
            && !*is_made
            && sender.publish(&announcement.topic, announcement.payload.as_str(), Manner::Retained)
        {
            *is_made = true;
            self.window.give(Tag::Discovery);
        }
        let text = |json: serde_json::Result<String>| json.unwrap_or_default();
        if let Some(reported) = self.update.reported.take() {
            if sender.publish(
                &self.topics.update_reported(),
                text(serde_json::to_string(&reported)),
                Manner::Retained,
            ) {
                self.window.give(Tag::Update);
            } else {
                self.update.reported = Some(reported);
            }
        }
        if let Some(get) = self.update.get.take() {
            if sender.publish(&self.topics.update_get(), text(serde_json::to_string(&get)), Manner::Once) {
                self.window.give(Tag::Update);
            } else {
                self.update.get = Some(get);
            }
        }
    }

    /// When ending: the last status and an orderly disconnect, as soon as the answers are in or time presses.
    fn say_goodbye(&mut self) {
        let (Some(ending), Some(sender)) = (&mut self.ending, &self.sender) else { return };
        if ending.said_goodbye || !(self.window.is_empty() || ending.linger <= Instant::now()) {
            return;
        }
        self.stop.stop();
        ending.said_goodbye = true;
        let offline = self.board.offline().to_json();
        let said = sender.publish(&self.topics.status(), offline, Manner::Retained) && sender.disconnect();
        if !said {
            log::warn!("no room for the last status; the broker will publish the will");
            self.sender = None;
        }
    }
}
