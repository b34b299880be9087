//! The scorer: rows in, verdicts out, through tract.

use std::fs::{self, File};
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::proto::ModelProto;
use prost::Message as _;
use tract_core::internal::TractErrorContext as _;
use tract_core::prelude::{Tensor, TractResult, TypedSimpleState, tvec};

use super::chain::{Chain, Finish};
use super::error::{Fault, LoadError};
use super::info::ModelInfo;
use super::metadata::{Kind, Metadata, Reported};
use super::novelty::is_sound;
use super::{MAX_FILE_BYTES, build, validate, wire};
use crate::detect::scorer::{Served, Verdict};
use crate::features::FeatureVector;
use crate::limits::SCORE_BATCH;

/// What became of the rows, counted since the model was loaded.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ScoreCounts {
    /// Rows that came in.
    pub rows: u64,
    /// Of these, rows with a value that no counter gives; not scored.
    pub unsound: u64,
    /// Of these, rows too far from the training data; not scored.
    pub novel: u64,
    /// Of these, rows of a batch that tract could not score.
    pub failed: u64,
}

impl ScoreCounts {
    /// Rows of which the model said nothing.
    #[must_use]
    pub const fn unscored(&self) -> u64 {
        self.unsound + self.novel + self.failed
    }
}

/// A loaded model.
pub struct OnnxScorer {
    info: ModelInfo,
    metadata: Metadata,
    finish: Finish,
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
        let info = ModelInfo::new(&metadata, bytes, chain.size());
        Ok(Self { info, metadata, finish: chain.finish, plan, state, counts: ScoreCounts::default() })
    }

    /// What the model says of itself.
    #[must_use]
    pub const fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Columns of the output.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.metadata.columns()
    }

    /// What became of the rows so far.
    #[must_use]
    pub const fn counts(&self) -> ScoreCounts {
        self.counts
    }

    /// What the engine has to know.
    #[must_use]
    pub const fn served(&self) -> Served {
        Served { schema: self.metadata.schema, vote: self.metadata.vote }
    }

    /// What tract makes of `rows` rows, whose values stand one after another: [`Metadata::columns`] numbers for each row.
    fn outputs(&mut self, values: &[f32], rows: usize) -> Option<Vec<f32>> {
        let width = self.metadata.schema.width();
        let state = &mut self.state;
        let outcome = guarded(|| {
            let input = Tensor::from_shape(&[rows, width], values)?;
            let output = state.run(tvec!(input.into()))?;
            let outputs = output.first().context("the plan has one output")?;
            Ok(outputs.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
        });
        let fits = |outputs: &Vec<f32>| {
            outputs.len() == rows * self.metadata.columns() && outputs.iter().all(|output| output.is_finite())
        };
        let outputs = outcome.ok().filter(fits);
        if outputs.is_none()
            && let Ok(fresh) = guarded(|| self.plan.spawn())
        {
            // The old state failed half way and may hold anything.
            self.state = fresh;
        }
        outputs
    }

    /// The probabilities, or the score, of one row; `None` when a value is not finite or tract fails. For the self-test and
    /// for diagnosis, also of rows that are not judged; [`OnnxScorer::score`] is the way to score many.
    pub fn explain(&mut self, row: &FeatureVector) -> Option<Vec<f32>> {
        let values = row.row(self.metadata.schema.width());
        let finite = values.iter().all(|value| value.is_finite());
        let mut outputs = finite.then(|| self.outputs(values, 1)).flatten()?;
        self.finish.apply(&mut outputs);
        Some(outputs)
    }

    /// What the outputs of one row say. Finishes them.
    fn verdict(&self, outputs: &mut [f32]) -> Verdict {
        match self.metadata.kind {
            Kind::Classifier => self.class_of(outputs),
            Kind::Anomaly => {
                self.finish.apply(outputs);
                let score = outputs.first().copied().unwrap_or(f32::NAN);
                let strange = self.metadata.reported.first().filter(|reported| score >= reported.threshold);
                strange.map_or(Verdict::NOTHING, |reported| Verdict {
                    confidence: 1.0 - reported.threshold / (2.0 * score),
                    ..verdict_of(reported, score)
                })
            }
        }
    }

    /// The most probable hostile class, when it reaches its threshold.
    fn class_of(&self, outputs: &mut [f32]) -> Verdict {
        // Where benign is ahead every other class has at most one half: the usual case, and cheap to see.
        let benign_leads =
            outputs.split_first().is_some_and(|(benign, hostile)| hostile.iter().all(|h| h <= benign));
        if benign_leads && self.metadata.reported.iter().all(|reported| reported.threshold > 0.5) {
            return Verdict::NOTHING;
        }
        self.finish.apply(outputs);
        let hostile = outputs.iter().skip(1).zip(&self.metadata.reported);
        hostile
            .filter(|(probability, reported)| **probability >= reported.threshold)
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map_or(Verdict::NOTHING, |(probability, reported)| Verdict {
                // A sum over trees may end a rounding above one.
                confidence: probability.min(1.0),
                ..verdict_of(reported, *probability)
            })
    }

    /// Scores `rows` into `verdicts` (same length), at most [`SCORE_BATCH`] at a time. A verdict does not depend on the
    /// other rows.
    pub fn score(&mut self, rows: &[FeatureVector], verdicts: &mut [Verdict]) {
        verdicts.fill(Verdict::ABSTAINED);
        self.counts.rows += rows.len() as u64;
        for (rows, verdicts) in rows.chunks(SCORE_BATCH).zip(verdicts.chunks_mut(SCORE_BATCH)) {
            self.score_batch(rows, verdicts);
        }
    }

    fn score_batch(&mut self, rows: &[FeatureVector], verdicts: &mut [Verdict]) {
        let width = self.metadata.schema.width();
        let mut fit = Vec::with_capacity(rows.len() * width);
        let mut places = Vec::with_capacity(rows.len());
        for (place, row) in rows.iter().enumerate() {
            let values = row.row(width);
            if !values.iter().copied().all(is_sound) {
                self.counts.unsound += 1;
            } else if self.metadata.novelty.is_novel(values) {
                self.counts.novel += 1;
            } else {
                fit.extend_from_slice(values);
                places.push(place);
            }
        }
        if places.is_empty() {
            return;
        }
        let Some(mut outputs) = self.outputs(&fit, places.len()) else {
            self.counts.failed += places.len() as u64;
            return;
        };
        for (place, row) in places.into_iter().zip(outputs.chunks_exact_mut(self.metadata.columns())) {
            let verdict = self.verdict(row);
            if let Some(slot) = verdicts.get_mut(place) {
                *slot = verdict;
            }
        }
    }
}

/// That `output` reached the threshold of this class.
fn verdict_of(reported: &Reported, output: f32) -> Verdict {
    Verdict {
        class: Some(reported.class),
        confidence: output,
        is_sure: output >= reported.sure,
        abstains: false,
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
    let chain = validate::chain(&model, metadata.schema.width(), metadata.kind, metadata.columns())?;
    Ok((metadata, chain))
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
