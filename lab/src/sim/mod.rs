//! A day of benign traffic in seconds: the same devices with the same plans as on the real network, driven by a
//! virtual clock, with a broker, TCP and links that are simulated. What comes out is a capture as a gateway would
//! have made it.
//!
//! - Time and order: [`queue`].
//! - What is on the wire: [`recorder`] (frames and file), [`tcp`] (connections).
//! - Who is there: [`site`] (devices, hosts, habits of a day), [`broker`] (sessions, subscriptions, retained).
//! - What happens: [`world`], and [`beside`] for what is not MQTT.
//!
//! All times are microseconds since the capture began, as the gateway sees them.

mod beside;
mod broker;
mod queue;
mod recorder;
mod site;
mod tcp;
mod world;

use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::benign::fleet::DeviceReport;
use crate::benign::profile::Profile;
use crate::episode::{Labels, TOOL, write_json};
use crate::error::LabError;

/// Microseconds since the capture began.
type Time = u64;

/// A second.
const SECOND: Time = 1_000_000;
/// An hour.
const HOUR: Time = 3600 * SECOND;

/// 2026-01-05, a Monday, at midnight UTC, in seconds since 1970: day 0 of seed 0.
const EPOCH: u64 = 1_767_571_200;

/// What is simulated. The same values give the same bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Simulation {
    /// Hours from midnight on.
    pub hours: u32,
    /// Seed of everything random.
    pub seed: u64,
    /// Who is there; a whole site if absent.
    pub only: Option<Only>,
}

/// A site of a few kinds of devices. Its broker and its days are those of a whole site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Only {
    /// The kinds, gone round.
    pub profiles: Vec<Profile>,
    /// Devices, at most [`Only::MOST`].
    pub devices: u8,
    /// Whether all are behind one address.
    pub together: bool,
}

impl Only {
    /// Hosts that there is room for.
    pub const MOST: u8 = 200;
}

/// What is written to `manifest.json`.
#[derive(Debug, Serialize)]
pub struct Manifest {
    /// Name and version of this program.
    pub tool: &'static str,
    /// The seed.
    pub seed: u64,
    /// Always `simulated`.
    pub ground: &'static str,
    /// When the capture begins, in seconds since 1970 UTC.
    pub start: u64,
    /// Simulated hours.
    pub hours: u32,
    /// The broker's address and port.
    pub broker: String,
    /// Frames in `capture.pcap`.
    pub packets: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// The devices with their counts.
    pub benign: Vec<DeviceReport>,
}

impl Simulation {
    /// Simulates; writes `capture.pcap`, `labels.toml` (which names no attack) and `manifest.json` into `out`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn run(&self, out: &Path) -> Result<Manifest, LabError> {
        let path = |name: &str| out.join(name);
        fs::create_dir_all(out).map_err(LabError::io(out.display().to_string()))?;
        let capture = path("capture.pcap");
        let manifest = self.record(&capture).map_err(LabError::io(capture.display().to_string()))?;
        let labels = path("labels.toml");
        fs::write(&labels, Labels::default().to_toml())
            .map_err(LabError::io(labels.display().to_string()))?;
        write_json(&manifest, Some(&path("manifest.json")))?;
        Ok(manifest)
    }

    fn record(&self, capture: &Path) -> std::io::Result<Manifest> {
        let &Self { hours, seed, .. } = self;
        let start = EPOCH + seed % 365 * 24 * 3600;
        let recorder = recorder::Recorder::create(capture, start)?;
        let site = site::Site::draw(seed, self.only.as_ref());
        let broker = format!("{}:1883", site.broker.ip);
        let mut world = world::World::new(site, recorder, seed);
        world.run(u64::from(hours) * HOUR)?;
        let (benign, packets, bytes) = world.finish()?;
        Ok(Manifest { tool: TOOL, seed, ground: "simulated", start, hours, broker, packets, bytes, benign })
    }
}
