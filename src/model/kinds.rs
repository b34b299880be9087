//! A small model of every kind, with what onnxruntime says of some rows: `tests/model_kinds/make.py` made both.

use std::fs;
use std::path::{Path, PathBuf};

use super::proto::ModelProto;
use prost::Message as _;
use serde::Deserialize;
use tract_core::prelude::{Tensor, tvec};

use super::chain::Chain;
use super::metadata::Kind;
use super::{build, validate, wire};

const COLUMNS: usize = 7;
const CLASSIFIERS: [&str; 6] =
    ["logistic", "perceptron", "perceptron_int8", "naive_bayes", "forest", "boosting"];
const DETECTORS: [&str; 3] = ["autoencoder", "autoencoder_int8", "isolation"];

#[derive(Deserialize)]
struct Golden {
    rows: Vec<Vec<f32>>,
    outputs: std::collections::BTreeMap<String, Vec<Vec<f32>>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model_kinds")
}

fn golden() -> Golden {
    serde_json::from_slice(&fs::read(folder().join("golden.json")).unwrap()).unwrap()
}

fn chain(name: &str) -> Chain {
    let octets = fs::read(folder().join(format!("{name}.onnx"))).unwrap();
    wire::check(&octets).unwrap();
    let model = ModelProto::decode(octets.as_slice()).unwrap();
    let (kind, columns) = if DETECTORS.contains(&name) { (Kind::Anomaly, 1) } else { (Kind::Classifier, 4) };
    validate::chain(&model, COLUMNS, kind, columns).unwrap_or_else(|refusal| panic!("{name}: {refusal}"))
}

/// The outputs of `rows`, scored together.
fn run(chain: &Chain, plan: &build::Plan, rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let values: Vec<f32> = rows.iter().flatten().copied().collect();
    let input = Tensor::from_shape(&[rows.len(), COLUMNS], &values).unwrap();
    let outputs = plan.spawn().unwrap().run(tvec!(input.into())).unwrap();
    let mut outputs = outputs[0].try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec();
    outputs.chunks_exact_mut(chain.columns).for_each(|row| chain.finish.apply(row));
    outputs.chunks_exact(chain.columns).map(<[f32]>::to_vec).collect()
}

#[test]
fn every_kind_computes_what_onnxruntime_does() {
    let golden = golden();
    assert_eq!(golden.outputs.len(), CLASSIFIERS.len() + DETECTORS.len());
    for name in CLASSIFIERS.iter().chain(&DETECTORS) {
        let chain = chain(name);
        let found = run(&chain, &build::plan(&chain).unwrap(), &golden.rows);
        let wanted = &golden.outputs[*name];
        assert_eq!(found.len(), wanted.len());
        for (row, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            assert_eq!(found.len(), wanted.len(), "{name}");
            for (found, wanted) in found.iter().zip(wanted) {
                // Probabilities to 1e-5; scores, which may be large, to as much of themselves.
                let tolerance = 1e-5 * wanted.abs().max(1.0);
                assert!(
                    (found - wanted).abs() <= tolerance,
                    "{name}, row {row}: {found} instead of {wanted}"
                );
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_in_every_batch() {
    let golden = golden();
    let bits = |rows: Vec<Vec<f32>>| -> Vec<Vec<u32>> {
        rows.into_iter().map(|row| row.into_iter().map(f32::to_bits).collect()).collect()
    };
    for name in CLASSIFIERS.iter().chain(&DETECTORS) {
        let chain = chain(name);
        let plan = build::plan(&chain).unwrap();
        let together = bits(run(&chain, &plan, &golden.rows));
        for size in [1, 2, 3, 5, 16, 31] {
            let apart: Vec<Vec<u32>> =
                golden.rows.chunks(size).flat_map(|rows| bits(run(&chain, &plan, rows))).collect();
            assert_eq!(apart, together, "{name} in batches of {size}");
        }
    }
}

#[test]
fn the_golden_outputs_tell_the_rows_apart() {
    // Otherwise the two tests above would compare constants.
    for (name, outputs) in golden().outputs {
        let distinct: std::collections::BTreeSet<Vec<u32>> =
            outputs.iter().map(|row| row.iter().map(|value| value.to_bits()).collect()).collect();
        assert!(distinct.len() > 10, "{name}: {} of {} rows differ", distinct.len(), outputs.len());
    }
}
