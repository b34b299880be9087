//! `picket inspect`: what is in a capture.

use std::io::{self, BufWriter, Write as _};

use super::args::{Inspect, InspectFormat};
use super::offline::{self, Output};
use crate::detect::scorer::NoModel;
use crate::engine::{Engine, Settings};
use crate::error::{ExitError, sysexits};
use crate::inspect::line::{Form, Lines};
use crate::inspect::report::Report;
use crate::inspect::summary::Summary;
use crate::inspect::text;
use crate::memory::OwnedMemory;

pub(super) fn run(args: &Inspect) -> Result<(), ExitError> {
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(Settings { rules: false, ..Settings::default() }, memory.lend(), NoModel);
    let mut out = BufWriter::new(io::stdout().lock());
    let (outcome, written) = if args.packets {
        let form = match args.output {
            InspectFormat::Text => Form::Text,
            InspectFormat::Json => Form::Json,
        };
        let mut lines = Lines::new(out, form, args.user_names);
        let (_, outcome) = offline::drive(&args.captures, &mut engine, &mut lines);
        (outcome, lines.finish())
    } else {
        let mut summary = Summary::default();
        let (read, outcome) = offline::drive(&args.captures, &mut engine, &mut summary);
        let stats = engine.stats();
        if outcome.is_err() && stats.frames == 0 {
            return outcome;
        }
        let files = args.captures.names().map(|file| file.display().to_string()).collect();
        let report = Report::new(files, &read, &summary, &stats, args.top, args.user_names);
        let written = match args.output {
            InspectFormat::Text => text::write(&report, &mut out),
            InspectFormat::Json => serde_json::to_writer_pretty(&mut out, &report)
                .map_err(Into::into)
                .and_then(|()| writeln!(out)),
        };
        (outcome, written.and_then(|()| out.flush()))
    };
    outcome?;
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(ExitError::new(sysexits::IOERR, format!("inspect: cannot write: {error}")))
        }
        _ => Ok(()),
    }
}

impl<W: io::Write> Output for Lines<W> {
    fn flush(&mut self) {
        Self::flush(self);
    }
}

/// It is printed at the end.
impl Output for Summary {}
