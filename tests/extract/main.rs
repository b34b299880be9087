//! `picket extract`: each schema by its contract and against the program it comes from, the forms of output, and the
//! documentation, which `cargo test --test extract -- --ignored regenerate` writes anew.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    clippy::float_cmp,
    reason = "a test may panic, say why it was skipped, and compare and cast figures it made itself"
)]

// First, for its macro.
#[path = "../support/mod.rs"]
mod support;

mod document;
mod flows;
mod forms;
mod mqttset;
mod oracles;
mod siuru;

use picket::extract::catalogue::Options;

use support::capture::Capture;
use support::extract::{Extracted, extract_frames};

/// The rows of `schema` over frames made by code.
fn rows_with(schema: &str, options: &Options, capture: &Capture) -> Extracted {
    extract_frames(schema, options, |take| capture.iter().for_each(|frame| take(&frame)))
}

fn rows(schema: &str, capture: &Capture) -> Extracted {
    rows_with(schema, &Options::default(), capture)
}

/// The cells of one column as numbers.
fn numbers(table: &Extracted, column: &str) -> Vec<f64> {
    table.column(column).iter().map(|cell| cell.parse().unwrap()).collect()
}
