//! A private mosquitto: started with a generated configuration, gone when its owner is gone.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::child::{self, Guarded};
use crate::credentials::Credentials;
use crate::error::LabError;
use crate::sandbox::Host;

/// How long mosquitto may take until it listens.
const STARTUP: Duration = Duration::from_secs(10);

/// A running mosquitto.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    host: Host,
    dir: TempDir,
    running: Option<Guarded>,
}

impl Broker {
    /// Starts mosquitto on a host. Without users everyone may connect; with users only they may.
    ///
    /// # Errors
    /// If mosquitto is not installed or does not come up; its last words are in the message.
    pub fn start(address: SocketAddr, users: &[Credentials], host: &Host) -> Result<Self, LabError> {
        Self::start_with_acl(address, users, "", host)
    }

    /// The same with the text of an ACL file, which is not used if it is empty.
    ///
    /// # Errors
    /// See [`Broker::start`].
    pub fn start_with_acl(
        address: SocketAddr,
        users: &[Credentials],
        acl: &str,
        host: &Host,
    ) -> Result<Self, LabError> {
        let dir = tempfile::Builder::new()
            .prefix("picket-lab-broker-")
            .tempdir()
            .map_err(LabError::io("temporary directory"))?;
        let mut config = format!(
            "listener {} {}\nallow_anonymous {}\npersistence false\nuser root\nmax_queued_messages 10000\n\
             log_dest file {}\nlog_type error\nlog_type warning\nlog_type notice\nlog_type information\n\
             connection_messages false\n",
            address.port(),
            address.ip(),
            users.is_empty(),
            dir.path().join("log").display(),
        );
        if !users.is_empty() {
            let file = dir.path().join("users");
            write_users(&file, users)?;
            writeln!(config, "password_file {}", file.display()).expect("writing to a string");
        }
        if !acl.is_empty() {
            let file = dir.path().join("acl");
            fs::write(&file, acl).map_err(LabError::io(file.display().to_string()))?;
            writeln!(config, "acl_file {}", file.display()).expect("writing to a string");
        }
        let path = dir.path().join("mosquitto.conf");
        fs::write(&path, config).map_err(LabError::io(path.display().to_string()))?;
        let mut broker = Self { address, host: host.clone(), dir, running: None };
        broker.launch()?;
        Ok(broker)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it, waits, and starts it again with the same configuration: every client has to reconnect.
    ///
    /// # Errors
    /// If it does not come up again.
    pub fn restart(&mut self, pause: Duration) -> Result<(), LabError> {
        self.running = None;
        thread::sleep(pause);
        self.launch()
    }

    fn launch(&mut self) -> Result<(), LabError> {
        let log = self.dir.path().join("log");
        // A log of an earlier run would say "running" too soon.
        match fs::remove_file(&log) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(LabError::Io { what: log.display().to_string(), source: error });
            }
            _ => {}
        }
        let program = find("mosquitto")?;
        let mut command = self.host.command(&program);
        command.arg("-c").arg(self.dir.path().join("mosquitto.conf"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut guarded = Guarded::start(command, Signal::SIGTERM)?;
        // Its log and not a test connection says that it listens: a connection would be in the capture.
        let late = Instant::now() + STARTUP;
        loop {
            let said = fs::read_to_string(&log).unwrap_or_default();
            if said.lines().any(|line| line.ends_with("running")) {
                break;
            }
            let ended = guarded.inner().try_wait().map_err(LabError::io("mosquitto"))?;
            if ended.is_some() || Instant::now() > late {
                let detail =
                    said.lines().rev().find(|line| line.contains("rror")).unwrap_or("no reason given");
                return Err(LabError::Child {
                    what: format!("mosquitto at {}", self.address),
                    detail: detail.split_once(": ").map_or(detail, |(_, text)| text).into(),
                });
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.running = Some(guarded);
        Ok(())
    }
}

/// Finds a program in PATH or in the directories of system programs, which PATH may lack for ordinary users.
///
/// # Errors
/// [`LabError::Unavailable`] with the package to install.
pub fn find(program: &str) -> Result<PathBuf, LabError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| child::missing(program, io::ErrorKind::NotFound.into()))
}

/// A loopback port that is free now.
///
/// # Errors
/// If there is none.
pub fn free_port() -> Result<u16, LabError> {
    let what = "loopback port";
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(LabError::io(what))?;
    Ok(listener.local_addr().map_err(LabError::io(what))?.port())
}

/// Reads `name:password` lines.
///
/// # Errors
/// If the file cannot be read, or a line has another form.
pub fn read_users(file: &Path) -> Result<Vec<Credentials>, LabError> {
    let text = fs::read_to_string(file).map_err(LabError::io(file.display().to_string()))?;
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(index, line)| match line.split_once(':') {
            Some((name, password)) if !name.is_empty() && !password.is_empty() => {
                Ok(Credentials { username: name.into(), password: password.into() })
            }
            _ => Err(LabError::Data {
                path: file.into(),
                reason: format!("line {}: should be name:password", index + 1),
            }),
        })
        .collect()
}

/// Writes the password file, hashed by mosquitto's own tool in place: no password stands on a command line.
fn write_users(file: &Path, users: &[Credentials]) -> Result<(), LabError> {
    let mut plain = String::new();
    for Credentials { username, password } in users {
        writeln!(plain, "{username}:{password}").expect("writing to a string");
    }
    fs::write(file, plain).map_err(LabError::io(file.display().to_string()))?;
    let mut command = Command::new(find("mosquitto_passwd")?);
    command.arg("-U").arg(file);
    child::run(command).map(drop)
}

/// The address of a broker on this machine's loopback.
#[must_use]
pub const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_and_a_bad_line_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "a:1\n\nb:x:y\n").unwrap();
        let users = read_users(file.path()).unwrap();
        assert_eq!(users[1].pair(), ("b", "x:y"));
        fs::write(file.path(), "a:1\nnobody\n").unwrap();
        let error = read_users(file.path()).unwrap_err();
        assert!(error.to_string().contains("line 2") && error.exit_code() == 65, "{error}");
    }

    #[test]
    fn a_port_in_use_is_a_one_line_error() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let error = Broker::start(taken.local_addr().unwrap(), &[], &Host::Here).unwrap_err();
        assert_eq!(error.exit_code(), 70);
        assert!(error.to_string().contains("Address already in use"), "{error}");
    }
}
