//! The daemon's end of the helper.

use std::ffi::OsStr;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::helper::WALL_LIMIT;
use super::{Answer, Limits, MAX_ANSWER};
use crate::update::reason::{Reason, Refusal};
use crate::update::slots::Place;

/// What the helper needs besides the limit of the child, until it counts as lost.
const GRACE: Duration = Duration::from_secs(60);

/// The helper, and the self-test that it runs.
#[derive(Debug)]
pub struct Tester {
    /// None once it is lost: it cannot be started again from inside the cage.
    helper: Option<(UnixStream, Child)>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    since_ms: u64,
    said: Vec<u8>,
}

impl Tester {
    /// Starts the helper for the slots in `folder`. To be called before the daemon locks itself in.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(program: &OsStr, folder: &Path, limits: Limits) -> io::Result<Self> {
        let (here, there) = UnixStream::pair()?;
        here.set_nonblocking(true)?;
        let helper = Command::new(program)
            .args(["model", "self-test", "--serve", "--max-row-us"])
            .arg(limits.max_row_us.to_string())
            .arg("--max-memory-kib")
            .arg(limits.max_memory_kib.to_string())
            .arg(folder)
            .env_clear()
            .stdin(OwnedFd::from(there))
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { helper: Some((here, helper)), running: None })
    }

    /// Begins the self-test of the release at `place`; [`Tester::poll`] says how it ends.
    pub fn begin(&mut self, place: Place, now_ms: u64) {
        let name: &[u8] = if place == Place::A { b"A" } else { b"B" };
        self.running = Some(Running { since_ms: now_ms, said: Vec::new() });
        let sent = self.helper.as_mut().is_some_and(|(socket, _)| socket.write_all(name).is_ok());
        if !sent {
            self.lose();
        }
    }

    /// How the self-test ended, once; none while it runs.
    pub fn poll(&mut self, now_ms: u64) -> Option<Result<String, Refusal>> {
        let running = self.running.as_mut()?;
        let Some((socket, _)) = &mut self.helper else {
            self.running = None;
            return Some(Err(lost()));
        };
        let mut buffer = [0; 256];
        match socket.read(&mut buffer) {
            Ok(0) => self.lose(),
            Ok(length) => running.said.extend_from_slice(buffer.get(..length).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.lose(),
        }
        let running = self.running.as_ref()?;
        if running.said.contains(&b'\n') {
            let answer = Answer::read(&running.said);
            self.running = None;
            return Some(answer.map_or_else(|| Err(lost()), Answer::outcome));
        }
        let patience = u64::try_from((WALL_LIMIT + GRACE).as_millis()).unwrap_or(u64::MAX);
        if running.said.len() > 2 * MAX_ANSWER || now_ms.saturating_sub(running.since_ms) > patience {
            self.lose();
        }
        None
    }

    /// Whether self-tests are possible.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        self.helper.is_some()
    }

    /// The helper is killed and waited for, and with it, by the kernel, its child.
    fn end(&mut self) -> Option<io::Result<ExitStatus>> {
        let (socket, mut helper) = self.helper.take()?;
        drop(socket);
        Some(helper.kill().and_then(|()| helper.wait()))
    }

    /// The helper is of no use any more.
    fn lose(&mut self) {
        if let Some(ended) = self.end() {
            log::warn!(
                "the helper for self-tests is lost ({ended:?}); no model is taken before the next start"
            );
        }
    }
}

fn lost() -> Refusal {
    Refusal::new(Reason::SelfTestFailed, "the helper for self-tests is lost; start the daemon again")
}

impl Drop for Tester {
    fn drop(&mut self) {
        let _ = self.end();
    }
}
