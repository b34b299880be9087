//! The command line: what can be typed, and what it means. Definitions only; the commands are elsewhere.

pub mod alerts;
pub mod doctor;
pub mod evaluate;
pub mod extract;
pub mod publish;
pub mod update;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::error::sysexits;

/// Intrusion detection for the MQTT traffic of an IoT gateway.
#[derive(Parser, Debug)]
#[command(
    name = "picket",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100,
    after_help = "\
Examples:
  picket check                          is the configuration right?
  picket doctor                         what can this machine see?
  picket run -i br-lan                  watch an interface
  picket replay capture.pcap            what would have been reported?
  picket inspect capture.pcap           what is in it?
  picket alerts follow                  what is being reported?

Exit codes are those of sysexits.h: 64 usage, 65 data, 66 no input, 69 unavailable, 70 software,
74 input or output, 75 to be started again, 77 no permission, 78 configuration."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Watch interfaces and report what is hostile
    Run(Run),
    /// Analyse captures as if they were live, in packet time
    Replay(Replay),
    /// Show what is in captures: brokers, clients, topics, control packets, violations
    Inspect(Inspect),
    /// Write the feature vectors of captures, for training
    Extract(extract::Extract),
    /// Say how good the detection is on labelled captures
    Evaluate(evaluate::Evaluate),
    /// Read the stored alerts
    Alerts(alerts::Alerts),
    /// Look at a model, make a release of it
    #[command(subcommand)]
    Model(Model),
    /// Make and show the keys that releases are signed with
    #[command(subcommand)]
    Trust(update::Trust),
    /// Check the configuration and show what is in force
    Check(ConfigFile),
    /// Show how the running daemon is
    Status(Status),
    /// Say what this machine can and cannot see, and what is wrong with it
    Doctor(doctor::Doctor),
}

/// The option every command with a configuration has.
#[derive(Args, Clone, Debug)]
pub struct ConfigFile {
    /// Configuration file [default: /etc/picket/picket.toml if it exists]
    #[arg(short, long = "config", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `picket status`
#[derive(Args, Debug)]
pub struct Status {
    /// How it is printed
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = TextOrJson::Text)]
    pub output: TextOrJson,

    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// How a report is printed.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextOrJson {
    /// For reading
    Text,
    /// One JSON document
    Json,
}

/// `picket run`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  picket run -i br-lan
  picket run -i br-lan -i wan --broker mqtt://192.168.1.10
  picket run -c /etc/picket/picket.toml

Needs CAP_NET_RAW. Started as root it becomes the user capture.user after opening what it needs.")]
pub struct Run {
    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigFile,

    /// Interface to watch, in place of capture.interfaces; may be given several times
    #[arg(short, long = "interface", value_name = "IFACE")]
    pub interfaces: Vec<String>,

    /// Model to score with, in place of model.path and model.more; may be given several times
    #[arg(long = "model", value_name = "FILE")]
    pub models: Vec<PathBuf>,

    /// Management broker, in place of publish.broker
    #[arg(long, value_name = "URL")]
    pub broker: Option<String>,
}

/// The captures that a command reads.
#[derive(Args, Clone, Debug)]
pub struct Captures {
    /// Captures in this order, pcap or pcapng, also compressed by gzip or zstd; - is standard input,
    /// tcp://HOST:PORT a sender of pcap-over-IP
    #[arg(required_unless_present = "watch", value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Wait at the end of the file for more, until interrupted
    #[arg(long, conflicts_with = "watch")]
    pub follow: bool,

    /// Read a folder of captures that are written one after another, until interrupted
    #[arg(long, value_name = "DIR", conflicts_with = "files")]
    pub watch: Option<PathBuf>,

    /// Read only packets that pass this expression, as tcpdump takes it
    #[arg(long, value_name = "EXPR")]
    pub filter: Option<String>,
}

impl Captures {
    /// What was named: the files, or the folder.
    pub(super) fn names(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().chain(&self.watch).map(PathBuf::as_path)
    }
}

