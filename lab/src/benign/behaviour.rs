//! What a device does next. No socket and no clock: the same device always plans the same life.

use std::time::Duration;

use super::profile::{Device, Profile};
use super::topics;
use crate::random::Random;

/// A message to publish.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Topic name.
    pub topic: String,
    /// Payload.
    pub payload: Vec<u8>,
    /// Retained flag.
    pub retain: bool,
}

/// What happens after an action.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    /// The session goes on.
    Stay,
    /// DISCONNECT, and back after this time.
    Leave(Duration),
    /// The connection is lost without a DISCONNECT; back after this time.
    Vanish(Duration),
}

/// One action of a device within a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Time since the action before, or since the session began.
    pub after: Duration,
    /// What is published, in order.
    pub messages: Vec<Message>,
    /// Filters that are subscribed to before that.
    pub filters: Vec<String>,
    /// What follows.
    pub then: Then,
}

/// How a session begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The client identifier: most devices always have the same.
    pub client_id: String,
    /// The will, if it leaves one.
    pub will: Option<Message>,
    /// Filters to subscribe to as soon as it is welcome.
    pub filters: Vec<String>,
    /// Messages to publish before anything else.
    pub messages: Vec<Message>,
}

/// The plan of a device.
#[derive(Clone, Debug)]
pub struct Behaviour {
    device: Device,
    random: Random,
    /// Actions since the session began.
    actions: u32,
    /// Sessions begun: the `bdSeq` of Sparkplug.
    sessions: u32,
}

impl Behaviour {
    /// The plan of this device, from its own seed.
    #[must_use]
    pub fn new(device: &Device) -> Self {
        Self { device: device.clone(), random: Random::new(device.seed), actions: 0, sessions: 0 }
    }

    /// A new session begins, or is tried.
    pub fn hello(&mut self) -> Hello {
        self.actions = 0;
        let number = self.sessions;
        self.sessions = self.sessions.wrapping_add(1);
        let client_id = if self.device.profile == Profile::App {
            format!("app-{}", self.random.text(12).to_lowercase())
        } else {
            self.device.client_id.clone()
        };
        let id = &self.device.client_id;
        let (topic, dead, alive) = match self.device.profile {
            Profile::Tasmota => (format!("tele/{id}/LWT"), "Offline".into(), "Online".into()),
            Profile::HomeAssistant => ("homeassistant/status".into(), "offline".into(), "online".into()),
            Profile::Zigbee => ("zigbee2mqtt/bridge/state".into(), "offline".into(), "online".into()),
            Profile::Sparkplug => {
                let sequence = number & 0x7F;
                let metric = metric("bdSeq", sequence);
                let dead = String::from_utf8(metric).expect("small numbers are ASCII");
                (format!("spBv1.0/plant/NDEATH/{id}"), dead, String::new())
            }
            _ => (format!("site/{id}/status"), "offline".into(), "online".into()),
        };
        let retain = self.device.profile != Profile::Sparkplug;
        let message = |text: String| Message { topic: topic.clone(), payload: text.into_bytes(), retain };
        let will = self.device.will.then(|| message(dead));
        let mut messages = Vec::new();
        if will.is_some() && !alive.is_empty() {
            messages.push(message(alive));
        }
        messages.extend(self.birth());
        Hello { client_id, will, filters: topics::filters(&self.device), messages }
    }

    /// What a device tells about itself at the beginning of a session.
    fn birth(&mut self) -> Vec<Message> {
        let id = self.device.client_id.clone();
        match self.device.profile {
            Profile::Tasmota => {
                (1..=3).map(|part| self.message(format!("tele/{id}/INFO{part}"), false)).collect()
            }
            Profile::Sparkplug => self.births(),
            _ => Vec::new(),
        }
    }

