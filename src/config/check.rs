//! From [`RawConfig`] to [`Config`]: defaults, ranges, and what must fit together.

use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use super::document::Lines;
use super::fault::Faults;
use super::raw::{
    Kind, RawCapture, RawConfig, RawFlow, RawModel, RawPublish, RawRules, RawStore, Setting, Size,
};
use super::value::{self, Interface};
use super::{
    Alerting, BrokerUrl, Capture, Config, Flow, Identity, Model, OnMissing, Overrides, Protocol, Publish,
    Rules, Store,
};
use crate::limits::MODELS;
use crate::publish::broker_url::BrokerUrlError;
use crate::publish::topics::{SensorName, is_level};

/// Ports that may be named in `mqtt.ports`, and interfaces in `capture.interfaces`.
const MAX_LIST: usize = 16;
/// Bytes of a path or a text; paths on Linux end at 4096.
const MAX_TEXT: usize = 4095;
/// Bytes of a socket's path (`sun_path` of unix(7), less its NUL).
const MAX_SOCKET: usize = 107;
/// One second.
const SECOND: Duration = Duration::from_secs(1);
/// One hour.
const HOUR: Duration = Duration::from_secs(3600);
/// One day.
const DAY: Duration = Duration::from_secs(86400);
/// Kernel buffer per interface by default: a 32-bit gateway rarely has more than 128 MiB in all.
const BUFFER_MIB: u16 = if cfg!(target_pointer_width = "64") { 32 } else { 8 };

/// Checks everything. Where a value is at fault its default stands in, so that the rest is checked too.
pub(super) fn check(
    raw: RawConfig,
    overrides: &Overrides,
    hostname: &str,
    lines: &Lines,
    faults: &mut Faults,
) -> Config {
    let mut check = Check { lines, faults };
    let sensor = check.value("sensor.name", raw.sensor.name, String::new(), |name| {
        if name.is_empty() {
            Ok(SensorName::from_hostname(hostname))
        } else {
            name.parse().map_err(|_| "must be 1 to 64 of A-Z a-z 0-9 _ -".to_owned())
        }
    });
    Config {
        sensor: sensor.unwrap_or_else(|| SensorName::from_hostname(hostname)),
        capture: check.capture(raw.capture, &overrides.interfaces),
        mqtt_ports: check
            .value("mqtt.ports", raw.mqtt.ports, vec![1883], ports)
            .unwrap_or_else(|| vec![1883]),
        flow: check.flow(raw.flow),
        rules: check.rules(raw.rules),
        model: check.model(raw.model, &overrides.models),
        alert: Alerting {
            update_every: check.duration("alert.update-every", raw.alert.update_every, 10, SECOND, HOUR),
            close_after: check.duration("alert.close-after", raw.alert.close_after, 60, SECOND, DAY),
        },
        sandbox: check.switch("sandbox.enabled", raw.sandbox.enabled, true),
        store: check.store(raw.store),
        publish: check.publish(raw.publish, overrides.broker.as_deref()),
        update: check.update(raw.update),
        status_socket: check.socket(raw.status.socket),
        log_level: check.choice(
            "log.level",
            raw.log.level,
            &[
                ("info", log::LevelFilter::Info),
                ("off", log::LevelFilter::Off),
                ("error", log::LevelFilter::Error),
                ("warn", log::LevelFilter::Warn),
                ("debug", log::LevelFilter::Debug),
                ("trace", log::LevelFilter::Trace),
            ],
        ),
    }
}

/// Where faults go while values are checked.
pub(super) struct Check<'a> {
    lines: &'a Lines,
    faults: &'a mut Faults,
}

