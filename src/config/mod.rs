//! The configuration: what is written (`raw`), what is meant ([`Config`]), and what is wrong with it
//! ([`Fault`]).
//!
//! A file is TOML with kebab-case keys, or, on OpenWrt, UCI (`uci.rs`). Unknown keys are faults, never ignored: a misspelt threshold must not
//! silently keep its default. One reading reports every fault with its key path and line. A [`Config`] only
//! comes out of [`Config::parse`], [`Config::load`] or [`Config::default`], so whoever holds one holds valid
//! values.

mod advice;
mod check;
mod document;
mod fault;
mod raw;
mod uci;
mod update;
mod value;
mod write;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use advice::{Advice, advice};
pub(crate) use document::{LineIndex, join, shorten, unknown};
pub use fault::{ConfigError, Fault};
pub(crate) use fault::{Faults, Summary};
pub use update::{CLOCK_MARKS, Update};
pub use value::Interface;

pub use crate::publish::broker_url::BrokerUrl;
pub use crate::publish::config::Protocol;
pub use crate::publish::topics::SensorName;
pub use crate::update::document::Transport;

/// Read when no `-c` is given, and not an error when it does not exist.
pub const DEFAULT_PATH: &str = "/etc/picket/picket.toml";

/// Bytes of the largest file that is read.
const MAX_FILE: u64 = 1 << 20;

/// A valid configuration.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    sensor: SensorName,
    capture: Capture,
    mqtt_ports: Vec<u16>,
    flow: Flow,
    rules: Rules,
    model: Model,
    alert: Alerting,
    sandbox: bool,
    store: Store,
    publish: Publish,
    update: Update,
    status_socket: Option<PathBuf>,
    log_level: log::LevelFilter,
}

/// Where and how frames are captured.
#[derive(Clone, PartialEq, Debug)]
pub struct Capture {
    /// The interfaces, each named once. Empty when none is configured; see
    /// [`Config::interfaces_to_capture`].
    pub interfaces: Vec<Interface>,
    /// A BPF filter expression in libpcap's language; empty takes everything.
    pub filter: String,
    /// Bytes kept of a frame.
    pub snaplen: u32,
    /// Size of the kernel's buffer for each interface, in MiB.
    pub buffer_mib: u16,
    /// Whether frames for other stations are taken too.
    pub promiscuous: bool,
    /// Whether frames are handed over one by one instead of by full blocks.
    pub immediate: bool,
    /// The user to become when started as root; never `root`.
    pub user: String,
}

impl Capture {
    /// The size of the kernel's buffer in bytes, as libpcap takes it, below 2^31.
    #[must_use]
    pub fn buffer_bytes(&self) -> u32 {
        // At most 1024 MiB passes the check, which is 2^30.
        u32::from(self.buffer_mib) << 20
    }
}

/// When a flow record is written although nothing ended the flow (IPFIX terms, RFC 7011).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flow {
    /// Silence after which a flow counts as over.
    pub idle_timeout: Duration,
    /// Age at which a living flow is recorded.
    pub active_timeout: Duration,
}

