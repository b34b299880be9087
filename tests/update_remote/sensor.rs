//! A sensor as far as MQTT goes: real delivery, real mailbox, and in place of the machine a thread that fetches what is desired.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use picket::publish::config::PublisherConfig;
use picket::publish::delivery::{Delivery, Handle, Intake};
use picket::publish::payload::Identity;
use picket::publish::status::Board;
use picket::publish::update::Remote;
use picket::store::{Store, StoreConfig};
use picket::time::Timestamp;
use picket::update::digest::Digest;
use picket::update::document::{Desired, Get, Manifest, Moment, Progress, Release, Reported, State};
use picket::update::mailbox::{Inbound, Mailbox};
use picket::update::reason::Reason;

use super::publish_support::SHUTDOWN;

pub const BLOCK: u32 = 16 << 10;
pub const CHANNEL: &str = "stable";

pub struct Sensor {
    pub mailbox: Mailbox,
    pub handle: Handle,
    pub intake: Intake,
    pub board: Board,
    /// Models that were fetched whole.
    pub models: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Messages that said what is desired.
    pub heard: Arc<AtomicU64>,
    delivery: Option<Delivery>,
    thread: Option<JoinHandle<()>>,
}

impl Sensor {
    pub fn start(folder: &Path, name: &str, publisher: PublisherConfig) -> Self {
        let now = Timestamp::from_secs(1_700_000_000);
        let identity = Identity { sensor: name.parse().unwrap(), models: vec!["default@1".to_owned()] };
        let place = folder.join(format!("store-{name}"));
        let (store, report) = Store::open(&place, StoreConfig::default(), &identity, now).unwrap();
        let board = Board::new(identity.sensor.clone(), identity.models.clone(), now);
        let mailbox = Mailbox::new();
        let remote = Remote { mailbox: mailbox.clone(), channel: Some(CHANNEL.to_owned()) };
        let publisher = PublisherConfig {
            update: Some(remote),
            home_assistant: Some("homeassistant".to_owned()),
            ..publisher
        };
        let (delivery, intake, handle) =
            Delivery::spawn(store, &report, identity, Some(publisher), board.clone(), Box::new(|_| {}))
                .unwrap();
        let models: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let heard: Arc<AtomicU64> = Arc::default();
        let thread = std::thread::spawn({
            let (mailbox, name, models) = (mailbox.clone(), name.to_owned(), Arc::clone(&models));
            let heard = Arc::clone(&heard);
            move || fetch(&mailbox, &name, &models, &heard)
        });
        Self { heard, mailbox, handle, intake, board, models, delivery: Some(delivery), thread: Some(thread) }
    }

    pub fn dropped(&self, reason: Reason) -> u64 {
        self.mailbox.dropped().get(&reason).copied().unwrap_or(0)
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        self.mailbox.close();
        let _ = self.thread.take().unwrap().join();
        let _ = self.delivery.take().unwrap().shutdown(SHUTDOWN);
    }
}

/// What is being fetched.
struct Fetching {
    request: String,
    release: Release,
    length: usize,
    blocks: Vec<Option<Vec<u8>>>,
}

impl Fetching {
    fn get(&self) -> Get {
        let missing = (0..).zip(&self.blocks).filter(|(_, block)| block.is_none()).map(|(index, _)| index);
        Get {
            schema: Get::SCHEMA.to_owned(),
            transfer: self.release.sha256.to_string()[..16].to_owned(),
            sha256: self.release.sha256,
            block_size: BLOCK,
            blocks: missing.take(4).collect(),
        }
    }
}

/// Fetches what is desired, as often as somebody desires something else. Nothing is verified but the digest: that is the
/// machine's, and tested there.
fn fetch(mailbox: &Mailbox, sensor: &str, models: &Mutex<Vec<Vec<u8>>>, heard: &AtomicU64) {
    let mut active = None;
    let mut fetching: Option<Fetching> = None;
    let report = |state, fetching: Option<&Fetching>, active| {
        let count = |fetching: &Fetching| fetching.blocks.iter().filter(|block| block.is_some()).count();
        mailbox.report(Reported {
            schema: Reported::SCHEMA.to_owned(),
            sensor: sensor.to_owned(),
            ts: Moment(1_795_000_000),
            state,
            active,
            target: fetching.map(|fetching| fetching.release),
            request: fetching.map(|fetching| fetching.request.clone()),
            reason: None,
            detail: None,
            progress: fetching.map(|f| Progress {
                blocks: u32::try_from(count(f)).unwrap(),
                of: u32::try_from(f.blocks.len()).unwrap(),
            }),
            shadow: None,
            floor: 0,
            root_version: 1,
            timestamp_seq: 0,
            bad: Vec::new(),
        });
    };
    report(State::Idle, None, active);
    while !mailbox.is_closed() {
        match mailbox.receive(Duration::from_millis(500)) {
            Some(Inbound::Desired(message)) => {
                heard.fetch_add(1, Ordering::Relaxed);
                let Ok(desired) = Desired::read(&message) else { continue };
                let manifest = Manifest::read(&desired.manifest.payload).unwrap();
                let release = Release { release: manifest.release, sha256: manifest.artifact.sha256 };
                let length = usize::try_from(manifest.artifact.length).unwrap();
                let blocks = vec![None; length.div_ceil(BLOCK as usize)];
                if active == Some(release) || fetching.as_ref().is_some_and(|f| f.release == release) {
                    continue;
                }
                let new = Fetching { request: desired.request, release, length, blocks };
                report(State::Downloading, Some(&new), active);
                mailbox.ask(new.get());
                fetching = Some(new);
            }
            Some(Inbound::Block { index, octets, .. }) => {
                let Some(f) = &mut fetching else { continue };
                f.blocks[index as usize] = Some(octets);
                let get = f.get();
                if get.blocks.is_empty() {
                    let model: Vec<u8> = f.blocks.iter().flatten().flatten().copied().collect();
                    assert_eq!((model.len(), Digest::of(&model)), (f.length, f.release.sha256));
                    models.lock().unwrap().push(model);
                    active = Some(f.release);
                    report(State::Committed, fetching.as_ref(), active);
                    mailbox.expect_nothing();
                    fetching = None;
                } else {
                    report(State::Downloading, fetching.as_ref(), active);
                    mailbox.ask(get);
                }
            }
            Some(Inbound::NotFetched { .. }) => panic!("nothing is fetched by HTTPS here"),
            // Asked again, as the machine does after its patience: the operator may have come just now.
            None => {
                if let Some(fetching) = &fetching {
                    mailbox.ask(fetching.get());
                }
            }
        }
    }
}
