//! The database: sled, behind calls that neither panic nor return before the disk has it.
//!
//! One tree. `r` + number (big-endian u64) -> document; `p` + number -> nothing, for every document that the
//! broker has not acknowledged; `totals` -> the number that the next document gets and how many documents there
//! are. What belongs together is one batch, which sled applies as a whole or not at all.
//!
//! sled answers damage in its file by silently going back to what it can still read, hence the totals: a scan
//! that counts fewer documents has noticed it.
#![expect(clippy::disallowed_methods, reason = "a lock that sled still holds is waited for")]

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{Record, StoreError};
use crate::publish::payload::Head;

/// sled's page cache. Its own default is 1 GiB.
const CACHE_BYTES: u64 = 1024 * 1024;

/// How long a lock that sled still holds is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

const RECORD: u8 = b'r';
const PENDING: u8 = b'p';
const TOTALS: &[u8] = b"totals";
/// Bytes of a key that holds a number.
const KEY_BYTES: usize = 9;

/// Runs `f`; a panic inside sled becomes an error. The caller gives the database up afterwards.
fn guarded<T>(f: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let why = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(StoreError::Database(format!("panic: {why}")))
    })
}

fn key(prefix: u8, seq: u64) -> [u8; KEY_BYTES] {
    let mut key = [prefix; KEY_BYTES];
    key[1..].copy_from_slice(&seq.to_be_bytes());
    key
}

fn seq_of(key: &[u8]) -> Result<u64, StoreError> {
    key.get(1..)
        .and_then(|digits| <[u8; 8]>::try_from(digits).ok())
        .map(u64::from_be_bytes)
        .ok_or_else(|| StoreError::Database("a key has the wrong length".to_owned()))
}

fn record((key, value): (sled::IVec, sled::IVec)) -> Result<Record, StoreError> {
    let seq = seq_of(&key)?;
    let json = String::from_utf8(value.to_vec())
        .map_err(|_| StoreError::Database(format!("document {seq} is not text")))?;
    Ok(Record { seq, json })
}

/// Bytes that a document counts for.
pub(super) fn weight(json: &str) -> u64 {
    u64::try_from(json.len() + 2 * KEY_BYTES).unwrap_or(u64::MAX)
}

/// What a scan of the whole database found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan {
    pub records: u64,
    pub pending: u64,
    pub live_bytes: u64,
    /// The number after the last that the database knows.
    pub next_seq: u64,
    /// Documents that should be there and are not.
    pub missing: u64,
}

/// Changes that reach the disk together.
#[derive(Default)]
pub(super) struct Change {
    batch: sled::Batch,
}

impl Change {
    /// A new document, to be published.
    pub(super) fn insert(&mut self, record: &Record) {
        self.batch.insert(&key(RECORD, record.seq), record.json.as_bytes());
        self.batch.insert(&key(PENDING, record.seq), &[]);
    }

    /// A document leaves, acknowledged or not.
    pub(super) fn remove(&mut self, seq: u64) {
        self.batch.remove(&key(RECORD, seq));
        self.batch.remove(&key(PENDING, seq));
    }

    fn totals(&mut self, next_seq: u64, records: u64) {
        let mut value = [0; 16];
        value[..8].copy_from_slice(&next_seq.to_be_bytes());
        value[8..].copy_from_slice(&records.to_be_bytes());
        self.batch.insert(TOTALS, &value);
    }
}

/// Opens sled. Its own file lock is not ours (see `directory`): it only says that a database which this process
/// has just closed is still being let go of by one of sled's threads, so it is waited for.
fn open_unlocked(path: &Path) -> Result<sled::Db, StoreError> {
    let until = Instant::now() + LOCK_PATIENCE;
    loop {
        let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        match config.open() {
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                if Instant::now() >= until {
                    return Err(StoreError::InUse(path.to_owned()));
                }
                thread::sleep(Duration::from_millis(20));
            }
            outcome => return Ok(outcome?),
        }
    }
}

/// An open database.
pub(super) struct Database {
    db: sled::Db,
    /// sled 0.34 writes with `sync_file_range` alone on Linux, which neither waits for the drive's own cache
    /// nor writes the file's length; this handle is for the `fdatasync` that does.
    file: File,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

impl Database {
    /// Opens or makes the database in `path` and reads every document once.
    pub(super) fn open(path: &Path) -> Result<(Self, Scan), StoreError> {
        guarded(|| {
            let db = open_unlocked(path)?;
            let data = path.join("db");
            let file = File::open(&data).map_err(|source| StoreError::io("open", &data, source))?;
            let database = Self { db, file };
            let scan = database.scan()?;
            Ok((database, scan))
        })
    }