    /// A node's birth certificate and those of its devices. They are larger than data: every metric has its name.
    fn births(&mut self) -> Vec<Message> {
        let id = self.device.client_id.clone();
        let mut births = vec![format!("spBv1.0/plant/NBIRTH/{id}")];
        births.extend((0..self.device.burst).map(|device| format!("spBv1.0/plant/DBIRTH/{id}/d{device:02}")));
        births
            .into_iter()
            .map(|topic| Message { topic, payload: self.metrics(self.device.payload * 3), retain: false })
            .collect()
    }

    /// The next action.
    pub fn step(&mut self) -> Step {
        let first = self.actions == 0;
        self.actions += 1;
        let interval = f64::from(self.device.interval_ms);
        let steady = self.random.between_f64((0.97, 1.03)) * interval;
        let by_chance = self.random.exponential(interval);
        let burst = self.device.burst;
        let id = self.device.client_id.clone();
        match self.device.profile {
            Profile::Random => stay(by_chance, self.readings(1)),
            Profile::Event => {
                let count = self.up_to(burst);
                stay(by_chance, self.readings(count))
            }
            Profile::Dashboard | Profile::HomeAssistant => stay(by_chance, self.commands(burst)),
            Profile::Battery => {
                let awake = self.random.between_f64((40.0, 300.0));
                Step { then: Then::Leave(millis(steady)), ..stay(awake, self.readings(burst)) }
            }
            Profile::Backlog => {
                let awake = self.random.between_f64((20.0, 150.0));
                Step { then: Then::Leave(millis(steady)), ..stay(awake, self.readings(burst)) }
            }
            Profile::Discovery | Profile::Zigbee if first => {
                stay(self.random.between_f64((10.0, 200.0)), self.announcements(burst))
            }
            // Of monitoring only the moment counts: `super::errand` says what is done. So it is with those below.
            Profile::Standby | Profile::Explorer | Profile::Monitor => stay(steady, Vec::new()),
            Profile::Flaky if self.actions > u32::from(burst) => {
                let away = self.random.between_f64((500.0, 6000.0));
                Step { then: Then::Vanish(millis(away)), ..stay(steady, self.readings(1)) }
            }
            Profile::Tasmota => {
                let parts = ["STATE", "SENSOR"];
                stay(
                    steady,
                    parts.map(|part| self.message(format!("tele/{id}/{part}"), part == "SENSOR")).into(),
                )
            }
            // A rebirth on request now and then, otherwise data of the node or of one device.
            Profile::Sparkplug if self.random.chance(0.03) => stay(steady, self.births()),
            Profile::Sparkplug => {
                let device = self.random.between((0, u32::from(burst)));
                let topic = if device == 0 {
                    format!("spBv1.0/plant/NDATA/{id}")
                } else {
                    format!("spBv1.0/plant/DDATA/{id}/d{:02}", device - 1)
                };
                let payload = self.metrics(self.device.payload);
                stay(steady, vec![Message { topic, payload, retain: false }])
            }
            // A device left the radio network: its announcements are wiped.
            Profile::Zigbee if self.random.chance(0.03) => stay(by_chance, self.removal()),
            Profile::Zigbee => {
                let number = self.random.between((0, u32::from(self.device.topics)));
                let retain = self.device.retain;
                stay(by_chance, vec![self.message(format!("zigbee2mqtt/dev{number:02}"), retain)])
            }
            Profile::Updater => stay(steady, self.firmware(burst)),
            Profile::App => {
                let staying = self.random.between_f64((0.5, 1.5)) * interval;
                let away = self.random.between_f64((0.5, 3.0)) * interval;
                let count = self.up_to(burst);
                Step { then: Then::Leave(millis(away)), ..stay(staying, self.commands(count)) }
            }
            Profile::Script => Step { then: Then::Leave(millis(steady)), ..stay(0.0, self.readings(1)) },
            Profile::Camera | Profile::LogShipper | Profile::Modern | Profile::Sluggish | Profile::Paho => {
                let count = self.up_to(burst);
                stay(steady, self.readings(count))
            }
            Profile::Denied => {
                let message = self.message(format!("admin/{id}/state"), false);
                Step { filters: vec!["admin/#".into()], ..stay(steady, vec![message]) }
            }
            Profile::Periodic
            | Profile::SecondStack
            | Profile::Actuator
            | Profile::Bridge
            | Profile::Trunk
            | Profile::Ota
            | Profile::Discovery
            | Profile::Misconfigured
            | Profile::Flaky => stay(steady, self.readings(1)),
            Profile::Browser | Profile::Finder => stay(by_chance, Vec::new()),
        }
    }

