//! The `message` of an alert: one plain sentence for the person who reads it first.

use core::fmt::Write;

use crate::alert::{Alert, Endpoint, Evidence, State};
use crate::detect::class::Class;

/// Says who does what, to whom, as which client, and by which figures it is known.
/// `client_id` is already escaped.
pub(super) fn of(alert: &Alert, client_id: Option<&str>) -> String {
    let mut text = alert.source.ip.to_string();
    text.push_str(match alert.state {
        State::Open => " is ",
        State::Update => " is still ",
        State::Closed => " has stopped ",
    });
    text.push_str(doing(alert.class));
    if let Some(destination) = &alert.destination {
        text.push_str(" at ");
        text.push_str(&address(destination));
    }
    if let Some(client_id) = client_id {
        text.push_str(" as client '");
        text.push_str(client_id);
        text.push('\'');
    }
    for (index, evidence) in alert.evidence.iter().enumerate() {
        text.push_str(if index == 0 { " (" } else { "; " });
        text.push_str(&figure(evidence));
    }
    text.push_str(if alert.evidence.is_empty() { "." } else { ")." });
    text
}

const fn doing(class: Class) -> &'static str {
    match class {
        Class::MqttBruteforce => "guessing user names or passwords",
        Class::MqttConnectFlood => "flooding the broker with connections",
        Class::MqttPublishFlood => "flooding the broker with messages",
        Class::MqttSlowDos => "holding sessions open without using them",
        Class::MqttMalformed => "sending malformed MQTT packets",
        Class::MqttRecon => "reading out what the broker offers",
        Class::MqttTampering => "acting in the name of other MQTT clients",
        Class::TcpScan => "scanning TCP ports",
        Class::UdpScan => "scanning UDP ports",
        Class::HostScan => "scanning hosts",
        Class::SshBruteforce => "guessing SSH logins",
        Class::TelnetBruteforce => "guessing Telnet logins",
        Class::SynFlood => "flooding with half-open TCP connections",
        Class::UdpFlood => "flooding with UDP datagrams",
        Class::AckFlood => "flooding with bare TCP acknowledgements",
        Class::HttpFlood => "flooding with HTTP requests",
        Class::ArpSpoof => "claiming the address of another station",
        Class::ProcessDeviation => "departing from its learned process",
        Class::Anomaly => "behaving unlike anything seen in training",
    }
}

fn address(endpoint: &Endpoint) -> String {
    match endpoint.port {
        Some(port) => core::net::SocketAddr::new(endpoint.ip, port).to_string(),
        None => endpoint.ip.to_string(),
    }
}

/// `connack_refused`, 12, `packets/60s` reads "connack refused: 12 packets in 60 s".
fn figure(evidence: &Evidence) -> String {
    let mut text = format!("{}: {}", evidence.name.replace('_', " "), evidence.value);
    let (unit, window) = match evidence.unit.split_once('/') {
        Some((unit, window)) => (unit, Some(window)),
        None => (evidence.unit, None),
    };
    if !unit.is_empty() {
        text.push(' ');
        text.push_str(unit);
    }
    if let Some(window) = window {
        let (digits, rest) =
            window.split_at(window.find(|c: char| !c.is_ascii_digit()).unwrap_or(window.len()));
        let written =
            if digits.is_empty() { write!(text, " per {rest}") } else { write!(text, " in {digits} {rest}") };
        written.expect("writing to a String does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::payload::tests::sample;

    #[test]
    fn the_state_is_told() {
        let mut alert = sample(b"x");
        alert.evidence.clear();
        alert.destination = None;
        alert.state = State::Update;
        assert_eq!(of(&alert, None), "127.0.66.1 is still guessing user names or passwords.");
        alert.state = State::Closed;
        assert_eq!(of(&alert, None), "127.0.66.1 has stopped guessing user names or passwords.");
    }

    #[test]
    fn an_ipv6_victim_has_brackets_before_its_port() {
        let mut alert = sample(b"x");
        alert.destination = Some(Endpoint { ip: "fd00::1".parse().unwrap(), port: Some(1883), mac: None });
        assert!(of(&alert, None).contains(" at [fd00::1]:1883 ("));
    }

    #[test]
    fn units_read_as_words() {
        let figure = |unit| figure(&Evidence { name: "open_sessions", unit, value: 3 });
        assert_eq!(figure("sessions"), "open sessions: 3 sessions");
        assert_eq!(figure("packets/10s"), "open sessions: 3 packets in 10 s");
        assert_eq!(figure("bytes/s"), "open sessions: 3 bytes per s");
        assert_eq!(figure(""), "open sessions: 3");
    }
}
