//! The course of updates, good and bad, and what no sequence of events can bring about.

use std::collections::BTreeSet;
use std::io;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::update::compat::Device;
use crate::update::digest::Digest;
use crate::update::document::{Desired, Get, Moment, Root, Shadow, State};
use crate::update::mailbox::Fetch;
use crate::update::reason::{Reason, Refusal};
use crate::update::slots::disk::{Content, Cuts, Disk};
use crate::update::slots::{Place, Running, Store};
use crate::update::trust::Clock;
use crate::update::trust::fixture::{
    MODEL, NOW, ROOT, TIMESTAMP, desired, device, manifest, message, root, sign_manifest, sign_root,
    sign_timestamp, timestamp, trust,
};

mod ways;

/// Two blocks and a bit; its first octet tells releases apart.
fn model(release: u64) -> Vec<u8> {
    vec![u8::try_from(release).unwrap(); 2 * BLOCK_BYTES as usize + 7]
}

/// A right message; with a root that has this floor.
fn right(seq: u64, release: u64, floor: u64, root_floor: Option<u64>) -> Desired {
    let model = model(release);
    let mut desired = desired(seq, release, &model);
    let mut manifest = manifest(release, &model);
    manifest.floor = floor;
    desired.manifest = sign_manifest(&manifest, &MODEL);
    let mut timestamp = timestamp(seq, &desired.manifest, release);
    if let Some(floor) = root_floor {
        desired.roots.push(sign_root(&Root { floor, ..root(2) }, &ROOT));
        timestamp.root_version = 2;
    }
    desired.timestamp = sign_timestamp(&timestamp, &TIMESTAMP);
    desired
}

/// Who carries the actions out, and looks at each of them.
struct Bench {
    updater: Updater<Disk>,
    disk: Disk,
    at: At,
    /// What scores.
    using: Option<Running>,
    shadow: Option<Place>,
    /// What was asked for last.
    asked: Option<Get>,
    /// What was asked for over HTTPS last.
    fetch: Option<Fetch>,
    /// Self-tests that were begun.
    testing: Option<Place>,
    /// Digests of manifests that were rightly signed.
    signed: BTreeSet<Digest>,
    /// Digests of manifests whose self-test passed.
    tested: BTreeSet<Digest>,
}

impl Bench {
    fn new() -> Self {
        let at = At { clock: Clock { now: NOW, synchronised: true }, uptime_ms: 0 };
        let disk = Disk::new(&Content::new(), Cuts::No);
        let mut bench = Self {
            updater: updater(&disk),
            disk,
            at,
            using: None,
            shadow: None,
            asked: None,
            fetch: None,
            testing: None,
            signed: BTreeSet::new(),
            tested: BTreeSet::new(),
        };
        bench.run(Event::Start);
        bench
    }

    /// The process is gone, the disk as it is or as a power cut left it.
    fn restart(&mut self, content: &Content) {
        self.disk = Disk::new(content, Cuts::No);
        self.updater = updater(&self.disk);
        (self.using, self.shadow, self.asked, self.testing) = (None, None, None, None);
        self.run(Event::Start);
        assert!(self.using.is_some(), "there is a model from the start");
    }

    fn run(&mut self, event: Event<'_>) {
        if event == Event::SelfTested(Ok(()))
            && let Some(place) = self.testing
        {
            self.tested.extend(self.updater.store().state().installed(place).manifest);
        }
        let actions = self.updater.handle(event, self.at);
        for action in actions {
            match action {
                Action::Use(running) => {
                    self.check(running.place);
                    self.using = Some(running);
                }
                Action::SelfTest(place) => {
                    let bundle = self.updater.store().load(place).expect("it is whole");
                    assert!(self.signed.contains(&bundle.sha256), "not even a test without a signature");
                    self.testing = Some(place);
                }
                Action::Shadow(place) => {
                    self.check(place);
                    self.shadow = Some(place);
                }
                Action::EndShadow => self.shadow = None,
                Action::Ask(get) => self.asked = Some(get),
                Action::Fetch(fetch) => self.fetch = Some(fetch),
                Action::Report => {
                    let reported = self.updater.reported("gw-1", self.at);
                    let text = serde_json::to_vec(&reported).unwrap();
                    assert_eq!(crate::update::document::Reported::read(&text), Ok(reported));
                }
            }
        }
    }

