//! `picket doctor`: what this machine can and cannot see.

use std::io::Write as _;

use super::args::TextOrJson;
use super::args::doctor::Doctor;
use super::configuration;
use crate::config::Overrides;
use crate::doctor::finding::Severity;
use crate::doctor::{examine, gather};
use crate::error::ExitError;

/// Exit code when a finding is bad; the codes of sysexits.h are for what kept the doctor from looking.
const BAD: u8 = 1;

pub(super) fn run(args: &Doctor) -> Result<(), ExitError> {
    let config = configuration(&args.config, &Overrides::default())?;
    let scope = gather::Scope { sample: args.sample, broker: !args.offline };
    let report = examine(&gather::gather(&config, args.config.config.as_deref(), scope));
    let text = match args.output {
        TextOrJson::Text => report.to_string(),
        TextOrJson::Json => report.json(),
    };
    // A closed stdout means that nobody reads.
    let _ = std::io::stdout().write_all(text.as_bytes());
    let bad = report.findings.iter().filter(|finding| finding.severity == Severity::Bad).count();
    if bad > 0 {
        return Err(ExitError::new(BAD, format!("doctor: {bad} bad")).hint("see the remedies"));
    }
    Ok(())
}
