//! The shipped model: it loads, computes here what was measured in training, and its self-test can fail.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may panic, wait, read the clock and say why it was skipped"
)]

use std::path::{Path, PathBuf};

use picket::detect::scorer::Verdict;
use picket::features::FeatureVector;
use picket::features::schema::HOST_V1;
use picket::model::OnnxScorer;
use picket::model::golden::{Golden, GoldenFault, self_test};

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models")
}

fn load() -> (OnnxScorer, Golden) {
    let scorer = OnnxScorer::load(&models().join("default.onnx"))
        .unwrap_or_else(|error| panic!("{error}: {}", error.hint()));
    let golden = Golden::load(&models().join("golden/default.json")).unwrap();
    (scorer, golden)
}

#[test]
fn golden_vectors_are_confirmed() {
    let (mut scorer, golden) = load();
    let confirmed = self_test(&mut scorer, &golden).unwrap();
    assert!(confirmed.rows >= 20, "{confirmed}");
}

#[test]
fn a_wrong_golden_vector_is_noticed() {
    let (mut scorer, golden) = load();
    let mut wrong = golden.clone();
    wrong.rows[3].probs.reverse();
    assert!(matches!(self_test(&mut scorer, &wrong), Err(GoldenFault::Differs { row: 3, .. })));
    let mut short = golden.clone();
    short.rows[1].x.pop();
    assert!(matches!(self_test(&mut scorer, &short), Err(GoldenFault::Shape(1))));
    let other = Golden { model: "other@1".into(), ..golden };
    assert!(matches!(self_test(&mut scorer, &other), Err(GoldenFault::Model { .. })));
}

#[test]
fn it_is_for_the_host_schema_and_small() {
    let (scorer, _) = load();
    let info = scorer.info();
    assert_eq!(info.schema, &HOST_V1);
    assert_eq!(info.name, "default");
    assert!(info.file_size < 16 * 1024, "{}", info.file_size);
    assert!(info.reported.iter().all(|reported| reported.threshold >= 0.7), "{info}");
}

#[test]
fn a_silent_host_is_benign() {
    let (mut scorer, _) = load();
    let mut verdicts = [Verdict::ABSTAINED];
    scorer.score(&[FeatureVector::ZERO], &mut verdicts);
    assert_eq!(verdicts[0], Verdict::NOTHING);
}
