//! Writes the man pages and the shell completions of `picket` into a folder: `cargo run --example pages -- DIR`.
//!
//! From the same definitions as the command line itself, and by the building machine, so that cross builds need nothing for it.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::Shell;
use picket::cli::args::Cli;

fn main() -> io::Result<()> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "usage: pages DIR"));
    };
    let pages = folder.join("man");
    fs::create_dir_all(&pages)?;
    clap_mangen::generate_to(Cli::command(), &pages)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Cli::command(), "picket", &folder)?;
    }
    Ok(())
}
