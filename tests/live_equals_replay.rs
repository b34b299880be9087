//! What the daemon reports of live frames is what a replay of the same frames reports. Needs root: it runs in a
//! network namespace of its own, and prints a line when it is skipped.
//!
//! What may differ, and is not compared: `id` (its hash key is random when live), `seq` (alerts that different
//! hosts raise at the end of one second come in the order of their hashes), and figures that are estimated by
//! keyed hashes: the evidence named `distinct_...`, and `confidence` and `message`, which quote it. For the same
//! reason a scan may be told one port earlier or later: of `tcp_scan` only is compared that both report it of the
//! same source, and the model, whose columns hold such figures, is off. Times are equal
//! to some milliseconds, as the kernel stamps a frame for each socket that captures it. Live time goes on when the
//! recording has ended, so the comparison ends with the last whole second that was recorded.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may panic, wait, read the clock and say why it was skipped"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::Value;

use support::capture::{Capture, SECOND, START, host};
use support::mqtt::{V5, V311};
use support::namespace::{in_namespace, ip};
use support::program::{Daemon, PROGRAM, open_folder, picket, wait_until};
use support::{attack, benign};

/// Four attacks and an honest sensor in twelve seconds, then silence until everything is closed.
fn conversations() -> Capture {
    let broker = (host(1), 1883);
    benign::sensor(V5, host(7), broker, START, 12)
        .with(attack::brute_force(V311, host(66), broker, START + SECOND, 30, SECOND / 5))
        .with(attack::tcp_scan(host(67), host(1), START + 2 * SECOND, 40, SECOND / 10))
        .with(attack::malformed(V5, host(68), broker, START + 3 * SECOND, 20, SECOND / 10))
        .with(attack::publish_flood(V311, host(69), broker, START + 5 * SECOND, 1500, 2))
        .then_quiet(9)
}

/// Sends every frame out of `interface` at its time.
fn inject(capture: &Capture, interface: &str) {
    let mut sender = pcap::Capture::from_device(interface).unwrap().open().unwrap();
    let started = Instant::now();
    for (at, frame) in &capture.frames {
        let due = Duration::from_micros(at - START);
        if let Some(wait) = due.checked_sub(started.elapsed()) {
            std::thread::sleep(wait);
        }
        sender.sendpacket(&frame[..]).unwrap();
    }
}

/// Records `interface` into `path` until told to stop; gives the number of frames and the second of the last one.
fn record(interface: &str, path: &Path, stop: &AtomicBool) -> (usize, u64) {
    // Small frames in a large buffer, here and in the daemon: nothing may be lost on a busy machine.
    let device = pcap::Capture::from_device(interface).unwrap().snaplen(4096).buffer_size(64 << 20);
    let device = device.immediate_mode(true).timeout(50);
    let mut source = device.open().unwrap().setnonblock().unwrap();
    let mut file = source.savefile(path).unwrap();
    let (mut frames, mut last) = (0, 0);
    loop {
        match source.next_packet() {
            Ok(packet) => {
                file.write(&packet);
                frames += 1;
                last = u64::try_from(packet.header.ts.tv_sec).unwrap();
            }
            Err(pcap::Error::TimeoutExpired) if stop.load(Ordering::Relaxed) => break,
            Err(pcap::Error::TimeoutExpired) => std::thread::sleep(Duration::from_millis(5)),
            Err(error) => panic!("{error}"),
        }
    }
    file.flush().unwrap();
    (frames, last)
}

/// What is compared of an alert: source and class, times since 1970, and the rest.
type Comparable = (String, [Duration; 3], String);

/// What is compared of the alerts in JSON lines up to the second `until`: by source and class, in order of time.
fn comparable(lines: &str, until: u64) -> Vec<Comparable> {
    let mut alerts: Vec<Comparable> = lines
        .lines()
        .map(|line| {
            let mut alert: Value = serde_json::from_str(line).unwrap();
            let fields = alert.as_object_mut().unwrap();
            for key in ["id", "seq", "confidence", "message"] {
                assert!(fields.remove(key).is_some(), "no {key} in {line}");
            }
            let evidence = fields["evidence"].as_object_mut().unwrap();
            evidence.retain(|name, _| !name.starts_with("distinct_"));
            let times = ["ts", "first_seen", "last_seen"].map(|key| {
                let time = fields.remove(key).unwrap();
                let time = humantime::parse_rfc3339(time.as_str().unwrap()).unwrap();
                time.duration_since(UNIX_EPOCH).unwrap()
            });
            let about = format!("{} {}", alert["source"]["ip"], alert["class"]);
            (about, times, alert.to_string())
        })
        .filter(|(_, [ts, ..], _)| *ts <= Duration::from_secs(until))
        .collect();
    alerts.sort_by_key(|(about, [ts, ..], _)| (about.clone(), *ts));
    alerts
}

