//! A folder into which captures are written one after another (`dumpcap -b`, `tcpdump -C`, `-G`).
//!
//! Files are read in order of their first packet's time, then of their names. The newest is followed until one
//! appears that begins later. What is remembered is where reading stands (the time and name of the
//! last file), not what was read, so it does not grow with the number of files: a file that begins
//! before that place was read, or comes too late and is told of.
//!
//! The folder is looked at every second, and then only at files changed since; at all of them every half a minute, for
//! clocks that step. A file that is deleted, or written over before its turn, is no error. Compressed
//! files are read when they were there first, not when they replace what was read.

use std::cmp::Ordering;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::buffer::Buffer;
use super::file::{Advance, FileCounters, FileOptions, FileSource};
use super::input::{Input, Stop};
use super::notice::{Notice, NoticeKind};
use super::reader::Reader;
use super::record::Step;
use super::{CaptureError, Event, FrameSource};
use crate::time::Timestamp;

/// How often files that changed are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often all files are.
const LOOK_AT_ALL_EVERY: Duration = Duration::from_secs(30);

/// How long after the change to a file its predecessors may still change without being late.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// Files that are known to come next.
const QUEUE: usize = 256;

/// Where a file stands in the order of reading.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Key {
    first: Timestamp,
    name: OsString,
}

/// A file to be read.
#[derive(Clone, Debug)]
struct Candidate {
    key: Key,
    path: PathBuf,
    is_compressed: bool,
}

/// The file read last, or being read.
struct Last {
    key: Key,
    /// Device and inode.
    id: Option<(u64, u64)>,
    since: Instant,
}

/// A folder of captures being read.
pub struct WatchSource {
    folder: PathBuf,
    options: FileOptions,
    current: Option<FileSource>,
    last: Option<Last>,
    /// In order; the first comes next.
    queue: Vec<Candidate>,
    /// Whether there was no room for all in the queue.
    is_queue_partial: bool,
    looked: Option<Instant>,
    looked_at_all: Option<Instant>,
    /// The latest change of any file when last looked, in nanoseconds.
    changed: i128,
    told_late: Option<OsString>,
    /// A notice that is not the current file's.
    notice: Option<Notice>,
    before: FileCounters,
    files: u64,
}

impl WatchSource {
    /// Watches a folder; [`FileOptions::follow`] goes without saying.
    ///
    /// # Errors
    /// There is no such folder, or it cannot be read.
    pub fn open(folder: &Path, options: FileOptions) -> Result<Self, CaptureError> {
        fs::read_dir(folder).map_err(|error| CaptureError::open(folder, error))?;
        Ok(Self {
            folder: folder.to_owned(),
            options: FileOptions { follow: true, ..options },
            current: None,
            last: None,
            queue: Vec::with_capacity(QUEUE + 1),
            is_queue_partial: false,
            looked: None,
            looked_at_all: None,
            changed: i128::MIN,
            told_late: None,
            notice: None,
            before: FileCounters::default(),
            files: 0,
        })
    }

    /// What was read so far, of all files.
    #[must_use]
    pub fn counters(&self) -> FileCounters {
        let current = self.current.as_ref().map(FileSource::counters).unwrap_or_default();
        self.before.plus(current)
    }

