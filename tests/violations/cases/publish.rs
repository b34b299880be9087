//! PUBLISH: QoS, DUP, topic, and what topics are known from reports of flaws.

use picket::alert::Severity::{High, Low, Medium};
use picket::mqtt::violation::Violation as V;

use crate::case::{Case, Cases};
use crate::support::mqtt::{Ack, ConnAck, Properties, Publish, Reasoned, SubAck, Subscribe, id};

pub fn add(list: &mut Vec<Case>) {
    Cases::both(V::Qos3, Medium, ["mqtt311:3.3.1-4", "mqtt5:3.3.1-4"])
        .closed(|s, v| s.session().up(Publish::new(v, "a").qos(3, 1)).server_closes())
        .closed(|s, v| s.session().up(Publish::new(v, "a").qos(3, 1)).server_resets())
        .answered(|s, v| {
            let s = s.session().up(Publish::new(v, "a").qos(3, 1)).up(Subscribe::new(v, 1).filter("a", 0));
            s.down(SubAck::new(v, 1, &[0])).leaves()
        })
        .ignored(|s, v| s.session().up(Publish::new(v, "a").qos(3, 1)).waits(6).pings().leaves())
        .not_due(|s, v| s.session().down(Publish::new(v, "a").qos(3, 1)).client_closes())
        .legal(|s, v| {
            let s = s.session().up(Publish::new(v, "a").qos(2, 1)).down(Ack::pubrec(1));
            s.up(Ack::pubrel(1)).down(Ack::pubcomp(1)).leaves()
        })
        .into(list);
    // The server says so before it closes.
    Cases::v5(V::Qos3, Medium, "mqtt5:3.3.1-4")
        .closed(|s, v| {
            let s = s.session().up(Publish::new(v, "a").qos(3, 1));
            s.down(Reasoned::disconnect(0x81)).server_closes()
        })
        .into(list);
    Cases::both(V::DupQos0, Low, ["mqtt311:3.3.1-2", "mqtt5:3.3.1-2"])
        .closed(|s, v| s.session().up(Publish::new(v, "a").dup()).server_closes())
        .ignored(|s, v| s.session().up(Publish::new(v, "a").dup()).waits(6).leaves())
        .legal(|s, v| s.session().up(Publish::new(v, "a").qos(1, 1).dup()).down(Ack::puback(1)).leaves())
        .into(list);
    delivery(list);
    topics(list);
    flaws(list);
}

fn delivery(list: &mut Vec<Case>) {
    Cases::both(V::RedeliveryWithoutDup, Low, ["mqtt311:3.3.1-1", "mqtt5:3.3.1-1"])
        .answered(|s, v| {
            let s =
                s.session().up(Publish::new(v, "a").qos(1, 7)).waits(1).up(Publish::new(v, "a").qos(1, 7));
            s.down(Ack::puback(7)).leaves()
        })
        // The same topic and identifier are another message once the first is acknowledged.
        .legal(|s, v| {
            let s = s.session().up(Publish::new(v, "a").qos(1, 7)).down(Ack::puback(7));
            s.up(Publish::new(v, "a").qos(1, 7)).down(Ack::puback(7)).leaves()
        })
        .into(list);
    // With DUP it may be sent again at any time before version 5.
    Cases::v311(V::RedeliveryWithoutDup, Low, "mqtt311:3.3.1-1")
        .legal(|s, v| {
            let s = s.session().up(Publish::new(v, "a").qos(1, 7)).waits(1);
            s.up(Publish::new(v, "a").qos(1, 7).dup()).down(Ack::puback(7)).leaves()
        })
        .into(list);
    Cases::v5(V::ResentWithinConnection, Low, "mqtt5:4.4.0-1")
        .answered(|s, v| {
            let s = s.session().up(Publish::new(v, "a").qos(1, 7)).waits(1);
            s.up(Publish::new(v, "a").qos(1, 7).dup()).down(Ack::puback(7)).leaves()
        })
        .legal(|s, v| {
            let hour = || Properties::new().four(id::SESSION_EXPIRY_INTERVAL, 3600);
            let s = s.session_of(|c| c.kept().properties(hour()));
            let s = s.up(Publish::new(v, "a").qos(1, 7)).client_closes().opens_again();
            let s = s.connects(|c| c.kept().properties(hour())).accepts(ConnAck::session_present);
            s.up(Publish::new(v, "a").qos(1, 7).dup()).down(Ack::puback(7)).leaves()
        })
        .into(list);
}

