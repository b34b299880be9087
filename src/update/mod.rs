//! Remote update of the model: from an operator's signature to the model in use.
//!
//! Nothing that comes over the network is believed. [`trust`] says what is signed by whom, and is the only way to
//! a [`document::Manifest`] that the rest works with. Every refusal has a [`reason::Reason`] of its own.

pub mod bundle;
pub mod compat;
pub mod digest;
pub mod document;
#[cfg(feature = "tls")]
pub mod http;
pub mod keyfile;
pub mod machine;
pub mod mailbox;
pub mod reason;
pub mod selftest;
pub mod signing;
pub mod slots;
pub mod trust;

/// Largest model that can be published, in octets: what the daemon loads at all.
pub const MAX_MODEL_BYTES: u64 = crate::model::MAX_FILE_BYTES as u64;
