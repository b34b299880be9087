//! What one end of a session of version 5 has allowed the other: Receive Maximum, Maximum Packet Size, QoS, topic aliases.

use picket::alert::Severity::{Low, Medium};
use picket::mqtt::violation::Violation as V;

use crate::case::{Case, Cases};
use crate::scene::Scene;
use crate::support::mqtt::{Ack, Properties, Publish, id};

/// A session in which the server allows this.
fn server_allows(scene: Scene, properties: Properties) -> Scene {
    scene.opens().connects(|c| c).accepts(|a| a.properties(properties))
}

/// A session in which the client allows this.
fn client_allows(scene: Scene, properties: Properties) -> Scene {
    scene.session_of(|c| c.properties(properties))
}

fn two(id: u8, value: u16) -> Properties {
    Properties::new().two(id, value)
}

pub fn add(list: &mut Vec<Case>) {
    receive_maximum(list);
    packet_size(list);
    aliases(list);
    server_aliases(list);
    Cases::v5(V::QosAboveMaximum, Low, "mqtt5:3.2.2-11")
        .closed(|s, v| {
            let s = server_allows(s, Properties::new().octet(id::MAXIMUM_QOS, 0));
            s.up(Publish::new(v, "a").qos(1, 1)).server_closes()
        })
        .legal(|s, v| {
            let s = server_allows(s, Properties::new().octet(id::MAXIMUM_QOS, 1));
            s.up(Publish::new(v, "a").qos(1, 1)).down(Ack::puback(1)).leaves()
        })
        .into(list);
    Cases::v5(V::RetainNotAvailable, Low, "mqtt5:3.2.2-14")
        .closed(|s, v| {
            let s = server_allows(s, Properties::new().octet(id::RETAIN_AVAILABLE, 0));
            s.up(Publish::new(v, "a").retain()).server_closes()
        })
        .legal(|s, v| {
            let s = server_allows(s, Properties::new().octet(id::RETAIN_AVAILABLE, 1));
            s.up(Publish::new(v, "a").retain()).leaves()
        })
        .into(list);
}

fn receive_maximum(list: &mut Vec<Case>) {
    for (name, other) in [("mqtt5:3.3.4-7", "mqtt5:4.9.0-2"), ("mqtt5:4.9.0-2", "mqtt5:3.3.4-7")] {
        Cases::v5(V::ReceiveMaximum, Low, name)
            .closed(|s, v| {
                let s = server_allows(s, two(id::RECEIVE_MAXIMUM, 1)).up(Publish::new(v, "a").qos(1, 1));
                s.up(Publish::new(v, "b").qos(1, 2)).server_closes()
            })
            .also([other])
            .legal(|s, v| {
                let s = server_allows(s, two(id::RECEIVE_MAXIMUM, 1)).up(Publish::new(v, "a").qos(1, 1));
                let s = s.up(Publish::new(v, "c")).down(Ack::puback(1));
                s.up(Publish::new(v, "b").qos(1, 2)).down(Ack::puback(2)).leaves()
            })
            .into(list);
    }
    for (name, other) in [("mqtt5:3.3.4-9", "mqtt5:4.9.0-2"), ("mqtt5:4.9.0-2", "mqtt5:3.3.4-9")] {
        Cases::v5(V::ServerReceiveMaximum, Low, name)
            .not_due(|s, v| {
                let s = client_allows(s, two(id::RECEIVE_MAXIMUM, 1)).down(Publish::new(v, "a").qos(1, 1));
                s.down(Publish::new(v, "b").qos(1, 2)).client_closes()
            })
            .also([other])
            .legal(|s, v| {
                let s = client_allows(s, two(id::RECEIVE_MAXIMUM, 1)).down(Publish::new(v, "a").qos(1, 1));
                let s = s.up(Ack::puback(1)).down(Publish::new(v, "b").qos(1, 2));
                s.up(Ack::puback(2)).leaves()
            })
            .into(list);
    }
}

fn packet_size(list: &mut Vec<Case>) {
    // Fixed header 2, topic 3, Property Length 1, payload 14: 20 octets.
    Cases::v5(V::PacketTooLarge, Medium, "mqtt5:3.2.2-15")
        .closed(|s, v| {
            let limit = Properties::new().four(id::MAXIMUM_PACKET_SIZE, 20);
            server_allows(s, limit).up(Publish::new(v, "a").payload([b'x'; 15])).server_closes()
        })
        .legal(|s, v| {
            let limit = Properties::new().four(id::MAXIMUM_PACKET_SIZE, 20);
            server_allows(s, limit).up(Publish::new(v, "a").payload([b'x'; 14])).leaves()
        })
        .into(list);
    Cases::v5(V::ServerPacketTooLarge, Medium, "mqtt5:3.1.2-24")
        .not_due(|s, v| {
            let limit = Properties::new().four(id::MAXIMUM_PACKET_SIZE, 20);
            client_allows(s, limit).down(Publish::new(v, "a").payload([b'x'; 15])).client_closes()
        })
        .legal(|s, v| {
            let limit = Properties::new().four(id::MAXIMUM_PACKET_SIZE, 20);
            client_allows(s, limit).down(Publish::new(v, "a").payload([b'x'; 14])).leaves()
        })
        .into(list);
}

