//! What a control packet says, without an encoding: drawn at random, and as `picket inspect` shows it.

use proptest::prelude::*;
use serde_json::{Value, json};

/// A user property.
pub(crate) type Pair = (String, String);

/// A will.
#[derive(Clone, Debug)]
pub(crate) struct Will {
    pub(crate) topic: String,
    pub(crate) message: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    /// From version 5 on.
    pub(crate) delay: Option<u32>,
}

/// A control packet. What only version 5 has is left out in 3.1.1.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Connect {
        clean: bool,
        keep_alive: u16,
        id: String,
        login: Option<Pair>,
        will: Option<Will>,
        receive_maximum: Option<u16>,
        user: Vec<Pair>,
    },
    ConnAck {
        session_present: bool,
        alias_maximum: Option<u16>,
    },
    Publish {
        dup: bool,
        qos: u8,
        retain: bool,
        topic: String,
        id: u16,
        payload: Vec<u8>,
        expiry: Option<u32>,
        content_type: Option<String>,
        user: Vec<Pair>,
    },
    PubAck(u16),
    PubRec(u16),
    PubRel(u16),
    PubComp(u16),
    Subscribe(u16, Vec<(String, u8)>),
    SubAck(u16, Vec<u8>),
    Unsubscribe(u16, Vec<String>),
    UnsubAck(u16),
    PingReq,
    PingResp,
    Disconnect,
}

impl Said {
    /// The type and the fields that are to be shown.
    pub(crate) fn shown(&self, v5: bool) -> (&'static str, Value) {
        let acknowledged = |id: &u16| match v5 {
            true => json!({"packet_id": id, "code": 0, "reason": "success"}),
            false => json!({"packet_id": id}),
        };
        match self {
            Self::Connect { clean, keep_alive, login, will, receive_maximum, user, .. } => {
                let mut fields = json!({"clean": clean, "keep_alive": keep_alive, "user": login.is_some()});
                if let Some((_, password)) = login {
                    fields["password_octets"] = password.len().into();
                }
                if let Some(will) = will {
                    fields["will"] = json!({"topic": will.topic, "qos": will.qos, "retain": will.retain,
                        "payload_octets": will.message.len()});
                    let delay = will.delay.map(|delay| json!({"will_delay_interval": delay}));
                    set_properties(&mut fields["will"], v5, delay, &[]);
                }
                let receive = receive_maximum.map(|maximum| json!({"receive_maximum": maximum}));
                set_properties(&mut fields, v5, receive, user);
                ("CONNECT", fields)
            }
            Self::ConnAck { session_present, alias_maximum } => {
                let reason = if v5 { "success" } else { "accepted" };
                let mut fields = json!({"session_present": session_present, "code": 0, "reason": reason});
                let maximum = alias_maximum.map(|maximum| json!({"topic_alias_maximum": maximum}));
                set_properties(&mut fields, v5, maximum, &[]);
                ("CONNACK", fields)
            }
            Self::Publish { dup, qos, retain, topic, id, payload, expiry, content_type, user } => {
                let mut fields = json!({"topic": topic, "qos": qos, "dup": dup, "retain": retain,
                    "payload_octets": payload.len()});
                if *qos > 0 {
                    fields["packet_id"] = json!(id);
                }
                let expiry = expiry.map(|expiry| json!({"message_expiry_interval": expiry}));
                let content_type = content_type.as_ref().map(|name| json!({"content_type": name}));
                set_properties(&mut fields, v5, expiry.into_iter().chain(content_type), user);
                ("PUBLISH", fields)
            }
            Self::PubAck(id) => ("PUBACK", acknowledged(id)),
            Self::PubRec(id) => ("PUBREC", acknowledged(id)),
            Self::PubRel(id) => ("PUBREL", acknowledged(id)),
            Self::PubComp(id) => ("PUBCOMP", acknowledged(id)),
            Self::Subscribe(id, filters) => {
                let filters: Vec<Value> = filters
                    .iter()
                    .map(|(filter, qos)| match v5 {
                        true => json!({"filter": filter, "qos": qos, "no_local": false,
                            "retain_as_published": false, "retain_handling": 0}),
                        false => json!({"filter": filter, "qos": qos}),
                    })
                    .collect();
                ("SUBSCRIBE", json!({"packet_id": id, "filters": filters}))
            }
            Self::SubAck(id, codes) => ("SUBACK", json!({"packet_id": id, "codes": codes})),
            Self::Unsubscribe(id, filters) => ("UNSUBSCRIBE", json!({"packet_id": id, "filters": filters})),
            Self::UnsubAck(id) => (
                "UNSUBACK",
                if v5 { json!({"packet_id": id, "codes": [0]}) } else { json!({"packet_id": id}) },
            ),
            Self::PingReq => ("PINGREQ", json!({})),
            Self::PingResp => ("PINGRESP", json!({})),
            Self::Disconnect => {
                ("DISCONNECT", if v5 { json!({"code": 0, "reason": "normal"}) } else { json!({}) })
            }
        }
    }

