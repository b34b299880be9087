//! `picket alerts`: reads what is stored, from the daemon or from the disk.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::args::ConfigFile;
use super::args::alerts::{Alerts, AlertsCommand, AlertsExport, AlertsList, AlertsShow, ExportFormat};
use super::configuration;
use super::output::{columns, record};
use crate::config::{Config, Overrides};
use crate::error::{ExitError, sysexits};
use crate::store::reader::{AlertSource, Filter};

pub(super) fn run(args: &Alerts) -> Result<(), ExitError> {
    match &args.command {
        AlertsCommand::List(list) => print_list(list),
        AlertsCommand::Follow(config) => follow(config),
        AlertsCommand::Show(show) => print_incident(show),
        AlertsCommand::Export(export) => print_all(export),
    }
}

fn source(file: &ConfigFile) -> Result<AlertSource, ExitError> {
    let config: Config = configuration(file, &Overrides::default())?;
    // Without a socket there is none to ask; a path that cannot exist says so.
    let socket = config.status_socket().unwrap_or(Path::new(""));
    Ok(AlertSource::open(socket, &config.store().path)?)
}

fn print_list(args: &AlertsList) -> Result<(), ExitError> {
    let filter = Filter {
        since: args.since_seq.unwrap_or(0),
        class: args.class.map(|class| class.name().to_owned()),
        severity: args.severity,
        newest: args.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        ..Filter::default()
    };
    let lines = source(&args.config)?.list(&filter)?;
    written(print_lines(&mut io::stdout().lock(), &lines))
}

fn print_incident(args: &AlertsShow) -> Result<(), ExitError> {
    let filter = Filter { id: Some(args.id.clone()), ..Filter::default() };
    let lines = source(&args.config)?.list(&filter)?;
    if lines.is_empty() {
        return Err(ExitError::new(
            sysexits::NOINPUT,
            format!("alerts show: {}: no such alert is stored", args.id),
        )
        .hint("see picket alerts list"));
    }
    written(print_lines(&mut io::stdout().lock(), &lines))
}

fn follow(file: &ConfigFile) -> Result<(), ExitError> {
    let mut out = io::stdout().lock();
    let mut outcome = Ok(());
    source(file)?.follow(&Filter::default(), |line| {
        outcome = writeln!(out, "{line}").and_then(|()| out.flush());
        outcome.is_ok()
    })?;
    written(outcome)
}

fn print_all(args: &AlertsExport) -> Result<(), ExitError> {
    let lines = source(&args.config)?.list(&Filter::default())?;
    let mut out = BufWriter::new(io::stdout().lock());
    written(match args.format {
        ExportFormat::Jsonl => print_lines(&mut out, &lines),
        ExportFormat::Csv => print_csv(&mut out, &lines),
    })
}

fn print_lines(out: &mut impl Write, lines: &[String]) -> io::Result<()> {
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    out.flush()
}

fn print_csv(out: &mut impl Write, lines: &[String]) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(columns())?;
    for line in lines {
        let document: serde_json::Value = serde_json::from_str(line)?;
        writer.write_record(record(&document))?;
    }
    writer.flush()
}

/// A reader that has had enough is no fault.
fn written(outcome: io::Result<()>) -> Result<(), ExitError> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(ExitError::new(sysexits::IOERR, format!("alerts: cannot write: {error}")))
        }
        _ => Ok(()),
    }
}
