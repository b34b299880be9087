//! `kill -9` at random moments, over and over: what the broker has is in the store, no number is used twice, and
//! every hole is explained.
//!
//! The test runs itself as a child that stores and publishes as fast as it can, and kills it.
//! `PICKET_KILL_ROUNDS` sets the number of kills (200).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may panic, wait, read the clock and say why it was skipped"
)]

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use picket::publish::config::PublisherConfig;
use picket::publish::delivery::Delivery;
use picket::publish::payload::Head;
use picket::publish::status::Board;
use picket::store::reader::{AlertSource, Filter};
use picket::store::{Store, StoreConfig};
use picket::time::Timestamp;

mod publish_support;
use publish_support::{Broker, Subscriber, alert, free_port, identity, mosquitto, retained, wait_for};

/// So large that nothing has to go: then everything the broker ever saw must be in the store.
const BUDGET: StoreConfig = StoreConfig { byte_budget: 256 * 1024 * 1024 };

/// What the victim says when its store is open.
const OPEN: &str = "the store is open";

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

#[test]
#[ignore = "the part that is killed; run by kill_nine_at_random_moments"]
fn victim() {
    let dir = PathBuf::from(env::var("PICKET_KILL_DIR").unwrap());
    let port = env::var("PICKET_KILL_PORT").unwrap();
    let start = Timestamp::from_micros(u64::try_from(now().as_micros()).unwrap());
    let (store, report) = Store::open(&dir, BUDGET, &identity(), start).unwrap();
    assert!(!report.is_damaged(), "{report:?} {:?}", store.counts());
    let board = Board::new(identity().sensor, Vec::new(), start);
    let publisher = PublisherConfig::new(format!("mqtt://127.0.0.1:{port}").parse().unwrap());
    let (_delivery, mut intake, _handle) =
        Delivery::spawn(store, &report, identity(), Some(publisher), board, Box::new(|_| {})).unwrap();
    println!("{OPEN}");
    loop {
        // Every content is unique, so that a number used twice shows.
        intake.offer(alert(now().as_nanos()));
        thread::sleep(Duration::from_millis(2));
    }
}

/// The documents on disk by number; a number that occurs twice is a failure.
fn on_disk(dir: &Path) -> BTreeMap<u64, String> {
    let source = AlertSource::open(Path::new("/nonexistent"), dir).expect("the store opens");
    let mut documents = BTreeMap::new();
    for json in source.list(&Filter::default()).unwrap() {
        let seq = Head::of(&json).unwrap().seq();
        assert!(documents.insert(seq, json).is_none(), "{seq} twice in the store");
    }
    documents
}

#[test]
fn kill_nine_at_random_moments() {
    let Some(program) = mosquitto() else { return };
    let rounds: u32 = env::var("PICKET_KILL_ROUNDS").map_or(200, |rounds| rounds.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let broker = Broker::start(program, dir.path(), free_port(), "allow_anonymous true");
    let subscriber = Subscriber::start(broker.port, None);
    // Any numbers do, as long as a failure can be repeated.
    let mut random = u64::from(now().subsec_nanos());
    println!("seed {random}");
    let mut published: BTreeMap<u64, String> = BTreeMap::new();
    let mut looked_at = 0;

    for round in 1..=rounds {
        let mut victim = Command::new(env::current_exe().unwrap())
            .args(["--exact", "victim", "--ignored", "--nocapture"])
            .env("PICKET_KILL_DIR", &store)
            .env("PICKET_KILL_PORT", broker.port.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let life = Duration::from_micros((random >> 33) % 250_000);
        if round % 4 == 0 {
            // Somewhere before, in or right after the opening.
            thread::sleep(life / 3);
        } else {
            let mut said = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
            assert!(
                said.any(|line| line.contains(OPEN)),
                "round {round}: the victim does not open its store"
            );
            thread::sleep(life);
            assert!(victim.try_wait().unwrap().is_none(), "round {round}: the victim ended by itself");
        }
        victim.kill().unwrap();
        victim.wait().unwrap();

        let messages = subscriber.seen();
        for message in messages.iter().skip(looked_at) {
            let Some(seq) = message.seq() else { continue };
            if let Some(before) = published.insert(seq, message.payload.clone()) {
                assert_eq!(before, message.payload, "round {round}: {seq} used for two contents");
            }
        }
        looked_at = messages.len();
        // Opening costs more with every round, so the store is looked at in every tenth.
        if round % 10 == 0 || round == rounds {
            let stored = on_disk(&store);
            for (seq, payload) in &published {
                assert_eq!(
                    stored.get(seq),
                    Some(payload),
                    "round {round}: {seq} is published but not stored"
                );
            }
        }
    }

    let will =
        || retained(broker.port, "picket/v1/gw-1/status").is_some_and(|s| s.contains("\"online\":false"));
    wait_for("the last will", will);
    let stored = on_disk(&store);
    let mut next = 1;
    let (mut skipped, mut stops) = (0, 0);
    for (seq, json) in &stored {
        match Head::of(json).unwrap() {
            Head::Lost { from_seq, to_seq, .. } => {
                assert_eq!(from_seq, next, "a hole that begins elsewhere: {json}");
                assert_eq!(to_seq + 1, *seq);
                skipped += to_seq + 1 - from_seq;
                stops += 1;
            }
            Head::Alert { .. } => assert_eq!(*seq, next, "a hole that nothing explains"),
        }
        next = seq + 1;
    }
    println!(
        "{rounds} kills: {} documents stored, {} seen by the subscriber, {stops} unclean stops explained, \
         {skipped} numbers skipped",
        stored.len(),
        published.len()
    );
    assert!(published.len() > usize::try_from(rounds).unwrap(), "too little was published to prove anything");
    assert!(stops > u64::from(rounds) / 2, "too few kills hit an open store");
}
