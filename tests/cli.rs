//! The built program from outside: what it prints, and how it ends when it cannot do its work.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may panic, wait, and say why it was skipped"
)]

mod support;

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use support::capture::{Capture, SECOND, START, host};
use support::mqtt::{V5, V311};
use support::program::{self, NOBODY, PROGRAM, copy_of_program, open_folder, picket, run, set_mode};
use support::{attack, benign};

/// The model that is shipped.
fn default_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default.onnx")
}

/// Two attacks and an honest sensor.
fn attacks() -> Capture {
    let broker = (host(1), 1883);
    benign::sensor(V5, host(7), broker, START, 60)
        .with(attack::brute_force(V311, host(66), broker, START + 5 * SECOND, 30, SECOND / 2))
        .with(attack::tcp_scan(host(67), host(1), START + 9 * SECOND, 60, SECOND / 10))
        .then_quiet(100)
}

/// A folder with an empty configuration `empty.toml` and the capture `attacks.pcap`.
fn folder() -> TempDir {
    let folder = open_folder();
    fs::write(folder.path().join("empty.toml"), "[model]\npath = \"\"\n").unwrap();
    attacks().write(&folder.path().join("attacks.pcap"));
    folder
}

/// `picket replay` of `attacks.pcap` by the rules, with more arguments.
fn replay(folder: &Path, more: &[&str]) -> program::Ended {
    let config = folder.join("empty.toml");
    let capture = folder.join("attacks.pcap");
    run(Command::new(PROGRAM).arg("replay").args(more).arg("-c").args([config, capture]))
}

// ---- errors -----------------------------------------------------------------------------------

#[test]
fn a_wrong_interface_is_66_and_names_the_right_ones() {
    let folder = folder();
    let config = folder.path().join("empty.toml");
    picket(args!["run", "-c", config, "-i", "nosuch0"])
        .fails(66, &["nosuch0: no such interface", "there are: lo"]);
}

#[test]
fn no_interface_at_all_is_78() {
    let folder = folder();
    let config = folder.path().join("empty.toml");
    picket(args!["run", "-c", config]).fails(78, &["capture.interfaces", "-i IFACE"]);
}

