//! The kinds of devices in an ordinary house or plant, and how one of them is set up.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::credentials::Credentials;
use crate::mqtt::packet::Version;
use crate::random::Random;

/// A kind of device.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Publishes a reading at a constant interval.
    Periodic,
    /// Publishes at random times (exponential gaps).
    Random,
    /// Motion or door contact: long silence, then a few messages at once.
    Event,
    /// Takes commands and answers on a status topic.
    Actuator,
    /// Subscribes to many topics and gives a command now and then.
    Dashboard,
    /// Wakes, connects, publishes, disconnects, sleeps.
    Battery,
    /// Sends frames of several kilobytes, some a second.
    Camera,
    /// Speaks for many devices: tens of messages a second on many topics.
    Bridge,
    /// Announces hundreds of retained configurations just after it connects, then is periodic.
    Discovery,
    /// Tries one wrong password again and again. A nuisance, no attack.
    Misconfigured,
    /// Collects readings while away and sends all of them when it is back.
    Backlog,
    /// Subscribes to a topic where nothing happens, and only pings.
    Standby,
    /// Loses its connection without a DISCONNECT, so that its will is published, and returns.
    Flaky,
    /// Periodic, with the rumqttc client library instead of the laboratory's own client.
    SecondStack,
    /// Periodic, with the paho client library for Python.
    Paho,
    /// A script that calls `mosquitto_pub` for every reading.
    Script,
    /// A plug or relay with Tasmota-like topics: `cmnd`, `stat`, `tele`, LWT, keep alive 10.
    Tasmota,
    /// An edge node with births, rebirths, `bdSeq` and a death certificate as its will.
    Sparkplug,
    /// The centre of a house: dozens of wildcard subscriptions, a birth message, commands.
    HomeAssistant,
    /// A radio gateway: hundreds of retained announcements, states, and the removal of a few announcements.
    Zigbee,
    /// A broker that bridges both ways: subscribes to `#` and sends hundreds of messages a second.
    Trunk,
    /// Publishes firmware: a large retained image, or a long burst of blocks.
    Updater,
    /// Takes firmware, and is periodic.
    Ota,
    /// An app on a telephone: a new client identifier and a short visit each time.
    App,
    /// Ships log lines: tens to hundreds of small messages a second.
    LogShipper,
    /// A tool that looks at everything: `#` and `$SYS/#`, and never publishes.
    Explorer,
    /// Version 5 with topic aliases, properties and a session that outlives its connection.
    Modern,
    /// Quality of service 2 by a slow hand: every step of a handshake takes its time.
    Sluggish,
    /// Asks again and again for a topic that its broker's ACL keeps from it. A nuisance, no attack.
    Denied,
    /// A web browser: visits many hosts, some of which refuse. Not MQTT.
    Browser,
    /// Looks for neighbours by multicast and small UDP questions. Not MQTT.
    Finder,
    /// Monitoring that asks many TCP ports of the broker's host in turn, slowly. Not MQTT.
    Monitor,
}

impl Profile {
    /// Every kind, in the order in which a fleet is filled.
    pub const ALL: [Self; 32] = [
        Self::Periodic,
        Self::Random,
        Self::Event,
        Self::Actuator,
        Self::Dashboard,
        Self::Battery,
        Self::Camera,
        Self::Bridge,
        Self::Discovery,
        Self::Standby,
        Self::Backlog,
        Self::Flaky,
        Self::SecondStack,
        Self::Misconfigured,
        Self::Paho,
        Self::Script,
        Self::Tasmota,
        Self::Sparkplug,
        Self::HomeAssistant,
        Self::Zigbee,
        Self::Trunk,
        Self::Updater,
        Self::Ota,
        Self::App,
        Self::LogShipper,
        Self::Explorer,
        Self::Modern,
        Self::Sluggish,
        Self::Denied,
        Self::Browser,
        Self::Finder,
        Self::Monitor,
    ];

