//! A set-associative table: constant work for every look-up, insertion and eviction, whatever the traffic.
//!
//! A key may live only in the few ways of its set, so a full table never needs a search, and a seeded hash keeps
//! an attacker from choosing which set he fills. When a set is full the least worthy entry goes: lowest
//! [`Worth`], and among these the one unused for longest.

use core::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

use crate::time::Timestamp;

/// How much an entry deserves to stay when its set is full. Higher stays longer.
pub trait Worth {
    /// The entry's rank; entries of the lowest rank in a set are evicted first.
    fn worth(&self) -> u8;
}

/// Where an entry lives. Stays valid until the entry is removed; then [`Table::at`] answers `None`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handle {
    index: u32,
    generation: u32,
}

impl Handle {
    /// A handle that never finds anything.
    pub const NONE: Self = Self { index: u32::MAX, generation: 0 };

    /// The place in the table, below its capacity.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

/// One place of a table. Public so that the caller can supply the memory.
#[derive(Clone, Debug)]
pub struct Slot<K, V> {
    generation: u32,
    used: Timestamp,
    entry: Option<(K, V)>,
}

impl<K, V> Slot<K, V> {
    /// An empty place.
    pub const EMPTY: Self = Self { generation: 0, used: Timestamp::ZERO, entry: None };
}

/// What an insertion gave.
pub struct Inserted<K, V> {
    /// Where the new entry is.
    pub handle: Handle,
    /// What had to leave for it.
    pub evicted: Option<(K, V)>,
}

/// The key of the hash; random when live, fixed when replaying.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HashKey(pub u64, pub u64);

impl HashKey {
    /// The keyed hash of `value` (SipHash-1-3).
    #[must_use]
    #[inline]
    pub fn hash<T: Hash + ?Sized>(self, value: &T) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.1);
        value.hash(&mut hasher);
        hasher.finish()
    }

    /// The keyed hash of octets alone.
    #[must_use]
    #[inline]
    pub fn hash_bytes(self, bytes: &[u8]) -> u64 {
        SipHasher13::new_with_keys(self.0, self.1).hash(bytes)
    }
}

/// The table. `WAYS` places make a set; the number of sets is a power of two.
#[derive(Debug)]
pub struct Table<'m, K, V, const WAYS: usize> {
    slots: &'m mut [Slot<K, V>],
    /// One part of each place's hash, side by side, so that a look-up touches one cache line and the entry itself.
    tags: &'m mut [u32],
    key: HashKey,
    set_mask: usize,
    len: usize,
}

impl<'m, K: Eq + Hash + Copy, V: Worth, const WAYS: usize> Table<'m, K, V, WAYS> {
    /// A table in the memory given: as many `tags` as `slots`. What does not fill a power of two of sets is left
    /// unused.
    ///
    /// # Panics
    /// If there is less than one set, which is a mistake of the program, not of the traffic.
    #[must_use]
    pub fn new(slots: &'m mut [Slot<K, V>], tags: &'m mut [u32], key: HashKey) -> Self {
        let sets = slots.len().min(tags.len()) / WAYS;
        assert!(sets > 0, "a table needs at least one set");
        let sets = 1 << sets.ilog2();
        tags.fill(0);
        // The memory may have served another table.
        slots.iter_mut().for_each(|slot| slot.entry = None);
        Self { slots, tags, key, set_mask: sets - 1, len: 0 }
    }

    /// How many entries it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        (self.set_mask + 1) * WAYS
    }

    /// How many it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    fn place(&self, key: &K) -> (usize, u32) {
        let hash = self.key.hash(key);
        // The low half chooses the set, the high half is the tag that saves comparing keys.
        let set = (hash & 0xffff_ffff) as usize & self.set_mask;
        (set * WAYS, (hash >> 32) as u32)
    }

    /// Finds an entry and marks it as used.
    #[inline]
    pub fn find(&mut self, key: &K, now: Timestamp) -> Option<Handle> {
        let (base, tag) = self.place(key);
        let tags = self.tags.get(base..base + WAYS)?;
        for (way, _) in tags.iter().enumerate().filter(|(_, known)| **known == tag) {
            let slot = self.slots.get_mut(base + way)?;
            if slot.entry.as_ref().is_some_and(|(k, _)| k == key) {
                slot.used = now;
                return Some(handle(base + way, slot.generation));
            }
        }
        None
    }

    /// Puts a new entry in, evicting the least worthy of a full set. The key must not be present.
    pub fn insert(&mut self, key: K, value: V, now: Timestamp) -> Inserted<K, V> {
        let (base, tag) = self.place(&key);
        let set = self.slots.get_mut(base..base + WAYS).unwrap_or_default();
        let way = set
            .iter()
            .enumerate()
            .min_by_key(|(_, slot)| slot.entry.as_ref().map(|(_, v)| (v.worth(), slot.used)))
            .map_or(0, |(way, _)| way);
        let Some(slot) = set.get_mut(way) else {
            return Inserted { handle: Handle::NONE, evicted: None };
        };
        let evicted = slot.entry.replace((key, value));
        if let Some(known) = self.tags.get_mut(base + way) {
            *known = tag;
        }
        slot.used = now;
        slot.generation = slot.generation.wrapping_add(1);
        if evicted.is_none() {
            self.len += 1;
        }
        Inserted { handle: handle(base + way, slot.generation), evicted }
    }

    /// The entry behind a handle, unless it has left.
    #[inline]
    pub fn at(&mut self, handle: Handle) -> Option<(&K, &mut V)> {
        let slot = self.slots.get_mut(handle.index())?;
        if slot.generation != handle.generation {
            return None;
        }
        slot.entry.as_mut().map(|(k, v)| (&*k, v))
    }

    /// The entry behind a handle, to look at.
    #[must_use]
    pub fn peek(&self, handle: Handle) -> Option<(&K, &V)> {
        let slot = self.slots.get(handle.index())?;
        if slot.generation != handle.generation {
            return None;
        }
        slot.entry.as_ref().map(|(k, v)| (k, v))
    }

    /// Every entry, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.slots.iter().filter_map(|slot| slot.entry.as_ref()).map(|(k, v)| (k, v))
    }

    /// Every value, in no order that means anything.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.slots.iter_mut().filter_map(|slot| slot.entry.as_mut()).map(|(_, value)| value)
    }

    /// Marks the entry behind a handle as used.
    #[inline]
    pub fn touch(&mut self, handle: Handle, now: Timestamp) {
        if let Some(slot) = self.slots.get_mut(handle.index())
            && slot.generation == handle.generation
        {
            slot.used = now;
        }
    }

    /// The handle of whatever lives at `index`.
    #[must_use]
    pub fn handle_at(&self, index: usize) -> Option<Handle> {
        let slot = self.slots.get(index)?;
        slot.entry.as_ref().map(|_| handle(index, slot.generation))
    }

    /// Takes an entry out.
    pub fn remove(&mut self, handle: Handle) -> Option<(K, V)> {
        let slot = self.slots.get_mut(handle.index())?;
        if slot.generation != handle.generation {
            return None;
        }
        let entry = slot.entry.take();
        if entry.is_some() {
            slot.generation = slot.generation.wrapping_add(1);
            self.len -= 1;
        }
        entry
    }
}

