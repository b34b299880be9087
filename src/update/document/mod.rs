//! The documents of an update: what they hold, and that they hold nothing else.
//!
//! Unknown keys are refused everywhere: a document means to every version the same or nothing. Reading one checks
//! what can be checked by looking at it alone; who signed it and whether it is the newest is [`super::trust`]'s.

mod desired;
mod get;
mod manifest;
mod moment;
mod reported;
mod root;
mod timestamp;

pub use desired::{Desired, Policy, Transport, Window};
pub use get::{Get, MAX_BLOCK_BYTES, MIN_BLOCK_BYTES};
pub(in crate::update) use manifest::version;
pub use manifest::{Artifact, Compat, GoldenRow, MAX_GOLDEN_ROWS, Manifest, Probation, SelfTest};
pub use moment::Moment;
pub use reported::{Progress, Release, Reported, Shadow, State};
pub use root::{Role, RoleKeys, Roles, Root};
pub use timestamp::Timestamp;

use serde::de::DeserializeOwned;

use super::reason::{Reason, Refusal};

/// Largest integer in a document: every reader of JSON holds it exactly.
pub const MAX_NUMBER: u64 = 1 << 53;

/// Reads a document of at most `limit` octets.
///
/// # Errors
/// It is larger, or not of this form. What the sender wrote is not repeated.
pub fn read<T: DeserializeOwned>(what: &str, octets: &[u8], limit: usize) -> Result<T, Refusal> {
    if octets.len() > limit {
        let detail = format!("{what} has {} octets, at most {limit} are read", octets.len());
        return Err(Refusal::new(Reason::TooLarge, detail));
    }
    serde_json::from_slice(octets).map_err(|error| {
        let place = format!("{what}, line {} column {}", error.line(), error.column());
        Refusal::new(Reason::Malformed, format!("{place}: {}", kind(&error)))
    })
}

/// What is wrong with a text, without quoting it.
fn kind(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data => "a key or value that this document does not have",
        serde_json::error::Category::Eof => "it ends in the middle",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "not JSON",
    }
}

/// Whether `text` is one line of `1..=limit` printable characters without controls.
fn is_line(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Refuses a document that breaks a rule of its own.
fn rule(holds: bool, what: &str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(Refusal::new(Reason::Malformed, what)) }
}
