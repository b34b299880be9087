//! Packet identifiers, in either direction.

use picket::alert::Severity::{High, Low, Medium};
use picket::event::Reaction::NotDue;
use picket::mqtt::violation::Violation as V;

use crate::case::{Case, Cases};
use crate::support::mqtt::{Ack, Publish, SubAck, Subscribe, Unsubscribe};

pub fn add(list: &mut Vec<Case>) {
    Cases::both(V::PublishIdMissing, High, ["mqtt311:2.3.1-1", "mqtt5:2.2.1-3"])
        .closed(|s, _| s.session().up([0x32, 3, 0, 1, b'a']).server_closes())
        .legal(|s, v| s.session().up(Publish::new(v, "a").qos(1, 1)).down(Ack::puback(1)).leaves())
        .into(list);
    Cases::both(V::PacketIdZero, Medium, ["mqtt311:2.3.1-1", "mqtt5:2.2.1-3"])
        .closed(|s, v| s.session().up(Publish::new(v, "a").qos(1, 0)).server_closes())
        .answered(|s, v| {
            let s = s.session().up(Subscribe::new(v, 0).filter("a", 0));
            s.down(SubAck::new(v, 0, &[0])).leaves()
        })
        .beside(NotDue, ["mqtt311:2.3.1-1", "mqtt5:2.2.1-4"])
        .legal(|s, v| s.session().up(Publish::new(v, "a").qos(1, 65_535)).down(Ack::puback(65_535)).leaves())
        .into(list);
    Cases::both(V::ServerPacketIdZero, Medium, ["mqtt311:2.3.1-1", "mqtt5:2.2.1-4"])
        .not_due(|s, v| s.session().down(Publish::new(v, "a").qos(1, 0)).client_closes())
        .legal(|s, v| s.session().down(Publish::new(v, "a").qos(1, 1)).up(Ack::puback(1)).leaves())
        .into(list);
    Cases::both(V::PacketIdInUse, Low, ["mqtt311:2.3.1-2", "mqtt5:2.2.1-3"])
        .answered(|s, v| {
            let s = s.session().up(Publish::new(v, "a").qos(1, 7)).up(Publish::new(v, "b").qos(1, 7));
            s.down(Ack::puback(7)).leaves()
        })
        // Each direction has identifiers of its own.
        .legal(|s, v| {
            let s = s.session().up(Publish::new(v, "a").qos(1, 7)).down(Publish::new(v, "b").qos(1, 7));
            s.up(Ack::puback(7)).down(Ack::puback(7)).leaves()
        })
        .into(list);
    Cases::both(V::ServerPacketIdInUse, Low, ["mqtt311:2.3.1-4", "mqtt5:2.2.1-4"])
        .not_due(|s, v| {
            let s = s.session().down(Publish::new(v, "a").qos(1, 7)).down(Publish::new(v, "b").qos(1, 7));
            s.up(Ack::puback(7)).leaves()
        })
        .legal(|s, v| {
            let s = s.session().down(Publish::new(v, "a").qos(1, 7)).down(Publish::new(v, "b").qos(1, 8));
            s.up(Ack::puback(7)).up(Ack::puback(8)).leaves()
        })
        .into(list);
    Cases::both(V::AckUnknown, Low, ["mqtt311:2.3.1-6", "mqtt5:2.2.1-5"])
        .closed(|s, _| s.session().up(Ack::puback(9)).server_closes())
        .ignored(|s, _| s.session().up(Ack::puback(9)).waits(6).leaves())
        .not_due(|s, _| s.session().down(Ack::puback(9)).leaves())
        .legal(|s, v| s.session().down(Publish::new(v, "a").qos(1, 9)).up(Ack::puback(9)).leaves())
        // Joined in the middle: the PUBLISH may have been before.
        .legal(|s, _| s.joins().pings().down(Ack::puback(9)).pings().leaves())
        // The PUBLISH may have been in what was not captured.
        .legal(|s, _| s.session().pings().up_unseen(9).pings().down(Ack::puback(9)).leaves())
        .into(list);
    Cases::both(V::SubAckUnknown, Low, ["mqtt311:2.3.1-7", "mqtt5:2.2.1-6"])
        .not_due(|s, v| s.session().down(SubAck::new(v, 9, &[0])).leaves())
        .not_due(|s, v| s.session().down(SubAck::unsuback(v, 9, &[0])).leaves())
        .legal(|s, v| {
            let s = s.session().up(Subscribe::new(v, 9).filter("a", 0)).down(SubAck::new(v, 9, &[0]));
            s.up(Unsubscribe::new(v, 9).filter("a")).down(SubAck::unsuback(v, 9, &[0])).leaves()
        })
        .into(list);
}
