//! Every attack on the documents is refused, each with its own reason, and what is known only ever grows.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::fixture::*;
use super::*;
use crate::update::digest::Digest;
use crate::update::document::{Desired, Moment, Root, Transport, Window};
use crate::update::reason::Reason;

const OCTETS: &[u8] = b"a model";

/// What comes of `desired` on a device on which `installed` runs.
fn examine_with(trust: &Trust, desired: &Desired, installed: Installed, clock: Clock) -> Examined {
    trust.examine(&message(desired), installed, &device(), clock)
}

fn examine(desired: &Desired) -> Examined {
    examine_with(&trust(), desired, FACTORY, CLOCK)
}

#[track_caller]
fn refused(examined: &Examined) -> Reason {
    examined.outcome.as_ref().expect_err("refused").reason
}

/// `desired` with the manifest changed, signed anew, and a timestamp that fits it.
fn with_manifest(change: impl FnOnce(&mut crate::update::document::Manifest)) -> Desired {
    let mut manifest = manifest(7, OCTETS);
    change(&mut manifest);
    let envelope = sign_manifest(&manifest, &MODEL);
    let timestamp = sign_timestamp(&timestamp(5, &envelope, manifest.release), &TIMESTAMP);
    Desired { manifest: envelope, timestamp, ..desired(5, 7, OCTETS) }
}

/// `desired` with the timestamp changed and signed anew.
fn with_timestamp(change: impl FnOnce(&mut crate::update::document::Timestamp)) -> Desired {
    let desired = desired(5, 7, OCTETS);
    let mut timestamp = timestamp(5, &desired.manifest, 7);
    change(&mut timestamp);
    Desired { timestamp: sign_timestamp(&timestamp, &TIMESTAMP), ..desired }
}

#[test]
fn what_is_right_is_offered() {
    let examined = examine(&desired(5, 7, OCTETS));
    let offer = examined.outcome.unwrap().unwrap();
    assert_eq!((offer.manifest.release, offer.request.as_str()), (7, "request-7"));
    assert_eq!(examined.trust.seen.unwrap().seq, 5);
    assert_eq!(examined.trust.time_floor, Moment(NOW.0 - 3600));
    // Again, once installed: nothing to do, nothing wrong.
    let again = examine_with(&examined.trust, &desired(5, 7, OCTETS), offer.installed(), CLOCK);
    assert_eq!((again.outcome, again.trust), (Ok(None), examined.trust));
}

#[test]
fn unsigned() {
    let mut desired = desired(5, 7, OCTETS);
    desired.manifest.signatures.clear();
    assert_eq!(refused(&examine(&desired)), Reason::Unsigned);
}

#[test]
fn one_signature_of_two() {
    let mut desired = desired(5, 7, OCTETS);
    desired.manifest.signatures.pop();
    assert_eq!(refused(&examine(&desired)), Reason::TooFewSignatures);
}

#[test]
fn the_same_key_twice() {
    let mut desired = desired(5, 7, OCTETS);
    let first = desired.manifest.signatures[0].clone();
    desired.manifest.signatures[1] = first;
    assert_eq!(refused(&examine(&desired)), Reason::DuplicateSignature);
}

#[test]
fn the_wrong_role() {
    // The timestamp's key, which lies on a server, and root keys sign a model.
    for by in [&[11, 21][..], &[1, 2], &[21]] {
        let mut desired = desired(5, 7, OCTETS);
        desired.manifest = signed(Kind::Manifest, desired.manifest.payload, by);
        assert_eq!(refused(&examine(&desired)), Reason::WrongRole, "{by:?}");
    }
    let mut desired = desired(5, 7, OCTETS);
    desired.timestamp = signed(Kind::Timestamp, desired.timestamp.payload, &MODEL);
    assert_eq!(refused(&examine(&desired)), Reason::WrongRole);
}

