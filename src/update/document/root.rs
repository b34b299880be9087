//! The root: which keys may sign what, and from which release on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{MAX_NUMBER, Moment, read, rule};
use crate::update::digest::Digest;
use crate::update::reason::Refusal;
use crate::update::trust::PublicKey;

/// Keys of a root, at most.
const MAX_KEYS: usize = 16;
/// Keys that must sign a root, at least: one stolen key is never enough.
const MIN_ROOT_THRESHOLD: usize = 2;

/// What a key may sign.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The next root; kept offline.
    Root,
    /// Models; kept offline.
    Model,
    /// That a release is the newest; may be kept online.
    Timestamp,
}

impl Role {
    /// Its name in documents and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Model => "model",
            Self::Timestamp => "timestamp",
        }
    }
}

/// The keys of a role, and how many of them must sign.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleKeys {
    /// Ids of keys.
    pub keys: BTreeSet<Digest>,
    /// How many must sign.
    pub threshold: usize,
}

/// The keys of each role.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// Sign the next root.
    pub root: RoleKeys,
    /// Sign models.
    pub model: RoleKeys,
    /// Sign timestamps.
    pub timestamp: RoleKeys,
}

/// The root document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    /// [`Root::SCHEMA`].
    pub schema: String,
    /// Counts up by one with every root.
    pub version: u64,
    /// When it was made.
    pub issued: Moment,
    /// From when on nothing new is installed under it.
    pub expires: Moment,
    /// The public keys by their ids.
    pub keys: BTreeMap<Digest, PublicKey>,
    /// Who may do what.
    pub roles: Roles,
    /// Releases below are neither installed nor started any more.
    pub floor: u64,
}

impl Root {
    /// The value of `schema`.
    pub const SCHEMA: &'static str = "picket.root/1";
    /// Largest payload read, in octets.
    pub const MAX_BYTES: usize = 8 << 10;

    /// Reads a root and checks it by itself.
    ///
    /// # Errors
    /// It is too large or not well formed.
    pub fn read(octets: &[u8]) -> Result<Self, Refusal> {
        let root: Self = read("root", octets, Self::MAX_BYTES)?;
        root.check()?;
        Ok(root)
    }

    /// Checks what can be seen by looking at this root alone.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), Refusal> {
        rule(self.schema == Self::SCHEMA, "root: schema is not picket.root/1")?;
        rule((1..MAX_NUMBER).contains(&self.version), "root: version is out of range")?;
        rule(self.floor < MAX_NUMBER, "root: floor is out of range")?;
        rule(self.issued < self.expires, "root: it expires before it was made")?;
        rule(self.keys.len() <= MAX_KEYS, "root: more than 16 keys")?;
        for (id, key) in &self.keys {
            rule(*id == key.id(), "root: a key id is not the digest of its key")?;
        }
        let mut used = BTreeSet::new();
        for role in [Role::Root, Role::Model, Role::Timestamp] {
            let RoleKeys { keys, threshold } = self.role(role);
            rule(*threshold >= 1, "root: a role needs no signature")?;
            rule(keys.len() >= *threshold, "root: a role has fewer keys than it needs signatures")?;
            for id in keys {
                rule(self.keys.contains_key(id), "root: a role names a key that is not there")?;
                // The timestamp's key may lie on a server: it must not open anything else.
                rule(used.insert(*id), "root: a key has two roles")?;
            }
        }
        rule(used.len() == self.keys.len(), "root: a key has no role")?;
        rule(self.roles.root.threshold >= MIN_ROOT_THRESHOLD, "root: one signature would make a new root")
    }

    /// The keys of a role.
    #[must_use]
    pub const fn role(&self, role: Role) -> &RoleKeys {
        match role {
            Role::Root => &self.roles.root,
            Role::Model => &self.roles.model,
            Role::Timestamp => &self.roles.timestamp,
        }
    }
}
