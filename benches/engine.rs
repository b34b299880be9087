//! Cost of a frame through the whole engine, without a model, over ordinary traffic, over each of two attacks and over
//! all of it: `cargo bench --bench engine`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use picket::detect::scorer::NoModel;
use picket::engine::{Engine, Settings, Sink};
use picket::frame::Frame;
use picket::memory::OwnedMemory;

#[path = "../tests/support/mod.rs"]
mod support;

use support::capture::{Capture, START, host};
use support::mqtt::{V5, V311};
use support::{attack, benign, hostile};

/// Looks at nothing: the engine's own cost is measured.
struct Silent;

impl Sink for Silent {}

fn whole(criterion: &mut Criterion) {
    let broker = (host(1), 1883);
    let sensors = (10..60).fold(Capture::default(), |capture, n| {
        capture.with(benign::sensor(if n % 2 == 0 { V311 } else { V5 }, host(n), broker, START, 60))
    });
    let flood = attack::publish_flood(V311, host(200), broker, START, 5_000, 10);
    let guesses = attack::brute_force(V5, host(201), broker, START, 2_000, 20_000);
    let all = sensors.clone().with(flood.clone()).with(guesses.clone());

    let mut memory = OwnedMemory::new();
    let usual =
        [("sensors", &sensors), ("publish flood", &flood), ("brute force", &guesses), ("all of it", &all)];
    measure(criterion, "engine", &mut memory, usual);
    let hostile = hostile::all();
    measure(criterion, "hostile", &mut memory, hostile.iter().map(|(name, capture)| (*name, capture)));
}

/// Measures one pass over each capture, per frame.
fn measure<'c>(
    criterion: &mut Criterion,
    group: &str,
    memory: &mut OwnedMemory,
    captures: impl IntoIterator<Item = (&'c str, &'c Capture)>,
) {
    let mut group = criterion.benchmark_group(group);
    for (name, capture) in captures {
        let frames: Vec<Frame<'_>> = capture.iter().collect();
        group.throughput(Throughput::Elements(frames.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut engine = Engine::new(Settings::default(), memory.lend(), NoModel);
                for frame in &frames {
                    engine.on_frame(black_box(frame), &mut Silent);
                }
                engine.finish(&mut Silent);
                engine.stats()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, whole);
criterion_main!(benches);
