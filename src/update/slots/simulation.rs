//! The power fails at every point of an update, again and again, and every disk that can be left behind is opened by
//! the same code.
//!
//! For each scenario all disks that any sequence of power cuts can lead to are found: a life of the daemon is run
//! from a disk, every cut of it gives more disks, until no new one comes. On each of them the daemon must start with
//! the old model or with the fully verified new one, never below the floor, and a life without a cut must end the
//! update.

use std::collections::{BTreeSet, VecDeque};
use std::io;

use super::disk::{Content, Cuts, Disk};
use super::store::{Fault, Store};
use super::{Opened, Place};
use crate::update::document::{Moment, Root};
use crate::update::trust::fixture::{
    CLOCK, MODEL, NOW, ROOT, TIMESTAMP, desired, device, manifest, message, root, sign_manifest, sign_root,
    sign_timestamp, timestamp, trust,
};
use crate::update::trust::{Offer, SignedRoot, Trust};

pub(super) const BUILT: Moment = Moment(NOW.0 - 1000);

/// Octets of a block, few so that many disks can be kept.
pub(super) const BLOCK: u32 = 8;

/// Three blocks, the last one shorter.
pub(super) fn model(release: u64) -> Vec<u8> {
    (0..2 * BLOCK + 5).map(|index| (index + 1) as u8 ^ (release as u8) << 5).collect()
}

pub(super) fn anchor() -> SignedRoot {
    trust().root
}

/// The offer of a release with this floor, as it comes out of the verification, and what is learned with it.
pub(super) fn offer(release: u64, floor: u64, root_floor: Option<u64>) -> (Offer, Trust) {
    let model = model(release);
    let mut desired = desired(release, release, &model);
    let mut manifest = manifest(release, &model);
    manifest.floor = floor;
    desired.manifest = sign_manifest(&manifest, &MODEL);
    let mut timestamp = timestamp(release, &desired.manifest, release);
    if let Some(floor) = root_floor {
        desired.roots.push(sign_root(&Root { floor, ..root(2) }, &ROOT));
        timestamp.root_version = 2;
    }
    desired.timestamp = sign_timestamp(&timestamp, &TIMESTAMP);
    let factory = super::super::trust::Installed { release: 0, manifest: None };
    let examined = trust().examine(&message(&desired), factory, &device(), CLOCK);
    (*examined.outcome.unwrap().unwrap(), examined.trust)
}

/// What happens to the new model once it is here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It passes.
    Kept,
    /// The self-test or the shadow turn it down.
    Refused,
    /// It is taken out of use again.
    RolledBack,
    /// It is kept, and the operator goes back.
    Regretted,
}

struct Scenario {
    offer: Offer,
    learned: Trust,
    fate: Fate,
}

/// One life of the daemon: from its start to the end of the update. Whatever runs in between must be whole.
fn live(disk: &Disk, scenario: &Scenario) -> Result<Store<Disk>, Fault> {
    let (mut store, _) = open(disk);
    let release = scenario.offer.manifest.release;
    store.learn(&scenario.learned)?;
    if store.newest().release < release && store.state().bad.is_empty() {
        let mut fetching = store.begin(&scenario.offer, BLOCK)?;
        let model = model(release);
        let missing: Vec<u32> = fetching.blocks.missing().collect();
        for index in missing {
            let (offset, length) = fetching.blocks.place(index).unwrap();
            let range = usize::try_from(offset).unwrap()..usize::try_from(offset + length).unwrap();
            store.put(&mut fetching, index, &model[range])?;
        }
        store.stage(&scenario.offer)?;
    }
    if let Some(pending) = store.state().pending {
        store.attempt()?;
        if scenario.fate == Fate::Refused {
            store.give_up()?;
        } else {
            if !pending.in_use {
                store.activate()?;
            }
            if scenario.fate == Fate::RolledBack {
                store.give_up()?;
            } else {
                store.commit()?;
            }
        }
    }
    if scenario.fate == Fate::Regretted && store.running().installed.release == release {
        store.go_back()?;
    }
    disk.cut();
    Ok(store)
}