/// `picket replay`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  picket replay capture.pcap
  picket replay --output table --stats monday.pcapng tuesday.pcap
  tcpdump -w - -i br-lan | picket replay -
  picket replay --follow growing.pcapng
  picket replay --watch /var/captures --filter 'tcp port 1883'
  picket replay tcp://192.168.1.1:57012

A file that is cut off or damaged is read as far as there are packets in it, with a warning on
stderr. Followed files are looked at four times a second, watched folders every second; what was
found in the last second of packets is reported once a later packet comes.

Alerts go to stdout, statistics to stderr. Only packet time counts: the same capture always gives
the same bytes.")]
pub struct Replay {
    /// What is read.
    #[command(flatten)]
    pub captures: Captures,

    /// How alerts are printed
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = AlertFormat::Jsonl)]
    pub output: AlertFormat,

    /// Model to score with, in place of model.path and model.more; may be given several times
    #[arg(long = "model", value_name = "FILE", conflicts_with = "no_model")]
    pub models: Vec<PathBuf>,

    /// Work with the rules alone
    #[arg(long)]
    pub no_model: bool,

    /// Work with the models alone
    #[arg(long, conflicts_with = "no_model")]
    pub no_rules: bool,

    /// Print events too: breaches of the standard, attempts to hide, MQTT where none is expected
    #[arg(long)]
    pub events: bool,

    /// Print counters and timing at the end
    #[arg(long)]
    pub stats: bool,

    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// How `replay` prints alerts.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum AlertFormat {
    /// One JSON object a line, as published
    Jsonl,
    /// Comma-separated values with a header
    Csv,
    /// For reading
    Table,
    /// Nothing; for measuring
    None,
}

/// `picket inspect`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  picket inspect capture.pcap
  picket inspect --top 50 monday.pcapng tuesday.pcap
  picket inspect --packets capture.pcap | grep 'PUBLISH.*topic=\"home/door\"'
  picket inspect --packets --output json capture.pcap | jq 'select(.fields.violations)'
  picket inspect --output json capture.pcap | jq .control_packets
  tcpdump -w - -c 1000 port 1883 | picket inspect -

A line of --packets is: time, client, -> or <- (to or from the server), server, type, v=VERSION,
octets=SIZE, client=ID, then the fields of the packet. What came over the wire stands in double
quotes, with control characters escaped. Passwords and payloads are never shown, only their
lengths. Needs no configuration and no model.")]
pub struct Inspect {
    /// What is read.
    #[command(flatten)]
    pub captures: Captures,

    /// How it is printed
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = InspectFormat::Text)]
    pub output: InspectFormat,

    /// Print one line for each control packet instead of the summary
    #[arg(long)]
    pub packets: bool,

    /// Most frequent hosts, brokers, clients and topics to print of each
    #[arg(long, value_name = "N", default_value_t = 10, conflicts_with = "packets")]
    pub top: usize,

    /// Print the user names of CONNECT packets too, not only whether there is one
    #[arg(long)]
    pub user_names: bool,
}

/// How `inspect` prints.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum InspectFormat {
    /// For reading
    Text,
    /// One JSON document; with --packets, one JSON object a line
    Json,
}

/// `picket model`
#[derive(Subcommand, Debug)]
pub enum Model {
    /// Print name, version, schema, kind, size, classes, thresholds, vote and provenance of a model
    Show(ModelShow),
    /// Put a model and what is to be known of it into one file
    Bundle(update::ModelBundle),
    /// Sign a bundle
    Sign(update::SignFile),
    /// Check a bundle: signatures, times, and that the model loads
    Verify(update::ModelVerify),
    /// List the models on this sensor
    List(ModelState),
    /// Print where the update of the model is
    Status(ModelState),
    /// Go back to the model before, or to the factory's
    Rollback(ModelState),
    /// Try a release in this process, or serve the daemon by trying releases in others
    #[command(hide = true)]
    SelfTest(update::ModelSelfTest),
    /// Say on the broker what sensors are to install, and show how far they are
    Publish(Box<publish::ModelPublish>),
}

