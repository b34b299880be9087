//! The fixed header: type, flags, Remaining Length, and who may send what.

use picket::alert::Severity::{High, Low, Medium};
use picket::event::Reaction::NotDue;
use picket::mqtt::violation::Violation as V;

use crate::case::{Case, Cases};
use crate::support::mqtt::{
    Ack, ConnAck, Properties, Publish, Reasoned, SubAck, Subscribe, Unsubscribe, disconnect, id, long_varint,
    longer, packet, pingreq, pingresp, with_flags, with_length, with_long_length,
};

pub fn add(list: &mut Vec<Case>) {
    types(list);
    flags(list);
    lengths(list);
    directions(list);
}

fn types(list: &mut Vec<Case>) {
    Cases::both(V::ReservedType, Medium, ["mqtt311:4.8.0-1", "mqtt5:4.13.1-1"])
        .closed(|s, _| s.session().up([0x00, 0]).server_closes())
        .ignored(|s, _| s.session().up([0x00, 0]).waits(6).leaves())
        .legal(|s, _| s.session().pings().leaves())
        .into(list);
    Cases::v311(V::ReservedType, Medium, "mqtt311:4.8.0-1")
        .closed(|s, _| s.session().up([0xf0, 0]).server_closes())
        .into(list);
    Cases::v5(V::ReservedType, Medium, "mqtt5:4.13.1-1")
        .legal(|s, _| {
            let method = Properties::new().text(id::AUTHENTICATION_METHOD, "M");
            let again = |code| {
                Reasoned::auth(code).properties(Properties::new().text(id::AUTHENTICATION_METHOD, "M"))
            };
            s.opens()
                .connects(|connect| connect.properties(method.clone()))
                .accepts(|accepted| accepted.properties(method.clone()))
                .up(again(0x19))
                .down(again(0))
                .leaves()
        })
        .into(list);
}

fn flags(list: &mut Vec<Case>) {
    // The 3.1.1 standard wants the connection closed; one that goes on breaks another statement.
    let kept_open = ["mqtt311:2.2.2-2", ""];
    Cases::both(V::ReservedFlags, Medium, ["mqtt311:2.2.2-1", "mqtt5:2.1.3-1"])
        .closed(|s, _| s.session().up(with_flags(pingreq(), 1)).server_closes())
        .answered(|s, _| s.session().up(with_flags(pingreq(), 1)).down(pingresp()).leaves())
        .beside(NotDue, kept_open)
        .ignored(|s, _| s.session().up(with_flags(pingreq(), 8)).waits(6).leaves())
        .beside(NotDue, kept_open)
        .legal(|s, v| s.session().up(Publish::new(v, "a").qos(1, 1).retain()).down(Ack::puback(1)).leaves())
        .into(list);
    Cases::both(V::PubRelFlags, Medium, ["mqtt311:3.6.1-1", "mqtt5:3.6.1-1"])
        .closed(|s, v| {
            let s = s.session().up(Publish::new(v, "a").qos(2, 1)).down(Ack::pubrec(1));
            s.up(with_flags(Ack::pubrel(1), 0)).server_closes()
        })
        .answered(|s, v| {
            let s = s.session().up(Publish::new(v, "a").qos(2, 1)).down(Ack::pubrec(1));
            s.up(with_flags(Ack::pubrel(1), 0)).down(Ack::pubcomp(1)).leaves()
        })
        .beside(NotDue, kept_open)
        .legal(|s, v| {
            let s = s.session().up(Publish::new(v, "a").qos(2, 1)).down(Ack::pubrec(1));
            s.up(Ack::pubrel(1)).down(Ack::pubcomp(1)).leaves()
        })
        .into(list);
    Cases::both(V::SubscribeFlags, Medium, ["mqtt311:3.8.1-1", "mqtt5:3.8.1-1"])
        .closed(|s, v| s.session().up(with_flags(Subscribe::new(v, 1).filter("a", 0), 0)).server_closes())
        .legal(|s, v| {
            let s = s.session().up(Subscribe::new(v, 1).filter("a", 0));
            s.down(SubAck::new(v, 1, &[0])).leaves()
        })
        .into(list);
    Cases::both(V::UnsubscribeFlags, Medium, ["mqtt311:3.10.1-1", "mqtt5:3.10.1-1"])
        .closed(|s, v| s.session().up(with_flags(Unsubscribe::new(v, 1).filter("a"), 0)).server_closes())
        .legal(|s, v| {
            let s = s.session().up(Unsubscribe::new(v, 1).filter("a"));
            s.down(SubAck::unsuback(v, 1, &[0])).leaves()
        })
        .into(list);
    Cases::both(V::DisconnectFlags, Medium, ["mqtt311:3.14.1-1", "mqtt5:3.14.1-1"])
        .closed(|s, _| s.session().up(with_flags(disconnect(), 2)).server_closes())
        .legal(|s, _| s.session().up(disconnect()).server_closes())
        .into(list);
    Cases::v311(V::FlagsTolerated, Low, "mqtt311:2.2.2-2")
        .not_due(|s, v| {
            let s = s.session().up(with_flags(Unsubscribe::new(v, 1).filter("a"), 0));
            s.down(SubAck::unsuback(v, 1, &[])).leaves()
        })
        .beside(picket::event::Reaction::Answered, ["mqtt311:3.10.1-1"])
        .legal(|s, v| {
            let s = s.session().up(Unsubscribe::new(v, 1).filter("a"));
            s.down(SubAck::unsuback(v, 1, &[])).leaves()
        })
        .into(list);
}

