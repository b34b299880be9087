//! CONNECT: its place, its protocol, its payload, and what a server makes of an empty client identifier.

use picket::alert::Severity::{High, Low, Medium};
use picket::event::Reaction::NotDue;
use picket::mqtt::violation::Violation as V;

use super::MALFORMED;
use crate::case::{Case, Cases};
use crate::support::mqtt::{
    ConnAck, Connect, Properties, Publish, Will, disconnect, id, long_varint, longer, pingreq, with_length,
};

pub fn add(list: &mut Vec<Case>) {
    order(list);
    protocol(list);
    payload(list);
    empty_id(list);
    flaws(list);
    refused(list);
}

fn order(list: &mut Vec<Case>) {
    Cases::v311(V::NotConnectFirst, Medium, "mqtt311:3.1.0-1")
        .closed(|s, v| s.opens().up(Publish::new(v, "a").payload("x")).server_closes())
        .ignored(|s, _| s.opens().up(pingreq()).waits(6).client_closes())
        // Joined in the middle.
        .legal(|s, _| s.joins().pings().leaves())
        .into(list);
    Cases::v5(V::NotConnectFirst, Medium, "mqtt5:3.1.0-1")
        // AUTH is of version 5 alone, so there is no doubt which statement is broken.
        .closed(|s, _| s.opens().up([0xf0, 0]).server_closes())
        .legal(|s, _| s.session().leaves())
        .into(list);
    Cases::both(V::SecondConnect, Medium, ["mqtt311:3.1.0-2", "mqtt5:3.1.0-2"])
        .closed(|s, _| s.session().connects(|connect| connect).server_closes())
        .answered(|s, _| s.session().connects(|connect| connect).accepts(|accepted| accepted).leaves())
        .beside(NotDue, ["mqtt311:3.2", "mqtt5:3.2.0-2"])
        .legal(|s, _| s.session().leaves().opens_again().connects(|c| c).accepts(|a| a).leaves())
        .into(list);
}

fn protocol(list: &mut Vec<Case>) {
    Cases::both(V::ProtocolName, Low, ["mqtt311:3.1.2-1", "mqtt5:3.1.2-1"])
        .closed(|s, v| s.opens().connects(|c| c.protocol("MQTX", v.level())).server_closes())
        .also(MALFORMED)
        .legal(|s, _| s.session().leaves())
        .into(list);
    Cases::both(V::ProtocolLevel, Low, ["mqtt311:3.1.2-2", "mqtt5:3.1.2-2"])
        .closed(|s, v| s.opens().connects(|c| c.protocol("MQIsdp", v.level())).server_closes())
        .also(MALFORMED)
        // The server says that it does not know the version.
        .closed(|s, v| {
            let s = s.opens().connects(|c| c.protocol("MQIsdp", v.level()));
            s.down(ConnAck::new(crate::support::mqtt::V311, 1)).waits(1).server_closes()
        })
        .also(MALFORMED)
        // Mosquitto's bridges set the highest bit of the level.
        .legal(|s, v| s.session_of(|c| c.protocol("MQTT", v.level() | 0x80)).leaves())
        .into(list);
    Cases::v311(V::ProtocolLevel, Low, "mqtt311:3.1.2-2")
        .legal(|s, _| s.session_of(|c| c.protocol("MQIsdp", 3)).leaves())
        .into(list);
}