    /// The answer to a message that was received: only those that take commands give one.
    pub fn answer(&mut self) -> Option<Message> {
        let id = self.device.client_id.clone();
        let retain = self.device.retain;
        match self.device.profile {
            Profile::Actuator => Some(self.message(format!("site/{id}/state"), retain)),
            Profile::Tasmota => Some(self.message(format!("stat/{id}/RESULT"), false)),
            _ => None,
        }
    }

    /// How long a refused or broken device waits before it tries again.
    pub fn retry_delay(&mut self) -> Duration {
        let (low, high) = self.device.retry_ms;
        match self.device.profile {
            Profile::Misconfigured => millis(f64::from(self.device.interval_ms)),
            _ => millis(self.random.between_f64((f64::from(low), f64::from(high)))),
        }
    }

    /// The generator, for errands that are not MQTT.
    pub(super) const fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    fn up_to(&mut self, most: u16) -> u16 {
        u16::try_from(self.random.between((1, u32::from(most.max(1))))).expect("not above a u16")
    }

    fn readings(&mut self, count: u16) -> Vec<Message> {
        (0..count).map(|_| self.reading()).collect()
    }

    fn reading(&mut self) -> Message {
        let topic = self.random.between((0, u32::from(self.device.topics.max(1)) - 1)) as usize;
        let topic = topics::reading(&self.device, topic);
        self.message(topic, self.device.retain && self.device.profile != Profile::Discovery)
    }

    fn message(&mut self, topic: String, retain: bool) -> Message {
        Message { topic, payload: self.payload(), retain }
    }

    fn commands(&mut self, count: u16) -> Vec<Message> {
        (0..count)
            .map(|_| {
                let topic = if self.device.profile == Profile::HomeAssistant && self.random.chance(0.3) {
                    "cmnd/tasmotas/POWER".into()
                } else {
                    format!("site/group-{}/set", self.random.between((0, 3)))
                };
                self.message(topic, false)
            })
            .collect()
    }

    fn announcements(&mut self, count: u16) -> Vec<Message> {
        (0..count)
            .map(|index| self.message(topics::announcement(&self.device.client_id, index), true))
            .collect()
    }

    /// Empty retained messages on a few of its own announcements.
    fn removal(&mut self) -> Vec<Message> {
        let first = self.up_to(self.device.burst);
        let count = self.up_to(5);
        (first..first.saturating_add(count))
            .map(|index| {
                let topic = topics::announcement(&self.device.client_id, index);
                Message { topic, payload: Vec::new(), retain: true }
            })
            .collect()
    }

    /// One large retained image, or the same in blocks.
    fn firmware(&mut self, blocks: u16) -> Vec<Message> {
        let model = self.device.seed % topics::MODELS;
        if self.random.chance(0.5) {
            let payload = self.bytes(self.device.payload);
            return vec![Message { topic: format!("fw/model-{model}/image"), payload, retain: true }];
        }
        let block = self.device.payload / u32::from(blocks.max(1));
        (0..blocks)
            .map(|_| Message {
                topic: format!("fw/model-{model}/block"),
                payload: self.bytes(block.clamp(256, 4096)),
                retain: false,
            })
            .collect()
    }

    /// A Sparkplug payload of about this length.
    fn metrics(&mut self, length: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < length as usize {
            let number = self.random.between((0, 40));
            bytes.extend(metric(&format!("Node/Channel {number:02}"), self.random.between((0, 0x7F))));
        }
        bytes
    }

