//! The vector of one control packet of a client: its own fields by their shape and size, and where in its session it stands.

use super::FeatureVector;
use super::schema::{Feature, Schema};
use crate::flow::connection::Session;
use crate::host::family::FAMILIES;
use crate::mqtt::connect::Connect;
use crate::mqtt::packet::{Body, ControlPacket, PacketType, RawPacket};
use crate::mqtt::publish::Publish;
use crate::mqtt::subscribe::Filters;
use crate::time::Timestamp;

/// A control packet of a client with what stands around it.
#[derive(Clone, Copy, Debug)]
pub struct InSession<'s, 'p> {
    /// The fixed header and the octets behind it.
    pub raw: &'s RawPacket<'p>,
    /// What it says, and what is wrong with it.
    pub packet: &'s ControlPacket<'p>,
    /// Length of the topic of a PUBLISH, also where an alias stands for it.
    pub topic_len: usize,
    /// Its session, in which it is counted already.
    pub session: &'s Session,
    /// When the connection was first seen.
    pub opened: Timestamp,
    /// Time since the latest control packet of the client and of the server, in microseconds; 0 where there was none.
    pub since: [u64; 2],
    /// A WebSocket carries it.
    pub in_websocket: bool,
}

macro_rules! packet_columns {
    ($($name:literal $unit:literal $value:expr, $doc:literal;)+) => {
        const FEATURES: &[Feature] = &[$(Feature { name: $name, unit: $unit, doc: $doc }),+];
        const VALUES: &[for<'s, 'p, 'v> fn(&'v InSession<'s, 'p>, Timestamp) -> u64] = &[$($value),+];
    };
}

packet_columns! {
    "packet_type" "type" |p, _| p.packet.packet_type as u64, "number of the packet type";
    "is_connect" "flag" |p, _| is(p, PacketType::Connect), "it is a CONNECT";
    "is_publish" "flag" |p, _| is(p, PacketType::Publish), "it is a PUBLISH";
    "is_subscribe" "flag" |p, _| is(p, PacketType::Subscribe), "it is a SUBSCRIBE";
    "is_pingreq" "flag" |p, _| is(p, PacketType::PingReq), "it is a PINGREQ";
    "is_disconnect" "flag" |p, _| is(p, PacketType::Disconnect), "it is a DISCONNECT";
    "is_acknowledgement" "flag" |p, _| u64::from(matches!(p.packet.body, Body::Ack(_))), "it is a PUBACK, PUBREC, PUBREL or PUBCOMP";
    "flags" "bits" |p, _| u64::from(p.raw.first & 0x0f), "flags of the fixed header";
    "remaining_length" "octets" |p, _| u64::from(p.raw.remaining_length), "Remaining Length";
    "length_octets" "octets" |p, _| u64::from(p.raw.length_octets), "octets that the Remaining Length takes";
    "qos" "level" |p, _| publish(p, |publish| publish.qos.into()), "QoS of a PUBLISH";
    "dup" "flag" |p, _| publish(p, |publish| publish.dup.into()), "DUP of a PUBLISH";
    "retain" "flag" |p, _| publish(p, |publish| publish.retain.into()), "RETAIN of a PUBLISH";
    "topic_length" "octets" |p, _| p.topic_len as u64, "length of the topic of a PUBLISH";
    "topic_levels" "levels" |p, _| publish(p, levels), "levels of the topic of a PUBLISH";
    "payload_length" "octets" |p, _| publish(p, |publish| publish.payload_len.unwrap_or(0).into()), "length of the payload of a PUBLISH";
    "packet_id" "flag" |p, _| publish(p, |publish| publish.packet_id.is_some().into()), "a PUBLISH has a packet identifier";
    "property_length" "octets" |p, _| p.packet.body.properties().map_or(0, |properties| properties.len.into()), "length of its properties";
    "client_id_length" "octets" |p, _| connect(p, |connect| connect.client_id.map_or(0, |id| id.len() as u64)), "length of the client id of a CONNECT";
    "clean" "flag" |p, _| connect(p, |connect| connect.clean.into()), "clean session of a CONNECT";
    "keep_alive" "s" |p, _| connect(p, |connect| connect.keep_alive.into()), "keep alive of a CONNECT";
    "will" "flag" |p, _| connect(p, |connect| connect.will.is_some().into()), "a CONNECT leaves a will";
    "will_retain" "flag" |p, _| connect(p, |connect| connect.will.is_some_and(|will| will.retain).into()), "a CONNECT leaves a will with RETAIN";
    "will_length" "octets" |p, _| connect(p, |connect| connect.will.and_then(|will| will.payload_len).unwrap_or(0).into()), "length of the message of a will";
    "user_name" "flag" |p, _| connect(p, |connect| connect.user_name.is_some().into()), "a CONNECT gives a user name";
    "password" "flag" |p, _| connect(p, |connect| connect.password.is_some().into()), "a CONNECT gives a password";
    "filters" "filters" |p, _| filters(p, |filters| filters.count.into()), "topic filters of a SUBSCRIBE or UNSUBSCRIBE";
    "filters_wildcard" "filters" |p, _| filters(p, |filters| filters.wildcards.into()), "of these, with wildcards";
    "filters_shared" "filters" |p, _| filters(p, |filters| filters.shared.into()), "of these, shared subscriptions";
    "reads_all" "flag" |p, _| filters(p, |filters| filters.reads_all.into()), "one of these is to everything, or to the server's own figures";
    "refuses" "flag" |p, _| u64::from(refuses(&p.packet.body)), "its reason code is one of an error";
    "violations" "kinds" |p, _| p.packet.violations.len().into(), "kinds of violations in it";
    "violation_format" "flag" |p, _| family(p, 0), "it cannot be read as what it says it is";
    "violation_order" "flag" |p, _| family(p, 1), "it comes when it must not";
    "violation_identifier" "flag" |p, _| family(p, 2), "it uses packet identifiers, QoS or acknowledgements wrongly";
    "violation_text" "flag" |p, _| family(p, 3), "it has strings, topics or filters that are none";
    "violation_property" "flag" |p, _| family(p, 4), "it uses properties or topic aliases wrongly";
    "protocol_level" "level" |p, _| p.session.version.level().into(), "3, 4, 5, or 0 when unknown";
    "websocket" "flag" |p, _| p.in_websocket.into(), "a WebSocket carries it";
    "position" "packets" |p, _| p.session.tally.packets[0].into(), "its place among the client's control packets, from 1";
    "answers" "packets" |p, _| p.session.tally.packets[1].into(), "control packets of the server before it";
    "age" "ms" |p, now| now.micros_since(p.opened) / 1000, "time since the connection was first seen";
    "since_client" "us" |p, _| p.since[0], "time since the client's control packet before it";
    "since_server" "us" |p, _| p.since[1], "time since the server's latest control packet";
    "accepted" "flag" |p, _| p.session.accepted.into(), "the session is accepted";
    "refused" "flag" |p, _| p.session.refused.into(), "the session was refused";
    "unanswered" "packets" |p, _| unanswered(p), "PUBLISH with QoS 1 or 2 of the session without PUBACK or PUBREC";
    "qos2_open" "messages" |p, _| p.session.qos2_open.into(), "PUBLISH with QoS 2 of the session whose PUBREL has not come";
    "violations_before" "packets" |p, _| p.session.tally.violations.into(), "earlier control packets of the session that break the standard";
}