    /// What is loaded into the process: whole, signed, tested, and not below the floor.
    fn check(&self, place: Place) {
        if place == Place::Factory {
            return;
        }
        let bundle = self.updater.store().load(place).expect("a model that is used is whole");
        assert!(self.signed.contains(&bundle.sha256), "signed");
        assert!(self.tested.contains(&bundle.sha256), "tested");
        assert!(bundle.manifest.release >= self.updater.store().trust().floor(), "not below the floor");
    }

    fn desire(&mut self, desired: &Desired) {
        self.signed.insert(Digest::of(&desired.manifest.payload));
        self.run(Event::Desired(&message(desired)));
    }

    fn pass(&mut self, seconds: u64) {
        self.at.uptime_ms += seconds * 1000;
        self.at.clock.now = self.at.clock.now.after(seconds);
        self.run(Event::Tick);
    }

    /// Answers what was asked for, with the blocks of this release.
    fn answer(&mut self, release: u64) {
        let Some(get) = self.asked.take() else { return };
        let model = model(release);
        for index in get.blocks {
            let octets = model.chunks(BLOCK_BYTES as usize).nth(index as usize).unwrap();
            self.run(Event::Block { transfer: &get.transfer, index, octets });
        }
    }

    fn state(&self) -> (State, Option<Reason>) {
        let reported = self.updater.reported("gw-1", self.at);
        (reported.state, reported.reason)
    }

    fn release(&self) -> u64 {
        self.using.expect("something is in use").installed.release
    }

    /// Up to the shadow.
    fn reach_shadow(&mut self, release: u64) {
        self.pass(10);
        self.desire(&right(release, release, 0, None));
        self.answer(release);
        self.run(Event::SelfTested(Ok(())));
        assert_eq!(self.state(), (State::Shadow, None));
    }

    /// Up to the probation.
    fn reach_probation(&mut self, release: u64) {
        self.reach_shadow(release);
        self.run(Event::Shadowed(Shadow { rows: 100, agreed: 100, ..Shadow::default() }));
        assert_eq!((self.state(), self.release()), ((State::Probation, None), release));
    }

    fn install(&mut self, release: u64) {
        self.reach_probation(release);
        self.pass(60);
        assert_eq!((self.state(), self.release()), ((State::Committed, None), release));
    }
}

fn updater(disk: &Disk) -> Updater<Disk> {
    updater_of(disk, device())
}

fn updater_of(disk: &Disk, device: Device) -> Updater<Disk> {
    let (store, _) = Store::open(disk.clone(), &trust().root, Moment(NOW.0 - 1000));
    Updater::new(store, device)
}

#[test]
fn from_the_message_to_the_model_in_use() {
    let mut bench = Bench::new();
    assert_eq!((bench.state(), bench.release()), ((State::Idle, None), 0));
    bench.desire(&right(7, 7, 0, None));
    assert_eq!(bench.state(), (State::Downloading, None));
    let get = bench.asked.clone().unwrap();
    assert_eq!((get.blocks.as_slice(), get.block_size), (&[0, 1, 2][..], BLOCK_BYTES));
    bench.answer(7);
    assert_eq!((bench.state(), bench.testing), ((State::SelfTest, None), Some(Place::A)));
    bench.run(Event::SelfTested(Ok(())));
    assert_eq!((bench.state(), bench.shadow, bench.release()), ((State::Shadow, None), Some(Place::A), 0));
    bench.run(Event::Shadowed(Shadow { rows: 99, ..Shadow::default() }));
    assert_eq!(bench.state(), (State::Shadow, None));
    bench.run(Event::Shadowed(Shadow { rows: 100, ..Shadow::default() }));
    assert_eq!((bench.state(), bench.shadow, bench.release()), ((State::Probation, None), None, 7));
    bench.run(Event::Probed(Probe { rows: 50, ..Probe::default() }));
    bench.pass(59);
    assert_eq!(bench.state(), (State::Probation, None));
    bench.pass(1);
    assert_eq!((bench.state(), bench.release()), ((State::Committed, None), 7));
    // The retained message again, and a restart: nothing happens.
    bench.pass(10);
    bench.desire(&right(7, 7, 0, None));
    bench.restart(&bench.disk.content());
    assert_eq!((bench.state(), bench.release(), bench.asked), ((State::Idle, None), 7, None));
}

