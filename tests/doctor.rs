//! `picket doctor` on a machine made for it: a bridge with two ports, a client behind one of them, a broker with an access list.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may panic, wait, read the clock and say why it was skipped"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

mod support;
use support::namespace::{in_namespace, ip};
use support::program::{Ended, PROGRAM, open_folder, picket, run, wait_until};

/// The findings by id, and the exit code. The report is valid by its schema.
fn findings(ended: &Ended) -> (Vec<(String, String)>, Option<i32>) {
    let document: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:#?}"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema/doctor.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = validator.iter_errors(&document).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = document["findings"].as_array().unwrap();
    (list.iter().map(|one| (text(&one["id"]), text(&one["severity"]))).collect(), ended.status.code())
}

fn doctor(config: &Path, more: &[&str]) -> Ended {
    let arguments = ["doctor", "--output", "json", "-c", config.to_str().unwrap()];
    picket(arguments.iter().chain(more))
}

/// With a /sys of this network namespace, in a mount namespace for it.
fn doctor_inside(config: &Path, more: &[&str]) -> Ended {
    let mount = "mount --make-rprivate / && mount -t sysfs none /sys && exec \"$@\"";
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", mount, "_", PROGRAM, "doctor", "--output", "json", "-c"])
        .arg(config)
        .args(more);
    run(&mut command)
}

#[track_caller]
fn wants(ended: &Ended, wanted: &[(&str, &str)], unwanted: &[&str]) {
    let (found, code) = findings(ended);
    let all =
        || wanted.iter().all(|(id, severity)| found.contains(&((*id).to_owned(), (*severity).to_owned())));
    assert!(all(), "{wanted:?} in {found:#?}");
    let none = found.iter().all(|(id, _)| !unwanted.contains(&id.as_str()));
    assert!(none, "{unwanted:?} not in {found:#?}");
    let bad = found.iter().any(|(_, severity)| severity == "bad");
    assert_eq!(code, Some(i32::from(bad)), "{ended:#?}");
}

/// Ended when dropped.
struct Program(Child);

