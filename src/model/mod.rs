//! Loads ONNX models: validates, builds with tract, scores in batches.
//!
//! A model file is foreign input: it may come over the network and it may be hostile. Its way is
//!
//! 1. [`onnx::OnnxScorer::load`] reads at most [`MAX_FILE_BYTES`] of a regular file;
//! 2. [`wire`] walks the protobuf encoding and lets only the fields through that a model needs, so that the
//!    decoder can allocate no more than a small multiple of the file;
//! 3. [`metadata`] reads name, version, classes, thresholds and the schema hash, and refuses a model that was
//!    trained on other columns;
//! 4. [`validate`] turns the graph into a [`chain::Chain`]: seventeen operators, each with known shapes, types
//!    and value ranges. What it does not know, it refuses. Decision trees become checked [`trees::Trees`];
//! 5. [`build`] makes tract's plan from the chain, by tract's own typed operators and [`ops`]. tract's ONNX importer,
//!    its shape inference and its 150 other operators are never called, and [`proto`] keeps them from being linked;
//! 6. [`onnx::OnnxScorer`] scores rows, each independent of the others of its batch, and says nothing of rows that
//!    are unlike all it was trained on ([`novelty`]);
//! 7. [`set::ModelSet`] asks several models, [`live::LiveModels`] lets one of them be replaced while it runs.
//!
//! `docs/models.md` says what a file must be.
//!
//! Building and every inference also run under `catch_unwind`.

pub mod build;
pub mod chain;
pub mod error;
pub mod golden;
pub mod info;
#[cfg(test)]
mod kinds;
pub mod live;
pub mod metadata;
pub mod novelty;
pub mod onnx;
mod ops;
mod prepare;
pub mod proto;
pub mod set;
mod tensor;
pub mod trees;
pub mod validate;
pub mod wire;

pub use error::{Fault, LoadError};
pub use info::ModelInfo;
pub(crate) use live::processor_us;
pub use live::{Desk, LiveModels, Order, Readings};
pub use onnx::OnnxScorer;
pub use set::ModelSet;

/// Largest model file that is read, in octets.
///
/// The default model has some 5 KiB. 4 MiB leave room for [`trees::MAX_NODES`] nodes, which have some 30 octets each in the
/// file, and bound what a hostile file can cost while it is loaded: its octets twice over, and [`wire::MAX_WORDS`].
pub const MAX_FILE_BYTES: usize = 4 << 20;
