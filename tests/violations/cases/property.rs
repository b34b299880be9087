//! Properties and reason codes of version 5.

use picket::alert::Severity::{High, Low, Medium};
use picket::mqtt::violation::Violation as V;

use crate::case::{Case, Cases, Play};
use crate::support::mqtt::{Ack, Properties, Publish, Reasoned, SubAck, Subscribe, Unsubscribe, id};

pub fn add(list: &mut Vec<Case>) {
    Cases::v5(V::PropertyLength, Medium, "mqtt5:2.2.2-1")
        // Missing.
        .closed(|s, _| s.session().up([0x30, 3, 0, 1, b'a']).server_closes())
        // Past the end.
        .closed(|s, v| {
            s.session().up(Publish::new(v, "a").properties(Properties::new().length([9]))).server_closes()
        })
        .legal(|s, v| s.session().up(Publish::new(v, "a")).leaves())
        .into(list);
    for (name, other) in [("mqtt5:1.5.5", "cve:CVE-2026-21888"), ("cve:CVE-2026-21888", "mqtt5:1.5.5")] {
        Cases::v5(V::PropertyVarint, High, name)
            .closed(|s, _| {
                let long = Properties::new().length([0x80, 0x80, 0x80, 0x80, 0x01]);
                s.opens().connects(|c| c.properties(long)).server_resets()
            })
            .also([other])
            .also(["cve:CVE-2021-34431"])
            .legal(|s, _| {
                s.session_of(|c| c.properties(Properties::new().user("n", &"v".repeat(130)))).leaves()
            })
            .into(list);
    }
    for (name, other) in [("mqtt5:2.2.2.2", "mqtt5:4.13.1-1"), ("mqtt5:4.13.1-1", "mqtt5:2.2.2.2")] {
        misused(list, name, other);
    }
    Cases::v5(V::SubscriptionIdFromClient, Medium, "mqtt5:3.3.4-6")
        .closed(|s, v| {
            let subscription = Properties::new().varint(id::SUBSCRIPTION_IDENTIFIER, 1);
            s.session().up(Publish::new(v, "a").properties(subscription)).server_closes()
        })
        .legal(|s, v| {
            let subscription = Properties::new().varint(id::SUBSCRIPTION_IDENTIFIER, 1);
            s.session().down(Publish::new(v, "a").properties(subscription)).leaves()
        })
        .into(list);
    Cases::v5(V::ResponseTopicWildcard, Medium, "mqtt5:3.3.2-14")
        .closed(|s, v| {
            let response = Properties::new().text(id::RESPONSE_TOPIC, "answers/#");
            s.session().up(Publish::new(v, "a").properties(response)).server_closes()
        })
        .legal(|s, v| {
            let response = Properties::new().text(id::RESPONSE_TOPIC, "answers/1");
            s.session().up(Publish::new(v, "a").properties(response)).leaves()
        })
        .into(list);
    Cases::v5(V::ResponseTopicUtf8, Medium, "mqtt5:3.3.2-13")
        .closed(|s, v| {
            let response = Properties::new().text(id::RESPONSE_TOPIC, b"answers/\xff");
            s.session().up(Publish::new(v, "a").properties(response)).server_closes()
        })
        .legal(|s, v| {
            // Binary data may be anything.
            let both = Properties::new().text(id::RESPONSE_TOPIC, "answers/\u{fc}");
            let both = both.text(id::CORRELATION_DATA, b"\xff");
            s.session().up(Publish::new(v, "a").properties(both)).leaves()
        })
        .into(list);
    reason_codes(list);
}

fn misused(list: &mut Vec<Case>, name: &'static str, other: &'static str) {
    Cases::v5(V::PropertyMisplaced, Medium, name)
        // Of another packet.
        .closed(|s, v| {
            let misplaced = Properties::new().two(id::RECEIVE_MAXIMUM, 9);
            s.session().up(Publish::new(v, "a").properties(misplaced)).server_closes()
        })
        .also([other])
        // Unknown.
        .closed(|s, v| {
            let unknown = Properties::new().octet(0x7e, 1);
            s.session().up(Publish::new(v, "a").properties(unknown)).server_closes()
        })
        .also([other])
        .legal(|s, _| s.session_of(|c| c.properties(Properties::new().two(id::RECEIVE_MAXIMUM, 9))).leaves())
        .into(list);
    Cases::v5(V::PropertyDuplicate, Medium, name)
        .closed(|s, v| {
            let twice = Properties::new().text(id::CONTENT_TYPE, "a").text(id::CONTENT_TYPE, "b");
            s.session().up(Publish::new(v, "a").properties(twice)).server_closes()
        })
        .also([other])
        .legal(|s, v| {
            let twice = Properties::new().user("n", "a").user("n", "b");
            s.session().up(Publish::new(v, "a").properties(twice)).leaves()
        })
        .into(list);
    Cases::v5(V::PropertyValue, Medium, name)
        .closed(|s, v| {
            let two = Properties::new().octet(id::PAYLOAD_FORMAT_INDICATOR, 2);
            s.session().up(Publish::new(v, "a").properties(two)).server_closes()
        })
        .also([other])
        .legal(|s, v| {
            let one = Properties::new().octet(id::PAYLOAD_FORMAT_INDICATOR, 1);
            s.session().up(Publish::new(v, "a").properties(one)).leaves()
        })
        .into(list);
}