fn lengths(list: &mut Vec<Case>) {
    Cases::both(V::RemainingLength, High, ["mqtt311:2.2.3", "mqtt5:1.5.5"])
        .closed(|s, _| s.session().up([0x30, 0xff, 0xff, 0xff, 0xff, 0x01]).server_closes())
        .ignored(|s, _| s.session().up([0x30, 0x80, 0x80, 0x80, 0x80, 0x01]).waits(6).client_closes())
        // Four octets are the most there can be: 2,097,152 octets are announced, of which the first are sent.
        .legal(|s, v| s.session().up(with_length(Publish::new(v, "a"), &long_varint(2_097_152, 4))))
        .into(list);
    Cases::v311(V::RemainingLength, High, "mqtt311:2.2.3")
        // Before version 5 nothing forbids more octets than needed.
        .legal(|s, v| s.session().up(with_long_length(Publish::new(v, "a"), 4)).leaves())
        .into(list);
    Cases::v5(V::NonMinimalLength, Low, "mqtt5:1.5.5-1")
        .closed(|s, v| s.session().up(with_long_length(Publish::new(v, "a"), 4)).server_closes())
        .answered(|s, v| {
            let properties = Properties::new().length([0x80, 0x00]);
            let subscribe = Subscribe::new(v, 1).filter("a", 0).properties(properties);
            s.session().up(subscribe).down(SubAck::new(v, 1, &[0])).leaves()
        })
        // The identifier of a property.
        .closed(|s, v| {
            let properties = Properties::new().octet(0x81, 0x00).length([0x03]);
            s.session().up(longer(Publish::new(v, "a").properties(properties), &[1])).server_closes()
        })
        .legal(|s, v| s.session().up(Publish::new(v, "a").payload([b'x'; 125])).leaves())
        .into(list);
    Cases::both(V::Truncated, Medium, ["mqtt311:4.8", "mqtt5:4.13"])
        .closed(|s, _| s.session().up(packet(0x30, &[0xff, 0xff, b'a'])).server_closes())
        .legal(|s, v| s.session().up(Publish::new(v, "a")).leaves())
        .into(list);
    Cases::both(V::Trailing, Medium, ["mqtt311:4.8", "mqtt5:4.13"])
        .closed(|s, _| s.session().up(packet(0xc0, &[0])).server_closes())
        .answered(|s, _| s.session().up(packet(0xc0, &[0])).down(pingresp()).leaves())
        .not_due(|s, v| s.opens().connects(|c| c).down(longer(ConnAck::new(v, 0), &[0])).leaves())
        .legal(|s, _| s.session().pings().leaves())
        .into(list);
}

fn directions(list: &mut Vec<Case>) {
    Cases::both(V::WrongDirection, Medium, ["mqtt311:2.2.1", "mqtt5:2.1.2"])
        .closed(|s, _| s.session().up(pingresp()).server_closes())
        .ignored(|s, _| s.session().up(pingresp()).waits(6).leaves())
        .not_due(|s, _| s.session().down(pingreq()).leaves())
        .legal(|s, _| s.session().pings().leaves())
        .into(list);
    Cases::v311(V::WrongDirection, Medium, "mqtt311:2.2.1")
        // Before version 5 a server says nothing; it closes.
        .not_due(|s, _| s.session().down(disconnect()).server_closes())
        .into(list);
    Cases::v5(V::WrongDirection, Medium, "mqtt5:2.1.2")
        .legal(|s, _| s.session().down(Reasoned::disconnect(0x8b)).server_closes())
        .into(list);
    Cases::both(V::ConnAckFromClient, High, ["mqtt311:2.2.1", "mqtt5:2.1.2"])
        .closed(|s, v| s.session().up(ConnAck::new(v, 0)).server_closes())
        .also(["cve:CVE-2021-28166"; 2])
        .legal(|s, _| s.session().leaves())
        .into(list);
    Cases::v5(V::ConnAckFromClient, High, "cve:CVE-2021-28166")
        .closed(|s, v| s.session().up(ConnAck::new(v, 0)).server_resets())
        .also(["mqtt5:2.1.2"])
        .ignored(|s, v| s.session().up(ConnAck::new(v, 0)).waits(6).leaves())
        .also(["mqtt5:2.1.2"])
        .legal(|s, _| s.session().leaves())
        .into(list);
}
