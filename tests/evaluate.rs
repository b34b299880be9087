//! `picket evaluate` on captures whose figures can be counted by hand, and on those of others where they are at hand.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may panic and say what it found or why it was skipped"
)]

#[allow(dead_code, reason = "shared with other tests, which use other parts")]
mod model_support;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use picket::features::connection::CONNECTION;
use picket::features::packet::PACKET;
use prost::Message as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use support::capture::{Capture, SECOND, START, host};
use support::corpus::corpus;
use support::mqtt::V311;
use support::program::{Ended, picket};
use support::{attack, benign};

/// What stands for the configuration of the machine.
const NO_MODEL: &str = "[model]\npath = \"\"\n";

/// A sensor for two minutes, and in between a scan of forty ports, four a second, by 10.0.0.67.
fn scanned() -> Capture {
    benign::sensor(V311, host(7), (host(1), 1883), START, 120).with(attack::tcp_scan(
        host(67),
        host(1),
        START + 20 * SECOND,
        40,
        SECOND / 4,
    ))
}

/// The labels of that scan.
fn scan_labels() -> String {
    let start = START / SECOND + 20;
    format!(
        "[[episode]]\nclass = \"tcp_scan\"\nattack = \"N1\"\nsource = \"10.0.0.67\"\nvictim = \"10.0.0.1\"\n\
         port = 1883\nstart = {start}.0\nend = {}.9\ncount = 40\n",
        start + 9
    )
}

/// A folder with `scan/capture.pcap`, its `labels.toml` beside it, and `picket.toml`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let scan = folder.path().join("scan");
    fs::create_dir(&scan).unwrap();
    scanned().write(&scan.join("capture.pcap"));
    fs::write(scan.join("labels.toml"), scan_labels()).unwrap();
    fs::write(folder.path().join("picket.toml"), NO_MODEL).unwrap();
    folder
}

fn evaluate(folder: &Path, more: &[&str]) -> Ended {
    let config = folder.join("picket.toml");
    let mut list = args!["evaluate", "-c", config];
    list.extend(more.iter().map(Into::into));
    picket(list)
}

