//! The helper: starts the child for slot A or B when told so, and says how it ended. It never reads a model.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::Signal;

use super::{Answer, Limits, MAX_ANSWER};
use crate::sandbox::{self, Reach};
use crate::update::reason::{Reason, Refusal};

/// How long a self-test may take by the clock on the wall: well above its limit of processor time.
pub const WALL_LIMIT: Duration = Duration::from_secs(180);
/// What the Rust runtime says when the system gives no more memory.
const OUT_OF_MEMORY: &[u8] = b"memory allocation of";

/// Serves the daemon at the other end of `socket` until it is gone.
///
/// # Errors
/// The socket fails.
pub fn run(mut socket: UnixStream, folder: &Path, limits: Limits) -> io::Result<()> {
    // The daemon's death must not leave anybody behind.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    prctl::set_no_new_privs()?;
    prctl::set_dumpable(false)?;
    lock_in(folder);
    let mut request = [0];
    while socket.read(&mut request)? == 1 {
        let place = if request == *b"A" { "A" } else { "B" };
        let mut command = Command::new("/proc/self/exe");
        command.args(["model", "self-test", "--max-row-us"]).arg(limits.max_row_us.to_string());
        command.arg("--max-memory-kib").arg(limits.max_memory_kib.to_string()).arg(folder.join(place));
        let outcome = watch(&mut command, WALL_LIMIT, Some(&socket));
        socket.write_all(&Answer::of(&outcome).line())?;
    }
    Ok(())
}

/// Reads and runs this program and what it is linked with, reads the slots, and nothing else. The filter of system calls
/// that the daemon has would forbid its one duty.
fn lock_in(folder: &Path) {
    let program = ["/proc/self/exe", "/lib", "/lib64", "/usr/lib", "/etc/ld.so.cache"].map(PathBuf::from);
    let mut read = vec![folder.to_owned(), "/dev/null".into(), "/proc".into()];
    read.extend(program.clone());
    let reach = Reach { read, write: Vec::new(), run: program.to_vec() };
    if let Err(error) = sandbox::enter_files(&reach) {
        log::debug!("the helper has no cage: {error}");
    }
}

/// Runs `command` to its end or to the limit, and says what became of it. When the daemon hangs up, the child is killed.
fn watch(command: &mut Command, limit: Duration, daemon: Option<&UnixStream>) -> Result<String, Refusal> {
    let failed = |error: io::Error| Refusal::new(Reason::SelfTestFailed, crate::error::plain(&error));
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let said = listen(&mut child, limit, daemon);
    let is_late = said.is_none();
    if is_late {
        // It may have ended in this moment; then there is nobody to kill.
        let _ = child.kill();
    }
    let status = child.wait().map_err(failed)?;
    if is_late {
        let detail = format!("it did not end within {} s", limit.as_secs());
        return Err(Refusal::new(Reason::SelfTestTimeout, detail));
    }
    let (said, complained) = said.unwrap_or_default();
    judge(status, &said, &complained)
}

/// What the child says, until it has closed both streams; none when the time is over or the daemon is gone.
#[expect(clippy::disallowed_methods, reason = "the limit is one of the clock on the wall")]
fn listen(child: &mut Child, limit: Duration, daemon: Option<&UnixStream>) -> Option<(Vec<u8>, Vec<u8>)> {
    let until = Instant::now() + limit;
    let (mut out, mut err) = (child.stdout.take()?, child.stderr.take()?);
    let (mut said, mut complained) = (Some(Vec::new()), Some(Vec::new()));
    let (mut all_said, mut all_complained) = (Vec::new(), Vec::new());
    while said.is_some() || complained.is_some() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        let (out_ready, err_ready) = {
            let mut places = Vec::with_capacity(3);
            if said.is_some() {
                places.push(PollFd::new(out.as_fd(), PollFlags::POLLIN));
            }
            if complained.is_some() {
                places.push(PollFd::new(err.as_fd(), PollFlags::POLLIN));
            }
            if let Some(daemon) = daemon {
                // Only its end is of interest, which is always told.
                places.push(PollFd::new(daemon.as_fd(), PollFlags::empty()));
            }
            let patience = PollTimeout::try_from(left.as_millis()).unwrap_or(PollTimeout::MAX);
            match poll(&mut places, patience) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(_) => return None,
            }
            let ready = |place: Option<&PollFd<'_>>| place.and_then(PollFd::any).unwrap_or(false);
            let mut places = places.iter();
            let out_ready = said.is_some() && ready(places.next());
            let err_ready = complained.is_some() && ready(places.next());
            if ready(places.next()) {
                return None;
            }
            (out_ready, err_ready)
        };
        if out_ready {
            take_some(&mut out, &mut said, &mut all_said);
        }
        if err_ready {
            take_some(&mut err, &mut complained, &mut all_complained);
        }
    }
    Some((all_said, all_complained))
}