#[test]
fn forged_messages_change_nothing() {
    let mut bench = Bench::new();
    bench.install(6);
    let mut forged = right(7, 7, 0, None);
    forged.manifest.signatures.pop();
    bench.pass(10);
    bench.run(Event::Desired(&message(&forged)));
    assert_eq!((bench.state(), bench.release()), ((State::Failed, Some(Reason::TooFewSignatures)), 6));
    assert_eq!(bench.asked, None);
    bench.pass(10);
    bench.run(Event::Desired(&vec![b'{'; 1 << 20]));
    assert_eq!((bench.state(), bench.release()), ((State::Failed, Some(Reason::TooLarge)), 6));
}

#[test]
fn only_blocks_that_were_asked_for_are_taken() {
    let mut bench = Bench::new();
    bench.run(Event::Block { transfer: "0123456789abcdef", index: 0, octets: b"x" });
    bench.desire(&right(7, 7, 0, None));
    let get = bench.asked.clone().unwrap();
    let octets = vec![9; BLOCK_BYTES as usize];
    bench.run(Event::Block { transfer: "0123456789abcdef", index: 0, octets: &octets });
    bench.run(Event::Block { transfer: &get.transfer, index: 3, octets: &octets });
    bench.run(Event::Block { transfer: &get.transfer, index: 0, octets: &octets[1..] });
    bench.run(Event::Block { transfer: &get.transfer, index: 0, octets: &vec![9; 1 << 20] });
    let first = model(7)[..BLOCK_BYTES as usize].to_vec();
    for _ in 0..1000 {
        // Endless data: the first counts.
        bench.run(Event::Block { transfer: &get.transfer, index: 0, octets: &first });
    }
    let dropped = bench.updater.dropped();
    assert_eq!(dropped[&Reason::ForeignTransfer], 2);
    assert_eq!(dropped[&Reason::WrongBlock], 3);
    assert_eq!(dropped[&Reason::UnwantedBlock], 999);
    bench.asked = Some(Get { blocks: vec![1, 2], ..get });
    bench.answer(7);
    assert_eq!(bench.state(), (State::SelfTest, None));
}

#[test]
fn a_block_with_other_content_spoils_the_transfer_only() {
    let mut bench = Bench::new();
    bench.desire(&right(7, 7, 0, None));
    bench.answer(8);
    assert_eq!((bench.state(), bench.release()), ((State::Failed, Some(Reason::DigestMismatch)), 0));
    // It is tried again by itself, and works.
    bench.pass(3600);
    assert_eq!(bench.state(), (State::Downloading, None));
    bench.answer(7);
    assert_eq!(bench.state(), (State::SelfTest, None));
}

#[test]
fn silence_is_asked_again_and_then_left() {
    let mut bench = Bench::new();
    bench.desire(&right(7, 7, 0, None));
    let mut requests = 1;
    for _ in 0..400 {
        bench.asked = None;
        bench.pass(1);
        requests += u32::from(bench.asked.is_some());
    }
    assert_eq!((requests, bench.state()), (5, (State::Failed, Some(Reason::DownloadTimeout))));
    bench.pass(3600);
    assert_eq!(bench.state(), (State::Downloading, None));
}