#[test]
fn keys_that_nobody_knows() {
    let mut desired = desired(5, 7, OCTETS);
    desired.manifest = signed(Kind::Manifest, desired.manifest.payload, &[90, 91]);
    assert_eq!(refused(&examine(&desired)), Reason::UnknownKey);
    // A foreign id on a good signature is a foreign key.
    let mut desired = self::desired(5, 7, OCTETS);
    for signature in &mut desired.manifest.signatures {
        signature.key = Digest::of(&signature.key.0);
    }
    assert_eq!(refused(&examine(&desired)), Reason::UnknownKey);
}

#[test]
fn the_signatures_of_another_key() {
    let mut desired = desired(5, 7, OCTETS);
    let [first, second] = desired.manifest.signatures.as_mut_slice() else { panic!("two") };
    std::mem::swap(&mut first.octets, &mut second.octets);
    assert_eq!(refused(&examine(&desired)), Reason::BadSignature);
}

#[test]
fn a_changed_payload() {
    for part in 0..3 {
        let mut desired = desired(5, 7, OCTETS);
        if part == 2 {
            desired.roots.push(sign_root(&root(2), &ROOT));
        }
        let envelope = match part {
            0 => &mut desired.manifest,
            1 => &mut desired.timestamp,
            _ => &mut desired.roots[0],
        };
        // A blank is still the same JSON.
        envelope.payload.push(b' ');
        assert_eq!(refused(&examine(&desired)), Reason::BadSignature, "{part}");
    }
}

#[test]
fn the_wrong_payload_type() {
    let mut desired = desired(5, 7, OCTETS);
    desired.manifest.payload_type = Kind::Timestamp.payload_type().to_owned();
    assert_eq!(refused(&examine(&desired)), Reason::WrongType);
    // Its name alone put right does not help: the type is signed too.
    let payload = desired.manifest.payload.clone();
    desired.manifest = signed(Kind::Timestamp, payload, &MODEL);
    desired.manifest.payload_type = Kind::Manifest.payload_type().to_owned();
    assert_eq!(refused(&examine(&desired)), Reason::BadSignature);
}

#[test]
fn an_older_release() {
    let installed = Installed { release: 8, manifest: Some(Digest::of(b"eight")) };
    let examined = examine_with(&trust(), &desired(5, 7, OCTETS), installed, CLOCK);
    assert_eq!(refused(&examined), Reason::ReleaseOlder);
}

#[test]
fn an_equal_release_with_other_content() {
    let installed = Installed { release: 7, manifest: Some(Digest::of(b"another seven")) };
    let examined = examine_with(&trust(), &desired(5, 7, OCTETS), installed, CLOCK);
    assert_eq!(refused(&examined), Reason::ReleaseConflict);
}

#[test]
fn below_the_floor_of_a_release_or_of_a_root() {
    let stored = Trust { floor: 8, ..trust() };
    let examined = examine_with(&stored, &desired(5, 7, OCTETS), FACTORY, CLOCK);
    assert_eq!(refused(&examined), Reason::BelowFloor);

    let mut desired = with_timestamp(|timestamp| timestamp.root_version = 2);
    desired.roots.push(sign_root(&Root { floor: 8, ..root(2) }, &ROOT[1..]));
    let examined = examine(&desired);
    assert_eq!(refused(&examined), Reason::BelowFloor);
    assert_eq!(examined.trust.floor(), 8, "the cure is kept although the release is refused");
}

#[test]
fn a_release_that_failed_here_and_one_that_takes_its_number() {
    let offer = examine(&desired(5, 7, OCTETS)).outcome.unwrap().unwrap();
    let burnt = Trust { bad: vec![offer.installed()], ..trust() };
    assert_eq!(refused(&examine_with(&burnt, &desired(6, 7, OCTETS), FACTORY, CLOCK)), Reason::KnownBad);
    let other = examine_with(&burnt, &desired(6, 7, b"other"), FACTORY, CLOCK);
    assert_eq!(refused(&other), Reason::ReleaseConflict);
    assert!(examine_with(&burnt, &desired(6, 8, OCTETS), FACTORY, CLOCK).outcome.unwrap().is_some());
}

#[test]
fn expired() {
    let past = Moment(NOW.0);
    assert_eq!(refused(&examine(&with_manifest(|m| m.expires = past))), Reason::ManifestExpired);
    let mut desired = with_timestamp(|timestamp| timestamp.root_version = 2);
    desired.roots.push(sign_root(&Root { expires: past, ..root(2) }, &ROOT));
    assert_eq!(refused(&examine(&desired)), Reason::RootExpired);
}