fn topics(list: &mut Vec<Case>) {
    for (names, others) in [
        (["mqtt311:3.3.2-2", "mqtt5:3.3.2-2"], ["mqtt311:4.7.1-1", "mqtt5:4.7.0-1"]),
        (["mqtt311:4.7.1-1", "mqtt5:4.7.0-1"], ["mqtt311:3.3.2-2", "mqtt5:3.3.2-2"]),
    ] {
        Cases::both(V::WildcardTopic, Medium, names)
            .closed(|s, v| s.session().up(Publish::new(v, "a/#")).server_closes())
            .also(others)
            .ignored(|s, v| s.session().up(Publish::new(v, "a/+/b")).waits(6).leaves())
            .also(others)
            .legal(|s, v| s.session().up(Publish::new(v, "a/*/b")).leaves())
            .into(list);
    }
    Cases::both(V::TopicUtf8, Medium, ["mqtt311:3.3.2-1", "mqtt5:3.3.2-1"])
        .closed(|s, v| s.session().up(Publish::new(v, b"a/\xc0\xaf")).server_closes())
        .also(["mqtt311:1.5.3-1", "mqtt5:1.5.4-1"])
        // The payload may be anything.
        .legal(|s, v| s.session().up(Publish::new(v, "a/\u{f6}").payload(b"\xc0\xaf")).leaves())
        .into(list);
    Cases::both(V::EmptyTopic, Medium, ["mqtt311:4.7.3-1", "mqtt5:4.7.3-1"])
        .closed(|s, v| s.session().up(Publish::new(v, "").payload("x")).server_closes())
        .also(["cve:CVE-2021-34432"; 2])
        .answered(|s, v| {
            let s = s.session().up(Subscribe::new(v, 1).filter("", 0));
            s.down(SubAck::new(v, 1, &[0x80])).leaves()
        })
        .also(["cve:CVE-2021-34432"; 2])
        .legal(|s, v| s.session().up(Publish::new(v, "/").payload("x")).leaves())
        .into(list);
    // With an alias that was set the name is left out.
    Cases::v5(V::EmptyTopic, Medium, "mqtt5:4.7.3-1")
        .legal(|s, v| {
            let ten = Properties::new().two(id::TOPIC_ALIAS_MAXIMUM, 10);
            let alias = Properties::new().two(id::TOPIC_ALIAS, 1);
            let s = s.opens().connects(|c| c).accepts(|a| a.properties(ten));
            let s = s.up(Publish::new(v, "a").properties(alias.clone()));
            s.up(Publish::new(v, "").properties(alias)).leaves()
        })
        .into(list);
}

/// Shapes known from reports of flaws.
fn flaws(list: &mut Vec<Case>) {
    Cases::v311(V::EmptyTopic, Medium, "cve:CVE-2021-34432")
        .closed(|s, v| s.session().up(Publish::new(v, "").payload("x")).server_resets())
        .also(["mqtt311:4.7.3-1"])
        .legal(|s, v| s.session().up(Publish::new(v, "a").payload("x")).leaves())
        .into(list);
    Cases::v311(V::DollarTopic, Medium, "cve:CVE-2018-12543")
        .closed(|s, v| s.session().up(Publish::new(v, "$a/b").payload("x")).server_resets())
        .ignored(|s, v| {
            s.session().up(Publish::new(v, "$CONTROL/dynamic-security/v1").payload("{}")).waits(6).leaves()
        })
        .legal(|s, v| s.session().up(Publish::new(v, "$aws/things/x/shadow/update").payload("{}")).leaves())
        .into(list);
    Cases::v311(V::RetainStorm, Low, "cve:CVE-2026-42209")
        .ignored(|s, v| s.session().up(retained(v, 110)).waits(6).leaves())
        .legal(|s, v| s.session().up(retained(v, 90)).waits(6).leaves())
        .into(list);
    for (name, other) in
        [("cve:CVE-2019-11779", "cve:CVE-2021-33176"), ("cve:CVE-2021-33176", "cve:CVE-2019-11779")]
    {
        Cases::v311(V::TopicLevels, High, name)
            .closed(|s, v| s.session().up(Subscribe::new(v, 1).filter("/".repeat(200), 0)).server_resets())
            .also([other])
            .answered(|s, v| {
                let s = s.session().up(Publish::new(v, "/".repeat(250)).qos(1, 1));
                s.down(Ack::puback(1)).leaves()
            })
            .also([other])
            .legal(|s, v| {
                let s = s.session().up(Subscribe::new(v, 1).filter("/".repeat(199), 0));
                s.down(SubAck::new(v, 1, &[0])).leaves()
            })
            .into(list);
    }
}

/// So many retained messages in one segment.
fn retained(version: crate::support::mqtt::Version, count: usize) -> Vec<u8> {
    Publish::new(version, "a").retain().encode().repeat(count)
}
