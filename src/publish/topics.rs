//! The topic tree, in one place: `picket/v1/<sensor>/...`.

use core::fmt;
use std::str::FromStr;

use super::payload::Head;

/// First levels of every topic: product and version of the contract.
pub const ROOT: &str = "picket/v1";

/// The name of this sensor as it stands in topics: 1 to 64 of `A-Z a-z 0-9 _ -`.
///
/// Nothing else is let in, so that a name can neither add a level nor be a wildcard, and so that a broker's
/// access list can use it as a user name (`pattern write picket/v1/%u/...`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SensorName(String);

/// Why a text is not a sensor name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("sensor name {0:?} is not 1 to 64 of the characters A-Z a-z 0-9 _ -")]
pub struct BadSensorName(String);

impl SensorName {
    /// Longest name, in bytes.
    const MAX: usize = 64;

    /// The name for a host: its first label, other characters replaced by `-`; `picket` if nothing is left.
    #[must_use]
    pub fn from_hostname(hostname: &str) -> Self {
        let label = hostname.split('.').next().unwrap_or_default();
        let fitting = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        let name: String = label.chars().take(Self::MAX).map(fitting).collect();
        Self(if name.is_empty() { "picket".to_owned() } else { name })
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SensorName {
    type Err = BadSensorName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_level(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadSensorName(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for SensorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `text` may be one level of a topic: 1 to 64 of `A-Z a-z 0-9 _ -`.
#[must_use]
pub fn is_level(text: &str) -> bool {
    (1..=SensorName::MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// The topics of one sensor.
#[derive(Clone, Debug)]
pub struct Topics {
    base: String,
}

impl Topics {
    /// The topics of `sensor`.
    #[must_use]
    pub fn new(sensor: &SensorName) -> Self {
        Self { base: format!("{ROOT}/{sensor}") }
    }

    /// Where the retained status lies; also the topic of the last will.
    #[must_use]
    pub fn status(&self) -> String {
        format!("{}/status", self.base)
    }

    /// Where the engine's counters go, once a minute.
    #[must_use]
    pub fn metric_engine(&self) -> String {
        format!("{}/metric/engine", self.base)
    }

    /// Where `picket doctor` sees whether publications are taken; nobody has to read it.
    #[must_use]
    pub fn metric_doctor(&self) -> String {
        format!("{}/metric/doctor", self.base)
    }

    /// Where it is said that alerts were lost.
    #[must_use]
    pub fn lost(&self) -> String {
        format!("{}/lost", self.base)
    }

    /// Where alerts of one severity and class go.
    #[must_use]
    pub fn alert(&self, severity: &str, class: &str) -> String {
        format!("{}/alert/{severity}/{class}", self.base)
    }

    /// Where it is said what this sensor is to install.
    #[must_use]
    pub fn update_desired(&self) -> String {
        format!("{}/update/desired", self.base)
    }

    /// Where it is said how far that is; retained.
    #[must_use]
    pub fn update_reported(&self) -> String {
        format!("{}/update/reported", self.base)
    }

    /// Where blocks of a model are asked for.
    #[must_use]
    pub fn update_get(&self) -> String {
        format!("{}/update/get", self.base)
    }

    /// Where a block comes.
    #[must_use]
    pub fn update_data(&self, transfer: &str, index: &str) -> String {
        format!("{}/update/data/{transfer}/{index}", self.base)
    }

    /// Transfer and number of the block that belongs on this topic; none when it is no topic of a block of this sensor.
    #[must_use]
    pub fn data_block<'t>(&self, topic: &'t str) -> Option<(&'t str, u32)> {
        let rest = topic.strip_prefix(self.base.as_str())?.strip_prefix("/update/data/")?;
        let (transfer, number) = rest.split_once('/')?;
        let index: u32 = number.parse().ok()?;
        // One topic for each block: no signs, no leading zeros.
        (index.to_string() == number).then_some((transfer, index))
    }

    /// Where it is said what all that follow a channel are to install.
    #[must_use]
    pub fn channel(name: &str) -> String {
        format!("{ROOT}/_fleet/update/{name}")
    }

    /// Where a stored document belongs; `None` when its severity or class could not be a topic level.
    #[must_use]
    pub fn of(&self, head: &Head) -> Option<String> {
        match head {
            Head::Lost { .. } => Some(self.lost()),
            Head::Alert { severity, class, .. } => {
                (is_level(severity) && is_level(class)).then(|| self.alert(severity, class))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Severity;
    use crate::detect::class::Class;

    #[test]
    fn sensor_names_are_one_topic_level() {
        for good in ["a", "gw-01", "Roof_2", &"x".repeat(64)] {
            assert!(good.parse::<SensorName>().is_ok(), "{good}");
        }
        for bad in ["", "a/b", "a+", "#", "a b", "gärtner", "a\n", &"x".repeat(65)] {
            assert!(bad.parse::<SensorName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn topics_are_as_in_the_contract() {
        let topics = Topics::new(&"gw-1".parse().unwrap());
        assert_eq!(topics.status(), "picket/v1/gw-1/status");
        assert_eq!(topics.metric_engine(), "picket/v1/gw-1/metric/engine");
        assert_eq!(topics.lost(), "picket/v1/gw-1/lost");
        assert_eq!(
            topics.alert(Severity::High.name(), Class::TcpScan.name()),
            "picket/v1/gw-1/alert/high/tcp_scan"
        );
    }

    #[test]
    fn every_class_and_severity_is_a_topic_level() {
        for name in Class::ALL.iter().map(|class| class.name()).chain(Severity::ALL.map(Severity::name)) {
            assert!(is_level(name), "{name}");
        }
    }
}