/// A command as a user without rights.
fn without_rights(program: &Path) -> Command {
    let mut command = Command::new(program);
    if nix::unistd::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

#[test]
fn no_permission_to_capture_is_77() {
    let folder = folder();
    let program = copy_of_program(folder.path());
    let config = folder.path().join("empty.toml");
    run(without_rights(&program).arg("run").arg("-c").arg(config).args(["-i", "lo"]))
        .fails(77, &["lo: no permission to capture", "run as root", "setcap cap_net_raw+ep"]);
}

#[test]
fn an_unreadable_or_missing_capture_is_66() {
    let folder = folder();
    picket(args!["replay", folder.path().join("none.pcap")])
        .fails(66, &["none.pcap: no such capture", "check the path"]);
    picket(args!["replay", folder.path()]).fails(66, &["is a directory", "name the capture files"]);

    let program = copy_of_program(folder.path());
    let capture = folder.path().join("attacks.pcap");
    set_mode(&capture, 0o000);
    for command in ["replay", "extract"] {
        let mut child = without_rights(&program);
        child.args([command, "--output", "csv"]).arg(&capture);
        run(&mut child).fails(66, &["attacks.pcap: cannot open", "make the file readable"]);
    }
}

#[test]
fn what_is_no_capture_is_65() {
    let folder = folder();
    let text = folder.path().join("notes.pcap");
    fs::write(&text, "hello").unwrap();
    picket(args!["replay", &text]).fails(65, &["notes.pcap: not a usable", "tcpdump"]);
    fs::write(&text, "").unwrap();
    picket(args!["replay", &text]).fails(65, &["notes.pcap: not a usable"]);
}

#[test]
fn a_truncated_capture_is_a_warning_after_the_alerts_of_its_whole_packets() {
    let folder = folder();
    let capture = attacks();
    let whole = replay(folder.path(), &["--no-model"]).ok();
    // The last frame is the quiet one at the end: what comes before it opens every incident.
    let mut octets = capture.to_pcap();
    octets.truncate(octets.len() - 5);
    let cut = folder.path().join("attacks.pcap");
    fs::write(&cut, octets).unwrap();
    let ended = replay(folder.path(), &["--no-model"]);
    let packets = format!("the {} whole packets", capture.frames.len() - 1);
    for part in ["picket: ", "truncated at octet", &packets, "copy the file again"] {
        assert!(ended.stderr.contains(part), "{part:?} is missing: {ended:#?}");
    }
    assert_eq!((ended.status.code(), ended.stderr.lines().count()), (Some(0), 1), "{ended:#?}");
    let opened = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.contains(r#""state":"open""#)).map(str::to_owned).collect()
    };
    assert_eq!(opened(&ended.stdout).len(), 2);
    assert_eq!(opened(&ended.stdout), opened(&whole));
}

#[test]
fn an_unknown_key_is_78_with_its_path_and_check_lists_every_fault() {
    let folder = folder();
    let config = folder.path().join("bad.toml");
    fs::write(&config, "[rules.bruteforce]\nrefusd = 3\n\n[capture]\nsnaplen = \"big\"\n").unwrap();
    let capture = folder.path().join("attacks.pcap");
    for command in [args!["run", "-c", &config, "-i", "lo"], args!["replay", "-c", &config, &capture]] {
        picket(command).fails(
            78,
            &["bad.toml: rules.bruteforce.refusd (line 2)", "did you mean refused", "picket check"],
        );
    }
    let ended = picket(args!["check", "-c", &config]);
    ended.fails(78, &["rules.bruteforce.refusd (line 2)", "1 more fault"]);
    let faults: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(faults.len(), 2, "{ended:?}");
    assert!(faults[0].starts_with("rules.bruteforce.refusd (line 2)"), "{ended:?}");
    assert!(faults[1].starts_with("capture.snaplen (line 5)"), "{ended:?}");
}

#[test]
fn a_missing_configuration_is_78() {
    picket(args!["check", "-c", "/nonexistent/picket.toml"])
        .fails(78, &["/nonexistent/picket.toml: no such file", "check the path"]);
}

#[test]
fn a_broken_model_is_65_and_a_missing_one_66() {
    let folder = folder();
    let capture = folder.path().join("attacks.pcap");
    let model = folder.path().join("broken.onnx");
    for octets in [b"not a model".to_vec(), fs::read(default_model()).unwrap()[..1000].to_vec()] {
        fs::write(&model, octets).unwrap();
        let ended = picket(args!["replay", "--model", &model, &capture]);
        ended.fails(65, &["model ", "broken.onnx", "; give a model"]);
        assert_eq!(ended.stdout, "");
        picket(args!["model", "show", &model]).fails(65, &["broken.onnx", "; give a model"]);
    }
    fs::remove_file(&model).unwrap();
    picket(args!["replay", "--model", &model, &capture]).fails(66, &["broken.onnx", "; check the path"]);
}

#[test]
fn a_wrong_command_line_is_64_and_version_is_bare() {
    for line in [&["fly"][..], &[], &["replay"], &["replay", "x", "--output", "xml"], &["run", "--no-such"]] {
        let ended = picket(line);
        assert_eq!(ended.status.code(), Some(64), "{line:?}: {ended:?}");
        assert!(ended.stdout.is_empty() && ended.stderr.contains("--help"), "{line:?}: {ended:?}");
    }
    assert_eq!(picket(["--version"]).ok(), format!("{}\n", env!("CARGO_PKG_VERSION")));
    let help = picket(["--help"]).ok();
    assert!(help.contains("Usage: picket") && help.contains("Examples:"), "{help}");
}

#[test]
fn status_and_alerts_without_a_daemon_say_what_to_do() {
    let folder = folder();
    let config = folder.path().join("here.toml");
    let (store, socket) = (folder.path().join("store"), folder.path().join("socket"));
    fs::write(&config, format!("[store]\npath = {store:?}\n[status]\nsocket = {socket:?}\n")).unwrap();
    picket(args!["status", "-c", &config]).fails(69, &["socket: no such file", "is picket running"]);
    picket(args!["alerts", "list", "-c", &config]).fails(66, &["no alert store in", "has picket run"]);
}

// ---- output -----------------------------------------------------------------------------------

#[test]
fn a_replay_twice_gives_the_same_octets() {
    let folder = folder();
    let config = folder.path().join("model.toml");
    fs::write(&config, format!("[model]\npath = {:?}\n", default_model())).unwrap();
    let capture = folder.path().join("attacks.pcap");
    for format in ["jsonl", "csv", "table"] {
        let by_rules = replay(folder.path(), &["--no-model", "--output", format]).ok();
        assert!(by_rules.lines().count() > 4, "{by_rules}");
        assert_eq!(by_rules, replay(folder.path(), &["--no-model", "--output", format]).ok());
        let line = args!["replay", "--output", format, "-c", &config, &capture];
        let with_model = picket(&line).ok();
        assert!(with_model.lines().count() > 4, "{with_model}");
        assert_eq!(with_model, picket(&line).ok());
    }
}

#[test]
fn standard_input_gives_the_same_as_the_file() {
    let folder = folder();
    let file = fs::File::open(folder.path().join("attacks.pcap")).unwrap();
    let out = Command::new(PROGRAM)
        .args(["replay", "--no-model", "-c"])
        .arg(folder.path().join("empty.toml"))
        .arg("-")
        .stdin(file)
        .output()
        .unwrap();
    assert!(out.status.success());
    assert_eq!(String::from_utf8(out.stdout).unwrap(), replay(folder.path(), &["--no-model"]).ok());
}

/// Wants every line to be valid by `docs/schema/alert.schema.json`.
#[track_caller]
fn expect_valid(lines: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema/alert.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let schema = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let check = |line: &str| {
        let document: Value = serde_json::from_str(line).unwrap();
        let faults: Vec<String> = schema.iter_errors(&document).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}\n{line}");
        document
    };
    lines.lines().map(check).collect()
}

