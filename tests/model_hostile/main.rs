//! Hostile model files: each is refused with its own reason, at once, without a panic.
//!
//! Every file is the valid one of `model_support` with one thing changed, so that nothing else can be the
//! reason.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may panic, wait, read the clock and say why it was skipped"
)]

mod beyond;
mod case;
mod inside;
#[allow(dead_code, reason = "shared with model_scorer.rs, which uses other parts")]
#[path = "../model_support/mod.rs"]
mod model_support;
mod outside;
mod selftest;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use case::Case;
use model_support::good;
use model_support::kinds::every_kind;
use picket::detect::scorer::Verdict;
use picket::features::FeatureVector;
use picket::model::{Fault, OnnxScorer};
use prost::Message as _;

/// Longest that any file may keep the loader busy.
const LIMIT: Duration = Duration::from_mins(1);

/// All files that were made by hand.
fn hand_made() -> Vec<Case> {
    let groups = [
        outside::encoding_cases(),
        outside::metadata_cases(),
        inside::graph_cases(),
        inside::tensor_cases(),
        inside::wiring_cases(),
        inside::node_cases(),
        inside::attribute_cases(),
        beyond::tree_cases(),
        beyond::pattern_cases(),
    ];
    groups.into_iter().flatten().collect()
}

#[test]
fn every_hostile_file_is_refused_with_its_own_reason() {
    let cases = hand_made();
    assert!(cases.len() >= 170, "{}", cases.len());
    for (name, model) in every_kind() {
        let outcome = OnnxScorer::from_bytes(&model.encode_to_vec());
        assert!(outcome.is_ok(), "{name}, from which cases start: {:?}", outcome.err());
    }
    let mut wrong = Vec::new();
    for Case { what, bytes, reason } in &cases {
        let start = Instant::now();
        let outcome = OnnxScorer::from_bytes(bytes);
        let taken = start.elapsed();
        match outcome {
            Ok(_) => wrong.push(format!("{what}: accepted")),
            Err(fault) => {
                if matches!(fault, Fault::Build(_) | Fault::Panicked) {
                    wrong.push(format!("{what}: reached tract"));
                }
                let text = fault.to_string();
                if !text.contains(reason) {
                    wrong.push(format!("{what}: says {text:?}, which lacks {reason:?}"));
                }
                if text.chars().any(char::is_control) || text.len() > 400 {
                    wrong.push(format!("{what}: its message is not fit for a log"));
                }
                if fault.hint().is_empty() {
                    wrong.push(format!("{what}: no remedy"));
                }
            }
        }
        if taken > LIMIT {
            wrong.push(format!("{what}: took {taken:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_refused_by_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let error = |path: &std::path::Path| OnnxScorer::load(path).err().unwrap();

    let missing = error(&dir.path().join("missing.onnx"));
    assert_eq!(missing.exit_code(), 66);
    assert!(missing.to_string().contains("missing.onnx"), "{missing}");

    let folder = error(dir.path());
    assert!(folder.to_string().contains("not a regular file"), "{folder}");

    let large = dir.path().join("large.onnx");
    // Sparse: takes no room.
    fs::File::create(&large).unwrap().set_len(1 << 40).unwrap();
    assert!(error(&large).to_string().contains("has 1099511627776 octets"));

    let pipe = dir.path().join("pipe.onnx");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    assert!(error(&pipe).to_string().contains("not a regular file"));

    let fine = dir.path().join("fine.onnx");
    fs::write(&fine, good().encode_to_vec()).unwrap();
    assert_eq!(OnnxScorer::load(&fine).unwrap().info().name, "test");
}

/// Loads the octets; when they are accepted, scores with them. Must neither panic nor take long.
fn load_and_score(bytes: &[u8], what: &str) -> bool {
    let start = Instant::now();
    let accepted = catch_unwind(AssertUnwindSafe(|| {
        let mut scorer = match OnnxScorer::from_bytes(bytes) {
            Ok(scorer) => scorer,
            // What the validator passes, tract must be able to build.
            Err(fault @ (Fault::Build(_) | Fault::Panicked)) => panic!("{what}: {fault}"),
            Err(_) => return false,
        };
        let mut rows = [FeatureVector::ZERO; 3];
        rows[1].values.fill(f32::MAX);
        rows[2].values.fill(-1e9);
        let mut verdicts = [Verdict::default(); 3];
        scorer.score(&rows, &mut verdicts);
        assert_eq!(scorer.counts().failed, 0, "{what}: an accepted model could not score");
        assert!(
            verdicts.iter().all(|verdict| (0.0..=1.0).contains(&verdict.confidence)),
            "{what}: {verdicts:?}"
        );
        true
    }));
    assert!(start.elapsed() < LIMIT, "{what}: took {:?}", start.elapsed());
    accepted.unwrap_or_else(|_| panic!("{what}: panicked"))
}

/// Numbers below a bound, by xorshift64: repeatable, so that a failure can be found again by its round.
fn random() -> impl FnMut(usize) -> usize {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    }
}

/// A file with a few octets changed, left out or repeated.
fn mutated(whole: &[u8], next: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..=next(3) {
        let at = next(bytes.len());
        match next(5) {
            0 | 1 => bytes[at] ^= 1 << next(8),
            2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][next(5)],
            3 => {
                bytes.remove(at);
            }
            _ => {
                let from = next(bytes.len());
                let piece = bytes[from..bytes.len().min(from + 1 + next(16))].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

#[test]
fn mutated_octets_neither_panic_nor_hang() {
    let wholes = every_kind().map(|(_, model)| model.encode_to_vec());
    let mut next = random();
    let (mut accepted, mut refused) = (0u32, 0u32);
    for round in 0..4200 {
        let bytes = mutated(&wholes[round % wholes.len()], &mut next);
        if load_and_score(&bytes, &format!("round {round}")) {
            accepted += 1;
        } else {
            refused += 1;
        }
    }
    // Both ways must have been walked: changed weights are still a model, a changed structure is not.
    assert!(accepted > 100 && refused > 1000, "{accepted} accepted, {refused} refused");
}

#[test]
fn every_prefix_is_refused() {
    for (name, model) in every_kind() {
        let whole = model.encode_to_vec();
        // Every place near either end, and places in between.
        let len = whole.len();
        for end in (0..len).filter(|end| *end < 64 || end % 7 == 0 || len - end < 64) {
            assert!(!load_and_score(&whole[..end], &format!("the first {end} octets of {name}")));
        }
    }
}
