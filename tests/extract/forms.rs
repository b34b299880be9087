//! The three forms of output say the same, with labels and without, and memory is bounded.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::args;
use crate::support::capture::{Capture, SECOND, START, host};
use crate::support::mqtt::{V5, V311};
use crate::support::program::{open_folder, picket};
use crate::support::{attack, benign};

fn capture() -> Capture {
    let broker = (host(1), 1883);
    benign::sensor(V5, host(7), broker, START, 30)
        .with(attack::brute_force(V311, host(66), broker, START + 5 * SECOND, 20, SECOND / 4))
        .with(attack::tcp_scan(host(67), host(1), START + 2 * SECOND, 40, SECOND / 10))
}

const LABELS: &str = r#"
[[rule]]
label = "mqtt_bruteforce"
source = "10.0.0.66"

[[rule]]
label = "tcp_scan"
source = "10.0.0.67"
filter = "tcp"
"#;

/// The comment, the header and the rows of CSV.
fn csv_table(text: &str) -> (String, Vec<String>, Vec<Vec<String>>) {
    let (comment, table) = text.split_once('\n').unwrap();
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let texts = |record: &csv::StringRecord| -> Vec<String> { record.iter().map(str::to_owned).collect() };
    let header = texts(reader.headers().unwrap());
    (comment.to_owned(), header, reader.records().map(|record| texts(&record.unwrap())).collect())
}

const SCHEMAS: [&str; 10] = [
    "picket-host",
    "picket-connection",
    "picket-exchange",
    "mqttset",
    "hindy-packet",
    "hindy-uniflow",
    "hindy-biflow",
    "siuru-packet",
    "siuru-host",
    "siuru-window",
];

