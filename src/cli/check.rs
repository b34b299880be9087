//! `picket check`: the configuration in force, what is wrong with it, and what it will cost.

use std::io::Write as _;

use super::args::ConfigFile;
use crate::capture;
use crate::config::{Config, OnMissing, Overrides, advice};
use crate::error::ExitError;
use crate::memory::OwnedMemory;
use crate::model::{LoadError, ModelSet};

/// Resident memory beside tables and capture buffers, with the default model and an empty store, in MiB: measured 12.2 for a
/// static program on x86-64 as packaged; the C library's is 2.3 where it is not part of the program.
const BASE_MIB: usize = 15;

pub(super) fn run(args: &ConfigFile) -> Result<(), ExitError> {
    let config = load_or_list_faults(args)?;
    capture::abi::check()?;
    if !config.capture().filter.is_empty() {
        capture::check_filter(&config.capture().filter)?;
    }
    let refused = load_models(&config)?;
    let mut out = std::io::stdout().lock();
    // A closed stdout means that nobody reads.
    let _ = write!(out, "{}\n{}", config.effective_toml(), memory_estimate(&config));
    for advice in advice(&config, args.config.as_deref()) {
        let _ = writeln!(out, "# note: {advice}");
    }
    for error in refused {
        let _ = writeln!(out, "# note: detection would go on without a model: {error}");
    }
    Ok(())
}

/// Loads the models as the daemon would; returns why some are refused, or the error with which it would not start.
fn load_models(config: &Config) -> Result<Vec<LoadError>, ExitError> {
    let (_, mut errors) = ModelSet::load(&config.model().paths());
    if config.model().on_missing == OnMissing::Refuse && !errors.is_empty() {
        return Err(errors.swap_remove(0).into());
    }
    Ok(errors)
}

/// The configuration; or every fault of it on stdout, a line each, and the error that every command gives.
fn load_or_list_faults(args: &ConfigFile) -> Result<Config, ExitError> {
    Config::load(args.config.as_deref(), &Overrides::default()).map_err(|error| {
        let mut out = std::io::stdout().lock();
        for fault in error.faults() {
            // A closed stdout means that nobody reads.
            let _ = writeln!(out, "{fault}");
        }
        let listed = !error.faults().is_empty();
        let exit = ExitError::from(error);
        if listed { exit.hint("correct what is listed and check again") } else { exit }
    })
}

/// How much memory the daemon will take, and for what.
fn memory_estimate(config: &Config) -> String {
    let mib = |octets: usize| octets.div_ceil(1 << 20);
    let tables = mib(OwnedMemory::new().octets());
    let interfaces = config.capture().interfaces.len().max(1);
    let buffers = usize::from(config.capture().buffer_mib) * interfaces;
    format!(
        "# memory: about {} MiB resident: tables {tables}, program and model {BASE_MIB}, capture buffers {buffers} ({interfaces} x {})\n",
        tables + BASE_MIB + buffers,
        config.capture().buffer_mib,
    )
}
