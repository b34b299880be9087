//! Updates that go well, and what is left of them.

use super::*;
use crate::update::document::Shadow;
use crate::update::machine::Probe;

#[test]
fn from_the_message_to_the_model_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(folder.path());
    assert_eq!((rig.state(), rig.release()), ((State::Idle, None), 0));
    rig.send(&message(&desired(1, 5)));
    assert_eq!(rig.state().0, State::Downloading);
    rig.serve(&default_model());
    rig.pass(1);
    assert_eq!((rig.state(), rig.release()), ((State::Shadow, None), 0));
    rig.pass(3);
    assert_eq!((rig.state(), rig.release()), ((State::Probation, None), 5));
    let shadow = rig.reported().shadow.unwrap();
    assert!(shadow.rows >= 20 && shadow.agreed == shadow.rows && shadow.unscored == 0, "{shadow:?}");
    rig.pass(30);
    assert_eq!((rig.state(), rig.release()), ((State::Committed, None), 5));
    assert_eq!(rig.runner.board.health().update, Part::ok());
    // After a restart it is in use again, without another trial.
    let mut rig = rig.crash();
    rig.pass(2);
    assert_eq!((rig.state(), rig.release()), ((State::Idle, None), 5));
    assert_eq!(rig.live.labels(), [OnnxScorer::from_bytes(&default_model()).unwrap().info().label()]);
}

#[test]
fn by_hand_without_a_broker() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(folder.path());
    rig.runner.inbox = Some(Inbox::new(inbox.path().to_owned()));
    let desired = desired(1, 5);
    let bundle = Bundle {
        manifest: manifest(5, &default_model()),
        sha256: Digest::of(&desired.manifest.payload),
        envelope: desired.manifest.clone(),
        model: default_model(),
    };
    std::fs::write(inbox.path().join("5.bundle"), bundle.to_octets().unwrap()).unwrap();
    std::fs::write(inbox.path().join("5.json"), message(&desired)).unwrap();
    rig.pass(40);
    assert_eq!((rig.state(), rig.release()), ((State::Committed, None), 5));
    // Nobody was asked for a block.
    assert_eq!(rig.runner.mailbox.for_broker(Duration::ZERO).unwrap().get, None);
}

#[test]
fn the_operator_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(folder.path());
    rig.install(1, 5);
    rig.install(2, 6);
    assert_eq!(rig.release(), 6);
    for release in [5, 0] {
        rig.runner.orders.give(Command::GoBack).unwrap();
        rig.pass(2);
        assert_eq!((rig.state(), rig.release()), ((State::RolledBack, Some(Reason::RolledBack)), release));
    }
    assert_eq!(rig.live.models().len(), 1, "the factory's model");
}

