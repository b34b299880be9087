//! What Home Assistant is told of the sensor: an `update` entity that shows the model in use and the one that is coming
//! (MQTT discovery). It is read only: it names no topic for commands, so Home Assistant has no button to press.

use serde_json::json;

use super::topics::{SensorName, Topics};

/// A retained message that makes Home Assistant know an entity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announcement {
    /// Where it goes.
    pub topic: String,
    /// What it says.
    pub payload: String,
}

/// The release in use; 0 is the factory's model.
const INSTALLED: &str = "{{ value_json.active.release if value_json.active else 0 }}";
/// The release that is coming, unless it was given up; else the one in use.
const LATEST: &str = "{{ value_json.target.release \
    if value_json.target and value_json.state not in ['failed', 'rolled_back'] \
    else (value_json.active.release if value_json.active else 0) }}";
/// Whether the sensor is connected, as availability.
const ONLINE: &str = "{{ 'online' if value_json.online else 'offline' }}";

impl Announcement {
    /// Of `sensor`, for a Home Assistant whose discovery listens below `prefix`.
    #[must_use]
    pub fn of(prefix: &str, sensor: &SensorName) -> Self {
        let topics = Topics::new(sensor);
        let id = format!("picket_{sensor}");
        let payload = json!({
            "name": "Detection model",
            "unique_id": format!("{id}_model"),
            "title": "Picket detection model",
            "entity_category": "diagnostic",
            "state_topic": topics.update_reported(),
            "value_template": INSTALLED,
            "latest_version_topic": topics.update_reported(),
            "latest_version_template": LATEST,
            "availability_topic": topics.status(),
            "availability_template": ONLINE,
            "device": {
                "identifiers": [id],
                "name": format!("Picket {sensor}"),
                "manufacturer": "Picket",
                "sw_version": env!("CARGO_PKG_VERSION"),
            },
            "origin": { "name": "picket", "sw_version": env!("CARGO_PKG_VERSION") },
        });
        Self { topic: format!("{prefix}/update/{sensor}/model/config"), payload: payload.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entity_follows_what_is_reported_and_takes_no_command() {
        let announcement = Announcement::of("homeassistant", &"gw-1".parse().unwrap());
        // The sensor's name is a level of its own, so that an access list can allow it.
        assert_eq!(announcement.topic, "homeassistant/update/gw-1/model/config");
        let config: serde_json::Value = serde_json::from_str(&announcement.payload).unwrap();
        assert_eq!(config["state_topic"], "picket/v1/gw-1/update/reported");
        assert_eq!(config["availability_topic"], "picket/v1/gw-1/status");
        assert!(config.get("command_topic").is_none());
    }
}
