//! The store's promises, one by one. What needs a kill or a broker is in `tests/store_*.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::reader::{AlertSource, Filter};
use super::*;
use crate::publish::payload::tests::{identity, sample};
use crate::publish::payload::{Head, LostReason};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_100);

fn open(dir: &Path) -> (Store, OpenReport) {
    Store::open(dir, StoreConfig::default(), &identity(), NOW).unwrap()
}

fn append(store: &mut Store, count: usize) -> Vec<Record> {
    store.append(&vec![sample(b"x"); count], &identity(), NOW).unwrap()
}

fn all(store: &mut Store) -> Vec<Record> {
    store.range(0, usize::MAX).unwrap()
}

fn seqs(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.seq).collect()
}

/// Every number up to the last is there, covered by a lost record, or in `gone` (acknowledged and evicted).
fn assert_explained(store: &mut Store, gone: &BTreeSet<u64>) {
    let mut known = gone.clone();
    for record in all(store) {
        known.insert(record.seq);
        if let Head::Lost { from_seq, to_seq, .. } = Head::of(&record.json).unwrap() {
            known.extend(from_seq..=to_seq);
        }
    }
    assert_eq!(known, (1..=store.last_seq()).collect(), "numbers nobody explains");
}

#[test]
fn numbers_go_on_over_a_clean_stop() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, report) = open(dir.path());
    assert_eq!(report, OpenReport::default());
    assert_eq!(seqs(&append(&mut store, 3)), [1, 2, 3]);
    store.acknowledge(2).unwrap();
    store.close().unwrap();

    let (mut store, report) = open(dir.path());
    assert_eq!(report, OpenReport::default());
    assert_eq!(store.counts().records, 3);
    assert_eq!(seqs(&store.outbox_next(0, 10).unwrap()), [1, 3]);
    assert_eq!(seqs(&store.outbox_next(1, 10).unwrap()), [3]);
    assert_eq!(seqs(&append(&mut store, 1)), [4]);
    let record = store.get(2).unwrap().unwrap();
    assert_eq!(Head::of(&record.json).unwrap().seq(), 2);
    assert_eq!(store.get(9).unwrap(), None);
}

#[test]
fn an_unclean_stop_is_explained_and_uses_no_number_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    append(&mut store, 3);
    drop(store);

    let (mut store, report) = open(dir.path());
    let lost = report.lost.unwrap();
    assert_eq!((lost.from_seq, lost.reason), (4, LostReason::UncleanStop));
    assert!(report.set_aside.is_none());
    let next = append(&mut store, 1)[0].seq;
    assert_eq!(next, lost.to_seq + 2, "the lost record has the number between");
    assert_explained(&mut store, &BTreeSet::new());
}

#[test]
fn one_store_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let refused = Store::open(dir.path(), StoreConfig::default(), &identity(), NOW);
    assert!(matches!(refused, Err(StoreError::InUse(_))));
    drop(store);
    open(dir.path());
}

#[test]
fn the_budget_takes_acknowledged_documents_first_and_then_says_what_was_lost() {
    let dir = tempfile::tempdir().unwrap();
    let config = StoreConfig { byte_budget: StoreConfig::LEAST_BUDGET };
    let (mut store, _) = Store::open(dir.path(), config, &identity(), NOW).unwrap();
    let mut gone = BTreeSet::new();
    // A third is acknowledged at once, the rest never.
    for _ in 0..40 {
        let before: BTreeSet<u64> = seqs(&all(&mut store)).into_iter().collect();
        let pending: BTreeSet<u64> = seqs(&store.outbox_next(0, usize::MAX).unwrap()).into_iter().collect();
        let records = append(&mut store, 10);
        let after: BTreeSet<u64> = seqs(&all(&mut store)).into_iter().collect();
        let removed: BTreeSet<u64> = before.difference(&after).copied().collect();
        let unsent: Vec<_> = removed.intersection(&pending).copied().collect();
        let kept_acknowledged = before.difference(&pending).any(|seq| after.contains(seq));
        assert!(unsent.is_empty() || !kept_acknowledged, "acknowledged ones go first");
        gone.extend(removed.difference(&pending));
        for record in records.iter().filter(|record| record.seq % 3 == 0) {
            store.acknowledge(record.seq).unwrap();
        }
        assert!(store.counts().live_bytes <= config.byte_budget);
    }
    let lost: Vec<Head> = all(&mut store)
        .iter()
        .map(|record| Head::of(&record.json).unwrap())
        .filter(|head| matches!(head, Head::Lost { .. }))
        .collect();
    assert!((1..8).contains(&lost.len()), "few records for many alerts: {lost:?}");
    assert_explained(&mut store, &gone);

    let counts = store.counts();
    store.close().unwrap();
    let (store, _) = Store::open(dir.path(), config, &identity(), NOW).unwrap();
    assert_eq!(store.counts(), Counts { evicted: 0, ..counts }, "counters agree with a fresh scan");
}

