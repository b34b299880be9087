//! What a row costs in the daemon's own runtime: `model_latency MODEL.onnx ROWS.csv` prints microseconds for each row:
//! alone, in batches of 16, in batches of 256. The rows (comma-separated, no header) are all different, as one row again and
//! again flatters models that branch. Each figure is the best of several rounds over all rows.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program that measures prints and reads the clock"
)]

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use picket::detect::scorer::Verdict;
use picket::features::FeatureVector;
use picket::model::OnnxScorer;

const ROUNDS: usize = 7;
const BATCHES: [usize; 3] = [1, 16, 256];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [model, rows] => match measure(Path::new(model), Path::new(rows)) {
            Ok(figures) => {
                println!("{:.3} {:.3} {:.3}", figures[0], figures[1], figures[2]);
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("model_latency: {error}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("usage: model_latency MODEL.onnx ROWS.csv");
            ExitCode::from(64)
        }
    }
}

fn measure(model: &Path, rows: &Path) -> Result<[f64; BATCHES.len()], String> {
    let mut scorer = OnnxScorer::load(model).map_err(|error| error.to_string())?;
    let text =
        std::fs::read_to_string(rows).map_err(|error| format!("cannot read {}: {error}", rows.display()))?;
    let rows: Vec<FeatureVector> = text.lines().map(row).collect::<Result<_, _>>()?;
    if rows.is_empty() {
        return Err("there are no rows".into());
    }
    let mut verdicts = vec![Verdict::default(); rows.len()];
    Ok(BATCHES.map(|batch| {
        let round = || {
            let start = Instant::now();
            for (some, out) in rows.chunks(batch).zip(verdicts.chunks_mut(batch)) {
                scorer.score(some, out);
            }
            start.elapsed().as_secs_f64() * 1e6 / rows.len() as f64
        };
        std::iter::repeat_with(round).take(ROUNDS).fold(f64::INFINITY, f64::min)
    }))
}

fn row(line: &str) -> Result<FeatureVector, String> {
    let mut vector = FeatureVector::ZERO;
    for (index, text) in line.split(',').enumerate() {
        let value = text.trim().parse().map_err(|_| format!("not a number: {text:?}"))?;
        *vector.values.get_mut(index).ok_or("a row has more columns than any schema")? = value;
    }
    Ok(vector)
}
