//! The examples in `docs/mqtt-api.md` are valid documents of the schemas they claim, and its table of topics and
//! reasons is complete.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may panic, wait, read the clock and say why it was skipped"
)]

use std::fs;
use std::path::Path;

use serde_json::Value;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn every_example_is_valid() {
    let mut seen = Vec::new();
    for line in read("docs/mqtt-api.md").lines().filter(|line| line.starts_with('{')) {
        let document: Value = serde_json::from_str(line).unwrap();
        let name = document["schema"].as_str().unwrap().to_owned();
        let file = match name.as_str() {
            "picket.alert/1" => "alert",
            "picket.lost/1" => "lost",
            "picket.status/1" => "status",
            "picket.metric.engine/1" => "metric-engine",
            other => panic!("no schema for {other}"),
        };
        let schema: Value = serde_json::from_str(&read(&format!("docs/schema/{file}.schema.json"))).unwrap();
        assert!(jsonschema::is_valid(&schema, &document), "{line}");
        seen.push(name);
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
}

#[test]
fn every_reason_of_a_loss_is_explained() {
    let text = read("docs/mqtt-api.md");
    let schema: Value = serde_json::from_str(&read("docs/schema/lost.schema.json")).unwrap();
    for reason in schema["properties"]["reason"]["enum"].as_array().unwrap() {
        assert!(text.contains(&format!("| `{}` |", reason.as_str().unwrap())), "{reason}");
    }
}