#[test]
fn alerts_lost_before_the_store_take_numbers_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    append(&mut store, 1);
    let records = store.append_lost(5, LostReason::Overload, &identity(), NOW).unwrap();
    assert_eq!(
        Head::of(&records[0].json).unwrap(),
        Head::Lost { seq: 7, from_seq: 2, to_seq: 6, count: Some(5) }
    );
    assert!(store.append_lost(0, LostReason::Overload, &identity(), NOW).unwrap().is_empty());
    assert_eq!(seqs(&append(&mut store, 1)), [8]);
    assert_explained(&mut store, &BTreeSet::new());
}

#[test]
fn a_database_that_does_not_open_is_set_aside_and_the_numbers_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = 0;
    for round in 1..=4 {
        let (mut store, _) = open(dir.path());
        append(&mut store, 20);
        let before = store.last_seq();
        store.close().unwrap();
        fs::write(dir.path().join("db/conf"), "longer than eight bytes and nonsense").unwrap();

        let (mut store, report) = open(dir.path());
        assert!(report.is_damaged());
        let (aside, why) = report.set_aside.expect("noticed");
        assert_eq!(aside, dir.path().join(format!("broken-{round}")), "{why}");
        let lost = report.lost.unwrap();
        assert_eq!((lost.from_seq, lost.to_seq, lost.count), (1, before, None));
        assert!(append(&mut store, 1)[0].seq > before.max(last));
        last = store.last_seq();
        store.close().unwrap();
    }
    let kept = fs::read_dir(dir.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("broken-"));
    assert_eq!(kept.count(), KEEP_BROKEN);
}

#[test]
fn damage_that_sled_repairs_by_forgetting_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    append(&mut store, 20);
    store.close().unwrap();
    let file = dir.path().join("db/db");
    let mut bytes = fs::read(&file).unwrap();
    bytes.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(31).wrapping_add(7));
    fs::write(&file, bytes).unwrap();

    let (mut store, report) = open(dir.path());
    assert!(report.is_damaged());
    assert_eq!(report.lost.unwrap().to_seq, 20);
    assert_eq!(seqs(&append(&mut store, 1)), [22]);
    assert_explained(&mut store, &BTreeSet::new());
}

#[test]
fn a_document_that_is_gone_or_damaged_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let spoil = |f: &dyn Fn(&sled::Db)| {
        let (mut store, _) = open(dir.path());
        let seq = append(&mut store, 3)[1].seq;
        store.close().unwrap();
        let db = sled::Config::new().path(dir.path().join("db")).open().unwrap();
        f(&db);
        db.flush().unwrap();
        drop(db);
        let (store, report) = open(dir.path());
        store.close().unwrap();
        (seq, report)
    };
    let key = |seq: u64| [b"r".as_slice(), &seq.to_be_bytes()].concat();
    let (_, report) = spoil(&|db| {
        let (last, _) = db.scan_prefix(b"r").next_back().unwrap().unwrap();
        db.remove([b"p".as_slice(), &last[1..]].concat()).unwrap();
        db.remove(last).unwrap();
    });
    assert!(report.set_aside.is_none() && report.is_damaged());
    let (_, report) = spoil(&|db| {
        let (last, _) = db.scan_prefix(b"r").next_back().unwrap().unwrap();
        db.insert(last, "no JSON").unwrap();
    });
    assert!(report.set_aside.unwrap().1.contains("is damaged"));
    let (_, report) = spoil(&|db| {
        let (first, json) = db.scan_prefix(b"r").next().unwrap().unwrap();
        let seq = u64::from_be_bytes(first[1..].try_into().unwrap());
        db.insert(key(seq + 1), json).unwrap();
    });
    assert!(report.set_aside.unwrap().1.contains("says it is"));
}

#[test]
fn an_open_that_ends_the_process_is_not_repeated_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    append(&mut store, 2);
    store.close().unwrap();
    let marker = dir.path().join("opening");
    fs::write(&marker, "4\n").unwrap();
    let (store, report) = open(dir.path());
    assert_eq!(report, OpenReport::default());
    assert!(!marker.exists(), "an open that worked clears the account");
    store.close().unwrap();
    fs::write(&marker, "5\n").unwrap();
    let (_, report) = open(dir.path());
    assert!(report.set_aside.unwrap().1.contains("ended the process 5 times"));
    assert!(!marker.exists());
}

