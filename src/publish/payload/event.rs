//! An event as JSON; the shape is fixed by `docs/schema/event.schema.json`.

use core::net::IpAddr;

use serde::Serialize;

use super::to_line;
use crate::event::{Event, Reaction};
use crate::flow::key::{Direction, Socket};
use crate::mqtt::packet::PacketType;
use crate::publish::rfc3339::Rfc3339;
use crate::publish::topics::SensorName;

/// `schema` of an event.
pub const EVENT_SCHEMA: &str = "picket.event/1";

#[derive(Serialize)]
struct EventDocument<'a> {
    schema: &'static str,
    ts: Rfc3339,
    sensor: &'a str,
    name: &'static str,
    what: &'static str,
    severity: &'static str,
    client: Address,
    server: Address,
    by: &'static str,
    packet: Option<&'static str>,
    reaction: &'static str,
}

#[derive(Serialize)]
struct Address {
    ip: IpAddr,
    port: u16,
}

impl From<Socket> for Address {
    fn from(socket: Socket) -> Self {
        Self { ip: socket.addr.ip(), port: socket.port }
    }
}

const fn culprit(event: &Event) -> &'static str {
    match event.direction {
        Direction::ToServer => "client",
        Direction::ToClient => "server",
    }
}

/// The event as one line of JSON, without a line end.
#[must_use]
pub fn event_json(event: &Event, sensor: &SensorName) -> String {
    to_line(&EventDocument {
        schema: EVENT_SCHEMA,
        ts: Rfc3339(event.ts),
        sensor: sensor.as_str(),
        name: event.name,
        what: event.what,
        severity: event.severity.name(),
        client: event.client.into(),
        server: event.server.into(),
        by: culprit(event),
        packet: event.packet_type.map(PacketType::name),
        reaction: event.reaction.name(),
    })
}

/// The event as a sentence for people.
#[must_use]
pub fn describe(event: &Event) -> String {
    let shown = |socket: Socket| match socket.addr.ip() {
        IpAddr::V4(ip) => format!("{ip}:{}", socket.port),
        IpAddr::V6(ip) => format!("[{ip}]:{}", socket.port),
    };
    let (client, server) = (shown(event.client), shown(event.server));
    let (who, other) = match event.direction {
        Direction::ToServer => (client, server),
        Direction::ToClient => (server, client),
    };
    let reaction = match event.reaction {
        Reaction::Closed => "; the connection was closed on it",
        Reaction::Answered => "; it was answered",
        Reaction::Ignored => "; there was no answer",
        Reaction::NotDue => "",
    };
    format!("{who} to {other}: {}{reaction}.", event.what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Severity;
    use crate::decode::Address as Ip;
    use crate::time::Timestamp;

    fn sample() -> Event {
        let socket = |last, port| Socket { addr: Ip::v4([10, 0, 0, last]), port };
        Event {
            ts: Timestamp::from_secs(1_790_000_000),
            name: "mqtt311:3.3.1-4",
            what: "QoS 3",
            severity: Severity::Medium,
            client: socket(7, 40_000),
            server: socket(1, 1883),
            direction: Direction::ToServer,
            packet_type: Some(PacketType::Publish),
            reaction: Reaction::Closed,
        }
    }

    #[test]
    fn has_the_shape_of_its_schema() {
        let json = event_json(&sample(), &"gw-1".parse().unwrap());
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../../docs/schema/event.schema.json")).unwrap();
        let document: serde_json::Value = serde_json::from_str(&json).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        assert!(validator.is_valid(&document), "{json}");
        assert_eq!(document["client"]["ip"], "10.0.0.7");
        assert_eq!(document["by"], "client");
    }

    #[test]
    fn as_a_sentence() {
        assert_eq!(
            describe(&sample()),
            "10.0.0.7:40000 to 10.0.0.1:1883: QoS 3; the connection was closed on it."
        );
    }
}
