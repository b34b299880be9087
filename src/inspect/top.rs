//! A table of what is most frequent, in bounded memory.
//!
//! Misra and Gries' summary, pruned in batches: a key is in the table if its weight is more than the whole weight
//! divided by the limit. While no more keys came than fit, every figure is exact.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// What is kept of a key.
#[derive(Clone, Debug, Default)]
pub struct Slot<V> {
    /// Its weight, less what pruning took from every key.
    rank: u64,
    /// Whether it may have been forgotten before: then its figures are lower bounds.
    pub at_least: bool,
    /// Its figures.
    pub value: V,
}

/// The table.
#[derive(Clone, Debug)]
pub struct Top<K, V> {
    index: HashMap<K, usize>,
    slots: Vec<Slot<V>>,
    limit: usize,
    pruned: bool,
}

impl<K: Hash + Eq + Ord, V: Default> Top<K, V> {
    /// Never keeps more than twice `limit` keys.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { index: HashMap::new(), slots: Vec::new(), limit, pruned: false }
    }

    /// The figures of a key, which grows by `weight`.
    pub fn at<Q>(&mut self, key: &Q, weight: u64, make: impl FnOnce() -> K) -> &mut V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let at = match self.index.get(key) {
            Some(at) => *at,
            None => self.insert(make()),
        };
        let slot = &mut self.slots[at];
        slot.rank += weight;
        &mut slot.value
    }

    fn insert(&mut self, key: K) -> usize {
        if self.slots.len() >= self.limit * 2 {
            self.prune();
        }
        let at = self.slots.len();
        self.slots.push(Slot { rank: 0, at_least: self.pruned, value: V::default() });
        self.index.insert(key, at);
        at
    }

    /// Takes the weight of the first key that has to go from every key, and drops those that have none left.
    #[cold]
    fn prune(&mut self) {
        self.pruned = true;
        let mut ranks: Vec<u64> = self.slots.iter().map(|slot| slot.rank).collect();
        let (_, cut, _) = ranks.select_nth_unstable_by_key(self.limit, |rank| u64::MAX - rank);
        let cut = *cut;
        let mut old = mem::take(&mut self.slots);
        for (key, at) in mem::take(&mut self.index) {
            if old[at].rank > cut {
                let slot = mem::take(&mut old[at]);
                self.index.insert(key, self.slots.len());
                self.slots.push(Slot { rank: slot.rank - cut, ..slot });
            }
        }
    }

    /// How many keys there were; a lower bound unless [`Top::is_complete`].
    #[must_use]
    pub fn count(&self) -> usize {
        if self.pruned { self.limit * 2 } else { self.slots.len() }
    }

    /// Whether every key that came is still there.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        !self.pruned
    }

    /// The keys with the greatest `figure`, at most `n`; equal ones in the order of their keys.
    pub fn greatest<F: Ord>(&self, n: usize, figure: impl Fn(&V) -> F) -> Vec<(&K, &Slot<V>)> {
        let mut all: Vec<_> = self.index.iter().map(|(key, at)| (key, &self.slots[*at])).collect();
        all.sort_by(|(a_key, a), (b_key, b)| {
            figure(&b.value).cmp(&figure(&a.value)).then_with(|| a_key.cmp(b_key))
        });
        all.truncate(n);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(table: &mut Top<u32, u64>, key: u32) {
        *table.at(&key, 1, || key) += 1;
    }

    #[test]
    fn exact_while_everything_fits() {
        let mut table = Top::new(4);
        for (key, times) in [(1, 3), (2, 5), (3, 1), (4, 5), (5, 1), (6, 1), (7, 1), (8, 1)] {
            (0..times).for_each(|_| count(&mut table, key));
        }
        assert!(table.is_complete() && table.count() == 8);
        let top: Vec<(u32, u64, bool)> =
            table.greatest(3, |v| *v).iter().map(|(k, slot)| (**k, slot.value, slot.at_least)).collect();
        assert_eq!(top, [(2, 5, false), (4, 5, false), (1, 3, false)]);
    }

    #[test]
    fn the_frequent_stay_whatever_else_comes_and_memory_is_bounded() {
        let mut table = Top::new(16);
        for i in 0..200_000u32 {
            count(&mut table, i + 1000);
            if i % 8 == 0 {
                count(&mut table, 1);
            }
            if i % 10 == 0 {
                count(&mut table, 2);
            }
            assert!(table.slots.len() <= 32 && table.index.len() == table.slots.len());
        }
        assert!(!table.is_complete() && table.count() == 32);
        let top: Vec<(u32, u64, bool)> =
            table.greatest(2, |v| *v).iter().map(|(k, slot)| (**k, slot.value, slot.at_least)).collect();
        assert_eq!(top, [(1, 25_000, false), (2, 20_000, false)]);
    }
}
