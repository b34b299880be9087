//! The command line of `picket model publish`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use crate::publish::broker_url::BrokerUrl;
use crate::publish::config::Protocol;
use crate::publish::topics::{SensorName, is_level};
use crate::update::document::{Moment, Transport, Window};

/// `picket model publish`
#[derive(Args, Debug)]
#[command(
    group(ArgGroup::new("to").required(true).args(["sensors", "channel", "folder"])),
    group(ArgGroup::new("what").required(true).args(["bundle", "withdraw"])),
    after_help = "\
Examples:
  picket model publish --broker mqtts://broker.lan --ca-file ca.pem --cert-file manager.pem \\
      --key-file manager.key --sensor gw-1 --timestamp 7.timestamp.json --watch 7.bundle
  picket model publish --broker mqtts://broker.lan ... --channel stable --expect 50 \\
      --timestamp 7.timestamp.json --watch 7.bundle
  picket model publish --broker mqtts://broker.lan ... --channel stable --withdraw
  picket model publish --folder /media/stick --timestamp 7.timestamp.json 7.bundle

The message stays on the broker. Sensors that fetch the model over MQTT get its blocks from this
command, so it runs until the sensors have ended: all that --sensor names, or as many as --expect
says. It can be started again at any time. Exit codes: 0 all have the release, 65 it failed
somewhere, 69 not all answered, 77 the broker does not allow it."
)]
pub struct ModelPublish {
    /// The release, signed
    #[arg(value_name = "BUNDLE", requires = "timestamp")]
    pub bundle: Option<PathBuf>,

    /// The timestamp that names it the newest, from picket trust timestamp
    #[arg(long, value_name = "FILE", requires = "bundle")]
    pub timestamp: Option<PathBuf>,

    /// Root to send along, for sensors that have not seen it; may be given several times, in order. The last
    /// one must accept the release
    #[arg(long = "root", value_name = "FILE", requires = "bundle")]
    pub roots: Vec<PathBuf>,

    /// A sensor; may be given several times
    #[arg(long = "sensor", value_name = "NAME")]
    pub sensors: Vec<SensorName>,

    /// All sensors that follow this channel
    #[arg(long, value_name = "NAME", value_parser = channel)]
    pub channel: Option<String>,

    /// A folder, in place of a broker: the release is put there for a sensor that looks into it (update.inbox)
    #[arg(long, value_name = "DIR", conflicts_with_all = ["withdraw", "url", "watch", "patience", "detach"])]
    pub folder: Option<PathBuf>,

    /// Take what is published there back
    #[arg(long)]
    pub withdraw: bool,

    /// The broker.
    #[command(flatten)]
    pub broker: BrokerArgs,

    /// Show a table of the sensors; lines where the output is no terminal
    #[arg(long)]
    pub watch: bool,

    /// End when so many sensors of the channel have ended
    #[arg(long, value_name = "N", requires = "channel", value_parser = clap::value_parser!(u32).range(1..))]
    pub expect: Option<u32>,

    /// When a sensor has ended: in use, or also proved and kept
    #[arg(long, value_name = "STATE", value_enum, default_value_t = Until::Committed)]
    pub until: Until,

    /// End after so many seconds, whoever has not answered
    #[arg(long, value_name = "SECONDS")]
    pub patience: Option<u64>,

    /// Leave when the broker has the message: for models that are fetched by HTTPS
    #[arg(long, conflicts_with_all = ["watch", "expect"])]
    pub detach: bool,

    /// Name of this request, to be found again in what sensors report [default: release-N]
    #[arg(long, value_name = "TEXT", value_parser = request)]
    pub request: Option<String>,

    /// Install not before this time, such as 2026-11-22T02:00:00Z
    #[arg(long, value_name = "TIME")]
    pub not_before: Option<Moment>,

    /// Install only at this time of day, in UTC, such as 02:00-04:30
    #[arg(long, value_name = "HH:MM-HH:MM", value_parser = window)]
    pub window: Option<Window>,

    /// How the model is to be fetched
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Way::Any)]
    pub transport: Way,

    /// Octets of blocks a second, at most, in KiB
    #[arg(long, value_name = "KIB", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(16..=1_048_576))]
    pub rate: u32,
}

/// How the broker is reached.
#[derive(Args, Clone, Debug)]
pub struct BrokerArgs {
    /// mqtts://HOST[:PORT] or mqtt://HOST[:PORT]
    #[arg(long = "broker", value_name = "URL", required_unless_present = "folder")]
    pub url: Option<BrokerUrl>,

    /// Version of MQTT
    #[arg(long = "mqtt", value_name = "VERSION", value_enum, default_value_t = Version::V5)]
    pub version: Version,

    /// User name
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub user: Option<String>,

    /// File with the password in one line
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,

    /// Authorities that may vouch for the broker, PEM [default: those of the system]
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// Our certificate, PEM
    #[arg(long, value_name = "FILE", requires = "key_file")]
    pub cert_file: Option<PathBuf>,

    /// Its key, PEM
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    pub key_file: Option<PathBuf>,
}

/// When a sensor has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Until {
    /// The release is in use, on probation.
    Active,
    /// The release is kept.
    Committed,
}

/// How models are fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Way {
    /// HTTPS where there is an address, else MQTT.
    Any,
    /// HTTPS only.
    Https,
    /// MQTT only.
    Mqtt,
}

impl From<Way> for Transport {
    fn from(way: Way) -> Self {
        match way {
            Way::Any => Self::Any,
            Way::Https => Self::Https,
            Way::Mqtt => Self::Mqtt,
        }
    }
}

/// Versions of MQTT.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Version {
    /// MQTT 5
    #[value(name = "5")]
    V5,
    /// MQTT 3.1.1, in which a broker does not say that it refuses something
    #[value(name = "3.1.1")]
    V311,
}

impl From<Version> for Protocol {
    fn from(version: Version) -> Self {
        match version {
            Version::V5 => Self::V5,
            Version::V311 => Self::V311,
        }
    }
}

fn channel(text: &str) -> Result<String, String> {
    if is_level(text) { Ok(text.to_owned()) } else { Err("is not 1 to 64 of A-Z a-z 0-9 _ -".to_owned()) }
}

fn request(text: &str) -> Result<String, String> {
    let is_line = (1..=64).contains(&text.len()) && !text.chars().any(char::is_control);
    if is_line { Ok(text.to_owned()) } else { Err("is not 1 to 64 printable octets".to_owned()) }
}

/// A part of the day.
fn window(text: &str) -> Result<Window, String> {
    let minute = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    text.split_once('-')
        .and_then(|(from, to)| Some(Window { from_minute: minute(from)?, to_minute: minute(to)? }))
        .ok_or_else(|| "is not HH:MM-HH:MM".to_owned())
}
