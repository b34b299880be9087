//! What the daemon's own runtime makes of rows: `model_outputs MODEL.onnx ROWS.csv` prints the outputs of each row (probabilities,
//! or the score), comma-separated. `models/train/agree.py` compares them with those of onnxruntime.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that answers on stdout")]

use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;

use picket::features::FeatureVector;
use picket::model::OnnxScorer;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, rows] = arguments.as_slice() else {
        eprintln!("usage: model_outputs MODEL.onnx ROWS.csv");
        return ExitCode::from(64);
    };
    match answer(Path::new(model), Path::new(rows)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("model_outputs: {error}");
            ExitCode::FAILURE
        }
    }
}

fn answer(model: &Path, rows: &Path) -> Result<(), String> {
    let mut scorer = OnnxScorer::load(model).map_err(|error| error.to_string())?;
    let text =
        std::fs::read_to_string(rows).map_err(|error| format!("cannot read {}: {error}", rows.display()))?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    for line in text.lines() {
        let outputs = scorer.explain(&row(line)?).ok_or("a row has no answer")?;
        let texts: Vec<String> = outputs.iter().map(|output| format!("{output:.9e}")).collect();
        writeln!(out, "{}", texts.join(",")).map_err(|error| error.to_string())?;
    }
    out.flush().map_err(|error| error.to_string())
}

fn row(line: &str) -> Result<FeatureVector, String> {
    let mut vector = FeatureVector::ZERO;
    for (index, text) in line.split(',').enumerate() {
        let value = text.trim().parse().map_err(|_| format!("not a number: {text:?}"))?;
        *vector.values.get_mut(index).ok_or("a row has more columns than any schema")? = value;
    }
    Ok(vector)
}
