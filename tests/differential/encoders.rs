//! Two encoders that are not ours: rumqttc's `mqttbytes` and `mqtt-proto`, for 3.1.1 and 5 each.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use mqtt_proto::{Pid, Protocol, QosPid, TopicFilter, TopicName, v3, v5};
use rumqttc::mqttbytes::v4 as rumq4;
use rumqttc::v5::mqttbytes::{self as rumq, v5 as rumq5};

use super::said::{Pair, Said};

/// An encoder with its name and whether it speaks version 5.
pub(crate) struct Encoder {
    pub(crate) name: &'static str,
    pub(crate) v5: bool,
    pub(crate) encode: fn(&Said) -> Vec<u8>,
}

/// All of them.
pub(crate) const ENCODERS: [Encoder; 4] = [
    Encoder { name: "rumqttc 3.1.1", v5: false, encode: rumqttc_4 },
    Encoder { name: "rumqttc 5", v5: true, encode: rumqttc_5 },
    Encoder { name: "mqtt-proto 3.1.1", v5: false, encode: proto_3 },
    Encoder { name: "mqtt-proto 5", v5: true, encode: proto_5 },
];

fn rumqttc_4(said: &Said) -> Vec<u8> {
    use rumqttc::{LastWill, Login, Protocol, QoS, SubscribeFilter, qos};
    let level = |level: u8| -> QoS { qos(level).unwrap() };
    let packet = match said.clone() {
        Said::Connect { clean, keep_alive, id, login, will, .. } => rumq4::Packet::Connect(rumq4::Connect {
            protocol: Protocol::V4,
            keep_alive,
            client_id: id,
            clean_session: clean,
            last_will: will.map(|will| LastWill {
                topic: will.topic,
                message: will.message.into(),
                qos: level(will.qos),
                retain: will.retain,
            }),
            login: login.map(|(username, password)| Login { username, password }),
        }),
        Said::ConnAck { session_present, .. } => rumq4::Packet::ConnAck(rumq4::ConnAck {
            session_present,
            code: rumq4::ConnectReturnCode::Success,
        }),
        Said::Publish { dup, qos, retain, topic, id, payload, .. } => {
            rumq4::Packet::Publish(rumq4::Publish {
                dup,
                qos: level(qos),
                retain,
                topic,
                pkid: id,
                payload: payload.into(),
            })
        }
        Said::PubAck(id) => rumq4::Packet::PubAck(rumq4::PubAck::new(id)),
        Said::PubRec(id) => rumq4::Packet::PubRec(rumq4::PubRec::new(id)),
        Said::PubRel(id) => rumq4::Packet::PubRel(rumq4::PubRel::new(id)),
        Said::PubComp(id) => rumq4::Packet::PubComp(rumq4::PubComp::new(id)),
        Said::Subscribe(id, filters) => rumq4::Packet::Subscribe(rumq4::Subscribe {
            pkid: id,
            filters: filters
                .into_iter()
                .map(|(path, qos)| SubscribeFilter { path, qos: level(qos) })
                .collect(),
        }),
        Said::SubAck(id, codes) => rumq4::Packet::SubAck(rumq4::SubAck {
            pkid: id,
            return_codes: codes
                .into_iter()
                .map(|code| match code {
                    0x80 => rumq4::SubscribeReasonCode::Failure,
                    granted => rumq4::SubscribeReasonCode::Success(level(granted)),
                })
                .collect(),
        }),
        Said::Unsubscribe(id, topics) => rumq4::Packet::Unsubscribe(rumq4::Unsubscribe { pkid: id, topics }),
        Said::UnsubAck(id) => rumq4::Packet::UnsubAck(rumq4::UnsubAck { pkid: id }),
        Said::PingReq => rumq4::Packet::PingReq,
        Said::PingResp => rumq4::Packet::PingResp,
        Said::Disconnect => rumq4::Packet::Disconnect,
    };
    let mut out = BytesMut::new();
    packet.write(&mut out, usize::MAX).unwrap();
    out.to_vec()
}

