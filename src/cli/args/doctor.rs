//! `picket doctor`

use clap::Args;

use super::{ConfigFile, TextOrJson};

/// `picket doctor`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  picket doctor
  picket doctor --sample 30
  picket doctor --output json | jq '.findings[] | select(.severity == \"bad\")'

Each finding has a name that stays: docs/doctor.md explains them all. Run it as root: others are not
told of flow tables, and may not look at traffic. Nothing is changed; the broker that alerts go to
gets one message of no consequence, picket/v1/SENSOR/metric/doctor.
The exit code is 1 if a finding is bad, 0 otherwise.")]
pub struct Doctor {
    /// Look at live traffic of the configured interfaces for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=300))]
    pub sample: u32,

    /// Do not ask the broker that alerts go to
    #[arg(long)]
    pub offline: bool,

    /// How it is printed
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = TextOrJson::Text)]
    pub output: TextOrJson,

    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigFile,
}