#[test]
fn jsonl_is_valid_by_the_schema_and_numbered_without_holes() {
    let folder = folder();
    for more in [&["--no-model"][..], &["--model", default_model().to_str().unwrap()]] {
        let alerts = expect_valid(&replay(folder.path(), more).ok());
        let seqs = alerts.iter().map(|alert| alert["seq"].as_u64().unwrap());
        assert!(seqs.eq(1..=alerts.len() as u64), "{alerts:?}");
        let classes: Vec<&str> = alerts.iter().map(|alert| alert["class"].as_str().unwrap()).collect();
        assert!(classes.contains(&"mqtt_bruteforce") && classes.contains(&"tcp_scan"), "{classes:?}");
    }
}

#[test]
fn csv_and_table_have_a_row_for_each_alert() {
    let folder = folder();
    let jsonl = replay(folder.path(), &["--no-model"]).ok();
    let alerts = expect_valid(&jsonl);

    let text = replay(folder.path(), &["--no-model", "--output", "csv"]).ok();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), alerts.len());
    let column = |name: &str| header.iter().position(|column| column == name).unwrap();
    for (row, alert) in rows.iter().zip(&alerts) {
        for name in ["id", "ts", "class", "severity", "state", "message"] {
            assert_eq!(row[column(name)], *alert[name].as_str().unwrap(), "{name}");
        }
        assert_eq!(row[column("source_ip")], *alert["source"]["ip"].as_str().unwrap());
        assert_eq!(row[column("count")], alert["count"].to_string());
    }

    let table = replay(folder.path(), &["--no-model", "--output", "table"]).ok();
    let mut lines = table.lines();
    let head: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["time", "state", "severity", "class", "detector", "count", "message"]);
    assert_eq!(lines.clone().count(), alerts.len());
    for (line, alert) in lines.zip(&alerts) {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let expected: Vec<&str> = ["ts", "state", "severity", "class", "detector"]
            .iter()
            .map(|key| alert[*key].as_str().unwrap())
            .collect();
        assert_eq!(cells[..5], expected, "{line}");
    }
}

