//! The directory of the store: who may use it, which database in it counts, what became of a broken one.
#![expect(
    clippy::disallowed_methods,
    reason = "a lock of another process is waited for; the clock is the last resort for a number"
)]

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::StoreError;
use super::db::{Database, Scan};
use super::sequence::{self, BLOCK, Mark, sync_parent};
use crate::publish::payload::{Lost, LostReason};

/// Databases set aside that are kept for an examination; older ones are deleted.
pub const KEEP_BROKEN: usize = 2;

/// How long a lock held by another process is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// A database is rebuilt at open when its files are this many times its documents ...
const BLOAT: u64 = 4;
/// ... and at least this large, in bytes: sled takes its space in segments of 512 KiB.
const BLOAT_FLOOR: u64 = 4 * 1024 * 1024;

/// Opens that may fail in the middle, taking the process with them, before the database is set aside. As many as
/// procd restarts a service by default, and more than an impatient operator kills it while it opens.
const OPEN_ATTEMPTS: u32 = 5;

/// What opening found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OpenReport {
    /// Where the old database lies and why it was set aside, if it was.
    pub set_aside: Option<(PathBuf, String)>,
    /// The database was written anew because its files had grown.
    pub rebuilt: bool,
    /// The numbers skipped, if any; the stream says so itself.
    pub lost: Option<Lost>,
}

impl OpenReport {
    /// Whether the database was damaged, so that the state of the store is worth a look.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.set_aside.is_some() || self.lost.is_some_and(|lost| lost.reason == LostReason::StoreReset)
    }
}

/// A database, what is in it, and the number to go on with.
pub(super) struct Opened {
    pub database: Database,
    pub scan: Scan,
    pub next_seq: u64,
}

/// The directory, ours alone as long as this lives.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Numbers below this are reserved.
    reserved: std::cell::Cell<u64>,
    /// Holds the lock; the system lets go of it when the process ends, however it ends.
    _lock: File,
}

impl Directory {
    /// Makes the directory if need be and locks it. A lock that is held is waited for a little: `picket alerts`
    /// holds it for the length of one listing.
    pub(super) fn claim(path: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(path).map_err(|source| StoreError::io("create", path, source))?;
        let until = Instant::now() + LOCK_PATIENCE;
        loop {
            match Self::lock(path) {
                Err(StoreError::InUse(_)) if Instant::now() < until => {
                    thread::sleep(Duration::from_millis(50));
                }
                outcome => return outcome,
            }
        }
    }

