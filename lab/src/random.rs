//! Seeded randomness: the same seed gives the same laboratory, on every machine.

/// A small generator (wyrand, by the `fastrand` crate) with the draws that the laboratory needs.
#[derive(Clone, Debug)]
pub struct Random(fastrand::Rng);

impl Random {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A seed for another generator.
    pub fn seed(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// A whole number from `low` to `high`, both included.
    pub fn between(&mut self, (low, high): (u32, u32)) -> u32 {
        self.0.u32(low..=high)
    }

    /// A number from `low` to `high`.
    pub fn between_f64(&mut self, (low, high): (f64, f64)) -> f64 {
        low + (high - low) * self.0.f64()
    }

    /// A number from `low` to `high`, each order of magnitude as likely as the next, times `factor`.
    pub fn between_log(&mut self, (low, high): (u32, u32), factor: f64) -> u32 {
        let (from, to) = (f64::from(low.max(1)).ln(), f64::from(high.max(1)).ln());
        let value = (from + (to - from) * self.0.f64()).exp() * factor;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates at both ends, which is what a scaled range should do"
        )]
        let whole = value.round() as u32;
        whole
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }

    /// One of several.
    ///
    /// # Panics
    /// If there is none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.0.usize(..from.len())]
    }

    /// An exponentially distributed number with this mean, at most eight times as large.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        (-(1.0 - self.0.f64()).ln()).min(8.0) * mean
    }

    /// Changes the order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        self.0.shuffle(items);
    }

    /// Printable text.
    pub fn text(&mut self, length: usize) -> String {
        (0..length).map(|_| self.0.alphanumeric()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_fixed() {
        let mut random = Random::new(42);
        let first: Vec<u32> = (0..4).map(|_| random.between((0, 999))).collect();
        let mut again = Random::new(42);
        assert_eq!(first, (0..4).map(|_| again.between((0, 999))).collect::<Vec<_>>());
        assert!((0..1000).all(|_| (10..=20).contains(&random.between_log((10, 20), 1.0))));
    }

    #[test]
    fn an_exponential_has_its_mean() {
        let mut random = Random::new(1);
        let mean = (0..20_000).map(|_| random.exponential(3.0)).sum::<f64>() / 20_000.0;
        assert!((2.9..3.1).contains(&mean), "{mean}");
    }
}