fn payload(list: &mut Vec<Case>) {
    Cases::both(V::ClientIdMissing, Medium, ["mqtt311:3.1.3-3", "mqtt5:3.1.3-3"])
        .closed(|s, _| s.opens().connects(Connect::without_client_id).server_closes())
        .also(MALFORMED)
        .legal(|s, _| s.session().leaves())
        .into(list);
    Cases::both(V::PayloadOrder, Medium, ["mqtt311:3.1.3-1", "mqtt5:3.1.3-1"])
        .closed(|s, v| {
            let connect = Connect::new(v, s.id());
            s.opens().up(longer(connect, &[0xff, 0xff, b'?'])).server_closes()
        })
        .also(MALFORMED)
        .legal(|s, _| s.session_of(|c| c.login("user", "sesame").will(Will::new("a", "b"))).leaves())
        .into(list);
    Cases::both(V::ClientIdUtf8, Medium, ["mqtt311:3.1.3-4", "mqtt5:3.1.3-4"])
        .closed(|s, v| s.opens().up(Connect::new(v, b"device-\xff")).server_closes())
        .also(["mqtt311:1.5.3-1", "mqtt5:1.5.4-1"])
        .also(MALFORMED)
        .legal(|s, v| s.opens().up(Connect::new(v, "device-\u{f6}")).accepts(|a| a).leaves())
        .into(list);
    Cases::both(V::WillTopicUtf8, Medium, ["mqtt311:3.1.3-10", "mqtt5:3.1.3-11"])
        .closed(|s, _| s.opens().connects(|c| c.will(Will::new(b"a/\xff", "gone"))).server_closes())
        .also(["mqtt311:1.5.3-1", "mqtt5:1.5.4-1"])
        .also(MALFORMED)
        // The message may be anything.
        .legal(|s, _| s.session_of(|c| c.will(Will::new("a/\u{e9}", b"\xff\0"))).leaves())
        .into(list);
    Cases::both(V::UserNameUtf8, Medium, ["mqtt311:3.1.3-11", "mqtt5:3.1.3-12"])
        .closed(|s, _| s.opens().connects(|c| c.login(b"user\xff", "sesame")).server_closes())
        .also(["mqtt311:1.5.3-1", "mqtt5:1.5.4-1"])
        .also(MALFORMED)
        // The password may be anything.
        .legal(|s, _| s.session_of(|c| c.login("user\u{e9}", b"\xff\0")).leaves())
        .into(list);
}

fn empty_id(list: &mut Vec<Case>) {
    Cases::v311(V::EmptyClientIdKept, Medium, "mqtt311:3.1.3-7")
        .closed(|s, v| {
            let s = s.opens().up(Connect::new(v, "").kept());
            s.down(ConnAck::new(v, 2)).server_closes()
        })
        .also(["cve:CVE-2017-7654"])
        .legal(|s, v| s.opens().up(Connect::new(v, "")).accepts(|a| a).leaves())
        .into(list);
    Cases::v311(V::EmptyClientIdAccepted, Low, "mqtt311:3.1.3-8")
        .not_due(|s, v| s.opens().up(Connect::new(v, "").kept()).accepts(|a| a).leaves())
        .beside(picket::event::Reaction::Answered, ["mqtt311:3.1.3-7"])
        .beside(picket::event::Reaction::Answered, ["cve:CVE-2017-7654"])
        .legal(|s, _| s.session_of(Connect::kept).leaves())
        .into(list);
    for name in ["mqtt311:3.1.3-8", "cve:CVE-2025-56352"] {
        let other = if name.starts_with("cve") { "mqtt311:3.1.3-8" } else { "cve:CVE-2025-56352" };
        Cases::v311(V::EmptyClientIdLeftOpen, Medium, name)
            .not_due(|s, v| s.opens().up(Connect::new(v, "").kept()).down(ConnAck::new(v, 2)).waits(12))
            .also([other])
            .also(["mqtt311:3.2.2-5"])
            .beside(picket::event::Reaction::Closed, ["mqtt311:3.1.3-7"])
            .beside(picket::event::Reaction::Closed, ["cve:CVE-2017-7654"])
            .legal(|s, _| s.session_of(Connect::kept).leaves())
            .into(list);
    }
    for (name, other) in [("mqtt5:3.1.3-6", "mqtt5:3.2.2-16"), ("mqtt5:3.2.2-16", "mqtt5:3.1.3-6")] {
        Cases::v5(V::AssignedIdMissing, Low, name)
            .not_due(|s, v| s.opens().up(Connect::new(v, "")).accepts(|a| a).leaves())
            .also([other])
            .legal(|s, v| {
                let assigned = Properties::new().text(id::ASSIGNED_CLIENT_IDENTIFIER, "assigned-1");
                s.opens().up(Connect::new(v, "")).accepts(|a| a.properties(assigned)).leaves()
            })
            .into(list);
    }
}