#[test]
fn a_failed_self_test_leaves_the_old_model_and_is_remembered() {
    for reason in [Reason::GoldenVectors, Reason::TooSlow, Reason::TooMuchMemory, Reason::SelfTestCrashed] {
        let mut bench = Bench::new();
        bench.install(6);
        bench.pass(10);
        bench.desire(&right(7, 7, 0, None));
        bench.answer(7);
        bench.run(Event::SelfTested(Err(Refusal::new(reason, "as the test says"))));
        assert_eq!((bench.state(), bench.release()), ((State::Failed, Some(reason)), 6));
        bench.pass(10);
        bench.desire(&right(7, 7, 0, None));
        assert_eq!((bench.state(), bench.release()), ((State::Failed, Some(Reason::KnownBad)), 6));
        bench.pass(10);
        bench.install(8);
    }
}

#[test]
fn a_self_test_that_could_not_begin_is_not_held_against_the_release() {
    let mut bench = Bench::new();
    bench.desire(&right(7, 7, 0, None));
    bench.answer(7);
    bench.run(Event::SelfTested(Err(Refusal::new(Reason::SelfTestFailed, "no process"))));
    assert_eq!(bench.state(), (State::Failed, Some(Reason::SelfTestFailed)));
    bench.install(8);
}

#[test]
fn a_model_that_judges_otherwise_is_not_used() {
    let mut bench = Bench::new();
    bench.install(6);
    bench.reach_shadow(7);
    bench.run(Event::Shadowed(Shadow { rows: 100, new_hostile: 50, ..Shadow::default() }));
    assert_eq!((bench.state(), bench.release()), ((State::Failed, Some(Reason::AlertRatio)), 6));
    assert_eq!(bench.shadow, None);
}

#[test]
fn on_a_quiet_network_the_shadow_ends_by_time() {
    let mut bench = Bench::new();
    bench.reach_shadow(7);
    bench.run(Event::Shadowed(Shadow { rows: 3, ..Shadow::default() }));
    bench.pass(60);
    assert_eq!((bench.state(), bench.release()), ((State::Probation, None), 7));
}

#[test]
fn an_alert_explosion_on_probation_brings_the_old_model_back() {
    let mut bench = Bench::new();
    bench.install(6);
    bench.reach_probation(7);
    bench.run(Event::Probed(Probe { rows: 1000, hostile: 900, ..Probe::default() }));
    assert_eq!((bench.state(), bench.release()), ((State::RolledBack, Some(Reason::AlertExplosion)), 6));
    bench.restart(&bench.disk.content());
    assert_eq!(bench.release(), 6);
}

#[test]
fn three_crashes_on_probation_bring_the_old_model_back() {
    let mut bench = Bench::new();
    bench.install(6);
    bench.reach_probation(7);
    for release in [7, 7, 6] {
        bench.restart(&bench.disk.content());
        assert_eq!(bench.release(), release);
    }
    assert_eq!(bench.updater.store().state().bad[0].release, 7);
}

#[test]
fn orderly_restarts_on_probation_cost_nothing() {
    let mut bench = Bench::new();
    bench.reach_probation(7);
    for _ in 0..10 {
        bench.run(Event::Stop);
        bench.restart(&bench.disk.content());
        assert_eq!((bench.state(), bench.release()), ((State::Probation, None), 7));
    }
    bench.pass(60);
    assert_eq!(bench.state(), (State::Committed, None));
}

#[test]
fn a_root_that_revokes_the_model_in_use_takes_it_out_at_once() {
    let mut bench = Bench::new();
    bench.install(6);
    bench.pass(10);
    bench.desire(&right(8, 8, 0, Some(7)));
    assert_eq!((bench.state(), bench.release()), ((State::Downloading, None), 0));
    bench.answer(8);
    bench.run(Event::SelfTested(Ok(())));
    bench.pass(60);
    bench.pass(60);
    assert_eq!((bench.state(), bench.release()), ((State::Committed, None), 8));
}

