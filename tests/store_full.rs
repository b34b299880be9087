//! A full disk: detection goes on, the loss is counted, and the store works again when there is room.
//!
//! The disk is a small tmpfs in a mount namespace of its own; where namespaces are not allowed the test is
//! skipped with a line that says so.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may panic, wait, read the clock and say why it was skipped"
)]

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use picket::publish::delivery::Delivery;
use picket::publish::status::{Board, Condition};
use picket::store::reader::{AlertSource, Filter};
use picket::store::{Store, StoreConfig};
use picket::time::Timestamp;

mod publish_support;
use publish_support::{SHUTDOWN, alert, identity, wait_for};

/// Exit code that says that there is no tmpfs to be had.
const NO_TMPFS: i32 = 77;

#[test]
fn a_full_disk_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let script =
        format!("mount -t tmpfs -o size=6m none \"$PICKET_FULL_DIR\" || exit {NO_TMPFS}; exec \"$@\"");
    let outcome = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "on_a_small_disk", "--ignored", "--nocapture"])
        .env("PICKET_FULL_DIR", dir.path())
        .status();
    match outcome.map(|status| status.code()) {
        Ok(Some(0)) => {}
        Ok(Some(NO_TMPFS | 1)) | Err(_) => println!("skipped: no tmpfs in a namespace of our own here"),
        Ok(code) => panic!("the part on the small disk failed: {code:?}"),
    }
}

#[test]
#[ignore = "needs a small disk; run by a_full_disk_is_survived"]
fn on_a_small_disk() {
    let dir = PathBuf::from(env::var("PICKET_FULL_DIR").unwrap());
    let ballast = dir.join("ballast");
    fs::write(&ballast, vec![0; 4 * 1024 * 1024]).unwrap();
    let start = Timestamp::from_secs(1_700_000_000);
    let store_dir = dir.join("store");
    let (store, report) = Store::open(&store_dir, StoreConfig::default(), &identity(), start).unwrap();
    let board = Board::new(identity().sensor, Vec::new(), start);
    let (delivery, mut intake, handle) =
        Delivery::spawn(store, &report, identity(), None, board.clone(), Box::new(|_| {})).unwrap();
    let health = || board.health().store;

    let mut unique = 0;
    let mut offer = |count: u32| {
        for _ in 0..count {
            wait_for("room in the channel", || intake.settle() && intake.offer(alert(unique)));
            unique += 1;
        }
    };
    wait_for("the disk to be full", || {
        offer(16);
        health().state == Condition::Failed
    });
    let reason = health().reason.unwrap();
    assert!(reason.contains("no space left"), "{reason}");
    offer(100);
    wait_for("the count of what is lost", || handle.counters().lost >= 100);

    fs::remove_file(&ballast).unwrap();
    wait_for("the store to work again", || health().state != Condition::Failed);
    let stored = handle.counters().stored;
    offer(5);
    wait_for("new alerts", || handle.counters().stored == stored + 5);
    let counters = handle.counters();
    assert!(delivery.shutdown(SHUTDOWN));

    let source = AlertSource::open(&dir.join("none"), &store_dir).unwrap();
    let (mut alerts, mut lost, mut next) = (0, 0, 1);
    for json in source.list(&Filter::default()).unwrap() {
        let document: serde_json::Value = serde_json::from_str(&json).unwrap();
        let seq = document["seq"].as_u64().unwrap();
        if document["schema"] == "picket.lost/1" {
            assert_eq!(document["from_seq"], next, "{json}");
            lost += document["count"].as_u64().unwrap_or(0);
        } else {
            assert_eq!(seq, next, "a hole that nothing explains");
            alerts += 1;
        }
        next = seq + 1;
    }
    println!("{counters:?}: {alerts} alerts on disk, {lost} told lost");
    assert!(alerts >= counters.stored && alerts + lost >= u64::try_from(unique).unwrap());
}