    /// Whether a client says it.
    pub(crate) const fn goes_up(&self) -> bool {
        !matches!(self, Self::ConnAck { .. } | Self::SubAck(..) | Self::UnsubAck(_) | Self::PingResp)
    }
}

/// Adds properties, sorted as [`sort_properties`] does.
fn set_properties(fields: &mut Value, v5: bool, known: impl IntoIterator<Item = Value>, user: &[Pair]) {
    let user = user.iter().map(|(name, value)| json!({"user_property": {"name": name, "value": value}}));
    let all: Vec<Value> = known.into_iter().chain(user).collect();
    if v5 && !all.is_empty() {
        fields["properties"] = all.into();
        sort_properties(fields);
    }
}

/// Encoders write properties in orders of their own.
pub(crate) fn sort_properties(fields: &mut Value) {
    if let Some(properties) = fields.get_mut("properties").and_then(Value::as_array_mut) {
        properties.sort_by_key(Value::to_string);
    }
    if let Some(will) = fields.get_mut("will") {
        sort_properties(will);
    }
}

// ---- at random --------------------------------------------------------------------------------

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 _äß€-]{1,24}"
}

fn topic() -> impl Strategy<Value = String> {
    "[a-z0-9ä]{1,12}(/[a-z0-9 ]{0,12}){0,4}"
}

fn filter() -> impl Strategy<Value = String> {
    prop_oneof![
        topic(),
        topic().prop_map(|topic| topic + "/#"),
        topic().prop_map(|topic| "+/".to_owned() + &topic)
    ]
}

fn users() -> impl Strategy<Value = Vec<Pair>> {
    prop::collection::vec((text(), text()), 0..3)
}

fn id() -> impl Strategy<Value = u16> {
    1..=u16::MAX
}

/// A CONNECT.
pub(crate) fn connect() -> impl Strategy<Value = Said> {
    let message = prop::collection::vec(any::<u8>(), 0..40);
    let will = (topic(), message, 0..3_u8, any::<bool>(), prop::option::of(any::<u32>()))
        .prop_map(|(topic, message, qos, retain, delay)| Will { topic, message, qos, retain, delay });
    let login = prop::option::of((text(), text()));
    (any::<bool>(), any::<u16>(), text(), login, prop::option::of(will), prop::option::of(id()), users())
        .prop_map(|(clean, keep_alive, id, login, will, receive_maximum, user)| Said::Connect {
            clean,
            keep_alive,
            id,
            login,
            will,
            receive_maximum,
            user,
        })
}

/// A CONNACK that accepts.
pub(crate) fn connack() -> impl Strategy<Value = Said> {
    (any::<bool>(), prop::option::of(any::<u16>()))
        .prop_map(|(session_present, alias_maximum)| Said::ConnAck { session_present, alias_maximum })
}

fn publish() -> impl Strategy<Value = Said> {
    let octets = |most| prop::collection::vec(any::<u8>(), 0..most);
    let payload = prop_oneof![octets(50_usize), octets(3000)];
    let properties = (prop::option::of(any::<u32>()), prop::option::of(text()), users());
    ((0..3_u8, any::<bool>(), any::<bool>()), topic(), id(), payload, properties).prop_map(
        |((qos, dup, retain), topic, id, payload, (expiry, content_type, user))| Said::Publish {
            dup: dup && qos > 0,
            qos,
            retain,
            topic,
            id,
            payload,
            expiry,
            content_type,
            user,
        },
    )
}

/// Any packet behind CONNECT and CONNACK.
pub(crate) fn later() -> impl Strategy<Value = Said> {
    prop_oneof![
        5 => publish(),
        1 => id().prop_map(Said::PubAck),
        1 => id().prop_map(Said::PubRec),
        1 => id().prop_map(Said::PubRel),
        1 => id().prop_map(Said::PubComp),
        2 => (id(), prop::collection::vec((filter(), 0..3_u8), 1..6)).prop_map(|(id, all)| Said::Subscribe(id, all)),
        1 => (id(), prop::collection::vec(prop_oneof![0..3_u8, Just(0x80)], 1..6))
            .prop_map(|(id, codes)| Said::SubAck(id, codes)),
        1 => (id(), prop::collection::vec(filter(), 1..6)).prop_map(|(id, all)| Said::Unsubscribe(id, all)),
        1 => id().prop_map(Said::UnsubAck),
        1 => Just(Said::PingReq),
        1 => Just(Said::PingResp),
    ]
}
