//! The core takes its memory at start: no frame makes it ask for more. One test, since the counter counts every thread.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a test may panic and cast figures it made itself"
)]

mod support;

use std::alloc::System;
use std::hint::black_box;
use std::path::Path;

use picket::alert::Alert;
use picket::capture::{Event, FileSource, FrameSource as _};
use picket::detect::scorer::NoModel;
use picket::engine::{Engine, Settings, Sink};
use picket::extract::catalogue::{Entry, Options};
use picket::extract::{Cell, Rows};
use picket::frame::Frame;
use picket::label::LabelId;
use picket::memory::OwnedMemory;
use picket::time::Timestamp;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use support::capture::{Capture, SECOND, START, host};
use support::corpus::{corpus, files, is_capture};
use support::mqtt::{V5, V311};
use support::{attack, benign};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Counts alerts and keeps none.
#[derive(Default)]
struct Count(u64);

impl Sink for Count {
    fn alert(&mut self, alert: &Alert) {
        black_box(alert);
        self.0 += 1;
    }
}

/// Every attack, honest devices, half-open connections, segments out of order, a silence.
fn everything() -> Capture {
    let broker = (host(1), 1883);
    let at = |seconds: u64| START + seconds * SECOND;
    let mut capture = benign::sensor(V5, host(7), broker, START, 120)
        .with(attack::brute_force(V311, host(60), broker, at(5), 40, SECOND / 4))
        .with(attack::connect_flood(V5, host(61), broker, at(10), 300, SECOND / 20))
        .with(attack::publish_flood(V311, host(62), broker, at(20), 2000, 5))
        .with(attack::slowite(V5, host(63), broker, at(30), 30, 40))
        .with(attack::tcp_scan(host(64), host(1), at(40), 100, SECOND / 10))
        .with(attack::malformed(V311, host(65), broker, at(50), 30, SECOND / 10))
        .with(benign::mass_reconnect(V5, host(9), broker, at(60), 50))
        .then_quiet(500);
    // Neighbours change places, so that segments are held back.
    for pair in capture.frames.chunks_exact_mut(2).step_by(7) {
        let (a, b) = pair.split_at_mut(1);
        std::mem::swap(&mut a[0].1, &mut b[0].1);
    }
    capture
}

/// The frames of a capture of others, and what the engine asks for over them.
fn over(path: &Path, engine: &mut Engine<'_, NoModel>) -> (u64, usize) {
    let Ok(mut source) = FileSource::open(path, None) else { return (0, 0) };
    let (mut frames, mut asked, mut alerts) = (0, 0, Count::default());
    while let Ok(event) = source.next_frame() {
        match event {
            Event::Frame(frame) => {
                let region = Region::new(ALLOCATOR);
                engine.on_frame(&frame, &mut alerts);
                let change = region.change();
                asked += change.allocations + change.reallocations;
                frames += 1;
            }
            Event::Idle(_) | Event::Notice(_) => {}
            Event::End => break,
        }
    }
    (frames, asked)
}

/// Reading a file takes its memory when it is opened, and with the first frame of a link type that is filtered.
fn reading_allocates_nothing(capture: &Capture) {
    let file = tempfile::NamedTempFile::new().unwrap();
    capture.write(file.path());
    for filter in [None, Some("tcp")] {
        let mut source = FileSource::open(file.path(), filter).unwrap();
        assert!(matches!(source.next_frame(), Ok(Event::Frame(_))));
        let region = Region::new(ALLOCATOR);
        while let Ok(Event::Frame(frame)) = source.next_frame() {
            black_box(frame.data);
        }
        let asked = region.change();
        assert_eq!((asked.allocations, asked.reallocations), (0, 0), "{asked:?}");
        assert!(source.packets() > 1000, "{}", source.packets());
    }
}

/// Takes rows and keeps none.
struct Swallow(u64);

impl Rows for Swallow {
    fn row(&mut self, cells: &[Cell<'_>], label: Option<LabelId>) {
        black_box((cells, label));
        self.0 += 1;
    }
}

/// Neither our schemas nor those of others ask for memory for a row, once their tables are as large as they get.
fn extracting_allocates_nothing(frames: &[Frame<'_>]) {
    // Once more in later time: some rows wait until a window is over.
    let (Some(first), Some(last)) = (frames.first(), frames.last()) else { panic!("no frames") };
    let span = last.ts.micros_since(first.ts) + 1_000_000;
    let later: Vec<Frame<'_>> = frames
        .iter()
        .map(|frame| Frame { ts: Timestamp::from_micros(frame.ts.as_micros() + span), ..*frame })
        .collect();
    for entry in Entry::all() {
        let options = Options { capacity: 4096, ..Options::default() };
        let mut memory = None;
        let mut extractor = entry.extractor(&options, &mut memory);
        let mut rows = Swallow(0);
        // Warm-up: text of all lengths.
        frames.iter().for_each(|frame| extractor.frame(frame, LabelId::DEFAULT, None, &mut rows));
        let before = rows.0;
        let region = Region::new(ALLOCATOR);
        later.iter().for_each(|frame| extractor.frame(frame, LabelId::DEFAULT, None, &mut rows));
        let asked = region.change();
        assert_eq!((asked.allocations, asked.reallocations), (0, 0), "{}: {asked:?}", entry.name());
        extractor.finish(None, &mut rows);
        // Exchanges of MQTT-SN and CoAP are not among these frames.
        assert!(rows.0 > before || entry.name() == "picket-exchange", "{}: {} rows", entry.name(), rows.0);
    }
}

#[test]
fn no_frame_allocates() {
    let capture = everything();
    let frames: Vec<Frame<'_>> = capture.iter().collect();
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(Settings::default(), memory.lend(), NoModel);
    let mut alerts = Count::default();
    // Warm-up: the beginning of the capture.
    let (first, rest) = frames.split_at(100);
    first.iter().for_each(|frame| engine.on_frame(frame, &mut alerts));

    let region = Region::new(ALLOCATOR);
    rest.iter().for_each(|frame| engine.on_frame(frame, &mut alerts));
    engine.finish(&mut alerts);
    let asked = region.change();

    assert_eq!((asked.allocations, asked.reallocations), (0, 0), "{asked:?}");
    let stats = engine.stats();
    assert!(alerts.0 >= 12 && stats.stream.held > 0 && stats.time_jumps == 1, "{stats:?}");
    // The counter counts.
    black_box(Box::new(alerts.0));
    assert_eq!(region.change().allocations, 1);

    reading_allocates_nothing(&capture);
    extracting_allocates_nothing(&frames);

    let Some(corpus) = corpus("no_frame_allocates") else { return };
    let (mut captures, mut frames) = (0, 0);
    let mut engine = Engine::new(Settings::default(), memory.lend(), NoModel);
    for path in files(&corpus).into_iter().filter(|path| is_capture(path)) {
        let (of_this, asked) = over(&path, &mut engine);
        assert_eq!(asked, 0, "{}", path.display());
        captures += 1;
        frames += of_this;
    }
    println!("corpus: {frames} frames of {captures} captures, no allocation");
}
