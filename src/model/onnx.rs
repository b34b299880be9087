//! The scorer: rows in, verdicts out, through tract.

use std::fs::{self, File};
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use prost::Message as _;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::{Tensor, TractResult, TypedSimpleState, tvec};
use tract_onnx::tract_core::internal::TractErrorContext as _;

use super::chain::{Chain, Step};
use super::error::{Fault, LoadError};
use super::info::ModelInfo;
use super::metadata::Metadata;
use super::{MAX_FILE_BYTES, build, validate, wire};
use crate::detect::scorer::{Scorer, Verdict};
use crate::features::FeatureVector;
use crate::features::schema::Schema;
use crate::limits::SCORE_BATCH;

/// What became of the rows, counted since the model was loaded.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ScoreCounts {
    /// Rows that came in.
    pub rows: u64,
    /// Of these, rows with a NaN or infinite value; not scored.
    pub not_finite: u64,
    /// Of these, rows too far from the training data; not scored.
    pub novel: u64,
    /// Of these, rows of a batch that tract could not score.
    pub failed: u64,
}

/// A loaded model.
pub struct OnnxScorer {
    info: ModelInfo,
    metadata: Metadata,
    plan: build::Plan,
    state: TypedSimpleState,
    counts: ScoreCounts,
}

impl OnnxScorer {
    /// Loads the model in the file at `path`.
    ///
    /// # Errors
    ///
    /// Why it is not served, with path, place and remedy.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        read(path)
            .and_then(|bytes| Self::from_bytes(&bytes))
            .map_err(|fault| LoadError { path: path.to_owned(), fault: Box::new(fault) })
    }

    /// Loads the model with these octets.
    ///
    /// # Errors
    ///
    /// Why it is not served.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let (metadata, chain) = inspect(bytes)?;
        let (plan, state) = guarded(|| {
            let plan = build::plan(&chain)?;
            let state = plan.spawn()?;
            Ok((plan, state))
        })
        .map_err(|failure| match failure {
            Failure::Error(text) => Fault::Build(text),
            Failure::Panic => Fault::Panicked,
        })?;
        let info = ModelInfo::new(&metadata, bytes, weights(&chain));
        Ok(Self { info, metadata, plan, state, counts: ScoreCounts::default() })
    }

    /// What the model says of itself.
    #[must_use]
    pub const fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// What became of the rows so far.
    #[must_use]
    pub const fn counts(&self) -> ScoreCounts {
        self.counts
    }

    /// The logits of `rows` rows, whose values, all finite, stand one after another: for each row `benign` first, then
    /// the classes of [`ModelInfo::reported`].
    fn logits(&mut self, values: &[f32], rows: usize) -> Option<Vec<f32>> {
        let width = self.metadata.schema.width();
        let state = &mut self.state;
        let outcome = guarded(|| {
            let input = Tensor::from_shape(&[rows, width], values)?;
            let output = state.run(tvec!(input.into()))?;
            let logits = output.first().context("the plan has one output")?;
            Ok(logits.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
        });
        let fits = |logits: &Vec<f32>| {
            logits.len() == rows * self.metadata.classes() && logits.iter().all(|logit| logit.is_finite())
        };
        let logits = outcome.ok().filter(fits);
        if logits.is_none()
            && let Ok(fresh) = guarded(|| self.plan.spawn())
        {
            // The old state failed half way and may hold anything.
            self.state = fresh;
        }
        logits
    }

    /// The probabilities of one row, or `None` when it is not finite or tract fails. For the self-test and
    /// for diagnosis; [`Scorer::score`] is the way to score many.
    pub fn explain(&mut self, row: &FeatureVector) -> Option<Vec<f32>> {
        let values = row.row(self.metadata.schema.width());
        let finite = values.iter().all(|value| value.is_finite());
        let mut probabilities = finite.then(|| self.logits(values, 1)).flatten()?;
        build::softmax(&mut probabilities);
        Some(probabilities)
    }

    /// The most probable hostile class, when it reaches its threshold. Makes probabilities of the logits.
    fn verdict(&self, logits: &mut [f32]) -> Verdict {
        // Where benign is ahead every other class has at most one half: the usual case, and cheap to see.
        let benign_leads =
            logits.split_first().is_some_and(|(benign, hostile)| hostile.iter().all(|h| h <= benign));
        if benign_leads && self.metadata.reported.iter().all(|reported| reported.threshold > 0.5) {
            return Verdict::default();
        }
        build::softmax(logits);
        let probabilities = &*logits;
        let hostile = probabilities.iter().skip(1).zip(&self.metadata.reported);
        hostile
            .filter(|(probability, reported)| **probability >= reported.threshold)
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(probability, reported)| Verdict { class: Some(reported.class), confidence: *probability })
            .unwrap_or_default()
    }

    /// Scores at most [`SCORE_BATCH`] rows.
    fn score_batch(&mut self, rows: &[FeatureVector], verdicts: &mut [Verdict]) {
        let width = self.metadata.schema.width();
        let mut fit = Vec::with_capacity(rows.len() * width);
        let mut places = Vec::with_capacity(rows.len());
        for (place, row) in rows.iter().enumerate() {
            let values = row.row(width);
            if !values.iter().all(|value| value.is_finite()) {
                self.counts.not_finite += 1;
            } else if self.metadata.novelty.as_ref().is_some_and(|novelty| novelty.is_novel(values)) {
                self.counts.novel += 1;
            } else {
                fit.extend_from_slice(values);
                places.push(place);
            }
        }
        if places.is_empty() {
            return;
        }
        let Some(mut logits) = self.logits(&fit, places.len()) else {
            self.counts.failed += places.len() as u64;
            return;
        };
        for (place, row) in places.into_iter().zip(logits.chunks_exact_mut(self.metadata.classes())) {
            let verdict = self.verdict(row);
            if let Some(slot) = verdicts.get_mut(place) {
                *slot = verdict;
            }
        }
    }
}