/// `picket model list`, `picket model status`, `picket model rollback`
#[derive(Args, Debug)]
pub struct ModelState {
    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// `picket model show`
#[derive(Args, Debug)]
pub struct ModelShow {
    /// The ONNX file [default: model.path and model.more of the configuration]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// How reading the command line ended before any command.
#[derive(Debug)]
pub struct Early {
    error: clap::Error,
}

impl Early {
    /// Prints help, with colours where the terminal takes them, or the version to stdout, or a usage error to
    /// stderr.
    pub fn print(&self) {
        // If stdout or stderr is closed there is nobody to tell.
        let _ = match self.error.kind() {
            // clap would write "picket 0.1.0"; the packagers' checks want the version alone.
            ErrorKind::DisplayVersion => writeln!(io::stdout(), "{}", self.text()),
            _ => self.error.print(),
        };
    }

    /// 0 after help or version, else 64.
    #[must_use]
    pub fn code(&self) -> u8 {
        if self.error.use_stderr() { sysexits::USAGE } else { 0 }
    }

    /// What `print` prints, without colours.
    #[must_use]
    pub fn text(&self) -> String {
        match self.error.kind() {
            ErrorKind::DisplayVersion => env!("CARGO_PKG_VERSION").to_owned(),
            _ => self.error.to_string(),
        }
    }
}

impl Cli {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// Help or version was asked for, or the line is wrong.
    pub fn read<I, T>(line: I) -> Result<Self, Early>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        Self::try_parse_from(line).map_err(|error| Early { error })
    }
}

/// A severity by its name.
fn severity(name: &str) -> Result<crate::alert::Severity, String> {
    use crate::alert::Severity;
    Severity::ALL
        .into_iter()
        .find(|severity| severity.name() == name)
        .ok_or_else(|| "is none of low, medium, high, critical".into())
}

#[cfg(test)]
mod tests {
    use super::alerts::{Alerts, AlertsCommand};
    use super::evaluate::Least;
    use super::extract::VectorFormat;
    use super::*;
    use clap::CommandFactory;

    fn read(line: &str) -> Result<Cli, Early> {
        Cli::read(std::iter::once("picket").chain(line.split_whitespace()))
    }

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn version_is_bare() {
        for flag in ["--version", "-V"] {
            let early = read(flag).expect_err("early");
            assert_eq!((early.text().as_str(), early.code()), (env!("CARGO_PKG_VERSION"), 0));
        }
    }

    #[test]
    fn usage_errors_are_64_and_help_is_0() {
        for line in [
            "",
            "fly",
            "run --no-such",
            "replay",
            "inspect",
            "extract x.pcap --output xml",
            "alerts",
            "alerts export",
            "model",
        ] {
            assert_eq!(read(line).expect_err(line).code(), sysexits::USAGE, "{line}");
        }
        for line in ["--help", "help", "run --help", "alerts list --help", "help model"] {
            assert_eq!(read(line).expect_err(line).code(), 0, "{line}");
        }
    }

    #[test]
    fn every_command_with_options_explains_them_and_the_main_ones_give_examples() {
        fn walk(command: &clap::Command) {
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
            assert!(command.get_about().is_some(), "{}", command.get_name());
            command.get_subcommands().for_each(walk);
        }
        let mut command = Cli::command();
        command.build();
        walk(&command);
        for name in ["run", "replay", "inspect", "extract", "evaluate", "alerts", "doctor"] {
            let help = read(&format!("{name} --help")).expect_err("help").text();
            assert!(help.contains("Examples:\n  picket "), "{help}");
        }
    }

    #[test]
    fn run_takes_several_interfaces() {
        let Command::Run(run) =
            read("run -c f.toml -i lo --interface br-lan --broker mqtt://b").expect("run").command
        else {
            panic!("another command");
        };
        assert_eq!(run.interfaces, ["lo", "br-lan"]);
        assert_eq!(run.broker.as_deref(), Some("mqtt://b"));
        assert_eq!(run.config.config, Some(PathBuf::from("f.toml")));
    }

