//! From [`Config`] back to text, and the list of all keys.

use std::path::Path;

use super::raw::{
    RawAlert, RawArpSpoof, RawBruteforce, RawCapture, RawConfig, RawConnectFlood, RawFlood, RawFlow,
    RawHostScan, RawLog, RawLoginBruteforce, RawMalformed, RawModel, RawMqtt, RawPublish, RawPublishFlood,
    RawRecon, RawRules, RawSandbox, RawSensor, RawSlowDos, RawStatus, RawStore, RawTampering, RawTcpScan,
    RawUdpScan, RawUpdate, Setting, Size,
};
use super::value::{write_bytes, write_duration};
use super::{Capture, Config, OnMissing, Protocol, Publish, Rules, Transport, Update};

/// Every section and key there is. The values are of no meaning.
pub(super) fn known_keys() -> toml::Table {
    toml::Table::try_from(written(&Config::default()))
        .expect("plain sections of plain values are a TOML table")
}

/// Every key with the value in force.
pub(super) fn effective_toml(config: &Config) -> String {
    toml::to_string(&written(config)).expect("plain sections of plain values are writable as TOML")
}

/// As one would have to write it. The struct literals name every field, so no key can be forgotten.
fn written(config: &Config) -> RawConfig {
    RawConfig {
        sensor: RawSensor { name: given(config.sensor.to_string()) },
        capture: capture(&config.capture),
        mqtt: RawMqtt { ports: given(config.mqtt_ports.iter().copied().map(i64::from).collect()) },
        flow: RawFlow {
            idle_timeout: given(write_duration(config.flow.idle_timeout)),
            active_timeout: given(write_duration(config.flow.active_timeout)),
        },
        rules: rules(&config.rules),
        model: RawModel {
            path: optional(config.model.path.as_deref()),
            more: given(config.model.more.iter().map(|path| path.to_string_lossy().into_owned()).collect()),
            on_missing: given(
                match config.model.on_missing {
                    OnMissing::RulesOnly => "rules-only",
                    OnMissing::Refuse => "refuse",
                }
                .into(),
            ),
        },
        alert: RawAlert {
            update_every: given(write_duration(config.alert.update_every)),
            close_after: given(write_duration(config.alert.close_after)),
        },
        sandbox: RawSandbox { enabled: given(config.sandbox) },
        store: RawStore {
            path: optional(Some(&config.store.path)),
            byte_budget: given(Size::Text(write_bytes(config.store.byte_budget))),
        },
        publish: publish(&config.publish),
        update: update(&config.update),
        status: RawStatus { socket: optional(config.status_socket.as_deref()) },
        log: RawLog { level: given(config.log_level.as_str().to_ascii_lowercase()) },
    }
}

fn capture(capture: &Capture) -> RawCapture {
    RawCapture {
        interfaces: given(capture.interfaces.iter().map(ToString::to_string).collect()),
        filter: given(capture.filter.clone()),
        snaplen: given(capture.snaplen.into()),
        buffer_mib: given(capture.buffer_mib.into()),
        promiscuous: given(capture.promiscuous),
        immediate: given(capture.immediate),
        user: given(capture.user.clone()),
    }
}

fn rules(rules: &Rules) -> RawRules {
    RawRules {
        enabled: given(rules.enabled),
        bruteforce: RawBruteforce {
            refused: given(rules.bruteforce_refused.into()),
            credentials: given(rules.bruteforce_credentials.into()),
        },
        connect_flood: RawConnectFlood { connects: given(rules.connect_flood_connects.into()) },
        publish_flood: RawPublishFlood {
            messages: given(rules.publish_flood_messages.into()),
            retained: given(rules.publish_flood_retained.into()),
        },
        slow_dos: RawSlowDos { sessions: given(rules.slow_dos_sessions.into()) },
        malformed: RawMalformed { events: given(rules.malformed_events.into()) },
        recon: RawRecon { refused: given(rules.recon_refused.into()) },
        tampering: RawTampering { wiped: given(rules.tampering_wiped.into()) },
        tcp_scan: RawTcpScan { ports: given(rules.tcp_scan_ports.into()) },
        udp_scan: RawUdpScan { ports: given(rules.udp_scan_ports.into()) },
        host_scan: RawHostScan { hosts: given(rules.host_scan_hosts.into()) },
        login_bruteforce: RawLoginBruteforce {
            ssh: given(rules.login_bruteforce_ssh.into()),
            telnet: given(rules.login_bruteforce_telnet.into()),
        },
        flood: RawFlood { packets: given(rules.flood_packets.into()) },
        arp_spoof: RawArpSpoof { claims: given(rules.arp_spoof_claims.into()) },
    }
}

fn publish(publish: &Publish) -> RawPublish {
    let identity = publish.identity.as_ref();
    RawPublish {
        broker: given(publish.broker.as_ref().map(ToString::to_string).unwrap_or_default()),
        protocol: given(
            match publish.protocol {
                Protocol::V5 => "5",
                Protocol::V311 => "3.1.1",
            }
            .into(),
        ),
        user: given(publish.user.clone().unwrap_or_default()),
        password_file: optional(publish.password_file.as_deref()),
        ca_file: optional(publish.ca_file.as_deref()),
        cert_file: optional(identity.map(|identity| identity.cert_file.as_path())),
        key_file: optional(identity.map(|identity| identity.key_file.as_path())),
        keep_alive: given(write_duration(publish.keep_alive)),
        metrics_every: given(write_duration(publish.metrics_every)),
        home_assistant: given(publish.home_assistant.clone().unwrap_or_default()),
    }
}

fn update(update: &Update) -> RawUpdate {
    RawUpdate {
        enabled: given(update.enabled),
        trust_root: optional(Some(&update.trust_root)),
        path: optional(Some(&update.path)),
        inbox: optional(update.inbox.as_deref()),
        time_mark: optional(update.time_mark.as_deref()),
        channel: given(update.channel.clone().unwrap_or_default()),
        transport: given(
            match update.transport {
                Transport::Any => "any",
                Transport::Https => "https",
                Transport::Mqtt => "mqtt",
            }
            .into(),
        ),
        ca_file: optional(update.ca_file.as_deref()),
        max_model: given(Size::Text(write_bytes(update.max_model))),
        max_memory: given(Size::Text(write_bytes(update.max_memory))),
        max_row_time: given(write_duration(update.max_row_time)),
        stale_after: given(write_duration(update.stale_after)),
    }
}

fn given<T>(value: T) -> Setting<T> {
    Setting::Given(value)
}

/// A path, or the empty text for none. Configured paths come from TOML, hence are UTF-8.
fn optional(path: Option<&Path>) -> Setting<String> {
    given(path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default())
}