fn open(disk: &Disk) -> (Store<Disk>, Opened) {
    let (mut store, opened) = Store::open(disk.clone(), &anchor(), BUILT);
    store.set_record_every(2);
    (store, opened)
}

/// The release that a start from this disk runs, checked to be whole and not below the floor.
fn start(content: &Content) -> Result<u64, String> {
    let (store, opened) = open(&Disk::new(content, Cuts::No));
    let running = store.running();
    let release = running.installed.release;
    if opened.state_lost {
        return Err("the state is lost".into());
    }
    if running.place == Place::Factory {
        return Ok(0);
    }
    let bundle = store.load(running.place).map_err(|fault| format!("release {release}: {fault}"))?;
    if bundle.model != model(bundle.manifest.release) || bundle.manifest.release != release {
        return Err(format!("release {release} is another model"));
    }
    let floor = store.trust().floor();
    if release < floor { Err(format!("release {release} below the floor {floor}")) } else { Ok(release) }
}

/// A disk on which these releases were installed one after another.
fn installed(releases: &[(u64, u64)]) -> Content {
    let disk = Disk::new(&Content::new(), Cuts::No);
    for (release, floor) in releases {
        let (offer, learned) = offer(*release, *floor, None);
        live(&disk, &Scenario { offer, learned, fate: Fate::Kept }).unwrap();
    }
    disk.content()
}

/// Disks that differ only in what the store never reads count as one: a file that was being written, and a fetched
/// part of which nothing is recorded. What stands there then is longer than anything written in its place.
fn canonical(mut content: Content) -> Content {
    let junk = vec![0x5a; 16 << 10];
    if let Some(new) = content.get_mut("new") {
        new.clone_from(&junk);
    }
    if !content.contains_key("transfer")
        && let Some(part) = content.get_mut("part")
    {
        *part = junk;
    }
    content
}

/// All disks that power cuts can lead to from `first`.
fn all_disks(first: &Content, scenario: &Scenario) -> BTreeSet<Content> {
    let mut known = BTreeSet::from([first.clone()]);
    let mut open = VecDeque::from([first.clone()]);
    while let Some(content) = open.pop_front() {
        let disk = Disk::new(&content, Cuts::Every);
        // A life that ends by a refusal (no attempt left) is a life too.
        drop(live(&disk, scenario));
        for after in std::mem::take(&mut disk.0.borrow_mut().after_cuts) {
            let after = canonical(after);
            if known.insert(after.clone()) {
                open.push_back(after);
            }
        }
    }
    known
}

/// Goes through a whole scenario; `runs` are the releases that may run, `ends` those that may run at the end.
fn exhaust(name: &str, first: &Content, scenario: &Scenario, runs: &[u64], ends: &[u64]) {
    let disks = all_disks(first, scenario);
    let mut seen = BTreeSet::new();
    for content in &disks {
        let release = start(content).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert!(runs.contains(&release), "{name}: release {release} runs");
        seen.insert(release);
        let disk = Disk::new(content, Cuts::No);
        let store = live(&disk, scenario).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        let end = store.running().installed.release;
        assert!(ends.contains(&end), "{name}: it ends with release {end}");
        assert!(store.state().pending.is_none(), "{name}: something is left undone");
    }
    println!("{name}: {} disks, 0 bad", disks.len());
    assert_eq!(seen, runs.iter().copied().collect(), "{name}: some of the releases never ran");
    assert!(disks.len() > 20, "{name}: only {} disks", disks.len());
}

#[test]
fn an_update_survives_every_power_cut() {
    let (offer, learned) = offer(7, 6, None);
    let scenario = Scenario { offer, learned, fate: Fate::Kept };
    // Ends with 6 where cuts used up the attempts.
    exhaust("update", &installed(&[(6, 5)]), &scenario, &[6, 7], &[6, 7]);
}

