//! The trial itself: load, compare with the golden vectors, measure. Runs in the child.

use nix::sys::resource::{UsageWho, getrusage};
use nix::time::ClockId;

use super::Limits;
use crate::detect::scorer::Verdict;
use crate::features::FeatureVector;
use crate::model::golden::{self, Golden, GoldenFault};
use crate::model::{Fault, OnnxScorer, processor_us};
use crate::update::document::Manifest;
use crate::update::reason::{Reason, Refusal};

/// Rows scored to see how long one takes.
const TIMED_ROWS: usize = 640;
/// Of these, the first, which find everything cold.
const WARMING_ROWS: usize = 64;

/// Tries the model with these octets: what it computes, how fast, and with how much memory on top of what this process had
/// before. Times are those of the processor, so that a busy gateway refuses no good model.
///
/// # Errors
/// What is wrong with it.
pub fn try_model(manifest: &Manifest, model: &[u8], limits: Limits) -> Result<String, Refusal> {
    let max_row_us = manifest.self_test.max_row_us.min(limits.max_row_us);
    let max_memory_kib = manifest.self_test.max_memory_kib.min(limits.max_memory_kib);
    let memory_before = peak_kib();
    let begun = processor_us(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    let mut scorer = OnnxScorer::from_bytes(model).map_err(|fault| {
        let reason =
            if matches!(fault, Fault::Panicked) { Reason::SelfTestCrashed } else { Reason::ModelRefused };
        Refusal::new(reason, fault.to_string())
    })?;
    let load_us = processor_us(ClockId::CLOCK_PROCESS_CPUTIME_ID).saturating_sub(begun);
    let max_load_us = manifest.self_test.max_load_ms.saturating_mul(1000);
    if load_us > max_load_us {
        return Err(Refusal::new(Reason::TooSlow, format!("loading took {load_us} us of {max_load_us}")));
    }
    is_as_the_manifest_says(manifest, &scorer)?;
    let confirmed = golden::self_test(&mut scorer, &golden_of(manifest)).map_err(|fault| {
        let unscored = matches!(fault, GoldenFault::Unscored(_));
        let reason = if unscored { Reason::ScoringFailed } else { Reason::GoldenVectors };
        Refusal::new(reason, fault.to_string())
    })?;
    let row_us = row_time(&mut scorer, manifest);
    if row_us > max_row_us {
        return Err(Refusal::new(
            Reason::TooSlow,
            format!("a row takes {row_us} us, {max_row_us} are allowed"),
        ));
    }
    let memory_kib = peak_kib().saturating_sub(memory_before);
    if memory_kib > max_memory_kib {
        let detail = format!("it took {memory_kib} KiB, {max_memory_kib} are allowed");
        return Err(Refusal::new(Reason::TooMuchMemory, detail));
    }
    Ok(format!("{confirmed}; {load_us} us to load, {row_us} us for a row, {memory_kib} KiB"))
}

/// Name, columns and classes: what was checked against this device was the manifest's word.
fn is_as_the_manifest_says(manifest: &Manifest, scorer: &OnnxScorer) -> Result<(), Refusal> {
    let info = scorer.info();
    let schema = format!("{}/{}", info.schema.name, info.schema.version);
    let hostile = manifest.compat.classes.get(1..).unwrap_or_default();
    let of_model = info.reported.iter().map(|reported| reported.class.name());
    let what = if (&info.name, &info.version) != (&manifest.name, &manifest.version) {
        "name and version"
    } else if schema != manifest.compat.schema
        || info.schema.hash().to_string() != manifest.compat.schema_hash
    {
        "schema"
    } else if !of_model.eq(hostile.iter().map(String::as_str)) {
        "classes"
    } else {
        return Ok(());
    };
    Err(Refusal::new(Reason::ModelRefused, format!("{what} of the model are not those of the manifest")))
}

fn golden_of(manifest: &Manifest) -> Golden {
    let rows = manifest.self_test.rows.iter();
    Golden {
        model: format!("{}@{}", manifest.name, manifest.version),
        schema_hash: manifest.compat.schema_hash.clone(),
        tolerance: manifest.self_test.tolerance,
        rows: rows.map(|row| golden::GoldenRow { x: row.x.clone(), probs: row.probs.clone() }).collect(),
    }
}

/// Time for one row, in microseconds at the 99th percentile, one row at a time: the dearest way.
fn row_time(scorer: &mut OnnxScorer, manifest: &Manifest) -> u64 {
    let vector = |row: &crate::update::document::GoldenRow| {
        let mut vector = FeatureVector::ZERO;
        vector.values.iter_mut().zip(&row.x).for_each(|(value, x)| *value = *x);
        vector
    };
    let vectors: Vec<FeatureVector> = manifest.self_test.rows.iter().map(vector).collect();
    let mut times: Vec<u64> = Vec::with_capacity(TIMED_ROWS);
    for row in vectors.iter().cycle().take(TIMED_ROWS) {
        let begun = processor_us(ClockId::CLOCK_THREAD_CPUTIME_ID);
        // Not `score`: a row that the model calls novel would cost nothing there.
        let _ = scorer.explain(row);
        let mut verdict = [Verdict::NOTHING];
        scorer.score(std::slice::from_ref(row), &mut verdict);
        times.push(processor_us(ClockId::CLOCK_THREAD_CPUTIME_ID).saturating_sub(begun).div_ceil(2));
    }
    let measured = times.get_mut(WARMING_ROWS..).unwrap_or_default();
    measured.sort_unstable();
    measured.get(measured.len() * 99 / 100).copied().unwrap_or(u64::MAX)
}

/// The most memory that this process had at any time, in KiB.
fn peak_kib() -> u64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| u64::try_from(usage.max_rss()).unwrap_or(0))
}
