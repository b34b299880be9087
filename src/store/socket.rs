//! The status socket: how `picket status` and `picket alerts` look into a running daemon.
//!
//! sled lets one process in, so readers ask the daemon. A client sends one line and gets lines of JSON until the
//! daemon closes. There is nothing to parse but this line, and nothing to change through it but the model in use, by root and by the
//! daemon's own user:
//!
//! ```text
//! status               the status document
//! alerts [since N]     every stored document above number N, oldest first
//! alert ID             the documents of one incident (ULID), or the document of that number
//! follow [since N]     as alerts, then new documents as they are stored; without N only new ones
//! update               where the update of the model is
//! rollback             go back to the model before
//! ```
#![expect(
    clippy::disallowed_methods,
    reason = "where there are no file descriptors there is nothing to wait on"
)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Record, StoreError};
use crate::publish::payload::Head;

/// Clients served at once; each costs a thread.
pub const MAX_CLIENTS: usize = 8;
/// Bytes of the longest request.
pub const MAX_REQUEST: usize = 64;
/// How long a client may take to send its request, or to take an answer.
const CLIENT_PATIENCE: Duration = Duration::from_secs(2);
/// Documents fetched from the store at a time.
const PAGE: usize = 64;
/// How often a follower looks whether the daemon is ending.
const FOLLOW_TICK: Duration = Duration::from_millis(500);
/// Stack of a client's thread, in bytes.
const STACK: usize = 128 * 1024;

/// What is said where models are not updated.
pub const NO_UPDATES: &str = "models are not updated here (update.enabled)";

/// What the socket tells about; the daemon provides it.
pub trait Answers: Send + Sync + 'static {
    /// The status document, one line.
    fn status(&self) -> String;

    /// Up to `max` stored documents above `after`.
    ///
    /// # Errors
    /// The store does not answer, in words.
    fn page(&self, after: u64, max: usize) -> Result<Vec<Record>, String>;

    /// The highest number in use.
    fn head(&self) -> u64;

    /// Waits until [`Answers::head`] is above `seq`, for at most `patience`.
    fn wait_beyond(&self, seq: u64, patience: Duration);

    /// Where the update of the model is, one line.
    ///
    /// # Errors
    /// There is nothing to say, in words.
    fn update(&self) -> Result<String, String> {
        Err(NO_UPDATES.to_owned())
    }

    /// Goes back to the model before.
    ///
    /// # Errors
    /// It cannot be asked for, in words.
    fn roll_back(&self) -> Result<(), String> {
        Err(NO_UPDATES.to_owned())
    }
}

/// A request of a client.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Request {
    Status,
    Alerts { since: u64 },
    Alert { id: String },
    Follow { since: Option<u64> },
    Update,
    RollBack,
}

impl Request {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let request = match (words.next()?, words.next(), words.next()) {
            ("status", None, None) => Self::Status,
            ("alerts", None, None) => Self::Alerts { since: 0 },
            ("alerts", Some("since"), Some(n)) => Self::Alerts { since: n.parse().ok()? },
            ("alert", Some(id), None) => Self::Alert { id: id.to_owned() },
            ("update", None, None) => Self::Update,
            ("rollback", None, None) => Self::RollBack,
            ("follow", None, None) => Self::Follow { since: None },
            ("follow", Some("since"), Some(n)) => Self::Follow { since: Some(n.parse().ok()?) },
            _ => return None,
        };
        words.next().is_none().then_some(request)
    }
}

/// The listening end. Dropping it ends it and removes the socket.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `path`, readable and writable for the owner and the group. A socket that a killed daemon
    /// left there is replaced.
    ///
    /// # Errors
    /// Another daemon answers there, or the socket cannot be made.
    pub fn start(path: &Path, answers: Arc<dyn Answers>) -> Result<Self, StoreError> {
        let failed = |doing| move |source| StoreError::io(doing, path, source);
        if UnixStream::connect(path).is_ok() {
            return Err(StoreError::Daemon {
                path: path.to_owned(),
                why: "another picket process answers there".to_owned(),
            });
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("replace")(error));
            }
            _ => {}
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed("create the directory of"))?;
        }
        let listener = UnixListener::bind(path).map_err(failed("listen at"))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(failed("protect"))?;
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new()
            .name("picket-socket".to_owned())
            .stack_size(STACK)
            .spawn({
                let stop = Arc::clone(&stop);
                move || accept(&listener, &answers, &stop)
            })
            .map_err(failed("serve"))?;
        Ok(Self { path: path.to_owned(), stop, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the thread out of `accept`; without it the thread ends with the process.
        let woken = UnixStream::connect(&self.path).is_ok();
        if let (true, Some(thread)) = (woken, self.thread.take()) {
            let ended = thread.join();
            debug_assert!(ended.is_ok(), "the socket's thread does not panic");
        }
        if let Err(error) = std::fs::remove_file(&self.path) {
            log::debug!("cannot remove {}: {error}", self.path.display());
        }
    }
}

