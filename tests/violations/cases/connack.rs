//! CONNACK: its place, its flags, its code, and what it says of the session. What a server does wrong has no reaction.

use picket::alert::Severity::{Low, Medium};
use picket::mqtt::violation::Violation as V;

use crate::case::{Case, Cases};
use crate::support::mqtt::{ConnAck, Connect, Properties, Publish, Reasoned, V5, Version, id, pingresp};

/// A session that is to be kept for an hour.
fn kept(connect: Connect) -> Connect {
    let hour = Properties::new().four(id::SESSION_EXPIRY_INTERVAL, 3600);
    connect.kept().properties(hour)
}

/// A code that refuses in either version.
fn refusal(version: Version) -> u8 {
    if version == V5 { 0x87 } else { 5 }
}

pub fn add(list: &mut Vec<Case>) {
    Cases::both(V::ConnAckNotFirst, Medium, ["mqtt311:3.2.0-1", "mqtt5:3.2.0-1"])
        .not_due(|s, v| s.opens().connects(|c| c).down(Publish::new(v, "a")).accepts(|a| a).leaves())
        .legal(|s, v| s.opens().connects(|c| c).accepts(|a| a).down(Publish::new(v, "a")).leaves())
        // Joined in the middle.
        .legal(|s, _| s.joins().down(pingresp()).pings().leaves())
        .into(list);
    Cases::both(V::SecondConnAck, Medium, ["mqtt311:3.2", "mqtt5:3.2.0-2"])
        .not_due(|s, _| s.session().accepts(|a| a).leaves())
        .legal(|s, _| s.session().leaves())
        .into(list);
    Cases::both(V::ConnAckFlags, Low, ["mqtt311:3.2.2.1", "mqtt5:3.2.2-1"])
        .not_due(|s, _| s.opens().connects(|c| c).accepts(|a| a.flags(0x02)).leaves())
        .legal(|s, _| s.session().leaves())
        .into(list);
    Cases::both(V::ConnAckCode, Low, ["mqtt311:3.2.2.3", "mqtt5:3.2.2-8"])
        .not_due(|s, v| s.opens().connects(|c| c).down(ConnAck::new(v, 0x8e)).server_closes())
        .legal(|s, v| s.opens().connects(|c| c).down(ConnAck::new(v, refusal(v))).server_closes())
        .into(list);
    Cases::both(V::RefusedLeftOpen, Medium, ["mqtt311:3.2.2-5", "mqtt5:3.2.2-7"])
        .not_due(|s, _| s.opens().connects(|c| c).refuses().waits(12))
        .legal(|s, _| s.opens().connects(|c| c).refuses().server_closes())
        // Whoever closes, it is closed.
        .legal(|s, _| s.opens().connects(|c| c).refuses().client_closes())
        .into(list);
    session_present(list);
    Cases::v5(V::ServerDisconnectEarly, Low, "mqtt5:3.14.0-1")
        .not_due(|s, _| s.opens().connects(|c| c).down(Reasoned::disconnect(0x8b)).server_closes())
        .legal(|s, _| s.session().down(Reasoned::disconnect(0x8b)).server_closes())
        .into(list);
}

fn session_present(list: &mut Vec<Case>) {
    Cases::both(V::SessionPresentClean, Low, ["mqtt311:3.2.2-1", "mqtt5:3.2.2-2"])
        .not_due(|s, _| s.opens().connects(|c| c).accepts(ConnAck::session_present).leaves())
        .legal(|s, _| {
            let s = s.session_of(kept).leaves();
            s.opens_again().connects(kept).accepts(ConnAck::session_present).leaves()
        })
        .into(list);
    Cases::both(V::SessionLost, Low, ["mqtt311:3.2.2-2", "mqtt5:3.2.2-3"])
        .not_due(|s, _| {
            let s = s.session_of(kept).leaves();
            s.opens_again().connects(kept).accepts(|a| a).leaves()
        })
        // Nothing was kept the first time.
        .legal(|s, _| s.session().leaves().opens_again().connects(kept).accepts(|a| a).leaves())
        .into(list);
    Cases::both(V::SessionInvented, Low, ["mqtt311:3.2.2-3", "mqtt5:3.2.2-3"])
        .not_due(|s, _| {
            let s = s.session().leaves();
            s.opens_again().connects(kept).accepts(ConnAck::session_present).leaves()
        })
        // What was before the capture is not known.
        .legal(|s, _| s.opens().connects(kept).accepts(ConnAck::session_present).leaves())
        .into(list);
    Cases::both(V::SessionPresentRefused, Low, ["mqtt311:3.2.2-4", "mqtt5:3.2.2-6"])
        .not_due(|s, v| {
            let refusal = ConnAck::new(v, refusal(v)).session_present();
            s.opens().connects(kept).down(refusal).server_closes()
        })
        .legal(|s, v| s.opens().connects(kept).down(ConnAck::new(v, refusal(v))).server_closes())
        .into(list);
}
