//! User names and passwords to guess with: what people leave behind on devices.

use crate::random::Random;

const USERS: [&str; 24] = [
    "admin",
    "root",
    "mqtt",
    "user",
    "guest",
    "test",
    "iot",
    "device",
    "sensor",
    "homeassistant",
    "openhab",
    "pi",
    "service",
    "operator",
    "mosquitto",
    "broker",
    "client",
    "support",
    "node",
    "gateway",
    "tasmota",
    "zigbee",
    "hub",
    "public",
];

const PASSWORDS: [&str; 24] = [
    "admin",
    "password",
    "123456",
    "12345678",
    "root",
    "mqtt",
    "guest",
    "test",
    "1234",
    "qwerty",
    "letmein",
    "changeme",
    "raspberry",
    "iot",
    "default",
    "secret",
    "toor",
    "mosquitto",
    "public",
    "pass",
    "111111",
    "abc123",
    "homeassistant",
    "smarthome",
];

/// Client identifiers that devices often have.
pub(super) const DEVICES: [&str; 16] = [
    "hub",
    "gateway",
    "sensor-01",
    "sensor-02",
    "thermostat",
    "camera-01",
    "lock-front",
    "pump-01",
    "meter-01",
    "dashboard",
    "homeassistant",
    "nodered",
    "zigbee2mqtt",
    "tasmota_01",
    "shelly-01",
    "plc-01",
];

/// User name number `index` of as many as one likes.
pub(super) fn user(index: u32) -> String {
    numbered(&USERS, index)
}

/// A password: a common one at first, then made-up ones.
pub(super) fn password(index: u64, random: &mut Random) -> String {
    let common = usize::try_from(index).ok().and_then(|index| PASSWORDS.get(index));
    if let Some(word) = common {
        return (*word).into();
    }
    let length = random.between((5, 14)) as usize;
    random.text(length)
}

fn numbered(words: &[&str], index: u32) -> String {
    let count = u32::try_from(words.len()).expect("a short list");
    let word = words[(index % count) as usize];
    match index / count {
        0 => word.into(),
        round => format!("{word}{round}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_repeat() {
        let names: std::collections::HashSet<_> = (0..500).map(user).collect();
        assert_eq!(names.len(), 500);
        assert_eq!(user(0), "admin");
        assert_eq!(password(2, &mut Random::new(1)), "123456");
    }
}
