//! Runs the scenarios of the corpus, some at a time.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Split, scenarios};
use crate::episode::{TOOL, write_json};
use crate::error::LabError;
use crate::random::Random;
use crate::scenario::run::{self, Ground, Manifest};
use crate::scenario::spec::Scenario;
use crate::stop::Stop;

/// What is written to `corpus.json`.
#[derive(Debug, Serialize)]
struct Index<'a> {
    tool: &'static str,
    split: Split,
    seed: u64,
    captures: &'a [Line],
}

/// One capture of the corpus.
#[derive(Debug, Serialize)]
struct Line {
    directory: String,
    packets: u64,
    secs: u32,
    devices: usize,
    attacks: Vec<String>,
}

impl Line {
    fn of(manifest: &Manifest) -> Self {
        Self {
            directory: manifest.scenario.name.clone(),
            packets: manifest.packets.captured,
            secs: manifest.scenario.secs,
            devices: manifest.benign.len(),
            attacks: manifest.episodes.iter().map(|episode| episode.style.name().into()).collect(),
        }
    }
}

/// Runs the scenarios of a half, `jobs` at a time, each in a sandbox of its own; `corpus.json` lists them.
///
/// # Errors
/// If any scenario failed, after the others have had their turn.
pub fn run(
    split: Split,
    seed: u64,
    jobs: u8,
    limit: Option<usize>,
    out: &Path,
    stop: &Stop,
) -> Result<(), LabError> {
    let mut scenarios = scenarios::scenarios(split, seed);
    scenarios.truncate(limit.unwrap_or(usize::MAX));
    let begin = Instant::now();
    let next = AtomicUsize::new(0);
    let done = Mutex::new((Vec::new(), String::new()));
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some((index, scenario)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    scenarios.get(index).map(|scenario| (index, scenario))
                } {
                    if stop.interrupted() {
                        break;
                    }
                    let result = one(split, seed, index, scenario, out, stop);
                    let mut done = done.lock().expect("no thread panics while it holds this");
                    let count = done.0.len() + 1;
                    let left = left(begin.elapsed(), count, scenarios.len());
                    match result {
                        Ok(line) => {
                            eprintln!(
                                "picket-lab: [{count}/{}, {} s left] {}: {} packets, {} devices, {} attacks",
                                scenarios.len(),
                                left.as_secs(),
                                line.directory,
                                line.packets,
                                line.devices,
                                line.attacks.len()
                            );
                            done.0.push(line);
                        }
                        Err(error) => {
                            eprintln!("picket-lab: {}: {error}", scenario.name);
                            writeln!(done.1, "{}: {error}", scenario.name).expect("writing to a string");
                        }
                    }
                }
            });
        }
    });
    let (mut lines, failures) = done.into_inner().expect("no thread panics while it holds this");
    if !failures.is_empty() {
        return Err(LabError::Child { what: "corpus".into(), detail: failures.trim().into() });
    }
    lines.sort_by(|a, b| a.directory.cmp(&b.directory));
    write_json(&Index { tool: TOOL, split, seed, captures: &lines }, Some(&out.join("corpus.json")))
}

/// How long the rest takes, if it goes on like this.
fn left(elapsed: Duration, done: usize, all: usize) -> Duration {
    let count = |number: usize| u32::try_from(number).expect("a few dozen scenarios");
    elapsed * count(all.saturating_sub(done)) / count(done.max(1))
}

fn one(
    split: Split,
    seed: u64,
    index: usize,
    scenario: &Scenario,
    out: &Path,
    stop: &Stop,
) -> Result<Line, LabError> {
    // Networks 10.77.10.0/24 and on, or 10.77.110.0/24 and on: no address in both halves.
    let network = split.of(10, 110) + u8::try_from(index).expect("a few dozen scenarios");
    let seed = Random::new(seed.wrapping_mul(1000).wrapping_add(network.into())).seed();
    let manifest = run::run(scenario, seed, Ground::Namespaces(network), &out.join(&scenario.name), stop)?;
    Ok(Line::of(&manifest))
}