/// Reads what is there; `open` becomes none at the end. What is beyond the size of an answer is read and forgotten.
fn take_some(from: &mut impl io::Read, open: &mut Option<Vec<u8>>, all: &mut Vec<u8>) {
    let mut buffer = [0; 512];
    match from.read(&mut buffer) {
        Ok(0) | Err(_) => *open = None,
        Ok(length) => {
            let room = MAX_ANSWER.saturating_sub(all.len()).min(length);
            all.extend_from_slice(buffer.get(..room).unwrap_or_default());
        }
    }
}

fn judge(status: ExitStatus, said: &[u8], complained: &[u8]) -> Result<String, Refusal> {
    if status.success()
        && let Some(answer) = Answer::read(said)
    {
        return answer.outcome();
    }
    let signal = status.signal();
    let of = |signal: Signal| Some(signal as i32);
    let ran_out = complained.windows(OUT_OF_MEMORY.len()).any(|words| words == OUT_OF_MEMORY);
    let refusal = if signal == of(Signal::SIGABRT) && ran_out {
        Refusal::new(Reason::TooMuchMemory, "it asked for more memory than it may have")
    } else if signal == of(Signal::SIGXCPU) {
        Refusal::new(Reason::SelfTestTimeout, "it took more time of the processor than it may")
    } else if let Some(number) = signal {
        Refusal::new(Reason::SelfTestCrashed, format!("it was ended by signal {number}"))
    } else {
        Refusal::new(Reason::SelfTestCrashed, format!("it ended with {status}"))
    };
    Err(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(script: &str) -> Result<String, Reason> {
        let limit = Duration::from_secs(120);
        watch(Command::new("/bin/sh").args(["-c", script]), limit, None).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn every_end_has_its_own_reason() {
        assert_eq!(reason(r#"echo '{"reason":null,"detail":"fine"}'"#), Ok("fine".to_owned()));
        assert_eq!(reason(r#"echo '{"reason":"golden_vectors","detail":""}'"#), Err(Reason::GoldenVectors));
        assert_eq!(reason("kill -SEGV $$"), Err(Reason::SelfTestCrashed));
        assert_eq!(reason("kill -ABRT $$"), Err(Reason::SelfTestCrashed));
        assert_eq!(reason("exit 101"), Err(Reason::SelfTestCrashed));
        assert_eq!(reason("echo nonsense"), Err(Reason::SelfTestCrashed));
        let bomb = "echo 'memory allocation of 999999 bytes failed' >&2; kill -ABRT $$";
        assert_eq!(reason(bomb), Err(Reason::TooMuchMemory));
        // A kernel's limit on time, reached by a loop.
        assert_eq!(reason("ulimit -S -t 1; while :; do :; done"), Err(Reason::SelfTestTimeout));
    }

    #[test]
    fn much_talk_fills_nothing() {
        let script = r#"echo '{"reason":null,"detail":"fine"}'; head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2"#;
        assert_eq!(reason(script), Ok("fine".to_owned()));
    }

    #[test]
    fn who_hangs_is_killed_and_so_is_who_lost_the_daemon() {
        // `exec`, so that nobody is left behind with the streams open.
        let mut hangs = Command::new("/bin/sh");
        let outcome = watch(hangs.args(["-c", "exec sleep 1000"]), Duration::from_millis(100), None);
        assert_eq!(outcome.unwrap_err().reason, Reason::SelfTestTimeout);
        let (here, there) = UnixStream::pair().unwrap();
        drop(there);
        let mut hangs = Command::new("/bin/sh");
        let outcome = watch(hangs.args(["-c", "exec sleep 1000"]), Duration::from_secs(1000), Some(&here));
        assert!(outcome.is_err());
    }

    #[test]
    fn a_program_that_is_not_there_is_no_fault_of_the_model() {
        let outcome = watch(&mut Command::new("/nowhere"), Duration::from_secs(9), None);
        assert_eq!(outcome.unwrap_err().reason, Reason::SelfTestFailed);
    }
}
