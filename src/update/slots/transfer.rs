//! A release that is being fetched: which blocks are here, and where they go.

use serde::{Deserialize, Serialize};

use crate::update::MAX_MODEL_BYTES;
use crate::update::digest::Digest;
use crate::update::document::MIN_BLOCK_BYTES;

/// Octets of the largest bitmap.
#[allow(clippy::cast_possible_truncation, reason = "a constant of 32")]
pub(super) const MAX_BITMAP: usize = (MAX_MODEL_BYTES / MIN_BLOCK_BYTES as u64 / 8) as usize;

/// Which blocks of a model are here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blocks {
    length: u64,
    size: u32,
    have: Vec<bool>,
}

impl Blocks {
    /// None of a model of `length` octets in blocks of `size`.
    #[must_use]
    pub fn none(length: u64, size: u32) -> Self {
        let count = length.div_ceil(u64::from(size.max(1)));
        Self { length, size, have: vec![false; usize::try_from(count).unwrap_or(0)] }
    }

    /// Where block `index` begins and how many octets it has; none when there is no such block.
    #[must_use]
    pub fn place(&self, index: u32) -> Option<(u64, u64)> {
        let offset = u64::from(index) * u64::from(self.size);
        (offset < self.length).then(|| (offset, (self.length - offset).min(u64::from(self.size))))
    }

    /// Octets of a block.
    #[must_use]
    pub const fn size(&self) -> u32 {
        self.size
    }

    /// Whether block `index` is here.
    #[must_use]
    pub fn has(&self, index: u32) -> bool {
        usize::try_from(index).is_ok_and(|index| self.have.get(index).copied().unwrap_or(false))
    }

    /// Block `index` is here.
    pub fn set(&mut self, index: u32) {
        if let Some(have) = usize::try_from(index).ok().and_then(|index| self.have.get_mut(index)) {
            *have = true;
        }
    }

    /// The blocks that are not here, in order.
    pub fn missing(&self) -> impl Iterator<Item = u32> {
        (0u32..).zip(&self.have).filter(|(_, have)| !**have).map(|(index, _)| index)
    }

    /// How many are here.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.have.iter().filter(|have| **have).count()).unwrap_or(u32::MAX)
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> u32 {
        u32::try_from(self.have.len()).unwrap_or(u32::MAX)
    }

    /// Whether all are here.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.have.iter().all(|have| *have)
    }
}

/// The file `transfer`: blocks that are on the disk for certain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// The release that is being fetched.
    pub manifest: Digest,
    /// Octets of a block.
    pub block_size: u32,
    /// A bit for each block, the first in the lowest bit of the first octet.
    pub bitmap: Vec<u8>,
}

impl Record {
    pub(super) fn of(manifest: Digest, blocks: &Blocks) -> Self {
        let octet = |bits: &[bool]| bits.iter().rev().fold(0u8, |sum, bit| sum << 1 | u8::from(*bit));
        Self { manifest, block_size: blocks.size, bitmap: blocks.have.chunks(8).map(octet).collect() }
    }

    /// The blocks, when the record is of this release and in these blocks.
    pub(super) fn blocks(&self, manifest: Digest, length: u64, size: u32) -> Option<Blocks> {
        let mut blocks = Blocks::none(length, size);
        let fits = self.manifest == manifest
            && self.block_size == size
            && self.bitmap.len() == blocks.have.len().div_ceil(8);
        let bits = self.bitmap.iter().flat_map(|octet| (0..8).map(move |bit| octet >> bit & 1 == 1));
        blocks.have.iter_mut().zip(bits).for_each(|(have, bit)| *have = bit);
        fits.then_some(blocks)
    }
}

/// A release that is being fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetching {
    /// The digest of its manifest's payload.
    pub manifest: Digest,
    /// Which blocks are here.
    pub blocks: Blocks,
    /// Where the model begins in the file.
    pub(super) offset: u64,
    /// Blocks that came since the last record.
    pub(super) unrecorded: u32,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_block_may_be_shorter() {
        let blocks = Blocks::none(10, 4);
        assert_eq!(
            [0, 1, 2, 3, u32::MAX].map(|i| blocks.place(i)),
            [Some((0, 4)), Some((4, 4)), Some((8, 2)), None, None]
        );
    }

    proptest! {
        #[test]
        fn a_record_is_what_it_records(length in 1u64..5000, size in 1u32..300, set in prop::collection::vec(any::<u32>(), 0..40)) {
            let mut blocks = Blocks::none(length, size);
            let total = blocks.total();
            for index in set {
                blocks.set(index % (total + 2));
            }
            let record = Record::of(Digest([1; 32]), &blocks);
            prop_assert_eq!(record.blocks(Digest([1; 32]), length, size), Some(blocks.clone()));
            prop_assert_eq!(record.blocks(Digest([2; 32]), length, size), None);
            prop_assert_eq!(record.blocks(Digest([1; 32]), length, size + 1), None);
            prop_assert_eq!(blocks.missing().count() as u32 + blocks.count(), total);
            prop_assert_eq!(blocks.is_complete(), blocks.count() == total);
        }
    }
}
