//! Who may say what the model is.
//!
//! Documents come in [`Envelope`]s (DSSE): the exact octets that were signed, and the signatures over them and over
//! their type. [`verify`] counts signatures of the role's keys. [`Trust`] holds what a device knows, the root above
//! all, and [`Trust::examine`] is the one way from a message to an [`Offer`] that may be installed.

mod chain;
mod envelope;
mod key;
mod offer;
mod verify;

pub use chain::{SignedRoot, follow};
pub use envelope::{Envelope, Kind, Signature};
pub use key::{PublicKey, WeakKey};
pub use offer::{Clock, Examined, Installed, Offer, Seen, Trust};
pub use verify::verify;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