impl Scorer for OnnxScorer {
    fn schema(&self) -> Option<&'static Schema> {
        Some(self.metadata.schema)
    }

    fn unscored(&self) -> u64 {
        self.counts.not_finite + self.counts.novel + self.counts.failed
    }

    fn score(&mut self, rows: &[FeatureVector], verdicts: &mut [Verdict]) {
        verdicts.fill(Verdict::default());
        self.counts.rows += rows.len() as u64;
        for (rows, verdicts) in rows.chunks(SCORE_BATCH).zip(verdicts.chunks_mut(SCORE_BATCH)) {
            self.score_batch(rows, verdicts);
        }
    }
}

/// Reads a regular file of at most [`MAX_FILE_BYTES`].
fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    const LIMIT: u64 = MAX_FILE_BYTES as u64;
    // Asked before opening: to open a pipe would wait for its other end.
    if !fs::metadata(path)?.is_file() {
        return Err(Fault::NotAFile);
    }
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    if size > LIMIT {
        return Err(Fault::TooLarge(size));
    }
    let mut bytes = Vec::new();
    // The file may have grown since.
    file.take(LIMIT + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Checks a model's encoding, metadata and graph without building anything.
///
/// # Errors
///
/// Why it would not be served.
pub fn inspect(bytes: &[u8]) -> Result<(Metadata, Chain), Fault> {
    if bytes.is_empty() {
        return Err(Fault::Empty);
    }
    if bytes.len() > MAX_FILE_BYTES {
        return Err(Fault::TooLarge(bytes.len() as u64));
    }
    wire::check(bytes)?;
    let model = ModelProto::decode(bytes).map_err(|error| Fault::Decode(error.to_string()))?;
    let metadata = Metadata::read(&model.metadata_props)?;
    let chain = validate::chain(&model, metadata.schema.width(), metadata.classes())?;
    Ok((metadata, chain))
}

fn weights(chain: &Chain) -> usize {
    let layers = chain.steps.iter().filter_map(|step| match step {
        Step::Layer(layer) => Some(layer.weights.len()),
        _ => None,
    });
    layers.sum()
}

/// How tract can fail.
enum Failure {
    Error(String),
    Panic,
}

/// Runs a call into tract so that its errors and its panics come out the same way. What the closure left half
/// done is thrown away by the callers.
fn guarded<T>(call: impl FnOnce() -> TractResult<T>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure::Error(format!("{error:#}"))),
        Err(_) => Err(Failure::Panic),
    }
}
