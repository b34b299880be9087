//! Drives captures through an engine, with a progress bar where there is a terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::args::Captures;
use crate::capture::{
    CaptureError, Event, FileCounters, FileOptions, FileSource, FrameSource, Notice, WatchSource,
};
use crate::detect::scorer::Scorer;
use crate::engine::{Engine, Sink};
use crate::error::{ExitError, sysexits};
use crate::frame::Frame;

/// Frames between two looks at the position in the file.
const PROGRESS_EVERY: u32 = 1 << 16;

/// Takes what the engine finds and prints it.
pub(super) trait Output: Sink {
    /// No packet has come for a while: whoever waits for what was found should get it.
    fn flush(&mut self) {}
}

/// Takes the frames of captures.
pub(super) trait Consumer {
    /// The frames to come are of this capture.
    fn begin(&mut self, _capture: &Path) {}

    /// The next frame; whether more are wanted.
    fn frame(&mut self, frame: &Frame<'_>) -> bool;

    /// No frame has come for a while.
    fn idle(&mut self) {}
}

/// An engine with its output.
struct Through<'a, 'm, S, K> {
    engine: &'a mut Engine<'m, S>,
    sink: &'a mut K,
}

impl<S: Scorer, K: Output> Consumer for Through<'_, '_, S, K> {
    #[inline]
    fn frame(&mut self, frame: &Frame<'_>) -> bool {
        self.engine.on_frame(frame, self.sink);
        true
    }

    fn idle(&mut self) {
        self.sink.flush();
    }
}

/// Feeds the captures in turn to the engine and finishes it. Every whole packet of a damaged capture is taken in
/// before the error is given; what is no error is told on stderr. Gives what was read, too.
pub(super) fn drive<S: Scorer, K: Output>(
    captures: &Captures,
    engine: &mut Engine<'_, S>,
    sink: &mut K,
) -> (FileCounters, Result<(), ExitError>) {
    let outcome = feed(captures, &mut Through { engine: &mut *engine, sink: &mut *sink });
    engine.finish(sink);
    outcome
}

/// Feeds the captures in turn to a consumer; as [`drive`], but nothing is finished.
pub(super) fn feed(
    captures: &Captures,
    consumer: &mut impl Consumer,
) -> (FileCounters, Result<(), ExitError>) {
    let mut read = FileCounters::default();
    let outcome = options(captures).and_then(|options| match &captures.watch {
        Some(folder) => {
            let mut source = WatchSource::open(folder, options).map_err(refused)?;
            consumer.begin(folder);
            let outcome = pump(&mut source, consumer, |_| {});
            read = source.counters();
            outcome
        }
        None => captures.files.iter().try_for_each(|file| {
            let mut source = FileSource::with(file, options.clone()).map_err(refused)?;
            let bar = progress_bar(&source, file);
            consumer.begin(file);
            let outcome = pump(&mut source, consumer, |source| {
                if let (Some(bar), Some(position)) = (&bar, source.position_bytes()) {
                    bar.set_position(position);
                }
            });
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
            read = read.plus(source.counters());
            outcome
        }),
    });
    (read, outcome)
}

/// How the captures are to be read. What has no end of its own ends by a signal.
fn options(captures: &Captures) -> Result<FileOptions, ExitError> {
    let name = |file: &Path| file.to_str().map(str::to_owned).unwrap_or_default();
    if captures.follow {
        let usage = |what: &str| Err(ExitError::new(sysexits::USAGE, format!("--follow: {what}")));
        match &captures.files[..] {
            [file] if file.as_os_str() == "-" || name(file).starts_with("tcp://") => {
                return usage("a stream is followed to its end anyway; leave the option away");
            }
            [_] => {}
            _ => return usage("only one file can be followed; for a folder there is --watch"),
        }
    }
    let endless = |file: &Path| name(file) == "-" || name(file).starts_with("tcp://") || !file.is_file();
    let mut options =
        FileOptions { filter: captures.filter.clone(), follow: captures.follow, ..FileOptions::default() };
    if captures.follow || captures.watch.is_some() || captures.files.iter().any(|file| endless(file)) {
        options.stop = Some(stop_by_signal()?);
    }
    Ok(options)
}

/// Set by the first SIGINT or SIGTERM.
pub(super) fn stop_by_signal() -> Result<Arc<AtomicBool>, ExitError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The second one ends the program as ever, should the first not be noticed.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| {
                ExitError::new(sysexits::SOFTWARE, format!("cannot watch signal {signal}: {error}"))
            })?;
    }
    Ok(stop)
}

/// Feeds a source to a consumer until either has enough.
fn pump<F: FrameSource>(
    source: &mut F,
    consumer: &mut impl Consumer,
    mut look: impl FnMut(&F),
) -> Result<(), ExitError> {
    let mut until_look = PROGRESS_EVERY;
    loop {
        match source.next_frame().map_err(refused)? {
            Event::Frame(frame) => {
                if !consumer.frame(&frame) {
                    return Ok(());
                }
            }
            Event::Idle(_) => consumer.idle(),
            Event::Notice(notice) => tell(notice),
            Event::End => return Ok(()),
        }
        until_look -= 1;
        if until_look == 0 {
            until_look = PROGRESS_EVERY;
            look(source);
        }
    }
}

/// Here a filter comes from the command line, not from the configuration.
#[cold]
fn refused(error: CaptureError) -> ExitError {
    match error {
        CaptureError::Filter { .. } => ExitError::new(sysexits::USAGE, error.to_string()),
        error => error.into(),
    }
}

/// Tells the user what happened to a file.
#[cold]
pub(super) fn tell(notice: &Notice) {
    let line = ExitError::new(0, notice.to_string());
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// A progress bar, where stderr is a terminal and the end is known.
pub(super) fn progress_bar(source: &FileSource, file: &Path) -> Option<ProgressBar> {
    if !io::stderr().is_terminal() {
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
