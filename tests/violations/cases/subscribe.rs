//! SUBSCRIBE, UNSUBSCRIBE and their acknowledgements; DISCONNECT by the client.

use picket::alert::Severity::{High, Low, Medium};
use picket::mqtt::violation::Violation as V;

use crate::case::{Case, Cases};
use crate::scene::Scene;
use crate::support::mqtt::{
    Properties, Publish, Reasoned, SubAck, Subscribe, Unsubscribe, Version, disconnect, id,
};

pub fn add(list: &mut Vec<Case>) {
    Cases::both(V::NoFilters, Medium, ["mqtt311:3.8.3-3", "mqtt5:3.8.3-2"])
        .closed(|s, v| s.session().up(Subscribe::new(v, 1)).server_closes())
        .legal(|s, v| one_filter(s, v, "a", 0))
        .into(list);
    Cases::both(V::SubscribeOptions, Medium, ["mqtt311:3-8.3-4", "mqtt5:3.8.3-5"])
        .closed(|s, v| s.session().up(Subscribe::new(v, 1).filter("a", 0x03)).server_closes())
        .closed(|s, v| s.session().up(Subscribe::new(v, 1).filter("a", 0x40)).server_closes())
        .legal(|s, v| one_filter(s, v, "a", 2))
        .into(list);
    // No Local, Retain As Published and Retain Handling are of version 5.
    Cases::v5(V::SubscribeOptions, Medium, "mqtt5:3.8.3-5")
        .legal(|s, v| one_filter(s, v, "a", 0x2d))
        .into(list);
    Cases::v311(V::SubscribeOptions, Medium, "mqtt311:3-8.3-4")
        .closed(|s, v| s.session().up(Subscribe::new(v, 1).filter("a", 0x2d)).server_closes())
        .into(list);
    filters(list);
    acknowledgements(list);
    Cases::both(V::NoUnsubscribeFilters, Medium, ["mqtt311:3.10.3-2", "mqtt5:3.10.3-2"])
        .closed(|s, v| s.session().up(Unsubscribe::new(v, 1)).server_closes())
        .legal(|s, v| {
            let s = s.session().up(Unsubscribe::new(v, 1).filter("a"));
            s.down(SubAck::unsuback(v, 1, &[0])).leaves()
        })
        .into(list);
    Cases::both(V::AfterDisconnect, Medium, ["mqtt311:3.14.4-2", "mqtt5:3.14.4-1"])
        .closed(|s, v| s.session().up(disconnect()).up(Publish::new(v, "a")).server_closes())
        .legal(|s, v| s.session().up(Publish::new(v, "a")).up(disconnect()).client_closes())
        .into(list);
    Cases::v5(V::ServerDisconnectExpiry, Low, "mqtt5:3.14.2-2")
        .not_due(|s, _| {
            let expiry = Properties::new().four(id::SESSION_EXPIRY_INTERVAL, 60);
            s.session().down(Reasoned::disconnect(0x8b).properties(expiry)).server_closes()
        })
        .legal(|s, _| {
            let reason = Properties::new().text(id::REASON_STRING, "maintenance");
            s.session().down(Reasoned::disconnect(0x8b).properties(reason)).server_closes()
        })
        .into(list);
}

/// A subscription that is granted as asked for.
fn one_filter(scene: Scene, version: Version, filter: &str, options: u8) -> Scene {
    let scene = scene.session().up(Subscribe::new(version, 1).filter(filter, options));
    scene.down(SubAck::new(version, 1, &[options & 3])).leaves()
}

