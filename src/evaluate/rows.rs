//! What each model says of every row by itself, before votes and plausibility: the figures of a model card.

use super::matrix::Matrix;
use super::tally::truth;
use crate::detect::scorer::Verdict;
use crate::features::FeatureVector;
use crate::features::schema::Schema;
use crate::label::{BENIGN, LabelId, Labels};
use crate::limits::SCORE_BATCH;
use crate::model::OnnxScorer;

/// Models that are asked about rows, and what they said.
#[derive(Default)]
pub(super) struct Rows {
    models: Vec<Asked>,
}

/// A model, the rows of its schema that wait for it, and its matrix.
struct Asked {
    name: String,
    model: OnnxScorer,
    labels: Vec<LabelId>,
    vectors: Vec<FeatureVector>,
    matrix: Matrix,
}

impl Asked {
    fn score(&mut self, labels: &Labels) {
        let mut verdicts = vec![Verdict::default(); self.vectors.len()];
        self.model.score(&self.vectors, &mut verdicts);
        for (label, verdict) in self.labels.drain(..).zip(&verdicts) {
            let reported = verdict.class.map_or(BENIGN, |class| class.name());
            self.matrix.add(truth(labels, label), reported, 1);
        }
        self.vectors.clear();
    }
}

impl Rows {
    /// Of these models.
    pub(super) fn new(models: impl IntoIterator<Item = (String, OnnxScorer)>) -> Self {
        let asked = |(name, model)| Asked {
            name,
            model,
            labels: Vec::new(),
            vectors: Vec::new(),
            matrix: Matrix::default(),
        };
        Self { models: models.into_iter().map(asked).collect() }
    }

    /// A row of a schema, of that label.
    pub(super) fn row(&mut self, schema: &Schema, labels: &Labels, label: LabelId, vector: &FeatureVector) {
        for asked in self.models.iter_mut().filter(|asked| asked.model.info().schema.name == schema.name) {
            asked.labels.push(label);
            asked.vectors.push(*vector);
            if asked.vectors.len() >= SCORE_BATCH {
                asked.score(labels);
            }
        }
    }

    /// Has all that wait scored; labels of another file may come then.
    pub(super) fn finish(&mut self, labels: &Labels) {
        self.models.iter_mut().for_each(|asked| asked.score(labels));
    }

    /// The name of each model, what its rows are about, and its matrix.
    pub(super) fn into_matrices(self) -> Vec<(String, &'static str, Matrix)> {
        self.models
            .into_iter()
            .map(|asked| (asked.name, asked.model.info().schema.name, asked.matrix))
            .collect()
    }
}