fn live_and_replay() {
    ip("link add va type veth peer name vb");
    ip("link set va up");
    ip("link set vb up");
    let folder = open_folder();
    let path = |name: &str| folder.path().join(name);
    let config = path("picket.toml");
    let text = format!(
        "[sensor]\nname = \"live\"\n[capture]\ninterfaces = [\"va\"]\nbuffer-mib = 64\nsnaplen = 4096\nuser = \"nobody\"\n\
         [model]\npath = \"\"\n[alert]\nupdate-every = \"2s\"\nclose-after = \"5s\"\n\
         [store]\npath = {:?}\n[publish]\nbroker = \"\"\n[status]\nsocket = {:?}\n",
        path("store"),
        path("run/picket.sock"),
    );
    fs::write(&config, text).unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let recorder = std::thread::spawn({
        let (stop, file) = (Arc::clone(&stop), path("recorded.pcap"));
        move || record("va", &file, &stop)
    });
    let log = path("log");
    let mut daemon = Daemon::start(&config, &log);
    wait_until("answer of the daemon", Duration::from_mins(1), || {
        assert!(daemon.is_running(), "{}", fs::read_to_string(&log).unwrap());
        picket(args!["status", "-c", &config]).status.success()
    });
    let conversations = conversations();
    inject(&conversations, "vb");
    std::thread::sleep(Duration::from_millis(1500));
    stop.store(true, Ordering::Relaxed);
    let (recorded, until) = recorder.join().unwrap();
    assert!(recorded >= conversations.frames.len(), "{recorded} frames were recorded");
    assert!(daemon.stop().success(), "{}", fs::read_to_string(&log).unwrap());

    let live = picket(args!["alerts", "export", "--format", "jsonl", "-c", &config]).ok();
    let replay = picket(args!["replay", "-c", &config, path("recorded.pcap")]).ok();
    let (live, replay) = (comparable(&live, until), comparable(&replay, until));
    let said = |part: &str| live.iter().any(|(.., alert)| alert.contains(part));
    for class in ["mqtt_bruteforce", "tcp_scan", "mqtt_malformed", "mqtt_publish_flood"] {
        assert!(said(&format!("\"{class}\"")), "no {class}: {live:#?}");
    }
    for state in ["open", "update", "closed"] {
        assert!(said(&format!("\"state\":\"{state}\"")), "nothing is {state}: {live:#?}");
    }
    assert!(!said("\"10.0.0.7\""), "the sensor is named: {live:#?}");
    let scans = |alerts: &[Comparable]| -> BTreeSet<String> {
        alerts.iter().map(|(about, ..)| about.clone()).filter(|about| about.contains("tcp_scan")).collect()
    };
    assert_eq!(scans(&live), scans(&replay));
    let exact = |mut alerts: Vec<Comparable>| {
        alerts.retain(|(about, ..)| !about.contains("tcp_scan"));
        alerts
    };
    let (live, replay) = (exact(live), exact(replay));
    assert_eq!(live.len(), replay.len(), "live: {live:#?}\nreplay: {replay:#?}");
    for ((_, live_times, live), (_, times, replay)) in live.iter().zip(&replay) {
        assert_eq!(live, replay);
        for (live_time, time) in live_times.iter().zip(times) {
            assert!(
                live_time.abs_diff(*time) < Duration::from_millis(200),
                "{live_times:?} {times:?}: {live}"
            );
        }
    }
}

#[test]
fn alerts_of_a_live_capture_equal_those_of_its_replay() {
    in_namespace("alerts_of_a_live_capture_equal_those_of_its_replay", live_and_replay);
}

/// Live rows of every kind equal, octet by octet, those of the frames that the same run recorded.
fn live_and_recorded_rows() {
    ip("link add va type veth peer name vb");
    ip("link set va up");
    ip("link set vb up");
    let folder = open_folder();
    let path = |name: &str| folder.path().join(name);
    let schemas = ["picket-host", "picket-connection", "mqttset", "hindy-biflow", "siuru-window"];
    let running: Vec<_> = schemas
        .iter()
        .map(|schema| {
            let out = fs::File::create(path(&format!("{schema}.csv"))).unwrap();
            Command::new(PROGRAM)
                .args(args!["extract", "--interface", "va", "--seconds", "10", "--schema", schema])
                .args(args!["--write", path(&format!("{schema}.pcap"))])
                .stdin(Stdio::null())
                .stdout(out)
                .spawn()
                .unwrap()
        })
        .collect();
    std::thread::sleep(Duration::from_secs(2));
    let broker = (host(1), 1883);
    let frames = benign::sensor(V5, host(7), broker, START, 5)
        .with(attack::brute_force(V311, host(66), broker, START + SECOND, 30, SECOND / 10))
        .with(attack::tcp_scan(host(67), host(1), START + 2 * SECOND, 40, SECOND / 20));
    inject(&frames, "vb");
    for (mut child, schema) in running.into_iter().zip(schemas) {
        assert!(child.wait().unwrap().success(), "{schema}");
        let live = fs::read_to_string(path(&format!("{schema}.csv"))).unwrap();
        let recorded = path(&format!("{schema}.pcap"));
        let again = picket(args!["extract", "--schema", schema, recorded]).ok();
        assert!(live.lines().count() > 5, "{schema}: {live}");
        assert!(live == again, "{schema}: live\n{live}\nfrom the recording\n{again}");
    }
}

#[test]
fn rows_of_a_live_capture_equal_those_of_its_recording() {
    in_namespace("rows_of_a_live_capture_equal_those_of_its_recording", live_and_recorded_rows);
}
