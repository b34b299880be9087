//! Where the octets of a capture come from: a file, standard input, or a connection (pcap-over-IP).

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::CaptureError;

/// The name that means standard input.
const STDIN: &str = "-";

/// How the name of a connection begins.
const TCP: &str = "tcp://";

/// How long a connection may take to come about, for each address of the name.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a read waits for octets before it says that there are none yet; also how often a followed file
/// is looked at.
pub(super) const POLL_MS: u16 = 250;

/// A request to end, made by a signal; never, when there is none.
#[derive(Clone, Default, Debug)]
pub(super) struct Stop(pub(super) Option<Arc<AtomicBool>>);

impl Stop {
    pub(super) fn is_asked(&self) -> bool {
        self.0.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// Lets [`POLL_MS`] go by; a signal ends it sooner.
    pub(super) fn pause(&self) {
        if !self.is_asked() {
            // Nothing to wait for but the time; an interruption is a signal, which is looked at next.
            let _ = poll(&mut [], PollTimeout::from(POLL_MS));
        }
    }
}

/// What a capture is read from.
pub(super) struct Input {
    pub(super) stream: Box<dyn Read>,
    /// Octets of a regular file.
    pub(super) total: Option<u64>,
    /// Octets read from it.
    pub(super) position: Rc<Cell<u64>>,
    /// For a regular file: what it takes to notice that it changed.
    pub(super) tail: Option<Tail>,
    pub(super) kind: Kind,
}

/// What kind of thing a capture is read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    File,
    /// A pipe, a terminal or the like.
    Pipe,
    Connection,
}

impl Input {
    /// Opens what `path` names.
    pub(super) fn open(path: &Path, stop: &Stop) -> Result<Self, CaptureError> {
        if path.as_os_str() == STDIN {
            let file = io::stdin().as_fd().try_clone_to_owned().map(File::from);
            let file = file.map_err(|error| CaptureError::open(path, error))?;
            return Self::of(path, file, stop);
        }
        if let Some(address) = path.to_str().and_then(|name| name.strip_prefix(TCP)) {
            let file = File::from(OwnedFd::from(connect(address)?));
            return Ok(Self::endless(file, stop, Kind::Connection));
        }
        let file = File::open(path).map_err(|error| CaptureError::open(path, error))?;
        Self::of(path, file, stop)
    }

    fn of(path: &Path, file: File, stop: &Stop) -> Result<Self, CaptureError> {
        let failed = |error| CaptureError::open(path, error);
        let meta = file.metadata().map_err(failed)?;
        if meta.is_dir() {
            return Err(CaptureError::Directory { path: path.to_owned() });
        }
        if !meta.is_file() {
            return Ok(Self::endless(file, stop, Kind::Pipe));
        }
        let (position, followed) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
        let tail = Tail {
            path: path.to_owned(),
            file: file.try_clone().map_err(failed)?,
            id: (meta.dev(), meta.ino()),
            position: Rc::clone(&position),
            followed: Rc::clone(&followed),
        };
        Ok(Self {
            stream: Box::new(Regular { file, position: Rc::clone(&position), followed, stop: stop.clone() }),
            total: Some(meta.len()),
            position,
            tail: Some(tail),
            kind: Kind::File,
        })
    }

    fn endless(file: File, stop: &Stop, kind: Kind) -> Self {
        let stream = Box::new(Polled { file, stop: stop.clone() });
        Self { stream, total: None, position: Rc::default(), tail: None, kind }
    }
}

/// Connects to `host:port`.
fn connect(address: &str) -> Result<TcpStream, CaptureError> {
    let failed = |source| CaptureError::Connect { address: address.to_owned(), source };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for one in address.to_socket_addrs().map_err(failed)? {
        match TcpStream::connect_timeout(&one, CONNECT_TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

/// A regular file, read from where it stands.
struct Regular {
    file: File,
    position: Rc<Cell<u64>>,
    followed: Rc<Cell<bool>>,
    stop: Stop,
}

impl Read for Regular {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_asked() {
            return Ok(0);
        }
        let read = self.file.read(out)?;
        self.position.set(self.position.get() + read as u64);
        if read == 0 && self.followed.get() && !out.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(read)
    }
}

/// Something that octets arrive at now and then.
struct Polled {
    file: File,
    stop: Stop,
}

impl Read for Polled {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_asked() {
            return Ok(0);
        }
        let mut waiting = [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, PollTimeout::from(POLL_MS)) {
            Ok(0) | Err(Errno::EINTR) => Err(io::ErrorKind::WouldBlock.into()),
            Ok(_) => self.file.read(out),
            Err(error) => Err(error.into()),
        }
    }
}

/// What became of a followed file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// Nothing, or it only grew, or its name is gone.
    None,
    /// It is shorter than what was read.
    Shrunk,
    /// Its name means another file now.
    Replaced,
}

/// A regular file that may grow.
pub(super) struct Tail {
    path: PathBuf,
    file: File,
    id: (u64, u64),
    position: Rc<Cell<u64>>,
    followed: Rc<Cell<bool>>,
}

impl Tail {
    /// Whether the end of the file is to be taken for its end.
    pub(super) fn set_followed(&self, followed: bool) {
        self.followed.set(followed);
    }

    /// Device and inode.
    pub(super) fn id(&self) -> (u64, u64) {
        self.id
    }

    /// What became of it since it was opened.
    pub(super) fn change(&self) -> Change {
        if self.file.metadata().is_ok_and(|meta| meta.len() < self.position.get()) {
            return Change::Shrunk;
        }
        match fs::metadata(&self.path) {
            Ok(meta) if (meta.dev(), meta.ino()) != self.id => Change::Replaced,
            _ => Change::None,
        }
    }
}
