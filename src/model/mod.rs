//! Loads ONNX models: validates, builds with tract, scores in batches.
//!
//! A model file is foreign input: it may come over the network and it may be hostile. Its way is
//!
//! 1. [`onnx::OnnxScorer::load`] reads at most [`MAX_FILE_BYTES`] of a regular file;
//! 2. [`wire`] walks the protobuf encoding and lets only the fields through that a model needs, so that the
//!    decoder can allocate no more than a small multiple of the file;
//! 3. [`metadata`] reads name, version, classes, thresholds and the schema hash, and refuses a model that was
//!    trained on other columns;
//! 4. [`validate`] turns the graph into a [`chain::Chain`]: twelve operators, each with known shapes, types
//!    and value ranges. What it does not know, it refuses;
//! 5. [`build`] makes tract's plan from the chain, by tract's own typed operators. tract's ONNX importer, its
//!    shape inference and its 150 other operators are never called, and so never linked;
//! 6. [`onnx::OnnxScorer`] scores rows, each independent of the others of its batch.
//!
//! Building and every inference also run under `catch_unwind`.

pub mod build;
pub mod chain;
pub mod error;
pub mod golden;
pub mod info;
pub mod metadata;
pub mod onnx;
mod tensor;
pub mod validate;
pub mod wire;

pub use error::{Fault, LoadError};
pub use info::ModelInfo;
pub use onnx::OnnxScorer;

/// Largest model file that is read, in octets.
///
/// The default model has some 5 KiB. 1 MiB leaves room for hidden layers of 512 by 1024 weights, and bounds
/// what a hostile file can cost: its octets a few times over, and [`wire::MAX_FIELDS`] decoded fields.
pub const MAX_FILE_BYTES: usize = 1 << 20;