    /// The name used in client identifiers, options and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Periodic => "periodic",
            Self::Random => "random",
            Self::Event => "event",
            Self::Actuator => "actuator",
            Self::Dashboard => "dashboard",
            Self::Battery => "battery",
            Self::Camera => "camera",
            Self::Bridge => "bridge",
            Self::Discovery => "discovery",
            Self::Misconfigured => "misconfigured",
            Self::Backlog => "backlog",
            Self::Standby => "standby",
            Self::Flaky => "flaky",
            Self::SecondStack => "second-stack",
            Self::Paho => "paho",
            Self::Script => "script",
            Self::Tasmota => "tasmota",
            Self::Sparkplug => "sparkplug",
            Self::HomeAssistant => "home-assistant",
            Self::Zigbee => "zigbee",
            Self::Trunk => "trunk",
            Self::Updater => "updater",
            Self::Ota => "ota",
            Self::App => "app",
            Self::LogShipper => "log-shipper",
            Self::Explorer => "explorer",
            Self::Modern => "modern",
            Self::Sluggish => "sluggish",
            Self::Denied => "denied",
            Self::Browser => "browser",
            Self::Finder => "finder",
            Self::Monitor => "monitor",
        }
    }

    /// Whether one of it makes as much traffic as a dozen others.
    #[must_use]
    pub const fn is_heavy(self) -> bool {
        matches!(
            self,
            Self::Bridge
                | Self::Camera
                | Self::Discovery
                | Self::Backlog
                | Self::Zigbee
                | Self::Trunk
                | Self::Updater
                | Self::LogShipper
                | Self::Explorer
                | Self::HomeAssistant
        )
    }

    /// Whether it talks to the broker at all.
    #[must_use]
    pub const fn speaks_mqtt(self) -> bool {
        !matches!(self, Self::Browser | Self::Finder | Self::Monitor)
    }

    /// Whether it makes sense only where the broker asks for passwords.
    #[must_use]
    pub const fn needs_passwords(self) -> bool {
        matches!(self, Self::Misconfigured | Self::Denied)
    }
}

/// One device, completely set up: the same value always behaves the same.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, as in CONNECT and PUBLISH themselves"
)]
pub struct Device {
    /// Its kind.
    pub profile: Profile,
    /// Its client identifier.
    pub client_id: String,
    /// Its source address; the system's choice if absent.
    pub address: Option<IpAddr>,
    /// Protocol version.
    pub version: Version,
    /// Quality of service of what it publishes and subscribes.
    pub qos: u8,
    /// Keep alive in seconds.
    pub keep_alive: u16,
    /// Mean time between two actions in milliseconds.
    pub interval_ms: u32,
    /// Mean payload in bytes.
    pub payload: u32,
    /// Topics that it publishes or subscribes to.
    pub topics: u16,
    /// Messages of one action: burst, backlog, frames, announcements.
    pub burst: u16,
    /// Whether its readings are retained.
    pub retain: bool,
    /// Clean session, or clean start.
    pub clean: bool,
    /// Whether it leaves a will.
    pub will: bool,
    /// Whether small segments are sent at once.
    pub nodelay: bool,
    /// Delay before it is switched on, in milliseconds.
    pub start_ms: u32,
    /// Time that it takes for each answer of a handshake, in milliseconds.
    pub answer_ms: u32,
    /// Shortest and longest wait after a lost connection, in milliseconds.
    pub retry_ms: (u32, u32),
    /// Seed of everything random about it.
    pub seed: u64,
    /// User name and password.
    pub credentials: Option<Credentials>,
}

/// How a fleet is shifted against the middle of each range, so that two splits do not share their habits.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Habits {
    /// Factor on every interval.
    pub pace: f64,
    /// Factor on every payload and burst.
    pub bulk: f64,
    /// The keep alives in use, in seconds.
    pub keep_alives: [u16; 4],
    /// Shortest and longest wait after a lost connection, in milliseconds.
    pub retry_ms: (u32, u32),
}

impl Default for Habits {
    fn default() -> Self {
        Self { pace: 1.0, bulk: 1.0, keep_alives: [10, 30, 60, 120], retry_ms: (500, 4000) }
    }
}

