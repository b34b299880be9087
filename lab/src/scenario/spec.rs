//! What a scenario file says.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::attack::Attack;
use crate::benign::profile::{Habits, Profile};
use crate::error::LabError;

/// A scenario, as written in TOML.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Length in seconds.
    pub secs: u32,
    /// Whether the broker wants passwords.
    #[serde(default)]
    pub auth: bool,
    /// Whether an ACL file limits simple devices to their own topics. Needs `auth`.
    #[serde(default)]
    pub acl: bool,
    /// The broker's port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Restart the broker after so many seconds: everyone reconnects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_at: Option<f64>,
    /// Whether hosts hand segments larger than their MTU to the capture, as most real ones do (namespaces only).
    #[serde(default = "default_offload")]
    pub offload: bool,
    /// How bad the links of the hosts are (namespaces only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    /// Hosts that serve pages and have nothing to do with MQTT.
    #[serde(default)]
    pub neighbours: u8,
    /// How the fleet differs from the usual.
    #[serde(default)]
    pub habits: Habits,
    /// The benign devices.
    #[serde(default)]
    pub devices: Vec<Group>,
    /// The attacks, each from a host of its own.
    #[serde(default)]
    pub attacks: Vec<Scheduled>,
}

const fn default_port() -> u16 {
    1883
}

const fn default_offload() -> bool {
    true
}

/// A link, in both directions.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Link {
    /// Delay in milliseconds.
    pub delay_ms: f64,
    /// Spread of the delay in milliseconds.
    pub jitter_ms: f64,
    /// Packets lost, in percent.
    pub loss: f64,
    /// Packets that overtake others, in percent. Needs a delay.
    pub reorder: f64,
}

impl Link {
    /// Delay, its spread, loss, reordering.
    #[must_use]
    pub const fn numbers(&self) -> [f64; 4] {
        [self.delay_ms, self.jitter_ms, self.loss, self.reorder]
    }
}

/// Some devices of one kind.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The kind.
    pub profile: Profile,
    /// How many.
    pub count: u16,
    /// Whether all of them are behind one address, as behind a router.
    #[serde(default)]
    pub together: bool,
}

/// An attack at its time, by one host or several.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Scheduled {
    /// Seconds after the start.
    pub at: f64,
    /// Whether the attacker has valid credentials, where the broker wants some.
    #[serde(default = "default_insider")]
    pub insider: bool,
    /// Whether an ACL lets the attacker do everything, where there is one.
    #[serde(default = "default_insider")]
    pub granted: bool,
    /// Whether it comes from the address of one of the devices, as from an infected one.
    #[serde(default)]
    pub infected: bool,
    /// Hosts that attack at the same time, each with these options.
    #[serde(default = "default_sources")]
    pub sources: u8,
    /// The attack with its options.
    #[serde(flatten)]
    pub attack: Attack,
}

const fn default_insider() -> bool {
    true
}

const fn default_sources() -> u8 {
    1
}

/// Longest scenario, in seconds.
const LONGEST: u32 = 3600;

/// Most devices: they share the 249 addresses of one network with the attackers.
const MOST_HOSTS: usize = 240;

/// The scenarios that come with the laboratory.
const BUILT_IN: [(&str, &str); 3] = [
    ("quick", include_str!("../../scenarios/quick.toml")),
    ("calm", include_str!("../../scenarios/calm.toml")),
    ("mixed", include_str!("../../scenarios/mixed.toml")),
];

impl Scenario {
    /// A scenario by name, or from a file.
    ///
    /// # Errors
    /// If there is neither, or the file has a fault.
    pub fn find(name_or_file: &str) -> Result<Self, LabError> {
        if let Some((name, text)) = BUILT_IN.iter().find(|(name, _)| *name == name_or_file) {
            return Self::parse(text, Path::new(name));
        }
        let path = Path::new(name_or_file);
        if !path.exists() {
            let names: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            return Err(LabError::Usage(format!(
                "no scenario {name_or_file}: give a TOML file or one of {}",
                names.join(", ")
            )));
        }
        let text = fs::read_to_string(path).map_err(LabError::io(path.display().to_string()))?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, LabError> {
        let data = |reason: String| LabError::Data { path: path.into(), reason };
        let scenario: Self = toml::from_str(text).map_err(|error| data(error.to_string()))?;
        scenario.check().map_err(data)?;
        Ok(scenario)
    }

    /// What the types cannot say.
    fn check(&self) -> Result<(), String> {
        if self.secs == 0 || self.secs > LONGEST {
            return Err(format!("secs: should be 1 to {LONGEST}"));
        }
        if self.acl && !self.auth {
            return Err("acl: needs auth = true, for without names nobody can be told apart".into());
        }
        if let Some(link) = &self.link {
            let percent = [link.loss, link.reorder].into_iter().all(|part| (0.0..=50.0).contains(&part));
            let time = [link.delay_ms, link.jitter_ms].into_iter().all(|time| (0.0..=2000.0).contains(&time));
            if !percent || !time {
                return Err("link: should have at most 50 percent and 2000 milliseconds".into());
            }
        }
        if self.port == 0 {
            return Err("port: should not be 0".into());
        }
        let devices: usize = self.devices.iter().map(|group| usize::from(group.count)).sum();
        let attackers: usize = self.attacks.iter().map(|attack| usize::from(attack.sources)).sum();
        if devices + attackers + usize::from(self.neighbours) > MOST_HOSTS {
            return Err(format!("devices, attackers and neighbours: at most {MOST_HOSTS} in all"));
        }
        let times = self.attacks.iter().map(|attack| attack.at).chain(self.restart_at);
        if times.into_iter().any(|at| !(0.0..f64::from(self.secs)).contains(&at)) {
            return Err("at, restart_at: should lie within the scenario".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_scenario_is_sound_and_survives_being_written() {
        for (name, _) in BUILT_IN {
            let scenario = Scenario::find(name).unwrap();
            assert_eq!(scenario.name, name);
            let text = toml::to_string(&scenario).unwrap();
            assert_eq!(toml::from_str::<Scenario>(&text).unwrap(), scenario, "{text}");
        }
    }

    #[test]
    fn faults_are_named() {
        let parse = |text: &str| Scenario::parse(text, Path::new("x.toml")).unwrap_err();
        let head = "name = \"x\"\nsecs = 10\n";
        assert_eq!(parse("name = \"x\"\nsecs = 0").exit_code(), 65);
        assert!(parse(&format!("{head}sec = 1")).to_string().contains("unknown field"));
        assert!(
            parse(&format!("{head}[[attacks]]\nat = 11\nname = \"tcp_scan\"")).to_string().contains("within")
        );
        assert!(
            parse(&format!("{head}[[attacks]]\nat = 1\nname = \"tcp_scan\"\nportz = 4"))
                .to_string()
                .contains("portz"),
            "an unknown option of an attack is refused, too"
        );
        assert_eq!(Scenario::find("/nonexistent").unwrap_err().exit_code(), 64);
    }
}
