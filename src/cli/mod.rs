//! The command line: reading it, and one module per command.

mod alerts;
pub mod args;
mod check;
mod doctor;
mod evaluate;
mod extract;
mod inspect;
mod live;
mod model;
mod offline;
mod output;
mod publish;
mod release;
mod replay;
mod run;
mod sensor;
mod status;
mod trust;

use std::process::{ExitCode, Termination};

use args::{Cli, Command};

use crate::config::{Config, Overrides};
use crate::error::ExitError;

/// Reads the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(early) => {
            early.print();
            return ExitCode::from(early.code());
        }
    };
    match dispatch(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when stderr is closed.
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{error}\n"));
            error.report()
        }
    }
}

fn dispatch(command: Command) -> Result<(), ExitError> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Extract(args) => extract::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Model(args) => model::run(&args),
        Command::Trust(args) => trust::run(&args),
        Command::Alerts(args) => alerts::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Doctor(args) => doctor::run(&args),
    }
}

/// The configuration that a command works with.
fn configuration(file: &args::ConfigFile, overrides: &Overrides) -> Result<Config, ExitError> {
    Config::load(file.config.as_deref(), overrides).map_err(Into::into)
}