    /// Locks an existing directory.
    pub(super) fn lock(path: &Path) -> Result<Self, StoreError> {
        let file = path.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&file)
            .map_err(|source| StoreError::io("open", &file, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), reserved: 0.into(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(StoreError::io("lock", &file, source)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn database(&self) -> PathBuf {
        self.path.join("db")
    }

    fn sequence(&self) -> PathBuf {
        self.path.join("sequence")
    }

    /// Opens the database to read, changing nothing and setting nothing aside.
    pub(super) fn open_to_read(&self) -> Result<Database, StoreError> {
        Ok(Database::open(&self.database())?.0)
    }

    /// Opens the database, setting a broken one aside. `known` is the next number where this process knows it
    /// because it had the database open before.
    pub(super) fn open(&self, known: Option<u64>) -> Result<(Opened, OpenReport), StoreError> {
        self.finish_rebuild()?;
        let mark = sequence::read(&self.sequence())?;
        let existed = self.database().exists();
        let mut report = OpenReport::default();
        let (database, scan) = match self.try_database() {
            Ok(opened) => opened,
            // A full disk or a missing right is no reason to give the history up.
            Err(error @ (StoreError::Full(_) | StoreError::Io { .. } | StoreError::InUse(_))) => {
                return Err(error);
            }
            Err(error) => {
                let aside = self.set_aside()?;
                report.set_aside = Some((aside, error.to_string()));
                Database::open(&self.database())?
            }
        };
        let fresh = report.set_aside.is_some() || !existed;
        let (next_seq, lost) = continuation(scan.next_seq, mark, known, fresh, report.set_aside.is_some());
        report.lost = if scan.missing == 0 {
            lost
        } else {
            Some(Lost { from_seq: 1, to_seq: next_seq - 1, count: None, reason: LostReason::StoreReset })
        };
        let mut opened = Opened { database, scan, next_seq };
        if opened.database.size_on_disk()? > BLOAT_FLOOR.max(BLOAT.saturating_mul(scan.live_bytes)) {
            opened.database = self.rebuild(opened.database, scan.next_seq)?;
            report.rebuilt = true;
        }
        self.reserved.set(0);
        self.reserve(next_seq)?;
        Ok((opened, report))
    }

    /// Makes sure that `next_seq` and the number after it are reserved: a hole after a kill is never empty.
    pub(super) fn reserve(&self, next_seq: u64) -> Result<(), StoreError> {
        if next_seq.saturating_add(1) >= self.reserved.get() {
            let next = next_seq.saturating_add(BLOCK);
            sequence::write(&self.sequence(), Mark { next, clean: false })?;
            self.reserved.set(next);
        }
        Ok(())
    }

    /// The store was closed in order and goes on with `next_seq`.
    pub(super) fn mark_clean(&self, next_seq: u64) -> Result<(), StoreError> {
        self.reserved.set(0);
        sequence::write(&self.sequence(), Mark { next: next_seq, clean: true })
    }

    /// Opens the database under a file that counts attempts: where sled takes the whole process with it
    /// (abort, out of memory, a watchdog), the next start must not try for ever.
    fn try_database(&self) -> Result<(Database, Scan), StoreError> {
        let marker = self.path.join("opening");
        let failed = fs::read_to_string(&marker).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        if failed >= OPEN_ATTEMPTS {
            remove(&marker)?;
            return Err(StoreError::Database(format!("opening it ended the process {failed} times")));
        }
        File::create(&marker)
            .and_then(|mut file| writeln!(file, "{}", failed + 1))
            .map_err(|source| StoreError::io("write", &marker, source))?;
        let opened = Database::open(&self.database());
        remove(&marker)?;
        opened
    }

    /// Moves the database to the first free `broken-<n>`, after deleting the oldest if there are enough.
    fn set_aside(&self) -> Result<PathBuf, StoreError> {
        let mut numbers: Vec<u64> = fs::read_dir(&self.path)
            .map_err(|source| StoreError::io("read", &self.path, source))?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix("broken-")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        let surplus = (numbers.len() + 1).saturating_sub(KEEP_BROKEN);
        for number in numbers.iter().take(surplus) {
            remove(&self.path.join(format!("broken-{number}")))?;
        }
        let aside = self.path.join(format!("broken-{}", numbers.last().map_or(1, |last| last + 1)));
        let from = self.database();
        fs::rename(&from, &aside).map_err(|source| StoreError::io("move aside", &from, source))?;
        sync_parent(&from)?;
        Ok(aside)
    }

    /// Copies the live documents into a new database and puts it in the place of `old`.
    ///
    /// The order of renames is what [`Directory::finish_rebuild`] relies on: `db-old` exists only when `db-new`
    /// was complete.
    fn rebuild(&self, old: Database, next_seq: u64) -> Result<Database, StoreError> {
        let (fresh, aside) = (self.path.join("db-new"), self.path.join("db-old"));
        let (copy, _) = Database::open(&fresh)?;
        old.copy_to(&copy, next_seq)?;
        drop(copy);
        drop(old);
        rename(&self.database(), &aside)?;
        rename(&fresh, &self.database())?;
        sync_parent(&fresh)?;
        remove(&aside)?;
        Ok(Database::open(&self.database())?.0)
    }

    /// Ends a rebuild that a kill interrupted.
    fn finish_rebuild(&self) -> Result<(), StoreError> {
        let (fresh, aside) = (self.path.join("db-new"), self.path.join("db-old"));
        if aside.exists() && !self.database().exists() {
            rename(&fresh, &self.database())?;
            sync_parent(&fresh)?;
        }
        remove(&aside)?;
        remove(&fresh)
    }
}

/// The number to go on with, and what to say about the numbers skipped.
///
/// `found` is what the database thinks is next, `mark` what the second account says, `known` what this process
/// itself remembers; `fresh` says that the database is new, `reset` that it replaces a broken one.
fn continuation(
    found: u64,
    mark: Option<Mark>,
    known: Option<u64>,
    fresh: bool,
    reset: bool,
) -> (u64, Option<Lost>) {
    let next = match (known, mark) {
        (Some(known), _) => found.max(known),
        (None, Some(mark)) => found.max(mark.next),
        (None, None) if reset => found.max(by_clock()),
        (None, None) => found,
    };
    if next == found {
        return (next, None);
    }
    let clean = known.is_some() || mark.is_some_and(|mark| mark.clean);
    let reason = if fresh || clean { LostReason::StoreReset } else { LostReason::UncleanStop };
    (next, Some(Lost { from_seq: found, to_seq: next - 1, count: None, reason }))
}

/// A number above every number in use when both accounts are gone: microseconds since the epoch. It stays
/// below 2^53, so that every reader of JSON can hold it, and nobody stores a million alerts a second.
fn by_clock() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_micros()).ok())
        .unwrap_or(1)
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(|source| StoreError::io("rename", from, source))
}

/// Deletes a file or a directory with everything in it; that it is not there is fine.
fn remove(path: &Path) -> Result<(), StoreError> {
    let outcome = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io("remove", path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn mark(next: u64, clean: bool) -> Option<Mark> {
        Some(Mark { next, clean })
    }

    #[test]
    fn a_clean_stop_leaves_no_hole() {
        assert_eq!(continuation(8, mark(8, true), None, false, false), (8, None));
        assert_eq!(continuation(1, None, None, true, false), (1, None));
    }

    #[test]
    fn a_kill_skips_what_was_reserved() {
        let (next, lost) = continuation(8, mark(257, false), None, false, false);
        assert_eq!(next, 257);
        let lost = lost.unwrap();
        assert_eq!((lost.from_seq, lost.to_seq, lost.reason), (8, 256, LostReason::UncleanStop));
    }

    #[test]
    fn a_lost_tail_or_database_is_a_reset() {
        for (found, fresh) in [(5, false), (1, true)] {
            let (next, lost) = continuation(found, mark(8, true), None, fresh, fresh);
            assert_eq!((next, lost.unwrap().reason), (8, LostReason::StoreReset));
        }
        assert_eq!(continuation(5, mark(257, false), Some(9), false, false).0, 9);
    }

    #[test]
    fn with_both_accounts_gone_the_clock_decides() {
        let (next, lost) = continuation(1, None, None, true, true);
        assert!(next > 1_700_000_000_000_000 && next < 1 << 53);
        assert_eq!(lost.unwrap().from_seq, 1);
    }
}