/// In the shadow and on probation, what the pipeline reads decides.
#[test]
fn a_model_that_behaves_otherwise_is_taken_out() {
    let odd = |rows, old_hostile, new_hostile| Shadow {
        rows,
        agreed: 0,
        old_hostile,
        new_hostile,
        unscored: 0,
        p99_us: 5,
    };
    let fine = odd(100, 10, 10);
    let probe = |hostile, unscored, p99_us| Probe { rows: 1000, hostile, unscored, p99_us };
    for (what, shadow, then, wanted) in [
        ("shadow: too many", odd(100, 1, 90), None, (State::Failed, Reason::AlertRatio)),
        ("shadow: blind", odd(100, 90, 1), None, (State::Failed, Reason::AlertRatio)),
        ("shadow: slow", Shadow { p99_us: 2_000_000, ..fine }, None, (State::Failed, Reason::TooSlow)),
        ("shadow: fails", Shadow { unscored: 50, ..fine }, None, (State::Failed, Reason::ScoringFailed)),
        ("explosion", fine, Some(probe(900, 0, 5)), (State::RolledBack, Reason::AlertExplosion)),
        ("slow", fine, Some(probe(100, 0, 2_000_000)), (State::RolledBack, Reason::TooSlow)),
        ("fails", fine, Some(probe(100, 100, 5)), (State::RolledBack, Reason::ScoringFailed)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut rig = Rig::new(folder.path());
        rig.send(&message(&desired(1, 5)));
        rig.serve(&default_model());
        rig.runner.step(None, rig.at);
        assert_eq!(rig.state().0, State::Shadow, "{what}");
        rig.at.uptime_ms += 1000;
        rig.runner.desk.leave(Some(shadow), Probe::default());
        rig.runner.step(None, rig.at);
        if let Some(probe) = then {
            assert_eq!((rig.state().0, rig.release()), (State::Probation, 5), "{what}");
            rig.at.uptime_ms += 1000;
            rig.runner.desk.leave(None, probe);
            rig.runner.step(None, rig.at);
        }
        assert_eq!(rig.state(), (wanted.0, Some(wanted.1)), "{what}");
        assert_eq!((rig.release(), rig.reported().bad), (0, vec![5]), "{what}");
        assert_eq!(rig.runner.state.using.place, Place::Factory, "{what}");
    }
}

#[test]
fn three_crashes_on_probation_bring_the_old_model_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(folder.path());
    rig.send(&message(&desired(1, 5)));
    rig.serve(&default_model());
    rig.pass(4);
    assert_eq!((rig.state().0, rig.release()), (State::Probation, 5));
    for _ in 0..2 {
        rig = rig.crash();
        assert_eq!((rig.state().0, rig.release()), (State::Probation, 5));
    }
    rig = rig.crash();
    rig.pass(2);
    assert_eq!((rig.release(), rig.reported().bad), (0, vec![5]));
}

#[test]
fn without_a_clock_nothing_is_installed_and_detection_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(folder.path());
    rig.at.clock.synchronised = false;
    rig.send(&message(&desired(1, 5)));
    assert_eq!(rig.state(), (State::Deferred, Some(Reason::ClockUntrusted)));
    rig.at.clock.synchronised = true;
    rig.pass(61);
    assert_eq!(rig.state().0, State::Downloading);
}

#[test]
fn silence_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(folder.path());
    rig.install(1, 5);
    assert_eq!(rig.runner.board.health().update, Part::ok());
    rig.at.clock.now = rig.at.clock.now.after(15 * 86_400);
    rig.pass(2);
    let part = rig.runner.board.health().update;
    assert_eq!(part.state, Condition::Degraded);
    assert!(part.reason.unwrap().starts_with("update_stale"));
    assert_eq!(rig.release(), 5);
}

/// The number of updates, in the environment of the process whose memory is measured.
const UPDATES: &str = "PICKET_UPDATES";

/// Of 200 updates nothing stays in memory. `PICKET_UPDATES` sets another number.
#[test]
fn memory_stays_as_it_is() {
    // Other tests of this process allocate, too: they may not count.
    if std::env::var_os(ALONE).is_none() {
        let count = std::env::var(UPDATES).unwrap_or_else(|_| "30".into());
        let out = alone("course::memory_stays_as_it_is", "1").env(UPDATES, count).output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout);
        print!("{said}");
        assert!(
            out.status.success() && said.contains("1 passed"),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        return;
    }
    let count: u64 = std::env::var(UPDATES).unwrap().parse().unwrap();
    let anonymous_kib = || {
        let text = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = text.lines().find(|line| line.starts_with("RssAnon")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<i64>().unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(folder.path());
    let mut before = 0;
    for release in 1..=count {
        rig.install(release, release);
        assert_eq!((rig.state(), rig.release()), ((State::Committed, None), release));
        // What is allocated once is there by then.
        if release == 10 {
            before = anonymous_kib();
        }
    }
    let after = anonymous_kib();
    println!("{count} updates: {before} KiB, then {after} KiB");
    assert!(after - before <= 1024, "{before} KiB, then {after} KiB");
}
