//! The device's store: two slots for models, and a state that says which of them runs.
//!
//! Everything is written so that the power may fail between any two operations: a file is complete and fsynced
//! before a name points to it, and one atomic write of the state decides what runs. `simulation` tries every point.
//!
//! | file | what it is |
//! |---|---|
//! | `A`, `B` | a release each, as a [`Bundle`](super::bundle::Bundle) |
//! | `state.json`, `state.bak` | the state, twice, each with its digest in front |
//! | `part`, `transfer` | a release that is being fetched, and which blocks of it are on the disk |
//! | `new` | a file that is being written |

mod files;
mod state;
mod store;
mod transfer;

pub use files::{Files, Folder};
pub use state::{Place, Slot, State};
pub use store::{Fault, Opened, Running, Store};
pub use transfer::{Blocks, Fetching};

#[cfg(test)]
pub(in crate::update) mod disk;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
