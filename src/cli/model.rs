//! `picket model`: what a model file says of itself; the rest is in `release`.

use std::io::Write as _;

use super::args::{Model, ModelShow};
use super::configuration;
use crate::config::Overrides;
use crate::error::{ExitError, sysexits};
use crate::model::{LoadError, OnnxScorer};

pub(super) fn run(args: &Model) -> Result<(), ExitError> {
    match args {
        Model::Show(show) => show_model(show),
        Model::Bundle(bundle) => super::release::bundle(bundle),
        Model::Sign(sign) => super::release::sign(sign),
        Model::Verify(verify) => super::release::verify_bundle(verify),
    }
}

fn show_model(args: &ModelShow) -> Result<(), ExitError> {
    let paths = match &args.file {
        Some(path) => vec![path.clone()],
        None => configuration(&args.config, &Overrides::default())?.model().paths(),
    };
    if paths.is_empty() {
        return Err(ExitError::new(
            sysexits::CONFIG,
            "model show: model.path is empty: no model is configured",
        )
        .hint("give a FILE"));
    }
    let mut out = std::io::stdout();
    for (place, path) in paths.iter().enumerate() {
        let scorer = OnnxScorer::load(path)?;
        let between = if place > 0 { "\n" } else { "" };
        // A closed stdout means that nobody reads.
        let _ = writeln!(out, "{between}{}", scorer.info());
    }
    Ok(())
}

impl From<LoadError> for ExitError {
    fn from(error: LoadError) -> Self {
        let hint = match error.exit_code() {
            sysexits::NOINPUT => "check the path",
            sysexits::DATAERR => {
                "give a model made for this version of picket, such as its models/default.onnx"
            }
            _ => "please report this with the model",
        };
        Self::new(error.exit_code(), error.to_string()).hint(hint)
    }
}
