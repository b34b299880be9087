//! How good the detection is: labelled captures against what is reported of them.
//!
//! Each capture is read several times through the very engine that watches live: once for each detector (rules and models
//! together as they are configured, then each alone), which gives the incidents; and once more for the packets, flows
//! and rows, which are counted against labels and incidents. Nothing of the captures is kept but counts, the incidents
//! and the flows that go on, all of them bounded. `docs/evaluate.md` says what is counted as what.

mod cases;
mod detectors;
mod episode;
mod flows;
pub mod html;
mod incident;
mod matrix;
mod rate;
mod report;
mod rows;
mod svg;
mod tally;
pub mod text;

use std::path::PathBuf;

pub use cases::{Case, CaseError, find};
pub use episode::{GRACE, LATE};
pub use flows::FLOW_IDLE;
pub use incident::WINDOW;
pub use matrix::{ClassFigures, Matrix};
pub use rate::Rate;
pub use report::{MEASURES, Report};
pub use tally::MAX_SILENCE;

use crate::alert::Severity;
use crate::capture::{CaptureError, Event, FileOptions, FileSource, FrameSource as _, Notice};
use crate::detect::scorer::{NoModel, Scorer};
use crate::engine::{Engine, Settings, Sink};
use crate::memory::OwnedMemory;
use crate::model::LoadError;
use crate::time::Timestamp;
use detectors::Detectors;
use episode::{Found, Kind};
use incident::{Incident, Incidents, Spans};
use report::Builder;
use rows::Rows;
use tally::{AttackTime, Tally};

/// With what captures are evaluated.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How the engine behaves. Whether there are rules is said here, too.
    pub settings: Settings,
    /// The models to score with.
    pub models: Vec<PathBuf>,
    /// The mildest alert that counts as a report.
    pub least: Severity,
}

/// Who wants to know how far it is.
pub trait Watcher {
    /// A capture is going to be read, for the `pass`th time of `passes`.
    fn begin(&mut self, source: &FileSource, pass: usize, passes: usize);
    /// It was read up to here.
    fn position(&mut self, source: &FileSource);
    /// Something about it is worth telling.
    fn notice(&mut self, notice: &Notice);
    /// It was read to its end.
    fn end(&mut self);
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// A capture cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// A model cannot be served.
    #[error(transparent)]
    Model(#[from] LoadError),
}

/// Frames between two looks at the position in the file.
const LOOK_EVERY: u32 = 1 << 16;

/// Evaluates these captures, one after another, each with an engine that has seen nothing yet.
///
/// # Errors
/// A capture or the model cannot be read. What was counted up to then is lost: figures of a part of the captures would
/// be taken for those of all.
pub fn evaluate(cases: &[Case], setup: &Setup, watcher: &mut impl Watcher) -> Result<Report, EvaluateError> {
    let detectors = Detectors::new(setup)?;
    let mut builder = Builder::new(&detectors, setup.least);
    let mut rows = Rows::new(detectors.for_rows()?);
    let mut memory = OwnedMemory::new();
    let passes = detectors.len() + 1;
    for case in cases {
        let mut of_each = Vec::new();
        for place in 0..detectors.len() {
            let mut settings = setup.settings.clone();
            settings.rules = detectors.has_rules(place);
            let mut incidents = Incidents::default();
            let pass = Pass { case, number: place + 1, of: passes };
            let models = detectors.models(place)?;
            if models.is_empty() {
                pass.read(settings, &mut memory, NoModel, &mut incidents, watcher)?;
            } else {
                pass.read(settings, &mut memory, models, &mut incidents, watcher)?;
            }
            of_each.push(incidents);
        }
        let spans: Vec<Spans> = of_each.iter().map(|found| Spans::new(&found.list, setup.least)).collect();
        let labeller = case.labels.for_capture(&case.capture);
        let mut tally = Tally::new(&case.labels, labeller, &spans, &mut rows);
        let settings = Settings { rules: false, ..setup.settings.clone() };
        Pass { case, number: passes, of: passes }.read(
            settings,
            &mut memory,
            NoModel,
            &mut tally,
            watcher,
        )?;
        builder.capture(case, &of_each, &mut tally);
    }
    Ok(builder.finish(rows))
}

/// One reading of a capture.
struct Pass<'a> {
    case: &'a Case,
    number: usize,
    of: usize,
}

impl Pass<'_> {
    fn read<S: Scorer, K: Sink>(
        &self,
        settings: Settings,
        memory: &mut OwnedMemory,
        scorer: S,
        sink: &mut K,
        watcher: &mut impl Watcher,
    ) -> Result<(), CaptureError> {
        let mut source = FileSource::with(&self.case.capture, FileOptions::default())?;
        let mut engine = Engine::new(settings, memory.lend(), scorer);
        watcher.begin(&source, self.number, self.of);
        let mut until_look = LOOK_EVERY;
        loop {
            match source.next_frame()? {
                Event::Frame(frame) => engine.on_frame(&frame, sink),
                Event::Notice(notice) if self.number == 1 => watcher.notice(notice),
                Event::Idle(_) | Event::Notice(_) => {}
                Event::End => break,
            }
            until_look -= 1;
            if until_look == 0 {
                until_look = LOOK_EVERY;
                watcher.position(&source);
            }
        }
        engine.finish(sink);
        watcher.end();
        Ok(())
    }
}
