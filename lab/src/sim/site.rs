//! The site: its hosts and devices, and when in a day they do what they do.

use std::net::Ipv4Addr;

use super::recorder::Host;
use super::tcp::Way;
use super::{HOUR, Only, SECOND, Time};
use crate::benign::fleet::give_credentials;
use crate::benign::profile::{Device, Habits, Profile};
use crate::credentials::Credentials;
use crate::random::Random;

/// A device with its host and its link.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) device: Device,
    pub(super) host: Host,
    pub(super) way: Way,
    /// When in a day it is switched on: from, until. Empty if it always is.
    pub(super) shifts: Vec<(Time, Time)>,
}

/// A house or a small plant for a day.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) broker: Host,
    /// The router: everything outside is behind its interface.
    pub(super) router: Host,
    pub(super) places: Vec<Place>,
}

/// How many of a kind there are: at least, at most.
const MIX: [(Profile, (u32, u32)); 31] = [
    (Profile::Periodic, (4, 8)),
    (Profile::Random, (1, 4)),
    (Profile::Event, (2, 5)),
    (Profile::Actuator, (1, 4)),
    (Profile::Dashboard, (1, 1)),
    (Profile::Battery, (2, 5)),
    (Profile::Camera, (1, 1)),
    (Profile::Bridge, (1, 1)),
    (Profile::Discovery, (1, 2)),
    (Profile::Standby, (1, 3)),
    (Profile::Backlog, (1, 2)),
    (Profile::Flaky, (1, 3)),
    (Profile::SecondStack, (0, 2)),
    (Profile::Misconfigured, (1, 5)),
    (Profile::Paho, (0, 2)),
    (Profile::Script, (1, 2)),
    (Profile::Tasmota, (2, 6)),
    (Profile::Sparkplug, (1, 2)),
    (Profile::HomeAssistant, (1, 1)),
    (Profile::Zigbee, (1, 1)),
    (Profile::Trunk, (0, 1)),
    (Profile::Updater, (1, 1)),
    (Profile::Ota, (1, 3)),
    (Profile::App, (1, 3)),
    (Profile::LogShipper, (1, 1)),
    (Profile::Explorer, (1, 1)),
    (Profile::Modern, (1, 3)),
    (Profile::Sluggish, (1, 2)),
    (Profile::Denied, (1, 1)),
    (Profile::Browser, (1, 2)),
    (Profile::Finder, (1, 2)),
];

impl Site {
    /// Draws a site. The router and the broker are hosts of their own; some devices share one address.
    pub(super) fn draw(seed: u64, only: Option<&Only>) -> Self {
        let mut draft = Draft::new(seed);
        let broker = draft.host(2, 64);
        let router = draft.host(1, 64);
        if let Some(only) = only {
            for profile in only.profiles.iter().cycle().take(only.devices.into()) {
                draft.add(*profile, only.together.then_some(1.0));
            }
        } else {
            let mut mix = vec![(Profile::Monitor, (1, 1))];
            mix.extend(MIX);
            for (profile, range) in mix {
                for _ in 0..draft.random.between(range) {
                    draft.add(profile, None);
                }
            }
        }
        Self { broker, router, places: draft.places }
    }
}

/// A site in the making.
struct Draft {
    random: Random,
    /// Third octet of every address.
    net: u8,
    /// Last octets that are not taken.
    free: Vec<u8>,
    places: Vec<Place>,
    /// Where the last device is: the next one may be there, too.
    last: Option<(Host, Way)>,
}

impl Draft {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x5349_5445);
        let net = u8::try_from(random.between((2, 250))).expect("below 256");
        let mut free: Vec<u8> = (10..=240).collect();
        random.shuffle(&mut free);
        Self { random, net, free, places: Vec::new(), last: None }
    }

    fn host(&mut self, last: u8, ttl: u8) -> Host {
        let [.., a, b, c] = self.random.seed().to_be_bytes();
        Host { mac: [0x5C, 0xCF, 0x7F, a, b, c], ip: Ipv4Addr::new(192, 168, self.net, last), ttl }
    }

    /// Adds a device. `share` is the chance that it is behind the address of the one before it; the usual one if absent.
    fn add(&mut self, profile: Profile, share: Option<f64>) {
        let habits = habits(profile, &mut self.random);
        let mut device = Device::draw(profile, self.places.len(), &habits, &mut self.random);
        let small = self.random.chance(0.5);
        let last = self.free.pop().expect("fewer than 230 hosts");
        let fresh = (self.host(last, if small { 255 } else { 64 }), way(small, &mut self.random));
        // A household behind a router of its own, or a person with several programs at one desk.
        // After a password was changed at the broker, all devices of a household have the old one.
        let follows = self.places.last().is_some_and(|last| last.device.profile == profile);
        let usual = if profile == Profile::Misconfigured && follows { 0.6 } else { 0.15 };
        let (host, way) = match self.last {
            Some(same) if self.random.chance(share.unwrap_or(usual)) => same,
            _ => fresh,
        };
        self.last = Some((host, way));
        device.address = Some(host.ip.into());
        let username = format!("dev{:03}", self.places.len());
        let user = Credentials { username, password: self.random.text(16) };
        give_credentials(&mut device, Some(&user));
        let shifts = shifts(profile, &mut self.random);
        self.places.push(Place { device, host, way, shifts });
    }
}

