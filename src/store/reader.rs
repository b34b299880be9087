//! Reading alerts from outside the daemon: through its socket, or from the disk where no daemon runs.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use super::db::Database;
use super::directory::Directory;
use super::{Record, StoreError, socket};
use crate::alert::Severity;
use crate::publish::payload::Head;

/// Documents read from the disk at a time.
const PAGE: usize = 256;

/// Which documents are wanted. Lost records pass every filter but the one by incident: they say that something
/// is missing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Filter {
    /// Only above this number.
    pub since: u64,
    /// Only of this class, by name.
    pub class: Option<String>,
    /// Only of this severity or more.
    pub severity: Option<Severity>,
    /// Only this incident (ULID), or the document of this number.
    pub id: Option<String>,
    /// Only the newest so many of what is left.
    pub newest: Option<usize>,
}

impl Filter {
    fn accepts(&self, json: &str) -> bool {
        let Ok(head) = Head::of(json) else { return false };
        if head.seq() <= self.since {
            return false;
        }
        match &head {
            Head::Lost { seq, .. } => self.id.as_ref().is_none_or(|id| id.parse() == Ok(*seq)),
            Head::Alert { id, seq, severity, class } => {
                self.id.as_ref().is_none_or(|wanted| wanted == id || wanted.parse() == Ok(*seq))
                    && self.class.as_ref().is_none_or(|wanted| wanted == class)
                    && self.severity.is_none_or(|least| {
                        Severity::ALL.iter().any(|level| level.name() == severity && *level >= least)
                    })
            }
        }
    }
}

/// Where alerts are read from.
#[derive(Debug)]
pub enum AlertSource {
    /// A running daemon, by its socket.
    Daemon(PathBuf),
    /// The store itself; nobody else can open it meanwhile.
    Disk(DiskReader),
}

/// The store opened to read.
#[derive(Debug)]
pub struct DiskReader {
    database: Database,
    _directory: Directory,
}

impl AlertSource {
    /// The daemon behind `socket` if one answers, the store in `dir` otherwise.
    ///
    /// # Errors
    /// No daemon, and the store is missing, in use or unreadable.
    pub fn open(socket: &Path, dir: &Path) -> Result<Self, StoreError> {
        match socket::ask(socket, "status") {
            Ok(_) => Ok(Self::Daemon(socket.to_owned())),
            Err(error) if is_absent(&error) => DiskReader::open(dir).map(Self::Disk),
            Err(error) => Err(StoreError::Daemon { path: socket.to_owned(), why: error.to_string() }),
        }
    }

    /// The documents that pass `filter`, oldest first, one line of JSON each.
    ///
    /// # Errors
    /// The daemon went away or refused, or the store cannot be read.
    pub fn list(&self, filter: &Filter) -> Result<Vec<String>, StoreError> {
        let mut found = VecDeque::new();
        let mut keep = |json: String| {
            if filter.accepts(&json) {
                found.push_back(json);
                if filter.newest.is_some_and(|newest| found.len() > newest) {
                    found.pop_front();
                }
            }
        };
        match self {
            Self::Daemon(path) => {
                each_line(path, &format!("alerts since {}", filter.since), |json| {
                    keep(json);
                    true
                })?;
            }
            Self::Disk(reader) => reader.each(filter.since, |record| keep(record.json))?,
        }
        Ok(found.into())
    }

    /// Calls `f` with every new document that passes `filter` until it says `false` or the daemon ends.
    ///
    /// # Errors
    /// There is no daemon to follow, or it refused.
    pub fn follow(&self, filter: &Filter, mut f: impl FnMut(String) -> bool) -> Result<(), StoreError> {
        match self {
            Self::Daemon(path) => {
                let request = match filter.since {
                    0 => "follow".to_owned(),
                    since => format!("follow since {since}"),
                };
                each_line(path, &request, |json| !filter.accepts(&json) || f(json))
            }
            Self::Disk(_) => Err(StoreError::NoDaemon),
        }
    }
}

impl DiskReader {
    fn open(dir: &Path) -> Result<Self, StoreError> {
        if !dir.join("db").is_dir() {
            return Err(StoreError::Missing(dir.to_owned()));
        }
        let directory = Directory::lock(dir)?;
        let database = directory.open_to_read()?;
        Ok(Self { database, _directory: directory })
    }

    fn each(&self, since: u64, mut f: impl FnMut(Record)) -> Result<(), StoreError> {
        let mut after = since;
        loop {
            let page = self.database.range(after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.seq;
            page.into_iter().for_each(&mut f);
        }
    }
}

fn each_line(path: &Path, request: &str, mut f: impl FnMut(String) -> bool) -> Result<(), StoreError> {
    let failed = |why: String| StoreError::Daemon { path: path.to_owned(), why };
    for line in socket::ask(path, request).map_err(|error| failed(error.to_string()))? {
        let line = line.map_err(|error| failed(error.to_string()))?;
        if let Some(why) = refusal(&line) {
            return Err(failed(why));
        }
        if !f(line) {
            break;
        }
    }
    Ok(())
}

fn refusal(line: &str) -> Option<String> {
    let document: serde_json::Value = serde_json::from_str(line).ok()?;
    (document.get("schema")? == "picket.error/1")
        .then(|| document.get("error").and_then(|why| why.as_str()).unwrap_or("refused").to_owned())
}

/// Whether the error means that nobody listens.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
