//! From a stream's octets to the framer where MQTT does not lie straight on TCP, or where that is not known yet.

use super::knowledge::Knowledge;
use super::mqtt::{Parts, Talk};
use super::{Engine, Sink};
use crate::decode::TcpSegment;
use crate::detect::scorer::Scorer;
use crate::flow::anomaly::Anomaly;
use crate::flow::carrier::{Beginning, Carrier, Opening, beginning};
use crate::flow::connection::{Ends, Half, Speaks};
use crate::flow::key::Direction;
use crate::flow::stream::Delivery;
use crate::flow::table::Handle;
use crate::host::window::Counter;
use crate::limits::MQTT_TLS_PORT;
use crate::mqtt::framer::{Framer, HeadRing};
use crate::time::Timestamp;
use crate::tls::Tls;
use crate::tls::record::begins_with_record;
use crate::websocket::WebSocket;

/// What carried MQTT. All count from the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CarrierStats {
    /// Connections with control packets straight on TCP.
    pub plain: u64,
    /// Connections with control packets in a WebSocket.
    pub websocket: u64,
    /// Frames and upgrades of these with something wrong; see [`Fault`](crate::websocket::frame::Fault).
    pub websocket_faults: u64,
    /// Octets of these that are compressed, and not read.
    pub compressed_octets: u64,
    /// Octets of these in which no frame boundary was known.
    pub websocket_skipped_octets: u64,
    /// Connections with MQTT in TLS, by their port or by the application protocol that the client asks for: encrypted, and
    /// seen by their records alone.
    pub tls: u64,
    /// Connections with TLS that does not say that it is MQTT; these are not looked into.
    pub tls_other: u64,
    /// Hellos that had to make room for others before they were read.
    pub hellos_displaced: u64,
    /// Octets of TLS connections with MQTT in which no record boundary was known.
    pub tls_skipped_octets: u64,
    /// Of these connections, those that ended like a refused login.
    pub tls_refused: u64,
    /// Sessions that a server answered on a port where none is expected.
    pub unexpected_port: u64,
}

impl CarrierStats {
    /// Each counter by the name used in statistics.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u64); 11] {
        [
            ("plain", self.plain),
            ("websocket", self.websocket),
            ("websocket_faults", self.websocket_faults),
            ("websocket_compressed_octets", self.compressed_octets),
            ("websocket_skipped_octets", self.websocket_skipped_octets),
            ("tls", self.tls),
            ("tls_other", self.tls_other),
            ("tls_hellos_displaced", self.hellos_displaced),
            ("tls_skipped_octets", self.tls_skipped_octets),
            ("tls_refused", self.tls_refused),
            ("unexpected_port", self.unexpected_port),
        ]
    }
}

/// One direction of a connection, and what of the other one may change with it.
pub(super) struct Carried<'c> {
    pub(super) talk: Talk<'c>,
    pub(super) carrier: &'c mut Carrier,
    pub(super) framer: &'c mut Framer,
    /// The other direction.
    pub(super) other: &'c mut Half,
    /// The server's port is one of those configured.
    pub(super) mqtt_port: bool,
}

impl Carried<'_> {
    /// Whether TLS with this server holds MQTT whatever the hellos say.
    pub(super) fn is_tls_port(&self) -> bool {
        self.mqtt_port || self.talk.ends.server.port == MQTT_TLS_PORT
    }
}

impl<S: Scorer> Engine<'_, S> {
    /// Takes the payload of a segment of a connection that is not known to be plain MQTT.
    #[cold]
    pub(super) fn on_carried<K: Sink>(
        &mut self,
        handle: Handle,
        direction: Direction,
        segment: &TcpSegment<'_>,
        now: Timestamp,
        sink: &mut K,
    ) {
        let Some((_, connection)) = self.connections.at(handle) else {
            return;
        };
        let Parts { talk, carrier, half, other } = Parts::of(connection, handle, direction, now);
        let server_port = talk.ends.server.port;
        let mqtt_port = self.settings.mqtt_ports.contains(&server_port);
        let Half { stream, framer, .. } = half;
        let wanted = match carrier {
            // Only the client's octets tell what it is, except where it is known by its port.
            Carrier::Unknown(_) => {
                direction == Direction::ToServer || mqtt_port || server_port == MQTT_TLS_PORT
            }
            Carrier::WebSocket(socket) => socket.wants(direction),
            Carrier::Plain | Carrier::Tls(_) => true,
            Carrier::Other => false,
        };
        if !wanted {
            return stream.follow(segment.first_octet(), segment.wire_payload_len);
        }
        let octets = segment.wire_payload_len;
        let (knowledge, heads) = (&mut self.knowledge, &mut self.heads);
        let mut carried = Carried { talk, carrier, framer, other, mqtt_port };
        stream.accept(segment.first_octet(), segment.payload, octets, &mut self.streams, &mut |delivery| {
            knowledge.on_carried(&mut carried, heads, delivery, sink);
        });
        let Carried { talk, carrier, .. } = carried;
        if carrier.carries_mqtt() {
            knowledge.count_segment(talk.ends, direction, octets, now);
        }
    }
}

