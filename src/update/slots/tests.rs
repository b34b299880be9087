//! The store on a real folder: what it remembers, what it refuses, what it falls back to.

use std::fs;
use std::io;
use std::path::Path;

use tempfile::TempDir;

use super::disk::{Content, Cuts, Disk};
use super::simulation::{BLOCK, BUILT, anchor, model, offer};
use super::store::{Fault, Opened, Store};
use super::{Fetching, Files, Folder, Place};
use crate::update::document::{Moment, Root};
use crate::update::reason::Reason;
use crate::update::trust::fixture::{NOW, ROOT, root, sign_root};
use crate::update::trust::{Offer, SignedRoot};

fn open(path: &Path) -> (Store<Folder>, Opened) {
    Store::open(Folder::open(path).unwrap(), &anchor(), BUILT)
}

fn block(offer: &Offer, index: u32) -> Vec<u8> {
    let model = model(offer.manifest.release);
    model.chunks(BLOCK as usize).nth(index as usize).unwrap().to_vec()
}

fn fetch(store: &mut Store<impl Files>, offer: &Offer) -> Fetching {
    let mut fetching = store.begin(offer, BLOCK).unwrap();
    let missing: Vec<u32> = fetching.blocks.missing().collect();
    for index in missing {
        store.put(&mut fetching, index, &block(offer, index)).unwrap();
    }
    fetching
}

fn install(store: &mut Store<impl Files>, release: u64, floor: u64) {
    let (offer, learned) = offer(release, floor, None);
    store.learn(&learned).unwrap();
    fetch(store, &offer);
    store.stage(&offer).unwrap();
    store.attempt().unwrap();
    store.activate().unwrap();
    store.commit().unwrap();
}

fn release(store: &Store<impl Files>) -> u64 {
    store.running().installed.release
}

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, Fault>) -> Reason {
    outcome.expect_err("refused").reason()
}

