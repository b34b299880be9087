//! Every name of the table of violations, with traffic that gives the event and the nearest legal traffic that does not.
//!
//! The captures in `captures/` are written by `cargo test --test violations -- --ignored regenerate`.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a test may panic, and cast figures it made itself"
)]

mod case;
mod cases;
mod document;
mod scene;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use picket::capture::{Event as Next, FileSource, FrameSource as _};
use picket::detect::scorer::NoModel;
use picket::engine::{Engine, Settings, Sink};
use picket::event::{Event, Reaction};
use picket::flow::key::Direction;
use picket::memory::OwnedMemory;
use picket::mqtt::violation::Row;
use picket::mqtt::violation::table::ROWS;

use case::Case;
use cases::all;
use support::capture::host;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/violations/captures")
}

#[derive(Default)]
struct Events(Vec<Event>);

impl Sink for Events {
    fn event(&mut self, event: &Event) {
        self.0.push(*event);
    }
}

/// The events of a capture file.
fn replay(path: &Path) -> Vec<Event> {
    let mut source = FileSource::open(path, None).unwrap();
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(Settings::default(), memory.lend(), NoModel);
    let mut events = Events::default();
    while let Next::Frame(frame) = source.next_frame().unwrap() {
        engine.on_frame(&frame, &mut events);
    }
    engine.finish(&mut events);
    events.0
}

/// Every name of the table has, for each violation that goes by it, traffic that gives the event; and every name has
/// traffic that does not.
#[test]
fn every_name_has_a_positive_and_a_negative_case() {
    let cases = all();
    let mut missing = Vec::new();
    for row in &ROWS {
        for name in [row.v311, row.v5, row.cves].concat() {
            let examples = cases.iter().filter(|case| case.name == name).flat_map(|case| &case.examples);
            let gives = examples
                .clone()
                .any(|example| example.violation == row.violation && !example.events.is_empty());
            let spares = examples
                .clone()
                .any(|example| example.violation == row.violation && example.events.is_empty());
            if !gives || !spares {
                missing.push((row.violation, name, gives, spares));
            }
        }
    }
    assert!(missing.is_empty(), "{} without: {missing:#?}", missing.len());
    let names: BTreeSet<&str> = ROWS.iter().flat_map(|row| [row.v311, row.v5, row.cves].concat()).collect();
    for case in &cases {
        assert!(names.contains(case.name), "{} is no name of the table", case.name);
    }
}

/// The files are what the cases say, octet by octet, and small; and there are no others.
#[test]
fn the_captures_are_those_of_the_cases() {
    let cases = all();
    let mut sum = 0;
    for case in &cases {
        let kept = fs::read(folder().join(case.file())).unwrap_or_default();
        assert!(kept == case.capture().to_pcap(), "{}: regenerate the captures", case.name);
        sum += kept.len();
    }
    assert!(sum < 600_000, "{sum} octets in all");
    let files = fs::read_dir(folder()).unwrap().count();
    assert_eq!(files, cases.len());
}

#[test]
#[ignore = "writes the captures and the page"]
fn regenerate() {
    let _ = fs::remove_dir_all(folder());
    fs::create_dir_all(folder()).unwrap();
    for case in all() {
        case.capture().write(&folder().join(case.file()));
    }
    fs::write(page_file(), document::page()).unwrap();
}

fn page_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/violations.md")
}

#[test]
fn the_page_is_that_of_the_table() {
    let kept = fs::read_to_string(page_file()).unwrap();
    assert!(kept == document::page(), "regenerate docs/violations.md");
}

/// Each file, replayed, gives the events of its case and no others, each with what the other end did about it.
#[test]
fn each_capture_gives_the_events_of_its_case() {
    let mut wrong = Vec::new();
    for case in all() {
        let events = replay(&folder().join(case.file()));
        for event in &events {
            let its = |row: &&Row| row.what == event.what && row.severity == event.severity;
            let row = ROWS.iter().find(its).unwrap();
            assert!([row.v311, row.v5, row.cves].concat().contains(&event.name), "{event:?}");
            assert_eq!(event.server.addr.ip(), host(1));
            let side = if event.direction == Direction::ToClient { "server" } else { "client" };
            assert!([side, "either"].contains(&document::culprit(row.violation)), "{event:?}");
        }
        for (place, example) in case.examples.iter().enumerate() {
            let of_play = |event: &&Event| Case::place_of(event.ts.as_micros()) == place;
            let mut found: Vec<(&str, Reaction)> =
                events.iter().filter(of_play).map(|event| (event.name, event.reaction)).collect();
            let mut expected = example.events.clone();
            let key = |(name, reaction): &(&'static str, Reaction)| (*name, reaction.name());
            found.sort_by_key(key);
            expected.sort_by_key(key);
            if found != expected {
                wrong.push(format!(
                    "{} {:?} play {place}: {expected:?} expected, {found:?} found",
                    case.name, example.violation
                ));
            }
            let own = |event: &&Event| {
                event.name == case.name
                    && event.what == example.violation.row().what
                    && event.severity == example.severity
            };
            if !example.events.is_empty() && !events.iter().filter(of_play).any(|event| own(&event)) {
                wrong.push(format!("{} play {place}: not for {:?}", case.name, example.violation));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