impl Knowledge<'_> {
    /// Counts a segment with MQTT in it.
    #[inline]
    pub(super) fn count_segment(
        &mut self,
        ends: &mut Ends,
        direction: Direction,
        octets: u32,
        now: Timestamp,
    ) {
        let (segments, bytes) = match direction {
            Direction::ToServer => (Counter::SegmentsSent, Counter::BytesSent),
            Direction::ToClient => (Counter::SegmentsReceived, Counter::BytesReceived),
        };
        if let Some(host) = self.host(ends, now) {
            host.count(segments, 1, now.as_secs());
            host.count(bytes, octets.div_ceil(64), now.as_secs());
        }
    }

    /// Takes the next octets of a direction, or a gap in them, through its carrier.
    pub(super) fn on_carried<K: Sink>(
        &mut self,
        carried: &mut Carried<'_>,
        heads: &mut HeadRing<'_>,
        delivery: Delivery<'_>,
        sink: &mut K,
    ) {
        if let Delivery::Conflict { octets, settled } = delivery
            && !carried.carrier.is_plain()
        {
            let Ends { client, server, .. } = *carried.talk.ends;
            let (direction, now) = (carried.talk.direction, carried.talk.now);
            self.tell(Anomaly::OverlapConflict, (client, server), direction, now, sink);
            let is_open = matches!(carried.carrier, Carrier::WebSocket(socket) if socket.is_open());
            if !settled && !is_open {
                // What was taken for the beginning may be nothing that the receiver got.
                *carried.carrier = Carrier::NEW;
                return self.on_opening(carried, Opening::NEW, heads, Delivery::Octets(octets), sink);
            }
        }
        match carried.carrier {
            Carrier::Plain => {
                self.on_delivery(&mut carried.talk, carried.framer, heads, delivery, sink);
            }
            Carrier::Unknown(opening) => {
                let opening = *opening;
                self.on_opening(carried, opening, heads, delivery, sink);
            }
            Carrier::WebSocket(_) => self.on_websocket(carried, heads, delivery, sink),
            Carrier::Tls(_) => self.on_tls(carried, delivery, sink),
            Carrier::Other => {}
        }
    }

    /// Takes octets of a connection that has yet to say what it is.
    fn on_opening<K: Sink>(
        &mut self,
        carried: &mut Carried<'_>,
        mut opening: Opening,
        heads: &mut HeadRing<'_>,
        delivery: Delivery<'_>,
        sink: &mut K,
    ) {
        let Delivery::Octets(octets) = delivery else {
            // What comes behind the gap may still be known by its shape.
            *carried.carrier = Carrier::NEW;
            *carried.framer = Framer::IN_THE_MIDDLE;
            return;
        };
        let joined = !carried.talk.from_start && carried.is_tls_port();
        let is_record = joined && begins_with_record(octets);
        let tells = carried.mqtt_port || is_record || carried.talk.direction == Direction::ToServer;
        if !tells {
            return;
        }
        let kept = opening.keep(octets);
        let begins = match carried.talk.direction {
            _ if is_record && opening.octets().len() == kept => Beginning::Record,
            Direction::ToServer if opening.octets().len() == kept => beginning(octets),
            Direction::ToServer => beginning(opening.octets()),
            // Only where the port says that it is MQTT.
            Direction::ToClient => Beginning::Unlike,
        };
        let Some(decided) = carried.decide(begins, &opening) else {
            *carried.carrier = Carrier::Unknown(opening);
            return;
        };
        self.counts.carriers.plain += u64::from(decided.is_plain());
        self.counts.carriers.tls += u64::from(begins == Beginning::Record);
        *carried.carrier = decided;
        if opening.octets().len() == kept {
            self.on_carried(carried, heads, delivery, sink);
        } else {
            self.on_carried(carried, heads, Delivery::Octets(opening.octets()), sink);
            let rest = octets.get(kept..).unwrap_or_default();
            if !rest.is_empty() {
                self.on_carried(carried, heads, Delivery::Octets(rest), sink);
            }
        }
    }
}

impl Carried<'_> {
    /// What carries a stream that begins so; `None` while too little was seen.
    fn decide(&mut self, begins: Beginning, opening: &Opening) -> Option<Carrier> {
        let begins = match begins {
            // A client of a broker's port that may be saying CONNECT need not finish it.
            Beginning::Short
                if self.mqtt_port && self.talk.from_start && opening.octets().first() == Some(&0x10) =>
            {
                Beginning::Unlike
            }
            begins => begins,
        };
        let carrier = match begins {
            Beginning::Short => return None,
            Beginning::Connect => {
                // It says where the boundary is, even when the SYN was missed.
                *self.framer = Framer::AT_START;
                if !self.other.stream.is_positioned() {
                    self.other.framer = Framer::AT_START;
                }
                Carrier::Plain
            }
            Beginning::Unlike if self.mqtt_port => Carrier::Plain,
            Beginning::Http => Carrier::WebSocket(WebSocket::NEW),
            Beginning::Tls => Carrier::Tls(Tls::NEW),
            Beginning::Record => Carrier::Tls(Tls::IN_THE_MIDDLE),
            Beginning::Unlike => Carrier::Other,
        };
        let session = &mut *self.talk.session;
        session.unexpected_port = carrier.is_plain() && !self.mqtt_port;
        session.speaks = match begins {
            Beginning::Connect | Beginning::Unlike if carrier.is_plain() => Speaks::Mqtt,
            Beginning::Record => Speaks::Encrypted,
            Beginning::Unlike => Speaks::Other,
            _ => Speaks::Unknown,
        };
        Some(carrier)
    }
}