#[test]
fn everything_is_remembered() {
    let folder = TempDir::new().unwrap();
    let (mut store, opened) = open(folder.path());
    assert_eq!((opened, store.running().place), (Opened::default(), Place::Factory));
    install(&mut store, 6, 5);
    install(&mut store, 7, 6);
    store.save_time(NOW).unwrap();
    let (state, trust) = (store.state().clone(), store.trust());
    drop(store);
    let (store, opened) = open(folder.path());
    assert_eq!((store.state(), store.trust(), opened), (&state, trust, Opened::default()));
    assert_eq!((release(&store), store.trust().floor(), store.trust().seen.unwrap().seq), (7, 6, 7));
    assert_eq!(store.load(store.running().place).unwrap().model, model(7));
    assert_eq!(store.state().previous, Some(Place::A));
    for name in ["state.json", "A", "B"] {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(!folder.path().join("part").exists() && !folder.path().join("new").exists());
}

#[test]
fn only_one_process_has_the_folder() {
    let folder = TempDir::new().unwrap();
    let first = Folder::open(folder.path()).unwrap();
    assert_eq!(Folder::open(folder.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(first);
    assert!(Folder::open(folder.path()).is_ok());
}

#[test]
fn a_transfer_goes_on_where_it_was_left() {
    let (offer, _) = offer(7, 0, None);
    let disk = Disk::new(&Content::new(), Cuts::No);
    let (mut store, _) = Store::open(disk.clone(), &anchor(), BUILT);
    store.set_record_every(1);
    let mut fetching = store.begin(&offer, BLOCK).unwrap();
    store.put(&mut fetching, 2, &block(&offer, 2)).unwrap();
    drop(store);
    let (mut store, _) = Store::open(disk.clone(), &anchor(), BUILT);
    let fetching = store.begin(&offer, BLOCK).unwrap();
    assert_eq!(fetching.blocks.missing().collect::<Vec<_>>(), [0, 1]);
    // Other blocks, or another release: from the beginning.
    assert_eq!(store.begin(&offer, BLOCK + 1).unwrap().blocks.count(), 0);
    fetch(&mut store, &offer);
    store.stage(&offer).unwrap();
    assert_eq!(store.newest().release, 7);
}

#[test]
fn a_block_that_does_not_belong_there() {
    let (offer, _) = offer(7, 0, None);
    let (mut store, _) = Store::open(Disk::new(&Content::new(), Cuts::No), &anchor(), BUILT);
    let mut fetching = store.begin(&offer, BLOCK).unwrap();
    for (index, octets) in [(3, BLOCK), (u32::MAX, BLOCK), (2, BLOCK), (0, BLOCK - 1), (0, BLOCK + 1), (0, 0)]
    {
        let outcome = store.put(&mut fetching, index, &vec![0; octets as usize]);
        assert_eq!(refused(outcome), Reason::WrongBlock, "{index} {octets}");
    }
    store.put(&mut fetching, 0, &block(&offer, 0)).unwrap();
    assert_eq!(refused(store.put(&mut fetching, 0, &[0; BLOCK as usize])), Reason::UnwantedBlock);
}

#[test]
fn blocks_with_other_content_are_thrown_away_together() {
    let (offer, _) = offer(7, 0, None);
    let disk = Disk::new(&Content::new(), Cuts::No);
    let (mut store, _) = Store::open(disk.clone(), &anchor(), BUILT);
    let mut fetching = store.begin(&offer, BLOCK).unwrap();
    for index in 0..3 {
        let mut octets = block(&offer, index);
        octets[0] ^= u8::from(index == 1);
        store.put(&mut fetching, index, &octets).unwrap();
    }
    assert_eq!(refused(store.stage(&offer)), Reason::DigestMismatch);
    assert_eq!(disk.content().get("part"), None);
    // What is on the disk counts, not what came.
    let (mut store, _) = Store::open(disk.clone(), &anchor(), BUILT);
    fetch(&mut store, &offer);
    disk.clone().write("part", 400, b"x").unwrap();
    assert_eq!(refused(store.stage(&offer)), Reason::DigestMismatch);
    assert_eq!(release(&store), 0);
}

#[test]
fn a_full_disk_is_known_before_the_first_octet() {
    let (offer, _) = offer(7, 0, None);
    let disk = Disk::new(&Content::new(), Cuts::No);
    let (mut store, _) = Store::open(disk.clone(), &anchor(), BUILT);
    disk.0.borrow_mut().free = 2 * offer.manifest.artifact.length + (256 << 10) - 1;
    assert_eq!(refused(store.begin(&offer, BLOCK)), Reason::NoSpace);
    assert!(disk.content().is_empty());
    disk.0.borrow_mut().free += 1;
    assert!(store.begin(&offer, BLOCK).is_ok());
}

#[test]
fn a_damaged_state_is_read_from_its_copy_and_two_are_lost() {
    let folder = TempDir::new().unwrap();
    let (mut store, _) = open(folder.path());
    install(&mut store, 6, 5);
    drop(store);
    let damage = |name: &str| {
        let path = folder.path().join(name);
        let mut octets = fs::read(&path).unwrap();
        let middle = octets.len() / 2;
        octets[middle] ^= 1;
        fs::write(path, octets).unwrap();
    };
    damage("state.json");
    let (store, opened) = open(folder.path());
    assert_eq!((release(&store), opened.state_lost), (6, false));
    drop(store);
    damage("state.bak");
    let (store, opened) = open(folder.path());
    assert_eq!((release(&store), opened.state_lost), (0, true));
}

#[test]
fn a_damaged_slot_gives_way_to_the_one_before_and_that_to_the_factory() {
    let folder = TempDir::new().unwrap();
    let (mut store, _) = open(folder.path());
    install(&mut store, 6, 5);
    install(&mut store, 7, 5);
    drop(store);
    fs::write(folder.path().join("B"), b"picket-bundle/1 0 0\n\n").unwrap();
    let (store, opened) = open(folder.path());
    assert_eq!((release(&store), opened.fell_back), (6, true));
    drop(store);
    fs::remove_file(folder.path().join("A")).unwrap();
    let (store, opened) = open(folder.path());
    assert_eq!((store.running().place, opened.fell_back), (Place::Factory, true));
}

#[test]
fn a_model_before_that_lies_below_the_floor_is_not_gone_back_to() {
    let folder = TempDir::new().unwrap();
    let (mut store, _) = open(folder.path());
    install(&mut store, 6, 5);
    install(&mut store, 7, 7);
    assert_eq!(store.go_back().unwrap().place, Place::Factory);
    assert_eq!(store.state().bad[0].release, 7);
    assert_eq!(refused(store.go_back()), Reason::RolledBack);
}

#[test]
fn attempts_are_counted_before_and_given_back_in_order() {
    let folder = TempDir::new().unwrap();
    let (mut store, _) = open(folder.path());
    install(&mut store, 6, 5);
    let (offer, _) = offer(7, 0, None);
    fetch(&mut store, &offer);
    store.stage(&offer).unwrap();
    assert_eq!(refused(store.commit()), Reason::InputOutput, "it is not in use");
    for left in [2, 2, 1, 0] {
        let (_, opened) = {
            drop(store);
            let (reopened, opened) = open(folder.path());
            store = reopened;
            ((), opened)
        };
        assert_eq!(opened, Opened::default());
        assert_eq!(store.attempt().unwrap(), left);
        if store.state().pending.is_some_and(|pending| !pending.in_use) {
            store.activate().unwrap();
            store.rest().unwrap();
        }
        assert_eq!(release(&store), 7);
    }
    assert_eq!(refused(store.attempt()), Reason::ProbationCrashed);
    drop(store);
    let (store, opened) = open(folder.path());
    assert_eq!((release(&store), opened.gave_up), (6, Some((7, Reason::ProbationCrashed))));
    assert_eq!(store.state().bad[0].release, 7);
    drop(store);
    assert_eq!(open(folder.path()).1, Opened::default(), "told once");
}

#[test]
fn a_slot_in_use_is_not_written() {
    let (mut store, _) = Store::open(Disk::new(&Content::new(), Cuts::No), &anchor(), BUILT);
    let (seven, _) = offer(7, 0, None);
    fetch(&mut store, &seven);
    store.stage(&seven).unwrap();
    store.activate().unwrap();
    let (eight, _) = offer(8, 0, None);
    fetch(&mut store, &eight);
    assert_eq!(refused(store.stage(&eight)), Reason::InputOutput);
    assert_eq!(store.load(store.running().place).unwrap().model, model(7));
}

#[test]
fn a_root_file_of_the_operator_takes_over_and_the_floor_stays() {
    let folder = TempDir::new().unwrap();
    let (mut store, _) = open(folder.path());
    install(&mut store, 6, 5);
    drop(store);
    let envelope = sign_root(&Root { issued: Moment(NOW.0 - 7), ..root(1) }, &ROOT);
    let other = SignedRoot::from_file(envelope.to_json().unwrap().as_bytes()).unwrap();
    let (store, opened) = Store::open(Folder::open(folder.path()).unwrap(), &other, BUILT);
    let trust = store.trust();
    assert!(opened.new_anchor);
    assert_eq!((trust.root, trust.seen, trust.floor, release(&store)), (other.clone(), None, 5, 6));
    drop(store);
    let (_, opened) = Store::open(Folder::open(folder.path()).unwrap(), &other, BUILT);
    assert!(!opened.new_anchor);
}

#[test]
fn releases_that_failed_are_remembered_up_to_a_number() {
    let (mut store, _) = Store::open(Disk::new(&Content::new(), Cuts::No), &anchor(), BUILT);
    for release in 1..=20 {
        let (offer, _) = offer(release, 0, None);
        fetch(&mut store, &offer);
        store.stage(&offer).unwrap();
        store.give_up().unwrap();
    }
    let bad: Vec<u64> = store.state().bad.iter().map(|bad| bad.release).collect();
    assert_eq!(bad, (5..=20).collect::<Vec<_>>());
}