    /// How many files were begun.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.files
    }

    fn advance(&mut self) -> Result<Advance, CaptureError> {
        loop {
            let Some(current) = &mut self.current else {
                let stop = Stop(self.options.stop.clone());
                if stop.is_asked() {
                    return Ok(Advance::End);
                }
                if self.begin_next()? {
                    continue;
                }
                if self.look() {
                    return Ok(Advance::Notice);
                }
                if self.queue.is_empty() {
                    stop.pause();
                    return Ok(Advance::Idle);
                }
                continue;
            };
            match current.advance() {
                Ok(Advance::End) => self.finish(),
                Ok(Advance::Idle) => {
                    if self.look() {
                        return Ok(Advance::Notice);
                    }
                    if !self.queue.is_empty()
                        && let Some(current) = &mut self.current
                    {
                        current.unfollow();
                    }
                    return Ok(Advance::Idle);
                }
                Err(error @ CaptureError::Filter { .. }) => return Err(error),
                Err(error) => {
                    self.finish();
                    return Ok(self.unusable(&error));
                }
                advanced => return advanced,
            }
        }
    }

    /// The current file is done with.
    fn finish(&mut self) {
        if let Some(current) = self.current.take() {
            self.before = self.before.plus(current.counters());
        }
    }

    /// Begins the next file; false when none is known.
    fn begin_next(&mut self) -> Result<bool, CaptureError> {
        while !self.queue.is_empty() {
            let next = self.queue.remove(0);
            // It may have gone, or have been written over, and then it is no longer its turn.
            if first_packet(&next.path).is_none_or(|(first, _)| first != next.key.first) {
                self.looked_at_all = None;
                continue;
            }
            let is_newest = self.queue.is_empty() && !self.is_queue_partial && !next.is_compressed;
            let options = FileOptions { follow: is_newest, ..self.options.clone() };
            match FileSource::with(&next.path, options) {
                Ok(mut source) => {
                    source.never_reopen();
                    self.last = Some(Last { key: next.key, id: source.id(), since: now() });
                    self.current = Some(source);
                    self.files += 1;
                    return Ok(true);
                }
                Err(error @ CaptureError::Filter { .. }) => return Err(error),
                // What made it unreadable since it was looked at may pass.
                Err(_) => self.looked_at_all = None,
            }
        }
        Ok(false)
    }

    #[cold]
    fn unusable(&mut self, error: &CaptureError) -> Advance {
        let kind = NoticeKind::Unusable { reason: error.to_string() };
        self.notice = Some(Notice { path: self.folder.clone(), kind });
        Advance::Notice
    }

    /// Looks for files to come, if it is time to. True when there is something to tell.
    fn look(&mut self) -> bool {
        let now = now();
        let is_due = |last: Option<Instant>, every| last.is_none_or(|last| now.duration_since(last) >= every);
        let all =
            is_due(self.looked_at_all, LOOK_AT_ALL_EVERY) || self.is_queue_partial && self.queue.is_empty();
        if !all && !is_due(self.looked, LOOK_EVERY) {
            return false;
        }
        self.looked = Some(now);
        if all {
            self.looked_at_all = Some(now);
            self.queue.clear();
            self.is_queue_partial = false;
        }
        // A folder that is gone for now has no files.
        let Ok(entries) = fs::read_dir(&self.folder) else { return false };
        let before = self.changed;
        let mut late = None;
        for entry in entries.flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            let Ok(meta) = fs::metadata(&path) else { continue };
            let changed = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
            self.changed = self.changed.max(changed);
            // Hidden files are those that other programs have not finished writing.
            if !meta.is_file() || (!all && changed < before) || name.as_bytes().starts_with(b".") {
                continue;
            }
            let id = Some((meta.dev(), meta.ino()));
            if self.current.is_some() && self.last.as_ref().is_some_and(|last| last.id == id) {
                continue;
            }
            let Some((first, is_compressed)) = first_packet(&path) else { continue };
            let key = Key { first, name };
            match self.place(&key, id) {
                Ordering::Greater => self.enqueue(Candidate { key, path, is_compressed }),
                Ordering::Less if !all && !is_compressed && self.is_settled(now) => {
                    late = Some((key.name, path));
                }
                _ => {}
            }
        }
        match late {
            Some((name, path)) if self.told_late.as_ref() != Some(&name) => {
                self.told_late = Some(name);
                self.notice = Some(Notice { path, kind: NoticeKind::Late });
                true
            }
            _ => false,
        }
    }

    /// Whether a file comes after the last one, is the same (renamed, compressed), or was before it.
    fn place(&self, key: &Key, id: Option<(u64, u64)>) -> Ordering {
        let Some(last) = &self.last else { return Ordering::Greater };
        if key.first == last.key.first
            && (id == last.id || key.name.as_bytes().starts_with(last.key.name.as_bytes()))
        {
            return Ordering::Equal;
        }
        key.cmp(&last.key)
    }

    /// Whether the file before the last one must have been finished by now.
    fn is_settled(&self, now: Instant) -> bool {
        self.last.as_ref().is_some_and(|last| now.duration_since(last.since) >= SETTLED_AFTER)
    }

    /// Takes its place in the queue, where the last may lose theirs.
    fn enqueue(&mut self, candidate: Candidate) {
        if let Err(place) = self.queue.binary_search_by(|known| known.key.cmp(&candidate.key)) {
            self.queue.insert(place, candidate);
        }
        if self.queue.len() > QUEUE {
            self.queue.truncate(QUEUE);
            self.is_queue_partial = true;
        }
    }
}

impl FrameSource for WatchSource {
    fn next_frame(&mut self) -> Result<Event<'_>, CaptureError> {
        self.notice = None;
        let advanced = self.advance()?;
        let (notice, current) = (&self.notice, &self.current);
        Ok(match (advanced, current) {
            (Advance::Frame(found), Some(current)) => Event::Frame(current.frame(found)),
            (Advance::Notice, current) => match (notice, current) {
                (Some(notice), _) => Event::Notice(notice),
                (None, Some(current)) => Event::Notice(current.notice()),
                (None, None) => Event::Idle(Timestamp::ZERO),
            },
            (Advance::End, _) => Event::End,
            (Advance::Idle | Advance::Frame(_), _) => Event::Idle(Timestamp::ZERO),
        })
    }
}

/// When the first packet of a file was captured, and whether the file is compressed; `None` where there is no packet
/// (yet).
fn first_packet(path: &Path) -> Option<(Timestamp, bool)> {
    let input = Input::open(path, &Stop::default()).ok()?;
    let mut reader = Reader::new(Buffer::small(input.stream), true);
    loop {
        match reader.step().ok()? {
            Step::Frame(found) => return Some((found.ts, reader.is_compressed())),
            Step::Damaged(..) => {}
            _ => return None,
        }
    }
}

/// The clock that paces the looks at the folder, which nobody sets.
#[expect(clippy::disallowed_methods, reason = "the edge: paces the look at files, reaches no frame")]
fn now() -> Instant {
    Instant::now()
}
