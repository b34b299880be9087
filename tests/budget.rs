//! Packets per CPU second and resident memory of `picket replay`, against ceilings that a slow, shared machine
//! keeps too. The promise itself is measured by a command in SPECIFICATION.md.
//!
//! Each figure is taken by this program, started again to run one replay and ask the system what its child used.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "a test may panic, print its figures, and cast figures it made itself"
)]

mod support;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use support::capture::{Capture, PCAP_HEADER, SECOND, START, SYN, host, pcap_record, segment};
use support::conversation::Conversation;
use support::mqtt::{self, Connect, V5, V311};
use support::program::PROGRAM;

/// Set in the child that runs one replay: its arguments, separated by line ends.
const REPLAY: &str = "PICKET_TEST_REPLAY";

const CLIENTS: u16 = 400;
const ROUNDS: u64 = 190;
const SPOOFED: u32 = 1_000_000;

/// Packets per CPU second without a model; a third of the promise.
const RATE_BY_RULES: f64 = 500_000.0;
/// The same with the shipped model.
const RATE_WITH_MODEL: f64 = 350_000.0;
/// Resident memory in KiB.
const MEMORY: i64 = 23 * 1024;
/// With the model. The program's own pages, a third of it, count as the kernel happens to map them: up to 3 MiB more or
/// less for one and the same program, so there is room here above what is measured.
const MEMORY_WITH_MODEL: i64 = 30 * 1024;
/// What is the process's own of that, without pages of files, with the model: the same on every machine, but for its
/// allocator.
const OWN_MEMORY: i64 = 13 * 1024;
/// What a million spoofed flows may add to it, in KiB.
const GROWTH: i64 = 2 * 1024;

/// What one replay used.
#[derive(Clone, Copy, Debug)]
struct Used {
    cpu_seconds: f64,
    resident_kib: i64,
}

/// Runs `picket replay` with these arguments and nothing printed.
fn replay(args: &[&str]) -> Used {
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "speed_and_memory_stay_within_budget", "--nocapture"])
        .env(REPLAY, args.join("\n"))
        .output()
        .unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    let figures: Vec<i64> = said
        .lines()
        .find_map(|line| line.strip_prefix("used "))
        .unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&out.stderr)))
        .split_whitespace()
        .map(|figure| figure.parse().unwrap())
        .collect();
    Used { cpu_seconds: figures[0] as f64 / 1e6, resident_kib: figures[1] }
}

/// The child's part: one replay, then its figures.
fn measure(args: &str) {
    let status = Command::new(PROGRAM)
        .args(["replay", "--output", "none"])
        .args(args.lines())
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let cpu = usage.user_time() + usage.system_time();
    println!("\nused {} {}", cpu.num_microseconds(), usage.max_rss());
}

