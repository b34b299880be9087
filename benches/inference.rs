//! Cost of models for each batch size: the shipped one, and others as large as the training makes them.
//! `cargo bench --bench inference`.
#![allow(clippy::unwrap_used, reason = "the models are made here, by code that tests share")]

use std::hint::black_box;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use picket::detect::scorer::Verdict;
use picket::features::FeatureVector;
use picket::model::OnnxScorer;
use picket::model::golden::Golden;
use prost::Message as _;

#[path = "../tests/model_support/mod.rs"]
#[allow(dead_code, reason = "shared with tests, which use other parts")]
mod model_support;

use model_support::sized;

fn inference(criterion: &mut Criterion) {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let file = std::fs::read(models.join("default.onnx")).expect("models/default.onnx is in the repository");
    let golden =
        Golden::load(&models.join("golden/default.json")).expect("its golden vectors are in the repository");
    // Real rows of every class, so that no branch or saturation is favoured.
    let rows: Vec<FeatureVector> = golden
        .rows
        .iter()
        .cycle()
        .take(256)
        .map(|row| {
            let mut vector = FeatureVector::ZERO;
            vector.values.iter_mut().zip(&row.x).for_each(|(value, x)| *value = *x);
            vector
        })
        .collect();

    let kinds = [
        ("inference", file.clone()),
        ("autoencoder", sized::autoencoder().encode_to_vec()),
        ("forest", sized::forest().encode_to_vec()),
        ("boosting", sized::boosting().encode_to_vec()),
        ("isolation", sized::isolation().encode_to_vec()),
    ];
    for (kind, model) in &kinds {
        let mut group = criterion.benchmark_group(*kind);
        for batch in [1, 16, 256] {
            let mut scorer = OnnxScorer::from_bytes(model).expect("the model is valid");
            let mut verdicts = vec![Verdict::default(); batch];
            let batch_u64 = u64::try_from(batch).expect("a batch size fits");
            group.throughput(Throughput::Elements(batch_u64));
            group.bench_with_input(BenchmarkId::from_parameter(batch), &rows[..batch], |bencher, rows| {
                bencher.iter(|| scorer.score(black_box(rows), black_box(&mut verdicts)));
            });
        }
        group.finish();
    }
    criterion
        .bench_function("load", |bencher| bencher.iter(|| OnnxScorer::from_bytes(black_box(&file)).is_ok()));
}

criterion_group!(benches, inference);
criterion_main!(benches);
