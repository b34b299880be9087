//! Looks at the machine. Changes nothing, waits for nothing longer than it is told to.

mod machine;
mod network;
mod traffic;

use std::path::Path;
use std::time::Duration;

use super::facts::{ModelFact, Snapshot, Uplink, Wanted};
use crate::config::{Config, Interface, OnMissing, advice};
use crate::model::ModelSet;
use crate::publish::config::PublisherConfig;
use crate::publish::probe::{self, Answer};
use crate::publish::topics::Topics;

/// How long the management broker has for its answers.
const BROKER_PATIENCE: Duration = Duration::from_secs(5);

/// What is to be looked at beside the machine itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scope {
    /// Seconds of live traffic; 0 for none.
    pub sample: u32,
    /// Whether the management broker is asked.
    pub broker: bool,
}

/// Gathers the facts for `config`, read from `file`.
#[must_use]
pub fn gather(config: &Config, file: Option<&Path>, scope: Scope) -> Snapshot {
    let wanted = wanted(config);
    let samples =
        (scope.sample > 0 && !wanted.interfaces.is_empty()).then(|| traffic::look(config, scope.sample));
    // What follows has areas of its own.
    let covered = ["capture.interfaces", "capture.user", "model.path", "model.more"];
    let advice = advice(config, file)
        .iter()
        .filter(|one| !covered.contains(&one.key))
        .map(ToString::to_string)
        .collect();
    Snapshot {
        interfaces: network::interfaces(),
        listeners: network::listeners(),
        offload: network::offload(),
        samples,
        rights: machine::rights(&wanted.user),
        clock: machine::clock(),
        disk: machine::disk(&wanted.store),
        models: models(config),
        uplink: if scope.broker { uplink(config) } else { not_asked(config) },
        advice,
        config: wanted,
    }
}

fn wanted(config: &Config) -> Wanted {
    let capture = config.capture();
    Wanted {
        interfaces: capture.interfaces.iter().map(Interface::as_str).map(str::to_owned).collect(),
        snaplen: capture.snaplen,
        mqtt_ports: config.mqtt_ports().to_vec(),
        user: capture.user.clone(),
        store: config.store().path.clone(),
        byte_budget: config.store().byte_budget,
        refuses_without_model: config.model().on_missing == OnMissing::Refuse,
    }
}

/// Loads each model, as the daemon would.
fn models(config: &Config) -> Vec<ModelFact> {
    let mut set = ModelSet::empty();
    let mut load = |path: &Path| {
        set.add(path).map_err(|error| error.to_string())?;
        Ok(set.labels().pop().unwrap_or_default())
    };
    config.model().paths().into_iter().map(|path| ModelFact { outcome: load(&path), path }).collect()
}

fn not_asked(config: &Config) -> Uplink {
    if config.publish().broker.is_some() { Uplink::NotAsked } else { Uplink::Off }
}

/// Asks the management broker.
fn uplink(config: &Config) -> Uplink {
    let asked = match PublisherConfig::of(config.publish()) {
        Ok(Some(asked)) => asked,
        Ok(None) => return Uplink::Off,
        Err(error) => return Uplink::Unusable(error.to_string()),
    };
    match probe::ask(&asked, config.sensor(), &reads(config), BROKER_PATIENCE) {
        Err(error) => Uplink::Unusable(error.to_string()),
        Ok(Answer::Unreachable(why)) => Uplink::Unreachable(why),
        Ok(Answer::Refused(why)) => Uplink::Refused(why),
        Ok(Answer::Taken { denied, tells }) => Uplink::Connected { denied, tells },
    }
}

/// Topics that the sensor reads.
fn reads(config: &Config) -> Vec<String> {
    let update = config.update();
    if !update.enabled {
        return Vec::new();
    }
    let own = Topics::new(config.sensor()).update_desired();
    let fleet = update.channel.iter().map(|channel| Topics::channel(channel));
    std::iter::once(own).chain(fleet).collect()
}
