//! What a device's plan looks like on the wire: the same bytes for the real network and for the simulated one.

use super::behaviour::{Hello, Message};
use super::profile::{Device, Profile};
use crate::credentials::Credentials;
use crate::mqtt::packet::{self, Connect, Publish, Version, Will};

/// Filters in one SUBSCRIBE, as common libraries split them.
const FILTERS: usize = 10;

/// Topic aliases in use: as many as mosquitto offers.
const ALIASES: usize = 10;

/// One session's way of speaking.
#[derive(Clone, Debug)]
pub struct Speech {
    version: Version,
    qos: u8,
    rich: bool,
    /// Topics with an alias; the first has alias 1.
    aliases: Vec<String>,
}

impl Speech {
    /// At the beginning of a session.
    #[must_use]
    pub const fn new(device: &Device) -> Self {
        let rich = matches!(device.profile, Profile::Modern);
        Self { version: device.version, qos: device.qos, rich, aliases: Vec::new() }
    }

    /// CONNECT.
    #[must_use]
    pub fn connect(&self, device: &Device, hello: &Hello) -> Vec<u8> {
        let connect = Connect {
            version: device.version,
            client_id: &hello.client_id,
            keep_alive: device.keep_alive,
            clean: device.clean,
            login: device.credentials.as_ref().map(Credentials::pair),
            will: hello.will.as_ref().map(|will| Will {
                topic: &will.topic,
                payload: &will.payload,
                qos: 1,
                retain: will.retain,
            }),
        };
        let mut properties = Vec::new();
        if self.rich {
            properties.push(0x11); // Session Expiry Interval
            properties.extend(600_u32.to_be_bytes());
            properties.push(0x21); // Receive Maximum
            properties.extend(20_u16.to_be_bytes());
            properties.push(0x26); // User Property
            packet::field(&mut properties, b"firmware");
            packet::field(&mut properties, b"2.4.1");
        }
        let mut bytes = connect.encode_with(&properties);
        if device.profile == Profile::Trunk {
            // mosquitto's mark of a bridge: it then does not send back what came from here. The level byte follows
            // the Remaining Length and the protocol name.
            let level = 1 + bytes.iter().skip(1).take_while(|byte| **byte >= 0x80).count() + 1 + 6;
            bytes[level] |= 0x80;
        }
        bytes
    }

    /// The SUBSCRIBE packets for these filters; `id` gives packet identifiers.
    pub fn subscribe(&self, filters: &[String], mut id: impl FnMut() -> u16) -> Vec<Vec<u8>> {
        filters
            .chunks(FILTERS)
            .map(|filters| {
                let filters: Vec<_> = filters.iter().map(|filter| (filter.as_str(), self.qos)).collect();
                packet::subscribe(self.version, id(), &filters)
            })
            .collect()
    }

    /// Appends a PUBLISH.
    pub fn publish(&mut self, message: &Message, id: u16, out: &mut Vec<u8>) {
        let mut topic = message.topic.as_str();
        let mut properties = Vec::new();
        if self.rich {
            if let Some(known) = self.aliases.iter().position(|alias| alias == topic) {
                topic = "";
                alias(known, &mut properties);
            } else if self.aliases.len() < ALIASES {
                alias(self.aliases.len(), &mut properties);
                self.aliases.push(message.topic.clone());
            }
            properties.push(0x02); // Message Expiry Interval
            properties.extend(3600_u32.to_be_bytes());
            properties.push(0x03); // Content Type
            packet::field(&mut properties, b"application/json");
        }
        let Message { payload, retain, .. } = message;
        Publish { topic, payload, qos: self.qos, retain: *retain, id }.encode_with(
            self.version,
            &properties,
            out,
        );
    }

    /// Quality of service of everything that it publishes.
    #[must_use]
    pub const fn qos(&self) -> u8 {
        self.qos
    }
}

fn alias(index: usize, properties: &mut Vec<u8>) {
    properties.push(0x23); // Topic Alias
    properties.extend(u16::try_from(index + 1).expect("few aliases").to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benign::behaviour::Behaviour;
    use crate::benign::profile::Habits;
    use crate::random::Random;

    #[test]
    fn an_alias_stands_for_its_topic_from_the_second_message_on() {
        let device = Device::draw(Profile::Modern, 1, &Habits::default(), &mut Random::new(4));
        let mut speech = Speech::new(&device);
        let message = Message { topic: "site/x/temperature".into(), payload: b"1".to_vec(), retain: false };
        let mut encode = || {
            let mut out = Vec::new();
            speech.publish(&message, 1, &mut out);
            out
        };
        let (first, second) = (encode(), encode());
        assert_eq!(first.len() - second.len(), message.topic.len());
    }

    #[test]
    fn a_bridge_marks_itself_in_the_level_byte() {
        let device = Device::draw(Profile::Trunk, 1, &Habits::default(), &mut Random::new(4));
        let hello = Behaviour::new(&device).hello();
        let bytes = Speech::new(&device).connect(&device, &hello);
        let name = bytes.windows(4).position(|window| window == b"MQTT").unwrap();
        assert_eq!(bytes[name + 4], 0x84);
    }
}