    /// So many random bytes: an image, or numbers in a binary format.
    fn bytes(&mut self, length: u32) -> Vec<u8> {
        (0..length).map(|_| u8::try_from(self.random.between((0, 255))).expect("at most 255")).collect()
    }

    fn payload(&mut self) -> Vec<u8> {
        let mean = f64::from(self.device.payload);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "payloads are small positive numbers"
        )]
        let length = (mean * self.random.between_f64((0.7, 1.3))) as u32;
        if self.device.profile == Profile::Camera {
            return self.bytes(length);
        }
        let length = length as usize;
        let mut text = format!("{{\"v\":{:.2}", self.random.between_f64((-20.0, 90.0)));
        if length > text.len() + 8 {
            let fill = length - text.len() - 8;
            text.push_str(",\"x\":\"");
            text.push_str(&self.random.text(fill));
            text.push('"');
        }
        text.push('}');
        text.into_bytes()
    }
}

/// A metric of a Sparkplug payload, in protobuf: name (1), type Int64 (4), value below 128 (11).
fn metric(name: &str, value: u32) -> Vec<u8> {
    let byte = |number: usize| u8::try_from(number & 0x7F).expect("seven bits");
    let mut bytes = vec![0x12, byte(name.len() + 6), 0x0A, byte(name.len())];
    bytes.extend(name.bytes());
    bytes.extend([0x20, 4, 0x58, byte(value as usize)]);
    bytes
}

/// An action after which the session goes on.
fn stay(after: f64, messages: Vec<Message>) -> Step {
    Step { after: millis(after), messages, filters: Vec::new(), then: Then::Stay }
}

fn millis(value: f64) -> Duration {
    Duration::from_secs_f64(value.max(0.0) / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benign::profile::Habits;

    fn device(profile: Profile) -> Device {
        Device::draw(profile, 1, &Habits::default(), &mut Random::new(9))
    }

    #[test]
    fn the_same_device_plans_the_same_life() {
        for profile in Profile::ALL {
            let device = device(profile);
            let plan = || {
                let mut behaviour = Behaviour::new(&device);
                (0..20).map(|_| behaviour.step()).collect::<Vec<_>>()
            };
            assert_eq!(plan(), plan());
        }
    }

    #[test]
    fn a_discovery_announces_once_a_session() {
        let device = device(Profile::Discovery);
        let mut behaviour = Behaviour::new(&device);
        for _ in 0..2 {
            let _ = behaviour.hello();
            let first = behaviour.step();
            assert_eq!(first.messages.len(), usize::from(device.burst));
            assert!(
                first.messages.iter().all(|message| message.retain && message.topic.ends_with("/config"))
            );
            assert_eq!(behaviour.step().messages.len(), 1);
        }
    }

    #[test]
    fn a_battery_device_leaves_and_a_flaky_one_vanishes() {
        let battery = device(Profile::Battery);
        assert!(matches!(Behaviour::new(&battery).step().then, Then::Leave(_)));
        let flaky = device(Profile::Flaky);
        let mut behaviour = Behaviour::new(&flaky);
        let steps: Vec<_> = (0..=flaky.burst).map(|_| behaviour.step().then).collect();
        assert!(steps[..usize::from(flaky.burst)].iter().all(|then| *then == Then::Stay));
        assert!(matches!(steps.last(), Some(Then::Vanish(_))));
    }

    #[test]
    fn no_benign_message_has_a_topic_that_the_attacks_use() {
        for profile in Profile::ALL {
            let device = device(profile);
            let mut behaviour = Behaviour::new(&device);
            for message in (0..10).flat_map(|_| behaviour.step().messages) {
                assert!(
                    !message.topic.contains(['#', '+', '$']) && !message.topic.starts_with('/'),
                    "{}",
                    message.topic
                );
            }
        }
    }
}
