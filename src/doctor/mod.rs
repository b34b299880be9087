//! What this machine can and cannot see, and what is wrong with it: `picket doctor`.
//!
//! [`gather`] looks at the machine and writes down [`facts`]; [`examine`] judges them, without looking at anything itself, so that
//! every judgement is tested on facts made by hand. A finding has an id that stays, for programs; docs/doctor.md lists them all.

mod capture;
mod duty;
pub mod facts;
pub mod finding;
pub mod gather;
mod listen;
mod machine;
mod offload;
mod parse;
pub mod sample;

use facts::Snapshot;
use finding::{Finding, Report};

/// Judges the facts. Every area says something, if only that nothing is wrong with it.
#[must_use]
pub fn examine(facts: &Snapshot) -> Report {
    let mut findings: Vec<Finding> = Vec::new();
    for (area, check) in AREAS {
        let before = findings.len();
        check(facts, &mut findings);
        debug_assert!(findings.iter().skip(before).all(|finding| finding.id.starts_with(area)));
    }
    Report { findings }
}

type Check = fn(&Snapshot, &mut Vec<Finding>);

/// The areas and their checks, in the order of the report. The id of a finding begins with the name of its area.
const AREAS: [(&str, Check); 10] = [
    ("capture.", capture::check),
    ("broker.", listen::check),
    ("offload.", offload::check),
    ("sample.", sample::check),
    ("rights.", machine::rights),
    ("clock.", machine::clock),
    ("disk.", machine::disk),
    ("model.", duty::models),
    ("uplink.", duty::uplink),
    ("config.", duty::config),
];

#[cfg(test)]
mod tests;
