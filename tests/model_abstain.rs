//! What a model does not know, it does not judge: absurd rows, over every kind of model.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[allow(dead_code, reason = "shared with other tests, which use other parts")]
mod model_support;

use model_support::kinds::every_kind;
use model_support::{novelty, set_metadata};
use picket::detect::scorer::Verdict;
use picket::features::FeatureVector;
use picket::features::schema::HOST;
use picket::model::OnnxScorer;
use picket::model::onnx::ScoreCounts;
use proptest::prelude::*;
use prost::Message as _;
use tract_onnx::pb::ModelProto;

/// A model that names a class for every row it judges.
fn accuser(model: &ModelProto, novelty: &str) -> OnnxScorer {
    let mut model = model.clone();
    let is_classifier = !model.metadata_props.iter().any(|entry| entry.key == "picket.kind");
    let thresholds = if is_classifier { "tcp_scan=0,mqtt_publish_flood=0" } else { "anomaly=0.000000001" };
    set_metadata(&mut model, "picket.thresholds", thresholds);
    set_metadata(&mut model, "picket.novelty", novelty);
    OnnxScorer::from_bytes(&model.encode_to_vec()).unwrap()
}

/// Numbers that no counter gives.
fn absurd() -> impl Strategy<Value = f32> {
    prop_oneof![
        Just(f32::NAN),
        Just(-f32::NAN),
        Just(f32::INFINITY),
        Just(f32::NEG_INFINITY),
        Just(1e30f32),
        Just(f32::MAX),
        Just(f32::MIN),
        Just(-1.0f32),
        Just(-1e-40f32),
        Just(1e-40f32),
        any::<u32>()
            .prop_map(f32::from_bits)
            .prop_filter("absurd", |value| { !(0.0..=1e15).contains(value) || value.is_subnormal() }),
    ]
}

fn row() -> impl Strategy<Value = FeatureVector> {
    prop::collection::vec((0u32..2000).prop_map(|count| count as f32), HOST.width()).prop_map(|values| {
        let mut row = FeatureVector::ZERO;
        row.values[..HOST.width()].copy_from_slice(&values);
        row
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_kind_of_model_judges_an_absurd_row(
        rows in prop::collection::vec((row(), any::<prop::sample::Index>(), absurd()), 1..40),
    ) {
        let sound: Vec<FeatureVector> = rows.iter().map(|(row, ..)| *row).collect();
        // Each sound row is followed by the same with one absurd value.
        let mixed: Vec<FeatureVector> = rows
            .iter()
            .flat_map(|(row, place, value)| {
                let mut absurd = *row;
                absurd.values[place.index(HOST.width())] = *value;
                [*row, absurd]
            })
            .collect();
        for (name, model) in every_kind() {
            let mut scorer = accuser(&model, &novelty(1e6, HOST.width() - 1));
            let mut alone = vec![Verdict::NOTHING; sound.len()];
            scorer.score(&sound, &mut alone);
            let mut verdicts = vec![Verdict::NOTHING; mixed.len()];
            scorer.score(&mixed, &mut verdicts);
            for (alone, pair) in alone.iter().zip(verdicts.chunks_exact(2)) {
                prop_assert!(alone.class.is_some() && !alone.abstains, "{}: {:?}", name, alone);
                // The absurd neighbours change nothing, to the bit.
                prop_assert_eq!(alone.confidence.to_bits(), pair[0].confidence.to_bits(), "{}", name);
                prop_assert_eq!(*alone, pair[0], "{}", name);
                prop_assert_eq!(pair[1], Verdict::ABSTAINED, "{}", name);
            }
            let count = sound.len() as u64;
            prop_assert_eq!(scorer.counts(), ScoreCounts { rows: 3 * count, unsound: count, novel: 0, failed: 0 });
        }
    }

    #[test]
    fn no_kind_of_model_judges_what_is_unlike_its_training(row in row(), columns in prop::collection::hash_set(0..HOST.width(), 3)) {
        let mut strange = row;
        columns.iter().for_each(|column| strange.values[*column] = 20_001.0);
        let mut near = strange;
        near.values[*columns.iter().next().unwrap()] = 20_000.0;
        for (name, model) in every_kind() {
            let mut scorer = accuser(&model, &novelty(20_000.0, 2));
            let mut verdicts = [Verdict::NOTHING; 3];
            scorer.score(&[row, near, strange], &mut verdicts);
            prop_assert!(verdicts[0].class.is_some() && verdicts[1].class.is_some(), "{}: {:?}", name, verdicts);
            prop_assert_eq!(verdicts[2], Verdict::ABSTAINED, "{}", name);
            prop_assert_eq!(scorer.counts().novel, 1);
        }
    }

    #[test]
    fn confidence_is_between_zero_and_one(rows in prop::collection::vec(row(), 1..20)) {
        for (name, model) in every_kind() {
            let mut scorer = accuser(&model, &novelty(1e6, HOST.width() - 1));
            let mut verdicts = vec![Verdict::NOTHING; rows.len()];
            scorer.score(&rows, &mut verdicts);
            for verdict in verdicts {
                prop_assert!((0.0..=1.0).contains(&verdict.confidence), "{}: {:?}", name, verdict);
            }
        }
    }
}

#[test]
fn an_anomaly_is_half_sure_at_its_threshold_and_more_beyond() {
    let row = FeatureVector::ZERO;
    for (name, model) in every_kind() {
        if !["autoencoder", "isolation"].contains(&name) {
            continue;
        }
        let with = |key: &str, value: String, sure: Option<f32>| {
            let mut model = model.clone();
            set_metadata(&mut model, key, &value);
            if let Some(sure) = sure {
                set_metadata(&mut model, "picket.sure", &format!("anomaly={sure}"));
            }
            let mut scorer = OnnxScorer::from_bytes(&model.encode_to_vec()).unwrap();
            let mut verdicts = [Verdict::NOTHING];
            scorer.score(&[row], &mut verdicts);
            (verdicts[0], scorer.explain(&row).unwrap()[0])
        };
        let (_, score) = with("picket.thresholds", "anomaly=1".into(), None);
        let at = |threshold: f32, sure| with("picket.thresholds", format!("anomaly={threshold}"), sure).0;
        assert_eq!(at(score, None).confidence.to_bits(), 0.5f32.to_bits(), "{name}");
        assert_eq!(at(score / 4.0, None).confidence.to_bits(), 0.875f32.to_bits(), "{name}");
        assert_eq!(at(score.next_up(), None), Verdict::NOTHING, "{name}");
        assert!(!at(score, None).is_sure && !at(score, Some(score.next_up())).is_sure, "{name}");
        assert!(at(score, Some(score)).is_sure, "{name}");
    }
}