fn aliases(list: &mut Vec<Case>) {
    Cases::v5(V::AliasZero, Medium, "mqtt5:3.3.2-8")
        .closed(|s, v| {
            let s = server_allows(s, two(id::TOPIC_ALIAS_MAXIMUM, 5));
            s.up(Publish::new(v, "a").properties(two(id::TOPIC_ALIAS, 0))).server_closes()
        })
        .legal(|s, v| {
            let s = server_allows(s, two(id::TOPIC_ALIAS_MAXIMUM, 5));
            s.up(Publish::new(v, "a").properties(two(id::TOPIC_ALIAS, 1))).leaves()
        })
        .into(list);
    for (name, other) in [("mqtt5:3.2.2-17", "mqtt5:3.3.2-9"), ("mqtt5:3.3.2-9", "mqtt5:3.2.2-17")] {
        Cases::v5(V::AliasTooHigh, Medium, name)
            .closed(|s, v| {
                let s = server_allows(s, two(id::TOPIC_ALIAS_MAXIMUM, 5));
                s.up(Publish::new(v, "a").properties(two(id::TOPIC_ALIAS, 6))).server_closes()
            })
            .also([other])
            .legal(|s, v| {
                let s = server_allows(s, two(id::TOPIC_ALIAS_MAXIMUM, 5));
                s.up(Publish::new(v, "a").properties(two(id::TOPIC_ALIAS, 5))).leaves()
            })
            .into(list);
    }
    Cases::v5(V::AliasNotAllowed, Medium, "mqtt5:3.2.2-18")
        .closed(|s, v| {
            s.session().up(Publish::new(v, "a").properties(two(id::TOPIC_ALIAS, 1))).server_closes()
        })
        .legal(|s, v| {
            let s = server_allows(s, two(id::TOPIC_ALIAS_MAXIMUM, 1));
            s.up(Publish::new(v, "a").properties(two(id::TOPIC_ALIAS, 1))).leaves()
        })
        .into(list);
    Cases::v5(V::AliasUnknown, Medium, "mqtt5:3.3.2.3.4")
        .closed(|s, v| {
            let s = server_allows(s, two(id::TOPIC_ALIAS_MAXIMUM, 5));
            s.up(Publish::new(v, "").properties(two(id::TOPIC_ALIAS, 2))).server_closes()
        })
        .legal(|s, v| {
            let s = server_allows(s, two(id::TOPIC_ALIAS_MAXIMUM, 5));
            let s = s.up(Publish::new(v, "a").properties(two(id::TOPIC_ALIAS, 2)));
            s.up(Publish::new(v, "").properties(two(id::TOPIC_ALIAS, 2))).leaves()
        })
        .into(list);
}

fn server_aliases(list: &mut Vec<Case>) {
    for (name, other) in [("mqtt5:3.1.2-26", "mqtt5:3.3.2-11"), ("mqtt5:3.3.2-11", "mqtt5:3.1.2-26")] {
        Cases::v5(V::ServerAliasTooHigh, Medium, name)
            .not_due(|s, v| {
                let s = client_allows(s, two(id::TOPIC_ALIAS_MAXIMUM, 5));
                s.down(Publish::new(v, "a").properties(two(id::TOPIC_ALIAS, 6))).client_closes()
            })
            .also([other])
            .legal(|s, v| {
                let s = client_allows(s, two(id::TOPIC_ALIAS_MAXIMUM, 5));
                s.down(Publish::new(v, "a").properties(two(id::TOPIC_ALIAS, 5))).leaves()
            })
            .into(list);
    }
    Cases::v5(V::ServerAliasNotAllowed, Medium, "mqtt5:3.1.2-27")
        .not_due(|s, v| {
            s.session().down(Publish::new(v, "a").properties(two(id::TOPIC_ALIAS, 1))).client_closes()
        })
        .legal(|s, v| {
            let s = client_allows(s, two(id::TOPIC_ALIAS_MAXIMUM, 1));
            s.down(Publish::new(v, "a").properties(two(id::TOPIC_ALIAS, 1))).leaves()
        })
        .into(list);
}