impl Program {
    fn start(program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A configuration with this text after what all have.
fn config(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("picket.toml");
    let store = folder.join("store");
    let all = format!(
        "[store]\npath = \"{}\"\n[sensor]\nname = \"gw\"\n[status]\nsocket = \"\"\n",
        store.display()
    );
    fs::write(&path, all + text).unwrap();
    path
}

#[test]
fn without_a_configuration_it_says_what_is_missing() {
    let folder = open_folder();
    // Whoever runs the tests may have a broker of their own.
    let ended = doctor(&config(folder.path(), "[model]\npath = \"\"\n"), &["--offline"]);
    wants(
        &ended,
        &[
            ("capture.none", "bad"),
            ("model.off", "info"),
            ("uplink.not-asked", "info"),
            ("sample.none", "info"),
        ],
        &[],
    );
    let text = picket(["doctor", "-c", folder.path().join("picket.toml").to_str().unwrap()]);
    assert!(
        text.stdout.contains("capture.none") && text.stdout.contains("-> name one in capture.interfaces"),
        "{text:#?}"
    );
    assert!(text.stderr.starts_with("picket: doctor: ") && text.status.code() == Some(1), "{text:#?}");
}

#[test]
fn models_are_loaded_by_doctor_and_check() {
    let folder = open_folder();
    let root = env!("CARGO_MANIFEST_DIR");
    let sound = config(folder.path(), &format!("[model]\npath = \"{root}/models/default.onnx\"\n"));
    wants(&doctor(&sound, &["--offline"]), &[("model.ok", "ok")], &["model.refused"]);
    let text = |rest: &str| format!("[model]\npath = \"{root}/Cargo.toml\"\n{rest}");
    let lenient = config(folder.path(), &text(""));
    wants(&doctor(&lenient, &["--offline"]), &[("model.refused", "warning")], &["model.ok"]);
    let said = picket(["check", "-c", lenient.to_str().unwrap()]).ok();
    assert!(said.contains("# note: detection would go on without a model: "), "{said}");
    let strict = config(folder.path(), &text("on-missing = \"refuse\"\n"));
    wants(&doctor(&strict, &["--offline"]), &[("model.refused", "bad")], &[]);
    picket(["check", "-c", strict.to_str().unwrap()]).fails(65, &["Cargo.toml"]);
}

#[test]
fn a_bridge_a_client_and_a_broker() {
    in_namespace("a_bridge_a_client_and_a_broker", || {
        // br0 with two ports; the client lives behind the first, in a namespace of its own.
        for line in [
            "link add br0 type bridge",
            "link add port1 type veth peer name client",
            "link add port2 type veth peer name other",
            "link set port1 master br0",
            "link set port2 master br0",
            "addr add 10.66.0.1/24 dev br0",
            "link set br0 up",
            "link set port1 up",
            "link set port2 up",
        ] {
            ip(line);
        }
        let sleeper = Program::start("unshare", &["--net", "sleep", "600"]);
        let pid = sleeper.0.id().to_string();
        // The child is in its namespace once that is another than ours.
        let own = fs::read_link("/proc/self/ns/net").unwrap();
        wait_until("namespace of the client", Duration::from_secs(20), || {
            fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|theirs| theirs != own)
        });
        ip(&format!("link set client netns {pid}"));
        let inside = |args: &str| {
            let out = Command::new("nsenter")
                .args(["--net", "-t", &pid])
                .args(args.split_whitespace())
                .output()
                .unwrap();
            assert!(out.status.success(), "{args}: {}", String::from_utf8_lossy(&out.stderr));
        };
        inside("ip link set lo up");
        inside("ip addr add 10.66.0.2/24 dev client");
        inside("ip link set client up");

        let folder = open_folder();
        let (acl, conf) = (folder.path().join("acl"), folder.path().join("mosquitto.conf"));
        fs::write(
            &acl,
            "topic readwrite #\nuser gw\ntopic write picket/v1/gw/metric/#\nuser blocked\ntopic read #\n",
        )
        .unwrap();
        let users = folder.path().join("users");
        for (user, create) in [("gw", "-c"), ("blocked", "-b")] {
            let arguments = if create == "-c" { vec!["-b", "-c"] } else { vec!["-b"] };
            let made = Command::new("mosquitto_passwd")
                .args(arguments)
                .arg(&users)
                .args([user, "secret"])
                .status()
                .unwrap();
            assert!(made.success());
        }
        let text = format!(
            "listener 1883 0.0.0.0\nallow_anonymous true\npassword_file {}\nacl_file {}\nuser root\n",
            users.display(),
            acl.display()
        );
        fs::write(&conf, text).unwrap();
        let _broker = Program::start("mosquitto", &["-c", conf.to_str().unwrap()]);
        wait_until("broker", Duration::from_secs(20), || {
            std::net::TcpStream::connect(("127.0.0.1", 1883)).is_ok()
        });

        // The right interface, the wrong one, and one of its ports besides.
        let watching = |interfaces: &str, more: &str| {
            let text = format!("[capture]\ninterfaces = [{interfaces}]\nuser = \"nobody\"\n{more}");
            config(folder.path(), &text)
        };
        let right = doctor_inside(&watching("\"br0\"", ""), &[]);
        wants(
            &right,
            &[("broker.found", "ok"), ("broker.local-clients", "info")],
            &["capture.port", "capture.missing", "capture.down", "broker.tls-only"],
        );
        wants(
            &doctor_inside(&watching("\"br0\", \"port1\"", ""), &[]),
            &[("capture.twice", "warning")],
            &["capture.port"],
        );
        wants(&doctor_inside(&watching("\"nowhere\"", ""), &[]), &[("capture.missing", "bad")], &[]);
        let ended = doctor_inside(&watching("\"port1\"", ""), &[]);
        wants(&ended, &[("capture.port", "warning")], &["capture.twice", "capture.bridge"]);

        // Live traffic of a client while the doctor looks: both directions on the bridge.
        let loud = "for i in $(seq 400); do mosquitto_pub -h 10.66.0.1 -t t -m x; sleep 0.05; done";
        let client = Program::start("nsenter", &["--net", "-t", &pid, "sh", "-c", loud]);
        let ended = doctor_inside(&watching("\"br0\"", ""), &["--sample", "4"]);
        drop(client);
        wants(&ended, &[("sample.ok", "ok")], &["sample.silent", "sample.one-sided", "sample.no-mqtt"]);

        // The broker that alerts go to: it takes us, it refuses the publication, the password is wrong, it is not there.
        let password = folder.path().join("password");
        let uplink = |user: &str, port: u16, secret: &str| {
            fs::write(&password, format!("{secret}\n")).unwrap();
            let more = format!(
                "[publish]\nbroker = \"mqtt://10.66.0.1:{port}\"\nuser = \"{user}\"\npassword-file = \"{}\"\n",
                password.display()
            );
            doctor_inside(&watching("\"br0\"", &more), &[])
        };
        wants(&uplink("gw", 1883, "secret"), &[("uplink.ok", "ok")], &[]);
        wants(&uplink("blocked", 1883, "secret"), &[("uplink.denied", "bad")], &["uplink.ok"]);
        wants(&uplink("gw", 1883, "wrong"), &[("uplink.refused", "bad")], &["uplink.ok"]);
        wants(&uplink("gw", 1, "secret"), &[("uplink.unreachable", "bad")], &["uplink.ok"]);
        let more = "[publish]\nbroker = \"mqtt://10.66.0.1:1883\"\n";
        wants(
            &doctor_inside(&watching("\"br0\"", more), &["--offline"]),
            &[("uplink.not-asked", "info")],
            &[],
        );
    });
}

#[test]
fn every_finding_is_documented_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/doctor.md")).unwrap();
    let documented: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(id, _)| id)
        .collect();
    let mut made = std::collections::BTreeSet::new();
    for file in ["capture", "listen", "offload", "sample", "machine", "duty"] {
        let code = fs::read_to_string(root.join("src/doctor").join(file).with_extension("rs")).unwrap();
        for text in code.split('"').skip(1).step_by(2) {
            let is_id = text.split_once('.').is_some_and(|(area, what)| {
                let word = |part: &str| {
                    !part.is_empty() && part.bytes().all(|c| c.is_ascii_lowercase() || c == b'-')
                };
                word(area) && word(what)
            });
            if is_id {
                made.insert(text.to_owned());
            }
        }
    }
    assert!(made.len() > 40, "{made:?}");
    assert_eq!(documented.iter().map(|id| (*id).to_owned()).collect::<std::collections::BTreeSet<_>>(), made);
}
