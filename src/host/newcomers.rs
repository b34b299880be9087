//! Senders that are not known yet: one is taken in once it was seen a few times, so that made-up addresses, of which
//! each is used once, cost nothing and push out nobody.

/// Addresses watched.
const PLACES: usize = 256;
/// Packets of an address until it is taken in.
const ADMITTED_AFTER: u8 = 4;

/// The addresses that were seen lately and are not taken in.
#[derive(Clone, Debug)]
pub struct Newcomers {
    /// Part of the keyed hash of the address, and how often it was seen.
    places: [(u32, u8); PLACES],
}

impl Newcomers {
    /// None yet.
    pub const NONE: Self = Self { places: [(0, 0); PLACES] };

    /// An address was seen again, by its keyed hash; whether that is enough.
    pub fn admits(&mut self, hash: u64) -> bool {
        let at = usize::try_from(hash % PLACES as u64).unwrap_or_default();
        let kept = (hash >> 32 & 0xffff_ffff) as u32;
        let Some((address, seen)) = self.places.get_mut(at) else { return false };
        if *address != kept {
            (*address, *seen) = (kept, 0);
        }
        *seen = seen.saturating_add(1);
        *seen >= ADMITTED_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_stays_is_taken_in_and_a_crowd_is_not() {
        let mut newcomers = Newcomers::NONE.clone();
        let hash = |n: u64| (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17);
        assert!((0..10_000).all(|n| !newcomers.admits(hash(n))));
        let seen: Vec<bool> = (0..5).map(|_| newcomers.admits(hash(1 << 40))).collect();
        assert_eq!(seen, [false, false, false, true, true]);
    }
}
