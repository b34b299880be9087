//! What a model looks like from the core: rows of features in, a verdict for each row out.

use super::class::Class;
use crate::features::FeatureVector;
use crate::features::schema::Schema;

/// What a model says of one row.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Verdict {
    /// The class, or `None` where the model sees nothing hostile or abstains.
    pub class: Option<Class>,
    /// The model's own confidence in `class`, 0 to 1.
    pub confidence: f32,
}

/// A trained model, scored in batches. The rules are not scorers: they need no batch.
pub trait Scorer {
    /// Which vectors it wants; `None` when there is no usable model, and nothing is to be scored.
    fn schema(&self) -> Option<&'static Schema>;

    /// Scores `rows` into `verdicts` (same length). A row that cannot be scored gets the default verdict
    /// and is counted by the implementation; scoring never fails as a whole.
    fn score(&mut self, rows: &[FeatureVector], verdicts: &mut [Verdict]);

    /// Rows of which it said nothing since it was loaded: not finite, too far from what it was trained on, or failed.
    fn unscored(&self) -> u64 {
        0
    }
}

/// No model: the rules work alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoModel;

impl Scorer for NoModel {
    fn schema(&self) -> Option<&'static Schema> {
        None
    }

    fn score(&mut self, _rows: &[FeatureVector], _verdicts: &mut [Verdict]) {}
}
