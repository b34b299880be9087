//! Whether a release is made for this device.

use super::document::{Manifest, version};
use super::reason::{Reason, Refusal};
use crate::detect::class::Class;

/// The first class of every model: nothing hostile.
const BENIGN: &str = "benign";

/// What this device can do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// The version of Picket.
    pub version: String,
    /// The feature columns that it computes: `name/version` and hash.
    pub schemas: Vec<(String, String)>,
    /// The largest model that it takes, in octets.
    pub max_model: u64,
    /// The longest time for one row, in microseconds at the 99th percentile.
    pub max_row_us: u64,
    /// The most memory for trying a model, in KiB.
    pub max_memory_kib: u64,
    /// How models can be fetched here.
    pub ways: Ways,
}

/// How models can be fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ways {
    /// In blocks: over the broker, or from a bundle in the inbox.
    pub blocks: bool,
    /// Over HTTPS.
    pub https: bool,
}

impl Device {
    /// Narrows what a manifest allows itself to what is allowed here.
    pub fn narrow(&self, manifest: &mut Manifest) {
        let limits = &mut manifest.self_test;
        limits.max_row_us = limits.max_row_us.min(self.max_row_us);
        limits.max_memory_kib = limits.max_memory_kib.min(self.max_memory_kib);
    }

    /// Checks that `manifest` is for this device.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub fn check(&self, manifest: &Manifest) -> Result<(), Refusal> {
        let compat = &manifest.compat;
        let refuse = |reason, detail: String| Err(Refusal::new(reason, detail));
        if compat.format != "onnx" {
            return refuse(Reason::UnknownFormat, "the model's format is not onnx".to_owned());
        }
        if version(&compat.min_daemon) > version(&self.version) {
            let detail = format!("it needs picket {}, this is {}", compat.min_daemon, self.version);
            return refuse(Reason::DaemonTooOld, detail);
        }
        let known = self.schemas.iter().find(|(name, _)| *name == compat.schema);
        match known {
            None => return refuse(Reason::SchemaMismatch, format!("no schema {} here", compat.schema)),
            Some((name, hash)) if *hash != compat.schema_hash => {
                let detail =
                    format!("schema {name} has the hash {hash}, the model needs {}", compat.schema_hash);
                return refuse(Reason::SchemaMismatch, detail);
            }
            Some(_) => {}
        }
        let knows = |name: &String| Class::from_name(name).is_some();
        let hostile = match compat.classes.split_first() {
            Some((first, hostile)) if first == BENIGN => hostile,
            _ => return refuse(Reason::UnknownClass, "the first class is not benign".to_owned()),
        };
        if let Some(unknown) = hostile.iter().find(|name| !knows(name)) {
            return refuse(Reason::UnknownClass, format!("class {unknown} is not known here"));
        }
        let length = manifest.artifact.length;
        if length > self.max_model {
            let detail = format!("the model has {length} octets, at most {} are taken here", self.max_model);
            return refuse(Reason::TooLarge, detail);
        }
        Ok(())
    }
}