fn accept(listener: &UnixListener, answers: &Arc<dyn Answers>, stop: &Arc<AtomicBool>) {
    let clients = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if stop.load(Ordering::Acquire) {
            return;
        }
        let Ok(mut stream) = stream else {
            // Out of file descriptors, most likely: do not spin.
            thread::sleep(Duration::from_millis(100));
            continue;
        };
        if prepare(&stream).is_err() {
            continue;
        }
        if clients.load(Ordering::Acquire) >= MAX_CLIENTS {
            refuse(&mut stream, "too many clients");
            continue;
        }
        clients.fetch_add(1, Ordering::AcqRel);
        let spawned = thread::Builder::new().name("picket-client".to_owned()).stack_size(STACK).spawn({
            let (answers, stop, clients) = (Arc::clone(answers), Arc::clone(stop), Arc::clone(&clients));
            move || {
                if let Err(error) = serve(&stream, answers.as_ref(), &stop) {
                    log::debug!("status socket: {error}");
                }
                clients.fetch_sub(1, Ordering::AcqRel);
            }
        });
        if spawned.is_err() {
            clients.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn prepare(stream: &UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(CLIENT_PATIENCE))?;
    stream.set_write_timeout(Some(CLIENT_PATIENCE))
}

fn refuse(mut stream: impl Write, why: &str) {
    let line = serde_json::json!({ "schema": "picket.error/1", "error": why });
    if let Err(error) = writeln!(stream, "{line}") {
        log::debug!("status socket: {error}");
    }
}

fn serve(mut stream: &UnixStream, answers: &dyn Answers, stop: &AtomicBool) -> io::Result<()> {
    let mut line = String::new();
    BufReader::new(stream.take(u64::try_from(MAX_REQUEST).unwrap_or(u64::MAX))).read_line(&mut line)?;
    let Some(request) = Request::parse(&line).filter(|_| line.ends_with('\n')) else {
        refuse(
            stream,
            "the request is none of: status; alerts [since N]; alert ID; follow [since N]; update; rollback",
        );
        return Ok(());
    };
    match request {
        Request::Status => writeln!(stream, "{}", answers.status()),
        Request::Update => match answers.update() {
            Ok(said) => writeln!(stream, "{said}"),
            Err(why) => {
                refuse(stream, &why);
                Ok(())
            }
        },
        Request::RollBack => {
            let outcome = if may_change(stream) {
                answers.roll_back()
            } else {
                Err("only root and the daemon's own user may do that".to_owned())
            };
            match outcome {
                Ok(()) => writeln!(stream, "{}", serde_json::json!({ "schema": "picket.done/1" })),
                Err(why) => {
                    refuse(stream, &why);
                    Ok(())
                }
            }
        }
        Request::Alerts { since } => send(stream, answers, since, |_| true).map(drop),
        Request::Alert { id } => send(stream, answers, 0, |record| is_about(record, &id)).map(drop),
        Request::Follow { since } => {
            let mut seen = since.unwrap_or_else(|| answers.head());
            while !stop.load(Ordering::Acquire) {
                seen = send(stream, answers, seen, |_| true)?;
                answers.wait_beyond(seen, FOLLOW_TICK);
                if is_gone(stream) {
                    break;
                }
            }
            Ok(())
        }
    }
}

/// Whether the client is somebody who could change the daemon in any case: members of the group may only look.
fn may_change(stream: &UnixStream) -> bool {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
    let own = nix::unistd::geteuid().as_raw();
    getsockopt(stream, PeerCredentials).is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

/// Writes the documents above `after` that `wanted` accepts; returns the last number looked at.
fn send(
    mut stream: &UnixStream,
    answers: &dyn Answers,
    mut after: u64,
    wanted: impl Fn(&Record) -> bool,
) -> io::Result<u64> {
    loop {
        let page = match answers.page(after, PAGE) {
            Ok(page) => page,
            Err(why) => {
                refuse(stream, &why);
                return Err(io::Error::other(why));
            }
        };
        let Some(last) = page.last() else { return Ok(after) };
        after = last.seq;
        let mut text = String::new();
        for record in page.iter().filter(|record| wanted(record)) {
            text.push_str(&record.json);
            text.push('\n');
        }
        stream.write_all(text.as_bytes())?;
    }
}

/// Whether `record` is the document numbered `id` or belongs to the incident `id`.
pub(super) fn is_about(record: &Record, id: &str) -> bool {
    id.parse() == Ok(record.seq)
        || matches!(Head::of(&record.json), Ok(Head::Alert { id: incident, .. }) if incident == id)
}

/// Whether the client has closed its end.
fn is_gone(mut stream: &UnixStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return true;
    }
    let outcome = stream.read(&mut [0; 16]);
    let gone = match outcome {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    };
    gone || stream.set_nonblocking(false).is_err()
}

/// Sends `request` to the daemon at `path` and returns its lines as they come.
///
/// # Errors
/// Nobody listens there (`NotFound`, `ConnectionRefused`), or the socket may not be used.
pub fn ask(path: &Path, request: &str) -> io::Result<io::Lines<BufReader<UnixStream>>> {
    let mut stream = UnixStream::connect(path)?;
    writeln!(stream, "{request}")?;
    Ok(BufReader::new(stream).lines())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Canned;

    impl Answers for Canned {
        fn status(&self) -> String {
            "{\"online\":true}".to_owned()
        }

        fn page(&self, after: u64, max: usize) -> Result<Vec<Record>, String> {
            let first = after + 1;
            Ok((first..=150)
                .take(max)
                .map(|seq| Record {
                    seq,
                    json: format!(
                        r#"{{"schema":"picket.alert/1","id":"I{}","seq":{seq},"severity":"low","class":"tcp_scan"}}"#,
                        seq / 3
                    ),
                })
                .collect())
        }

        fn head(&self) -> u64 {
            148
        }

        fn wait_beyond(&self, _seq: u64, _patience: Duration) {
            thread::sleep(Duration::from_millis(5));
        }

        fn update(&self) -> Result<String, String> {
            Ok("{\"reported\":1}".to_owned())
        }

        fn roll_back(&self) -> Result<(), String> {
            Err("the factory's model is in use".to_owned())
        }
    }

    fn answer(path: &Path, request: &str) -> Vec<String> {
        ask(path, request).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn requests_are_answered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/picket.sock");
        let server = Server::start(&path, Arc::new(Canned)).unwrap();
        assert_eq!(answer(&path, "status"), ["{\"online\":true}"]);
        assert_eq!(answer(&path, "alerts").len(), 150);
        assert_eq!(answer(&path, "alerts since 100").len(), 50);
        assert_eq!(answer(&path, "alert I4").len(), 3);
        assert_eq!(answer(&path, "alert 7").len(), 1);
        assert_eq!(answer(&path, "update"), ["{\"reported\":1}"]);
        assert!(answer(&path, "rollback").concat().contains("factory"));
        let two: Vec<_> = ask(&path, "follow").unwrap().take(2).map(Result::unwrap).collect();
        assert!(two[0].contains("\"seq\":149") && two[1].contains("\"seq\":150"));
        for bad in ["", "alerts since x", "status now", "delete 1", &"a".repeat(MAX_REQUEST - 1)] {
            assert!(answer(&path, bad).concat().contains("picket.error/1"), "{bad}");
        }
        assert!(matches!(Server::start(&path, Arc::new(Canned)), Err(StoreError::Daemon { .. })));
        drop(server);
        assert!(!path.exists());
    }

    #[test]
    fn clients_are_limited_and_a_silent_one_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("picket.sock");
        let _server = Server::start(&path, Arc::new(Canned)).unwrap();
        let silent: Vec<_> = (0..MAX_CLIENTS).map(|_| UnixStream::connect(&path).unwrap()).collect();
        let mut refused = String::new();
        UnixStream::connect(&path).unwrap().read_to_string(&mut refused).unwrap();
        assert!(refused.contains("too many clients"), "{refused}");
        thread::sleep(CLIENT_PATIENCE);
        // It may take the busy machine a moment more to see that they said nothing; until then one is refused.
        let online = "{\"online\":true}";
        let answered = || {
            ask(&path, "status")
                .is_ok_and(|mut lines| lines.next().is_some_and(|line| line.is_ok_and(|line| line == online)))
        };
        assert!((0..600).any(|_| answered() || {
            thread::sleep(Duration::from_millis(100));
            false
        }));
        drop(silent);
    }
}