impl Check<'_> {
    pub(super) fn fault(&mut self, key: &str, why: impl Into<String>) {
        self.faults.push(key, self.lines.of(key), why);
    }

    /// The value of `key` or its default, put through `judge`; `None` after a fault.
    pub(super) fn value<T: Kind, U>(
        &mut self,
        key: &str,
        setting: Setting<T>,
        default: T,
        judge: impl FnOnce(T) -> Result<U, String>,
    ) -> Option<U> {
        let value = match setting {
            Setting::Given(value) => value,
            Setting::Absent => default,
            Setting::Wrong => {
                self.fault(key, format!("must be {}", T::KIND));
                return None;
            }
        };
        judge(value).map_err(|why| self.fault(key, why)).ok()
    }

    /// A whole number within `min..=max`.
    fn number<N>(&mut self, key: &str, setting: Setting<i64>, default: N, min: N, max: N) -> N
    where
        N: Copy + Into<i64> + TryFrom<i64> + PartialOrd + Display,
    {
        self.value(key, setting, default.into(), |value| {
            N::try_from(value)
                .ok()
                .filter(|value| (min..=max).contains(value))
                .ok_or_else(|| format!("must be in {min}..={max}, not {value}"))
        })
        .unwrap_or(default)
    }

    /// A duration within `min..=max`, written as text such as "90s" or "5m"; the default is in seconds.
    pub(super) fn duration(
        &mut self,
        key: &str,
        setting: Setting<String>,
        default: u64,
        min: Duration,
        max: Duration,
    ) -> Duration {
        let default = Duration::from_secs(default);
        self.value(key, setting, value::write_duration(default), |text| {
            humantime::parse_duration(&text)
                .map_err(|_| "must be a duration such as \"90s\", \"5m\" or \"1h 30m\"".to_owned())
                .and_then(|duration| {
                    let range = (value::write_duration(min), value::write_duration(max));
                    if (min..=max).contains(&duration) {
                        Ok(duration)
                    } else {
                        Err(format!("must be from {} to {}", range.0, range.1))
                    }
                })
        })
        .unwrap_or(default)
    }

    /// One of some names; the first is the default.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &str,
        setting: Setting<String>,
        choices: &[(&str, T)],
    ) -> T {
        let (name, default) = choices[0];
        self.value(key, setting, name.to_owned(), |text| {
            choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| {
                let names: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
                format!("must be one of {}", names.join(", "))
            })
        })
        .unwrap_or(default)
    }

    pub(super) fn switch(&mut self, key: &str, setting: Setting<bool>, default: bool) -> bool {
        self.value(key, setting, default, Ok).unwrap_or(default)
    }

    /// A text without NUL, not overlong.
    fn text(&mut self, key: &str, setting: Setting<String>, default: &str) -> String {
        self.value(key, setting, default.to_owned(), sound_text).unwrap_or_else(|| default.to_owned())
    }

    /// A text that may be empty, which means none.
    pub(super) fn optional(&mut self, key: &str, setting: Setting<String>, default: &str) -> Option<String> {
        Some(self.text(key, setting, default)).filter(|text| !text.is_empty())
    }

    fn capture(&mut self, raw: RawCapture, from_command_line: &[String]) -> Capture {
        let (key, named) = if from_command_line.is_empty() {
            ("capture.interfaces", raw.interfaces)
        } else {
            ("-i", Setting::Given(from_command_line.to_vec()))
        };
        Capture {
            interfaces: self.value(key, named, Vec::new(), |names| interfaces(&names)).unwrap_or_default(),
            filter: self.text("capture.filter", raw.filter, "tcp or udp or arp or icmp or icmp6"),
            snaplen: self.number("capture.snaplen", raw.snaplen, 65535, 96, 262_144),
            buffer_mib: self.number("capture.buffer-mib", raw.buffer_mib, BUFFER_MIB, 1, 1024),
            promiscuous: self.switch("capture.promiscuous", raw.promiscuous, true),
            immediate: self.switch("capture.immediate", raw.immediate, false),
            user: self
                .value("capture.user", raw.user, "picket".into(), user)
                .unwrap_or_else(|| "picket".into()),
        }
    }

    fn flow(&mut self, raw: RawFlow) -> Flow {
        let flow = Flow {
            idle_timeout: self.duration("flow.idle-timeout", raw.idle_timeout, 60, SECOND, HOUR),
            active_timeout: self.duration("flow.active-timeout", raw.active_timeout, 300, SECOND, DAY),
        };
        if flow.idle_timeout > flow.active_timeout {
            self.fault("flow.idle-timeout", "must not be longer than flow.active-timeout");
        }
        flow
    }

    fn rules(&mut self, raw: RawRules) -> Rules {
        let mut threshold = |key, setting, default| self.number::<u16>(key, setting, default, 1, 60_000);
        Rules {
            bruteforce_refused: threshold("rules.bruteforce.refused", raw.bruteforce.refused, 6),
            bruteforce_credentials: threshold("rules.bruteforce.credentials", raw.bruteforce.credentials, 4),
            connect_flood_connects: threshold("rules.connect-flood.connects", raw.connect_flood.connects, 30),
            publish_flood_messages: threshold(
                "rules.publish-flood.messages",
                raw.publish_flood.messages,
                1000,
            ),
            publish_flood_retained: threshold(
                "rules.publish-flood.retained",
                raw.publish_flood.retained,
                5000,
            ),
            slow_dos_sessions: threshold("rules.slow-dos.sessions", raw.slow_dos.sessions, 10),
            malformed_events: threshold("rules.malformed.events", raw.malformed.events, 10),
            recon_refused: threshold("rules.recon.refused", raw.recon.refused, 10),
            tampering_wiped: threshold("rules.tampering.wiped", raw.tampering.wiped, 20),
            tcp_scan_ports: threshold("rules.tcp-scan.ports", raw.tcp_scan.ports, 10),
            udp_scan_ports: threshold("rules.udp-scan.ports", raw.udp_scan.ports, 24),
            host_scan_hosts: threshold("rules.host-scan.hosts", raw.host_scan.hosts, 48),
            login_bruteforce_ssh: threshold("rules.login-bruteforce.ssh", raw.login_bruteforce.ssh, 20),
            login_bruteforce_telnet: threshold(
                "rules.login-bruteforce.telnet",
                raw.login_bruteforce.telnet,
                10,
            ),
            flood_packets: threshold("rules.flood.packets", raw.flood.packets, 2000),
            arp_spoof_claims: threshold("rules.arp-spoof.claims", raw.arp_spoof.claims, 5),
            enabled: self.switch("rules.enabled", raw.enabled, true),
        }
    }

    fn model(&mut self, raw: RawModel, from_command_line: &[PathBuf]) -> Model {
        let path = self.optional("model.path", raw.path, "/usr/share/picket/default.onnx").map(PathBuf::from);
        let more = self.value("model.more", raw.more, Vec::new(), further_models).unwrap_or_default();
        let (path, more) = match from_command_line.split_first() {
            Some((first, rest)) => (Some(first.clone()), rest.to_vec()),
            None => (path, more),
        };
        Model {
            path,
            more,
            on_missing: self.choice(
                "model.on-missing",
                raw.on_missing,
                &[("rules-only", OnMissing::RulesOnly), ("refuse", OnMissing::Refuse)],
            ),
        }
    }

    fn store(&mut self, raw: RawStore) -> Store {
        const DEFAULT: &str = "/var/lib/picket";
        let path = self.optional("store.path", raw.path, DEFAULT).unwrap_or_else(|| {
            self.fault("store.path", "must not be empty: no alert is published before it is stored");
            DEFAULT.to_owned()
        });
        let byte_budget = self.size("store.byte-budget", raw.byte_budget, 4 << 20, 64 << 10, 1 << 30);
        Store { path: path.into(), byte_budget }
    }

    /// One level of a topic, or empty, which means none.
    pub(super) fn level(&mut self, key: &str, setting: Setting<String>) -> Option<String> {
        let level = self.value(key, setting, String::new(), |text| {
            if text.is_empty() || is_level(&text) {
                Ok(Some(text).filter(|text| !text.is_empty()))
            } else {
                Err("must be 1 to 64 of A-Z a-z 0-9 _ -, or empty".into())
            }
        });
        level.flatten()
    }

    /// A number of bytes within `min..=max`.
    pub(super) fn size(
        &mut self,
        key: &str,
        setting: Setting<Size>,
        default: u64,
        min: u64,
        max: u64,
    ) -> u64 {
        let written = Size::Text(value::write_bytes(default));
        let size = self.value(key, setting, written, |size| {
            let bytes = match size {
                Size::Bytes(bytes) => u64::try_from(bytes).ok(),
                Size::Text(text) => value::bytes(&text),
            };
            match bytes {
                Some(bytes) if (min..=max).contains(&bytes) => Ok(bytes),
                Some(_) => {
                    Err(format!("must be from {} to {}", value::write_bytes(min), value::write_bytes(max)))
                }
                None => Err(format!("must be {}", Size::KIND)),
            }
        });
        size.unwrap_or(default)
    }

    fn publish(&mut self, raw: RawPublish, from_command_line: Option<&str>) -> Publish {
        let (key, url) = match from_command_line {
            Some(url) => ("--broker", Setting::Given(url.to_owned())),
            None => ("publish.broker", raw.broker),
        };
        let broker = self
            .value(key, url, "mqtt://127.0.0.1:1883".into(), |url| {
                if url.is_empty() {
                    Ok(None)
                } else {
                    url.parse().map(Some).map_err(|error: BrokerUrlError| error.to_string())
                }
            })
            .flatten();
        let tls = broker.as_ref().is_some_and(BrokerUrl::is_tls);
        if tls && !cfg!(feature = "tls") {
            self.fault(key, "mqtts needs a Picket built with the feature `tls`");
        }
        let publish = Publish {
            user: self.optional("publish.user", raw.user, ""),
            password_file: self.optional("publish.password-file", raw.password_file, "").map(PathBuf::from),
            ca_file: self.optional("publish.ca-file", raw.ca_file, "").map(PathBuf::from),
            identity: self.identity(raw.cert_file, raw.key_file),
            protocol: self.choice(
                "publish.protocol",
                raw.protocol,
                &[("5", Protocol::V5), ("3.1.1", Protocol::V311)],
            ),
            keep_alive: self.keep_alive(raw.keep_alive),
            metrics_every: self.duration("publish.metrics-every", raw.metrics_every, 60, SECOND, HOUR),
            home_assistant: self.level("publish.home-assistant", raw.home_assistant),
            broker,
        };
        if publish.password_file.is_some() && publish.user.is_none() {
            self.fault(
                "publish.password-file",
                "needs publish.user (MQTT 3.1.1 has no password without one)",
            );
        }
        if tls && cfg!(feature = "tls") && publish.ca_file.is_none() {
            self.fault("publish.ca-file", "is needed with an mqtts:// broker: the system's list is not used");
        }
        if publish.broker.is_some() && !tls {
            // Written down but without effect, it would make an open connection look protected.
            if publish.ca_file.is_some() {
                self.fault("publish.ca-file", "has no effect without an mqtts:// broker");
            }
            if publish.identity.is_some() {
                self.fault("publish.cert-file", "has no effect without an mqtts:// broker");
            }
        }
        publish
    }

    fn identity(&mut self, cert: Setting<String>, key: Setting<String>) -> Option<Identity> {
        let cert = self.optional("publish.cert-file", cert, "");
        let key = self.optional("publish.key-file", key, "");
        match (cert, key) {
            (Some(cert), Some(key)) => Some(Identity { cert_file: cert.into(), key_file: key.into() }),
            (Some(_), None) => {
                self.fault("publish.cert-file", "needs publish.key-file");
                None
            }
            (None, Some(_)) => {
                self.fault("publish.key-file", "needs publish.cert-file");
                None
            }
            (None, None) => None,
        }
    }

    /// Whole seconds in 16 bits (MQTT 5.0, section 3.1.2.10).
    fn keep_alive(&mut self, setting: Setting<String>) -> Duration {
        let longest = Duration::from_secs(u64::from(u16::MAX));
        let key = "publish.keep-alive";
        let keep_alive = self.duration(key, setting, 30, Duration::from_secs(5), longest);
        if keep_alive.subsec_nanos() != 0 {
            self.fault(key, "must be whole seconds");
        }
        keep_alive
    }

    fn socket(&mut self, setting: Setting<String>) -> Option<PathBuf> {
        self.value("status.socket", setting, "/run/picket/picket.sock".into(), |path| {
            let path = sound_text(path)?;
            if path.len() > MAX_SOCKET {
                return Err(format!("must have at most {MAX_SOCKET} bytes (unix(7))"));
            }
            Ok((!path.is_empty()).then(|| PathBuf::from(path)))
        })
        .flatten()
    }
}

