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
    fn overflow_and_logarithms_of_zero_are_refused() {
        assert!(Range::FINITE.times(&[2.0]).is_err());
        assert!(Range { low: 0.0, high: 1.0 }.log().is_err());
        assert!(Range::FINITE.clip(0.0, f64::MAX).plus(&[1.0]).is_ok_and(|r| r.log().is_ok()));
    }
}
