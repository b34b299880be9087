//! `picket model`: what a model file says of itself; the rest is in `release`.

use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use super::args::update::ModelSelfTest;
use super::args::{Model, ModelShow};
use super::configuration;
use crate::config::Overrides;
use crate::error::{ExitError, plain, sysexits};
use crate::model::{LoadError, OnnxScorer};
use crate::update::selftest::{Limits, child, helper};

pub(super) fn run(args: &Model) -> Result<(), ExitError> {
    match args {
        Model::Show(show) => show_model(show),
        Model::Bundle(bundle) => super::release::bundle(bundle),
        Model::Sign(sign) => super::release::sign(sign),
        Model::Verify(verify) => super::release::verify_bundle(verify),
        Model::List(args) => super::sensor::list(args),
        Model::Status(args) => super::sensor::status(args),
        Model::Rollback(args) => super::sensor::roll_back(args),
        Model::SelfTest(test) => self_test(test),
        Model::Publish(publish) => super::publish::run(publish),
    }
}

/// The daemon's own use of this program, see [`crate::update::selftest`].
fn self_test(args: &ModelSelfTest) -> Result<(), ExitError> {
    let limits = Limits { max_row_us: args.max_row_us, max_memory_kib: args.max_memory_kib };
    let ended = if args.serve {
        let socket = std::io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
        socket.and_then(|socket| helper::run(socket, &args.path, limits))
    } else {
        child::run(&args.path, limits)
    };
    ended.map_err(|error| ExitError::new(sysexits::IOERR, format!("model self-test: {}", plain(&error))))
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