/// The rules' thresholds, each 1 to 60000: the rule fires when one source reaches that number. Counted over
/// 60 s unless said otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Whether rules run at all.
    pub enabled: bool,
    /// `bruteforce.refused`: CONNACKs that refuse the user or the password.
    pub bruteforce_refused: u16,
    /// `bruteforce.credentials`: different user names or passwords tried.
    pub bruteforce_credentials: u16,
    /// `connect-flood.connects`: CONNECT packets.
    pub connect_flood_connects: u16,
    /// `publish-flood.messages`: PUBLISH packets without the retain flag in 10 s.
    pub publish_flood_messages: u16,
    /// `publish-flood.retained`: PUBLISH packets with the retain flag in 10 s.
    pub publish_flood_retained: u16,
    /// `slow-dos.sessions`: sessions held open and idle at once.
    pub slow_dos_sessions: u16,
    /// `malformed.events`: violations of the MQTT standard.
    pub malformed_events: u16,
    /// `recon.refused`: requests refused, and names they were about.
    pub recon_refused: u16,
    /// `tampering.wiped`: retained messages of others wiped.
    pub tampering_wiped: u16,
    /// `tcp-scan.ports`: different TCP ports tried without success.
    pub tcp_scan_ports: u16,
    /// `udp-scan.ports`: different UDP ports tried in vain.
    pub udp_scan_ports: u16,
    /// `host-scan.hosts`: different hosts tried in vain.
    pub host_scan_hosts: u16,
    /// `login-bruteforce.ssh`: connections to SSH, several to each host.
    pub login_bruteforce_ssh: u16,
    /// `login-bruteforce.telnet`: connections to Telnet.
    pub login_bruteforce_telnet: u16,
    /// `flood.packets`: segments, datagrams or requests in 10 s that lead to nothing.
    pub flood_packets: u16,
    /// `arp-spoof.claims`: claims of addresses of other stations.
    pub arp_spoof_claims: u16,
}

/// The models to score with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Model {
    /// The ONNX file; `None` when no model is wanted.
    pub path: Option<PathBuf>,
    /// Further ONNX files, for other rows or other questions.
    pub more: Vec<PathBuf>,
    /// What to do when a file is missing or refused.
    pub on_missing: OnMissing,
}

impl Model {
    /// All files, `path` first.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.path.iter().chain(&self.more).cloned().collect()
    }
}

/// What to do without a usable model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnMissing {
    /// Work with the rules and the other models, and say so in the health.
    RulesOnly,
    /// Do not start.
    Refuse,
}

/// The life of an incident.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alerting {
    /// Shortest time between two updates of one incident.
    pub update_every: Duration,
    /// Silence after which an incident is closed.
    pub close_after: Duration,
}

/// Where alerts are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Store {
    /// The store's folder.
    pub path: PathBuf,
    /// Bytes of alerts kept; the oldest go first.
    pub byte_budget: u64,
}

/// The management broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Publish {
    /// Where it is; `None` when nothing is to be published.
    pub broker: Option<BrokerUrl>,
    /// The version of MQTT spoken to it.
    pub protocol: Protocol,
    /// The user name to log in with.
    pub user: Option<String>,
    /// A file with the password; only with `user`.
    pub password_file: Option<PathBuf>,
    /// PEM certificates of the authorities trusted; always there with an `mqtts` broker.
    pub ca_file: Option<PathBuf>,
    /// PEM certificate chain and key to authenticate with; both or none, only with an `mqtts` broker.
    pub identity: Option<Identity>,
    /// Time between signs of life on a quiet connection. Whole seconds, 5 to 65535.
    pub keep_alive: Duration,
    /// Time between two messages of metrics.
    pub metrics_every: Duration,
    /// First level of the topics on which Home Assistant is told of this sensor.
    pub home_assistant: Option<String>,
}

/// A client certificate and its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// PEM certificate chain.
    pub cert_file: PathBuf,
    /// PEM private key.
    pub key_file: PathBuf,
}

/// What the command line says in place of the file.
#[derive(Clone, Default, Debug)]
pub struct Overrides {
    /// `-i`: these interfaces instead of the configured ones, when not empty.
    pub interfaces: Vec<String>,
    /// `--model`: these models instead of the configured ones, when not empty.
    pub models: Vec<PathBuf>,
    /// `--broker`: this broker instead of the configured one.
    pub broker: Option<String>,
}

