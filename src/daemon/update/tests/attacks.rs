//! Every attack is refused with its own reason, and the old model goes on.

use super::*;
use crate::update::document::{Root, Timestamp};
use crate::update::trust::Kind;
use crate::update::trust::fixture::{ROOT, root, sign_root, signed};

/// A device on which release 5 is kept, below which 3 and less are never installed again.
fn rig(folder: &Path) -> Rig {
    let mut rig = Rig::new(folder);
    rig.install(10, 5);
    assert_eq!((rig.state(), rig.release()), ((State::Committed, None), 5));
    rig
}

/// That it is still as it was.
#[track_caller]
fn assert_unharmed(rig: &mut Rig, what: &str) {
    let using = rig.runner.state.using;
    assert_eq!((rig.release(), using.installed.release), (5, 5), "{what}");
    rig.pass(2);
    let mut verdicts = [Verdict::ABSTAINED];
    rig.live.score(0, &[FeatureVector::ZERO], &mut verdicts);
    assert!(!verdicts[0].abstains, "{what}: it scores");
}

fn with_manifest(change: impl FnOnce(&mut Manifest)) -> Desired {
    let mut manifest = manifest(7, &default_model());
    change(&mut manifest);
    desired_of(11, &manifest)
}

fn with_timestamp(change: impl FnOnce(&mut Timestamp)) -> Desired {
    let mut desired = desired(11, 7);
    let mut stamp = timestamp(11, &desired.manifest, 7);
    change(&mut stamp);
    desired.timestamp = sign_timestamp(&stamp, &TIMESTAMP);
    desired
}

fn with(change: impl FnOnce(&mut Desired)) -> Desired {
    let mut desired = desired(11, 7);
    change(&mut desired);
    desired
}

#[test]
fn messages() {
    let another_version = |release: u64| {
        let mut manifest = manifest(release, &default_model());
        manifest.probation.active_seconds += 1;
        desired_of(11, &manifest)
    };
    let attacks: Vec<(&str, Desired, Reason)> = vec![
        ("unsigned", with(|d| d.manifest.signatures.clear()), Reason::Unsigned),
        ("one signature of two", with(|d| d.manifest.signatures.truncate(1)), Reason::TooFewSignatures),
        (
            "the same key twice",
            with(|d| d.manifest.signatures[1] = d.manifest.signatures[0].clone()),
            Reason::DuplicateSignature,
        ),
        (
            "the wrong role",
            with(|d| d.manifest = signed(Kind::Manifest, d.manifest.payload.clone(), &[1, 2])),
            Reason::WrongRole,
        ),
        (
            "a key that nobody knows",
            with(|d| d.manifest = signed(Kind::Manifest, d.manifest.payload.clone(), &[90, 91])),
            Reason::UnknownKey,
        ),
        ("a changed payload", with(|d| d.manifest.payload.push(b' ')), Reason::BadSignature),
        (
            "the wrong payload type",
            with(|d| d.manifest.payload_type = Kind::Root.payload_type().to_owned()),
            Reason::WrongType,
        ),
        ("an older release", desired(11, 4), Reason::ReleaseOlder),
        ("an equal release with other content", another_version(5), Reason::ReleaseConflict),
        ("below the floor", desired(11, 2), Reason::BelowFloor),
        ("expired", with_manifest(|m| m.expires = Moment(NOW.0 - 1)), Reason::ManifestExpired),
        ("a frozen timestamp", with_timestamp(|t| t.expires = Moment(NOW.0 - 1)), Reason::TimestampExpired),
        ("an older timestamp", desired(9, 7), Reason::TimestampOlder),
        (
            "mix and match",
            Desired { timestamp: desired(12, 8).timestamp, ..desired(11, 7) },
            Reason::MixAndMatch,
        ),
        (
            "a root that skips a version",
            with(|d| d.roots.push(sign_root(&root(3), &ROOT))),
            Reason::RootSkipped,
        ),
        (
            "a root that lowers the floor",
            with(|d| {
                d.roots.push(sign_root(&Root { floor: 4, ..root(2) }, &ROOT));
                d.roots.push(sign_root(&Root { floor: 1, ..root(3) }, &ROOT));
            }),
            Reason::FloorLowered,
        ),
        ("a model that is too large", with_manifest(|m| m.artifact.length = (1 << 20) + 1), Reason::TooLarge),
        (
            "another schema",
            with_manifest(|m| m.compat.schema_hash = "0000000000000000".to_owned()),
            Reason::SchemaMismatch,
        ),
        (
            "a class of no name",
            with_manifest(|m| m.compat.classes[1] = "aliens".to_owned()),
            Reason::UnknownClass,
        ),
        ("another format", with_manifest(|m| m.compat.format = "pickle".to_owned()), Reason::UnknownFormat),
        (
            "for a newer daemon",
            with_manifest(|m| m.compat.min_daemon = "99.0.0".to_owned()),
            Reason::DaemonTooOld,
        ),
    ];
    for (what, attack, reason) in attacks {
        let folder = tempfile::tempdir().unwrap();
        let mut rig = rig(folder.path());
        rig.send(&message(&attack));
        assert_eq!(rig.state(), (State::Failed, Some(reason)), "{what}");
        assert_eq!(rig.runner.mailbox.for_broker(Duration::ZERO).and_then(|out| out.get), None, "{what}");
        assert_unharmed(&mut rig, what);
    }
}

