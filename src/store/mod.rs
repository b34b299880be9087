//! Keeps alerts on disk until the broker has them, and after that as long as the byte budget allows.
//!
//! Everything is one stream of numbered documents: alerts, and `lost` records where alerts are missing.
//! A document is on the disk (written, flushed, fsynced) before anybody else sees it. Its number (`seq`) is
//! never used twice, whatever happens to the database, because [`sequence`] keeps a second account.
//!
//! Layout of the directory: `db/` (sled), `sequence` (numbers in use), `lock` (one daemon at a time),
//! `opening` (there while an open is under way), `broken-<n>/` (databases set aside).

mod append;
mod db;
mod directory;
mod error;
mod evict;
pub mod reader;
mod sequence;
pub mod socket;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use directory::{KEEP_BROKEN, OpenReport};
pub use error::StoreError;

use crate::publish::payload::Identity;
use crate::time::Timestamp;
use db::Database;
use directory::Directory;

/// How much the store may keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreConfig {
    /// Bytes of documents kept, acknowledged or not. The files are a few times larger, see
    /// [`Store::size_on_disk`]. Values below [`StoreConfig::LEAST_BUDGET`] count as that.
    pub byte_budget: u64,
}

impl StoreConfig {
    /// The smallest budget that holds a full batch and still works as a queue.
    pub const LEAST_BUDGET: u64 = 64 * 1024;
}

impl Default for StoreConfig {
    /// 4 MiB: about 5,000 alerts.
    fn default() -> Self {
        Self { byte_budget: 4 * 1024 * 1024 }
    }
}

/// One document of the stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its number.
    pub seq: u64,
    /// The document as it is published: one line of JSON.
    pub json: String,
}

/// What the store holds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Documents on disk.
    pub records: u64,
    /// Documents that the broker has not acknowledged.
    pub pending: u64,
    /// Bytes of keys and documents, measured against the budget.
    pub live_bytes: u64,
    /// Documents that left to keep the budget, since the store was opened.
    pub evicted: u64,
}

/// The alert log and outbox. One thread owns it; readers ask that thread (see [`socket`]).
#[derive(Debug)]
pub struct Store {
    directory: Directory,
    config: StoreConfig,
    /// `None` after a failure, until [`Store::reopen`].
    database: Option<Database>,
    counts: Counts,
    /// The number that the next document gets.
    next_seq: u64,
    /// Acknowledgements are written but not flushed: losing them costs a repetition, not an alert.
    unflushed: bool,
}

impl Store {
    /// Opens the store in `dir`, which is made if need be. `now` dates a lost record, should one be due.
    ///
    /// A database that does not open or does not read is moved to `broken-<n>` and a new one begun; the report
    /// says so, and the stream goes on above every number ever used.
    ///
    /// # Errors
    /// Another process has the store open, or the directory cannot be written.
    pub fn open(
        dir: &Path,
        config: StoreConfig,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<(Self, OpenReport), StoreError> {
        let directory = Directory::claim(dir)?;
        let (opened, report) = directory.open(None)?;
        let mut store = Self {
            directory,
            config,
            database: None,
            counts: Counts::default(),
            next_seq: 1,
            unflushed: false,
        };
        store.install(opened, &report, identity, now)?;
        Ok((store, report))
    }

    /// Opens the database again after a failure. Nothing that was acknowledged or appended is given up.
    ///
    /// # Errors
    /// As for [`Store::open`]; the store stays closed and this may be called again.
    pub fn reopen(&mut self, identity: &Identity, now: Timestamp) -> Result<OpenReport, StoreError> {
        self.database = None;
        let (opened, report) = self.directory.open(Some(self.next_seq))?;
        self.install(opened, &report, identity, now)?;
        Ok(report)
    }

    /// Up to `max` documents above `after`, oldest first.
    ///
    /// # Errors
    /// The store is closed after a failure, or fails now.
    pub fn range(&mut self, after: u64, max: usize) -> Result<Vec<Record>, StoreError> {
        self.with_database(|database| database.range(after, max))
    }

    /// The document of that number, if it is still there.
    ///
    /// # Errors
    /// As for [`Store::range`].
    pub fn get(&mut self, seq: u64) -> Result<Option<Record>, StoreError> {
        self.with_database(|database| database.get(seq))
    }

    /// Up to `max` documents above `after` that the broker has not acknowledged, oldest first.
    ///
    /// # Errors
    /// As for [`Store::range`].
    pub fn outbox_next(&mut self, after: u64, max: usize) -> Result<Vec<Record>, StoreError> {
        self.with_database(|database| database.pending(after, max))
    }

    /// The broker has document `seq`. Not flushed at once: after a power cut it is published again.
    ///
    /// # Errors
    /// As for [`Store::range`].
    pub fn acknowledge(&mut self, seq: u64) -> Result<(), StoreError> {
        if self.with_database(|database| database.acknowledge(seq))? {
            self.counts.pending = self.counts.pending.saturating_sub(1);
            self.unflushed = true;
        }
        Ok(())
    }

    /// Writes what [`Store::acknowledge`] left in memory.
    ///
    /// # Errors
    /// As for [`Store::range`].
    pub fn flush(&mut self) -> Result<(), StoreError> {
        if self.unflushed {
            self.with_database(Database::flush)?;
            self.unflushed = false;
        }
        Ok(())
    }

    /// Closes in order: the next open finds the stream without a hole.
    ///
    /// # Errors
    /// The last flush failed; the next open then treats it as an unclean stop.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.flush()?;
        if self.database.take().is_some() {
            self.directory.mark_clean(self.next_seq)?;
        }
        Ok(())
    }

    /// What is in it.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// The highest number in use; 0 when nothing was ever stored.
    #[must_use]
    pub const fn last_seq(&self) -> u64 {
        self.next_seq.saturating_sub(1)
    }

    /// Whether the database is open. After a failure it is not until [`Store::reopen`].
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.database.is_some()
    }

    /// Bytes of the database's files.
    ///
    /// # Errors
    /// As for [`Store::range`].
    pub fn size_on_disk(&mut self) -> Result<u64, StoreError> {
        self.with_database(Database::size_on_disk)
    }

    /// Where it lies.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// Runs `f` on the database and closes it when `f` fails: sled answers nothing but errors after the first.
    fn with_database<T>(
        &mut self,
        f: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let database = self.database.as_ref().ok_or(StoreError::Closed)?;
        f(database).inspect_err(|_| self.database = None)
    }
}
