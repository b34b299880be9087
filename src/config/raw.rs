//! What is written in the file: every key optional, nothing checked but the kind of value.
//!
//! These structs are the one list of keys. The known names, the spelling suggestions and the effective
//! configuration are all taken from them, and a test holds `packaging/config/picket.toml` against them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One key of the file.
///
/// A value of the wrong kind is kept as [`Setting::Wrong`], so that one run reports all faults.
#[derive(Clone, Default, Debug)]
pub(super) enum Setting<T> {
    /// Not written; the default holds.
    #[default]
    Absent,
    /// Written with the right kind of value.
    Given(T),
    /// Written with another kind of value.
    Wrong,
}

/// What kind of value a key takes, in words for the user.
pub(super) trait Kind {
    /// Completes "must be ...".
    const KIND: &'static str;
}

impl Kind for bool {
    const KIND: &'static str = "true or false";
}
impl Kind for i64 {
    const KIND: &'static str = "a whole number";
}
impl Kind for String {
    const KIND: &'static str = "a text in quotes";
}
impl Kind for Vec<String> {
    const KIND: &'static str = "a list of texts, such as [\"eth0\"]";
}
impl Kind for Vec<i64> {
    const KIND: &'static str = "a list of whole numbers, such as [1883]";
}
impl Kind for Size {
    const KIND: &'static str = "a size such as \"8MiB\", or a whole number of bytes";
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(T::deserialize(deserializer).map_or(Self::Wrong, Self::Given))
    }
}

impl<T: Serialize> Serialize for Setting<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Given(value) => value.serialize(serializer),
            Self::Absent | Self::Wrong => serializer.serialize_none(),
        }
    }
}

/// A size in bytes as a number or as a text with a unit.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Size {
    /// Bytes.
    Bytes(i64),
    /// A number and one of `B`, `KiB`, `MiB`, `GiB`.
    Text(String),
}

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($key:ident: $kind:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Default, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        pub(super) struct $name { $(pub(super) $key: $kind),+ }
    };
}

section! {
    /// The whole file.
    RawConfig {
        sensor: RawSensor,
        capture: RawCapture,
        mqtt: RawMqtt,
        flow: RawFlow,
        rules: RawRules,
        model: RawModel,
        alert: RawAlert,
        sandbox: RawSandbox,
        store: RawStore,
        publish: RawPublish,
        update: RawUpdate,
        status: RawStatus,
        log: RawLog,
    }
}

section! {
    /// `[sensor]`
    RawSensor { name: Setting<String> }
}

section! {
    /// `[capture]`
    RawCapture {
        interfaces: Setting<Vec<String>>,
        filter: Setting<String>,
        snaplen: Setting<i64>,
        buffer_mib: Setting<i64>,
        promiscuous: Setting<bool>,
        immediate: Setting<bool>,
        user: Setting<String>,
    }
}

section! {
    /// `[mqtt]`
    RawMqtt { ports: Setting<Vec<i64>> }
}

section! {
    /// `[flow]`
    RawFlow { idle_timeout: Setting<String>, active_timeout: Setting<String> }
}

section! {
    /// `[rules]`
    RawRules {
        enabled: Setting<bool>,
        bruteforce: RawBruteforce,
        connect_flood: RawConnectFlood,
        publish_flood: RawPublishFlood,
        slow_dos: RawSlowDos,
        malformed: RawMalformed,
        recon: RawRecon,
        tampering: RawTampering,
        tcp_scan: RawTcpScan,
        udp_scan: RawUdpScan,
        host_scan: RawHostScan,
        login_bruteforce: RawLoginBruteforce,
        flood: RawFlood,
        arp_spoof: RawArpSpoof,
    }
}

section! {
    /// `[rules.bruteforce]`
    RawBruteforce { refused: Setting<i64>, credentials: Setting<i64> }
}

section! {
    /// `[rules.connect-flood]`
    RawConnectFlood { connects: Setting<i64> }
}

section! {
    /// `[rules.publish-flood]`
    RawPublishFlood { messages: Setting<i64>, retained: Setting<i64> }
}

section! {
    /// `[rules.slow-dos]`
    RawSlowDos { sessions: Setting<i64> }
}

section! {
    /// `[rules.malformed]`
    RawMalformed { events: Setting<i64> }
}

section! {
    /// `[rules.recon]`
    RawRecon { refused: Setting<i64> }
}

section! {
    /// `[rules.tampering]`
    RawTampering { wiped: Setting<i64> }
}

section! {
    /// `[rules.tcp-scan]`
    RawTcpScan { ports: Setting<i64> }
}

section! {
    /// `[rules.udp-scan]`
    RawUdpScan { ports: Setting<i64> }
}

section! {
    /// `[rules.host-scan]`
    RawHostScan { hosts: Setting<i64> }
}

section! {
    /// `[rules.login-bruteforce]`
    RawLoginBruteforce { ssh: Setting<i64>, telnet: Setting<i64> }
}

section! {
    /// `[rules.flood]`
    RawFlood { packets: Setting<i64> }
}

section! {
    /// `[rules.arp-spoof]`
    RawArpSpoof { claims: Setting<i64> }
}

section! {
    /// `[model]`
    RawModel { path: Setting<String>, more: Setting<Vec<String>>, on_missing: Setting<String> }
}

section! {
    /// `[alert]`
    RawAlert { update_every: Setting<String>, close_after: Setting<String> }
}

section! {
    /// `[sandbox]`
    RawSandbox { enabled: Setting<bool> }
}

section! {
    /// `[store]`
    RawStore { path: Setting<String>, byte_budget: Setting<Size> }
}

section! {
    /// `[publish]`
    RawPublish {
        broker: Setting<String>,
        protocol: Setting<String>,
        user: Setting<String>,
        password_file: Setting<String>,
        ca_file: Setting<String>,
        cert_file: Setting<String>,
        key_file: Setting<String>,
        keep_alive: Setting<String>,
        metrics_every: Setting<String>,
        home_assistant: Setting<String>,
    }
}

section! {
    /// `[update]`
    RawUpdate {
        enabled: Setting<bool>,
        trust_root: Setting<String>,
        path: Setting<String>,
        inbox: Setting<String>,
        time_mark: Setting<String>,
        channel: Setting<String>,
        transport: Setting<String>,
        ca_file: Setting<String>,
        max_model: Setting<Size>,
        max_memory: Setting<Size>,
        max_row_time: Setting<String>,
        stale_after: Setting<String>,
    }
}

section! {
    /// `[status]`
    RawStatus { socket: Setting<String> }
}

section! {
    /// `[log]`
    RawLog { level: Setting<String> }
}
