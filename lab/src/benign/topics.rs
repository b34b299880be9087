//! The topics of the benign devices: what they publish to, what they subscribe to, what an ACL lets them do.

use std::fmt::Write as _;

use super::profile::{Device, Profile};

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

/// Models that firmware exists for.
pub(super) const MODELS: u64 = 2;

/// What the centre of a house listens to, besides one subscription for each measure.
const HOUSE: [&str; 8] = [
    "homeassistant/#",
    "tele/+/STATE",
    "tele/+/SENSOR",
    "tele/+/LWT",
    "stat/+/RESULT",
    "zigbee2mqtt/#",
    "spBv1.0/+/NDEATH/#",
    "site/+/status",
];

/// The topic of a reading.
pub(super) fn reading(device: &Device, number: usize) -> String {
    let id = &device.client_id;
    let measure = MEASURES[number % MEASURES.len()];
    match device.profile {
        Profile::Bridge => format!("site/{id}.{:02}/{measure}", number / MEASURES.len()),
        Profile::Trunk => format!("remote/{id}/n{:02}/{measure}", number / MEASURES.len()),
        Profile::LogShipper => format!("logs/{id}/{}", ["info", "notice", "warning", "error"][number % 4]),
        _ => format!("site/{id}/{measure}"),
    }
}

/// The topic of an announcement.
pub(super) fn announcement(client_id: &str, index: u16) -> String {
    format!("homeassistant/sensor/{client_id}/e{index:03}/config")
}

/// The topic filters that a device subscribes to as soon as a session begins.
#[must_use]
pub(super) fn filters(device: &Device) -> Vec<String> {
    let id = &device.client_id;
    let measures =
        (0..device.topics).map(|topic| format!("site/+/{}", MEASURES[usize::from(topic) % MEASURES.len()]));
    match device.profile {
        Profile::Actuator => vec![format!("site/{id}/set"), format!("site/group-{}/set", device.seed % 4)],
        Profile::Dashboard | Profile::App => measures.collect(),
        Profile::HomeAssistant => HOUSE.into_iter().map(str::to_owned).chain(measures).collect(),
        Profile::Standby => vec![format!("site/{id}/notify")],
        Profile::Bridge => vec![format!("uplink/{id}/#")],
        Profile::Trunk => vec!["#".into()],
        Profile::Explorer => vec!["#".into(), "$SYS/#".into()],
        Profile::Tasmota => vec!["cmnd/tasmotas/#".into(), format!("cmnd/{id}/#")],
        Profile::Sparkplug => {
            vec![format!("spBv1.0/plant/NCMD/{id}/#"), format!("spBv1.0/plant/DCMD/{id}/#")]
        }
        Profile::Zigbee => vec![
            "zigbee2mqtt/+/set".into(),
            "zigbee2mqtt/bridge/request/#".into(),
            "homeassistant/status".into(),
        ],
        Profile::Ota => vec![format!("fw/model-{}/#", device.seed % MODELS)],
        // What it says comes back to it, so that it has to answer in quality of service 2 as well.
        Profile::Sluggish => vec![format!("site/{id}/#")],
        Profile::Modern => vec![format!("site/{id}/set")],
        _ => Vec::new(),
    }
}

/// What mosquitto's ACL file says of a device: its own topics for a simple one, everything for a centre, and for
/// [`Profile::Denied`] too little.
#[must_use]
pub fn grants(device: &Device) -> String {
    let id = &device.client_id;
    let more = match device.profile {
        Profile::Dashboard
        | Profile::HomeAssistant
        | Profile::Zigbee
        | Profile::Bridge
        | Profile::Trunk
        | Profile::Explorer
        | Profile::Discovery
        | Profile::App => vec!["readwrite #".into(), "read $SYS/#".into()],
        Profile::Tasmota => {
            vec![format!("write tele/{id}/#"), format!("write stat/{id}/#"), "read cmnd/#".into()]
        }
        Profile::Sparkplug => vec!["readwrite spBv1.0/plant/#".into()],
        Profile::LogShipper => vec![format!("write logs/{id}/#")],
        Profile::Updater => vec!["readwrite fw/#".into()],
        Profile::Ota => vec!["read fw/#".into()],
        Profile::Actuator => vec!["read site/+/set".into()],
        _ => Vec::new(),
    };
    let mut text = String::new();
    for line in more.into_iter().chain([format!("readwrite site/{id}/#")]) {
        writeln!(text, "topic {line}").expect("writing to a string");
    }
    text
}

/// Whether a filter covers a topic or another filter, level by level.
pub(crate) fn covers(filter: &str, topic: &str) -> bool {
    let mut levels = topic.split('/');
    for part in filter.split('/') {
        match (part, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (part, Some(level)) if part == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benign::behaviour::Behaviour;
    use crate::benign::profile::Habits;
    use crate::random::Random;

    #[test]
    fn an_honest_device_stays_within_its_grants_and_a_denied_one_does_not() {
        for profile in Profile::ALL.into_iter().filter(|profile| profile.speaks_mqtt()) {
            let device = Device::draw(profile, 1, &Habits::default(), &mut Random::new(4));
            let text = grants(&device);
            let allowed = |kind: &str, topic: &str| {
                text.lines().filter_map(|line| line.strip_prefix("topic ")).any(|line| {
                    let (access, filter) = line.split_once(' ').unwrap();
                    (access == kind || access == "readwrite") && covers(filter, topic)
                })
            };
            let mut behaviour = Behaviour::new(&device);
            let hello = behaviour.hello();
            let steps: Vec<_> = (0..60).map(|_| behaviour.step()).collect();
            let mut filters = hello.filters.iter().chain(steps.iter().flat_map(|step| &step.filters));
            let answer = behaviour.answer();
            let mut messages = (hello.messages.iter().chain(&hello.will))
                .chain(steps.iter().flat_map(|step| &step.messages))
                .chain(&answer);
            let honest = messages.all(|message| allowed("write", &message.topic))
                && filters.all(|filter| allowed("read", filter));
            assert_eq!(honest, profile != Profile::Denied, "{profile:?}\n{text}");
        }
    }
}
