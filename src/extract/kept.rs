//! A table of bounded size for what a schema remembers: flows, hosts, streams.
//!
//! It grows with what is in it up to its capacity. When it is full, the eighth of its entries that was silent
//! longest goes at once, so that an entry more costs little even while every packet brings one.

use std::collections::HashMap;
use std::hash::Hash;

use crate::time::Timestamp;

/// The share of entries that goes when the table is full.
const SHARE: usize = 8;

/// What is kept of a key.
pub(super) struct Entry<K, V> {
    pub(super) key: K,
    pub(super) value: V,
    /// It goes at the next [`Kept::remove_leaving`].
    pub(super) leaves: bool,
    last: Timestamp,
}

/// The table; its entries stay in the order in which they came.
pub(super) struct Kept<K, V> {
    places: HashMap<K, usize>,
    entries: Vec<Entry<K, V>>,
    by_age: Vec<(Timestamp, usize)>,
    capacity: usize,
    /// Entries that went early.
    pub(super) evicted: u64,
}

impl<K: Copy + Eq + Hash, V> Kept<K, V> {
    /// For at least two entries.
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(2);
        // Memory that is taken but not touched is not resident.
        Self {
            places: HashMap::with_capacity(capacity),
            entries: Vec::with_capacity(capacity),
            by_age: Vec::with_capacity(capacity),
            capacity,
            evicted: 0,
        }
    }

    pub(super) fn entries(&self) -> &[Entry<K, V>] {
        &self.entries
    }

    /// Whether one of the oldest must go before these keys can be in.
    pub(super) fn is_full_for(&self, keys: &[K]) -> bool {
        self.entries.len() + keys.len() > self.capacity
            && self.entries.len() + keys.iter().filter(|key| !self.places.contains_key(key)).count()
                > self.capacity
    }

    /// Chooses who goes; they are still in, and marked.
    #[cold]
    pub(super) fn choose_leaving(&mut self) {
        self.by_age.clear();
        self.by_age.extend(self.entries.iter().enumerate().map(|(place, entry)| (entry.last, place)));
        let share = (self.capacity / SHARE).max(2).min(self.by_age.len());
        if share < self.by_age.len() {
            self.by_age.select_nth_unstable(share);
        }
        for (_, place) in self.by_age.iter().take(share) {
            if let Some(entry) = self.entries.get_mut(*place) {
                entry.leaves = true;
            }
        }
    }

    /// Removes those that were chosen.
    #[cold]
    pub(super) fn remove_leaving(&mut self) {
        let before = self.entries.len();
        self.entries.retain(|entry| !entry.leaves);
        self.evicted += (before - self.entries.len()) as u64;
        self.places.clear();
        self.places.extend(self.entries.iter().enumerate().map(|(place, entry)| (entry.key, place)));
    }

    /// The value of a key, which is made if it is new; there must be room.
    #[inline]
    pub(super) fn get(&mut self, key: K, now: Timestamp, new: impl FnOnce() -> V) -> &mut V {
        let place = *self.places.entry(key).or_insert(self.entries.len());
        if place == self.entries.len() {
            self.entries.push(Entry { key, value: new(), leaves: false, last: now });
        }
        let entry = &mut self.entries[place];
        entry.last = entry.last.max(now);
        &mut entry.value
    }

    /// As [`Self::get`], after the oldest had to go if it was full; nothing is written of them.
    #[inline]
    pub(super) fn get_or_forget(&mut self, key: K, now: Timestamp, new: impl FnOnce() -> V) -> &mut V {
        if self.is_full_for(&[key]) {
            self.choose_leaving();
            self.remove_leaving();
        }
        self.get(key, now, new)
    }

    /// The value of a key that is in.
    pub(super) fn peek(&self, key: &K) -> Option<&V> {
        self.places.get(key).and_then(|place| self.entries.get(*place)).map(|entry| &entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(kept: &Kept<u32, u32>) -> Vec<u32> {
        kept.entries().iter().map(|entry| entry.key).collect()
    }

    #[test]
    fn the_oldest_eighth_goes_and_the_order_stays() {
        let mut kept: Kept<u32, u32> = Kept::new(16);
        for key in 0..16 {
            *kept.get_or_forget(key, Timestamp::from_secs(u64::from(key)), || 0) += 1;
        }
        // Two old ones speak again.
        for key in [0, 2] {
            *kept.get_or_forget(key, Timestamp::from_secs(100), || 9) += 1;
        }
        assert_eq!((kept.entries().len(), kept.evicted), (16, 0));
        *kept.get_or_forget(77, Timestamp::from_secs(101), || 5) += 1;
        assert_eq!(keys(&kept), [0, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 77]);
        assert_eq!(kept.evicted, 2);
        assert_eq!((kept.peek(&0), kept.peek(&1), kept.peek(&77)), (Some(&2), None, Some(&6)));
    }

    #[test]
    fn it_never_holds_more_than_its_capacity() {
        let mut kept: Kept<u32, u32> = Kept::new(100);
        for key in 0..10_000 {
            kept.get_or_forget(key, Timestamp::from_micros(u64::from(key)), || key);
            assert!(kept.entries().len() <= 100);
        }
        assert_eq!(kept.evicted + kept.entries().len() as u64, 10_000);
    }
}
