//! Between which bounds the values of a float tensor lie, whatever finite row comes in.

use super::super::error::NodeFault;

/// Bounds over all rows and columns, in f64 so that the bounds themselves cannot overflow.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Range {
    pub low: f64,
    pub high: f64,
}

impl Range {
    /// Every finite float.
    pub(super) const FINITE: Self = Self { low: -(f32::MAX as f64), high: f32::MAX as f64 };

    /// Of a float32 result: refused when it may overflow to infinity.
    fn new(low: f64, high: f64) -> Result<Self, NodeFault> {
        if low < Self::FINITE.low || high > Self::FINITE.high {
            return Err(NodeFault::Range { low, high, wanted: "and the result would not be finite" });
        }
        Ok(Self { low, high })
    }

    /// Of `x + c` for each `c`.
    pub(super) fn plus(self, constants: &[f32]) -> Result<Self, NodeFault> {
        let c = Self::of(constants);
        Self::new(self.low + c.low, self.high + c.high)
    }

    /// Of `x - c` for each `c`.
    pub(super) fn minus(self, constants: &[f32]) -> Result<Self, NodeFault> {
        let c = Self::of(constants);
        Self::new(self.low - c.high, self.high - c.low)
    }

    /// Of `x * c` for each `c`.
    pub(super) fn times(self, constants: &[f32]) -> Result<Self, NodeFault> {
        let c = Self::of(constants);
        let corners = [self.low * c.low, self.low * c.high, self.high * c.low, self.high * c.high];
        Self::new(
            corners.iter().copied().fold(f64::INFINITY, f64::min),
            corners.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        )
    }

    /// Of `ln x`, which asks for positive `x`.
    pub(super) fn log(self) -> Result<Self, NodeFault> {
        if self.low < f64::from(f32::MIN_POSITIVE) {
            return Err(NodeFault::Range {
                low: self.low,
                high: self.high,
                wanted: "and only positive values have a logarithm",
            });
        }
        Self::new(self.low.ln(), self.high.ln())
    }

    /// Of `e` to the power of x.
    pub(super) fn exp(self) -> Result<Self, NodeFault> {
        Self::new(self.low.exp(), self.high.exp())
    }

    /// Of `x * x`.
    pub(super) fn squared(self) -> Result<Self, NodeFault> {
        let least =
            if self.low <= 0.0 && self.high >= 0.0 { 0.0 } else { self.low.abs().min(self.high.abs()) };
        Self::new(least * least, self.magnitude() * self.magnitude())
    }

    /// Of `x - y`.
    pub(super) fn difference(self, other: Self) -> Result<Self, NodeFault> {
        Self::new(self.low - other.high, self.high - other.low)
    }

    /// Of all values of both.
    pub(super) const fn joined(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// Of all these.
    pub(super) fn over(ranges: &[(f64, f64)]) -> Result<Self, NodeFault> {
        let low = ranges.iter().fold(f64::INFINITY, |low, range| low.min(range.0));
        let high = ranges.iter().fold(f64::NEG_INFINITY, |high, range| high.max(range.1));
        Self::new(low, high)
    }

    /// Of a layer with these weights, a row of `outputs` for each column that comes in. Also no partial sum may overflow.
    pub(super) fn through(self, weights: &[f32], outputs: usize) -> Result<Self, NodeFault> {
        let mut sums = vec![(0.0, 0.0); outputs];
        let mut largest = vec![0.0f64; outputs];
        for row in weights.chunks_exact(outputs) {
            for ((sum, largest), weight) in sums.iter_mut().zip(&mut largest).zip(row) {
                let (a, b) = (self.low * f64::from(*weight), self.high * f64::from(*weight));
                *sum = (sum.0 + a.min(b), sum.1 + a.max(b));
                *largest += a.abs().max(b.abs());
            }
        }
        let magnitude = largest.into_iter().fold(0.0, f64::max);
        Self::new(-magnitude, magnitude)?;
        Self::over(&sums)
    }

    /// Into `min..=max`.
    pub(super) const fn clip(self, min: f64, max: f64) -> Self {
        Self { low: self.low.clamp(min, max), high: self.high.clamp(min, max) }
    }

    /// The greatest magnitude.
    pub(super) const fn magnitude(self) -> f64 {
        self.low.abs().max(self.high.abs())
    }

    /// Least and greatest of finite constants, of which there is at least one.
    fn of(constants: &[f32]) -> Self {
        let wide = || constants.iter().map(|&c| f64::from(c));
        Self { low: wide().fold(f64::INFINITY, f64::min), high: wide().fold(f64::NEG_INFINITY, f64::max) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_follow_the_arithmetic() {
        let r = Range { low: -2.0, high: 3.0 };
        assert_eq!(r.plus(&[1.0, 5.0]), Ok(Range { low: -1.0, high: 8.0 }));
        assert_eq!(r.minus(&[1.0, 5.0]), Ok(Range { low: -7.0, high: 2.0 }));
        assert_eq!(r.times(&[-1.0, 2.0]), Ok(Range { low: -4.0, high: 6.0 }));
        assert_eq!(r.clip(0.0, 1.0), Range { low: 0.0, high: 1.0 });
    }

    #[test]
    fn layers_and_squares_are_bounded_from_both_sides() {
        let r = Range { low: -2.0, high: 3.0 };
        assert_eq!(r.squared(), Ok(Range { low: 0.0, high: 9.0 }));
        assert_eq!(Range { low: -3.0, high: -1.0 }.squared(), Ok(Range { low: 1.0, high: 9.0 }));
        assert_eq!(r.difference(Range { low: 1.0, high: 5.0 }), Ok(Range { low: -7.0, high: 2.0 }));
        // Two columns in, two out.
        assert_eq!(r.through(&[1.0, -1.0, 2.0, 0.0], 2), Ok(Range { low: -6.0, high: 9.0 }));
        assert!(Range { low: -1e30, high: 1e30 }.through(&[1e10, -1e10], 1).is_err());
        assert!(Range { low: 0.0, high: 100.0 }.exp().is_err());
        assert!(Range::FINITE.squared().is_err());
    }

    #[test]
    fn overflow_and_logarithms_of_zero_are_refused() {
        assert!(Range::FINITE.times(&[2.0]).is_err());
        assert!(Range { low: 0.0, high: 1.0 }.log().is_err());
        assert!(Range::FINITE.clip(0.0, f64::MAX).plus(&[1.0]).is_ok_and(|r| r.log().is_ok()));
    }
}
