//! Topic aliases (5: 3.3.2.3.4): numbers that stand for topics, kept for all connections together in fixed memory.

use core::hash::{Hash, Hasher};

use heapless::Vec;

use crate::flow::key::{Direction, Socket};
use crate::flow::table::{HashKey, Slot, Table, Worth};
use crate::limits::{ALIAS_TOPIC_BYTES, ALIAS_WAYS};
use crate::time::Timestamp;

/// Whose alias it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AliasKey {
    /// A number that no other connection has.
    pub connection: u64,
    /// Who set it: each side has aliases of its own.
    pub direction: Direction,
    /// The alias.
    pub alias: u16,
}

impl Hash for AliasKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let to_client = u32::from(self.direction == Direction::ToClient);
        state.write_u64(self.connection);
        state.write_u32(to_client << 16 | u32::from(self.alias));
    }
}

/// The topic that an alias stands for.
#[derive(Clone, Debug)]
pub struct Alias {
    /// Its first octets, at most [`ALIAS_TOPIC_BYTES`].
    pub topic: Vec<u8, ALIAS_TOPIC_BYTES>,
    /// Its length in octets.
    pub len: usize,
    /// The keyed hash of all of it.
    pub hash: u64,
    /// Who opened the connection.
    pub client: Socket,
    /// Who was connected to.
    pub server: Socket,
    /// When its first segment was seen.
    pub opened: Timestamp,
}

impl Alias {
    /// For a topic with its keyed hash, on that connection.
    #[must_use]
    pub fn new(topic: &[u8], hash: u64, (client, server, opened): (Socket, Socket, Timestamp)) -> Self {
        let kept = topic.get(..ALIAS_TOPIC_BYTES).unwrap_or(topic);
        let len = topic.len();
        Self { topic: Vec::from_slice(kept).unwrap_or_default(), len, hash, client, server, opened }
    }
}

impl Worth for Alias {
    fn worth(&self) -> u8 {
        0
    }
}

/// A place for an alias.
pub type AliasSlot = Slot<AliasKey, Alias>;

/// All aliases that are known.
#[derive(Debug)]
pub struct Aliases<'m> {
    table: Table<'m, AliasKey, Alias, ALIAS_WAYS>,
    /// Some had to leave for others, so one that is missing may have been set.
    evicted: bool,
}

impl<'m> Aliases<'m> {
    /// None, in the memory given.
    #[must_use]
    pub fn new(slots: &'m mut [AliasSlot], tags: &'m mut [u32], key: HashKey) -> Self {
        Self { table: Table::new(slots, tags, key), evicted: false }
    }

    /// From now on the alias stands for this topic.
    pub fn set(&mut self, key: AliasKey, alias: Alias, now: Timestamp) {
        if let Some(handle) = self.table.find(&key, now)
            && let Some((_, known)) = self.table.at(handle)
        {
            *known = alias;
            return;
        }
        self.evicted |= self.table.insert(key, alias, now).evicted.is_some();
    }

    /// What the alias stands for.
    pub fn get(&mut self, key: &AliasKey, now: Timestamp) -> Option<&Alias> {
        let handle = self.table.find(key, now)?;
        self.table.at(handle).map(|(_, alias)| &*alias)
    }

    /// Every one.
    pub fn iter(&self) -> impl Iterator<Item = (&AliasKey, &Alias)> {
        self.table.iter()
    }

    /// Whether one that is missing was never set.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        !self.evicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_of_each_connection_has_its_own() {
        let mut slots = vec![AliasSlot::EMPTY; ALIAS_WAYS];
        let mut tags = vec![0; ALIAS_WAYS];
        let mut aliases = Aliases::new(&mut slots, &mut tags, HashKey(1, 2));
        let now = Timestamp::ZERO;
        let key = |connection, direction| AliasKey { connection, direction, alias: 1 };
        let alias = |topic: &[u8], hash| Alias::new(topic, hash, (Socket::default(), Socket::default(), now));
        aliases.set(key(1, Direction::ToServer), alias(b"a", 7), now);
        aliases.set(key(1, Direction::ToServer), alias(b"bb", 8), now);
        let known = aliases.get(&key(1, Direction::ToServer), now).unwrap();
        assert_eq!((known.topic.as_slice(), known.len, known.hash), (&b"bb"[..], 2, 8));
        assert!(aliases.get(&key(1, Direction::ToClient), now).is_none());
        assert!(aliases.get(&key(2, Direction::ToServer), now).is_none() && aliases.is_complete());
        for connection in 2..20 {
            aliases.set(key(connection, Direction::ToServer), alias(&[b'x'; 900], 9), now);
        }
        assert!(!aliases.is_complete());
        let kept = aliases.get(&key(19, Direction::ToServer), now).unwrap();
        assert_eq!((kept.topic.len(), kept.len), (ALIAS_TOPIC_BYTES, 900));
    }
}
