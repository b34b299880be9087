//! How often in a day, and how often at the most.

use serde::Serialize;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// Certainty of the upper bound.
const CONFIDENCE: f64 = 0.95;

/// How often something happened in a time, as a rate for a day.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Rate {
    /// How often.
    pub count: u64,
    /// For each day of that time; none without time.
    pub per_day: Option<f64>,
    /// With 95 % certainty there are fewer for a day, if each happens independently of the others; none without time.
    pub upper_per_day: Option<f64>,
}

impl Rate {
    /// So often in so many seconds.
    #[must_use]
    pub fn new(count: u64, seconds: f64) -> Self {
        let days = (seconds > 0.0).then_some(seconds / DAY);
        Self {
            count,
            per_day: days.map(|days| count as f64 / days),
            upper_per_day: days.map(|days| upper_bound(count) / days),
        }
    }
}

/// The mean of the Poisson distribution that gives `count` or less with a probability of five in a hundred.
fn upper_bound(count: u64) -> f64 {
    let (mut low, mut high) = (count as f64, 2.0 * count as f64 + 10.0);
    // Each step halves the interval; the mean lies in it, since the median of the distribution is close to it.
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if at_most(count, middle) > 1.0 - CONFIDENCE { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The probability of `count` or less with that mean, which is above zero.
fn at_most(count: u64, mean: f64) -> f64 {
    let mut log = -mean;
    let mut sum = log.exp();
    for k in 1..=count {
        log += (mean / k as f64).ln();
        sum += log.exp();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_as_in_the_tables() {
        // Half of the 95 % quantile of the chi-squared distribution with 2 (n + 1) degrees of freedom.
        for (count, bound) in
            [(0, 2.995_732), (1, 4.743_865), (2, 6.295_794), (10, 16.962_219), (100, 118.078_5)]
        {
            assert!((upper_bound(count) - bound).abs() < 1e-3, "{count}: {}", upper_bound(count));
        }
    }

    #[test]
    fn none_in_a_day_is_less_than_three() {
        let rate = Rate::new(0, DAY);
        assert_eq!((rate.count, rate.per_day), (0, Some(0.0)));
        assert!((rate.upper_per_day.unwrap_or_default() - 2.9957).abs() < 1e-3);
        assert_eq!(Rate::new(3, DAY / 2.0).per_day, Some(6.0));
        assert_eq!(Rate::new(3, 0.0).upper_per_day, None);
    }
}