/// The JSON document, which is what its schema says.
fn document(folder: &Path, more: &[&str]) -> Value {
    let more: Vec<&str> = more.iter().copied().chain(["--output", "json"]).collect();
    let document = serde_json::from_str(&evaluate(folder, &more).ok()).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema/evaluation.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::meta::validate(&schema).expect("the schema itself is valid");
    let schema = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let faults: Vec<String> = schema.iter_errors(&document).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{faults:#?}\n{document:#}");
    document
}

/// The count of one cell of a matrix.
fn cell(matrix: &Value, truth: &str, reported: &str) -> u64 {
    let classes = matrix["classes"].as_array().unwrap();
    let place = |name: &str| classes.iter().position(|class| class == name);
    let (Some(row), Some(column)) = (place(truth), place(reported)) else { return 0 };
    matrix["counts"][row][column].as_u64().unwrap()
}

#[test]
fn figures_are_those_counted_by_hand() {
    let folder = folder();
    let scan = folder.path().join("scan");
    let report = document(folder.path(), &[scan.to_str().unwrap()]);
    let capture = scanned();
    assert_eq!(report["captures"][0]["packets"], capture.frames.len());
    assert_eq!(report["detectors"].as_array().unwrap().len(), 1, "without a model there are the rules alone");
    let rules = &report["detectors"][0];

    // The attack: 20 of 40 ports answer, so a scan has 60 packets. Unanswered tries count as failed after 5 s.
    let episode = &report["episodes"][0];
    assert_eq!(
        (&episode["class"], &episode["attack"], &episode["packets"]),
        (&json!("tcp_scan"), &json!("N1"), &json!(60))
    );
    assert_eq!(episode["at"], 20.0);
    let found = &episode["detectors"][0];
    assert_eq!(found["reported"], "tcp_scan");
    let seconds = found["seconds"].as_f64().unwrap();
    // Ten failed ports at the earliest when the tenth that answers has done so, at the latest when all have failed.
    assert!((2.25..=10.0).contains(&seconds), "{seconds}");
    assert_eq!(found["seconds"], found["right_seconds"]);
    assert_eq!(
        (&rules["episodes"]["total"], &rules["episodes"]["found"], &rules["episodes"]["right"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(rules["episodes"]["matrix"]["macro_f1"], 1.0);

    // Packets: those of the scanner before the alert are missed, those after it are found; nothing else is reported.
    let after = std::time::Duration::from_secs_f64(seconds).as_micros();
    let reported_at = START + 20 * SECOND + u64::try_from(after).unwrap();
    let of_scan: Vec<u64> = capture
        .frames
        .iter()
        .filter(|(_, frame)| frame[26..34].windows(4).any(|ip| ip == [10, 0, 0, 67]))
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(of_scan.len(), 60);
    let found = of_scan.iter().filter(|at| **at >= reported_at).count() as u64;
    let packets = &rules["packets"];
    assert_eq!(cell(packets, "tcp_scan", "tcp_scan"), found);
    assert_eq!(cell(packets, "tcp_scan", "benign"), 60 - found);
    assert_eq!(cell(packets, "benign", "benign"), capture.frames.len() as u64 - 60);
    assert_eq!(packets["false_positives"], 0.0);

    // Flows: each of forty ports, and the sensor.
    let flows = &rules["flows"];
    assert_eq!(cell(flows, "benign", "benign"), 1);
    assert_eq!(cell(flows, "tcp_scan", "tcp_scan") + cell(flows, "tcp_scan", "benign"), 40);

    // 120 s, of which the scan and the minute after it are no benign time.
    let alerts = &rules["false_alerts"];
    assert_eq!(alerts["all"]["count"], 0);
    let benign = report["captures"][0]["benign_seconds"].as_f64().unwrap();
    let all = report["captures"][0]["seconds"].as_f64().unwrap();
    assert!((all - benign - 69.9).abs() < 0.01, "{all} {benign}");
    let upper = alerts["medium"]["upper_per_day"].as_f64().unwrap();
    assert!((upper - 2.995_732 * 86_400.0 / benign).abs() < 0.1, "{upper}");
    assert_eq!(report["unwatched"], json!([]));
}

#[test]
fn what_no_label_explains_is_false_and_what_is_missed_is_told() {
    let folder = folder();
    let capture = folder.path().join("scan/capture.pcap");
    let labels = folder.path().join("wrong.toml");
    // The scan is not labelled; what is labelled is nothing that can be seen, or nothing that Picket knows.
    fs::write(
        &labels,
        "[[rule]]\nlabel = \"mqtt_recon\"\nsource = \"10.0.0.7\"\nfrom = \"+1\"\nto = \"+2\"\n\
         [[rule]]\nlabel = \"weather\"\nsource = \"10.0.0.7\"\nfrom = \"+3\"\nto = \"+4\"\n",
    )
    .unwrap();
    let arguments = [capture.to_str().unwrap(), "--labels", labels.to_str().unwrap()];
    let report = document(folder.path(), &arguments);
    let rules = &report["detectors"][0];
    assert_eq!((&rules["episodes"]["total"], &rules["episodes"]["found"]), (&json!(2), &json!(0)));
    assert_eq!(rules["incidents"], json!({ "right": 0, "other": 0, "late": 0, "false": 1, "lost": 0 }));
    assert_eq!(rules["listed"][0]["kind"], "false");
    assert_eq!(rules["false_alerts"]["by_class"], json!({ "tcp_scan": 1 }));
    assert_eq!(cell(&rules["episodes"]["matrix"], "weather", "benign"), 1);
    assert_eq!(cell(&rules["episodes"]["matrix"], "benign", "tcp_scan"), 1);
    assert_eq!(rules["episodes"]["matrix"]["macro_f1"], 0.0);
    assert!(
        report["unwatched"].as_array().unwrap().contains(&json!({ "class": "weather", "is_known": false }))
    );
    let text = evaluate(folder.path(), &arguments).ok();
    assert!(text.contains("weather: Picket has no such class"), "{text}");
    // A gate for the builds of others.
    let gate = |least: &str| evaluate(folder.path(), &[&arguments[..], &["--fail-below", least]].concat());
    gate("episodes.found=0").ok();
    gate("episodes.found=0.5").fails(1, &["episodes.found is 0.0000", "below 0.5"]);
}

#[test]
fn a_model_is_judged_beside_the_rules_and_row_by_row() {
    let folder = folder();
    let scan = folder.path().join("scan");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default.onnx");
    let report = document(folder.path(), &[scan.to_str().unwrap(), "--model", model.to_str().unwrap()]);
    let names: Vec<&str> = report["detectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|detector| detector["name"].as_str().unwrap())
        .collect();
    assert_eq!((names.len(), &names[..2]), (3, &["all", "rules"][..]));
    assert!(names[2].starts_with("model:"), "{names:?}");
    assert_eq!(report["episodes"][0]["detectors"].as_array().unwrap().len(), 3);
    // The scanner is of interest from its first second to a minute after its last; of these rows some are left out.
    let rows = &report["rows"][0];
    assert_eq!(rows["model"], names[2]);
    let row_count = |truth: &str| {
        let classes = rows["matrix"]["per_class"].as_array().unwrap();
        classes.iter().find(|class| class["class"] == truth).map(|class| class["support"].as_u64().unwrap())
    };
    // Rows at 21 to 39 s after the beginning: from 1 s after the start until 10 s after the end.
    assert_eq!(row_count("tcp_scan"), Some(19));
    assert!(row_count("benign") > Some(100), "{rows}");
    assert_eq!(
        document(folder.path(), &[scan.to_str().unwrap(), "--model", model.to_str().unwrap()]),
        report
    );
}

#[test]
fn rows_of_connections_and_control_packets_are_judged_too() {
    let folder = folder();
    let scan = folder.path().join("scan");
    let mut more = args![&scan];
    for schema in [&CONNECTION, &PACKET] {
        let file = folder.path().join(schema.name);
        let mut model = model_support::good_of(schema);
        // Two models of one name are refused.
        model_support::set_metadata(&mut model, "picket.name", schema.name);
        fs::write(&file, model.encode_to_vec()).unwrap();
        more.extend(args!["--model", file]);
    }
    let more: Vec<&str> = more.iter().map(|one| one.to_str().unwrap()).collect();
    let report = document(folder.path(), &more);
    let rows = |place: usize| -> (&str, u64) {
        let rows = &report["rows"][place];
        let counts = rows["matrix"]["counts"].as_array().unwrap();
        let all =
            counts.iter().flat_map(|row| row.as_array().unwrap()).map(|count| count.as_u64().unwrap()).sum();
        (rows["schema"].as_str().unwrap(), all)
    };
    let extracted = |schema: &str| -> u64 {
        let capture = scan.join("capture.pcap");
        let table = picket(args!["extract", "--schema", schema, "-o", "csv", capture]).ok();
        table.lines().count().try_into().unwrap()
    };
    for place in 0..2 {
        let (schema, count) = rows(place);
        // Of the table one line is the schema and one names the columns.
        assert_eq!(count, extracted(schema) - 2, "{schema}");
        assert!(count > 0, "{schema}");
    }
}

#[test]
fn several_captures_are_one_evaluation() {
    let folder = folder();
    let calm = folder.path().join("calm");
    fs::create_dir(&calm).unwrap();
    benign::sensor(V311, host(7), (host(1), 1883), START, 300).write(&calm.join("capture.pcap"));
    fs::write(calm.join("labels.toml"), "# nothing\n").unwrap();
    let report = document(folder.path(), &[folder.path().to_str().unwrap()]);
    let captures = report["captures"].as_array().unwrap();
    assert_eq!(captures.len(), 2);
    assert!(captures[0]["path"].as_str().unwrap().ends_with("calm/capture.pcap"));
    assert_eq!((&captures[0]["episodes"], &captures[1]["episodes"]), (&json!(0), &json!(1)));
    assert_eq!(report["episodes"][0]["capture"], 1);
}

// ---- HTML ---------------------------------------------------------------------------------------

/// Every element is closed in its turn, and every `<` and `&` is markup.
fn assert_well_formed(html: &str) {
    let mut open = Vec::new();
    let mut rest = html.strip_prefix("<!DOCTYPE html>").unwrap();
    while let Some(at) = rest.find(['<', '&']) {
        let (markup, end) = (&rest[at..], if rest[at..].starts_with('<') { '>' } else { ';' });
        let len = markup.find(end).unwrap_or_else(|| panic!("{markup:.60}"));
        let inside = &markup[1..len];
        if end == ';' {
            assert!(["amp", "lt", "gt", "quot", "#39"].contains(&inside), "{markup:.60}");
        } else if let Some(name) = inside.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{markup:.60}");
        } else if !inside.ends_with('/') {
            assert_eq!(inside.matches('"').count() % 2, 0, "{markup:.60}");
            open.push(inside.split(' ').next().unwrap());
        }
        rest = &markup[len + 1..];
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn the_html_report_stands_alone() {
    let folder = tempfile::tempdir().unwrap();
    // A name that would be markup.
    let scan = folder.path().join("<script>alert('x')&amp;");
    fs::create_dir(&scan).unwrap();
    scanned().write(&scan.join("capture.pcap"));
    fs::write(scan.join("labels.toml"), scan_labels()).unwrap();
    fs::write(folder.path().join("picket.toml"), NO_MODEL).unwrap();
    let html = folder.path().join("report.html");
    evaluate(folder.path(), &[scan.to_str().unwrap(), "--html", html.to_str().unwrap()]).ok();
    let html = fs::read_to_string(html).unwrap();
    assert_well_formed(&html);
    for foreign in ["http:", "https:", "//", "<script", "<link", "<img", "@import", "url("] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    for wanted in [
        "prefers-color-scheme: dark",
        "<svg",
        "tcp_scan",
        "10.0.0.67",
        "&lt;script&gt;alert(&#39;x&#39;)&amp;amp;",
    ] {
        assert!(html.contains(wanted), "{wanted}");
    }
}

// ---- errors -------------------------------------------------------------------------------------

#[test]
fn what_cannot_be_evaluated_is_told_with_a_remedy() {
    let folder = folder();
    let capture = folder.path().join("scan/capture.pcap");
    let capture = capture.to_str().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let lonely = folder.path().join("lonely");
    fs::create_dir(&lonely).unwrap();
    let lonely = lonely.to_str().unwrap();
    let bad = file("bad.toml", "[[rule]]\nlabel = \"x\"\nsuorce = \"10.0.0.1\"\n");
    let evaluate = |more: &[&str]| evaluate(folder.path(), more);
    evaluate(&[capture, "--labels", &bad])
        .fails(65, &["bad.toml", "rule[1].suorce (line 3)", "did you mean source?"]);
    evaluate(&[capture, "--labels", "/nonexistent.toml"])
        .fails(66, &["labels: /nonexistent.toml", "check the path"]);
    evaluate(&["/nonexistent.pcap", "--labels", &file("good.toml", "")]).fails(66, &["/nonexistent.pcap"]);
    evaluate(&[lonely]).fails(66, &["no capture in it", "--labels"]);
    evaluate(&["-"]).fails(64, &["read several times", "file"]);
    evaluate(&[&bad, "--labels", &file("empty.toml", "")]).fails(65, &["bad.toml", "not a usable pcap"]);
    evaluate(&[capture, "--no-rules"]).fails(64, &["neither rules nor a model"]);
    evaluate(&[capture, "--html", "/nonexistent/x.html"]).fails(66, &["/nonexistent/x.html"]);
    let ended = evaluate(&[capture, "--fail-below", "beauty=1"]);
    assert_eq!(ended.status.code(), Some(64));
}

// ---- captures of others -------------------------------------------------------------------------

#[test]
fn the_attacks_of_mqttset_are_found() {
    let Some(corpus) = corpus("the_attacks_of_mqttset_are_found") else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("picket.toml"), NO_MODEL).unwrap();
    let labels = folder.path().join("labels.toml");
    let attacks = [
        ("bruteforce.pcapng", "mqtt_bruteforce", "192.168.1.90"),
        ("flood.pcap", "mqtt_publish_flood", "192.168.1.100"),
        ("malariados.pcap", "mqtt_publish_flood", "192.168.1.90"),
        ("malformed.pcap", "mqtt_malformed", "192.168.1.90"),
        ("slowite.pcap", "mqtt_slow_dos", "10.16.120.44"),
    ];
    let rule = |(file, label, source): &(&str, &str, &str)| {
        format!(
            "[[rule]]\nlabel = \"{label}\"\nattack = \"{file}\"\nfile = \"{file}\"\nsource = \"{source}\"\n"
        )
    };
    fs::write(&labels, attacks.iter().map(rule).collect::<String>()).unwrap();
    let names = attacks.iter().map(|(file, ..)| *file).chain(["benign.pcap"]);
    let captures: Vec<PathBuf> = names.map(|name| corpus.join("mqttset-reduced").join(name)).collect();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default.onnx");
    let mut arguments: Vec<&str> = captures.iter().map(|path| path.to_str().unwrap()).collect();
    arguments.extend(["--labels", labels.to_str().unwrap(), "--model", model.to_str().unwrap()]);
    let report = document(folder.path(), &arguments);
    for detector in report["detectors"].as_array().unwrap() {
        println!(
            "corpus: {}: {} of 5 attacks, {} with the right class",
            detector["name"], detector["episodes"]["found"], detector["episodes"]["right"]
        );
    }
    let all = &report["detectors"][0];
    assert_eq!(
        (&all["episodes"]["total"], &all["episodes"]["found"]),
        (&json!(5), &json!(5)),
        "{:#}",
        report["episodes"]
    );
    assert_eq!(all["false_alerts"]["medium"]["count"], 0);
    assert_eq!(all["incidents"]["false"], 0, "{:#}", all["listed"]);
}
