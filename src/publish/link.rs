//! One connection to a broker, in either version of MQTT: what can be given to it, and what happens on it.

use rumqttc::v5::mqttbytes::v5 as packets5;
use rumqttc::{Outgoing, v5};

/// Octets of the largest packet taken, either way. A broker of MQTT 5 is told and keeps larger ones to itself; rumqttc
/// ends the connection over one that comes anyway.
pub(crate) const MAX_PACKET: u32 = 256 * 1024;

/// What happens on the connection, in order.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// The broker took us.
    Up(Sender),
    /// The next publication went out under this packet identifier; 0 for QoS 0.
    Written(u16),
    /// The broker answered for this packet identifier; with the reason when it refused the publication.
    Answered(u16, Result<(), &'static str>),
    /// The broker refused a subscription.
    NotSubscribed,
    /// A message to what was subscribed.
    Message(Message),
    /// The connection is gone, or could not be made.
    Down(Down),
}

/// A message that came.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
}

/// Why there is no connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Down {
    /// The broker is out of reach or broke off.
    Away(String),
    /// The broker answered, and does not want us.
    Refused(String),
    /// The broker sent a packet larger than [`MAX_PACKET`].
    TooLarge,
}

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Away(why) | Self::Refused(why) => f.write_str(why),
            Self::TooLarge => write!(f, "the broker sent a packet of more than {MAX_PACKET} octets"),
        }
    }
}

/// Gives publications to the present connection, never waiting.
pub(crate) enum Sender {
    V5(v5::Client),
    V311(rumqttc::Client),
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V5(_) => "Sender::V5",
            Self::V311(_) => "Sender::V311",
        })
    }
}

/// How a publication is to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Manner {
    /// QoS 1, not retained: documents.
    Once,
    /// QoS 1, retained: the status.
    Retained,
    /// QoS 0: metrics.
    Casual,
    /// QoS 1, not retained, no text: the blocks of a model.
    Octets,
}

impl Sender {
    /// Gives a publication to the connection; `false` when its queue is full or it is gone.
    pub(crate) fn publish(&self, topic: &str, payload: impl Into<Vec<u8>>, manner: Manner) -> bool {
        let retain = manner == Manner::Retained;
        match self {
            Self::V5(client) => {
                let qos = match manner {
                    Manner::Casual => v5::mqttbytes::QoS::AtMostOnce,
                    _ => v5::mqttbytes::QoS::AtLeastOnce,
                };
                let (text, content) = match manner {
                    Manner::Octets => (0, "application/octet-stream"),
                    _ => (1, "application/json"),
                };
                let properties = packets5::PublishProperties {
                    payload_format_indicator: Some(text),
                    content_type: Some(content.to_owned()),
                    ..Default::default()
                };
                client.try_publish_with_properties(topic, qos, retain, payload.into(), properties).is_ok()
            }
            Self::V311(client) => {
                let qos = match manner {
                    Manner::Casual => rumqttc::QoS::AtMostOnce,
                    _ => rumqttc::QoS::AtLeastOnce,
                };
                client.try_publish(topic, qos, retain, payload).is_ok()
            }
        }
    }

    /// Subscribes with QoS 1; `false` when the queue is full or the connection is gone.
    pub(crate) fn subscribe(&self, filter: &str) -> bool {
        match self {
            Self::V5(client) => client.try_subscribe(filter, v5::mqttbytes::QoS::AtLeastOnce).is_ok(),
            Self::V311(client) => client.try_subscribe(filter, rumqttc::QoS::AtLeastOnce).is_ok(),
        }
    }

    /// Ends the connection in order after what was given before, so that the broker keeps the will to itself.
    pub(crate) fn disconnect(&self) -> bool {
        match self {
            Self::V5(client) => client.try_disconnect().is_ok(),
            Self::V311(client) => client.try_disconnect().is_ok(),
        }
    }
}

#[expect(clippy::large_enum_variant, reason = "there is one at a time, on the stack of its thread")]
pub(super) enum Connection {
    V5(v5::Connection),
    V311(rumqttc::Connection),
}

/// One step of a connection.
pub(super) enum Step {
    Event(LinkEvent),
    Connected,
    Nothing,
}

impl Connection {
    /// Waits for the next step.
    pub(super) fn next(&mut self) -> Result<Step, Down> {
        match self {
            Self::V5(connection) => match connection.recv() {
                Ok(Ok(event)) => Ok(step_v5(event)),
                Ok(Err(error)) => Err(down_v5(&error)),
                Err(_) => Err(Down::Away("the client was given up".to_owned())),
            },
            Self::V311(connection) => match connection.recv() {
                Ok(Ok(event)) => Ok(step_v311(event)),
                Ok(Err(error)) => Err(down_v311(&error)),
                Err(_) => Err(Down::Away("the client was given up".to_owned())),
            },
        }
    }
}

