//! Child processes that never outlive their owner.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::LabError;

/// How long a child may take to end by itself after it was asked to.
const GRACE: Duration = Duration::from_secs(5);

/// A child that is asked to end when this is dropped, also by a panic, and killed if it does not.
#[derive(Debug)]
pub struct Guarded {
    child: Child,
    farewell: Signal,
}

impl Guarded {
    /// Starts a command in a process group of its own, so that Ctrl-C reaches only the laboratory, which then ends
    /// its children in the right order.
    ///
    /// # Errors
    /// [`LabError::Unavailable`] if there is no such program, with the Debian package that has it.
    pub fn start(mut command: Command, farewell: Signal) -> Result<Self, LabError> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.process_group(0).spawn().map_err(|error| missing(&name, error))?;
        Ok(Self { child, farewell })
    }

    /// The standard streams and the process identifier.
    pub const fn inner(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends the signal that asks it to end.
    pub fn ask(&mut self) {
        // Not yet reaped, so that the identifier cannot belong to another process; a child that has already ended is
        // no error.
        if let (Ok(None), Ok(pid)) = (self.child.try_wait(), i32::try_from(self.child.id())) {
            let _ = kill(Pid::from_raw(pid), self.farewell);
        }
    }

    /// Asks it to end and waits; kills it if it takes too long.
    ///
    /// # Errors
    /// If the system cannot say how it ended.
    pub fn end(&mut self) -> io::Result<ExitStatus> {
        self.ask();
        let late = Instant::now() + GRACE;
        while Instant::now() < late {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Nothing is left to do when even the kill fails.
        let _ = self.end();
    }
}

/// Names the Debian package of a program that could not be started.
#[must_use]
pub fn missing(name: &str, error: io::Error) -> LabError {
    if error.kind() != io::ErrorKind::NotFound {
        return LabError::Io { what: name.into(), source: error };
    }
    let package = match name.rsplit('/').next().unwrap_or(name) {
        "ip" => "iproute2",
        "mosquitto_passwd" => "mosquitto",
        "mosquitto_pub" | "mosquitto_sub" => "mosquitto-clients",
        "setpriv" => "util-linux",
        other => other,
    };
    LabError::Unavailable { what: name.into(), hint: format!("apt-get install {package}") }
}

/// Runs a command to its end.
///
/// # Errors
/// [`LabError::Child`] with what it said, if it fails.
pub fn run(mut command: Command) -> Result<String, LabError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| missing(&name, error))?;
    if !output.status.success() {
        let detail = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(LabError::Child { what: name, detail });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_ends_with_its_owner() {
        let mut command = Command::new("sleep");
        command.arg("60");
        let mut guarded = Guarded::start(command, Signal::SIGTERM).unwrap();
        let pid = Pid::from_raw(i32::try_from(guarded.inner().id()).unwrap());
        assert_eq!(kill(pid, None), Ok(()));
        drop(guarded);
        assert_eq!(kill(pid, None), Err(nix::errno::Errno::ESRCH));
    }

    #[test]
    fn a_missing_program_names_its_package() {
        let error = run(Command::new("/nonexistent/ip")).unwrap_err();
        assert_eq!(error.exit_code(), 69);
        assert!(error.to_string().contains("apt-get install iproute2"), "{error}");
    }
}