#[test]
fn lines_of_json_say_what_csv_says() {
    let folder = open_folder();
    let file = folder.path().join("x.pcap");
    let labels = folder.path().join("labels.toml");
    capture().write(&file);
    fs::write(&labels, LABELS).unwrap();
    for schema in SCHEMAS {
        let run = |format| {
            picket(args!["extract", "-o", format, "--schema", schema, "--labels", &labels, &file]).ok()
        };
        let (comment, header, rows) = csv_table(&run("csv"));
        let hash =
            comment.strip_prefix(&format!("# schema={schema}/")).unwrap().split("hash=").nth(1).unwrap();
        assert_eq!(comment.contains(" window_ms=10"), schema == "siuru-window", "{comment}");
        let lines: Vec<Value> =
            run("jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), rows.len(), "{schema}");
        assert_eq!(rows.is_empty(), schema == "picket-exchange", "{schema}");
        for (line, row) in lines.iter().zip(&rows) {
            assert!(hash.starts_with(line["hash"].as_str().unwrap()));
            for (name, cell) in header.iter().zip(row) {
                let said = match &line[name] {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    number => number.to_string(),
                };
                let same = said == *cell
                    || said.parse::<f64>().ok().zip(cell.parse::<f64>().ok()).is_some_and(|(a, b)| a == b);
                assert!(same, "{schema} {name}: {said} {cell}");
            }
        }
        assert_eq!(header.last().map(String::as_str), Some("label"), "{schema}");
    }
}

#[test]
fn labels_by_address_and_by_filter() {
    let folder = open_folder();
    let file = folder.path().join("x.pcap");
    let labels = folder.path().join("labels.toml");
    capture().write(&file);
    fs::write(&labels, LABELS).unwrap();
    let table = |schema: &str| {
        let text = picket(args!["extract", "--schema", schema, "--labels", &labels, &file]).ok();
        let (_, header, rows) = csv_table(&text);
        move |column: &str| -> Vec<String> {
            let place = header.iter().position(|name| name == column).unwrap();
            rows.iter().map(|row| row[place].clone()).collect()
        }
    };
    let flows = table("hindy-biflow");
    for (((src, label), class), is_attack) in
        flows("ip_src").iter().zip(flows("label")).zip(flows("class_id")).zip(flows("is_attack"))
    {
        let expected = match src.as_str() {
            "10.0.0.66" => ("mqtt_bruteforce", "4", "1"),
            "10.0.0.67" => ("tcp_scan", "1", "1"),
            _ => ("benign", "0", "0"),
        };
        assert_eq!((label.as_str(), class.as_str(), is_attack.as_str()), expected, "{src}");
    }
    let targets = table("mqttset")("target");
    for target in ["legitimate", "bruteforce", "tcp_scan"] {
        assert!(targets.iter().any(|said| said == target), "{target}");
    }
    let hosts = table("picket-host");
    let of = |host: &str| -> Vec<String> {
        hosts("host")
            .iter()
            .zip(hosts("label"))
            .filter(|(said, _)| *said == host)
            .map(|(_, label)| label)
            .collect()
    };
    assert!(of("10.0.0.66").contains(&"mqtt_bruteforce".to_owned()));
    assert!(of("10.0.0.7").iter().all(|label| label == "benign"));
    let connections = table("picket-connection");
    for (client, label) in connections("client").iter().zip(connections("label")) {
        assert_eq!(label == "benign", client.starts_with("10.0.0.7:"), "{client} {label}");
    }
}

#[test]
fn what_goes_early_is_told_and_bad_labels_are_refused() {
    let folder = open_folder();
    let file = folder.path().join("x.pcap");
    capture().write(&file);
    let ended = picket(args!["extract", "--schema", "hindy-uniflow", "--table-size", "16", &file]);
    assert!(
        ended.stderr.contains("went early, since at most 16 are kept (--table-size)"),
        "{}",
        ended.stderr
    );
    assert!(ended.ok().lines().count() > 40);
    let labels = folder.path().join("labels.toml");
    fs::write(&labels, "[[rule]]\nlabl = 1\n").unwrap();
    picket(args!["extract", "--labels", &labels, &file]).fails(65, &["labels.toml"]);
    let missing: &Path = &folder.path().join("none.toml");
    picket(args!["extract", "--labels", missing, &file]).fails(66, &["none.toml"]);
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_says_what_csv_says_in_groups_of_bounded_size() {
    use std::process::{Command, Stdio};

    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::Field;

    use crate::support::program::PROGRAM;

    let folder = open_folder();
    let file = folder.path().join("x.pcap");
    let mut all = capture();
    let twice: Vec<_> = all.frames.iter().cycle().take(70_000).cloned().collect();
    for schema in SCHEMAS {
        // One schema with several groups.
        if schema == "siuru-packet" {
            all.frames.clone_from(&twice);
        }
        all.write(&file);
        let (comment, header, rows) = csv_table(&picket(args!["extract", "--schema", schema, &file]).ok());
        let path = folder.path().join("x.parquet");
        let out = fs::File::create(&path).unwrap();
        let status = Command::new(PROGRAM)
            .args(args!["extract", "--schema", schema, "-o", "parquet", &file])
            .stdin(Stdio::null())
            .stdout(out)
            .status()
            .unwrap();
        assert!(status.success());
        let reader = SerializedFileReader::new(fs::File::open(&path).unwrap()).unwrap();
        let metadata = reader.metadata();
        let about = metadata.file_metadata().key_value_metadata().unwrap();
        let value = |key: &str| {
            let entry = about.iter().find(|entry| entry.key == format!("picket.{key}"));
            entry.and_then(|entry| entry.value.clone()).unwrap_or_default()
        };
        let said =
            format!("# schema={}/{} hash={}", value("schema"), value("schema_version"), value("schema_hash"));
        assert!(comment.starts_with(&said), "{comment} {said}");
        assert_eq!(value("window_ms"), if schema == "siuru-window" { "10" } else { "" });
        let groups: Vec<i64> =
            metadata.row_groups().iter().map(parquet::file::metadata::RowGroupMetaData::num_rows).collect();
        assert!(groups.iter().all(|rows| *rows <= 32_768), "{groups:?}");
        assert_eq!(groups.len(), rows.len().div_ceil(32_768), "{schema}: {groups:?}");
        let mut read = 0;
        for (row, csv) in reader.get_row_iter(None).unwrap().zip(&rows) {
            let row = row.unwrap();
            for (((name, field), column), cell) in row.get_column_iter().zip(&header).zip(csv) {
                assert_eq!(name, column);
                let same = match field {
                    Field::Null => cell.is_empty(),
                    Field::Long(value) => value.to_string() == *cell,
                    Field::Double(value) => {
                        (cell.parse::<f64>().unwrap() - value).abs() <= value.abs() * 1e-15
                    }
                    Field::Float(value) => cell.parse::<f32>().unwrap() == *value,
                    Field::Str(text) => text == cell,
                    other => panic!("{other:?}"),
                };
                assert!(same, "{schema} {name}: {field} {cell}");
            }
            read += 1;
        }
        assert_eq!(read, rows.len(), "{schema}");
    }
}