#[test]
fn without_a_clock_it_waits_and_goes_on_by_itself() {
    let mut bench = Bench::new();
    bench.at.clock.synchronised = false;
    bench.desire(&right(7, 7, 0, None));
    assert_eq!(bench.state(), (State::Deferred, Some(Reason::ClockUntrusted)));
    bench.pass(60);
    assert_eq!(bench.state(), (State::Deferred, Some(Reason::ClockUntrusted)));
    bench.at.clock.synchronised = true;
    bench.pass(60);
    assert_eq!(bench.state(), (State::Downloading, None));
}

#[test]
fn of_many_messages_the_newest_is_examined_in_time() {
    let mut bench = Bench::new();
    bench.desire(&right(5, 5, 0, None));
    for seq in 6..30 {
        bench.desire(&right(seq, seq, 0, None));
    }
    assert_eq!(bench.updater.dropped()[&Reason::RateLimited], 24);
    assert_eq!(bench.updater.reported("gw-1", bench.at).target.unwrap().release, 5);
    bench.pass(10);
    assert_eq!(bench.updater.reported("gw-1", bench.at).target.unwrap().release, 29);
}

#[test]
fn the_operator_takes_an_update_back_at_any_time() {
    let stages: [fn(&mut Bench); 3] = [
        |bench| {
            bench.pass(10);
            bench.desire(&right(7, 7, 0, None));
        },
        |bench| bench.reach_shadow(7),
        |bench| bench.reach_probation(7),
    ];
    for stage in stages {
        let mut bench = Bench::new();
        bench.install(6);
        stage(&mut bench);
        bench.run(Event::Desired(b""));
        assert_eq!((bench.state().1, bench.release()), (Some(Reason::Withdrawn), 6));
        bench.install(8);
        bench.run(Event::GoBack);
        assert_eq!((bench.state(), bench.release()), ((State::RolledBack, Some(Reason::RolledBack)), 6));
    }
}

#[test]
fn a_full_disk_is_told_and_tried_again() {
    let mut bench = Bench::new();
    bench.disk.0.borrow_mut().free = 1000;
    bench.desire(&right(7, 7, 0, None));
    assert_eq!(bench.state(), (State::Failed, Some(Reason::NoSpace)));
    bench.disk.0.borrow_mut().free = 1 << 30;
    bench.pass(3600);
    assert_eq!(bench.state(), (State::Downloading, None));
}

#[test]
fn a_kept_model_that_this_version_cannot_load_gives_way_to_the_one_before() {
    let mut bench = Bench::new();
    bench.install(7);
    bench.install(8);
    let refusal = Refusal::new(Reason::ModelRefused, "another schema");
    bench.run(Event::NotLoaded(refusal.clone()));
    assert_eq!((bench.state(), bench.release()), ((State::RolledBack, Some(Reason::ModelRefused)), 7));
    assert_eq!(bench.updater.store().state().bad, []);
    bench.run(Event::NotLoaded(refusal));
    assert_eq!(bench.release(), 0);
}

#[test]
fn the_narrower_limit_holds() {
    let mut narrow = manifest(7, b"m");
    Device { max_row_us: 10, max_memory_kib: 1 << 20, ..device() }.narrow(&mut narrow);
    assert_eq!((narrow.self_test.max_row_us, narrow.self_test.max_memory_kib), (10, 65_536));
}

/// Messages for the property: some rightly signed, some not.
static MESSAGES: LazyLock<Vec<(Desired, bool)>> = LazyLock::new(|| {
    let mut forged = right(7, 7, 0, None);
    forged.manifest.signatures.pop();
    vec![
        (right(1, 1, 0, None), true),
        (right(2, 2, 1, None), true),
        (right(3, 3, 1, None), true),
        (right(4, 2, 2, None), true),
        (right(5, 4, 4, None), true),
        (right(6, 5, 0, Some(4)), true),
        (right(7, 6, 6, Some(4)), true),
        (forged, false),
    ]
});

