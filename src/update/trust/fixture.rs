//! Keys and documents for tests: two of three root keys, two of two model keys, one timestamp key.

use std::collections::{BTreeMap, BTreeSet};

use super::{Clock, Envelope, Installed, Kind, SignedRoot, Trust};
use crate::update::compat::{Device, Ways};
use crate::update::digest::Digest;
use crate::update::document::{
    Artifact, Compat, Desired, GoldenRow, Manifest, Moment, Policy, Probation, RoleKeys, Roles, Root,
    SelfTest, Timestamp,
};
use crate::update::signing::SigningKey;

/// Now, in tests.
pub(crate) const NOW: Moment = Moment(1_795_000_000);
pub(crate) const CLOCK: Clock = Clock { now: NOW, synchronised: true };
pub(crate) const FACTORY: Installed = Installed { release: 0, manifest: None };
const DAY: u64 = 86_400;

/// The key with this number.
pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32]).unwrap()
}

/// Numbers of the keys of each role.
pub(crate) const ROOT: [u8; 3] = [1, 2, 3];
pub(crate) const MODEL: [u8; 2] = [11, 12];
pub(crate) const TIMESTAMP: [u8; 1] = [21];

fn role(numbers: &[u8], threshold: usize) -> RoleKeys {
    RoleKeys { keys: numbers.iter().map(|n| key(*n).public().id()).collect(), threshold }
}

/// A root with these keys.
pub(crate) fn root_of(version: u64, root: &[u8], model: &[u8], timestamp: &[u8]) -> Root {
    let all: BTreeSet<u8> = [root, model, timestamp].concat().into_iter().collect();
    let public = |n: u8| (key(n).public().id(), *key(n).public());
    Root {
        schema: Root::SCHEMA.to_owned(),
        version,
        issued: Moment(NOW.0 - 30 * DAY),
        expires: NOW.after(365 * DAY),
        keys: all.into_iter().map(public).collect::<BTreeMap<_, _>>(),
        roles: Roles {
            root: role(root, 2),
            model: role(model, model.len().min(2)),
            timestamp: role(timestamp, 1),
        },
        floor: 0,
    }
}

/// The usual root.
pub(crate) fn root(version: u64) -> Root {
    root_of(version, &ROOT, &MODEL, &TIMESTAMP)
}

/// `payload` signed by these keys.
pub(crate) fn signed(kind: Kind, payload: Vec<u8>, by: &[u8]) -> Envelope {
    let mut envelope = Envelope::unsigned(kind, payload);
    by.iter().for_each(|number| key(*number).sign(&mut envelope));
    envelope
}

pub(crate) fn sign_root(root: &Root, by: &[u8]) -> Envelope {
    signed(Kind::Root, serde_json::to_vec(root).unwrap(), by)
}

pub(crate) fn sign_manifest(manifest: &Manifest, by: &[u8]) -> Envelope {
    signed(Kind::Manifest, serde_json::to_vec(manifest).unwrap(), by)
}

pub(crate) fn sign_timestamp(timestamp: &Timestamp, by: &[u8]) -> Envelope {
    signed(Kind::Timestamp, serde_json::to_vec(timestamp).unwrap(), by)
}

/// A release of the model with these octets.
pub(crate) fn manifest(release: u64, model: &[u8]) -> Manifest {
    Manifest {
        schema: Manifest::SCHEMA.to_owned(),
        release,
        name: "test".to_owned(),
        version: format!("0.{release}.0"),
        issued: Moment(NOW.0 - DAY),
        expires: NOW.after(90 * DAY),
        floor: 0,
        artifact: Artifact { sha256: Digest::of(model), length: model.len() as u64, urls: Vec::new() },
        compat: Compat {
            format: "onnx".to_owned(),
            schema: "picket-host/1".to_owned(),
            schema_hash: "0123456789abcdef".to_owned(),
            min_daemon: "0.1.0".to_owned(),
            classes: ["benign", "tcp_scan"].map(str::to_owned).to_vec(),
        },
        self_test: SelfTest {
            tolerance: 0.01,
            rows: vec![GoldenRow { x: vec![0.0, 1.0], probs: vec![0.75, 0.25] }],
            max_load_ms: 1000,
            max_row_us: 1000,
            max_memory_kib: 65_536,
        },
        probation: Probation {
            shadow_rows: 100,
            shadow_seconds: 60,
            active_seconds: 60,
            attempts: 3,
            max_alert_ratio: 4.0,
        },
    }
}

/// The timestamp that names this manifest the newest.
pub(crate) fn timestamp(seq: u64, manifest: &Envelope, release: u64) -> Timestamp {
    Timestamp {
        schema: Timestamp::SCHEMA.to_owned(),
        seq,
        issued: Moment(NOW.0 - 3600),
        expires: NOW.after(DAY),
        root_version: 1,
        release,
        manifest_sha256: Digest::of(&manifest.payload),
    }
}

/// A message that is right in every way.
pub(crate) fn desired(seq: u64, release: u64, model: &[u8]) -> Desired {
    let manifest = sign_manifest(&manifest(release, model), &MODEL);
    Desired {
        schema: Desired::SCHEMA.to_owned(),
        request: format!("request-{release}"),
        roots: Vec::new(),
        timestamp: sign_timestamp(&timestamp(seq, &manifest, release), &TIMESTAMP),
        manifest,
        policy: Policy::default(),
    }
}

pub(crate) fn message(desired: &Desired) -> Vec<u8> {
    serde_json::to_vec(desired).unwrap()
}

/// What a new device knows.
pub(crate) fn trust() -> Trust {
    let envelope = sign_root(&root(1), &ROOT[..2]);
    let file = envelope.to_json().unwrap();
    Trust::new(SignedRoot::from_file(file.as_bytes()).unwrap(), Moment(NOW.0 - 300 * DAY))
}

/// A device for which [`manifest`] is made.
pub(crate) fn device() -> Device {
    Device {
        version: "0.1.0".to_owned(),
        schemas: vec![("picket-host/1".to_owned(), "0123456789abcdef".to_owned())],
        max_model: 1 << 20,
        max_row_us: 1_000_000,
        max_memory_kib: 1 << 20,
        ways: Ways { blocks: true, https: false },
    }
}
