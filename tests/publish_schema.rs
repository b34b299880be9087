//! What is really written is valid by the schemas in `docs/schema`, and the schemas refuse what is not.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may panic, wait, read the clock and say why it was skipped"
)]

use std::path::Path;

use jsonschema::Validator;
use picket::alert::{ClientId, Severity, State};
use picket::detect::class::Class;
use picket::publish::delivery::Delivery;
use picket::publish::payload::{Identity, Lost, LostReason, alert_json, lost_json};
use picket::publish::status::{Board, Condition, Part};
use picket::store::socket::Answers;
use picket::store::{Store, StoreConfig};
use picket::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

mod publish_support;
use publish_support::{SHUTDOWN, alert, identity};

fn schema(name: &str) -> Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    jsonschema::meta::validate(&schema).expect("the schema itself is valid");
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

#[track_caller]
fn assert_valid(schema: &Validator, text: &str) {
    let document: Value = serde_json::from_str(text).unwrap();
    let faults: Vec<String> = schema.iter_errors(&document).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}\n{text}");
}

#[test]
fn alerts_of_every_kind_are_valid() {
    let schema = schema("alert.schema.json");
    for unique in 0..180 {
        assert_valid(&schema, &alert_json(&alert(unique), 1, &identity()));
    }
    let unnamed = Identity { models: Vec::new(), ..identity() };
    let mut extreme = alert(1);
    extreme.ts = Timestamp::from_micros(u64::MAX);
    extreme.incident = u128::MAX;
    extreme.confidence = f32::NAN;
    extreme.evidence.clear();
    extreme.source.ip = "fe80::1".parse().unwrap();
    assert_valid(&schema, &alert_json(&extreme, u64::MAX, &unnamed));
}

#[test]
fn the_schema_names_the_whole_vocabulary() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema/alert.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let names = |key: &str| schema["properties"][key]["enum"].clone();
    assert_eq!(names("class"), json!(Class::ALL.iter().map(|class| class.name()).collect::<Vec<_>>()));
    assert_eq!(names("severity"), json!(Severity::ALL.map(Severity::name)));
    assert_eq!(names("state"), json!([State::Open, State::Update, State::Closed].map(State::name)));
}

#[test]
fn lost_records_are_valid() {
    let schema = schema("lost.schema.json");
    for reason in [
        LostReason::Budget,
        LostReason::Overload,
        LostReason::StoreFailed,
        LostReason::StoreReset,
        LostReason::UncleanStop,
    ] {
        for count in [None, Some(1)] {
            let lost = Lost { from_seq: 1, to_seq: 9, count, reason };
            assert_valid(&schema, &lost_json(&lost, 10, Timestamp::ZERO, &identity()));
        }
    }
}

#[test]
fn the_status_is_valid_online_offline_and_on_the_socket() {
    let schema = schema("status.schema.json");
    let dir = tempfile::tempdir().unwrap();
    let board = Board::new(identity().sensor, identity().models, Timestamp::ZERO);
    for state in [
        Condition::Starting,
        Condition::Ok,
        Condition::Degraded,
        Condition::Blind,
        Condition::Away,
        Condition::Refused,
        Condition::Failed,
        Condition::Off,
    ] {
        board.post(|health| health.capture = Part::because(state, "a \"reason\"\n"));
        assert_valid(&schema, &board.online().to_json());
    }
    board.set_models(Vec::new());
    assert_valid(&schema, &board.offline().to_json());
    let (store, report) =
        Store::open(dir.path(), StoreConfig::default(), &identity(), Timestamp::ZERO).unwrap();
    let (delivery, _, handle) =
        Delivery::spawn(store, &report, identity(), None, board, Box::new(|_| {})).unwrap();
    assert_valid(&schema, &handle.status());
    assert!(delivery.shutdown(SHUTDOWN));
}

#[test]
fn the_schemas_refuse_what_is_wrong() {
    let good: Value = serde_json::from_str(&alert_json(&alert(1), 1, &identity())).unwrap();
    let schema = schema("alert.schema.json");
    assert!(schema.is_valid(&good));
    for (field, wrong) in [
        ("schema", json!("picket.alert/2")),
        ("id", json!("not a ulid")),
        ("seq", json!(0)),
        ("ts", json!("2023-11-14 22:13:20")),
        ("sensor", json!("a/b")),
        ("class", json!("benign")),
        ("confidence", json!(1.1)),
        ("detector", json!("guess")),
        ("source", json!({ "ip": "localhost", "port": null, "mac": null })),
        ("evidence", json!({ "x": 1 })),
        ("message", json!("")),
    ] {
        let mut bad = good.clone();
        bad[field] = wrong;
        assert!(!schema.is_valid(&bad), "{field}");
        let mut short = good.clone();
        short.as_object_mut().unwrap().remove(field);
        assert!(!schema.is_valid(&short), "without {field}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_client_id_is_valid_on_one_line(bytes in prop::collection::vec(any::<u8>(), 0..=64)) {
        let schema = schema("alert.schema.json");
        let mut hostile = alert(1);
        hostile.client_id = Some(ClientId::from_slice(&bytes).unwrap());
        let line = alert_json(&hostile, 1, &identity());
        let breaks = ['\n', '\r', '\u{2028}', '\u{1b}'];
        prop_assert!(!line.contains(breaks));
        prop_assert!(schema.is_valid(&serde_json::from_str(&line).unwrap()), "{line}");
    }
}
