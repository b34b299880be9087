//! AUTH: enhanced authentication of version 5 (section 4.12).

use picket::alert::Severity::Medium;
use picket::mqtt::violation::Violation as V;

use crate::case::{Case, Cases};
use crate::support::mqtt::{Ack, Properties, Publish, Reasoned, id, with_flags};

/// The properties that name an authentication method.
fn method(name: &str) -> Properties {
    Properties::new().text(id::AUTHENTICATION_METHOD, name)
}

/// AUTH with this code and method.
fn auth(code: u8, name: &str) -> Reasoned {
    Reasoned::auth(code).properties(method(name))
}

pub fn add(list: &mut Vec<Case>) {
    Cases::v5(V::AuthFlags, Medium, "mqtt5:3.15.1-1")
        .closed(|s, _| {
            let s = s.opens().connects(|c| c.properties(method("M"))).down(auth(0x18, "M"));
            s.up(with_flags(auth(0x18, "M"), 1)).server_closes()
        })
        .legal(|s, _| {
            let s = s.opens().connects(|c| c.properties(method("M"))).down(auth(0x18, "M"));
            s.up(auth(0x18, "M")).accepts(|a| a.properties(method("M"))).leaves()
        })
        .into(list);
    Cases::v5(V::PacketDuringAuth, Medium, "mqtt5:3.1.2-30")
        .closed(|s, v| {
            let s = s.opens().connects(|c| c.properties(method("M"))).down(auth(0x18, "M"));
            s.up(Publish::new(v, "a")).server_closes()
        })
        .legal(|s, v| {
            let s = s.opens().connects(|c| c.properties(method("M"))).down(auth(0x18, "M"));
            let s = s.up(auth(0x18, "M")).accepts(|a| a.properties(method("M")));
            s.up(Publish::new(v, "a").qos(1, 1)).down(Ack::puback(1)).leaves()
        })
        .into(list);
    Cases::v5(V::AuthWithoutMethod, Medium, "mqtt5:4.12.0-7")
        .closed(|s, _| s.session().up(auth(0x19, "M")).server_closes())
        .legal(|s, _| {
            let s = s.opens().connects(|c| c.properties(method("M"))).accepts(|a| a.properties(method("M")));
            s.up(auth(0x19, "M")).down(auth(0, "M")).leaves()
        })
        .into(list);
    Cases::v5(V::ServerAuthUnsolicited, Medium, "mqtt5:4.12.0-6")
        .not_due(|s, _| s.opens().connects(|c| c).down(auth(0x18, "M")).client_closes())
        .legal(|s, _| {
            let s = s.opens().connects(|c| c.properties(method("M"))).down(auth(0x18, "M"));
            s.up(auth(0x18, "M")).accepts(|a| a.properties(method("M"))).leaves()
        })
        .into(list);
    for (name, other) in [("mqtt5:4.12.0-5", "mqtt5:4.12.1-1"), ("mqtt5:4.12.1-1", "mqtt5:4.12.0-5")] {
        Cases::v5(V::AuthMethodMismatch, Medium, name)
            .closed(|s, _| {
                let s =
                    s.opens().connects(|c| c.properties(method("M"))).accepts(|a| a.properties(method("M")));
                s.up(auth(0x19, "other")).server_closes()
            })
            .also([other])
            .legal(|s, _| {
                let s =
                    s.opens().connects(|c| c.properties(method("M"))).accepts(|a| a.properties(method("M")));
                s.up(auth(0x19, "M")).down(auth(0, "M")).leaves()
            })
            .into(list);
    }
}
