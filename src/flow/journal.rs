//! A ring of octets that remembers what went through it: records lie one behind the other, the oldest are overwritten.
//!
//! Records of one owner are a chain: each knows the place of the one before it, so the owner keeps one place only.
//! There is no freeing and no search, and an attacker who fills the ring loses his own first.

/// Octets of a record before its content: the place before, sequence number, length kept, length on the wire.
const HEAD: usize = 20;

/// Where a record is. Numbers only grow, so a place never comes to mean another record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place(u64);

impl Place {
    /// No record.
    pub const NONE: Self = Self(u64::MAX);

    /// Whether there is a record, or was one.
    #[must_use]
    #[inline]
    pub const fn is_some(self) -> bool {
        self.0 != u64::MAX
    }
}

/// Octets of a stream that were kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// The owner's record before this one.
    pub before: Place,
    /// Sequence number of the first octet.
    pub seq: u32,
    /// How many octets there were on the wire, at least as many as were kept.
    pub wire_len: u32,
    /// The octets.
    pub octets: &'a [u8],
}

/// The ring.
#[derive(Debug)]
pub struct Journal<'m> {
    octets: &'m mut [u8],
    /// How many octets were ever written, with those left unused at the end of the ring.
    written: u64,
}

impl<'m> Journal<'m> {
    /// A ring in the memory given, of which as much is used as makes a power of two. With less than 64 octets
    /// nothing is kept.
    #[must_use]
    pub fn new(memory: &'m mut [u8]) -> Self {
        let size = if memory.len() < 64 { 0 } else { 1 << memory.len().ilog2() };
        let octets = memory.get_mut(..size).unwrap_or_default();
        Self { octets, written: 0 }
    }

    #[inline]
    fn offset(&self, place: u64) -> usize {
        // The low half is enough: no ring has four gigabytes.
        (place & 0xffff_ffff) as usize & self.octets.len().wrapping_sub(1)
    }

    /// Keeps a copy of `octets` behind the owner's record `before`; `None` when they take more than a quarter of the ring.
    #[inline]
    pub fn put(&mut self, before: Place, seq: u32, octets: &[u8], wire_len: u32) -> Option<Place> {
        let size = self.octets.len();
        let len = octets.len() + HEAD;
        if len > size / 4 {
            return None;
        }
        let mut at = self.offset(self.written);
        if at + len > size {
            // A record lies in one piece.
            self.written += (size - at) as u64;
            at = 0;
        }
        let place = self.written;
        let (head, content) = self.octets.get_mut(at..at + len)?.split_first_chunk_mut::<HEAD>()?;
        // The record is at most a quarter of the ring, but a slice's length is no u32 by type.
        let kept = u32::try_from(octets.len()).ok()?;
        let (to_before, rest) = head.split_first_chunk_mut::<8>()?;
        let (to_seq, rest) = rest.split_first_chunk_mut::<4>()?;
        let (to_kept, rest) = rest.split_first_chunk_mut::<4>()?;
        *to_before = before.0.to_le_bytes();
        *to_seq = seq.to_le_bytes();
        *to_kept = kept.to_le_bytes();
        *rest.first_chunk_mut::<4>()? = wire_len.to_le_bytes();
        content.copy_from_slice(octets);
        self.written += len as u64;
        Some(Place(place))
    }

    /// The record at a place, unless it was overwritten.
    #[must_use]
    pub fn get(&self, place: Place) -> Option<Record<'_>> {
        if !self.is_kept(place) {
            return None;
        }
        let (head, content) = self.octets.get(self.offset(place.0)..)?.split_first_chunk::<HEAD>()?;
        let (before, rest) = head.split_first_chunk::<8>()?;
        let (seq, rest) = rest.split_first_chunk::<4>()?;
        let (kept, rest) = rest.split_first_chunk::<4>()?;
        let kept = u32::from_le_bytes(*kept);
        Some(Record {
            before: Place(u64::from_le_bytes(*before)),
            seq: u32::from_le_bytes(*seq),
            wire_len: u32::from_le_bytes(*rest.first_chunk::<4>()?),
            octets: content.get(..kept as usize)?,
        })
    }

    /// Makes `before` the record before that at `place`, so that what was between is forgotten.
    pub fn relink(&mut self, place: Place, before: Place) {
        if self.is_kept(place)
            && let Some(rest) = self.octets.get_mut(self.offset(place.0)..)
            && let Some(to_before) = rest.first_chunk_mut::<8>()
        {
            *to_before = before.0.to_le_bytes();
        }
    }

    fn is_kept(&self, place: Place) -> bool {
        place.0 < self.written && self.written - place.0 <= self.octets.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keeps_a_chain_until_it_is_overwritten() {
        let mut memory = [0; 150];
        let mut journal = Journal::new(&mut memory);
        assert_eq!(journal.put(Place::NONE, 1, &[7; 13], 13), None, "more than a quarter of 128");
        let a = journal.put(Place::NONE, 1, b"first", 9).unwrap();
        let b = journal.put(a, 6, b"second", 6).unwrap();
        let first = Record { before: Place::NONE, seq: 1, wire_len: 9, octets: b"first" };
        assert_eq!(journal.get(a), Some(first));
        assert_eq!(journal.get(b), Some(Record { before: a, seq: 6, wire_len: 6, octets: b"second" }));
        journal.relink(b, Place::NONE);
        assert_eq!(journal.get(b).unwrap().before, Place::NONE);
        for n in 0..4 {
            assert!(journal.put(Place::NONE, n, b"others", 6).is_some());
        }
        assert_eq!(journal.get(a), None);
        journal.relink(a, b);
        assert_eq!(journal.get(Place::NONE), None);
    }

    #[test]
    fn without_memory_nothing_is_kept() {
        let mut journal = Journal::new(&mut []);
        assert_eq!(journal.put(Place::NONE, 1, b"", 0), None);
        assert_eq!(journal.get(Place(0)), None);
    }

    proptest! {
        /// A record reads as it was written, or not at all.
        #[test]
        fn what_is_there_is_right(lengths in prop::collection::vec(0usize..40, 0..80)) {
            let mut memory = [0; 256];
            let mut journal = Journal::new(&mut memory);
            let mut kept = Vec::new();
            let mut before = Place::NONE;
            for (n, len) in lengths.into_iter().enumerate() {
                let octets = vec![n as u8; len];
                let place = journal.put(before, n as u32, &octets, len as u32 + 1).unwrap();
                kept.push((place, Place(before.0), n as u32, octets));
                before = place;
                let mut gone = true;
                for (place, before, seq, octets) in &kept {
                    let wire_len = octets.len() as u32 + 1;
                    match journal.get(*place) {
                        Some(found) => {
                            gone = false;
                            prop_assert_eq!(found, Record { before: *before, seq: *seq, wire_len, octets });
                        }
                        None => prop_assert!(gone, "an older one is still there"),
                    }
                }
                prop_assert!(!gone, "the newest is there");
            }
        }
    }
}