#[test]
fn the_first_update_survives_every_power_cut() {
    let (offer, learned) = offer(7, 0, None);
    exhaust("first", &Content::new(), &Scenario { offer, learned, fate: Fate::Kept }, &[0, 7], &[0, 7]);
}

#[test]
fn an_update_over_the_rollback_target_survives_every_power_cut() {
    let (offer, learned) = offer(8, 8, None);
    let scenario = Scenario { offer, learned, fate: Fate::Kept };
    exhaust("over", &installed(&[(6, 5), (7, 6)]), &scenario, &[7, 8], &[7, 8]);
}

#[test]
fn a_refused_update_survives_every_power_cut() {
    let (offer, learned) = offer(7, 7, None);
    let scenario = Scenario { offer, learned, fate: Fate::Refused };
    exhaust("refused", &installed(&[(6, 5)]), &scenario, &[6], &[6]);
}

#[test]
fn a_rollback_survives_every_power_cut() {
    let (offer, learned) = offer(7, 7, None);
    let scenario = Scenario { offer, learned, fate: Fate::RolledBack };
    exhaust("rollback", &installed(&[(6, 5)]), &scenario, &[6, 7], &[6]);
}

#[test]
fn an_operators_way_back_survives_every_power_cut() {
    let (offer, learned) = offer(7, 5, None);
    let scenario = Scenario { offer, learned, fate: Fate::Regretted };
    exhaust("regret", &installed(&[(6, 5)]), &scenario, &[6, 7], &[6]);
}

#[test]
fn a_root_that_revokes_the_model_in_use_survives_every_power_cut() {
    let (offer, learned) = offer(7, 7, Some(7));
    let scenario = Scenario { offer, learned, fate: Fate::Kept };
    // Between the revocation and the update the factory's model runs.
    exhaust("revoked", &installed(&[(6, 5)]), &scenario, &[0, 6, 7], &[0, 7]);
}

#[test]
fn any_operation_may_fail_and_the_power_after_it() {
    let (offer, learned) = offer(7, 6, None);
    let scenario = Scenario { offer, learned, fate: Fate::Kept };
    let first = installed(&[(6, 5)]);
    let counted = Disk::new(&first, Cuts::No);
    live(&counted, &scenario).unwrap();
    let operations = counted.0.borrow().operations;
    let mut disks = 0;
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
        for number in 1..=operations {
            let disk = Disk::new(&first, Cuts::Every);
            disk.0.borrow_mut().fails = Some((number, kind));
            // Where the copy of the state or a removal fails, the life goes on.
            drop(live(&disk, &scenario));
            disk.cut();
            for content in &disk.0.borrow().after_cuts {
                let release = start(content).unwrap_or_else(|fault| panic!("operation {number}: {fault}"));
                assert!([6, 7].contains(&release), "operation {number}: release {release}");
                disks += 1;
            }
            let store = live(&Disk::new(&disk.content(), Cuts::No), &scenario).unwrap();
            assert_eq!(store.running().installed.release, 7, "operation {number}");
        }
    }
    println!("{operations} operations, each failing in two ways: {disks} disks, 0 bad");
}

#[test]
fn the_simulation_finds_what_a_disk_that_does_not_sync_breaks() {
    let (offer, learned) = offer(7, 6, None);
    let scenario = Scenario { offer, learned, fate: Fate::Kept };
    let disk = Disk::new(&installed(&[(6, 5)]), Cuts::LyingDisk);
    live(&disk, &scenario).unwrap();
    let disks = std::mem::take(&mut disk.0.borrow_mut().after_cuts);
    let bad = disks.iter().filter(|content| !matches!(start(content), Ok(6 | 7))).count();
    println!("without fsync: {bad} of {} disks are bad", disks.len());
    assert!(bad > 0);
}