#[test]
fn a_frozen_timestamp() {
    assert_eq!(refused(&examine(&with_timestamp(|t| t.expires = NOW))), Reason::TimestampExpired);
}

#[test]
fn a_document_from_the_future() {
    let future = NOW.after(601);
    assert_eq!(refused(&examine(&with_manifest(|m| m.issued = future))), Reason::FromTheFuture);
    let examined = examine(&with_timestamp(|t| t.issued = future));
    assert_eq!(refused(&examined), Reason::FromTheFuture);
    assert_eq!(examined.trust.time_floor, trust().time_floor, "the clock cannot be locked out");
}

#[test]
fn mix_and_match() {
    let [seven, eight] = [desired(5, 7, OCTETS), desired(6, 8, OCTETS)];
    let mixed = Desired { timestamp: eight.timestamp, ..seven.clone() };
    assert_eq!(refused(&examine(&mixed)), Reason::MixAndMatch);
    let same_number = with_manifest(|m| m.floor = 1);
    let mixed = Desired { timestamp: same_number.timestamp, ..seven.clone() };
    assert_eq!(refused(&examine(&mixed)), Reason::MixAndMatch);
    // A timestamp of the root before.
    let mixed = Desired { roots: vec![sign_root(&root(2), &ROOT)], ..seven };
    assert_eq!(refused(&examine(&mixed)), Reason::MixAndMatch);
}

#[test]
fn a_root_that_was_held_back() {
    assert_eq!(refused(&examine(&with_timestamp(|t| t.root_version = 2))), Reason::RootWithheld);
}

#[test]
fn a_root_that_skips_a_version() {
    let mut desired = with_timestamp(|timestamp| timestamp.root_version = 3);
    desired.roots.push(sign_root(&root(3), &ROOT));
    let examined = examine(&desired);
    assert_eq!(refused(&examined), Reason::RootSkipped);
    assert_eq!(examined.trust, trust());
}

#[test]
fn a_root_needs_the_thresholds_of_both() {
    let next = root_of(2, &[4, 5, 6], &MODEL, &TIMESTAMP);
    for (by, reason) in [
        (&[1, 2][..], Reason::UnknownKey),
        (&[4, 5], Reason::UnknownKey),
        (&[1, 4, 5], Reason::TooFewSignatures),
        (&[1, 2, 4], Reason::TooFewSignatures),
    ] {
        let mut desired = with_timestamp(|timestamp| timestamp.root_version = 2);
        desired.roots.push(sign_root(&next, by));
        assert_eq!(refused(&examine(&desired)), reason, "{by:?}");
    }
    let mut desired = with_timestamp(|timestamp| timestamp.root_version = 2);
    desired.roots.push(sign_root(&next, &[1, 3, 4, 6]));
    assert_eq!(examine(&desired).trust.root.root, next);
}

#[test]
fn a_root_of_the_same_number_with_other_content_or_a_lower_floor() {
    let mut desired = desired(5, 7, OCTETS);
    desired.roots.push(sign_root(&Root { floor: 1, ..root(1) }, &ROOT));
    assert_eq!(refused(&examine(&desired)), Reason::RootConflict);

    let envelope = sign_root(&Root { floor: 5, ..root(1) }, &ROOT);
    let known = SignedRoot::from_file(envelope.to_json().unwrap().as_bytes()).unwrap();
    let high = Trust { root: known, ..trust() };
    let mut desired = with_timestamp(|timestamp| timestamp.root_version = 2);
    desired.roots.push(sign_root(&Root { floor: 4, ..root(2) }, &ROOT));
    assert_eq!(refused(&examine_with(&high, &desired, FACTORY, CLOCK)), Reason::FloorLowered);
}

