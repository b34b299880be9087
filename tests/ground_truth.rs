//! A generated capture of a million packets with its ground truth, where it is at hand: `PICKET_TRUTH` names a folder with
//! `mqtt1m.pcap` and `truth.json`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may panic and say why it was skipped"
)]

mod support;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use support::program::picket;

#[test]
fn control_packets_equal_the_ground_truth_by_type() {
    let Some(folder) = std::env::var_os("PICKET_TRUTH").map(PathBuf::from) else {
        println!("control_packets_equal_the_ground_truth_by_type: skipped, PICKET_TRUTH names no folder");
        return;
    };
    let truth: Value = serde_json::from_str(&fs::read_to_string(folder.join("truth.json")).unwrap()).unwrap();
    let text = picket(args!["inspect", "--output", "json", folder.join("mqtt1m.pcap")]).ok();
    let ours: Value = serde_json::from_str(&text).unwrap();
    let counts = ours["control_packets"].as_object().unwrap();
    assert_eq!(counts.len(), 15);
    for (name, count) in counts {
        let wanted = truth[format!("mqtt_{}", name.to_lowercase())].as_u64().unwrap_or(0);
        assert_eq!(count.as_u64(), Some(wanted), "{name}");
    }
    assert_eq!(counts.values().filter_map(Value::as_u64).sum::<u64>(), truth["mqtt_messages"]);
    assert_eq!(ours["packets"], truth["packets"]);
    assert_eq!((&ours["violations"], &ours["losses"]["gaps"]), (&Value::from(0), &Value::from(0)));
}
