//! The shipped model: it loads, computes here what was measured in training, and its self-test can fail.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "a test may panic, wait, read the clock, say why it was skipped, and cast figures stored for it"
)]

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use picket::detect::scorer::Verdict;
use picket::features::FeatureVector;
use picket::features::schema::HOST;
use picket::model::OnnxScorer;
use picket::model::golden::{Golden, GoldenFault, self_test};
use sha2::Digest as _;

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
    assert_eq!(info.schema, &HOST);
    assert_eq!(info.name, "default");
    assert!(info.file_size < 64 * 1024, "{}", info.file_size);
    assert!(info.reported.iter().all(|reported| reported.threshold >= 0.7), "{info}");
}

#[test]
fn a_silent_host_is_benign() {
    let (mut scorer, _) = load();
    let mut verdicts = [Verdict::ABSTAINED];
    scorer.score(&[FeatureVector::ZERO], &mut verdicts);
    assert_eq!(verdicts[0], Verdict::NOTHING);
}

/// The generator of that name (Steele, Lea and Flood, 2014), as in `models/train/golden_rows.py`.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A count as it occurs: half are zero, a quarter below 16, an eighth below 1,000, an eighth below up to 2^19.
    fn count(&mut self) -> f32 {
        let drawn = self.next();
        let value = drawn >> 8;
        let count = match drawn & 7 {
            0..4 => 0,
            4..6 => value % 16,
            6 => value % 1000,
            _ => value % (1 << ((value >> 40) % 20)),
        };
        count as f32
    }
}

/// The file that `models/train/golden_rows.py` wrote: columns, classes, and the probabilities of each row.
fn golden_rows(model: &[u8]) -> (usize, usize, Vec<Vec<f32>>) {
    const MAGIC: &[u8] = b"picket golden rows 1\n";
    let packed = fs::read(models().join("golden/default-rows.gz")).unwrap();
    let mut octets = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut octets).unwrap();
    let rest = octets.strip_prefix(MAGIC).expect("golden rows");
    let (hash, rest) = rest.split_at(32);
    assert_eq!(
        hash,
        sha2::Sha256::digest(model).as_slice(),
        "made for another model: run golden_rows.py again"
    );
    let (head, rest) = rest.split_at(12);
    let number =
        |at: usize| usize::try_from(u32::from_le_bytes(head[at..at + 4].try_into().unwrap())).unwrap();
    let (rows, columns, classes) = (number(0), number(4), number(8));
    assert_eq!(rest.len(), rows * classes * 3);
    let real = |octets: &[u8]| {
        let fixed = u32::from_le_bytes([octets[0], octets[1], octets[2], 0]);
        (f64::from(fixed) / f64::from((1 << 24) - 1)) as f32
    };
    let rows = rest.chunks_exact(classes * 3).map(|row| row.chunks_exact(3).map(real).collect()).collect();
    (columns, classes, rows)
}

#[test]
fn ten_thousand_rows_have_the_probabilities_of_onnxruntime() {
    let file = fs::read(models().join("default.onnx")).unwrap();
    let (columns, classes, wanted) = golden_rows(&file);
    let mut scorer = OnnxScorer::from_bytes(&file).unwrap();
    assert_eq!((columns, classes, wanted.len()), (scorer.info().schema.width(), scorer.columns(), 10_000));
    let mut counts = SplitMix64(0x5049_434b_4554);
    let (mut greatest, mut seen) = (0f32, vec![0u32; classes]);
    for (index, wanted) in wanted.iter().enumerate() {
        let mut row = FeatureVector::ZERO;
        row.values[..columns].fill_with(|| counts.count());
        let found = scorer.explain(&row).unwrap();
        for (found, wanted) in found.iter().zip(wanted) {
            let difference = (found - wanted).abs();
            assert!(difference <= 1e-5, "row {index}: {found} instead of {wanted}");
            greatest = greatest.max(difference);
        }
        let best = (0..classes).max_by(|a, b| wanted[*a].total_cmp(&wanted[*b])).unwrap();
        seen[best] += 1;
    }
    println!("10,000 rows, greatest difference {greatest:.1e}; most probable: {seen:?}");
    assert!(seen.iter().filter(|count| **count > 0).count() > 1, "the rows say nothing: {seen:?}");
}