#[test]
fn a_stolen_key_is_cured_by_a_new_root() {
    // The thief of the timestamp's key uses up all numbers.
    let stolen = examine(&with_timestamp(|t| t.seq = (1 << 53) - 1)).trust;
    assert_eq!(
        refused(&examine_with(&stolen, &desired(6, 8, OCTETS), FACTORY, CLOCK)),
        Reason::TimestampOlder
    );
    let next = root_of(2, &ROOT, &[13, 14], &[22]);
    let mut cure = desired(1, 8, OCTETS);
    cure.roots.push(sign_root(&next, &ROOT));
    cure.manifest = signed(Kind::Manifest, cure.manifest.payload, &[13, 14]);
    let mut timestamp = timestamp(1, &cure.manifest, 8);
    timestamp.root_version = 2;
    cure.timestamp = sign_timestamp(&timestamp, &[22]);
    let examined = examine_with(&stolen, &cure, FACTORY, CLOCK);
    assert!(examined.outcome.unwrap().is_some());
    // The old model keys open nothing any more.
    let mut old = cure.clone();
    old.manifest = signed(Kind::Manifest, old.manifest.payload, &MODEL);
    assert_eq!(refused(&examine_with(&examined.trust, &old, FACTORY, CLOCK)), Reason::UnknownKey);
}

#[test]
fn a_replayed_message() {
    let trust = examine(&desired(6, 8, OCTETS)).trust;
    assert_eq!(
        refused(&examine_with(&trust, &desired(5, 7, OCTETS), FACTORY, CLOCK)),
        Reason::TimestampOlder
    );
    let conflict = Desired { request: "x".into(), ..desired(6, 9, OCTETS) };
    assert_eq!(refused(&examine_with(&trust, &conflict, FACTORY, CLOCK)), Reason::TimestampConflict);
}

#[test]
fn oversize_everywhere() {
    let device = device();
    let too_large = |octets: &[u8]| refused(&trust().examine(octets, FACTORY, &device, CLOCK));
    assert_eq!(too_large(&vec![b'['; 1 << 20]), Reason::TooLarge, "a retained message of 1 MiB");
    assert_eq!(too_large(&vec![b' '; Desired::MAX_BYTES + 1]), Reason::TooLarge);
    // Within the message, but above its own kind.
    let long = |kind: Kind| signed(kind, vec![b' '; kind.max_payload() + 1], &[1, 2, 11, 12, 21]);
    let desired = desired(5, 7, OCTETS);
    let timestamp = Desired { timestamp: long(Kind::Timestamp), ..desired.clone() };
    assert_eq!(refused(&examine(&timestamp)), Reason::TooLarge);
    let root = Desired { roots: vec![long(Kind::Root)], ..desired.clone() };
    assert_eq!(refused(&examine(&root)), Reason::TooLarge);
    let manifest = Desired { manifest: long(Kind::Manifest), ..desired.clone() };
    assert_eq!(refused(&examine(&manifest)), Reason::TooLarge);
    let mut crowd = desired.clone();
    crowd.manifest = signed(Kind::Manifest, crowd.manifest.payload, &[11, 12, 90, 91, 92, 93, 94, 95, 96]);
    assert_eq!(refused(&examine(&crowd)), Reason::TooLarge);
    let roots = Desired { roots: vec![sign_root(&fixture::root(2), &ROOT); 5], ..desired };
    assert_eq!(refused(&examine(&roots)), Reason::Malformed);
    assert_eq!(refused(&examine(&with_manifest(|m| m.artifact.length = (1 << 20) + 1))), Reason::TooLarge);
    let small = crate::update::compat::Device { max_model: 6, ..device };
    let examined = trust().examine(&message(&self::desired(5, 7, OCTETS)), FACTORY, &small, CLOCK);
    assert_eq!(refused(&examined), Reason::TooLarge);
}

#[test]
fn what_is_not_made_for_this_device() {
    type Change = fn(&mut crate::update::document::Manifest);
    let cases: [(Change, Reason); 6] = [
        (|m| m.compat.format = "pickle".into(), Reason::UnknownFormat),
        (|m| m.compat.min_daemon = "0.1.1".into(), Reason::DaemonTooOld),
        (|m| m.compat.schema = "picket-host/2".into(), Reason::SchemaMismatch),
        (|m| m.compat.schema_hash = "fedcba9876543210".into(), Reason::SchemaMismatch),
        (|m| m.compat.classes[1] = "witchcraft".into(), Reason::UnknownClass),
        (|m| m.compat.classes.swap(0, 1), Reason::UnknownClass),
    ];
    for (change, reason) in cases {
        assert_eq!(refused(&examine(&with_manifest(change))), reason);
    }
}

