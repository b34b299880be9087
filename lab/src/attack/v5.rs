//! What version 5 adds, misused: topic aliases and properties.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::manner::{Manner, Worker};
use super::{Deed, Meter, Place, defaults};
use crate::mqtt::packet::{Version, field, packet, remaining_length};
use crate::mqtt::session::Session;
use crate::random::Random;
use crate::stop::Stop;

/// What is misused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// Aliases that are given to another topic with every message.
    AliasChurn,
    /// Aliases that are 0, above the broker's maximum or never given a topic.
    AliasWrong,
    /// Hundreds of user properties in every message.
    UserProperties,
    /// Hundreds of user properties in CONNECT.
    ConnectProperties,
    /// Response topics and correlation data of kilobytes.
    Response,
    /// Messages that expire at once.
    Expiry,
}

/// Options of the misuse.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct V5Abuse {
    /// Messages or connections in all
    #[arg(long, default_value_t = 100)]
    pub count: u32,
    /// What is misused
    #[arg(long, value_enum, default_value = "user-properties")]
    pub feature: Feature,
    /// User properties in one packet
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=2000))]
    pub properties: u32,
    /// How it goes about it; the version is always 5
    #[command(flatten)]
    pub manner: Manner,
}

impl Default for V5Abuse {
    fn default() -> Self {
        defaults()
    }
}

impl Deed for V5Abuse {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_malformed", "A20")
    }

    fn secs(&self) -> u32 {
        self.manner.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let manner = Manner { protocol: Version::V5, ..self.manner.clone() };
        manner.work(place, stop, meter, self.count, |mut worker| {
            let mut session: Option<Session> = None;
            while let Some(index) = worker.turn() {
                if session.is_none() {
                    session = self.connect(index, &mut worker);
                }
                let Some(open) = &mut session else { continue };
                if self.feature == Feature::ConnectProperties {
                    Meter::count(&meter.accepted);
                    session.take().into_iter().for_each(Session::leave);
                    continue;
                }
                let bytes = self.message(index, &mut worker.random);
                // A broker that closes has refused.
                match open.send_cut(&bytes, worker.cut()).and_then(|()| open.swallow()) {
                    Ok(()) => Meter::count(&meter.accepted),
                    Err(_) => {
                        Meter::count(&meter.refused);
                        session = None;
                    }
                }
            }
            session.into_iter().for_each(Session::leave);
        });
    }
}

impl V5Abuse {
    fn connect(&self, index: u64, worker: &mut Worker<'_>) -> Option<Session> {
        let name = worker.client_id(index);
        let properties = if self.feature == Feature::ConnectProperties {
            user_properties(self.properties, &mut worker.random)
        } else {
            Vec::new()
        };
        let hello = worker.hello(&name);
        worker.connect_with(&hello, &hello.encode_with(&properties))
    }

    /// A PUBLISH of quality of service 0 with the properties in question.
    fn message(&self, index: u64, random: &mut Random) -> Vec<u8> {
        let mut topic = format!("site/v5/{}", random.between((0, 9999)));
        let mut properties = Vec::new();
        match self.feature {
            Feature::AliasChurn => alias(&mut properties, random.between((1, 10))),
            Feature::AliasWrong => match random.between((0, 2)) {
                0 => alias(&mut properties, 0),
                1 => alias(&mut properties, random.between((11, 65_535))),
                _ => {
                    topic.clear();
                    alias(&mut properties, random.between((1, 10)));
                }
            },
            Feature::UserProperties | Feature::ConnectProperties => {
                properties = user_properties(self.properties, random);
            }
            Feature::Response => {
                properties.push(0x08);
                field(&mut properties, format!("reply/{index}/{}", random.text(200)).as_bytes());
                properties.push(0x09);
                let length = random.between((1000, 8000)) as usize;
                field(&mut properties, random.text(length).as_bytes());
            }
            Feature::Expiry => properties.extend(b"\x02\x00\x00\x00\x00"),
        }
        let mut body = Vec::new();
        field(&mut body, topic.as_bytes());
        remaining_length(properties.len(), &mut body);
        body.extend(properties);
        body.extend(b"21.5");
        packet(0x30, &body)
    }
}

/// Topic Alias (3.3.2.3.4).
fn alias(properties: &mut Vec<u8>, number: u32) {
    properties.push(0x23);
    properties.extend(u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes());
}

/// So many User Properties (3.3.2.3.7).
fn user_properties(count: u32, random: &mut Random) -> Vec<u8> {
    let mut properties = Vec::new();
    for index in 0..count {
        properties.push(0x26);
        field(&mut properties, format!("k{index}").as_bytes());
        field(&mut properties, random.text(8).as_bytes());
    }
    properties
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_and_its_topic_byte_by_byte() {
        let abuse = V5Abuse { feature: Feature::AliasChurn, ..V5Abuse::default() };
        let bytes = abuse.message(0, &mut Random::new(1));
        let topic = usize::from(bytes[3]);
        assert_eq!(bytes[0], 0x30);
        assert_eq!(bytes[4 + topic..4 + topic + 3], [3, 0x23, 0]);
        assert_eq!(user_properties(2, &mut Random::new(1)).len(), 2 * (1 + 4 + 10));
    }
}