fn handle(index: usize, generation: u32) -> Handle {
    // Tables are far smaller than 2^32 places; a place beyond would be one that is never found.
    Handle { index: u32::try_from(index).unwrap_or(u32::MAX), generation }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[derive(Clone, Debug, PartialEq)]
    struct Value(u8, u32);
    impl Worth for Value {
        fn worth(&self) -> u8 {
            self.0
        }
    }

    const KEY: HashKey = HashKey(1, 2);

    #[test]
    fn the_least_worthy_and_then_the_oldest_goes() {
        let mut slots = vec![Slot::EMPTY; 4];
        let mut tags = vec![0; 4];
        let mut table: Table<'_, u32, Value, 4> = Table::new(&mut slots, &mut tags, KEY);
        for (key, worth) in [(1, 5), (2, 1), (3, 1), (4, 5)] {
            table.insert(key, Value(worth, key), Timestamp::from_secs(u64::from(key)));
        }
        assert!(table.find(&2, Timestamp::from_secs(10)).is_some());
        let evicted = table.insert(9, Value(0, 9), Timestamp::from_secs(11)).evicted;
        assert_eq!(evicted, Some((3, Value(1, 3))));
        assert_eq!(table.len(), 4);
    }

    #[test]
    fn a_handle_dies_with_its_entry() {
        let mut slots = vec![Slot::EMPTY; 2];
        let mut tags = vec![0; 2];
        let mut table: Table<'_, u32, Value, 2> = Table::new(&mut slots, &mut tags, KEY);
        let first = table.insert(1, Value(0, 1), Timestamp::ZERO).handle;
        assert!(table.at(first).is_some());
        assert!(table.remove(first).is_some());
        assert!(table.at(first).is_none() && table.remove(first).is_none());
        table.insert(2, Value(0, 2), Timestamp::ZERO);
        table.insert(3, Value(0, 3), Timestamp::ZERO);
        assert!(table.at(first).is_none());
    }

    #[test]
    fn begins_empty_in_used_memory() {
        let mut slots = vec![Slot::EMPTY; 4];
        let mut tags = vec![0; 4];
        let mut table: Table<'_, u32, Value, 4> = Table::new(&mut slots, &mut tags, KEY);
        let old = table.insert(1, Value(0, 1), Timestamp::ZERO).handle;
        let mut table: Table<'_, u32, Value, 4> = Table::new(&mut slots, &mut tags, KEY);
        assert!(table.handle_at(old.index()).is_none() && table.find(&1, Timestamp::ZERO).is_none());
        assert_eq!(table.insert(1, Value(0, 2), Timestamp::ZERO).evicted, None);
    }

    proptest! {
        #[test]
        fn behaves_like_a_map_that_forgets(ops in prop::collection::vec((0u8..3, 0u32..64), 1..400)) {
            let mut slots = vec![Slot::EMPTY; 32];
            let mut tags = vec![0; 32];
            let mut table: Table<'_, u32, Value, 4> = Table::new(&mut slots, &mut tags, KEY);
            let mut model: HashMap<u32, u32> = HashMap::new();
            for (i, (op, key)) in ops.into_iter().enumerate() {
                let now = Timestamp::from_secs(i as u64);
                match (op, table.find(&key, now)) {
                    (0, None) => {
                        let inserted = table.insert(key, Value(0, key * 2), now);
                        model.insert(key, key * 2);
                        if let Some((gone, _)) = inserted.evicted {
                            prop_assert!(model.remove(&gone).is_some());
                        }
                    }
                    (1, Some(handle)) => {
                        prop_assert_eq!(table.remove(handle).map(|(_, v)| v.1), model.remove(&key));
                    }
                    (_, found) => {
                        prop_assert_eq!(found.and_then(|h| table.at(h)).map(|(_, v)| v.1), model.get(&key).copied());
                    }
                }
                prop_assert_eq!(table.len(), model.len());
                prop_assert!(table.len() <= table.capacity());
            }
        }
    }
}