/// A text that the system's calls can take.
fn sound_text(text: String) -> Result<String, String> {
    if text.len() > MAX_TEXT {
        return Err(format!("must have at most {MAX_TEXT} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err("must not hold control characters".into());
    }
    Ok(text)
}

/// A name as useradd(8) takes it.
fn user(name: String) -> Result<String, String> {
    let body = name.strip_suffix('$').unwrap_or(&name);
    let starts = body.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if !starts || name.len() > 32 || !body.chars().all(sound) {
        return Err("must be a user name: a-z 0-9 _ -, at most 32".into());
    }
    if name == "root" {
        return Err("must not be root: name a user without rights, such as nobody".into());
    }
    Ok(name)
}

/// Interface names, each once.
fn interfaces(names: &[String]) -> Result<Vec<Interface>, String> {
    if names.len() > MAX_LIST {
        return Err(format!("must name at most {MAX_LIST} interfaces"));
    }
    let mut list: Vec<Interface> = Vec::with_capacity(names.len());
    for name in names {
        let interface = Interface::new(name)?;
        if list.contains(&interface) {
            return Err(format!("names {interface} twice"));
        }
        list.push(interface);
    }
    Ok(list)
}

/// Port numbers, each once.
fn further_models(paths: Vec<String>) -> Result<Vec<PathBuf>, String> {
    if paths.len() >= MODELS {
        return Err(format!("must name at most {} models", MODELS - 1));
    }
    if paths.iter().any(String::is_empty) {
        return Err("must not hold an empty path".to_owned());
    }
    Ok(paths.into_iter().map(PathBuf::from).collect())
}

fn ports(numbers: Vec<i64>) -> Result<Vec<u16>, String> {
    if numbers.is_empty() || numbers.len() > MAX_LIST {
        return Err(format!("must name 1 to {MAX_LIST} ports"));
    }
    let mut list = Vec::with_capacity(numbers.len());
    for number in numbers {
        let port = u16::try_from(number)
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| format!("must hold ports in 1..=65535, not {number}"))?;
        if list.contains(&port) {
            return Err(format!("names {port} twice"));
        }
        list.push(port);
    }
    Ok(list)
}