/// Shapes known from reports of flaws.
fn flaws(list: &mut Vec<Case>) {
    Cases::v311(V::IdentityWildcard, Medium, "cve:CVE-2017-7650")
        .answered(|s, v| s.opens().up(Connect::new(v, "#")).accepts(|a| a).leaves())
        .closed(|s, _| s.opens().connects(|c| c.login("+", "sesame")).refuses().server_closes())
        .legal(|s, v| s.opens().up(Connect::new(v, "a/b-c_d$")).accepts(|a| a).leaves())
        .into(list);
    Cases::v311(V::MalformedConnect, Medium, "cve:CVE-2017-7654")
        .closed(|s, _| s.opens().connects(|c| c.flip(0x01)).server_closes())
        .also(["mqtt311:3.1.2-3"])
        .legal(|s, _| s.session().leaves())
        .into(list);
    Cases::v5(V::MalformedConnect, Medium, "cve:CVE-2021-34431")
        .closed(|s, _| s.opens().connects(|c| c.flip(0x01)).server_closes())
        .also(["mqtt5:3.1.2-3"])
        .legal(|s, _| s.session().leaves())
        .into(list);
    // More than 100,000 octets are announced, of which the head is sent.
    for (name, other) in
        [("cve:CVE-2017-7651", "cve:CVE-2021-33175"), ("cve:CVE-2021-33175", "cve:CVE-2017-7651")]
    {
        Cases::v311(V::HugeBeforeAccept, High, name)
            .closed(|s, v| {
                let mut connect =
                    Connect::new(v, s.id()).login(vec![b'u'; 50_000], vec![b'p'; 50_000]).encode();
                connect.truncate(1200);
                s.opens().up(connect).server_closes()
            })
            .also([other])
            // Large, but within bounds.
            .legal(|s, _| s.session_of(|c| c.login("user", [b'x'; 1100])).leaves())
            .into(list);
    }
    Cases::v311(V::NotConnectLarge, High, "cve:CVE-2023-0809")
        .ignored(|s, v| {
            let publish = with_length(Publish::new(v, "a").payload([b'x'; 1100]), &long_varint(60_000, 3));
            s.opens().up(publish).waits(6).client_closes()
        })
        .also(["mqtt311:3.1.0-1"])
        .legal(|s, v| s.session().up(Publish::new(v, "a").payload([b'x'; 1100])).leaves())
        .into(list);
    Cases::v5(V::ManyUserProperties, Medium, "cve:CVE-2021-41039")
        .answered(|s, _| {
            let many = (0..32).fold(Properties::new(), |properties, _| properties.user("n", "v"));
            s.session_of(|c| c.properties(many)).leaves()
        })
        .also(["cve:CVE-2021-34431"])
        .legal(|s, _| {
            let some = (0..31).fold(Properties::new(), |properties, _| properties.user("n", "v"));
            s.session_of(|c| c.properties(some)).leaves()
        })
        .into(list);
    Cases::v5(V::WillProperties, Medium, "cve:CVE-2023-3592")
        .closed(|s, _| {
            let alias = Properties::new().two(id::TOPIC_ALIAS, 1);
            s.opens().connects(|c| c.will(Will::new("a", "b").properties(alias))).server_closes()
        })
        .also(["mqtt5:2.2.2.2"])
        .also(["mqtt5:4.13.1-1"])
        .also(["cve:CVE-2021-34431"])
        .legal(|s, _| {
            let delay =
                Properties::new().four(id::WILL_DELAY_INTERVAL, 5).octet(id::PAYLOAD_FORMAT_INDICATOR, 1);
            s.session_of(|c| c.will(Will::new("a", "b").properties(delay))).leaves()
        })
        .into(list);
    Cases::v311(V::EndlessKeepAlive, Low, "cve:CVE-2020-13849")
        .answered(|s, _| s.session_of(|c| c.keep_alive(0)).leaves())
        .answered(|s, _| s.session_of(|c| c.keep_alive(65_535)).leaves())
        .closed(|s, _| s.opens().connects(|c| c.keep_alive(65_535)).refuses().server_closes())
        .legal(|s, _| s.session_of(|c| c.keep_alive(65_534)).leaves())
        .into(list);
}

fn refused(list: &mut Vec<Case>) {
    Cases::both(V::AfterRefusal, Medium, ["mqtt311:3.1.4-5", "mqtt5:3.1.4-6"])
        .closed(|s, v| {
            let s = s.opens().connects(|c| c.login("user", "guess")).refuses().waits(1);
            s.up(Publish::new(v, "a").payload("x")).server_closes()
        })
        // Sent before the refusal arrived.
        .legal(|s, v| {
            let s = s.opens().connects(|c| c.login("user", "guess")).refuses();
            s.up(Publish::new(v, "a").payload("x")).server_closes()
        })
        .into(list);
    Cases::both(V::TakeoverNotClosed, High, ["mqtt311:3.1.4-2", "mqtt5:3.1.4-3"])
        .not_due(|s, _| s.session().session().waits(12).on(0).pings().waits(1))
        .legal(|s, _| {
            s.session().opens().connects(|c| c).on(0).server_closes().on(1).accepts(|a| a).waits(12)
        })
        // A client that comes back over a new connection and has closed the old one.
        .legal(|s, _| s.session().up(disconnect()).client_closes().session().waits(12).pings())
        .into(list);
}
