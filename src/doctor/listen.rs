//! The brokers of this machine, and whether what is watched sees their clients.

use std::net::IpAddr;

use super::facts::{Listener, Snapshot};
use super::finding::Finding;

/// MQTT in clear (IANA: mqtt).
const PLAIN: u16 = 1883;
/// MQTT in TLS (IANA: secure-mqtt).
const TLS: u16 = 8883;
/// MQTT in WebSocket: mosquitto's own custom.
const WEBSOCKET: u16 = 9001;

/// Ports on which a listener is taken for a broker, beside those of the configuration.
pub(super) const BROKER_PORTS: [u16; 3] = [PLAIN, TLS, WEBSOCKET];

pub(super) fn check(facts: &Snapshot, out: &mut Vec<Finding>) {
    let Some(listeners) = &facts.listeners else {
        out.push(Finding::info(
            "broker.unknown",
            "/proc/net/tcp cannot be read: brokers of this machine are not known",
            "",
        ));
        return;
    };
    let configured = &facts.config.mqtt_ports;
    let brokers: Vec<&Listener> = listeners
        .iter()
        .filter(|one| BROKER_PORTS.contains(&one.port) || configured.contains(&one.port))
        .collect();
    if brokers.is_empty() {
        out.push(Finding::info(
            "broker.none",
            "no broker listens here: only MQTT that passes a watched interface on its way elsewhere is seen",
            "",
        ));
        return;
    }
    let mut ports: Vec<u16> = brokers.iter().map(|one| one.port).collect();
    ports.sort_unstable();
    ports.dedup();
    let texts: Vec<String> = ports.iter().map(u16::to_string).collect();
    out.push(Finding::ok("broker.found", format!("a broker listens on port {}", texts.join(", "))));

    if !facts.config.watches("lo") {
        loopback(&brokers, &ports, out);
    }
    if ports.iter().all(|port| *port == TLS) {
        out.push(Finding::warning(
            "broker.tls-only",
            "the broker takes TLS only: of its clients, handshakes, sizes and timing are seen, no control packets",
            "end TLS in front of the broker and watch lo, or give it a listener in clear on loopback for that",
        ));
    }
    if ports.contains(&PLAIN) && !configured.contains(&PLAIN) {
        out.push(Finding::warning(
            "broker.port",
            "port 1883 is in use and not in mqtt.ports: connections that were open before picket are not recognised",
            "add 1883 to mqtt.ports",
        ));
    }
    if ports.contains(&WEBSOCKET) && !configured.contains(&WEBSOCKET) {
        out.push(Finding::info(
            "broker.websocket",
            "port 9001: MQTT in WebSocket is read in connections seen from their beginning",
            "",
        ));
    }
}

/// What loopback hides when it is not watched.
fn loopback(brokers: &[&Listener], ports: &[u16], out: &mut Vec<Finding>) {
    let only_loopback = |port: &&u16| {
        brokers.iter().filter(|one| one.port == **port).all(|one| one.address.to_canonical().is_loopback())
    };
    let hidden: Vec<String> = ports.iter().filter(only_loopback).map(u16::to_string).collect();
    if !hidden.is_empty() {
        out.push(Finding::warning(
            "broker.loopback",
            format!("port {} is reached over loopback alone, which is not watched", hidden.join(", ")),
            "add lo to capture.interfaces",
        ));
    }
    if brokers.iter().any(|one| is_any(one.address)) {
        out.push(Finding::info(
            "broker.local-clients",
            "clients on this machine talk to the broker over loopback, which is not watched",
            "add lo to capture.interfaces if there are such clients",
        ));
    }
}

fn is_any(address: IpAddr) -> bool {
    address.to_canonical().is_unspecified()
}
