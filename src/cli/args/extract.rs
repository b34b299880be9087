//! The command line of `picket extract`.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::{Captures, ConfigFile};

/// `picket extract`
#[derive(Args, Debug)]
#[command(
    mut_arg("files", |files| files.required_unless_present_any(["watch", "interface"])),
    after_help = "\
Examples:
  picket extract capture.pcap > vectors.csv
  picket extract --output jsonl --schema picket-connection capture.pcapng
  picket extract --schema mqttset --labels labels.toml --output parquet monday.pcap > monday.parquet
  picket extract --schema siuru-window --window-ms 1000 capture.pcap
  picket extract --interface br-lan --seconds 60 --write seen.pcap > live.csv

CSV begins with a comment line that holds the schema's name, version and hash, then the header. Every
column of every schema is explained in docs/features.md. What is not kept for want of room is told on
stderr. --help lists the schemas."
)]
pub struct Extract {
    /// What is read.
    #[command(flatten)]
    pub captures: Captures,

    /// Capture live, in place of files, until interrupted; needs CAP_NET_RAW
    #[arg(short, long, value_name = "IFACE", conflicts_with_all = ["files", "follow", "watch"])]
    pub interface: Option<String>,

    /// End the live capture after so many seconds
    #[arg(long, value_name = "N", requires = "interface", conflicts_with_all = ["files", "watch"],
        value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: Option<u64>,

    /// Write the frames of the live capture to this file too, as pcap
    #[arg(long, value_name = "FILE", requires = "interface", conflicts_with_all = ["files", "watch"])]
    pub write: Option<PathBuf>,

    /// How rows are printed
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = VectorFormat::Csv)]
    pub output: VectorFormat,

    /// Which rows
    #[arg(long, value_parser = Schemas, value_name = "NAME", default_value = "picket-host")]
    pub schema: &'static str,

    /// Milliseconds of a window of siuru-window
    #[arg(long, value_name = "MS", default_value_t = crate::extract::catalogue::DEFAULT_WINDOW_MS,
        value_parser = clap::value_parser!(u32).range(1..=86_400_000))]
    pub window_ms: u32,

    /// Add the labels that this file gives to packets, flows and hosts
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,

    /// Leave the cells of mqttset that hold payloads empty
    #[arg(long)]
    pub no_payloads: bool,

    /// Flows, hosts or streams that the schemas of published systems keep at once
    #[arg(long, value_name = "N", default_value_t = crate::extract::DEFAULT_CAPACITY as u32,
        value_parser = clap::value_parser!(u32).range(16..=16_777_216))]
    pub table_size: u32,

    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// How `extract` prints rows.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum VectorFormat {
    /// Comma-separated values with a header
    Csv,
    /// One JSON object a line
    Jsonl,
    /// Apache Parquet; not in builds for gateways
    Parquet,
}

/// Reads the name of a schema.
#[derive(Clone, Copy, Debug)]
struct Schemas;

impl TypedValueParser for Schemas {
    type Value = &'static str;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<&'static str, clap::Error> {
        let known: Vec<PossibleValue> = self.possible_values().into_iter().flatten().collect();
        let name = PossibleValuesParser::new(known).parse_ref(command, argument, value)?;
        let entry = crate::extract::catalogue::Entry::find(&name);
        Ok(entry.map_or("", |entry| entry.name()))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let value = |entry: crate::extract::catalogue::Entry| {
            let value = PossibleValue::new(entry.name()).help(entry.row());
            if entry.name() == "picket-host" { value.alias("picket") } else { value }
        };
        Some(Box::new(crate::extract::catalogue::Entry::all().map(value)))
    }
}
