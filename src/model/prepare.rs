//! The preparation of a row, all its operators in one pass.
//!
//! As operators of tract each would write a tensor of its own, and their logarithm is the C library's: a third of what a row costs. This
//! one is the same on every machine, to the last bit.

use super::chain::Step;

/// Whether a step changes each value by itself, so that it can be part of the pass.
pub(super) const fn is_part(step: &Step) -> bool {
    matches!(step, Step::Relu | Step::Add(_) | Step::Sub(_) | Step::Mul(_) | Step::Log | Step::Clip { .. })
}

/// Applies the steps to one row; those that are no part of a preparation change nothing.
pub(super) fn apply(steps: &[Step], row: &mut [f32]) {
    for step in steps {
        match step {
            Step::Relu => row.iter_mut().for_each(|value| *value = value.max(0.0)),
            Step::Add(constants) => each(row, constants, |value, constant| value + constant),
            Step::Sub(constants) => each(row, constants, |value, constant| value - constant),
            Step::Mul(constants) => each(row, constants, |value, constant| value * constant),
            Step::Log => row.iter_mut().for_each(|value| *value = ln(*value)),
            Step::Clip { min, max } => row.iter_mut().for_each(|value| *value = value.max(*min).min(*max)),
            _ => {}
        }
    }
}

/// With one constant for all columns, or one for each.
fn each(row: &mut [f32], constants: &[f32], change: impl Fn(f32, f32) -> f32) {
    if let [constant] = constants {
        row.iter_mut().for_each(|value| *value = change(*value, *constant));
    } else {
        row.iter_mut().zip(constants).for_each(|(value, constant)| *value = change(*value, *constant));
    }
}

/// The natural logarithm of a positive value, within two units of the last place; below the least normal number that of it.
///
/// Without branches, so that several values are worked on at once. The polynomial for `ln(1 + f) - f + f^2 / 2` on
/// `sqrt(1/2) - 1 <= f <= sqrt(2) - 1` is that of Cephes (S. Moshier, `logf`), as are the two parts of `ln 2`.
fn ln(value: f32) -> f32 {
    const MANTISSA: u32 = 0x007f_ffff;
    const ONE: u32 = 0x3f80_0000;
    const POLYNOMIAL: [f32; 9] = [
        7.037_683_6e-2,
        -1.151_461e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_7e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ];
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let bits = value.max(f32::MIN_POSITIVE).to_bits();
    let mantissa = f32::from_bits(bits & MANTISSA | ONE);
    let is_high = mantissa > std::f32::consts::SQRT_2;
    let f = if is_high { 0.5 * mantissa } else { mantissa } - 1.0;
    // The exponent is a small number.
    let exponent = f32::from((bits >> 23) as u16) - 127.0 + f32::from(u8::from(is_high));
    let square = f * f;
    let sum = POLYNOMIAL.iter().fold(0.0, |sum, coefficient| sum * f + coefficient);
    let rest = sum * f * square + exponent * LN_2_LOW - 0.5 * square;
    exponent * LN_2_HIGH + (f + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_that_of_the_library() {
        let mut worst = 0.0f64;
        // Every 97th of all positive normal numbers, and those around one.
        let spread = (f32::MIN_POSITIVE.to_bits()..f32::MAX.to_bits()).step_by(97_001);
        let near = (0.5f32.to_bits()..2.0f32.to_bits()).step_by(977);
        for bits in spread.chain(near) {
            let value = f32::from_bits(bits);
            let exact = f64::from(value).ln();
            let error = (f64::from(ln(value)) - exact).abs();
            let step = f64::from(f32::EPSILON) * exact.abs().max(f64::from(f32::EPSILON));
            worst = worst.max(error / step);
        }
        assert!(worst < 2.0, "{worst} units");
        assert_eq!(ln(1.0).to_bits(), 0.0f32.to_bits());
        assert!(ln(0.0).is_finite());
    }

    #[test]
    fn a_row_is_prepared_step_by_step() {
        let steps = [
            Step::Relu,
            Step::Add(vec![1.0]),
            Step::Log,
            Step::Sub(vec![0.5, 1.0]),
            Step::Mul(vec![2.0]),
            Step::Clip { min: -1.0, max: 1.0 },
        ];
        let mut row = [-3.0, std::f32::consts::E - 1.0];
        apply(&steps, &mut row);
        assert!((row[0] + 1.0).abs() < 1e-6 && row[1].abs() < 1e-6, "{row:?}");
    }
}
