//! Feeds a live capture to a command that otherwise reads files, and records it where that is wanted.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::offline::{Consumer, stop_by_signal};
use crate::capture::{Event, FrameSource as _, LiveOptions, LiveSource, Savefile, SavefileError};
use crate::config::Config;
use crate::error::{ExitError, sysexits};

/// Feeds what is captured on an interface to a consumer, until that has enough, a signal comes, or the seconds are
/// over. Time is that of the frames alone, so a recording of them gives what they gave.
#[expect(
    clippy::disallowed_methods,
    reason = "the end of a live capture is a matter of the clock on the wall"
)]
pub(super) fn feed(
    interface: &str,
    filter: Option<&str>,
    seconds: Option<u64>,
    recording: Option<&Path>,
    config: &Config,
    consumer: &mut impl Consumer,
) -> Result<(), ExitError> {
    let capture = config.capture();
    let options = LiveOptions {
        snaplen: capture.snaplen,
        buffer_bytes: capture.buffer_bytes(),
        promiscuous: capture.promiscuous,
        immediate: capture.immediate,
        filter: filter.map(str::to_owned),
        ..LiveOptions::default()
    };
    let mut source = LiveSource::open(&[interface], options)?;
    let unwritten = |path: &Path, error: &dyn std::fmt::Display| {
        ExitError::new(sysexits::IOERR, format!("extract: cannot write {}: {error}", path.display()))
    };
    let mut savefile = match recording {
        Some(path) => {
            let file = File::create(path).map_err(|error| unwritten(path, &error))?;
            Some((path, Savefile::new(BufWriter::new(file))))
        }
        None => None,
    };
    let stop = stop_by_signal()?;
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    consumer.begin(Path::new(interface));
    while !stop.load(Ordering::Relaxed) && end.is_none_or(|end| Instant::now() < end) {
        match source.next_frame()? {
            Event::Frame(frame) => {
                if let Some((path, savefile)) = &mut savefile {
                    savefile.write(&frame).map_err(|error: SavefileError| unwritten(path, &error))?;
                }
                if !consumer.frame(&frame) {
                    break;
                }
            }
            Event::Idle(_) => consumer.idle(),
            Event::Notice(_) => {}
            Event::End => break,
        }
    }
    if let Some((path, savefile)) = savefile {
        savefile.finish().map_err(|error| unwritten(path, &error))?;
    }
    Ok(())
}