    fn scan(&self) -> Result<Scan, StoreError> {
        let mut scan = Scan { records: 0, pending: 0, live_bytes: 0, next_seq: 1, missing: 0 };
        for pair in self.db.scan_prefix([RECORD]) {
            let record = record(pair?)?;
            let head = Head::of(&record.json).map_err(|error| {
                StoreError::Database(format!("document {} is damaged: {error}", record.seq))
            })?;
            if head.seq() != record.seq {
                return Err(StoreError::Database(format!(
                    "document {} says it is {}",
                    record.seq,
                    head.seq()
                )));
            }
            scan.records += 1;
            scan.live_bytes += weight(&record.json);
            scan.next_seq = record.seq + 1;
        }
        for pair in self.db.scan_prefix([PENDING]) {
            let seq = seq_of(&pair?.0)?;
            if !self.db.contains_key(key(RECORD, seq))? {
                return Err(StoreError::Database(format!("document {seq} is missing")));
            }
            scan.pending += 1;
        }
        if let Some(totals) = self.db.get(TOTALS)? {
            let (next, records) = totals
                .split_first_chunk()
                .and_then(|(next, rest)| Some((*next, <[u8; 8]>::try_from(rest).ok()?)))
                .ok_or_else(|| StoreError::Database("the totals are damaged".to_owned()))?;
            scan.next_seq = scan.next_seq.max(u64::from_be_bytes(next));
            scan.missing = u64::from_be_bytes(records).saturating_sub(scan.records);
        }
        Ok(scan)
    }

    /// Applies `change`, after which the next number is `next_seq` and there are `records` documents, and
    /// returns when the disk has it.
    pub(super) fn commit(&self, mut change: Change, next_seq: u64, records: u64) -> Result<(), StoreError> {
        change.totals(next_seq, records);
        guarded(|| {
            self.db.apply_batch(change.batch)?;
            self.sync()
        })
    }

    pub(super) fn flush(&self) -> Result<(), StoreError> {
        guarded(|| self.sync())
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.db.flush()?;
        self.file.sync_data().map_err(|source| StoreError::from(sled::Error::Io(source)))
    }

    /// Whether `seq` was pending until now.
    pub(super) fn acknowledge(&self, seq: u64) -> Result<bool, StoreError> {
        guarded(|| Ok(self.db.remove(key(PENDING, seq))?.is_some()))
    }

    pub(super) fn is_pending(&self, seq: u64) -> Result<bool, StoreError> {
        guarded(|| Ok(self.db.contains_key(key(PENDING, seq))?))
    }

    pub(super) fn get(&self, seq: u64) -> Result<Option<Record>, StoreError> {
        let key = key(RECORD, seq);
        guarded(|| self.db.get(key)?.map(|value| record((key.as_slice().into(), value))).transpose())
    }

    pub(super) fn range(&self, after: u64, max: usize) -> Result<Vec<Record>, StoreError> {
        let Some(first) = after.checked_add(1) else { return Ok(Vec::new()) };
        guarded(|| {
            self.db
                .range(key(RECORD, first)..=key(RECORD, u64::MAX))
                .take(max)
                .map(|pair| record(pair?))
                .collect()
        })
    }

    pub(super) fn pending(&self, after: u64, max: usize) -> Result<Vec<Record>, StoreError> {
        let Some(first) = after.checked_add(1) else { return Ok(Vec::new()) };
        guarded(|| {
            let mut records = Vec::new();
            for pair in self.db.range(key(PENDING, first)..=key(PENDING, u64::MAX)).take(max) {
                let seq = seq_of(&pair?.0)?;
                let document = key(RECORD, seq);
                let value = self
                    .db
                    .get(document)?
                    .ok_or_else(|| StoreError::Database(format!("document {seq} is missing")))?;
                records.push(record((document.as_slice().into(), value))?);
            }
            Ok(records)
        })
    }

    pub(super) fn size_on_disk(&self) -> Result<u64, StoreError> {
        guarded(|| Ok(self.db.size_on_disk()?))
    }

    /// Writes every document and mark into the fresh database `into`.
    pub(super) fn copy_to(&self, into: &Self, next_seq: u64) -> Result<(), StoreError> {
        let (mut after, mut records) = (0, 0);
        loop {
            let page = self.range(after, 256)?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            let mut change = Change::default();
            for record in &page {
                change.insert(record);
                if !self.is_pending(record.seq)? {
                    change.batch.remove(&key(PENDING, record.seq));
                }
            }
            records += u64::try_from(page.len()).unwrap_or(u64::MAX);
            into.commit(change, after + 1, records)?;
        }
        into.commit(Change::default(), next_seq, records)
    }
}