#[test]
fn oversize_and_nonsense() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = rig(folder.path());
    rig.send(&vec![b' '; 1 << 20]);
    assert_eq!(rig.state(), (State::Failed, Some(Reason::TooLarge)));
    for nonsense in [&b"{"[..], b"[]", b"\xff\xfe", b"{\"schema\":\"picket.update.desired/1\"}"] {
        rig.send(nonsense);
        assert_eq!(rig.state(), (State::Failed, Some(Reason::Malformed)));
    }
    assert_unharmed(&mut rig, "nonsense");
}

#[test]
fn a_replayed_message() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = rig(folder.path());
    rig.send(&message(&desired(10, 5)));
    assert_eq!(rig.state(), (State::Committed, None), "the same again changes nothing");
    rig.install(11, 6);
    rig.send(&message(&desired(10, 5)));
    assert_eq!((rig.state().1, rig.release()), (Some(Reason::TimestampOlder), 6));
}

#[test]
fn a_flood_of_messages() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = rig(folder.path());
    rig.pass(10);
    for _ in 0..1000 {
        rig.runner.mailbox.desired(Origin::Sensor, b"{}");
    }
    rig.second();
    assert_eq!(rig.runner.mailbox.dropped()[&Reason::RateLimited], 999);
    assert_unharmed(&mut rig, "flood");
}

/// Blocks that nobody asked for, of another transfer, of a wrong length, again, and without end.
#[test]
fn blocks() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = rig(folder.path());
    let mailbox = rig.runner.mailbox.clone();
    assert!(!mailbox.block("0123456789abcdef", 0, b"early"));
    rig.send(&message(&desired(11, 7)));
    let get = mailbox.for_broker(Duration::ZERO).unwrap().get.unwrap();
    let model = default_model();
    let block = &model[..model.len().min(BLOCK_BYTES as usize)];
    assert!(!mailbox.block("0123456789abcdef", 0, block));
    assert!(!mailbox.block(&get.transfer, 99, block));
    // The box takes it, as it is not too large; the machine knows its length.
    assert!(mailbox.block(&get.transfer, 0, &block[1..]));
    rig.second();
    for _ in 0..10_000 {
        assert!(!mailbox.block(&get.transfer, 0, block));
    }
    let dropped = mailbox.dropped();
    assert_eq!((dropped[&Reason::ForeignTransfer], dropped[&Reason::UnwantedBlock]), (2, 10_001));
    assert_eq!(rig.runner.updater.dropped()[&Reason::WrongBlock], 1);
    assert_eq!(rig.state().0, State::Downloading);
    assert_unharmed(&mut rig, "blocks");
    // It is asked for again, and then comes.
    rig.pass(11);
    rig.serve(&model);
    rig.pass(40);
    assert_eq!((rig.state(), rig.release()), ((State::Committed, None), 7));
}

#[test]
fn blocks_of_another_model() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = rig(folder.path());
    rig.send(&message(&desired(11, 7)));
    let mut model = default_model();
    *model.last_mut().unwrap() ^= 1;
    rig.serve(&model);
    assert_eq!(rig.state(), (State::Failed, Some(Reason::DigestMismatch)));
    assert_unharmed(&mut rig, "another model");
}

#[test]
fn nobody_sends_the_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = rig(folder.path());
    rig.send(&message(&desired(11, 7)));
    rig.pass(400);
    assert_eq!(rig.state(), (State::Failed, Some(Reason::DownloadTimeout)));
    assert_unharmed(&mut rig, "silence");
}

/// Models by somebody who has the keys.
#[test]
fn models() {
    let model = default_model();
    // A name of an operator as long, that no runtime has.
    let place = model.windows(7).position(|name| name == b"Softmax").unwrap();
    let unknown_op = [&model[..place], b"Hardmix", &model[place + 7..]].concat();
    let golden_wrong = {
        let mut manifest = manifest(7, &model);
        manifest.self_test.rows[0].probs.rotate_left(1);
        manifest
    };
    let another_name = Manifest { name: "other".to_owned(), ..manifest(7, &model) };
    for (what, octets, manifest, reason) in [
        ("an unknown operator", &unknown_op, manifest(7, &unknown_op), Reason::ModelRefused),
        ("golden vectors that do not hold", &model, golden_wrong, Reason::GoldenVectors),
        ("another name than the manifest says", &model, another_name, Reason::ModelRefused),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut rig = rig(folder.path());
        rig.send(&message(&desired_of(11, &manifest)));
        rig.serve(octets);
        rig.pass(2);
        assert_eq!(rig.state(), (State::Failed, Some(reason)), "{what}");
        assert_eq!(rig.reported().bad, [7], "{what}");
        assert_unharmed(&mut rig, what);
        // It is not tried twice.
        rig.send(&message(&desired_of(12, &manifest)));
        assert_eq!(rig.state(), (State::Failed, Some(Reason::KnownBad)), "{what}");
    }
}

/// What the self-test's process found, whatever it is.
#[test]
fn ends_of_the_self_test() {
    for reason in [
        Reason::TooSlow,
        Reason::TooMuchMemory,
        Reason::SelfTestCrashed,
        Reason::SelfTestTimeout,
        Reason::SelfTestFailed,
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut rig = rig(folder.path());
        rig.runner.trial.outcome = Some(Err(Refusal::new(reason, "so it ended")));
        rig.send(&message(&desired(11, 7)));
        rig.serve(&default_model());
        rig.pass(2);
        assert_eq!(rig.state(), (State::Failed, Some(reason)));
        // A test that could not be made says nothing of the release.
        let bad: &[u64] = if reason == Reason::SelfTestFailed { &[] } else { &[7] };
        assert_eq!(rig.reported().bad, bad);
        assert_unharmed(&mut rig, reason.code());
    }
}