fn step(bench: &mut Bench, kind: u8, which: u8) {
    let refusal = Refusal::new(Reason::TooSlow, "slow");
    match kind % 16 {
        0..=2 => {
            let (desired, right) = &MESSAGES[usize::from(which) % MESSAGES.len()];
            if *right {
                bench.signed.insert(Digest::of(&desired.manifest.payload));
            }
            bench.run(Event::Desired(&message(desired)));
        }
        3 => bench.run(Event::Desired(if which.is_multiple_of(2) { b"" } else { b"{\"schema\":" })),
        4..=6 => {
            // Mostly the right blocks.
            let target = bench.updater.reported("gw-1", bench.at).target.map_or(1, |target| target.release);
            bench.answer(if which < 230 { target } else { 7 });
        }
        7 => bench.run(Event::Block { transfer: "0011223344556677", index: u32::from(which), octets: b"x" }),
        8 => {
            // Only who was asked to test says that a test passed.
            let outcome = if bench.testing.is_some() && which < 200 { Ok(()) } else { Err(refusal) };
            bench.run(Event::SelfTested(outcome));
            bench.testing = None;
        }
        9 => {
            let new_hostile = if which < 200 { 0 } else { 1000 };
            bench.run(Event::Shadowed(Shadow { rows: 1000, new_hostile, ..Shadow::default() }));
        }
        10 => {
            let hostile = if which < 200 { 0 } else { 1000 };
            bench.run(Event::Probed(Probe { rows: 1000, hostile, ..Probe::default() }));
        }
        11 if which < 30 => bench.run(Event::NotLoaded(refusal)),
        11 if which < 60 => bench.run(Event::GoBack),
        12 => {
            bench.at.clock.synchronised = !which.is_multiple_of(4);
            bench.pass(1);
        }
        13 if which.is_multiple_of(2) => {
            bench.run(Event::Stop);
            bench.restart(&bench.disk.content());
        }
        _ => bench.pass([1, 5, 10, 61][usize::from(which) % 4]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// No sequence of events, failing operations and power cuts ends with no model, with one that was not signed and
    /// tested, or with a release below the floor. `Bench` looks at every model that is loaded.
    #[test]
    fn whatever_happens(
        steps in prop::collection::vec((any::<u8>(), any::<u8>(), 0u8..12, any::<prop::sample::Index>()), 1..60)
    ) {
        let mut bench = Bench::new();
        let mut floor = 0;
        for (kind, which, mishap, choice) in steps {
            match mishap {
                0 => {
                    // Before one of the next operations, or after the last one.
                    let disk = bench.disk.clone();
                    let before = disk.0.borrow().operations + choice.index(16);
                    disk.0.borrow_mut().cuts = Cuts::Every;
                    disk.0.borrow_mut().only = Some(before);
                    step(&mut bench, kind, which);
                    bench.disk.0.borrow_mut().only = None;
                    if disk.0.borrow().after_cuts.is_empty() {
                        bench.disk.cut();
                    }
                    let after = std::mem::take(&mut disk.0.borrow_mut().after_cuts);
                    // None after a restart, which leaves nothing half done.
                    if !after.is_empty() {
                        let content = after.iter().nth(choice.index(after.len())).cloned().unwrap();
                        bench.restart(&content);
                        // What a cut undid was never promised.
                        floor = 0;
                    }
                }
                1 => {
                    let operations = bench.disk.0.borrow().operations;
                    let fails = (operations + 1 + choice.index(12), io::ErrorKind::Other);
                    bench.disk.0.borrow_mut().fails = Some(fails);
                    step(&mut bench, kind, which);
                }
                _ => step(&mut bench, kind, which),
            }
            let running = bench.using.expect("there is always a model");
            if running.place != Place::Factory {
                prop_assert!(running.installed.release >= floor);
            }
            let now = bench.updater.store().trust().floor();
            prop_assert!(now >= floor);
            floor = now;
        }
    }
}