impl Device {
    /// Draws a device of a kind. `index` makes its client identifier unique within a fleet.
    #[must_use]
    pub fn draw(profile: Profile, index: usize, habits: &Habits, random: &mut Random) -> Self {
        let range = Range::of(profile);
        let version = *random.pick(versions(profile));
        Self {
            profile,
            client_id: client_id(profile, index, version, random),
            address: None,
            version,
            qos: *random.pick(range.qos),
            keep_alive: if profile == Profile::Tasmota { 10 } else { *random.pick(&habits.keep_alives) },
            interval_ms: random.between_log(range.interval_ms, habits.pace).max(3),
            payload: random.between_log(range.payload, habits.bulk).max(2),
            topics: u16::try_from(random.between_log(range.topics, 1.0)).unwrap_or(u16::MAX),
            burst: u16::try_from(random.between_log(range.burst, habits.bulk).max(1)).unwrap_or(u16::MAX),
            retain: profile == Profile::Discovery || random.chance(0.2),
            clean: !matches!(profile, Profile::Modern | Profile::Sluggish) && random.chance(0.8),
            will: wills(profile).unwrap_or_else(|| random.chance(0.3)),
            nodelay: random.chance(0.5),
            start_ms: random.between((0, 3000)),
            answer_ms: if profile == Profile::Sluggish { random.between((150, 2500)) } else { 0 },
            retry_ms: habits.retry_ms,
            seed: random.seed(),
            credentials: None,
        }
    }
}

/// The versions that a kind speaks, each as often as it stands here.
const fn versions(profile: Profile) -> &'static [Version] {
    match profile {
        // rumqttc has its version 5 in a second client type; one is enough here. The others are what is in use.
        Profile::SecondStack | Profile::Tasmota | Profile::Trunk => &[Version::V311],
        Profile::Paho | Profile::Script | Profile::Zigbee | Profile::HomeAssistant => {
            &[Version::V311, Version::V5]
        }
        Profile::Modern => &[Version::V5],
        _ => &[Version::V311, Version::V311, Version::V5, Version::V5, Version::V31],
    }
}

/// Whether a kind always or never leaves a will; nothing if it is a matter of taste.
const fn wills(profile: Profile) -> Option<bool> {
    match profile {
        Profile::Flaky | Profile::Tasmota | Profile::Sparkplug | Profile::HomeAssistant | Profile::Zigbee => {
            Some(true)
        }
        Profile::Explorer | Profile::App | Profile::Script | Profile::Paho | Profile::LogShipper => {
            Some(false)
        }
        _ => None,
    }
}

/// Client identifiers as one meets them: readable names, MAC-like hexadecimal, library defaults.
fn client_id(profile: Profile, index: usize, version: Version, random: &mut Random) -> String {
    let longest = if version == Version::V31 { 23 } else { 64 }; // MQTT 3.1 allows 23 characters.
    let mut id = match random.between((0, 2)) {
        0 => format!("{}-{index:02}", profile.name()),
        1 => format!("ESP_{:06X}{index:02X}", random.between((0, 0xFF_FFFF))),
        _ => format!("mqttjs_{:08x}{index:02x}", random.seed() & 0xFFFF_FFFF),
    };
    id.truncate(longest);
    id
}

/// What a kind of device may look like; each pair is the smallest and the largest value.
struct Range {
    qos: &'static [u8],
    interval_ms: (u32, u32),
    payload: (u32, u32),
    topics: (u32, u32),
    burst: (u32, u32),
}

