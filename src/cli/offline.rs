//! Drives captures through an engine, with a progress bar where there is a terminal.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::capture::{CaptureError, Event, FileSource, FrameSource as _};
use crate::detect::scorer::Scorer;
use crate::engine::{Engine, Sink};
use crate::error::ExitError;

/// Frames between two looks at the position in the file.
const PROGRESS_EVERY: u32 = 1 << 16;

/// Feeds what passes the BPF expression `filter`, of every file in turn, to the engine and finishes it. Every whole packet of a truncated capture is taken in
/// before the error is given.
pub(super) fn drive<S: Scorer, K: Sink>(
    files: &[PathBuf],
    filter: Option<&str>,
    engine: &mut Engine<'_, S>,
    sink: &mut K,
) -> Result<(), ExitError> {
    let outcome = files.iter().try_for_each(|file| drive_one(file, filter, engine, sink));
    engine.finish(sink);
    outcome.map_err(Into::into)
}

fn drive_one<S: Scorer, K: Sink>(
    file: &Path,
    filter: Option<&str>,
    engine: &mut Engine<'_, S>,
    sink: &mut K,
) -> Result<(), CaptureError> {
    let mut source = FileSource::open(file, filter)?;
    let bar = progress_bar(&source, file);
    let mut until_look = PROGRESS_EVERY;
    loop {
        match source.next_frame()? {
            Event::Frame(frame) => engine.on_frame(&frame, sink),
            Event::Idle(_) => {}
            Event::End => break,
        }
        until_look -= 1;
        if until_look == 0 {
            until_look = PROGRESS_EVERY;
            if let (Some(bar), Some(position)) = (&bar, source.position_bytes()) {
                bar.set_position(position);
            }
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    Ok(())
}

fn progress_bar(source: &FileSource, file: &Path) -> Option<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let total = source.total_bytes()?;
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:40}] {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    bar.set_message(file.display().to_string());
    bar.enable_steady_tick(Duration::from_millis(200));
    Some(bar)
}

impl From<CaptureError> for ExitError {
    fn from(error: CaptureError) -> Self {
        Self::new(error.exit_code(), error.to_string())
    }
}