#[test]
fn rules_of_the_documents_themselves() {
    type Change = fn(&mut crate::update::document::Manifest);
    let cases: [Change; 12] = [
        |m| m.schema = "picket.manifest/2".into(),
        |m| m.release = 1 << 53,
        |m| m.floor = m.release + 1,
        |m| m.name = "two\nlines".into(),
        |m| m.expires = m.issued,
        |m| m.artifact.length = 0,
        |m| m.artifact.urls = vec!["http://example.org/model".into()],
        |m| m.self_test.rows.clear(),
        |m| m.self_test.tolerance = 0.5,
        |m| m.self_test.rows[0].probs.clear(),
        |m| m.probation.attempts = 4,
        |m| m.compat.min_daemon = "1.0".into(),
    ];
    for (index, change) in cases.into_iter().enumerate() {
        assert_eq!(refused(&examine(&with_manifest(change))), Reason::Malformed, "{index}");
    }
    type ChangeRoot = fn(&mut Root);
    let cases: [ChangeRoot; 7] = [
        |r| r.roles.root.threshold = 1,
        |r| r.roles.model.threshold = 0,
        |r| r.roles.model.threshold = 3,
        |r| r.roles.timestamp = r.roles.model.clone(),
        |r| r.keys = std::collections::BTreeMap::new(),
        |r| r.expires = r.issued,
        |r| {
            let key = *key(5).public();
            r.keys.insert(key.id(), key);
        },
    ];
    for (index, change) in cases.into_iter().enumerate() {
        let mut next = root(2);
        change(&mut next);
        let mut desired = desired(5, 7, OCTETS);
        desired.roots.push(sign_root(&next, &ROOT));
        assert_eq!(refused(&examine(&desired)), Reason::Malformed, "{index}");
    }
}

#[test]
fn unknown_keys_are_refused_in_every_document() {
    let desired = desired(5, 7, OCTETS);
    let text = String::from_utf8(message(&desired)).unwrap();
    let more = text.replacen('{', "{\"more\":1,", 1);
    let examined = trust().examine(more.as_bytes(), FACTORY, &device(), CLOCK);
    assert_eq!(refused(&examined), Reason::Malformed);
    for part in ["manifest", "timestamp", "root"] {
        let mut desired = with_timestamp(|t| t.root_version = if part == "root" { 2 } else { 1 });
        let (kind, payload, by) = match part {
            "manifest" => (Kind::Manifest, desired.manifest.payload.clone(), &MODEL[..]),
            "timestamp" => (Kind::Timestamp, desired.timestamp.payload.clone(), &TIMESTAMP[..]),
            _ => (Kind::Root, serde_json::to_vec(&root(2)).unwrap(), &ROOT[..]),
        };
        let payload = String::from_utf8(payload).unwrap().replacen('{', "{\"more\":1,", 1);
        let envelope = signed(kind, payload.into_bytes(), by);
        match part {
            "manifest" => desired.manifest = envelope,
            "timestamp" => desired.timestamp = envelope,
            _ => desired.roots.push(envelope),
        }
        assert_eq!(refused(&examine(&desired)), Reason::Malformed, "{part}");
    }
}

#[test]
fn without_a_trusted_clock_it_is_put_off_but_still_verified() {
    let unset = Clock { now: NOW, synchronised: false };
    let behind = Clock { now: Moment(trust().time_floor.0 - 1), synchronised: true };
    for clock in [unset, behind] {
        let examined = examine_with(&trust(), &desired(5, 7, OCTETS), FACTORY, clock);
        assert_eq!(refused(&examined), Reason::ClockUntrusted);
        assert!(Reason::ClockUntrusted.defers());
        assert_eq!(examined.trust, trust());
        let mut forged = desired(5, 7, OCTETS);
        forged.manifest.signatures.pop();
        assert_eq!(refused(&examine_with(&trust(), &forged, FACTORY, clock)), Reason::TooFewSignatures);
    }
}

