//! The built program as a child process.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What `nobody` is on Debian; any user without rights would do.
pub const NOBODY: u32 = 65_534;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_picket");

/// How a command ended and what it said.
#[derive(Clone, Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Wants success, and gives what was printed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.status.success(), "{self:#?}");
        self.stdout
    }

    /// Wants this exit code and one line on stderr that names each of `parts`; gives the line.
    #[track_caller]
    pub fn fails(&self, code: i32, parts: &[&str]) -> String {
        assert_eq!(self.status.code(), Some(code), "{self:#?}");
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "{self:#?}");
        assert!(lines[0].starts_with("picket: "), "{self:#?}");
        for part in parts {
            assert!(lines[0].contains(part), "{part:?} is missing: {self:#?}");
        }
        lines[0].to_owned()
    }
}

/// Runs a command to its end.
#[track_caller]
pub fn run(command: &mut Command) -> Ended {
    let out = command.stdin(Stdio::null()).output().unwrap();
    Ended {
        status: out.status,
        stdout: String::from_utf8(out.stdout).unwrap(),
        stderr: String::from_utf8(out.stderr).unwrap(),
    }
}

/// `picket` with arguments.
#[track_caller]
pub fn picket(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ended {
    run(Command::new(PROGRAM).args(args))
}

/// The arguments given, as one list whatever their types.
#[macro_export]
macro_rules! args {
    ($($arg:expr),* $(,)?) => { vec![$(std::ffi::OsString::from($arg)),*] };
}

/// A folder that everybody may enter, and gone when dropped.
pub fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o755);
    folder
}

/// Sets the mode of a file or folder.
pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A copy of the program in `folder`, without any capability the original may have.
pub fn copy_of_program(folder: &Path) -> PathBuf {
    let copy = folder.join("picket");
    fs::copy(PROGRAM, &copy).unwrap();
    set_mode(&copy, 0o755);
    copy
}

/// A daemon; ended when dropped.
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts it with its log in `log`.
    pub fn start(config: &Path, log: &Path) -> Self {
        Self::start_with(config, log, &[])
    }

    /// Starts it with these variables in its environment.
    pub fn start_with(config: &Path, log: &Path, variables: &[(&str, &OsStr)]) -> Self {
        let log = fs::File::create(log).unwrap();
        let child = Command::new(PROGRAM)
            .arg("run")
            .arg("-c")
            .arg(config)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child }
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Asks it to end, as a service manager does, and gives its status.
    #[track_caller]
    pub fn stop(mut self) -> ExitStatus {
        assert!(self.is_running(), "the daemon had ended by itself");
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        self.ended("it does not end on SIGTERM")
    }

    /// Waits for its end and gives its status.
    #[track_caller]
    pub fn ended(mut self, or_else: &str) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < Duration::from_mins(1), "{or_else}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `done`, at most `limit`.
#[track_caller]
pub fn wait_until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < limit, "no {what} within {limit:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
