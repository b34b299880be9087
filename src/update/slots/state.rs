//! The state: which model runs, what is known of releases, roots and time.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::update::digest::Digest;
use crate::update::document::Moment;
use crate::update::trust::{Envelope, Installed, Seen, SignedRoot};

/// Releases that failed and are remembered, at most.
pub(super) const MAX_BAD: usize = 16;

/// Where a model lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Place {
    /// The first slot.
    A,
    /// The second slot.
    B,
    /// With the program, read only: the last resort.
    #[serde(rename = "factory")]
    Factory,
}

impl Place {
    /// The name of its file, none for the factory's.
    #[must_use]
    pub const fn file(self) -> Option<&'static str> {
        match self {
            Self::A => Some("A"),
            Self::B => Some("B"),
            Self::Factory => None,
        }
    }

    /// The slot that may be written while this place is in use.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B | Self::Factory => Self::A,
        }
    }
}

/// What lies in a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Its release.
    pub release: u64,
    /// The digest of its manifest's payload.
    pub manifest: Digest,
    /// The digest of the whole file.
    pub file: Digest,
    /// The floor that it brings once it is kept.
    pub floor: u64,
}

impl Slot {
    /// How it is remembered.
    #[must_use]
    pub const fn installed(&self) -> Installed {
        Installed { release: self.release, manifest: Some(self.manifest) }
    }
}

/// A release that is being tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Its slot.
    pub place: Place,
    /// Lives of the process in which it may still be loaded.
    pub attempts_left: u8,
    /// Whether it is in use, on probation.
    pub in_use: bool,
}

/// A release that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bad {
    /// Its number.
    pub release: u64,
    /// The digest of its manifest's payload.
    pub manifest: Digest,
}

/// Everything that survives a restart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Counts up with every write; the higher one of two valid copies holds.
    pub generation: u64,
    /// What lies in slot A.
    pub a: Option<Slot>,
    /// What lies in slot B.
    pub b: Option<Slot>,
    /// The model that is kept.
    pub active: Place,
    /// The one before, to go back to.
    pub previous: Option<Place>,
    /// The one that is being tried.
    pub pending: Option<Pending>,
    /// The highest floor of a release that was kept.
    pub floor: u64,
    /// Releases that failed here.
    pub bad: Vec<Bad>,
    /// The digest of the root file that the operator put there when `root` was taken from it.
    pub anchor: Digest,
    /// The root in force.
    pub root: Envelope,
    /// Number and digest of the newest timestamp, and when it was made.
    pub timestamp: Option<(u64, Digest, Moment)>,
    /// It cannot be earlier than this.
    pub time_floor: Moment,
}

impl State {
    /// The state of a device on which nothing was installed yet.
    pub(super) fn new(root: &SignedRoot, built: Moment) -> Self {
        Self {
            generation: 0,
            a: None,
            b: None,
            active: Place::Factory,
            previous: None,
            pending: None,
            floor: 0,
            bad: Vec::new(),
            anchor: Digest::of(&root.envelope.payload),
            root: root.envelope.clone(),
            timestamp: None,
            time_floor: built,
        }
    }

    /// What lies at `place`; none for the factory's model.
    #[must_use]
    pub const fn slot(&self, place: Place) -> Option<&Slot> {
        match place {
            Place::A => self.a.as_ref(),
            Place::B => self.b.as_ref(),
            Place::Factory => None,
        }
    }

    pub(super) const fn set_slot(&mut self, place: Place, slot: Option<Slot>) {
        match place {
            Place::A => self.a = slot,
            Place::B => self.b = slot,
            Place::Factory => {}
        }
    }

    /// The release at `place`.
    #[must_use]
    pub fn installed(&self, place: Place) -> Installed {
        self.slot(place).map_or(Installed { release: 0, manifest: None }, Slot::installed)
    }

    /// The newest timestamp seen.
    #[must_use]
    pub fn seen(&self) -> Option<Seen> {
        self.timestamp.map(|(seq, sha256, issued)| Seen { seq, sha256, issued })
    }

    /// Remembers the release at `place` as one that failed; the lowest number is forgotten when there are too many.
    pub(super) fn remember_bad(&mut self, place: Place) {
        let Some(slot) = self.slot(place) else { return };
        let bad = Bad { release: slot.release, manifest: slot.manifest };
        if !self.bad.contains(&bad) {
            self.bad.push(bad);
            self.bad.sort_by_key(|bad| bad.release);
            let surplus = self.bad.len().saturating_sub(MAX_BAD);
            self.bad.drain(..surplus);
        }
    }
}

/// A value as a file: its digest, a line feed, JSON. What is damaged reads as nothing.
pub(super) fn to_file<T: Serialize>(value: &T) -> std::io::Result<Vec<u8>> {
    let json = serde_json::to_string(value)?;
    Ok(format!("{}\n{json}", Digest::of(json.as_bytes())).into_bytes())
}

/// The value of a file, none when it is damaged.
pub(super) fn from_file<T: DeserializeOwned>(octets: &[u8]) -> Option<T> {
    let (digest, json) = str::from_utf8(octets).ok()?.split_once('\n')?;
    if digest.parse() != Ok(Digest::of(json.as_bytes())) {
        return None;
    }
    serde_json::from_str(json).ok()
}