fn filters(list: &mut Vec<Case>) {
    Cases::both(V::MisplacedHash, Medium, ["mqtt311:4.7.1-2", "mqtt5:4.7.1-1"])
        .closed(|s, v| s.session().up(Subscribe::new(v, 1).filter("a/#/b", 0)).server_closes())
        .closed(|s, v| s.session().up(Subscribe::new(v, 1).filter("a#", 0)).server_closes())
        .legal(|s, v| one_filter(s, v, "a/#", 0))
        .into(list);
    Cases::both(V::MisplacedPlus, Medium, ["mqtt311:4.7.1-3", "mqtt5:4.7.1-2"])
        .closed(|s, v| s.session().up(Unsubscribe::new(v, 1).filter("a+/b")).server_closes())
        .legal(|s, v| one_filter(s, v, "a/+/b", 0))
        .into(list);
    Cases::v5(V::ShareNameMissing, Medium, "mqtt5:4.8.2-1")
        .closed(|s, v| s.session().up(Subscribe::new(v, 1).filter("$share//a", 0)).server_closes())
        .legal(|s, v| one_filter(s, v, "$share/g/a", 0))
        .into(list);
    Cases::v5(V::ShareNameWrong, Medium, "mqtt5:4.8.2-2")
        .closed(|s, v| s.session().up(Subscribe::new(v, 1).filter("$share/g+/a", 0)).server_closes())
        .closed(|s, v| s.session().up(Subscribe::new(v, 1).filter("$share/g", 0)).server_closes())
        .legal(|s, v| one_filter(s, v, "$share/g/+/#", 0))
        .into(list);
    Cases::v5(V::SharedNoLocal, Medium, "mqtt5:3.8.3-4")
        .closed(|s, v| s.session().up(Subscribe::new(v, 1).filter("$share/g/a", 0x04)).server_closes())
        .legal(|s, v| one_filter(s, v, "share/g/a", 0x04))
        .into(list);
    for (name, other) in
        [("cve:CVE-2024-8376", "cve:CVE-2025-59946"), ("cve:CVE-2025-59946", "cve:CVE-2024-8376")]
    {
        Cases::v5(V::SubscriptionChurn, Medium, name)
            .answered(|s, v| churn(s, v, ["$share/g/a", "a"], 12))
            .also([other])
            .legal(|s, v| churn(s, v, ["$share/g/a", "a"], 1))
            .into(list);
    }
}

/// Subscriptions to each of two filters, made and dropped in turn.
fn churn(scene: Scene, version: Version, filters: [&str; 2], times: u16) -> Scene {
    let turn = |scene: Scene, at: u16| {
        let filter = filters[usize::from(at % 2)];
        let scene = scene.up(Subscribe::new(version, at + 1).filter(filter, 0));
        let scene = scene.down(SubAck::new(version, at + 1, &[0]));
        let other = filters[usize::from((at + 1) % 2)];
        let scene = scene.up(Unsubscribe::new(version, at + 1).filter(other));
        scene.down(SubAck::unsuback(version, at + 1, &[0x11]))
    };
    (0..times).fold(scene.session(), turn).leaves()
}

fn acknowledgements(list: &mut Vec<Case>) {
    Cases::both(V::SubAckCount, Low, ["mqtt311:3.8.4-5", "mqtt5:3.8.4-6"])
        .not_due(|s, v| two_filters(s, v, &[0]))
        .not_due(|s, v| two_filters(s, v, &[0, 1, 0]))
        .legal(|s, v| two_filters(s, v, &[0, 1]))
        .into(list);
    Cases::both(V::SubAckOrder, Low, ["mqtt311:3.9.3-1", "mqtt5:3.9.3-1"])
        .not_due(|s, v| two_filters(s, v, &[1, 0]))
        .legal(|s, v| two_filters(s, v, &[0x80, 0]))
        .into(list);
    Cases::both(V::SubAckCode, Low, ["mqtt311:3.9.3-2", "mqtt5:3.9.3-2"])
        .not_due(|s, v| two_filters(s, v, &[3, 0x80]))
        .legal(|s, v| two_filters(s, v, &[0, 0x80]))
        .into(list);
    Cases::both(V::SubAckEmpty, High, ["mqtt311:3.8.4-5", "mqtt5:3.8.4-6"])
        .not_due(|s, v| two_filters(s, v, &[]))
        .also(["cve:CVE-2024-10525"; 2])
        .legal(|s, v| two_filters(s, v, &[0, 0]))
        .into(list);
    Cases::v5(V::SubAckEmpty, High, "cve:CVE-2024-10525")
        .not_due(|s, v| two_filters(s, v, &[]))
        .also(["mqtt5:3.8.4-6"])
        .legal(|s, v| two_filters(s, v, &[0, 0]))
        .into(list);
}

/// A subscription to two filters, QoS 0 and 1, and a SUBACK with these codes.
fn two_filters(scene: Scene, version: Version, codes: &[u8]) -> Scene {
    let scene = scene.session().up(Subscribe::new(version, 1).filter("a", 0).filter("b", 1));
    scene.down(SubAck::new(version, 1, codes)).leaves()
}
