//! What models look like from the core: rows of features in, a verdict for each row out.

use super::class::Class;
use super::vote::Vote;
use crate::features::FeatureVector;
use crate::features::schema::Schema;

/// What a model says of one row.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Verdict {
    /// The class, or `None` where the model sees nothing hostile or abstains.
    pub class: Option<Class>,
    /// The model's own confidence in `class`, 0 to 1.
    pub confidence: f32,
    /// Whether this row alone is enough.
    pub is_sure: bool,
    /// Whether the model said nothing: the row is unlike all it was trained on, or could not be scored.
    pub abstains: bool,
}

impl Verdict {
    /// Nothing hostile.
    pub const NOTHING: Self = Self { class: None, confidence: 0.0, is_sure: false, abstains: false };
    /// No opinion.
    pub const ABSTAINED: Self = Self { abstains: true, ..Self::NOTHING };
}

/// What the engine has to know of a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Served {
    /// The rows it wants.
    pub schema: &'static Schema,
    /// How many rows of a host must agree.
    pub vote: Vote,
}

/// Trained models, each scored in batches. The rules are not scorers: they need no batch.
pub trait Scorer {
    /// The models, known by their places; those beyond [`MODELS`](crate::limits::MODELS) are not asked.
    fn models(&self) -> &[Served];

    /// Lets a model score `rows` of its schema into `verdicts` (same length). A row that cannot be scored gets
    /// [`Verdict::ABSTAINED`] and is counted by the implementation; scoring never fails as a whole.
    fn score(&mut self, model: usize, rows: &[FeatureVector], verdicts: &mut [Verdict]);

    /// Rows of which a model said nothing since it was loaded: no sound numbers, too far from what it was trained on,
    /// or failed.
    fn unscored(&self) -> u64 {
        0
    }
}

/// No model: the rules work alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoModel;

impl Scorer for NoModel {
    fn models(&self) -> &[Served] {
        &[]
    }

    fn score(&mut self, _model: usize, _rows: &[FeatureVector], _verdicts: &mut [Verdict]) {}
}
