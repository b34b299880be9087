//! What each model says of every row by itself, before votes and plausibility: the figures of a model card.

use super::matrix::Matrix;
use super::tally::truth;
use crate::detect::scorer::Verdict;
use crate::features::FeatureVector;
use crate::label::{BENIGN, LabelId, Labels};
use crate::limits::SCORE_BATCH;
use crate::model::OnnxScorer;

/// Models that are asked about rows, and what they said.
#[derive(Default)]
pub(super) struct Rows {
    models: Vec<Asked>,
    waiting: Vec<(LabelId, FeatureVector)>,
}

/// A model and its matrix.
struct Asked {
    name: String,
    model: OnnxScorer,
    matrix: Matrix,
}

impl Rows {
    /// Of these models.
    pub(super) fn new(models: impl IntoIterator<Item = (String, OnnxScorer)>) -> Self {
        let asked = |(name, model)| Asked { name, model, matrix: Matrix::default() };
        Self { models: models.into_iter().map(asked).collect(), waiting: Vec::new() }
    }

    /// A row of that label.
    pub(super) fn row(&mut self, labels: &Labels, label: LabelId, vector: &FeatureVector) {
        if self.models.is_empty() {
            return;
        }
        self.waiting.push((label, *vector));
        if self.waiting.len() >= SCORE_BATCH {
            self.finish(labels);
        }
    }

    /// Has all that wait scored; labels of another file may come then.
    pub(super) fn finish(&mut self, labels: &Labels) {
        let rows: Vec<FeatureVector> = self.waiting.iter().map(|(_, vector)| *vector).collect();
        let mut verdicts = vec![Verdict::default(); rows.len()];
        for asked in &mut self.models {
            asked.model.score(&rows, &mut verdicts);
            for ((label, _), verdict) in self.waiting.iter().zip(&verdicts) {
                let reported = verdict.class.map_or(BENIGN, |class| class.name());
                asked.matrix.add(truth(labels, *label), reported, 1);
            }
        }
        self.waiting.clear();
    }

    /// The name of each model and its matrix.
    pub(super) fn into_matrices(self) -> Vec<(String, Matrix)> {
        self.models.into_iter().map(|asked| (asked.name, asked.matrix)).collect()
    }
}
