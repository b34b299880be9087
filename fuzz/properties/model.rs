//! Any octets are a model or are refused with a reason. A model that was taken gives verdicts in range for the
//! smallest and the largest row.

use picket::detect::scorer::Verdict;
use picket::features::FeatureVector;
use picket::model::OnnxScorer;

/// Holds for any octets.
pub fn holds(octets: &[u8]) {
    match OnnxScorer::from_bytes(octets) {
        Ok(mut model) => {
            let mut largest = FeatureVector::ZERO;
            largest.values.fill(f32::MAX);
            let rows = [FeatureVector::ZERO, largest];
            let mut verdicts = [Verdict::default(); 2];
            model.score(&rows, &mut verdicts);
            for verdict in verdicts {
                assert!((0.0..=1.0).contains(&verdict.confidence), "{verdict:?}");
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
