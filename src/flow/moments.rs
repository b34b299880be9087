//! Count, sum, extremes and deviation of a series without keeping it, in integers, so that live and replay agree bit by bit.

/// Running moments of a series of unsigned numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moments {
    count: u32,
    min: u32,
    max: u32,
    sum: u64,
    /// Sum of squares; saturates, after which the deviation is a lower bound.
    squares: u64,
}

impl Moments {
    /// Of nothing yet.
    pub const NONE: Self = Self { count: 0, min: u32::MAX, max: 0, sum: 0, squares: 0 };

    /// Takes one value in.
    #[inline]
    pub fn add(&mut self, value: u32) {
        self.count = self.count.saturating_add(1);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let wide = u64::from(value);
        self.sum = self.sum.saturating_add(wide);
        self.squares = self.squares.saturating_add(wide * wide);
    }

    /// How many values.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Their sum.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// The smallest; 0 of nothing.
    #[must_use]
    pub const fn min(&self) -> u32 {
        if self.count == 0 { 0 } else { self.min }
    }

    /// The largest; 0 of nothing.
    #[must_use]
    pub const fn max(&self) -> u32 {
        self.max
    }

    /// The mean, rounded down; 0 of nothing.
    #[must_use]
    pub const fn mean(&self) -> u64 {
        if self.count == 0 { 0 } else { self.sum / self.count as u64 }
    }

    /// The population standard deviation, rounded down; 0 of nothing.
    #[must_use]
    pub fn deviation(&self) -> u64 {
        if self.count == 0 {
            return 0;
        }
        let (n, sum, squares) = (u128::from(self.count), u128::from(self.sum), u128::from(self.squares));
        // n * sum of squares - square of the sum, all over n squared: exact until the square root.
        let variance = (n * squares).saturating_sub(sum * sum) / (n * n);
        u64::try_from(variance.isqrt()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn of_nothing_all_is_zero() {
        let m = Moments::NONE;
        assert_eq!((m.count(), m.min(), m.max(), m.mean(), m.deviation()), (0, 0, 0, 0, 0));
    }

    proptest! {
        #[test]
        fn agrees_with_two_passes(values in prop::collection::vec(0u32..100_000_000, 1..200)) {
            let mut m = Moments::NONE;
            values.iter().for_each(|v| m.add(*v));
            let n = values.len() as f64;
            let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
            let deviation = (values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n).sqrt();
            prop_assert!((m.mean() as f64 - mean).abs() <= 1.0);
            prop_assert!((m.deviation() as f64 - deviation).abs() <= 1.0 + deviation * 1e-9);
            prop_assert_eq!(m.min(), *values.iter().min().unwrap());
            prop_assert_eq!(m.max(), *values.iter().max().unwrap());
        }
    }
}