fn is(of: &InSession<'_, '_>, packet_type: PacketType) -> u64 {
    u64::from(of.packet.packet_type == packet_type)
}

fn publish(of: &InSession<'_, '_>, value: impl Fn(&Publish<'_>) -> u64) -> u64 {
    if let Body::Publish(publish) = &of.packet.body { value(publish) } else { 0 }
}

fn connect(of: &InSession<'_, '_>, value: impl Fn(&Connect<'_>) -> u64) -> u64 {
    if let Body::Connect(connect) = &of.packet.body { value(connect) } else { 0 }
}

fn filters(of: &InSession<'_, '_>, value: impl Fn(&Filters<'_>) -> u64) -> u64 {
    match &of.packet.body {
        Body::Subscribe(filters) | Body::Unsubscribe(filters) => value(filters),
        _ => 0,
    }
}

fn levels(publish: &Publish<'_>) -> u64 {
    let levels = |topic: &[u8]| topic.split(|octet| *octet == b'/').count() as u64;
    publish.topic.filter(|topic| !topic.is_empty()).map_or(0, levels)
}

fn family(of: &InSession<'_, '_>, place: usize) -> u64 {
    let found = of.packet.violations;
    FAMILIES.get(place).is_some_and(|(_, family)| found.without(*family) != found).into()
}

const fn refuses(body: &Body<'_>) -> bool {
    match body {
        Body::Ack(ack) => ack.code >= 0x80,
        Body::Disconnect(reasoned) | Body::Auth(reasoned) => reasoned.code >= 0x80,
        _ => false,
    }
}

fn unanswered(of: &InSession<'_, '_>) -> u64 {
    let [_, qos1, qos2] = of.session.tally.published;
    u64::from((qos1 + qos2).saturating_sub(of.session.tally.acknowledged))
}

/// One row per control packet of a client.
pub const PACKET: Schema = Schema { name: "picket-packet", version: 1, features: FEATURES };

const _: () = assert!(FEATURES.len() == VALUES.len() && FEATURES.len() <= crate::limits::MAX_FEATURES);

/// The vector of a control packet at `now`.
#[must_use]
pub fn vector(packet: &InSession<'_, '_>, now: Timestamp) -> FeatureVector {
    let mut vector = FeatureVector::ZERO;
    for (value, column) in vector.values.iter_mut().zip(VALUES) {
        // Exact up to 2^24, beyond that rounded the same way everywhere.
        *value = column(packet, now) as f32;
    }
    vector
}
