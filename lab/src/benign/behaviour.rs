//! What a device does next. No socket and no clock: the same device always plans the same life.

use std::time::Duration;

use super::profile::{Device, Profile};
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
    /// What follows.
    pub then: Then,
}

/// The plan of a device.
#[derive(Debug)]
pub struct Behaviour<'a> {
    device: &'a Device,
    random: Random,
    /// Actions since the session began.
    actions: u32,
}

impl<'a> Behaviour<'a> {
    /// The plan of this device, from its own seed.
    #[must_use]
    pub fn new(device: &'a Device) -> Self {
        Self { device, random: Random::new(device.seed), actions: 0 }
    }

    /// The topic filters that the device subscribes to as soon as a session begins.
    #[must_use]
    pub fn filters(&self) -> Vec<String> {
        let id = &self.device.client_id;
        match self.device.profile {
            Profile::Actuator => {
                vec![format!("site/{id}/set"), format!("site/group-{}/set", self.device.seed % 4)]
            }
            Profile::Dashboard => (0..self.device.topics)
                .map(|topic| format!("site/+/{}", MEASURES[usize::from(topic) % MEASURES.len()]))
                .collect(),
            Profile::Standby => vec![format!("site/{id}/notify")],
            Profile::Bridge => vec![format!("uplink/{id}/#")],
            _ => Vec::new(),
        }
    }

    /// A new session begins.
    pub fn session_begins(&mut self) {
        self.actions = 0;
    }

    /// The next action.
    pub fn step(&mut self) -> Step {
        let first = self.actions == 0;
        self.actions += 1;
        let interval = f64::from(self.device.interval_ms);
        let steady = self.random.between_f64((0.97, 1.03)) * interval;
        let by_chance = self.random.exponential(interval);
        let burst = self.device.burst;
        let stay = |after: f64, messages| Step { after: millis(after), messages, then: Then::Stay };
        match self.device.profile {
            Profile::Random => stay(by_chance, self.readings(1)),
            Profile::Event => {
                let count = u16::try_from(self.random.between((1, u32::from(burst)))).unwrap_or(1);
                stay(by_chance, self.readings(count))
            }
            Profile::Dashboard => stay(by_chance, self.commands(burst)),
            Profile::Battery => Step {
                after: millis(self.random.between_f64((40.0, 300.0))),
                messages: self.readings(burst),
                then: Then::Leave(millis(steady)),
            },
            Profile::Backlog => Step {
                after: millis(self.random.between_f64((20.0, 150.0))),
                messages: self.readings(burst),
                then: Then::Leave(millis(steady)),
            },
            Profile::Camera => {
                let count = u16::try_from(self.random.between((1, u32::from(burst)))).unwrap_or(1);
                stay(steady, self.readings(count))
            }
            Profile::Discovery if first => {
                stay(self.random.between_f64((10.0, 200.0)), self.announcements(burst))
            }
            Profile::Standby => stay(steady, Vec::new()),
            Profile::Flaky if self.actions > u32::from(burst) => Step {
                after: millis(steady),
                messages: self.readings(1),
                then: Then::Vanish(millis(self.random.between_f64((500.0, 6000.0)))),
            },
            Profile::Periodic
            | Profile::SecondStack
            | Profile::Actuator
            | Profile::Bridge
            | Profile::Discovery
            | Profile::Misconfigured
            | Profile::Flaky => stay(steady, self.readings(1)),
        }
    }

    /// The answer to a message that was received: only actuators give one.
    pub fn answer(&mut self) -> Option<Message> {
        (self.device.profile == Profile::Actuator).then(|| Message {
            topic: format!("site/{}/state", self.device.client_id),
            payload: self.payload(),
            retain: self.device.retain,
        })
    }

    /// How long a refused or broken device waits before it tries again.
    pub fn retry_delay(&mut self) -> Duration {
        match self.device.profile {
            Profile::Misconfigured => millis(f64::from(self.device.interval_ms)),
            _ => millis(self.random.between_f64((500.0, 4000.0))),
        }
    }

    fn readings(&mut self, count: u16) -> Vec<Message> {
        (0..count).map(|_| self.reading()).collect()
    }

    fn reading(&mut self) -> Message {
        let id = &self.device.client_id;
        let topic = self.random.between((0, u32::from(self.device.topics.max(1)) - 1)) as usize;
        let measure = MEASURES[topic % MEASURES.len()];
        let topic = if self.device.profile == Profile::Bridge {
            format!("site/{id}.{:02}/{measure}", topic / MEASURES.len())
        } else {
            format!("site/{id}/{measure}")
        };
        Message {
            topic,
            payload: self.payload(),
            retain: self.device.retain && self.device.profile != Profile::Discovery,
        }
    }

    fn commands(&mut self, count: u16) -> Vec<Message> {
        (0..count)
            .map(|_| Message {
                topic: format!("site/group-{}/set", self.random.between((0, 3))),
                payload: self.payload(),
                retain: false,
            })
            .collect()
    }

    fn announcements(&mut self, count: u16) -> Vec<Message> {
        (0..count)
            .map(|index| Message {
                topic: format!("homeassistant/sensor/{}/e{index:03}/config", self.device.client_id),
                payload: self.payload(),
                retain: true,
            })
            .collect()
    }

    fn payload(&mut self) -> Vec<u8> {
        let mean = f64::from(self.device.payload);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "payloads are small positive numbers"
        )]
        let length = (mean * self.random.between_f64((0.7, 1.3))) as usize;
        if self.device.profile == Profile::Camera {
            let mut frame = vec![0; length];
            for byte in &mut frame {
                *byte = u8::try_from(self.random.between((0, 255))).expect("at most 255");
            }
            return frame;
        }
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

/// What devices measure or report.
const MEASURES: [&str; 12] = [
    "temperature",
    "humidity",
    "state",
    "motion",
    "light",
    "power",
    "co2",
    "door",
    "battery",
    "smoke",
    "fan",
    "image",
];

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
            behaviour.session_begins();
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
