//! The scorer against the definition of the operators, and its promises on batches and odd rows.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may panic, wait, read the clock and say why it was skipped"
)]

#[allow(dead_code, reason = "shared with model_hostile, which uses other parts")]
mod model_support;

use model_support::{
    CLASSES, HIDDEN, INVERSE_DEVIATION, MEAN, STAGES, WEIGHT_SCALE, changed, good, set_metadata, weights,
};
use picket::detect::class::Class;
use picket::detect::scorer::Verdict;
use picket::features::FeatureVector;
use picket::features::schema::HOST;
use picket::model::OnnxScorer;
use picket::model::onnx::ScoreCounts;
use proptest::prelude::*;
use prost::Message as _;

/// The operators as the ONNX standard defines them, in plain loops.
fn reference(row: &[f32]) -> Vec<f32> {
    let quantise = |real: f32, (scale, zero): (f32, i8)| {
        let code = (real / scale).round_ties_even() + f32::from(zero);
        code.clamp(-128.0, 127.0)
    };
    let mut codes: Vec<f32> = row
        .iter()
        .map(|x| (x.max(0.0).ln_1p() - MEAN) * INVERSE_DEVIATION)
        .map(|z| quantise(z.clamp(-6.0, 6.0), STAGES[0]))
        .collect();
    for layer in 0..2 {
        let (weights, biases) = weights(layer);
        let (from, to) = (STAGES[layer], STAGES[layer + 1]);
        codes = weights
            .chunks_exact(codes.len())
            .zip(biases)
            .map(|(weights, bias)| {
                // Exact: every product and sum is an integer far below 2^24.
                let sum: f32 = weights
                    .iter()
                    .zip(&codes)
                    .map(|(w, code)| f32::from(*w) * (code - f32::from(from.1)))
                    .sum();
                quantise((sum + f32::from(bias)) * from.0 * WEIGHT_SCALE, to)
            })
            .collect();
    }
    let logits: Vec<f32> = codes.iter().map(|code| (code - f32::from(STAGES[2].1)) * STAGES[2].0).collect();
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - greatest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

fn vector(values: &[f32]) -> FeatureVector {
    let mut vector = FeatureVector::ZERO;
    vector.values[..values.len()].copy_from_slice(values);
    vector
}

fn scorer() -> OnnxScorer {
    OnnxScorer::from_bytes(&changed(|_| {})).unwrap()
}

/// Counts as they occur: mostly small, sometimes huge, sometimes beyond sense.
fn row() -> impl Strategy<Value = Vec<f32>> {
    let value = prop_oneof![
        4 => (0u16..50).prop_map(f32::from),
        2 => (0f32..1e6).prop_map(f32::round),
        1 => Just(f32::MAX),
        1 => Just(-1.0f32),
    ];
    prop::collection::vec(value, HOST.width())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tract_computes_what_onnx_defines(row in row()) {
        let found = scorer().explain(&vector(&row)).unwrap();
        let wanted = reference(&row);
        prop_assert_eq!(found.len(), wanted.len());
        // One step of the last quantisation, where a sum falls between two codes, moves a logit by 0.1 and
        // a probability by at most a quarter of that; a step in the hidden layer moves a logit less.
        for (found, wanted) in found.iter().zip(&wanted) {
            prop_assert!((found - wanted).abs() < 0.03, "{} instead of {}", found, wanted);
        }
    }

    #[test]
    fn a_verdict_does_not_depend_on_the_rest_of_its_batch(rows in prop::collection::vec(row(), 1..150)) {
        let rows: Vec<FeatureVector> = rows.iter().map(|row| vector(row)).collect();
        let mut scorer = scorer();
        let mut together = vec![Verdict::default(); rows.len()];
        scorer.score(&rows, &mut together);
        for (row, expected) in rows.iter().zip(&together) {
            let mut alone = [Verdict::default()];
            scorer.score(core::slice::from_ref(row), &mut alone);
            prop_assert_eq!(alone[0].class, expected.class);
            prop_assert_eq!(alone[0].confidence.to_bits(), expected.confidence.to_bits());
        }
    }
}

#[test]
fn the_test_model_tells_all_its_classes() {
    // Otherwise the two properties above would compare constants.
    let mut seen = [false; CLASSES.len()];
    let mut state = 1u32;
    // From rows that are nearly empty to full ones.
    for filled in (0..=4).cycle().take(5000) {
        let row: Vec<f32> = (0..HOST.width())
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if state >> 30 < filled { f32::from(u16::try_from(state >> 20).unwrap()) } else { 0.0 }
            })
            .collect();
        let probabilities = reference(&row);
        let best = (0..CLASSES.len()).max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b])).unwrap();
        seen[best] = true;
    }
    assert_eq!(seen, [true; CLASSES.len()]);
    assert!(HIDDEN > CLASSES.len());
}

