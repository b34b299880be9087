//! How alerts are printed.

use std::io::{self, Write};

use super::offline::Output;
use crate::alert::Alert;
use crate::cli::args::AlertFormat;
use crate::engine::Sink;
use crate::event::Event;
use crate::mqtt::packet::PacketType;
use crate::publish::payload::event::{describe, event_json};
use crate::publish::payload::{Identity, alert_json};
use crate::publish::rfc3339::Rfc3339;

/// Prints alerts as they come, numbered from 1.
pub(super) struct Printer<W> {
    out: W,
    format: AlertFormat,
    identity: Identity,
    events: bool,
    seq: u64,
    outcome: io::Result<()>,
}

/// Columns of the CSV form.
const COLUMNS: [&str; 17] = [
    "seq",
    "id",
    "ts",
    "first_seen",
    "last_seen",
    "class",
    "severity",
    "confidence",
    "detector",
    "source_ip",
    "source_mac",
    "destination_ip",
    "destination_port",
    "client_id",
    "count",
    "state",
    "message",
];

impl<W: Write> Printer<W> {
    /// Prints to `out`; the header, where there is one, at once.
    pub(super) fn new(out: W, format: AlertFormat, events: bool, identity: Identity) -> Self {
        let mut printer = Self { out, format, events, identity, seq: 0, outcome: Ok(()) };
        printer.outcome = match format {
            AlertFormat::Csv => writeln!(printer.out, "{}", COLUMNS.join(",")),
            AlertFormat::Table => writeln!(
                printer.out,
                "{:<27} {:<7} {:<9} {:<20} {:<24} {:>9}  message",
                "time", "state", "severity", "class", "detector", "count"
            ),
            AlertFormat::Jsonl | AlertFormat::None => Ok(()),
        };
        printer
    }

    /// Flushes, and tells whether everything could be written.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.outcome?;
        self.out.flush()
    }

    /// Events have no rows in the CSV form: its columns are those of an alert.
    fn print_event(&mut self, event: &Event) -> io::Result<()> {
        match self.format {
            AlertFormat::None | AlertFormat::Csv => Ok(()),
            AlertFormat::Jsonl => writeln!(self.out, "{}", event_json(event, &self.identity.sensor)),
            AlertFormat::Table => writeln!(
                self.out,
                "{:<27} {:<7} {:<9} {:<20} {:<24} {:>9}  {}",
                Rfc3339(event.ts).to_string(),
                "event",
                event.severity.name(),
                event.name,
                event.packet_type.map_or("", PacketType::name),
                "",
                describe(event)
            ),
        }
    }

    fn print(&mut self, alert: &Alert) -> io::Result<()> {
        let json = || alert_json(alert, self.seq, &self.identity);
        match self.format {
            AlertFormat::None => Ok(()),
            AlertFormat::Jsonl => writeln!(self.out, "{}", json()),
            AlertFormat::Csv => {
                let document: serde_json::Value = serde_json::from_str(&json()).map_err(io::Error::other)?;
                let mut writer = csv::Writer::from_writer(&mut self.out);
                writer.write_record(record(&document))?;
                writer.flush()
            }
            AlertFormat::Table => {
                let document: serde_json::Value = serde_json::from_str(&json()).map_err(io::Error::other)?;
                let text = |key: &str| document[key].as_str().unwrap_or_default().to_owned();
                writeln!(
                    self.out,
                    "{:<27} {:<7} {:<9} {:<20} {:<24} {:>9}  {}",
                    text("ts"),
                    text("state"),
                    text("severity"),
                    text("class"),
                    text("detector"),
                    alert.count,
                    text("message")
                )
            }
        }
    }
}

/// An alert's JSON document as a row of [`COLUMNS`].
pub(super) fn record(document: &serde_json::Value) -> Vec<String> {
    COLUMNS
        .iter()
        .map(|column| {
            let value = match column.split_once('_') {
                Some((part @ ("source" | "destination"), key)) => &document[part][key],
                _ => &document[*column],
            };
            match value {
                serde_json::Value::Null => String::new(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            }
        })
        .collect()
}

/// The CSV header.
pub(super) const fn columns() -> &'static [&'static str] {
    &COLUMNS
}

impl<W: Write> Output for Printer<W> {
    fn flush(&mut self) {
        if self.outcome.is_ok() {
            self.outcome = self.out.flush();
        }
    }
}

impl<W: Write> Sink for Printer<W> {
    fn alert(&mut self, alert: &Alert) {
        self.seq += 1;
        if self.outcome.is_ok() {
            self.outcome = self.print(alert);
        }
    }

    fn event(&mut self, event: &Event) {
        if self.events && self.outcome.is_ok() {
            self.outcome = self.print_event(event);
        }
    }
}