fn rumqttc_5(said: &Said) -> Vec<u8> {
    let level = |level: u8| rumq::qos(level).unwrap();
    let packet = match said.clone() {
        Said::Connect { clean, keep_alive, id, login, will, receive_maximum, user } => {
            let properties = rumq5::ConnectProperties {
                receive_maximum,
                user_properties: user,
                ..rumq5::ConnectProperties::new()
            };
            let will = will.map(|will| rumq5::LastWill {
                topic: will.topic.into(),
                message: will.message.into(),
                qos: level(will.qos),
                retain: will.retain,
                properties: will.delay.map(|delay| rumq5::LastWillProperties {
                    delay_interval: Some(delay),
                    payload_format_indicator: None,
                    message_expiry_interval: None,
                    content_type: None,
                    response_topic: None,
                    correlation_data: None,
                    user_properties: Vec::new(),
                }),
            });
            rumq5::Packet::Connect(
                rumq5::Connect {
                    keep_alive,
                    client_id: id,
                    clean_start: clean,
                    properties: Some(properties),
                },
                will,
                login.map(|(username, password)| rumq5::Login { username, password }),
            )
        }
        Said::ConnAck { session_present, alias_maximum } => rumq5::Packet::ConnAck(rumq5::ConnAck {
            session_present,
            code: rumq5::ConnectReturnCode::Success,
            properties: Some(rumq5::ConnAckProperties {
                session_expiry_interval: None,
                receive_max: None,
                max_qos: None,
                retain_available: None,
                max_packet_size: None,
                assigned_client_identifier: None,
                topic_alias_max: alias_maximum,
                reason_string: None,
                user_properties: Vec::new(),
                wildcard_subscription_available: None,
                subscription_identifiers_available: None,
                shared_subscription_available: None,
                server_keep_alive: None,
                response_information: None,
                server_reference: None,
                authentication_method: None,
                authentication_data: None,
            }),
        }),
        Said::Publish { dup, qos, retain, topic, id, payload, expiry, content_type, user } => {
            rumq5::Packet::Publish(rumq5::Publish {
                dup,
                qos: level(qos),
                retain,
                topic: topic.into(),
                pkid: id,
                payload: payload.into(),
                properties: Some(rumq5::PublishProperties {
                    message_expiry_interval: expiry,
                    content_type,
                    user_properties: user,
                    ..rumq5::PublishProperties::default()
                }),
            })
        }
        Said::PubAck(id) => rumq5::Packet::PubAck(rumq5::PubAck::new(id, None)),
        Said::PubRec(id) => rumq5::Packet::PubRec(rumq5::PubRec::new(id, None)),
        Said::PubRel(id) => rumq5::Packet::PubRel(rumq5::PubRel::new(id, None)),
        Said::PubComp(id) => rumq5::Packet::PubComp(rumq5::PubComp::new(id, None)),
        Said::Subscribe(id, filters) => rumq5::Packet::Subscribe(rumq5::Subscribe {
            pkid: id,
            filters: filters.into_iter().map(|(path, qos)| rumq5::Filter::new(path, level(qos))).collect(),
            properties: None,
        }),
        Said::SubAck(id, codes) => rumq5::Packet::SubAck(rumq5::SubAck {
            pkid: id,
            return_codes: codes
                .into_iter()
                .map(|code| match code {
                    0x80 => rumq5::SubscribeReasonCode::Unspecified,
                    granted => rumq5::SubscribeReasonCode::Success(level(granted)),
                })
                .collect(),
            properties: None,
        }),
        Said::Unsubscribe(id, filters) => {
            rumq5::Packet::Unsubscribe(rumq5::Unsubscribe { pkid: id, filters, properties: None })
        }
        Said::UnsubAck(id) => rumq5::Packet::UnsubAck(rumq5::UnsubAck {
            pkid: id,
            reasons: vec![rumq5::UnsubAckReason::Success],
            properties: None,
        }),
        Said::PingReq => rumq5::Packet::PingReq(rumq5::PingReq),
        Said::PingResp => rumq5::Packet::PingResp(rumq5::PingResp),
        Said::Disconnect => rumq5::Packet::Disconnect(rumq5::Disconnect::new(
            rumq5::DisconnectReasonCode::NormalDisconnection,
        )),
    };
    let mut out = BytesMut::new();
    packet.write(&mut out, None).unwrap();
    out.to_vec()
}

