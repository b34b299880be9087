//! Golden vectors: rows with the probabilities that the reference runtime gave them when the model was exported.
//!
//! They show that tract computes on this machine what was measured in training.

use std::fmt;
use std::path::Path;

use serde::Deserialize;

use super::onnx::OnnxScorer;
use crate::features::FeatureVector;
use crate::limits::MAX_FEATURES;

/// A set of golden vectors, as JSON in `models/golden/`.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// `<name>@<version>` of the model.
    pub model: String,
    /// The schema's hash.
    pub schema_hash: String,
    /// Greatest accepted difference of a probability.
    pub tolerance: f32,
    /// The vectors.
    pub rows: Vec<GoldenRow>,
}

/// One golden vector.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenRow {
    /// The columns, in the order of the schema.
    pub x: Vec<f32>,
    /// The probabilities, `benign` first; of an anomaly model its score.
    pub probs: Vec<f32>,
}

/// Why golden vectors could not be confirmed.
#[derive(Debug, thiserror::Error)]
pub enum GoldenFault {
    /// The file cannot be read.
    #[error("golden vectors cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// The file is no JSON of this form.
    #[error("golden vectors: {0}")]
    Form(#[from] serde_json::Error),
    /// They belong to another model or schema.
    #[error("golden vectors are for {wanted}, the model is {found}")]
    Model {
        /// What the vectors are for.
        wanted: String,
        /// What is loaded.
        found: String,
    },
    /// A row has the wrong number of columns or probabilities, or there is none.
    #[error("golden vectors: row {0} does not fit the model")]
    Shape(usize),
    /// tract failed at a row.
    #[error("golden vectors: row {0} could not be scored")]
    Unscored(usize),
    /// A probability differs by more than the tolerance.
    #[error("golden vectors: row {row}, column {column}: {found} instead of {wanted}")]
    Differs {
        /// Index of the row.
        row: usize,
        /// Index of the class.
        column: usize,
        /// The reference.
        wanted: f32,
        /// What tract computed.
        found: f32,
    },
}

/// That the self-test passed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Confirmed {
    /// How many rows were compared.
    pub rows: usize,
    /// Greatest difference of a probability.
    pub greatest_difference: f32,
}

impl fmt::Display for Confirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} golden vectors confirmed, greatest difference {:.1e}",
            self.rows, self.greatest_difference
        )
    }
}

impl Golden {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// When it cannot be read or has another form.
    pub fn load(path: &Path) -> Result<Self, GoldenFault> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }
}

/// Compares what `scorer` computes with `golden`.
///
/// # Errors
///
/// The first difference, or why nothing could be compared.
pub fn self_test(scorer: &mut OnnxScorer, golden: &Golden) -> Result<Confirmed, GoldenFault> {
    let info = scorer.info();
    let found = format!("{}@{} ({})", info.name, info.version, info.schema.hash());
    let wanted = format!("{} ({})", golden.model, golden.schema_hash);
    if found != wanted {
        return Err(GoldenFault::Model { wanted, found });
    }
    let (width, columns) = (info.schema.width(), scorer.columns());
    if golden.rows.is_empty() {
        return Err(GoldenFault::Shape(0));
    }
    let mut greatest_difference = 0f32;
    for (index, row) in golden.rows.iter().enumerate() {
        if row.x.len() != width || width > MAX_FEATURES || row.probs.len() != columns {
            return Err(GoldenFault::Shape(index));
        }
        let mut vector = FeatureVector::ZERO;
        for (value, x) in vector.values.iter_mut().zip(&row.x) {
            *value = *x;
        }
        let probabilities = scorer.explain(&vector).ok_or(GoldenFault::Unscored(index))?;
        for (column, (&found, &wanted)) in probabilities.iter().zip(&row.probs).enumerate() {
            let difference = (found - wanted).abs();
            // `max` would pass over the NaN of a broken reference.
            if difference.is_nan() || difference > golden.tolerance {
                return Err(GoldenFault::Differs { row: index, column, wanted, found });
            }
            greatest_difference = greatest_difference.max(difference);
        }
    }
    Ok(Confirmed { rows: golden.rows.len(), greatest_difference })
}
