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

/// What is in a file, and of one with more than `limit` octets one more than that: enough to be refused for.
///
/// # Errors
/// It cannot be read.
pub(crate) fn read_at_most(path: &std::path::Path, limit: u64) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut octets = Vec::new();
    std::fs::File::open(path)?.take(limit + 1).read_to_end(&mut octets)?;
    Ok(octets)
}

/// Largest model that can be published, in octets: what the daemon loads at all.
pub const MAX_MODEL_BYTES: u64 = crate::model::MAX_FILE_BYTES as u64;
