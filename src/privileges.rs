//! Giving up rights once everything that needs them is open.
//!
//! The order at start is: read the configuration, open the captures, read the model and the secrets, give the
//! store's folder to the user ([`Account::own`]), **drop**, and only then open the store (its files must
//! belong to the user) and start threads. Capabilities and `no_new_privs` belong to threads (capabilities(7))
//! and are inherited when one starts, so a drop with threads already running would leave those as they were:
//! that is refused.
//!
//! In the cage ([`sandbox`](crate::sandbox)) no capability stays. Without it `CAP_NET_RAW` does, to open an interface again
//! that went away and came back.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{self, Gid, Uid, User};

use crate::error::{ExitError, plain, sysexits};

/// What is kept of the capabilities.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// None at all: interfaces that went away cannot be opened again.
    Nothing,
    /// `CAP_NET_RAW`.
    NetRaw,
}

impl Keep {
    fn keeps(self, capability: Capability) -> bool {
        self == Self::NetRaw && capability == Capability::CAP_NET_RAW
    }
}

/// The unprivileged account that the daemon becomes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    name: String,
    uid: Uid,
    gid: Gid,
}

impl Account {
    /// The account of that name.
    ///
    /// # Errors
    /// There is none, it cannot be looked up, or it is root's.
    pub fn find(name: &str) -> Result<Self, PrivilegeError> {
        match User::from_name(name) {
            Ok(Some(user)) if user.uid.is_root() || user.gid.as_raw() == 0 => {
                Err(PrivilegeError::Root { user: name.to_owned() })
            }
            Ok(Some(user)) => Ok(Self { name: name.to_owned(), uid: user.uid, gid: user.gid }),
            Ok(None) => Err(PrivilegeError::NoUser { user: name.to_owned() }),
            Err(error) => Err(PrivilegeError::Step { step: "looking up the user", error }),
        }
    }

    /// Makes `folder` (its parents too) if it does not exist, closed to others, and gives it to the account.
    /// Does nothing to a folder that exists, for whose owner somebody has decided.
    ///
    /// # Errors
    /// It cannot be made or given away.
    pub fn own(&self, folder: &Path) -> Result<(), PrivilegeError> {
        use std::os::unix::fs::{DirBuilderExt, chown};
        if folder.is_dir() {
            return Ok(());
        }
        let made = match folder.parent() {
            Some(parent) => std::fs::create_dir_all(parent),
            None => Ok(()),
        };
        made.and_then(|()| std::fs::DirBuilder::new().mode(0o750).create(folder))
            .and_then(|()| chown(folder, Some(self.uid.as_raw()), Some(self.gid.as_raw())))
            .map_err(|error| PrivilegeError::Folder { path: folder.to_owned(), error })
    }
}

/// What the process may still do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Who it runs as: a name after a change of user, else the number.
    pub user: String,
    /// Whether it changed user.
    pub dropped_root: bool,
    /// Whether it may open interfaces (again).
    pub net_raw: bool,
    /// Whether the bounding set holds no more than what is kept. Without `CAP_SETPCAP` it stays as it was,
    /// which matters little: `no_new_privs` stops every way to gain from it.
    pub bounded: bool,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let capability = if self.net_raw { "CAP_NET_RAW alone" } else { "no capability" };
        write!(f, "running as {} with {capability}, no_new_privs", self.user)
    }
}

/// Why rights could not be given up. The daemon must not go on then.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// No such account.
    #[error("capture.user: there is no user {user}")]
    NoUser {
        /// The configured name.
        user: String,
    },
    /// The account is no less than root, or in root's group.
    #[error("capture.user: {user} has the rights of root or is in its group")]
    Root {
        /// The configured name.
        user: String,
    },
    /// A folder cannot be made ready for the account.
    #[error("{}: {}", path.display(), plain(error))]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// Threads are running that would keep their rights. A fault of the program.
    #[error("{count} threads are running, which would keep their rights")]
    Threads {
        /// How many, this one included.
        count: usize,
    },
    /// The system refused a step.
    #[error("{step}: {}", error.desc())]
    Step {
        /// What was tried.
        step: &'static str,
        /// What it said.
        error: Errno,
    },
    /// The system refused a change of capabilities.
    #[error("{step}: {error}")]
    Capabilities {
        /// What was tried.
        step: &'static str,
        /// What it said.
        error: caps::errors::CapsError,
    },
    /// All steps succeeded and yet rights are left.
    #[error("rights are left after all were given up: {what}")]
    Left {
        /// Which.
        what: &'static str,
    },
}

impl From<PrivilegeError> for ExitError {
    fn from(error: PrivilegeError) -> Self {
        let (code, hint) = match &error {
            PrivilegeError::NoUser { user } => (
                sysexits::CONFIG,
                format!("create it (useradd --system {user}) or name another, such as nobody"),
            ),
            PrivilegeError::Root { .. } => {
                (sysexits::CONFIG, "name a user without rights, such as nobody".into())
            }
            PrivilegeError::Folder { .. } => {
                (sysexits::NOPERM, "create it and give it to capture.user".into())
            }
            PrivilegeError::Step { .. } | PrivilegeError::Capabilities { .. } => (
                sysexits::NOPERM,
                "allow CAP_SETUID and CAP_SETGID, or start as an ordinary user with CAP_NET_RAW".into(),
            ),
            PrivilegeError::Threads { .. } | PrivilegeError::Left { .. } => {
                (sysexits::SOFTWARE, "please report this".into())
            }
        };
        Self::new(code, format!("privileges: {error}")).hint(hint)
    }
}