fn step_v5(event: v5::Event) -> Step {
    match event {
        v5::Event::Incoming(packets5::Packet::ConnAck(_)) => Step::Connected,
        v5::Event::Incoming(packets5::Packet::PubAck(ack)) => {
            Step::Event(LinkEvent::Answered(ack.pkid, verdict(ack.reason)))
        }
        v5::Event::Incoming(packets5::Packet::Publish(publish)) => {
            match String::from_utf8(publish.topic.to_vec()) {
                Ok(topic) => {
                    Step::Event(LinkEvent::Message(Message { topic, payload: publish.payload.into() }))
                }
                Err(_) => Step::Nothing,
            }
        }
        v5::Event::Incoming(packets5::Packet::SubAck(ack)) => {
            let refused = |code: &packets5::SubscribeReasonCode| {
                !matches!(code, packets5::SubscribeReasonCode::Success(_))
            };
            if ack.return_codes.iter().any(refused) {
                Step::Event(LinkEvent::NotSubscribed)
            } else {
                Step::Nothing
            }
        }
        v5::Event::Outgoing(Outgoing::Publish(id)) => Step::Event(LinkEvent::Written(id)),
        _ => Step::Nothing,
    }
}

fn step_v311(event: rumqttc::Event) -> Step {
    match event {
        rumqttc::Event::Incoming(rumqttc::Packet::ConnAck(_)) => Step::Connected,
        rumqttc::Event::Incoming(rumqttc::Packet::PubAck(ack)) => {
            Step::Event(LinkEvent::Answered(ack.pkid, Ok(())))
        }
        rumqttc::Event::Incoming(rumqttc::Packet::Publish(publish)) => {
            Step::Event(LinkEvent::Message(Message { topic: publish.topic, payload: publish.payload.into() }))
        }
        rumqttc::Event::Incoming(rumqttc::Packet::SubAck(ack)) => {
            if ack.return_codes.contains(&rumqttc::SubscribeReasonCode::Failure) {
                Step::Event(LinkEvent::NotSubscribed)
            } else {
                Step::Nothing
            }
        }
        rumqttc::Event::Outgoing(Outgoing::Publish(id)) => Step::Event(LinkEvent::Written(id)),
        _ => Step::Nothing,
    }
}

/// MQTT 5, section 3.4.2.1: "no matching subscribers" is an acceptance, all else but success is a refusal.
pub(super) const fn verdict(reason: packets5::PubAckReason) -> Result<(), &'static str> {
    use packets5::PubAckReason as Reason;
    match reason {
        Reason::Success | Reason::NoMatchingSubscribers => Ok(()),
        Reason::NotAuthorized => Err("not authorised"),
        Reason::TopicNameInvalid => Err("topic name invalid"),
        Reason::QuotaExceeded => Err("quota exceeded"),
        Reason::PayloadFormatInvalid => Err("payload format invalid"),
        Reason::PacketIdentifierInUse => Err("packet identifier in use"),
        Reason::UnspecifiedError => Err("unspecified error"),
        Reason::ImplementationSpecificError => Err("implementation specific error"),
    }
}

pub(super) fn down_v5(error: &v5::ConnectionError) -> Down {
    match error {
        v5::ConnectionError::ConnectionRefused(code) => Down::Refused(words(&format!("{code:?}"))),
        v5::ConnectionError::MqttState(v5::StateError::ServerDisconnect { reason_code, .. }) => {
            Down::Away(format!("the broker disconnected: {}", words(&format!("{reason_code:?}"))))
        }
        v5::ConnectionError::MqttState(v5::StateError::Deserialization(
            v5::mqttbytes::Error::PayloadSizeLimitExceeded { .. },
        )) => Down::TooLarge,
        v5::ConnectionError::Timeout(_) => Down::Away("no answer in time".to_owned()),
        other => Down::Away(other.to_string()),
    }
}

pub(super) fn down_v311(error: &rumqttc::ConnectionError) -> Down {
    use rumqttc::ConnectionError as Error;
    match error {
        Error::ConnectionRefused(code) => Down::Refused(words(&format!("{code:?}"))),
        Error::MqttState(rumqttc::StateError::Deserialization(
            rumqttc::mqttbytes::Error::PayloadSizeLimitExceeded(_),
        )) => Down::TooLarge,
        Error::NetworkTimeout | Error::FlushTimeout => Down::Away("no answer in time".to_owned()),
        other => Down::Away(other.to_string()),
    }
}

/// `BadUserNamePassword` as `bad user name password`.
fn words(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_words() {
        assert_eq!(words("BadUserNamePassword"), "bad user name password");
        assert_eq!(verdict(packets5::PubAckReason::NotAuthorized), Err("not authorised"));
        assert_eq!(verdict(packets5::PubAckReason::NoMatchingSubscribers), Ok(()));
    }
}