impl Config {
    /// Reads the file at `path`, or [`DEFAULT_PATH`] where there is one, or takes the defaults; with
    /// `overrides` on top.
    ///
    /// # Errors
    /// The file cannot be read, or something in it is wrong.
    pub fn load(path: Option<&Path>, overrides: &Overrides) -> Result<Self, ConfigError> {
        let origin = path.unwrap_or_else(|| Path::new(DEFAULT_PATH));
        let text = match read(origin) {
            Ok(text) => text,
            Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => {
                return Err(ConfigError::Read { path: origin.to_owned(), source });
            }
        };
        Self::parse(&text, overrides, &hostname())
            .map_err(|faults| ConfigError::Invalid { origin: origin.to_owned(), faults })
    }

    /// Reads `text`, with `overrides` on top; a sensor without a name takes that of `hostname`.
    ///
    /// # Errors
    /// Every fault, in the order of the file; at least one.
    pub fn parse(text: &str, overrides: &Overrides, hostname: &str) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let read = if uci::is_uci(text) { uci::read } else { document::read };
        let (raw, lines) = read(text, &write::known_keys(), &mut faults);
        let config = check::check(raw, overrides, hostname, &lines, &mut faults);
        if faults.is_empty() { Ok(config) } else { Err(faults.into_list()) }
    }

    /// Every key with the value that is in force, as TOML. Holds no secrets, as the configuration holds none.
    #[must_use]
    pub fn effective_toml(&self) -> String {
        write::effective_toml(self)
    }

    /// The sensor's name in topics and alerts.
    #[must_use]
    pub fn sensor(&self) -> &SensorName {
        &self.sensor
    }

    /// Where and how frames are captured.
    #[must_use]
    pub fn capture(&self) -> &Capture {
        &self.capture
    }

    /// The interfaces to capture on: at least one. Only `run` needs them, so a file without them is valid.
    ///
    /// # Errors
    /// No interface is configured and none was given with `-i`.
    pub fn interfaces_to_capture(&self) -> Result<&[Interface], Fault> {
        if self.capture.interfaces.is_empty() {
            let why = "no interface is named: write it there or give -i IFACE, such as -i br-lan";
            return Err(Fault { key: "capture.interfaces".into(), line: None, why: why.into() });
        }
        Ok(&self.capture.interfaces)
    }

    /// TCP ports taken for MQTT even where the beginning of a connection was not seen. 1 to 16 of them.
    #[must_use]
    pub fn mqtt_ports(&self) -> &[u16] {
        &self.mqtt_ports
    }

    /// When flow records are written.
    #[must_use]
    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// The rules' thresholds.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// The models to score with.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The life of an incident.
    #[must_use]
    pub fn alert(&self) -> Alerting {
        self.alert
    }

    /// Where alerts are kept.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The management broker.
    #[must_use]
    pub fn publish(&self) -> &Publish {
        &self.publish
    }

    /// How models are updated from afar.
    #[must_use]
    pub const fn update(&self) -> &Update {
        &self.update
    }

    /// Whether the daemon locks itself in, see [`crate::sandbox`].
    #[must_use]
    pub const fn sandbox(&self) -> bool {
        self.sandbox
    }

    /// The socket that `picket status` asks; `None` when there is to be none.
    #[must_use]
    pub fn status_socket(&self) -> Option<&Path> {
        self.status_socket.as_deref()
    }

    /// The least severe log messages that are written.
    #[must_use]
    pub fn log_level(&self) -> log::LevelFilter {
        self.log_level
    }
}

impl Default for Config {
    /// What an empty file means, on a host without a name.
    fn default() -> Self {
        let mut faults = Faults::default();
        let lines = document::Lines::default();
        check::check(raw::RawConfig::default(), &Overrides::default(), "", &lines, &mut faults)
    }
}

/// Reads a text file of at most [`MAX_FILE`] bytes.
fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    let mut file = std::fs::File::open(path)?.take(MAX_FILE + 1);
    file.read_to_string(&mut text)?;
    if file.limit() == 0 {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "is larger than 1 MiB"));
    }
    Ok(text)
}

/// The kernel's name of this host; empty if it will not tell.
fn hostname() -> String {
    nix::sys::utsname::uname()
        .map(|names| names.nodename().to_string_lossy().into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
