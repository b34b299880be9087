//! What is found in a WebSocket, on its way to the framer of its direction.

use super::Sink;
use super::carrier::Carried;
use super::knowledge::Knowledge;
use super::mqtt::Talk;
use crate::flow::carrier::Carrier;
use crate::flow::connection::Speaks;
use crate::flow::key::Direction;
use crate::flow::stream::Delivery;
use crate::limits::WEBSOCKET_PORTS;
use crate::mqtt::framer::{Framer, HeadRing};
use crate::mqtt::violation::Violation;
use crate::websocket::Found;
use crate::websocket::frame::Fault;

impl Knowledge<'_> {
    /// Takes octets of a WebSocket, or of an HTTP connection that may become one.
    pub(super) fn on_websocket<K: Sink>(
        &mut self,
        carried: &mut Carried<'_>,
        heads: &mut HeadRing<'_>,
        delivery: Delivery<'_>,
        sink: &mut K,
    ) {
        let Carried { talk, carrier, framer, other, mqtt_port } = carried;
        let Carrier::WebSocket(socket) = &mut **carrier else {
            return;
        };
        let mut foreign = false;
        talk.in_websocket = true;
        socket.take(talk.direction, delivery, &mut |found| match found {
            Found::Octets(octets) => self.on_delivery(talk, framer, heads, Delivery::Octets(octets), sink),
            Found::Gap(len) => self.on_delivery(talk, framer, heads, Delivery::Gap(len), sink),
            // More than any control packet is long.
            Found::Unknown => self.on_delivery(talk, framer, heads, Delivery::Gap(u32::MAX), sink),
            Found::Opened { both } => {
                self.counts.carriers.websocket += 1;
                talk.session.speaks = Speaks::Mqtt;
                talk.session.unexpected_port =
                    !*mqtt_port && !WEBSOCKET_PORTS.contains(&talk.ends.server.port);
                **framer = Framer::AT_START;
                other.framer = if both { Framer::AT_START } else { Framer::IN_THE_MIDDLE };
            }
            Found::Compressed(len) => self.counts.carriers.compressed_octets += u64::from(len),
            Found::Skipped(len) => self.counts.carriers.websocket_skipped_octets += u64::from(len),
            Found::Fault(fault) => self.on_fault(talk, fault, sink),
            Found::Foreign => foreign = true,
        });
        if talk.direction == Direction::ToServer {
            let cut = socket.client_is_between_messages() && framer.is_within_packet();
            talk.session.conformance.on_message_end(cut, talk.now);
        }
        if foreign {
            **carrier = Carrier::Other;
            talk.session.speaks = Speaks::Other;
            if *mqtt_port && talk.from_start {
                self.on_wrong(talk, Direction::ToServer, Violation::NotConnectFirst, sink);
            }
        }
    }

    /// Something is wrong with a frame of a WebSocket that carries MQTT, or with its upgrade.
    fn on_fault<K: Sink>(&mut self, talk: &mut Talk<'_>, fault: Fault, sink: &mut K) {
        self.counts.carriers.websocket_faults += 1;
        // The others break the standard of WebSocket, not that of MQTT.
        let violation = match fault {
            Fault::Text => Violation::WebSocketText,
            Fault::NotOffered => Violation::WebSocketNotOffered,
            Fault::NotAccepted => Violation::WebSocketNotAccepted,
            _ => return,
        };
        let culprit = if fault == Fault::NotAccepted { Direction::ToClient } else { talk.direction };
        self.on_wrong(talk, culprit, violation, sink);
    }
}
