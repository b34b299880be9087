//! `picket model`: what a model file says of itself.

use std::io::Write as _;

use super::args::{Model, ModelShow};
use super::configuration;
use crate::config::Overrides;
use crate::error::{ExitError, sysexits};
use crate::model::{LoadError, OnnxScorer};

pub(super) fn run(args: &Model) -> Result<(), ExitError> {
    let Model::Show(show) = args;
    show_model(show)
}

fn show_model(args: &ModelShow) -> Result<(), ExitError> {
    let path = match &args.file {
        Some(path) => path.clone(),
        None => {
            configuration(&args.config, &Overrides::default())?.model().path.clone().ok_or_else(|| {
                ExitError::new(sysexits::CONFIG, "model show: model.path is empty: no model is configured")
                    .hint("give a FILE")
            })?
        }
    };
    let scorer = OnnxScorer::load(&path)?;
    // A closed stdout means that nobody reads.
    let _ = writeln!(std::io::stdout(), "{}", scorer.info());
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