fn pid(id: u16) -> Pid {
    Pid::try_from(id).unwrap()
}

fn level(qos: u8) -> mqtt_proto::QoS {
    [mqtt_proto::QoS::Level0, mqtt_proto::QoS::Level1, mqtt_proto::QoS::Level2][usize::from(qos)]
}

fn qos_pid(qos: u8, id: u16) -> QosPid {
    match qos {
        0 => QosPid::Level0,
        1 => QosPid::Level1(pid(id)),
        _ => QosPid::Level2(pid(id)),
    }
}

fn filters(all: Vec<String>) -> Vec<TopicFilter> {
    all.into_iter().map(|filter| TopicFilter::try_from(filter).unwrap()).collect()
}

fn proto_3(said: &Said) -> Vec<u8> {
    let packet = match said.clone() {
        Said::Connect { clean, keep_alive, id, login, will, .. } => {
            let (user, password) = login.unzip();
            v3::Packet::Connect(v3::Connect {
                protocol: Protocol::V311,
                clean_session: clean,
                keep_alive,
                client_id: Arc::new(id),
                last_will: will.map(|will| v3::LastWill {
                    qos: level(will.qos),
                    retain: will.retain,
                    topic_name: TopicName::try_from(will.topic).unwrap(),
                    message: will.message.into(),
                }),
                username: user.map(Arc::new),
                password: password.map(Bytes::from),
            })
        }
        Said::ConnAck { session_present, .. } => {
            v3::Packet::Connack(v3::Connack { session_present, code: v3::ConnectReturnCode::Accepted })
        }
        Said::Publish { dup, qos, retain, topic, id, payload, .. } => v3::Packet::Publish(v3::Publish {
            dup,
            retain,
            qos_pid: qos_pid(qos, id),
            topic_name: TopicName::try_from(topic).unwrap(),
            payload: payload.into(),
        }),
        Said::PubAck(id) => v3::Packet::Puback(pid(id)),
        Said::PubRec(id) => v3::Packet::Pubrec(pid(id)),
        Said::PubRel(id) => v3::Packet::Pubrel(pid(id)),
        Said::PubComp(id) => v3::Packet::Pubcomp(pid(id)),
        Said::Subscribe(id, all) => {
            let topics =
                all.into_iter().map(|(filter, qos)| (TopicFilter::try_from(filter).unwrap(), level(qos)));
            v3::Packet::Subscribe(v3::Subscribe::new(pid(id), topics.collect()))
        }
        Said::SubAck(id, codes) => {
            let code = |code: u8| v3::SubscribeReturnCode::from_u8(code).unwrap();
            v3::Packet::Suback(v3::Suback::new(pid(id), codes.into_iter().map(code).collect()))
        }
        Said::Unsubscribe(id, all) => {
            v3::Packet::Unsubscribe(v3::Unsubscribe { pid: pid(id), topics: filters(all) })
        }
        Said::UnsubAck(id) => v3::Packet::Unsuback(pid(id)),
        Said::PingReq => v3::Packet::Pingreq,
        Said::PingResp => v3::Packet::Pingresp,
        Said::Disconnect => v3::Packet::Disconnect,
    };
    let mut octets = packet.encode().unwrap().as_ref().to_vec();
    if let Said::SubAck(_, codes) = said {
        // This encoder writes a failure as 3.
        let begin = octets.len() - codes.len();
        octets[begin..].copy_from_slice(codes);
    }
    octets
}

