//! The course of an update: events in, actions out, time an argument.
//!
//! ```text
//! idle -> downloading -> self-test -> shadow -> probation -> committed
//!   any fault: failed, put off, or rolled back; the old model was in use all the time or is again
//! ```
//!
//! [`Updater`] decides; the only effects of its own are the file operations of its [`Store`]. Who runs it carries the
//! [`Action`]s out and brings back what came of them.

mod download;
mod fetching;
mod updater;
mod verdict;

pub use download::{BLOCK_BYTES, Download};
pub use updater::{Action, At, Event, Updater};
pub use verdict::Probe;

#[cfg(test)]
mod tests;
