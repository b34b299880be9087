//! `picket-lab`, the traffic laboratory. See the library for the map.

#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "where a command-line tool says why it failed")]

use std::process::ExitCode;

use clap::Parser;
use picket_lab::cli::Cli;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; a wrong option is EX_USAGE.
            let code = if error.use_stderr() { 64 } else { 0 };
            // Nothing can be said when even the terminal is gone.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("picket-lab: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
