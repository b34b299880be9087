//! Every schema by its name, and what makes its rows.

use super::picket::{self, Vectors};
use super::schema::{Definition, PUBLISHED};
use super::writer::Table;
use super::{DEFAULT_CAPACITY, Extractor, hindy, mqttset, siuru};
use crate::engine::{Memory, Settings};
use crate::features::connection::CONNECTION;
use crate::features::exchange::EXCHANGE;
use crate::features::packet::PACKET;
use crate::features::schema::{HOST, Schema};
use crate::memory::OwnedMemory;

/// Milliseconds of a `siuru-window` unless told otherwise: what the published configurations use.
pub const DEFAULT_WINDOW_MS: u32 = 10;

/// One of the schemas.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    /// Ours, with what one row is about.
    Ours(&'static Schema, &'static str),
    /// Of a published system.
    Published(&'static Definition),
}

/// Our schemas, the default one first.
pub const OURS: [Entry; 4] = [
    Entry::Ours(&HOST, "One row per source host and second in which it sent something or has open sessions"),
    Entry::Ours(&CONNECTION, "One row per TCP connection at its end, and every 10 s while it lives"),
    Entry::Ours(&PACKET, "One row per control packet of a client"),
    Entry::Ours(&EXCHANGE, "One row per flow record of MQTT-SN or CoAP"),
];

impl Entry {
    /// Every schema, ours first.
    pub fn all() -> impl Iterator<Item = Self> {
        OURS.into_iter().chain(PUBLISHED.map(Self::Published))
    }

    /// The schema of that name; `picket` is the default one.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        let name = if name == "picket" { HOST.name } else { name };
        Self::all().find(|entry| entry.name() == name)
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ours(schema, _) => schema.name,
            Self::Published(definition) => definition.name,
        }
    }

    /// What one row is about.
    #[must_use]
    pub const fn row(&self) -> &'static str {
        match self {
            Self::Ours(_, row) => row,
            Self::Published(definition) => definition.row,
        }
    }

    /// Its table, without the columns of labels.
    #[must_use]
    pub fn table(&self, options: &Options) -> Table {
        match self {
            Self::Ours(schema, _) => picket::table(schema),
            Self::Published(definition) => Table {
                schema: definition.name,
                version: definition.version,
                hash: definition.hash(),
                parameters: if definition.name == siuru::WINDOW.name {
                    vec![("window_ms", options.window_ms.into())]
                } else {
                    Vec::new()
                },
                columns: definition.columns.to_vec(),
            },
        }
    }

    /// What makes its rows. Takes the engine's memory only if it needs an engine.
    #[must_use]
    pub fn extractor<'m>(
        &self,
        options: &Options,
        memory: &'m mut Option<OwnedMemory>,
    ) -> Box<dyn Extractor + 'm> {
        let Options { settings, capacity, window_ms, payloads } = options;
        let (settings, capacity) = (settings.clone(), *capacity);
        match self {
            Self::Ours(schema, _) => Box::new(Vectors::new(schema, settings, lend(memory), capacity)),
            Self::Published(definition) => match definition.name {
                "mqttset" => Box::new(mqttset::Mqttset::new(settings, lend(memory), capacity, *payloads)),
                "hindy-packet" => Box::new(hindy::Packets::new(settings, lend(memory))),
                "hindy-uniflow" => Box::new(hindy::Uniflows::new(capacity)),
                "hindy-biflow" => Box::new(hindy::Biflows::new(capacity)),
                "siuru-host" => Box::new(siuru::Hosts::new(capacity)),
                "siuru-window" => Box::new(siuru::Windows::new(capacity, *window_ms)),
                _ => Box::new(siuru::Packets),
            },
        }
    }
}

fn lend(memory: &mut Option<OwnedMemory>) -> Memory<'_> {
    memory.insert(OwnedMemory::new()).lend()
}

/// What the rows of some schemas depend on.
#[derive(Clone, Debug)]
pub struct Options {
    /// The engine's.
    pub settings: Settings,
    /// Flows, hosts or streams kept at once.
    pub capacity: usize,
    /// Milliseconds of a window of `siuru-window`.
    pub window_ms: u32,
    /// Whether `mqttset` may hold payloads.
    pub payloads: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            capacity: DEFAULT_CAPACITY,
            window_ms: DEFAULT_WINDOW_MS,
            payloads: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_is_found_by_its_name() {
        for entry in Entry::all() {
            assert_eq!(Entry::find(entry.name()).map(|found| found.name()), Some(entry.name()));
            assert_eq!(entry.table(&Options::default()).schema, entry.name());
        }
        assert_eq!(Entry::find("picket").map(|found| found.name()), Some("picket-host"));
        assert!(Entry::find("siuru").is_none());
    }
}
