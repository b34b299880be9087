//! Ground to stand on: this machine's loopback, or network namespaces of the laboratory's own.

pub mod capture;
pub mod netns;

use std::ffi::OsStr;
use std::process::Command;

/// Where a program runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Host {
    /// In the namespace of this process.
    Here,
    /// In the network namespace of this name.
    Namespace(String),
}

impl Host {
    /// A command that runs there. `ip netns exec` replaces itself by the program, so that signals reach it.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        match self {
            Self::Here => Command::new(program),
            Self::Namespace(name) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", name]).arg(program);
                command
            }
        }
    }
}