fn users(all: Vec<Pair>) -> Vec<v5::UserProperty> {
    all.into_iter()
        .map(|(name, value)| v5::UserProperty { name: Arc::new(name), value: Arc::new(value) })
        .collect()
}

fn proto_5(said: &Said) -> Vec<u8> {
    let packet = match said.clone() {
        Said::Connect { clean, keep_alive, id, login, will, receive_maximum, user } => {
            let (user_name, password) = login.unzip();
            v5::Packet::Connect(v5::Connect {
                protocol: Protocol::V500,
                clean_start: clean,
                keep_alive,
                properties: v5::ConnectProperties {
                    receive_max: receive_maximum,
                    user_properties: users(user),
                    ..v5::ConnectProperties::default()
                },
                client_id: Arc::new(id),
                last_will: will.map(|will| v5::LastWill {
                    qos: level(will.qos),
                    retain: will.retain,
                    topic_name: TopicName::try_from(will.topic).unwrap(),
                    payload: will.message.into(),
                    properties: v5::WillProperties {
                        delay_interval: will.delay,
                        ..v5::WillProperties::default()
                    },
                }),
                username: user_name.map(Arc::new),
                password: password.map(Bytes::from),
            })
        }
        Said::ConnAck { session_present, alias_maximum } => v5::Packet::Connack(v5::Connack {
            session_present,
            reason_code: v5::ConnectReasonCode::Success,
            properties: v5::ConnackProperties {
                topic_alias_max: alias_maximum,
                ..v5::ConnackProperties::default()
            },
        }),
        Said::Publish { dup, qos, retain, topic, id, payload, expiry, content_type, user } => {
            v5::Packet::Publish(v5::Publish {
                dup,
                retain,
                qos_pid: qos_pid(qos, id),
                topic_name: TopicName::try_from(topic).unwrap(),
                payload: payload.into(),
                properties: v5::PublishProperties {
                    message_expiry_interval: expiry,
                    content_type: content_type.map(Arc::new),
                    user_properties: users(user),
                    ..v5::PublishProperties::default()
                },
            })
        }
        Said::PubAck(id) => v5::Packet::Puback(v5::Puback::new_success(pid(id))),
        Said::PubRec(id) => v5::Packet::Pubrec(v5::Pubrec::new_success(pid(id))),
        Said::PubRel(id) => v5::Packet::Pubrel(v5::Pubrel::new_success(pid(id))),
        Said::PubComp(id) => v5::Packet::Pubcomp(v5::Pubcomp::new_success(pid(id))),
        Said::Subscribe(id, all) => {
            let topics = all.into_iter().map(|(filter, qos)| {
                let options = v5::SubscriptionOptions {
                    max_qos: level(qos),
                    no_local: false,
                    retain_as_published: false,
                    retain_handling: v5::RetainHandling::SendAtSubscribe,
                };
                (TopicFilter::try_from(filter).unwrap(), options)
            });
            v5::Packet::Subscribe(v5::Subscribe::new(pid(id), topics.collect()))
        }
        Said::SubAck(id, codes) => {
            let code = |code: u8| v5::SubscribeReasonCode::from_u8(code).unwrap();
            v5::Packet::Suback(v5::Suback::new(pid(id), codes.into_iter().map(code).collect()))
        }
        Said::Unsubscribe(id, all) => v5::Packet::Unsubscribe(v5::Unsubscribe::new(pid(id), filters(all))),
        Said::UnsubAck(id) => {
            v5::Packet::Unsuback(v5::Unsuback::new(pid(id), vec![v5::UnsubscribeReasonCode::Success]))
        }
        Said::PingReq => v5::Packet::Pingreq,
        Said::PingResp => v5::Packet::Pingresp,
        Said::Disconnect => v5::Packet::Disconnect(v5::Disconnect::new_normal()),
    };
    packet.encode().unwrap().as_ref().to_vec()
}
