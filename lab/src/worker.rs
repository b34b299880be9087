//! The part that runs on a host: devices and attacks, started by the scenario with a plan in a file.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use crate::attack::Place;
use crate::benign::profile::Device;
use crate::benign::{fleet, pages};
use crate::episode::{Episode, Summary, unix};
use crate::error::LabError;
use crate::scenario::plan::AttackPlan;
use crate::stop::Stop;
use crate::target::{Refusal, Target};

/// What a worker has to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Work {
    /// The broker.
    pub broker: SocketAddr,
    /// When the scenario starts, in seconds since 1970 UTC.
    pub start: f64,
    /// Length of the scenario in seconds.
    pub secs: u32,
    /// The seed of the scenario, for the summary.
    pub seed: u64,
    /// The devices.
    pub devices: Vec<Device>,
    /// Hosts of the network that have nothing to do with MQTT.
    pub neighbours: Vec<IpAddr>,
    /// Addresses at which this host serves pages.
    pub serves: Vec<IpAddr>,
    /// The attacks.
    pub attacks: Vec<AttackPlan>,
}

impl Work {
    /// Reads a plan.
    ///
    /// # Errors
    /// If the file cannot be read or is no plan.
    pub fn read(file: &Path) -> Result<Self, LabError> {
        let text = fs::read_to_string(file).map_err(LabError::io(file.display().to_string()))?;
        serde_json::from_str(&text)
            .map_err(|error| LabError::Data { path: file.into(), reason: error.to_string() })
    }

    /// Does it.
    ///
    /// # Errors
    /// If the broker is not a target that the laboratory may touch.
    pub fn run(&self, stop: &Stop) -> Result<Summary, LabError> {
        let target = Target::check(self.broker)?;
        let wait = (self.start - unix(SystemTime::now())).clamp(0.0, 60.0);
        let begin = Instant::now() + Duration::from_secs_f64(wait);
        let mut summary = Summary::new(self.seed, self.broker);
        if !stop.sleep_until(begin) {
            return Ok(summary);
        }
        let stop = stop.within(Duration::from_secs(self.secs.into()));
        thread::scope(|scope| -> Result<(), LabError> {
            let attacks: Vec<_> = self
                .attacks
                .iter()
                .map(|plan| {
                    let stop = stop.clone();
                    scope.spawn(move || attack(plan, target, begin, &stop))
                })
                .collect();
            scope.spawn(|| pages::serve(&self.serves, &stop));
            summary.benign = fleet::run(&self.devices, target, &self.neighbours, &stop);
            for attack in attacks {
                let episode = attack.join().expect("an attack ends without a panic")?;
                summary.episodes.extend(episode);
            }
            Ok(())
        })
        .map(|()| summary)
    }
}

/// Waits for its time and carries it out. Nothing if the scenario ends before.
fn attack(
    plan: &AttackPlan,
    target: Target,
    begin: Instant,
    stop: &Stop,
) -> Result<Option<Episode>, Refusal> {
    if !stop.sleep_until(begin + Duration::from_secs_f64(plan.at.max(0.0))) {
        return Ok(None);
    }
    let place = Place {
        target,
        from: Some(plan.from),
        credentials: plan.credentials.clone(),
        known: plan.known.clone(),
        seed: plan.seed,
    };
    eprintln!("picket-lab: {} from {} begins", plan.attack.name(), plan.from);
    let episode = plan.attack.run(&place, stop)?;
    eprintln!(
        "picket-lab: {} from {} is over after {} actions",
        plan.attack.name(),
        plan.from,
        episode.count
    );
    Ok(Some(episode))
}
