//! Several models at once, each with its own schema, vote and thresholds.

use std::path::{Path, PathBuf};

use super::error::LoadError;
use super::onnx::OnnxScorer;
use crate::detect::scorer::{Scorer, Served, Verdict};
use crate::features::FeatureVector;
use crate::limits::MODELS;

/// The models that are asked, known by their places: `0` is the first.
#[derive(Default)]
pub struct ModelSet {
    models: Vec<OnnxScorer>,
    served: Vec<Served>,
}

impl ModelSet {
    /// No model: the rules work alone.
    #[must_use]
    pub const fn empty() -> Self {
        Self { models: Vec::new(), served: Vec::new() }
    }

    /// Loads the models in these files. One that cannot be loaded does not stop the others.
    #[must_use]
    pub fn load(paths: &[PathBuf]) -> (Self, Vec<LoadError>) {
        let mut set = Self::empty();
        let mut errors = Vec::new();
        for path in paths {
            if let Err(error) = set.add(path) {
                errors.push(error);
            }
        }
        (set, errors)
    }

    /// Loads the model in the file at `path` and asks it, too.
    ///
    /// # Errors
    /// Why it is not served: the file, or that there are [`MODELS`] already or one of its name.
    pub fn add(&mut self, path: &Path) -> Result<(), LoadError> {
        let refuse = |fault| LoadError { path: path.to_owned(), fault: Box::new(fault) };
        if self.models.len() >= MODELS {
            return Err(refuse(super::Fault::TooMany));
        }
        let model = OnnxScorer::load(path)?;
        if self.models.iter().any(|other| other.info().name == model.info().name) {
            return Err(refuse(super::Fault::Twice(model.info().name.clone())));
        }
        self.push(model);
        Ok(())
    }

    fn push(&mut self, model: OnnxScorer) {
        self.served.push(model.served());
        self.models.push(model);
    }

    /// The models, in the order of their places.
    #[must_use]
    pub fn models(&self) -> &[OnnxScorer] {
        &self.models
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.models.is_empty()
    }

    /// `<name>@<version>` of each, in the order of their places.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        self.models.iter().map(|model| model.info().label()).collect()
    }
}

impl From<OnnxScorer> for ModelSet {
    fn from(model: OnnxScorer) -> Self {
        let mut set = Self::empty();
        set.push(model);
        set
    }
}

impl Scorer for ModelSet {
    fn models(&self) -> &[Served] {
        &self.served
    }

    fn score(&mut self, model: usize, rows: &[FeatureVector], verdicts: &mut [Verdict]) {
        match self.models.get_mut(model) {
            Some(model) => model.score(rows, verdicts),
            None => verdicts.fill(Verdict::ABSTAINED),
        }
    }

    fn unscored(&self) -> u64 {
        self.models.iter().map(|model| model.counts().unscored()).sum()
    }
}
