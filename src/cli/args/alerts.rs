//! The command line of `picket alerts`.

use clap::{Args, Subcommand, ValueEnum};

use super::{ConfigFile, severity};

/// `picket alerts`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  picket alerts list --severity high --limit 20
  picket alerts follow
  picket alerts show 01JZX5Y9M3T4C6W8R2V7K1N0QH
  picket alerts export --format csv > alerts.csv")]
pub struct Alerts {
    /// What to do with them.
    #[command(subcommand)]
    pub command: AlertsCommand,
}

/// What can be done with stored alerts.
#[derive(Subcommand, Debug)]
pub enum AlertsCommand {
    /// Print stored alerts, oldest first
    List(AlertsList),
    /// Print alerts as they come, until interrupted
    Follow(ConfigFile),
    /// Print every message about one incident
    Show(AlertsShow),
    /// Write all stored alerts to stdout
    Export(AlertsExport),
}

/// `picket alerts list`
#[derive(Args, Debug)]
pub struct AlertsList {
    /// Only alerts with a sequence number above N
    #[arg(long, value_name = "N")]
    pub since_seq: Option<u64>,

    /// Only this class, such as mqtt_bruteforce
    #[arg(long, value_name = "CLASS", value_parser = class)]
    pub class: Option<crate::detect::class::Class>,

    /// Only this severity and above
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    pub severity: Option<crate::alert::Severity>,

    /// At most N alerts, the newest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,

    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// `picket alerts show`
#[derive(Args, Debug)]
pub struct AlertsShow {
    /// The alert's id (a ULID)
    #[arg(value_name = "ID")]
    pub id: String,

    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// `picket alerts export`
#[derive(Args, Debug)]
pub struct AlertsExport {
    /// How alerts are written
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: ExportFormat,

    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// How `alerts export` writes.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExportFormat {
    /// One JSON object a line, as published
    Jsonl,
    /// Comma-separated values with a header
    Csv,
}

/// A class by its name in the vocabulary.
fn class(name: &str) -> Result<crate::detect::class::Class, String> {
    use crate::detect::class::Class;
    Class::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Class::ALL.iter().map(|class| class.name()).collect();
        format!("is none of {}", names.join(", "))
    })
}
