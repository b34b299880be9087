//! `picket evaluate`: how good the detection is, on labelled captures.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;

use super::args::evaluate::{Evaluate, Least, ReportFormat};
use super::{configuration, offline};
use crate::capture::{FileSource, Notice};
use crate::config::{Config, Overrides};
use crate::error::{ExitError, sysexits};
use crate::evaluate::{self, CaseError, EvaluateError, Report, Setup, Watcher};
use crate::settings;

/// The exit code when a measure is below what was asked for.
const BELOW: u8 = 1;

pub(super) fn run(args: &Evaluate) -> Result<(), ExitError> {
    let config = configuration(&args.config, &Overrides::default())?;
    let mut settings = settings::of(&config);
    settings.rules &= !args.no_rules;
    let models = models(args, &config);
    if models.is_empty() && !settings.rules {
        let what = "evaluate: neither rules nor a model, so nothing would be looked for";
        return Err(ExitError::new(sysexits::USAGE, what).hint("give --model FILE, or let the rules work"));
    }
    let cases = evaluate::find(&args.captures, args.labels.as_deref())?;
    let setup = Setup { settings, models, least: args.severity };
    let report = evaluate::evaluate(&cases, &setup, &mut Bar::default())?;
    for (path, text) in [(&args.json, json(&report)), (&args.html, evaluate::html::page(&report))] {
        if let Some(path) = path {
            write_file(path, &text)?;
        }
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let written = match args.output {
        ReportFormat::Text => evaluate::text::write(&report, &mut out),
        ReportFormat::Json => out.write_all(json(&report).as_bytes()),
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(ExitError::new(sysexits::IOERR, format!("evaluate: cannot write: {error}")));
        }
        _ => {}
    }
    args.fail_below.iter().try_for_each(|least| check(&report, least))
}

/// The models asked for; or the configured ones that exist.
fn models(args: &Evaluate, config: &Config) -> Vec<PathBuf> {
    match (args.no_model, args.models.is_empty()) {
        (true, _) => Vec::new(),
        (false, false) => args.models.clone(),
        (false, true) => config.model().paths().into_iter().filter(|path| path.exists()).collect(),
    }
}

fn json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}

fn write_file(path: &Path, text: &str) -> Result<(), ExitError> {
    let written = File::create(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| ExitError::file("evaluate", path, &error))
}

/// Whether a measure is as high as it has to be.
fn check(report: &Report, Least { name, least }: &Least) -> Result<(), ExitError> {
    match report.measure(name) {
        Some(value) if value >= *least => Ok(()),
        Some(value) => {
            Err(ExitError::new(BELOW, format!("evaluate: {name} is {value:.4}, which is below {least}")))
        }
        None => Err(ExitError::new(BELOW, format!("evaluate: {name} is not defined for these captures"))),
    }
}

/// Shows how far it is where there is a terminal, and tells of what is odd about a capture.
#[derive(Default)]
struct Bar(Option<ProgressBar>);

impl Watcher for Bar {
    fn begin(&mut self, source: &FileSource, pass: usize, passes: usize) {
        self.0 = offline::progress_bar(source, source.path());
        if let Some(bar) = &self.0 {
            bar.set_message(format!("{} ({pass}/{passes})", source.path().display()));
        }
    }

    fn position(&mut self, source: &FileSource) {
        if let (Some(bar), Some(position)) = (&self.0, source.position_bytes()) {
            bar.set_position(position);
        }
    }

    fn notice(&mut self, notice: &Notice) {
        offline::tell(notice);
    }

    fn end(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}

impl From<CaseError> for ExitError {
    fn from(error: CaseError) -> Self {
        let text = format!("evaluate: {error}");
        match error {
            CaseError::Label(error) => Self::from(error),
            CaseError::Folder { path, source } => Self::file("evaluate", &path, &source),
            CaseError::Nothing { .. } => Self::new(sysexits::NOINPUT, text)
                .hint("name captures, or give --labels FILE for those without labels.toml beside them"),
            CaseError::Stream { .. } => Self::new(sysexits::USAGE, text).hint("write it to a file first"),
        }
    }
}

impl From<EvaluateError> for ExitError {
    fn from(error: EvaluateError) -> Self {
        match error {
            EvaluateError::Capture(error) => error.into(),
            EvaluateError::Model(error) => error.into(),
        }
    }
}