#[test]
fn none_prints_nothing_and_stats_go_to_stderr() {
    let folder = folder();
    let ended = replay(folder.path(), &["--no-model", "--output", "none", "--stats"]);
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(0), ""));
    let frames = attacks().frames.len().to_string();
    let first: Vec<&str> = ended.stderr.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(first[..2], ["frames", &frames]);
}

#[test]
fn extract_writes_both_schemas_in_both_formats() {
    let folder = folder();
    let capture = folder.path().join("attacks.pcap");
    for (schema, subject) in [
        ("picket-host", &["ts", "host"][..]),
        ("picket-connection", &["ts", "client", "server", "end_reason"]),
    ] {
        let extract =
            |format| picket(args!["extract", "--output", format, "--schema", schema, &capture]).ok();
        let text = extract("csv");
        let (comment, table) = text.split_once('\n').unwrap();
        let named = comment.strip_prefix(&format!("# schema={schema}/")).unwrap();
        let (version, hash) = named.split_once(" hash=").unwrap();
        assert!(version.parse::<u16>().is_ok(), "{comment}");
        assert!(hash.len() == 16 && hash.bytes().all(|c| c.is_ascii_hexdigit()), "{comment}");
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        assert_eq!(header[..subject.len()], *subject);
        // A row of another length is an error of the reader.
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert!(rows.len() > 50, "{} rows", rows.len());
        for row in &rows {
            assert!(row.iter().skip(subject.len()).all(|cell| cell.parse::<f32>().unwrap().is_finite()));
        }
        let lines: Vec<Value> =
            extract("jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), rows.len());
        for (line, row) in lines.iter().zip(&rows) {
            assert_eq!(
                (line["schema"].as_str().unwrap(), line["hash"].as_str().unwrap()),
                (&*format!("{schema}/{version}"), hash)
            );
            for (name, cell) in header.iter().zip(row).skip(1) {
                let value = line[name].as_str().map_or_else(|| line[name].to_string(), str::to_owned);
                assert_eq!(value, cell, "{name}");
            }
        }
    }
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    let folder = folder();
    let capture = folder.path().join("attacks.pcap");
    for line in [
        args!["replay", "--no-model", &capture],
        args!["replay", "--no-model", "--output", "table", &capture],
        args!["extract", "--output", "csv", &capture],
    ] {
        let mut child =
            Command::new(PROGRAM).args(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let out = child.wait_with_output().unwrap();
        assert_eq!((out.status.code(), out.stderr), (Some(0), Vec::new()), "{line:?}");
    }
}

#[test]
fn check_prints_a_configuration_that_reads_as_itself() {
    let folder = folder();
    let (given, printed) = (folder.path().join("given.toml"), folder.path().join("printed.toml"));
    fs::write(&given, "[capture]\ninterfaces = [\"lo\"]\n\n[rules.tcp-scan]\nports = 21\n").unwrap();
    let first = picket(args!["check", "-c", &given]).ok();
    assert!(first.contains("ports = 21") && first.contains("# memory: about "), "{first}");
    fs::write(&printed, &first).unwrap();
    assert_eq!(picket(args!["check", "-c", &printed]).ok(), first);
}

#[test]
fn model_show_describes_the_shipped_model() {
    let text = picket(args!["model", "show", default_model()]).ok();
    for part in ["picket-host/2", "mqtt_bruteforce", "mqtt_slow_dos from 0."] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
