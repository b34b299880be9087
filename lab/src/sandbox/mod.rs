//! Ground to stand on: this machine's loopback, or network namespaces of the laboratory's own.

pub mod capture;
pub mod netns;
pub mod relay;

use std::ffi::OsStr;
use std::process::Command;

/// Sets the signal that a process gets when its parent dies (util-linux): prctl(2) without unsafe code of ours.
const TETHER: [&str; 3] = ["setpriv", "--pdeathsig", "TERM"];

/// Where a program runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Host {
    /// In the namespace of this process.
    Here,
    /// In the network namespace of this name.
    Namespace(String),
}

impl Host {
    /// A command that runs there, and that the kernel ends when the thread that started it is gone, be it by
    /// SIGKILL. `ip netns exec` and `setpriv` replace themselves by the program, so that signals reach it.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        match self {
            Self::Here => {
                let mut command = Command::new(TETHER[0]);
                command.args(&TETHER[1..]).arg(program);
                command
            }
            Self::Namespace(name) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", name]).args(TETHER).arg(program);
                command
            }
        }
    }
}
