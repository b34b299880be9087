//! A scenario in network namespaces. Needs root with the right to make namespaces, and tcpdump; where these are
//! missing, each test says so in one line and checks the refusal instead.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may panic, wait, read the clock and say why it was skipped"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use picket_lab::episode::Labels;

const SCENARIO: &str = "name = \"small\"\nsecs = 5\nauth = true
[[devices]]\nprofile = \"camera\"\ncount = 2\ntogether = true
[[devices]]\nprofile = \"second-stack\"\ncount = 1
[[attacks]]\nat = 1\nname = \"mqtt_bruteforce\"\ntries = 20\nrate = 0
[[attacks]]\nat = 2\nname = \"tcp_scan\"\ncount = 30\nrate = 0\n";

/// Whether this process may make namespaces here.
fn may_make_namespaces() -> bool {
    // The tests run at the same time: a name of its own for each.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("picketlab-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let made = Command::new("ip").args(["netns", "add", &name]).stderr(Stdio::null()).status();
    if made.is_ok_and(|status| status.success()) {
        return Command::new("ip").args(["netns", "delete", &name]).status().unwrap().success();
    }
    eprintln!("skipped: no right to make network namespaces");
    false
}

fn scenario(dir: &Path) -> Command {
    let file = dir.join("small.toml");
    fs::write(&file, SCENARIO).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_picket-lab"));
    command.arg("scenario").arg(file).args(["--netns", "--seed", "4", "--out"]).arg(dir.join("out"));
    command
}

/// Names of the namespaces that a process made.
fn namespaces_of(pid: u32) -> Vec<String> {
    let names = Command::new("ip").args(["netns", "list"]).output().unwrap().stdout;
    let stem = format!("picketlab-{pid}-");
    String::from_utf8(names)
        .unwrap()
        .lines()
        .filter(|name| name.starts_with(&stem))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_scenario_leaves_a_labelled_capture_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = scenario(dir.path());
    if !may_make_namespaces() {
        assert!(!command.status().unwrap().success());
        return;
    }
    let mut child = command.spawn().unwrap();
    let pid = child.id();
    assert!(child.wait().unwrap().success());
    assert_eq!(namespaces_of(pid), [""; 0]);

    let read = |name: &str| fs::read_to_string(dir.path().join("out").join(name)).unwrap();
    let labels: Labels = toml::from_str(&read("labels.toml")).unwrap();
    let classes: Vec<_> = labels.episodes.iter().map(|label| label.class.as_str()).collect();
    assert_eq!(classes, ["mqtt_bruteforce", "tcp_scan"]);
    let manifest: serde_json::Value = serde_json::from_str(&read("manifest.json")).unwrap();
    assert_eq!(manifest["packets"]["dropped"], 0);
    assert_eq!(manifest["interrupted"], false);
    assert_eq!(manifest["episodes"][0]["refused"], 20);
    assert_eq!(manifest["episodes"][1]["count"], 30);
    let devices = manifest["benign"].as_array().unwrap();
    assert!(devices.iter().all(|device| device["sessions"] == 1), "{devices:?}");
    // 24 bytes of file header, then 16 and at least a TCP header without options for each packet.
    let bytes = fs::metadata(dir.path().join("out/capture.pcap")).unwrap().len();
    let packets = manifest["packets"]["captured"].as_u64().unwrap();
    assert!(packets > 200 && bytes > 24 + packets * (16 + 54), "{packets} packets in {bytes} bytes");
}

#[test]
fn a_signal_in_the_middle_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = scenario(dir.path());
    if !may_make_namespaces() {
        assert!(!command.status().unwrap().success());
        return;
    }
    let mut child = command.spawn().unwrap();
    let pid = child.id();
    // Bridge, two benign hosts, two attackers: on a busy machine it takes its time until they stand.
    let late = Instant::now() + Duration::from_secs(30);
    while namespaces_of(pid).len() < 5 {
        assert!(Instant::now() < late, "{:?}", namespaces_of(pid));
        thread::sleep(Duration::from_millis(50));
    }
    thread::sleep(Duration::from_millis(1500));
    assert!(Command::new("kill").arg(pid.to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    assert_eq!(namespaces_of(pid), [""; 0]);
    let manifest = fs::read_to_string(dir.path().join("out/manifest.json")).unwrap();
    assert!(manifest.contains("\"interrupted\": true"));
}

#[test]
fn bad_links_an_acl_and_other_stacks_are_in_the_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("acl.toml");
    let text = "name = \"acl\"\nsecs = 6\nauth = true\nacl = true\nneighbours = 3
[link]\ndelay_ms = 20\njitter_ms = 2\nloss = 0.5
[[devices]]\nprofile = \"denied\"\ncount = 1\n[[devices]]\nprofile = \"browser\"\ncount = 1
[[devices]]\nprofile = \"camera\"\ncount = 1\n[[devices]]\nprofile = \"paho\"\ncount = 1
[[devices]]\nprofile = \"script\"\ncount = 1\n[[devices]]\nprofile = \"explorer\"\ncount = 1\n";
    fs::write(&file, text).unwrap();
    let out = dir.path().join("out");
    let mut command = Command::new(env!("CARGO_BIN_EXE_picket-lab"));
    command.arg("scenario").arg(&file).args(["--netns", "--seed", "2", "--out"]).arg(&out);
    if !may_make_namespaces() {
        assert!(!command.status().unwrap().success());
        return;
    }
    assert!(command.status().unwrap().success());
    let manifest = fs::read_to_string(out.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["links"], "relay");
    let answers = round_trips(&out.join("capture.pcap"));
    assert!(answers.iter().all(|time| *time >= 0.034), "20 ms each way, less the spread: {answers:?}");
    assert!(answers.len() >= 2, "{answers:?}");
    let devices = manifest["benign"].as_array().unwrap();
    let of = |profile: &str| devices.iter().find(|device| device["profile"] == profile);
    for stack in manifest["stacks"].as_array().unwrap() {
        // A stack is there with its version and its devices take part, or the reason stands here and they do not.
        let device = of(stack["profile"].as_str().unwrap());
        assert_eq!(
            stack["version"].is_string(),
            device.is_some_and(|device| device["sessions"] != 0),
            "{stack}"
        );
        assert_ne!(stack["version"].is_string(), stack["missing"].is_string());
    }
    // Of what the denied device publishes nothing arrives; of the camera's everything does.
    let number = |profile: &str, what: &str| of(profile).unwrap()[what].as_u64().unwrap();
    assert!(number("denied", "published") > 0 && number("camera", "published") > 0);
    assert!(number("explorer", "received") > 0);
    assert!(number("browser", "sessions") + number("browser", "refused") > 0);
}

/// The time from each SYN of a client that was answered to the third packet of the handshake, seen at the bridge: the way from
/// the bridge to the client and back.
fn round_trips(capture: &Path) -> Vec<f64> {
    let listing = Command::new("tcpdump")
        .args(["-tt", "-nn", "-r"])
        .arg(capture)
        .arg("tcp port 1883")
        .output()
        .unwrap();
    let listing = String::from_utf8(listing.stdout).unwrap();
    let mut answered = BTreeMap::new();
    let mut times = Vec::new();
    for line in listing.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let [time, _, from, _, to, _, flags, ..] = words[..] else { continue };
        let time: f64 = time.parse().unwrap();
        match flags {
            "[S.]," => {
                answered.insert(to.trim_end_matches(':').to_owned(), time);
            }
            "[.]," => times.extend(answered.remove(from).map(|begin| time - begin)),
            _ => {}
        }
    }
    times
}
