//! The operator's side as it is used: keys, root, bundle, signatures, rotation; and the schemas of all documents.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    dead_code,
    reason = "a test may panic, and uses a part of the desk"
)]

use std::fs;

use jsonschema::Validator;
use picket::update::bundle::Bundle;
use picket::update::digest::Digest;
use picket::update::document::{
    Desired, Get, Moment, Policy, Progress, Release, Reported, Shadow, State, Timestamp, Window,
};
use picket::update::reason::Reason;
use picket::update::signing::SigningKey;
use picket::update::trust::{Envelope, Kind, SignedRoot};
use serde::Serialize;
use serde_json::{Value, json};

#[path = "support/desk.rs"]
mod desk;
use desk::{Desk, PASSPHRASE, project};

fn schema(name: &str) -> Validator {
    let text = fs::read_to_string(project(&format!("docs/schema/{name}.schema.json"))).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    jsonschema::meta::validate(&schema).expect("the schema itself is valid");
    jsonschema::validator_for(&schema).unwrap()
}

/// That a document is valid, and is not any more with a key too many or one too few.
#[track_caller]
fn assert_valid(name: &str, document: &Value) {
    let schema = schema(name);
    let faults: Vec<String> = schema.iter_errors(document).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{name}: {faults:?}\n{document}");
    let mut more = document.clone();
    more["more"] = json!(1);
    assert!(!schema.is_valid(&more), "{name}: one key more");
    let mut less = document.clone();
    less.as_object_mut()
        .unwrap()
        .remove("schema")
        .or_else(|| less.as_object_mut().unwrap().remove("payload"));
    assert!(!schema.is_valid(&less), "{name}: one key less");
}

fn value(document: &impl Serialize) -> Value {
    serde_json::to_value(document).unwrap()
}

#[test]
fn from_keys_to_a_release_that_every_gateway_accepts() {
    let desk = Desk::new();
    desk.works("trust init --passphrase-stdin --model-keys 2 --model-threshold 2 .");
    for key in ["root-1.key", "root-3.key", "model-2.key", "timestamp-1.key"] {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(desk.path(key)).unwrap().permissions().mode() & 0o777, 0o600, "{key}");
        assert!(fs::read_to_string(desk.path(key)).unwrap().contains("ENCRYPTED PRIVATE KEY"));
    }
    // Nothing is overwritten.
    desk.fails("trust init --passphrase-stdin .", 74, "root-1.key");
    let shown = desk.works("trust show 1.root.json");
    assert!(shown.contains("root: 2 of 3") && shown.contains("model: 2 of 2"), "{shown}");

    let (model, golden) = (project("models/default.onnx"), project("models/golden/default.json"));
    desk.works(&format!("model bundle --release 7 --golden {golden} --out 7.bundle {model}"));
    let verify = "model verify --root 1.root.json 7.bundle";
    desk.fails(verify, 65, Reason::Unsigned.code());
    desk.works("model sign --passphrase-stdin --key model-1.key 7.bundle");
    desk.fails(verify, 65, Reason::TooFewSignatures.code());
    desk.works("model sign --passphrase-stdin --key model-1.key 7.bundle");
    desk.fails(verify, 65, Reason::TooFewSignatures.code());
    desk.works("model sign --passphrase-stdin --key model-2.key 7.bundle");
    assert!(desk.works(verify).contains("verified under root 1"));

    let timestamp = "trust timestamp --passphrase-stdin --root 1.root.json --out 7.timestamp.json";
    desk.fails(&format!("{timestamp} --key model-1.key 7.bundle"), 65, Reason::WrongRole.code());
    let said = desk.works(&format!("{timestamp} --key timestamp-1.key --seq 12 7.bundle"));
    assert!(said.contains("release 7 is the newest, says timestamp 12"), "{said}");

    // For a gateway that no broker reaches: what would be sent, and the model.
    let publish = "model publish --timestamp 7.timestamp.json --root 1.root.json 7.bundle";
    fs::create_dir(desk.path("stick")).unwrap();
    assert_eq!(desk.works(&format!("{publish} --folder stick")), "stick/7.json\n");
    let document: Value = serde_json::from_slice(&fs::read(desk.path("stick/7.json")).unwrap()).unwrap();
    assert_valid("update-desired", &document);
    assert_eq!(fs::read(desk.path("stick/7.bundle")).unwrap(), fs::read(desk.path("7.bundle")).unwrap());
    desk.fails(publish, 64, "--folder <DIR>");

    let mut octets = fs::read(desk.path("7.bundle")).unwrap();
    *octets.last_mut().unwrap() ^= 1;
    fs::write(desk.path("changed.bundle"), octets).unwrap();
    desk.fails("model verify --root 1.root.json changed.bundle", 65, Reason::DigestMismatch.code());

    // The next root, with a floor above the release.
    let rotate = "trust rotate --passphrase-stdin --out 2.root.json --floor 8 --key root-1.key 1.root.json";
    assert!(desk.works(rotate).contains(Reason::TooFewSignatures.code()));
    desk.fails("trust show 2.root.json", 65, Reason::TooFewSignatures.code());
    desk.works("trust sign --passphrase-stdin --key root-3.key 2.root.json");
    assert!(desk.works("trust show 2.root.json").contains("floor:     8"));
    desk.fails("model verify --root 2.root.json 7.bundle", 65, "below the floor 8");

    // The documents, by their schemas.
    let root = fs::read(desk.path("2.root.json")).unwrap();
    assert_valid("envelope", &serde_json::from_slice(&root).unwrap());
    assert_valid("root", &value(&SignedRoot::from_file(&root).unwrap().root));
    let bundle = Bundle::read(&fs::read(desk.path("7.bundle")).unwrap()).unwrap();
    assert_valid("manifest", &serde_json::from_slice(&bundle.envelope.payload).unwrap());
    assert_valid("envelope", &value(&bundle.envelope));
    let timestamp = fs::read(desk.path("7.timestamp.json")).unwrap();
    let timestamp = Envelope::read(Kind::Timestamp, &timestamp).unwrap();
    assert_valid("timestamp", &serde_json::from_slice(&timestamp.payload).unwrap());
}