#[test]
fn losing_the_account_of_numbers_or_the_database_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    append(&mut store, 5);
    store.close().unwrap();
    fs::remove_file(dir.path().join("sequence")).unwrap();
    let (mut store, report) = open(dir.path());
    assert_eq!(report.lost, None);
    assert_eq!(seqs(&append(&mut store, 1)), [6]);
    store.close().unwrap();
    fs::remove_dir_all(dir.path().join("db")).unwrap();
    let (mut store, report) = open(dir.path());
    assert_eq!(report.lost.unwrap().reason, LostReason::StoreReset);
    assert_eq!(seqs(&append(&mut store, 1)), [8]);
    assert_explained(&mut store, &BTreeSet::new());
}

#[test]
fn a_rebuild_keeps_everything_wherever_it_is_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    append(&mut store, 10);
    store.acknowledge(3).unwrap();
    let before = all(&mut store);
    store.close().unwrap();
    let (db, fresh, old) = (dir.path().join("db"), dir.path().join("db-new"), dir.path().join("db-old"));

    // Killed while copying: the copy is incomplete.
    fs::create_dir(&fresh).unwrap();
    fs::write(fresh.join("db"), "half").unwrap();
    let (store, _) = open(dir.path());
    store.close().unwrap();
    // Killed between the renames.
    fs::rename(&db, &fresh).unwrap();
    fs::create_dir(&old).unwrap();
    let (mut store, report) = open(dir.path());
    assert_eq!(report, OpenReport::default());
    assert_eq!(all(&mut store), before);
    assert_eq!(seqs(&store.outbox_next(0, 99).unwrap()), [1, 2, 4, 5, 6, 7, 8, 9, 10]);
    assert!(!fresh.exists() && !old.exists());
}

#[test]
fn files_that_have_grown_are_rebuilt_at_open() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    for _ in 0..70 {
        for record in append(&mut store, 64) {
            store.acknowledge(record.seq).unwrap();
        }
    }
    store.close().unwrap();
    // A smaller budget: most of it goes, the files stay as large.
    let config = StoreConfig { byte_budget: StoreConfig::LEAST_BUDGET };
    let (mut store, report) = Store::open(dir.path(), config, &identity(), NOW).unwrap();
    assert!(!report.rebuilt);
    append(&mut store, 1);
    let (before, size) = (all(&mut store), store.size_on_disk().unwrap());
    assert!(size > 4 * 1024 * 1024 && before.len() < 90, "{size} bytes, {} documents", before.len());
    store.close().unwrap();
    let (mut store, report) = Store::open(dir.path(), config, &identity(), NOW).unwrap();
    assert!(report.rebuilt);
    assert_eq!(all(&mut store), before);
    assert_eq!(store.counts().pending, 1);
    assert!(store.size_on_disk().unwrap() < size / 2);
}

#[test]
fn the_disk_is_read_where_no_daemon_runs() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("none.sock");
    let missing = AlertSource::open(&socket, &dir.path().join("nowhere"));
    assert!(matches!(missing, Err(StoreError::Missing(_))));

    let (mut store, _) = open(dir.path());
    append(&mut store, 5);
    store.append_lost(2, LostReason::Overload, &identity(), NOW).unwrap();
    assert!(matches!(AlertSource::open(&socket, dir.path()), Err(StoreError::InUse(_))));
    store.close().unwrap();

    let source = AlertSource::open(&socket, dir.path()).unwrap();
    let count = |filter| source.list(&filter).unwrap().len();
    assert_eq!(count(Filter::default()), 6);
    assert_eq!(count(Filter { since: 3, ..Filter::default() }), 3);
    assert_eq!(count(Filter { newest: Some(2), ..Filter::default() }), 2);
    assert_eq!(count(Filter { id: Some("4".to_owned()), ..Filter::default() }), 1);
    assert_eq!(count(Filter { class: Some("tcp_scan".to_owned()), ..Filter::default() }), 1);
    assert_eq!(count(Filter { severity: Some(crate::alert::Severity::Critical), ..Filter::default() }), 1);
    assert!(source.follow(&Filter::default(), |_| true).is_err());
    drop(source);

    let (_, report) = open(dir.path());
    assert_eq!(report, OpenReport::default(), "reading changed nothing");
}
