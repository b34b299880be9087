//! The command line of `picket evaluate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{ConfigFile, severity};

/// `picket evaluate`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  picket evaluate capture.pcap --labels labels.toml
  picket evaluate --html report.html lab/test/
  picket evaluate --no-rules --model new.onnx --severity low lab/test/
  picket evaluate --fail-below episodes.found=1 --fail-below macro_f1=0.9 lab/test/

Each capture is read several times: with all detectors, with each of them alone, and once for
counting. Figures are given by attack, by flow and by packet; a false alert is one that no attack
explains. Exact definitions, and how labels are written: docs/evaluate.md.
The exit code is 0 however bad the figures are, unless --fail-below says otherwise (then 1).")]
pub struct Evaluate {
    /// Captures, or folders in which they are looked for
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,

    /// What is what in the captures [default: the file labels.toml beside each capture]
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,

    /// Model to score with, in place of model.path and model.more; may be given several times
    #[arg(long = "model", value_name = "FILE", conflicts_with = "no_model")]
    pub models: Vec<PathBuf>,

    /// Work with the rules alone
    #[arg(long)]
    pub no_model: bool,

    /// Work with the models alone
    #[arg(long, conflicts_with = "no_model")]
    pub no_rules: bool,

    /// The mildest alerts that count
    #[arg(long, value_name = "SEVERITY", default_value = "medium", value_parser = severity)]
    pub severity: crate::alert::Severity,

    /// How it is printed
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,

    /// Write the report as JSON, too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the report as one HTML file with plots, too
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// End with exit code 1 if a measure is lower: macro_f1 (by attack), flows.macro_f1,
    /// packets.macro_f1, episodes.found or episodes.right (parts of all attacks, 0 to 1)
    #[arg(long, value_name = "MEASURE=VALUE", value_parser = least)]
    pub fail_below: Vec<Least>,

    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// How `evaluate` prints.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReportFormat {
    /// For reading
    Text,
    /// One JSON document
    Json,
}

/// A measure and how high it has to be.
#[derive(Clone, PartialEq, Debug)]
pub struct Least {
    /// One of [`MEASURES`](crate::evaluate::MEASURES).
    pub name: String,
    /// From here on it is high enough.
    pub least: f64,
}

/// A measure, `=` and a number.
fn least(text: &str) -> Result<Least, String> {
    use crate::evaluate::MEASURES;
    let (name, value) = text.split_once('=').ok_or("must be such as macro_f1=0.9")?;
    if !MEASURES.contains(&name) {
        return Err(format!("{name} is none of {}", MEASURES.join(", ")));
    }
    let least = value.parse().ok().filter(|value: &f64| value.is_finite());
    least.map(|least| Least { name: name.to_owned(), least }).ok_or_else(|| format!("{value:?} is no number"))
}