/// Resident memory that is no file's, in KiB, once a replay with these arguments has taken the capture from its input.
fn own_memory(args: &[&str], capture: &str) -> i64 {
    let mut program = Command::new(PROGRAM)
        .args(["replay", "--output", "none"])
        .args(args)
        .arg("-")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    // Read, and worked on, but for the pipe's 64 KiB and one window, when the last octet is written.
    let mut input = program.stdin.take().unwrap();
    std::io::copy(&mut File::open(capture).unwrap(), &mut input).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    drop(input);
    assert!(program.wait().unwrap().success());
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The least of three runs: other work on the machine only ever adds.
fn least(args: &[&str]) -> Used {
    let runs = [(); 3].map(|()| replay(args));
    Used {
        cpu_seconds: runs.iter().map(|used| used.cpu_seconds).fold(f64::MAX, f64::min),
        resident_kib: runs.iter().map(|used| used.resident_kib).max().unwrap(),
    }
}

/// Several hundred clients of both versions: sensors that publish at QoS 0 and 1 and are sent to, in bursts and
/// one by one, with retransmissions and other traffic between.
fn mixed_traffic() -> Capture {
    let broker = (host(1), 1883);
    let mut all = Capture::default();
    for n in 0..CLIENTS {
        let version = if n % 3 == 0 { V5 } else { V311 };
        let client = host(1000 + n);
        let mut talk = Conversation::new((client, 40_000 + n), broker, START + u64::from(n) * 2500).open();
        talk = talk.connect(&Connect::new(version, format!("device-{n}")).login("fleet", "pass"));
        talk = talk.subscribe(version, &format!("fleet/{n}/set"));
        let topic = format!("fleet/{n}/telemetry");
        let begin = talk.now;
        for round in 0..ROUNDS {
            talk.wait_until(begin + round * SECOND / 4);
            let payload = vec![b'7'; 20 + (round as usize * 37 + usize::from(n)) % 200];
            match round % 8 {
                0 => {
                    let burst = mqtt::publish(version, &topic, &payload).repeat(4);
                    talk.send(&burst);
                }
                1 => {
                    talk.send(&mqtt::pingreq());
                    talk.reply(&mqtt::pingresp());
                }
                _ => {
                    let id = round as u16 + 1;
                    talk.send(&mqtt::publish_qos1(version, &topic, id, &payload));
                    talk.reply(&mqtt::puback(id));
                }
            }
            talk.reply(&mqtt::publish(version, &format!("fleet/{n}/set"), b"on"));
            talk.send(&[]);
        }
        talk.send(&mqtt::disconnect());
        let mut frames = talk.close().frames;
        let again: Vec<_> = frames.iter().step_by(97).map(|(at, data)| (at + 900, data.clone())).collect();
        frames.extend(again);
        all.frames.extend(frames);
        let web: IpAddr = [93, 184, 216, 34].into();
        let mut other = Conversation::new((client, 50_000), (web, 443), START + u64::from(n) * 90_000).open();
        other.send(&[0x16, 3, 1, 0, 4, 1, 0, 0, 0]);
        other.reply(&[0x17; 1200]);
        all.frames.extend(other.close().frames);
    }
    all.sorted()
}

/// As many SYN as there are promised, each from an address and port of its own, 50 000 a second.
fn write_spoofed(path: &Path) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    out.write_all(&PCAP_HEADER).unwrap();
    for n in 0..SPOOFED {
        // An odd factor makes every address different and their order wild.
        let [a, b, c, d] = n.wrapping_mul(2_654_435_761).to_be_bytes();
        let source = (IpAddr::from([a | 1, b, c, d]), 1024 + (n % 60_000) as u16);
        let frame = segment(source, (host(1), 1883), n, 0, SYN, &[]);
        out.write_all(&pcap_record(START + u64::from(n) * 20, frame.len())).unwrap();
        out.write_all(&frame).unwrap();
    }
    out.flush().unwrap();
}

#[test]
fn speed_and_memory_stay_within_budget() {
    if let Ok(args) = std::env::var(REPLAY) {
        return measure(&args);
    }
    if cfg!(debug_assertions) {
        println!("budget: skipped, figures mean something in a release build only");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (mixed, spoofed, single) = (path("mixed.pcap"), path("spoofed.pcap"), path("single.pcap"));
    let traffic = mixed_traffic();
    let packets = traffic.frames.len() as f64;
    traffic.write(Path::new(&mixed));
    Capture { frames: traffic.frames[..1].to_vec() }.write(Path::new(&single));
    drop(traffic);
    write_spoofed(Path::new(&spoofed));
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/models/default.onnx");

    let one = least(&["--no-model", &single]);
    let by_rules = least(&["--no-model", &mixed]);
    let with_model = least(&["--model", model, &mixed]);
    let flood = least(&["--no-model", &spoofed]);
    let flood_with_model = replay(&["--model", model, &spoofed]);
    let own = [&mixed, &spoofed].map(|capture| own_memory(&["--model", model], capture));

    let rate = |packets: f64, used: Used| packets / used.cpu_seconds;
    let tell = |what: &str, packets: f64, used: Used| {
        println!(
            "budget: {what:<28} {packets:>9} packets, {:>9.0} a CPU second, {:.3} s, {} KiB resident",
            rate(packets, used),
            used.cpu_seconds,
            used.resident_kib
        );
    };
    tell("one packet", 1.0, one);
    tell("mixed, rules", packets, by_rules);
    tell("mixed, rules and model", packets, with_model);
    tell("spoofed SYN, rules", f64::from(SPOOFED), flood);
    tell("spoofed SYN, rules and model", f64::from(SPOOFED), flood_with_model);

    println!("budget: {own:?} KiB of that are the process's own");

    assert!((290_000.0..320_000.0).contains(&packets), "the capture changed: {packets} packets");
    assert!(rate(packets, by_rules) >= RATE_BY_RULES, "{by_rules:?}");
    assert!(rate(packets, with_model) >= RATE_WITH_MODEL, "{with_model:?}");
    for used in [by_rules, flood] {
        assert!(used.resident_kib <= MEMORY, "{used:?}");
    }
    for used in [with_model, flood_with_model] {
        assert!(used.resident_kib <= MEMORY_WITH_MODEL, "{used:?}");
    }
    assert!(own.iter().all(|own| (1024..=OWN_MEMORY).contains(own)), "{own:?}");
    assert!(flood.resident_kib <= one.resident_kib + GROWTH, "{flood:?} after {one:?}");
}