#[test]
fn a_wrong_passphrase_opens_nothing_and_a_short_one_is_not_taken() {
    let desk = Desk::new();
    desk.works("trust key --passphrase-stdin one.key");
    let key = fs::read_to_string(desk.path("one.key")).unwrap();
    assert!(picket::update::keyfile::open(&key, b"wrong horse battery").is_err());
    assert!(picket::update::keyfile::open(&key, PASSPHRASE.as_bytes()).is_ok());
    assert!(picket::update::keyfile::generate(b"too short").is_err());
}

#[test]
fn messages_are_valid_by_their_schemas() {
    let digest = Digest::of(b"x");
    let timestamp = Timestamp {
        schema: Timestamp::SCHEMA.to_owned(),
        seq: 1,
        issued: Moment(1_795_000_000),
        expires: Moment(1_795_086_400),
        root_version: 1,
        release: 7,
        manifest_sha256: digest,
    };
    assert_valid("timestamp", &value(&timestamp));
    let signed = |kind| {
        let mut envelope = Envelope::unsigned(kind, serde_json::to_vec(&timestamp).unwrap());
        SigningKey::from_seed(&[7; 32]).unwrap().sign(&mut envelope);
        envelope
    };
    let window = Window { from_minute: 120, to_minute: 240 };
    let policy =
        Policy { not_before: Some(Moment(1_795_000_000)), window: Some(window), ..Policy::default() };
    let desired = Desired {
        schema: Desired::SCHEMA.to_owned(),
        request: "night-shift".to_owned(),
        roots: vec![signed(Kind::Root)],
        timestamp: signed(Kind::Timestamp),
        manifest: signed(Kind::Manifest),
        policy,
    };
    assert_valid("update-desired", &value(&desired));
    assert_valid("update-desired", &value(&Desired { policy: Policy::default(), ..desired }));
    let get = Get {
        schema: Get::SCHEMA.to_owned(),
        transfer: "0123456789abcdef".to_owned(),
        sha256: digest,
        block_size: 16_384,
        blocks: vec![0, 63],
    };
    assert_valid("update-get", &value(&get));
    let release = Some(Release { release: 7, sha256: digest });
    let mut reported = Reported {
        schema: Reported::SCHEMA.to_owned(),
        sensor: "gw-1".to_owned(),
        ts: Moment(1_795_000_000),
        state: State::Idle,
        active: None,
        target: None,
        request: None,
        reason: None,
        detail: None,
        progress: None,
        shadow: None,
        floor: 0,
        root_version: 1,
        timestamp_seq: 0,
        bad: Vec::new(),
    };
    assert_valid("update-reported", &value(&reported));
    reported = Reported {
        active: release,
        target: release,
        request: Some("night-shift".to_owned()),
        detail: Some("why".to_owned()),
        progress: Some(Progress { blocks: 3, of: 4 }),
        shadow: Some(Shadow { rows: 10, ..Shadow::default() }),
        bad: vec![5],
        ..reported
    };
    let schema = schema("update-reported");
    for state in State::ALL {
        for reason in Reason::ALL {
            let document = value(&Reported { state, reason: Some(*reason), ..reported.clone() });
            assert!(schema.is_valid(&document), "{state:?} {reason}");
            if *reason == Reason::TooLarge {
                assert_valid("update-reported", &document);
            }
        }
    }
}