/// Whether the process was started as root.
#[must_use]
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

/// Gives up every right but those in `keep`, for good: as root becomes `account`; as anybody drops other
/// capabilities, sets `no_new_privs`, and is closed to core dumps and debuggers.
///
/// Without `account` a process of root's is refused. To be called before any thread is started.
///
/// # Errors
/// Something could not be given up, or is still there afterwards. The process must end.
pub fn drop_all(account: Option<&Account>, keep: Keep) -> Result<Report, PrivilegeError> {
    let count = thread_count();
    if count != 1 {
        return Err(PrivilegeError::Threads { count });
    }
    let bounded = clear_bounding_set(keep)?;
    let user = match (is_root(), account) {
        (true, Some(account)) => {
            become_account(account)?;
            account.name.clone()
        }
        (true, None) => return Err(PrivilegeError::Root { user: "root".into() }),
        (false, _) => format!("uid {}", Uid::effective()),
    };
    let net_raw = clear_capabilities(keep)?;
    step("setting no_new_privs", prctl::set_no_new_privs())?;
    step("forbidding core dumps", prctl::set_dumpable(false))?;
    verify(keep)?;
    Ok(Report { user, dropped_root: account.is_some(), net_raw, bounded })
}

/// Drops all but what is kept from the bounding set, if that is allowed.
fn clear_bounding_set(keep: Keep) -> Result<bool, PrivilegeError> {
    let read = |set| capability("reading capabilities", caps::read(None, set));
    if !read(CapSet::Effective)?.contains(&Capability::CAP_SETPCAP) {
        return Ok(read(CapSet::Bounding)?.iter().all(|cap| keep.keeps(*cap)));
    }
    for cap in read(CapSet::Bounding)?.into_iter().filter(|cap| !keep.keeps(*cap)) {
        capability("clearing the bounding set", caps::drop(None, CapSet::Bounding, cap))?;
    }
    Ok(true)
}

/// Changes user and groups; permitted capabilities survive this.
fn become_account(account: &Account) -> Result<(), PrivilegeError> {
    step("keeping capabilities", prctl::set_keepcaps(true))?;
    // Groups first: the user that follows may not change them.
    step("setting groups", unistd::setgroups(&[account.gid]))?;
    step("setting the group", unistd::setresgid(account.gid, account.gid, account.gid))?;
    step("setting the user", unistd::setresuid(account.uid, account.uid, account.uid))?;
    step("keeping capabilities", prctl::set_keepcaps(false))
}

/// Reduces all sets to what is kept; says whether anything is left.
fn clear_capabilities(keep: Keep) -> Result<bool, PrivilegeError> {
    let permitted = capability("reading capabilities", caps::read(None, CapSet::Permitted))?;
    let kept: HashSet<_> = permitted.into_iter().filter(|cap| keep.keeps(*cap)).collect();
    // Ambient first, as it may not exceed the others; effective before permitted for the same reason.
    for set in [CapSet::Ambient, CapSet::Inheritable] {
        capability("clearing capabilities", caps::clear(None, set))?;
    }
    for set in [CapSet::Effective, CapSet::Permitted] {
        capability("reducing capabilities", caps::set(None, set, &kept))?;
    }
    Ok(!kept.is_empty())
}

/// Looks at what is left, and tries to become root again.
fn verify(keep: Keep) -> Result<(), PrivilegeError> {
    let left = |what| Err(PrivilegeError::Left { what });
    for set in [CapSet::Permitted, CapSet::Effective, CapSet::Inheritable, CapSet::Ambient] {
        let rest = capability("reading capabilities", caps::read(None, set))?;
        if rest.iter().any(|cap| !keep.keeps(*cap)) {
            return left("capabilities");
        }
    }
    let ids = step("reading the user", unistd::getresuid())?;
    if [ids.real, ids.effective, ids.saved].iter().any(|id| id.is_root()) {
        return left("root's user id");
    }
    if unistd::setuid(Uid::from_raw(0)).is_ok() {
        return left("root can be regained");
    }
    if !step("reading no_new_privs", prctl::get_no_new_privs())? {
        return left("no_new_privs is not set");
    }
    Ok(())
}

/// Threads of this process; 1 where the kernel will not tell.
fn thread_count() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

fn step<T>(step: &'static str, result: nix::Result<T>) -> Result<T, PrivilegeError> {
    result.map_err(|error| PrivilegeError::Step { step, error })
}

fn capability<T>(
    step: &'static str,
    result: Result<T, caps::errors::CapsError>,
) -> Result<T, PrivilegeError> {
    result.map_err(|error| PrivilegeError::Capabilities { step, error })
}

// What the steps do to a process is tested in `tests/privileges.rs`, in a process of its own.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_users_and_root_are_refused_with_a_remedy() {
        let exit = ExitError::from(Account::find("no-such-user").expect_err("unknown"));
        assert_eq!(exit.code, sysexits::CONFIG);
        assert_eq!(
            exit.to_string(),
            "picket: privileges: capture.user: there is no user no-such-user; \
             create it (useradd --system no-such-user) or name another, such as nobody"
        );
        assert!(matches!(Account::find("root"), Err(PrivilegeError::Root { .. })));
    }

    #[test]
    fn dropping_beside_other_threads_is_refused() {
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || wait.recv());
        assert!(matches!(drop_all(None, Keep::NetRaw), Err(PrivilegeError::Threads { count: 2.. })));
        drop(stop);
        assert!(other.join().expect("no panic").is_err());
    }
}
