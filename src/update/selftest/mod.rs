//! The self-test of a fetched model, in a process of its own: whatever the model does there, the daemon goes on.
//!
//! ```text
//! daemon  --"A"-->  helper  --starts-->  child: limits, cage, load, golden vectors, time, memory
//!         <-line--          <--line----
//! ```
//!
//! Three processes, because each can do what the next may not. The daemon has locked itself in before it hears its first
//! message and can start no program any more. The [`helper`] is started before that. It can do one thing: start this
//! program as the [`child`] for slot A or B, wait for it, and say how it ended. It never reads a model, so nothing
//! hostile reaches it. The child reads one, and by then has given up everything: it can open no file and start nothing, and the
//! kernel ends it at its limits of memory and time.
//!
//! A fork without a program behind it would save the helper, but is nothing that safe Rust has; and a child forked from a
//! daemon with threads would carry the daemon's memory, with it its secrets, next to the hostile model.
//!
//! Parent and child are tied: the kernel kills each when the one before it dies, and each is waited for.

pub mod child;
pub mod helper;
mod tester;
mod trial;

pub use tester::Tester;
pub use trial::try_model;

use serde::{Deserialize, Serialize};

use super::reason::{Reason, Refusal};

/// Octets of an answer at most.
const MAX_ANSWER: usize = 1 << 10;

/// What is narrower here than in the manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Time for one row, in microseconds at the 99th percentile.
    pub max_row_us: u64,
    /// Memory, in KiB.
    pub max_memory_kib: u64,
}

/// How a self-test ended, as one line of JSON.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    /// None when it passed.
    reason: Option<Reason>,
    detail: String,
}

impl Answer {
    fn of(outcome: &Result<String, Refusal>) -> Self {
        match outcome {
            Ok(detail) => Self { reason: None, detail: short(detail) },
            Err(refusal) => Self { reason: Some(refusal.reason), detail: short(&refusal.detail) },
        }
    }

    fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }

    /// The answer in the first line of `octets`.
    fn read(octets: &[u8]) -> Option<Self> {
        let line = octets.split(|octet| *octet == b'\n').next()?;
        serde_json::from_slice(line).ok()
    }

    fn outcome(self) -> Result<String, Refusal> {
        match self.reason {
            None => Ok(self.detail),
            Some(reason) => Err(Refusal::new(reason, self.detail)),
        }
    }
}

/// At most so much that the answer keeps its size.
fn short(detail: &str) -> String {
    detail.chars().filter(|c| !c.is_control()).take(160).collect()
}
