//! `picket extract`: the rows of a schema, for training and for comparison.

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use super::args::extract::{Extract, VectorFormat};
use super::offline::{self, Consumer};
use super::{configuration, live};
use crate::config::{Config, Overrides};
use crate::error::{ExitError, sysexits};
use crate::extract::catalogue::{Entry, Options};
use crate::extract::{Extractor, Format, Labelled, Target, Writer};
use crate::frame::Frame;
use crate::label::{LabelId, Labeller, Labels};
use crate::settings;

pub(super) fn run(args: &Extract) -> Result<(), ExitError> {
    let config = configuration(&args.config, &Overrides::default())?;
    let format = format(args.output)?;
    let entry = Entry::find(args.schema)
        .ok_or_else(|| ExitError::new(sysexits::SOFTWARE, format!("extract: no schema {}", args.schema)))?;
    let labels = args.labels.as_deref().map(Labels::load).transpose()?;
    let options = Options {
        settings: settings::of(&config),
        capacity: usize::try_from(args.table_size).unwrap_or(usize::MAX),
        window_ms: args.window_ms,
        payloads: !args.no_payloads,
    };
    let labelled = labels.as_ref().map(|labels| Labelled::new(labels, Target::of(entry.name())));
    let mut memory = None;
    let mut rows = RowsOf {
        extractor: entry.extractor(&options, &mut memory),
        writer: Writer::new(io::stdout(), entry.table(&options), format, labelled)
            .map_err(|error| unwritten(&error))?,
        labels: labels.as_ref(),
        labeller: None,
    };
    let outcome = read(args, &config, &mut rows);
    let RowsOf { mut extractor, mut writer, labeller, .. } = rows;
    extractor.finish(labeller.as_ref(), &mut writer);
    let evicted = extractor.evicted();
    if evicted > 0 {
        // Nobody is left to tell when stderr is closed.
        let _ = writeln!(
            io::stderr().lock(),
            "picket: extract: {evicted} entries went early, since at most {} are kept (--table-size)",
            args.table_size
        );
    }
    let written = writer.finish();
    outcome?;
    match written {
        // The reader had enough, as `head` has.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unwritten(&error)),
        _ => Ok(()),
    }
}

fn read(args: &Extract, config: &Config, rows: &mut RowsOf<'_>) -> Result<(), ExitError> {
    match &args.interface {
        Some(interface) => {
            let filter = args.captures.filter.as_deref();
            live::feed(interface, filter, args.seconds, args.write.as_deref(), config, rows)
        }
        None => offline::feed(&args.captures, rows).1,
    }
}

fn unwritten(error: &io::Error) -> ExitError {
    ExitError::new(sysexits::IOERR, format!("extract: cannot write rows: {error}"))
}

fn format(wanted: VectorFormat) -> Result<Format, ExitError> {
    match wanted {
        VectorFormat::Csv => Ok(Format::Csv),
        VectorFormat::Jsonl => Ok(Format::Jsonl),
        VectorFormat::Parquet if io::stdout().is_terminal() => {
            Err(ExitError::new(sysexits::USAGE, "extract: Parquet is not for terminals")
                .hint("redirect stdout to a file"))
        }
        #[cfg(feature = "parquet")]
        VectorFormat::Parquet => Ok(Format::Parquet),
        #[cfg(not(feature = "parquet"))]
        VectorFormat::Parquet => Err(ExitError::new(
            sysexits::UNAVAILABLE,
            "extract: --output parquet: this build cannot write Parquet",
        )
        .hint("use --output csv, or a build with the cargo feature `parquet`")),
    }
}

/// Makes rows of frames and writes them.
struct RowsOf<'a> {
    extractor: Box<dyn Extractor + 'a>,
    writer: Writer<io::Stdout>,
    labels: Option<&'a Labels>,
    labeller: Option<Labeller>,
}

impl Consumer for RowsOf<'_> {
    fn begin(&mut self, capture: &Path) {
        self.labeller = self.labels.map(|labels| labels.for_capture(capture));
    }

    #[inline]
    fn frame(&mut self, frame: &Frame<'_>) -> bool {
        let label = self.labeller.as_mut().map_or(LabelId::DEFAULT, |labeller| labeller.frame(frame));
        self.extractor.frame(frame, label, self.labeller.as_ref(), &mut self.writer);
        self.writer.is_ok()
    }

    fn idle(&mut self) {
        self.writer.flush();
    }
}
