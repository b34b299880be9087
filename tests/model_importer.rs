//! A second opinion: tract-onnx, of which the program itself uses only the runtime, reads and computes the same.
#![cfg(feature = "full")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use picket::features::FeatureVector;
use picket::model::golden::Golden;
use picket::model::{OnnxScorer, proto};
use prost::Message as _;
use tract_onnx::pb;
use tract_onnx::prelude::{Framework as _, InferenceModelExt, IntoRunnable, Tensor, tvec};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The shipped model and one of every kind.
fn files() -> Vec<PathBuf> {
    let kinds = fs::read_dir(root().join("tests/model_kinds")).unwrap();
    let kinds = kinds.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = kinds.filter(|path| path.extension().is_some_and(|end| end == "onnx")).collect();
    assert!(files.len() >= 9, "{files:?}");
    files.push(root().join("models/default.onnx"));
    files
}

/// Without what is written for people and never read.
fn bare(mut model: pb::ModelProto) -> pb::ModelProto {
    model.producer_name.clear();
    model.producer_version.clear();
    model.domain.clear();
    model.model_version = 0;
    model.doc_string.clear();
    let graph = model.graph.as_mut().unwrap();
    graph.name.clear();
    graph.doc_string.clear();
    graph.node.iter_mut().for_each(|node| node.doc_string.clear());
    graph.input.iter_mut().chain(&mut graph.output).for_each(|value| value.doc_string.clear());
    model
}

#[test]
fn a_file_is_read_as_tract_reads_it() {
    for path in files() {
        let octets = fs::read(&path).unwrap();
        let theirs = bare(pb::ModelProto::decode(octets.as_slice()).unwrap());
        let ours = proto::ModelProto::decode(octets.as_slice()).unwrap();
        let again = pb::ModelProto::decode(ours.encode_to_vec().as_slice()).unwrap();
        assert_eq!(again, theirs, "{}", path.display());
        assert!(!again.graph.unwrap().node.is_empty(), "{}", path.display());
    }
}

#[test]
fn the_importer_computes_the_same_probabilities() {
    let path = root().join("models/default.onnx");
    let golden = Golden::load(&root().join("models/golden/default.json")).unwrap();
    let mut scorer = OnnxScorer::load(&path).unwrap();
    let plan = tract_onnx::onnx()
        .model_for_path(&path)
        .and_then(InferenceModelExt::into_optimized)
        .and_then(IntoRunnable::into_runnable)
        .unwrap();
    let mut greatest = 0.0f32;
    for row in &golden.rows {
        let input = Tensor::from_shape(&[1, row.x.len()], &row.x).unwrap();
        let output = plan.run(tvec!(input.into())).unwrap();
        let theirs = output[0].try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec();
        let mut vector = FeatureVector::ZERO;
        vector.values[..row.x.len()].copy_from_slice(&row.x);
        let ours = scorer.explain(&vector).unwrap();
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            greatest = greatest.max((ours - theirs).abs());
        }
    }
    assert!(greatest <= golden.tolerance, "{greatest}");
}