    #[test]
    fn replay_defaults_and_exclusions() {
        let Command::Replay(replay) = read("replay a.pcap - --stats").expect("replay").command else {
            panic!("another command");
        };
        assert_eq!((replay.output, replay.stats, replay.no_model), (AlertFormat::Jsonl, true, false));
        assert_eq!(replay.captures.files, [PathBuf::from("a.pcap"), PathBuf::from("-")]);
        let Command::Replay(replay) = read("replay --watch d --filter tcp").expect("replay").command else {
            panic!("another command");
        };
        assert_eq!(replay.captures.watch, Some(PathBuf::from("d")));
        for line in ["replay a --watch d", "replay --follow --watch d", "replay --follow"] {
            assert_eq!(read(line).expect_err(line).code(), sysexits::USAGE, "{line}");
        }
        for line in
            ["replay a --model m --no-model", "replay a --no-model --no-rules", "replay a --output xml"]
        {
            assert_eq!(read(line).expect_err(line).code(), sysexits::USAGE);
        }
    }

    #[test]
    fn extract_names_its_schema() {
        let Command::Extract(extract) =
            read("extract x --schema siuru-window --window-ms 250").expect("it").command
        else {
            panic!("another command");
        };
        assert_eq!((extract.output, extract.schema), (VectorFormat::Csv, "siuru-window"));
        assert_eq!(extract.window_ms, 250);
        let Command::Extract(extract) =
            read("extract -i lo --seconds 3 --schema picket --output jsonl").expect("it").command
        else {
            panic!("another command");
        };
        assert_eq!((extract.interface.as_deref(), extract.seconds), (Some("lo"), Some(3)));
        assert_eq!(extract.schema, "picket-host");
        for line in [
            "extract",
            "extract x --schema none",
            "extract x --seconds 3",
            "extract x --write y",
            "extract x -i lo",
            "extract -i lo --seconds 0",
            "extract x --table-size 1",
        ] {
            assert_eq!(read(line).expect_err(line).code(), sysexits::USAGE, "{line}");
        }
    }

    #[test]
    fn help_tells_what_the_rows_of_each_schema_are() {
        let help = read("extract --help").expect_err("help").text();
        for entry in crate::extract::catalogue::Entry::all() {
            assert!(help.contains(&format!("- {}:", entry.name())), "{} in {help}", entry.name());
        }
    }

    #[test]
    fn measures_are_known_by_name() {
        let Command::Evaluate(evaluate) =
            read("evaluate a b --labels l --fail-below episodes.found=1").expect("it").command
        else {
            panic!("another command");
        };
        assert_eq!((evaluate.severity, evaluate.captures.len()), (crate::alert::Severity::Medium, 2));
        assert_eq!(evaluate.fail_below, [Least { name: "episodes.found".into(), least: 1.0 }]);
        for rest in
            ["", "a --fail-below accuracy=1", "a --fail-below macro_f1", "a --fail-below macro_f1=nan"]
        {
            assert_eq!(read(&format!("evaluate {rest}")).expect_err(rest).code(), sysexits::USAGE, "{rest}");
        }
    }

    #[test]
    fn alerts_are_filtered_by_known_names_only() {
        let line = "alerts list --since-seq 7 --class mqtt_slow_dos --severity high --limit 3 -c f";
        let Command::Alerts(Alerts { command: AlertsCommand::List(list) }) =
            read(line).expect("list").command
        else {
            panic!("another command");
        };
        assert_eq!(list.since_seq, Some(7));
        assert_eq!(list.class.map(crate::detect::class::Class::name), Some("mqtt_slow_dos"));
        assert_eq!(list.severity, Some(crate::alert::Severity::High));
        assert_eq!(list.limit, Some(3));
        for line in ["alerts list --class x", "alerts list --severity bad", "alerts list --limit 0"] {
            assert_eq!(read(line).expect_err(line).code(), sysexits::USAGE);
        }
    }
}
