//! The cage that the daemon locks itself into, once everything is open and its rights are gone.
//!
//! [`privileges`](crate::privileges) takes away what root could do. The cage takes away what anybody can do and a sensor has
//! no use for: to write or run files anywhere ([`landlock`]), and to make the system calls by which an intruder
//! goes on from here ([`seccomp`]). Both hold for the calling thread and all it starts afterwards, and cannot be undone.
//!
//! Neither is certain to be there: Landlock came with Linux 5.13 and may be left out of a kernel, the filter of system calls is not
//! written for every processor. What could not be had is said in the health ([`Report`]) and is no reason to stop: a sensor
//! without a cage is worth more than none. `sandbox.enabled = false` leaves the cage away.

mod landlock;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
mod rules;
mod seccomp;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::publish::status::{Condition, Part};

/// What the daemon still has to reach.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Reach {
    /// Folders and files that are read.
    pub read: Vec<PathBuf>,
    /// Folders in which files are made, written and removed.
    pub write: Vec<PathBuf>,
    /// Programs, and folders of programs, that are run.
    pub run: Vec<PathBuf>,
}

impl Reach {
    /// What every daemon reads: names of hosts and their resolution, certificates, the C library's parts that are loaded when
    /// first needed, and what the kernel tells of interfaces and of this process.
    #[must_use]
    pub fn of_daemon() -> Self {
        let fixed = ["/etc", "/usr/lib", "/usr/share", "/lib", "/lib64", "/proc", "/sys", "/dev/urandom"];
        let mut read: Vec<PathBuf> = fixed.iter().map(PathBuf::from).collect();
        // Often a link out of /etc, to a file that is replaced: hence its folder.
        if let Ok(resolver) = std::fs::canonicalize("/etc/resolv.conf") {
            read.extend(resolver.parent().filter(|folder| *folder != Path::new("/")).map(PathBuf::from));
        }
        Self { read, ..Self::default() }
    }
}

/// How much of a part of the cage holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// All that was asked for.
    Full,
    /// What this kernel knows; it is an older one.
    Partial,
    /// Nothing: the kernel or the processor does not have it.
    None,
}

impl Hold {
    const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial => "partial",
            Self::None => "not available",
        }
    }
}

/// What became of the cage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    /// Files: only those in [`Reach`], and none to run.
    pub files: Hold,
    /// System calls: those of an intruder are refused.
    pub calls: Hold,
}

impl Report {
    /// As a part of the health.
    #[must_use]
    pub fn part(self) -> Part {
        match (self.files, self.calls) {
            (Hold::Full, Hold::Full) => Part::ok(),
            _ => Part::because(Condition::Degraded, self.to_string()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files (Landlock): {}, system calls (seccomp): {}", self.files.name(), self.calls.name())
    }
}

/// Why there is no cage although the system has what it takes.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Landlock refused.
    #[error("Landlock: {0}")]
    Landlock(#[from] ::landlock::RulesetError),
    /// The filter of system calls was refused.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
    #[error("seccomp: {0}")]
    Seccomp(#[from] seccompiler::Error),
}

/// How system calls are filtered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Calls {
    /// Those of an intruder are refused.
    Denied,
    /// All but those of a sensor are refused.
    Allowed,
}

impl Calls {
    /// The stricter list where the C library is part of the program, so that its calls are known.
    pub const OF_THIS_BUILD: Self = if cfg!(target_env = "musl") { Self::Allowed } else { Self::Denied };
}

/// Locks the calling thread, and all that it starts afterwards, in. `no_new_privs` must be set.
///
/// # Errors
/// The system has what it takes and refused it. Parts may hold already.
pub fn enter(reach: &Reach) -> Result<Report, SandboxError> {
    enter_by(reach, Calls::OF_THIS_BUILD)
}

/// The same with this list of system calls, whatever the build.
///
/// # Errors
/// As [`enter`].
pub fn enter_by(reach: &Reach, calls: Calls) -> Result<Report, SandboxError> {
    Ok(Report { files: landlock::enter(reach)?, calls: seccomp::enter(calls)? })
}

/// Locks the calling thread in as far as files are concerned, for a process that has to start another.
///
/// # Errors
/// The system has what it takes and refused it.
pub fn enter_files(reach: &Reach) -> Result<Hold, SandboxError> {
    Ok(landlock::enter(reach)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        let whole = Report { files: Hold::Full, calls: Hold::Full };
        assert_eq!(whole.part(), Part::ok());
        let part = Report { files: Hold::None, calls: Hold::Full }.part();
        assert_eq!(part.state, Condition::Degraded);
        let reason = "files (Landlock): not available, system calls (seccomp): full";
        assert_eq!(part.reason.as_deref(), Some(reason));
    }

    #[test]
    fn the_resolver_file_is_within_reach() {
        let reach = Reach::of_daemon();
        if let Ok(resolver) = std::fs::canonicalize("/etc/resolv.conf") {
            assert!(reach.read.iter().any(|path| resolver.starts_with(path)), "{resolver:?}");
        }
        assert!(!reach.read.contains(&PathBuf::from("/")));
    }
}
