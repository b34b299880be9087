//! Many devices at once: how a fleet is made up, and how it runs.

use std::net::IpAddr;
use std::thread;

use serde::{Deserialize, Serialize};

use super::device::{self, Tally};
use super::profile::{Device, Habits, Profile};
use crate::credentials::Credentials;
use crate::mqtt::packet::Version;
use crate::random::Random;
use crate::stop::Stop;
use crate::target::Target;

/// What one device of a fleet did, with what it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeviceReport {
    /// Always `benign`.
    pub class: String,
    /// Kind of device.
    pub profile: Profile,
    /// Client identifier.
    pub client_id: String,
    /// Source address, if one was chosen for it.
    pub address: Option<IpAddr>,
    /// Protocol version.
    pub version: Version,
    /// Quality of service.
    pub qos: u8,
    /// Keep alive in seconds.
    pub keep_alive: u16,
    /// What it did.
    #[serde(flatten)]
    pub tally: Tally,
}

impl DeviceReport {
    /// The report of a device.
    #[must_use]
    pub fn new(device: &Device, tally: Tally) -> Self {
        Self {
            class: "benign".into(),
            profile: device.profile,
            client_id: device.client_id.clone(),
            address: device.address,
            version: device.version,
            qos: device.qos,
            keep_alive: device.keep_alive,
            tally,
        }
    }
}

/// Draws `count` devices by going round the given kinds.
#[must_use]
pub fn draw(
    count: usize,
    profiles: &[Profile],
    habits: &Habits,
    credentials: Option<&Credentials>,
    random: &mut Random,
) -> Vec<Device> {
    let mut devices: Vec<_> = profiles
        .iter()
        .cycle()
        .take(count)
        .enumerate()
        .map(|(index, profile)| Device::draw(*profile, index, habits, random))
        .collect();
    for device in &mut devices {
        give_credentials(device, credentials);
    }
    devices
}

/// The right credentials; a misconfigured device gets a wrong password with the right name.
pub fn give_credentials(device: &mut Device, credentials: Option<&Credentials>) {
    device.credentials = credentials.cloned();
    if device.profile == Profile::Misconfigured {
        let username = credentials.map_or("device", |right| right.username.as_str()).to_owned();
        device.credentials = Some(Credentials { username, password: "changed-last-week".into() });
    }
}

/// Runs every device in a thread of its own until it is time to stop; see [`device::run`].
///
/// # Panics
/// If a device does, which is a fault of the laboratory.
#[must_use]
pub fn run(devices: &[Device], target: Target, neighbours: &[IpAddr], stop: &Stop) -> Vec<DeviceReport> {
    thread::scope(|scope| {
        let running: Vec<_> = devices
            .iter()
            .map(|device| (device, scope.spawn(move || device::run(device, target, neighbours, stop))))
            .collect();
        running
            .into_iter()
            .map(|(device, thread)| {
                DeviceReport::new(device, thread.join().expect("a device thread ends without a panic"))
            })
            .collect()
    })
}