/// The paces of a real site: most devices speak once or twice a minute, and not several times a second as in a lab
/// run of two minutes.
fn habits(profile: Profile, random: &mut Random) -> Habits {
    let pace = match profile {
        Profile::Camera | Profile::Trunk => 1.0,
        Profile::LogShipper => 1.5,
        Profile::Updater | Profile::Sparkplug | Profile::Modern | Profile::Explorer => 5.0,
        Profile::Zigbee => 7.0,
        Profile::Bridge => 25.0,
        Profile::App | Profile::Event | Profile::Backlog => 30.0,
        Profile::Browser | Profile::Finder | Profile::HomeAssistant | Profile::Dashboard => 12.0,
        // As in the lab, if less often: a wrong password for ever, polls for ever.
        Profile::Misconfigured | Profile::Denied | Profile::Monitor => 3.0,
        _ => 11.0,
    };
    Habits { pace: pace * random.between_f64((0.7, 1.5)), ..Habits::default() }
}

fn way(small: bool, random: &mut Random) -> Way {
    let wireless = random.chance(0.7);
    Way {
        round_trip: if wireless { random.between((1500, 9000)) } else { random.between((150, 600)) },
        jitter: if wireless { random.between_f64((0.2, 1.5)) } else { 0.1 },
        loss: if wireless { random.between_f64((0.0, 0.015)) } else { 0.0 },
        mss: if small { 1436 } else { 1460 },
        stamps: !small,
    }
}

/// When what would fill the file, or is done by people, takes place.
fn shifts(profile: Profile, random: &mut Random) -> Vec<(Time, Time)> {
    let mut between = |hour: u32, minutes: (u32, u32)| {
        let begin = Time::from(hour) * HOUR + Time::from(random.between((0, 40 * 60))) * SECOND;
        (begin, begin + Time::from(random.between(minutes)) * 60 * SECOND)
    };
    match profile {
        Profile::Camera => vec![between(7, (1, 2)), between(13, (1, 2)), between(19, (1, 3))],
        Profile::Trunk => vec![between(4, (1, 2)), between(16, (1, 2))],
        Profile::LogShipper => vec![between(1, (3, 5)), between(11, (2, 4))],
        Profile::Explorer => vec![between(10, (5, 15)), between(20, (5, 15))],
        Profile::Updater => vec![between(2, (10, 15))],
        Profile::Bridge => vec![between(0, (60, 120)), between(8, (60, 120)), between(17, (60, 120))],
        _ => Vec::new(),
    }
}

/// How much longer a device waits at this time of the day: people sleep at night.
pub(super) fn rhythm(profile: Profile, at: Time) -> f64 {
    let by_people = matches!(
        profile,
        Profile::Event
            | Profile::App
            | Profile::Dashboard
            | Profile::HomeAssistant
            | Profile::Browser
            | Profile::Random
    );
    match at / HOUR % 24 {
        _ if !by_people => 1.0,
        0..=5 => 6.0,
        6..=8 | 17..=21 => 0.7,
        _ => 1.2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_has_thirty_to_sixty_devices_of_every_common_kind() {
        for seed in 0..20 {
            let places = Site::draw(seed, None).places;
            assert!((30..=75).contains(&places.len()), "{} devices", places.len());
            for profile in
                [Profile::Tasmota, Profile::HomeAssistant, Profile::Misconfigured, Profile::Monitor]
            {
                assert!(places.iter().any(|place| place.device.profile == profile), "{profile:?}");
            }
        }
    }

    #[test]
    fn a_site_of_some_kinds_has_no_other_and_may_be_behind_one_address() {
        let profiles = vec![Profile::Tasmota, Profile::Camera];
        let mut only = Only { profiles, devices: 5, together: false };
        let kinds = |only: &Only| -> Vec<_> {
            Site::draw(1, Some(only)).places.iter().map(|place| place.device.profile).collect()
        };
        assert_eq!(kinds(&only), [0, 1, 0, 1, 0].map(|kind: usize| only.profiles[kind]));
        only.together = true;
        let places = Site::draw(1, Some(&only)).places;
        assert!(places.iter().all(|place| place.host == places[0].host));
    }
}