#[test]
fn rows_that_no_counter_gives_are_counted_and_left_alone() {
    let mut scorer = scorer();
    let ordinary = vector(&vec![1.0; HOST.width()]);
    let mut rows = [ordinary; 5];
    rows[1].values[0] = f32::NAN;
    rows[3].values[HOST.width() - 1] = -1.0;
    let stale = Verdict { class: Some(Class::ArpSpoof), confidence: 1.0, ..Verdict::NOTHING };
    let mut verdicts = [stale; 5];
    scorer.score(&rows, &mut verdicts);
    assert_eq!([verdicts[1], verdicts[3]], [Verdict::ABSTAINED; 2]);
    let mut alone = [Verdict::default()];
    scorer.score(&[ordinary], &mut alone);
    assert_eq!([verdicts[0], verdicts[2], verdicts[4]], [alone[0]; 3]);
    assert_eq!(scorer.counts(), ScoreCounts { rows: 6, unsound: 2, novel: 0, failed: 0 });
    assert_eq!(scorer.explain(&rows[1]), None);
}

#[test]
fn values_beyond_the_width_are_no_input() {
    let mut scorer = scorer();
    let clean = vector(&vec![3.0; HOST.width()]);
    let mut dirty = clean;
    dirty.values[HOST.width()..].fill(f32::NAN);
    assert_eq!(scorer.explain(&dirty), scorer.explain(&clean));
}

#[test]
fn a_class_is_reported_from_its_threshold_on() {
    let row = vector(&vec![2.0; HOST.width()]);
    let probabilities = scorer().explain(&row).unwrap();
    let (column, probability) =
        (1..CLASSES.len()).map(|c| (c, probabilities[c])).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    let with_threshold = |threshold: f32| {
        let mut model = good();
        let text: Vec<String> = CLASSES[1..].iter().map(|class| format!("{class}={threshold}")).collect();
        set_metadata(&mut model, "picket.thresholds", &text.join(","));
        let mut verdicts = [Verdict::default()];
        OnnxScorer::from_bytes(&prost::Message::encode_to_vec(&model)).unwrap().score(&[row], &mut verdicts);
        verdicts[0]
    };
    let class = Class::from_name(CLASSES[column]);
    let reported = Verdict { class, confidence: probability, ..Verdict::NOTHING };
    assert_eq!(with_threshold(probability), reported);
    assert_eq!(with_threshold(probability.next_up()), Verdict::default());
}

#[test]
fn novel_rows_are_counted_and_not_judged() {
    let bytes = changed(|model| {
        let bounds = vec!["10"; HOST.width()].join(",");
        set_metadata(model, "picket.novelty", &format!("factor=2 columns=1 bounds={bounds}"));
        // From 0 on, so that every row that is judged gets a class.
        set_metadata(model, "picket.thresholds", "tcp_scan=0,mqtt_publish_flood=0");
    });
    let mut scorer = OnnxScorer::from_bytes(&bytes).unwrap();
    let mut rows = [vector(&vec![20.0; HOST.width()]); 3];
    rows[1].values[..1].fill(21.0);
    rows[2].values[..2].fill(21.0);
    let mut verdicts = [Verdict::default(); 3];
    scorer.score(&rows, &mut verdicts);
    assert!(verdicts[0].class.is_some() && verdicts[1].class.is_some());
    assert_eq!(verdicts[2], Verdict::ABSTAINED);
    assert_eq!(scorer.counts().novel, 1);
}

#[test]
fn no_row_is_no_work() {
    let mut scorer = scorer();
    scorer.score(&[], &mut []);
    assert_eq!(scorer.counts(), ScoreCounts::default());
}

#[test]
fn the_description_names_model_schema_and_classes() {
    let scorer = scorer();
    let info = scorer.info();
    assert_eq!(info.detector(), "model:test@1.0");
    assert_eq!(info.schema, &HOST);
    assert_eq!(info.size.int8_weights, HOST.width() * HIDDEN + HIDDEN * CLASSES.len());
    let other =
        OnnxScorer::from_bytes(&changed(|model| set_metadata(model, "picket.training", "other"))).unwrap();
    assert_ne!(info.fingerprint, other.info().fingerprint);
    let text = info.to_string();
    for part in ["test", "1.0", &HOST.hash().to_string(), "tcp_scan from 0.5"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

#[test]
fn models_as_large_as_the_training_makes_them_are_accepted_and_score() {
    use model_support::sized;
    for (name, model) in [
        ("autoencoder", sized::autoencoder()),
        ("forest", sized::forest()),
        ("boosting", sized::boosting()),
        ("isolation", sized::isolation()),
    ] {
        let mut scorer =
            OnnxScorer::from_bytes(&model.encode_to_vec()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let outputs = scorer.explain(&vector(&[1.0, 2.0, 30.0])).unwrap();
        assert!(outputs.iter().all(|output| output.is_finite()), "{name}: {outputs:?}");
        let sum: f32 = outputs.iter().sum();
        assert!(outputs.len() == 1 || (sum - 1.0).abs() < 1e-3, "{name}: {outputs:?}");
    }
}
