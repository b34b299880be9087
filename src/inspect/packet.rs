//! The fields of a control packet, for text and JSON alike.

use super::value::{Field, Value};
use crate::engine::Observed;
use crate::flow::key::Direction;
use crate::mqtt::acknowledge::{Ack, ConnAck, SubAck};
use crate::mqtt::connect::{Connect, Will};
use crate::mqtt::packet::{Body, PacketType};
use crate::mqtt::property::{self, Properties, PropertyId};
use crate::mqtt::publish::Publish;
use crate::mqtt::reason;
use crate::mqtt::reasoned::Reasoned;
use crate::mqtt::subscribe::Filters;
use crate::mqtt::version::Version;

/// The name of a version.
#[must_use]
pub const fn version_name(version: Version) -> &'static str {
    match version {
        Version::V31 => "3.1",
        Version::V311 => "3.1.1",
        Version::V5 => "5",
        Version::Unknown => "unknown",
    }
}

/// Octets of a control packet, with its fixed header.
#[must_use]
pub fn octets(seen: &Observed<'_, '_>) -> u64 {
    1 + u64::from(seen.raw.length_octets) + u64::from(seen.raw.remaining_length)
}

/// The fields of a packet in the order of the standard, then what is wrong with it. User names only if asked for.
#[must_use]
pub fn fields(seen: &Observed<'_, '_>, user_names: bool) -> Vec<Field> {
    let mut fields = Vec::new();
    let packet_type = seen.packet.packet_type;
    match &seen.packet.body {
        Body::Connect(connect) => of_connect(connect, user_names, &mut fields),
        Body::ConnAck(Some(ack)) => of_connack(ack, seen.version, &mut fields),
        Body::ConnAck(None) | Body::Bare => {}
        Body::Publish(publish) => of_publish(publish, seen.topic, &mut fields),
        Body::Subscribe(filters) => of_filters(filters, true, seen.version, &mut fields),
        Body::Unsubscribe(filters) => of_filters(filters, false, seen.version, &mut fields),
        Body::Ack(ack) => of_ack(packet_type, ack, seen.version, &mut fields),
        Body::SubAck(ack) => of_suback(packet_type, ack, seen.version, &mut fields),
        Body::Disconnect(reasoned) | Body::Auth(reasoned) => {
            of_reasoned(packet_type, reasoned, seen.version, &mut fields);
        }
    }
    let violations = seen.packet.violations;
    if !violations.is_empty() {
        let names = violations.iter().flat_map(|one| one.row().names(seen.version, Some(packet_type)));
        fields.push(("violations", Value::List(names.map(Value::Word).collect())));
    }
    fields
}

fn of_connect(connect: &Connect<'_>, user_names: bool, fields: &mut Vec<Field>) {
    fields.push(("clean", Value::Flag(connect.clean)));
    if connect.bridge {
        fields.push(("bridge", Value::Flag(true)));
    }
    fields.push(("keep_alive", Value::Number(connect.keep_alive.into())));
    of_properties(&connect.properties, fields);
    if let Some(will) = &connect.will {
        fields.push(("will", Value::Object(of_will(will))));
    }
    match connect.user_name {
        Some(name) if user_names => fields.push(("user_name", Value::text(name))),
        name => fields.push(("user", Value::Flag(name.is_some()))),
    }
    if let Some(password) = connect.password {
        fields.push(("password_octets", Value::Number(password.len() as u64)));
    }
}

fn of_will(will: &Will<'_>) -> Vec<Field> {
    let mut fields = Vec::new();
    if let Some(topic) = will.topic {
        fields.push(("topic", Value::text(topic)));
    }
    fields.push(("qos", Value::Number(will.qos.into())));
    fields.push(("retain", Value::Flag(will.retain)));
    of_properties(&will.properties, &mut fields);
    if let Some(len) = will.payload_len {
        fields.push(("payload_octets", Value::Number(len.into())));
    }
    fields
}

fn of_connack(ack: &ConnAck<'_>, version: Version, fields: &mut Vec<Field>) {
    fields.push(("session_present", Value::Flag(ack.session_present)));
    let meaning = match version {
        Version::V5 => reason::name(PacketType::ConnAck, ack.code),
        _ => reason::return_name(ack.code),
    };
    fields.push(("code", Value::Number(ack.code.into())));
    fields.push(("reason", Value::Word(meaning)));
    of_properties(&ack.properties, fields);
}

/// `resolved` is the topic that an alias stands for.
fn of_publish(publish: &Publish<'_>, resolved: &[u8], fields: &mut Vec<Field>) {
    if let Some(topic) = publish.topic {
        let by_alias = topic.is_empty() && !resolved.is_empty();
        fields.push(("topic", Value::text(if by_alias { resolved } else { topic })));
        if by_alias {
            fields.push(("by_alias", Value::Flag(true)));
        }
    }
    fields.push(("qos", Value::Number(publish.qos.into())));
    fields.push(("dup", Value::Flag(publish.dup)));
    fields.push(("retain", Value::Flag(publish.retain)));
    of_packet_id(publish.packet_id, fields);
    of_properties(&publish.properties, fields);
    if let Some(len) = publish.payload_len {
        fields.push(("payload_octets", Value::Number(len.into())));
    }
}