impl Range {
    const fn of(profile: Profile) -> Self {
        let (qos, interval_ms, payload, topics, burst): (&[u8], _, _, _, _) = match profile {
            Profile::Periodic | Profile::SecondStack => {
                (&[0, 0, 1, 2], (500, 20_000), (4, 120), (1, 4), (1, 1))
            }
            Profile::Random => (&[0, 1, 2], (1000, 20_000), (4, 200), (1, 6), (1, 1)),
            Profile::Event => (&[1, 1, 2], (4000, 25_000), (2, 60), (1, 2), (2, 8)),
            Profile::Actuator => (&[0, 1, 2], (10_000, 30_000), (8, 80), (1, 2), (1, 1)),
            Profile::Dashboard => (&[0, 0, 1], (3000, 15_000), (4, 40), (6, 24), (1, 3)),
            Profile::Battery => (&[0, 1], (5000, 30_000), (10, 150), (1, 3), (1, 3)),
            Profile::Camera => (&[0, 0, 1], (150, 600), (3000, 16_000), (1, 1), (1, 3)),
            Profile::Bridge => (&[0, 0, 1], (25, 50), (20, 300), (30, 120), (1, 1)),
            Profile::Discovery => (&[0, 1], (2000, 10_000), (200, 700), (2, 6), (100, 350)),
            Profile::Misconfigured => (&[0], (3000, 12_000), (4, 20), (1, 1), (1, 1)),
            Profile::Backlog => (&[0, 1], (20_000, 45_000), (20, 120), (1, 2), (30, 150)),
            Profile::Standby => (&[0, 1], (60_000, 120_000), (4, 10), (1, 2), (1, 1)),
            Profile::Flaky => (&[0, 1], (1500, 8000), (6, 100), (1, 2), (3, 12)),
            Profile::Paho => (&[0, 1, 2], (1000, 15_000), (4, 160), (1, 4), (1, 2)),
            Profile::Script => (&[0, 1], (2000, 15_000), (4, 80), (1, 2), (1, 1)),
            Profile::Tasmota => (&[0], (5000, 20_000), (120, 350), (1, 1), (1, 1)),
            Profile::Sparkplug => (&[0], (1000, 5000), (60, 900), (4, 20), (2, 10)),
            Profile::HomeAssistant => (&[0], (4000, 15_000), (4, 40), (12, 40), (1, 4)),
            Profile::Zigbee => (&[0, 0, 1], (300, 2000), (150, 600), (10, 50), (80, 400)),
            Profile::Trunk => (&[0, 0, 1], (4, 12), (20, 300), (40, 200), (1, 1)),
            Profile::Updater => (&[0, 1], (20_000, 40_000), (60_000, 250_000), (1, 2), (40, 160)),
            Profile::Ota => (&[0, 1], (5000, 20_000), (20, 120), (1, 2), (1, 1)),
            Profile::App => (&[0, 1], (4000, 20_000), (8, 60), (2, 6), (1, 3)),
            Profile::LogShipper => (&[0, 0, 1], (8, 40), (100, 450), (1, 4), (1, 4)),
            Profile::Explorer => (&[0], (60_000, 120_000), (4, 4), (1, 1), (1, 1)),
            Profile::Modern => (&[0, 1, 2], (500, 15_000), (10, 250), (2, 8), (1, 2)),
            Profile::Sluggish => (&[2], (2000, 12_000), (10, 150), (1, 3), (1, 3)),
            Profile::Denied => (&[0, 1], (3000, 15_000), (4, 40), (1, 2), (1, 1)),
            Profile::Browser => (&[0], (1500, 8000), (400, 40_000), (1, 1), (1, 10)),
            Profile::Finder => (&[0], (4000, 20_000), (40, 300), (1, 1), (1, 4)),
            Profile::Monitor => (&[0], (3000, 10_000), (4, 4), (4, 9), (1, 1)),
        };
        Self { qos, interval_ms, payload, topics, burst }
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_device() {
        for (index, profile) in Profile::ALL.into_iter().enumerate() {
            let draw = |seed| Device::draw(profile, index, &Habits::default(), &mut Random::new(seed));
            assert_eq!(draw(5), draw(5));
            assert_ne!(draw(5), draw(6));
        }
    }

    #[test]
    fn values_stay_in_their_range() {
        let mut random = Random::new(1);
        for profile in Profile::ALL {
            for index in 0..50 {
                let device = Device::draw(profile, index, &Habits::default(), &mut random);
                let range = Range::of(profile);
                assert!(
                    (range.interval_ms.0..=range.interval_ms.1).contains(&device.interval_ms),
                    "{device:?}"
                );
                assert!(range.qos.contains(&device.qos));
                assert!(device.version != Version::V31 || device.client_id.len() <= 23);
            }
        }
    }

    #[test]
    fn the_list_is_complete() {
        assert!(Profile::value_variants().iter().all(|profile| Profile::ALL.contains(profile)));
    }

    #[test]
    fn names_agree_with_the_file_format() {
        for profile in Profile::ALL {
            assert_eq!(serde_json::to_value(profile).unwrap(), profile.name());
        }
    }
}
