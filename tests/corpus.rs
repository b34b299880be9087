//! Captures of others, where they are at hand: in the folder that `PICKET_CORPUS` names, or `../shared/corpus`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may panic, read the clock, print what it found and say why it was skipped"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use picket::alert::{Alert, Severity};
use picket::capture::{CaptureError, Event, FileSource, FrameSource as _};
use picket::detect::class::Class;
use picket::detect::scorer::{NoModel, Scorer};
use picket::engine::{Engine, Settings, Sink, Stats};
use picket::memory::OwnedMemory;
use picket::model::{ModelSet, OnnxScorer};

use support::corpus::{corpus, files, is_capture};

#[derive(Default)]
struct Alerts(Vec<Alert>);

impl Sink for Alerts {
    fn alert(&mut self, alert: &Alert) {
        self.0.push(alert.clone());
    }
}

/// Replays a capture as far as it can be read; wants every frame accounted for.
fn replay<S: Scorer>(
    path: &Path,
    settings: Settings,
    scorer: S,
) -> Result<(Vec<Alert>, Stats, Option<CaptureError>), CaptureError> {
    let mut source = FileSource::open(path, None)?;
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(settings, memory.lend(), scorer);
    let mut alerts = Alerts::default();
    let mut damage = None;
    loop {
        match source.next_frame() {
            Ok(Event::Frame(frame)) => engine.on_frame(&frame, &mut alerts),
            Ok(Event::Idle(_) | Event::Notice(_)) => {}
            Ok(Event::End) => break,
            Err(error) => {
                damage = Some(error);
                break;
            }
        }
    }
    engine.finish(&mut alerts);
    let stats = engine.stats();
    assert_eq!(stats.frames, source.packets(), "{}", path.display());
    assert_eq!(stats.frames, stats.tcp + stats.udp + stats.skipped.iter().sum::<u64>(), "{}", path.display());
    Ok((alerts.0, stats, damage))
}

/// The alerts of the rules alone.
fn by_rules(path: &Path) -> Vec<Alert> {
    replay(path, Settings::default(), NoModel).unwrap_or_else(|error| panic!("{error}")).0
}

/// The alerts of the shipped model alone.
fn by_model(path: &Path) -> Vec<Alert> {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default.onnx");
    let settings = Settings { rules: false, ..Settings::default() };
    replay(path, settings, ModelSet::from(OnnxScorer::load(&model).unwrap()))
        .unwrap_or_else(|error| panic!("{error}"))
        .0
}

/// What is reported at medium and above, by class, with the sources.
fn reported(alerts: &[Alert]) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut found: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    for alert in alerts.iter().filter(|alert| alert.severity >= Severity::Medium) {
        found.entry(alert.class.name()).or_default().insert(alert.source.ip.to_string());
    }
    found
}

#[test]
fn the_attacks_of_mqttset_are_detected_by_the_rules() {
    let Some(corpus) = corpus("the_attacks_of_mqttset_are_detected_by_the_rules") else { return };
    let expected = [
        ("bruteforce.pcapng", "192.168.1.90", &[Class::MqttBruteforce][..]),
        ("flood.pcap", "192.168.1.100", &[Class::MqttPublishFlood]),
        ("malariados.pcap", "192.168.1.90", &[Class::MqttPublishFlood]),
        ("slowite.pcap", "10.16.120.44", &[Class::MqttSlowDos, Class::MqttConnectFlood]),
        ("malformed.pcap", "192.168.1.90", &[Class::MqttMalformed, Class::MqttConnectFlood]),
    ];
    let mut missed = Vec::new();
    for (name, attacker, classes) in expected {
        let path = corpus.join("mqttset-reduced").join(name);
        let (rules, model) = (reported(&by_rules(&path)), reported(&by_model(&path)));
        println!("corpus: {name}: rules {rules:?}; model alone {model:?}");
        let right = |class: &Class| rules.get(class.name()).is_some_and(|sources| sources.contains(attacker));
        let innocent = rules.values().flatten().any(|source| source != attacker);
        if !classes.iter().any(right) || innocent {
            missed.push(name);
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}

/// What holds honest traffic only, as files or folders.
const HONEST: [&str; 9] = [
    "mqttset-reduced/benign.pcap",
    "mqttset-reduced/benign-5mb/benign-5mb-train.pcap",
    "mqttset-reduced/benign-5mb/benign-5mb-test.pcap",
    "rishi-mqtt",
    "stander-by",
    "pradeesi",
    "ics-pcaps",
    "malcolm/pcap/protocols",
    "malcolm/pcap/plugins/bro-simple-scan/backscatter.trace",
];

#[test]
fn honest_traffic_wakes_nobody() {
    let Some(corpus) = corpus("honest_traffic_wakes_nobody") else { return };
    let mut woken = Vec::new();
    let mut checked = 0;
    for name in HONEST {
        let path = corpus.join(name);
        let list = if path.is_dir() { files(&path) } else { vec![path] };
        for capture in list.into_iter().filter(|path| is_capture(path)) {
            let (rules, model) = (reported(&by_rules(&capture)), reported(&by_model(&capture)));
            if !model.is_empty() {
                println!("corpus: {}: the model alone says {model:?}", capture.display());
            }
            if !rules.is_empty() {
                woken.push((capture, rules));
            }
            checked += 1;
        }
    }
    println!("corpus: {checked} honest captures");
    assert!(checked >= HONEST.len() && woken.is_empty(), "{checked} captures, {woken:#?}");
}

#[test]
fn no_capture_of_the_corpus_makes_it_panic() {
    let Some(corpus) = corpus("no_capture_of_the_corpus_makes_it_panic") else { return };
    let started = Instant::now();
    let (mut captures, mut refused, mut damaged, mut frames) = (0, 0, 0, 0);
    for path in files(&corpus).into_iter().filter(|path| is_capture(path)) {
        captures += 1;
        match replay(&path, Settings::default(), NoModel) {
            Ok((alerts, stats, damage)) => {
                frames += stats.frames;
                damaged += usize::from(damage.is_some());
                let found = reported(&alerts);
                if !found.is_empty() {
                    println!("corpus: {}: {found:?}", path.strip_prefix(&corpus).unwrap().display());
                }
            }
            Err(error) => {
                // Compressed, but no capture.
                assert!(!error.to_string().contains('\n'), "{error}");
                refused += 1;
            }
        }
    }
    println!(
        "corpus: {captures} captures, {frames} frames in {:.1} s; {refused} refused, {damaged} damaged",
        started.elapsed().as_secs_f64()
    );
    assert!(captures > refused && frames > 0, "nothing was read");
}

#[test]
#[ignore = "a process for each capture; cargo test --release --test corpus -- --ignored"]
fn every_capture_is_replayed_within_32_mb() {
    use nix::sys::resource::{UsageWho, getrusage};
    let Some(corpus) = corpus("every_capture_is_replayed_within_32_mb") else { return };
    let (mut captures, mut refused) = (0, 0);
    for path in files(&corpus) {
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_picket"))
            .args(["replay", "--no-model", "--output", "none"])
            .arg(&path)
            .output()
            .unwrap();
        match out.status.code() {
            Some(0) => captures += 1,
            Some(65) => refused += 1,
            _ => panic!("{}: {out:?}", path.display()),
        }
        assert!(!String::from_utf8_lossy(&out.stderr).contains("panicked"), "{}: {out:?}", path.display());
    }
    // The most that any of them had.
    let resident = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    println!(
        "corpus: {captures} captures replayed, {refused} files refused, at most {resident} KiB resident"
    );
    assert!(captures > 0 && resident <= 32 * 1024, "{resident} KiB");
}
