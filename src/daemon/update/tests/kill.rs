//! The process is killed at any moment of updates that follow one another without a pause, on a real disk.

use std::io::Read as _;
use std::process::Stdio;
use std::time::Instant;

use super::*;

/// How often it is killed.
const KILLS: &str = "PICKET_KILLS";

/// What a crash may not have damaged. Returns the release that would run.
fn look(folder: &Path, last: u64) -> u64 {
    let (store, opened) = Store::open(Folder::open(folder).unwrap(), &trust().root, Moment(NOW.0 - 1000));
    assert!(!opened.state_lost && !opened.fell_back, "{opened:?}");
    let running = store.running();
    let release = running.installed.release;
    assert!(release >= last, "release {release} after {last}");
    assert!(release == 0 || release >= store.trust().floor(), "not below the floor");
    if running.place != Place::Factory {
        let bundle = store.load(running.place).expect("what runs is whole");
        assert_eq!((bundle.manifest.release, bundle.model), (release, default_model()));
    }
    // The one to go back to is whole, too, unless it was being overwritten, and then it is not there.
    if let Some(previous) = store.state().previous.filter(|place| *place != Place::Factory) {
        store.load(previous).expect("the rollback target is whole");
    }
    store.kept().installed.release
}

/// Not a test: what [`killed_at_any_moment`] kills.
#[test]
fn updates_without_end() {
    let Ok(folder) = std::env::var(ALONE) else { return };
    let mut rig = Rig::new(Path::new(&folder));
    println!("\nready");
    loop {
        let trust = rig.runner.updater.store().trust();
        let newest = rig.runner.updater.store().newest().release;
        let next = newest.max(trust.bad.iter().map(|bad| bad.release).max().unwrap_or(0)) + 1;
        let seq = trust.seen.map_or(1, |seen| seen.seq + 1);
        // A crash in the middle may have left it on its way already.
        if rig.runner.updater.store().state().pending.is_some() {
            rig.pass(60);
            continue;
        }
        let mut manifest = manifest(next, &default_model());
        manifest.floor = next.saturating_sub(2);
        rig.send(&message(&desired_of(seq, &manifest)));
        rig.serve(&default_model());
        rig.pass(40);
    }
}

#[test]
fn killed_at_any_moment() {
    let kills: u32 = std::env::var(KILLS).map_or(10, |kills| kills.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (mut last, mut random) = (0, 0x9e37_79b9_7f4a_7c15_u64);
    let mut grown = 0;
    for _ in 0..kills {
        let mut child =
            alone("kill::updates_without_end", folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"ready\n") {
            let mut octet = [0];
            assert_eq!(out.read(&mut octet).unwrap(), 1, "it ended by itself");
            said.push(octet[0]);
        }
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let until = Instant::now() + Duration::from_micros(random % 400_000);
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
        child.kill().unwrap();
        child.wait().unwrap();
        let kept = look(folder.path(), last);
        grown += u32::from(kept > last);
        last = last.max(kept);
    }
    println!("{kills} kills, {last} releases kept, in {grown} lives at least one");
    assert!(kills < 100 || last > 0, "updates were under way");
}