fn of_filters(filters: &Filters<'_>, with_options: bool, version: Version, fields: &mut Vec<Field>) {
    of_packet_id(filters.packet_id, fields);
    of_properties(&filters.properties, fields);
    let one = |(filter, options): (&[u8], u8)| {
        let filter = Value::text(filter);
        if !with_options {
            return filter;
        }
        let mut fields = vec![("filter", filter), ("qos", Value::Number(u64::from(options & 0x03)))];
        if version == Version::V5 {
            fields.push(("no_local", Value::Flag(options & 0x04 != 0)));
            fields.push(("retain_as_published", Value::Flag(options & 0x08 != 0)));
            fields.push(("retain_handling", Value::Number(u64::from(options >> 4 & 0x03))));
        }
        Value::Object(fields)
    };
    fields.push(("filters", Value::List(filters.iter().map(one).collect())));
    if !filters.all_read {
        fields.push(("more_filters", Value::Flag(true)));
    }
}

fn of_ack(packet_type: PacketType, ack: &Ack<'_>, version: Version, fields: &mut Vec<Field>) {
    of_packet_id(ack.packet_id, fields);
    of_code(packet_type, ack.code, version, fields);
    of_properties(&ack.properties, fields);
}

fn of_suback(packet_type: PacketType, ack: &SubAck<'_>, version: Version, fields: &mut Vec<Field>) {
    of_packet_id(ack.packet_id, fields);
    of_properties(&ack.properties, fields);
    if packet_type == PacketType::SubAck || version == Version::V5 {
        // As many as filters are read of a SUBSCRIBE; a longer list says nothing more to a person.
        let codes = ack.codes.iter().take(crate::mqtt::subscribe::MAX_FILTERS_READ.into());
        fields.push(("codes", Value::List(codes.map(|code| Value::Number((*code).into())).collect())));
    }
}

fn of_reasoned(packet_type: PacketType, reasoned: &Reasoned<'_>, version: Version, fields: &mut Vec<Field>) {
    of_code(packet_type, reasoned.code, version, fields);
    of_properties(&reasoned.properties, fields);
}

/// A reason code, which there is from version 5 on.
fn of_code(packet_type: PacketType, code: u8, version: Version, fields: &mut Vec<Field>) {
    if version == Version::V5 || code != 0 {
        fields.push(("code", Value::Number(code.into())));
        fields.push(("reason", Value::Word(reason::name(packet_type, code))));
    }
}

fn of_packet_id(packet_id: Option<u16>, fields: &mut Vec<Field>) {
    if let Some(id) = packet_id {
        fields.push(("packet_id", Value::Number(id.into())));
    }
}

fn of_properties(properties: &Properties<'_>, fields: &mut Vec<Field>) {
    if properties.count > 0 {
        let all = properties.iter().map(|(id, value)| Value::Object(vec![of_property(id, value)])).collect();
        fields.push(("properties", Value::List(all)));
    }
}

fn of_property(id: PropertyId, value: property::Value<'_>) -> Field {
    let value = match value {
        // Secret, or the application's own: the length only.
        property::Value::Binary(octets) => {
            Value::Object(vec![("octets", Value::Number(octets.len() as u64))])
        }
        property::Value::Integer(number) => Value::Number(number.into()),
        property::Value::Text(octets) => Value::text(octets),
        property::Value::Pair(name, value) => {
            Value::Object(vec![("name", Value::text(name)), ("value", Value::text(value))])
        }
    };
    (property_key(id), value)
}

/// The name of a property as a key.
const fn property_key(id: PropertyId) -> &'static str {
    match id {
        PropertyId::PayloadFormatIndicator => "payload_format_indicator",
        PropertyId::MessageExpiryInterval => "message_expiry_interval",
        PropertyId::ContentType => "content_type",
        PropertyId::ResponseTopic => "response_topic",
        PropertyId::CorrelationData => "correlation_data",
        PropertyId::SubscriptionIdentifier => "subscription_identifier",
        PropertyId::SessionExpiryInterval => "session_expiry_interval",
        PropertyId::AssignedClientIdentifier => "assigned_client_identifier",
        PropertyId::ServerKeepAlive => "server_keep_alive",
        PropertyId::AuthenticationMethod => "authentication_method",
        PropertyId::AuthenticationData => "authentication_data",
        PropertyId::RequestProblemInformation => "request_problem_information",
        PropertyId::WillDelayInterval => "will_delay_interval",
        PropertyId::RequestResponseInformation => "request_response_information",
        PropertyId::ResponseInformation => "response_information",
        PropertyId::ServerReference => "server_reference",
        PropertyId::ReasonString => "reason_string",
        PropertyId::ReceiveMaximum => "receive_maximum",
        PropertyId::TopicAliasMaximum => "topic_alias_maximum",
        PropertyId::TopicAlias => "topic_alias",
        PropertyId::MaximumQos => "maximum_qos",
        PropertyId::RetainAvailable => "retain_available",
        PropertyId::UserProperty => "user_property",
        PropertyId::MaximumPacketSize => "maximum_packet_size",
        PropertyId::WildcardSubscriptionAvailable => "wildcard_subscription_available",
        PropertyId::SubscriptionIdentifierAvailable => "subscription_identifier_available",
        PropertyId::SharedSubscriptionAvailable => "shared_subscription_available",
    }
}

/// The name of a direction in JSON.
#[must_use]
pub const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::ToServer => "to_server",
        Direction::ToClient => "to_client",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn property_keys_are_the_names_of_the_standard() {
        for id in PropertyId::ALL {
            assert_eq!(property_key(*id), id.name().to_lowercase().replace(' ', "_"));
        }
    }
}