fn reason_codes(list: &mut Vec<Case>) {
    let add = |list: &mut Vec<Case>, name, breaks: Play, legal: Play| {
        Cases::v5(V::ReasonCode, Low, name).not_due(breaks).legal(legal).into(list);
    };
    add(
        list,
        "mqtt5:3.4.2-1",
        |s, v| s.session().up(Publish::new(v, "a").qos(1, 1)).down(Ack::puback(1).code(0x92)).leaves(),
        |s, v| s.session().up(Publish::new(v, "a").qos(1, 1)).down(Ack::puback(1).code(0x10)).leaves(),
    );
    add(
        list,
        "mqtt5:3.5.2-1",
        |s, v| s.session().up(Publish::new(v, "a").qos(2, 1)).down(Ack::pubrec(1).code(0x92)).leaves(),
        |s, v| s.session().up(Publish::new(v, "a").qos(2, 1)).down(Ack::pubrec(1).code(0x97)).leaves(),
    );
    add(
        list,
        "mqtt5:3.6.2-1",
        |s, v| {
            let s = s.session().down(Publish::new(v, "a").qos(2, 1)).up(Ack::pubrec(1));
            s.down(Ack::pubrel(1).code(0x10)).up(Ack::pubcomp(1)).leaves()
        },
        |s, v| {
            let s = s.session().down(Publish::new(v, "a").qos(2, 1)).up(Ack::pubrec(1));
            s.down(Ack::pubrel(1).code(0)).up(Ack::pubcomp(1)).leaves()
        },
    );
    add(
        list,
        "mqtt5:3.7.2-1",
        |s, v| {
            let s = s.session().up(Publish::new(v, "a").qos(2, 1)).down(Ack::pubrec(1));
            s.up(Ack::pubrel(1)).down(Ack::pubcomp(1).code(0x10)).leaves()
        },
        |s, v| {
            let s = s.session().up(Publish::new(v, "a").qos(2, 1)).down(Ack::pubrec(1));
            s.up(Ack::pubrel(1)).down(Ack::pubcomp(1).code(0)).leaves()
        },
    );
    add(
        list,
        "mqtt5:3.11.3-2",
        |s, v| s.session().up(Unsubscribe::new(v, 1).filter("a")).down(SubAck::unsuback(v, 1, &[1])).leaves(),
        |s, v| {
            s.session().up(Unsubscribe::new(v, 1).filter("a")).down(SubAck::unsuback(v, 1, &[0x11])).leaves()
        },
    );
    add(
        list,
        "mqtt5:3.14.2-1",
        |s, _| s.session().down(Reasoned::disconnect(0x18)).server_closes(),
        |s, _| s.session().down(Reasoned::disconnect(0x8e)).server_closes(),
    );
    Cases::v5(V::ReasonCode, Low, "mqtt5:3.15.2-1")
        .not_due(|s, _| {
            let method = || Properties::new().text(id::AUTHENTICATION_METHOD, "M");
            let s = s.opens().connects(|c| c.properties(method())).accepts(|a| a.properties(method()));
            s.up(Reasoned::auth(0x17).properties(method())).server_closes()
        })
        .legal(|s, _| {
            let method = || Properties::new().text(id::AUTHENTICATION_METHOD, "M");
            let s = s.opens().connects(|c| c.properties(method())).accepts(|a| a.properties(method()));
            s.up(Reasoned::auth(0x19).properties(method()))
                .down(Reasoned::auth(0).properties(method()))
                .leaves()
        })
        .into(list);
    // A SUBACK that grants nothing is an answer like any other.
    Cases::v5(V::ReasonCode, Low, "mqtt5:3.11.3-2")
        .legal(|s, v| {
            let s = s.session().up(Subscribe::new(v, 1).filter("a", 0));
            s.down(SubAck::new(v, 1, &[0xa2])).leaves()
        })
        .into(list);
}
