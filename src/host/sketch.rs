//! How many distinct values were seen lately, in fixed memory.

/// What is told apart per source host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Sketch {
    /// Destination ports of failed connections.
    FailedPorts,
    /// Hosts to which connections were opened.
    Hosts,
    /// Hosts of failed connections.
    FailedHosts,
    /// Client ids connected as.
    ClientIds,
    /// Keyed hashes of user name and password.
    Credentials,
    /// Topics published to.
    Topics,
    /// Topic filters subscribed to.
    Filters,
    /// Destination ports of UDP datagrams and of TCP segments that belong to no connection.
    ProbedPorts,
}

impl Sketch {
    /// How many sketches there are.
    pub const COUNT: usize = Self::ProbedPorts as usize + 1;
}

/// Places per sketch. With `m` places and `n` distinct values about `m (1 - e^(-n/m))` places are taken:
/// 9.7 of 10, 49 of 64, all 128 only beyond 600. A threshold on the places taken is thus never passed too early.
const PLACES: usize = 128;
/// The bits of a hash that name a place.
const PLACE_BITS: u64 = PLACES as u64 - 1;
/// The window in seconds.
const WINDOW: u8 = 60;
/// A place never taken.
const NEVER: u8 = u8::MAX;
/// Seconds are kept modulo this, so that [`NEVER`] stays free.
const CYCLE: u64 = NEVER as u64;

/// Distinct values over the last 60 seconds: each value's hash names a place, which keeps the second it was last taken in.
///
/// After linear counting (Whang, Vander-Zanden, Taylor 1990), with seconds in place of bits so that the window slides exactly.
#[derive(Clone, Debug)]
pub struct Distinct {
    last: [u8; PLACES],
}

impl Distinct {
    /// Nothing seen yet.
    pub const EMPTY: Self = Self { last: [NEVER; PLACES] };

    /// Notes a value by its hash.
    #[inline]
    pub fn note(&mut self, hash: u64, second: u64) {
        if let Some(place) = self.last.get_mut((hash & PLACE_BITS) as usize) {
            *place = (second % CYCLE) as u8;
        }
    }

    /// Places taken in the window that ends with `second`. To be asked at least every 190 seconds, or
    /// [`forget`](Self::forget) to be called, lest old places look young again.
    #[must_use]
    pub fn count(&mut self, second: u64) -> u32 {
        let now = (second % CYCLE) as u8;
        // At most 128; without branches, so that sixteen places are looked at in one instruction.
        let mut count = 0u8;
        for place in &mut self.last {
            // The age modulo 255; beyond the wrap one less, since the cycle has 255 seconds and not 256.
            let age = now.wrapping_sub(*place).wrapping_sub(u8::from(*place > now));
            let fresh = (*place != NEVER) & (age < WINDOW);
            count += u8::from(fresh);
            *place = if fresh { *place } else { NEVER };
        }
        u32::from(count)
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        self.last.fill(NEVER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_distinct_values_of_the_window_only() {
        let mut sketch = Distinct::EMPTY.clone();
        for second in 1000..1100u64 {
            sketch.note(second, second);
            sketch.note(second, second);
            let expected = (second - 999).min(60);
            assert_eq!(u64::from(sketch.count(second)), expected);
        }
        assert_eq!(sketch.count(1158), 1);
        assert_eq!(sketch.count(1159), 0);
    }

    #[test]
    fn never_counts_more_than_there_were() {
        let mut sketch = Distinct::EMPTY.clone();
        for value in 0..100u64 {
            sketch.note(value.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40, 5);
            assert!(u64::from(sketch.count(5)) <= value + 1);
        }
        sketch.forget();
        assert_eq!(sketch.count(5), 0);
    }
}