#[test]
fn the_operator_may_put_it_off() {
    let mut later = desired(5, 7, OCTETS);
    later.policy.not_before = Some(NOW.after(1));
    assert_eq!(refused(&examine(&later)), Reason::NotBefore);
    let clock = Clock { now: NOW.after(1), synchronised: true };
    assert!(examine_with(&trust(), &later, FACTORY, clock).outcome.unwrap().is_some());
    let minute = u16::try_from(NOW.0 / 60 % 1440).unwrap();
    later.policy.window = Some(Window { from_minute: minute + 1, to_minute: minute });
    assert_eq!(refused(&examine_with(&trust(), &later, FACTORY, clock)), Reason::NotBefore);
    later.policy.transport = Transport::Mqtt;
    later.policy.window = Some(Window { from_minute: minute, to_minute: minute + 1 });
    assert!(examine_with(&trust(), &later, FACTORY, clock).outcome.unwrap().is_some());
}

/// The octets of a right message, and what it offers; signing takes most of a test's time.
fn right() -> &'static (Vec<u8>, Offer) {
    static RIGHT: OnceLock<(Vec<u8>, Offer)> = OnceLock::new();
    RIGHT.get_or_init(|| {
        let desired = desired(5, 7, OCTETS);
        let offer = examine(&desired).outcome.unwrap().unwrap();
        (message(&desired), *offer)
    })
}

proptest! {
    /// One octet of a right message changed in any way: it is refused, or it means the same.
    #[test]
    fn no_changed_octet_opens_anything(place in any::<prop::sample::Index>(), octet in any::<u8>()) {
        let (right, expected) = right();
        let mut changed = right.clone();
        let place = place.index(changed.len());
        changed[place] = octet;
        let examined = trust().examine(&changed, FACTORY, &device(), CLOCK);
        if let Ok(offer) = examined.outcome {
            let offer = offer.expect("not installed yet");
            prop_assert_eq!(&offer.manifest, &expected.manifest);
            prop_assert_eq!(offer.sha256, expected.sha256);
        }
    }

    /// Any octets at all: a refusal, no panic.
    #[test]
    fn garbage_is_refused(octets in prop::collection::vec(any::<u8>(), 0..512)) {
        let examined = trust().examine(&octets, FACTORY, &device(), CLOCK);
        prop_assert_eq!(refused(&examined), Reason::Malformed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever comes in whatever order: no number goes back, and nothing below the floor is offered.
    #[test]
    fn what_is_known_only_grows(
        steps in prop::collection::vec((1u64..6, 1u64..6, 0u64..4, 0u64..4, any::<bool>()), 1..12)
    ) {
        let mut trust = trust();
        for (seq, release, manifest_floor, root_floor, rotate) in steps {
            let version = trust.root.root.version;
            let mut desired = desired(seq, release, OCTETS);
            let mut manifest = manifest(release, OCTETS);
            manifest.floor = manifest_floor.min(release);
            desired.manifest = sign_manifest(&manifest, &MODEL);
            let mut timestamp = timestamp(seq, &desired.manifest, release);
            timestamp.root_version = version + u64::from(rotate);
            desired.timestamp = sign_timestamp(&timestamp, &TIMESTAMP);
            if rotate {
                let next = Root { floor: root_floor, ..root(version + 1) };
                desired.roots.push(sign_root(&next, &ROOT));
            }
            let examined = trust.examine(&message(&desired), FACTORY, &device(), CLOCK);
            let next = examined.trust;
            prop_assert!(next.root.root.version >= trust.root.root.version);
            prop_assert!(next.floor() >= trust.floor());
            prop_assert!(next.time_floor >= trust.time_floor);
            prop_assert!(next.seen.map(|seen| seen.seq) >= trust.seen.map(|seen| seen.seq));
            if let Ok(Some(offer)) = examined.outcome {
                prop_assert!(offer.manifest.release >= next.floor());
            }
            trust = next;
        }
    }
}
