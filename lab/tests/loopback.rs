//! The binary against a real mosquitto on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may panic, wait, read the clock and say why it was skipped"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use picket_lab::episode::Summary;

/// The laboratory, ready to be given arguments.
fn lab() -> Command {
    Command::new(env!("CARGO_BIN_EXE_picket-lab"))
}

/// A `picket-lab broker` that is told to end when the test ends.
struct Broker {
    child: Child,
    address: String,
}

impl Broker {
    fn start(users: Option<&Path>) -> Self {
        let mut command = lab();
        command.arg("broker").args(["--secs", "300"]).stdout(Stdio::piped());
        if let Some(users) = users {
            command.arg("--users").arg(users);
        }
        let mut child = command.spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        assert!(address.starts_with("127.0.0.1:"), "the broker did not start: {address:?}");
        Self { child, address }
    }

    /// How many connections to it stand.
    fn established(&self) -> usize {
        let port: u16 = self.address.rsplit(':').next().unwrap().parse().unwrap();
        let local = format!(":{port:04X}");
        // Number, local address, remote address, state; 01 is ESTABLISHED.
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let fields = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        fields.filter(|fields| fields[1].ends_with(&local) && fields[3] == "01").count()
    }

    fn terminate(&mut self) {
        let status = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.terminate();
        }
    }
}

fn summary(command: &mut Command) -> Summary {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn devices_and_a_brute_force_meet_a_broker_that_wants_passwords() {
    let dir = tempfile::tempdir().unwrap();
    let (users, password) = (dir.path().join("users"), dir.path().join("password"));
    fs::write(&users, "hub:right-horse\n").unwrap();
    fs::write(&password, "right-horse\n").unwrap();
    let broker = Broker::start(Some(&users));
    let fleet = lab()
        .args(["benign", "--broker", &broker.address, "--from", "127.0.70.1", "--secs", "5"])
        .args(["--devices", "2", "--profile", "camera", "--profile", "misconfigured", "--username", "hub"])
        .arg("--password-file")
        .arg(&password)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let attack = summary(
        lab()
            .args(["attack", "mqtt_bruteforce", "--broker", &broker.address, "--from", "127.0.66.1"])
            .args(["--tries", "30", "--rate", "0", "--succeed", "--username", "hub", "--password-file"])
            .arg(&password),
    );
    let [episode] = attack.episodes.as_slice() else { panic!("one attack, one episode") };
    assert_eq!(episode.class, "mqtt_bruteforce");
    assert_eq!(episode.attacker.to_string(), "127.0.66.1");
    assert_eq!(episode.victim.to_string(), broker.address);
    assert_eq!((episode.count, episode.refused, episode.accepted, episode.failed), (31, 30, 1, 0));
    assert!(episode.start < episode.end && episode.end < episode.start + 8.0);

    let Output { stdout, status, .. } = fleet.wait_with_output().unwrap();
    assert!(status.success());
    let fleet: Summary = serde_json::from_slice(&stdout).unwrap();
    let [camera, misconfigured] = fleet.benign.as_slice() else { panic!("two devices") };
    assert_eq!((camera.tally.sessions, camera.tally.refused), (1, 0));
    assert!(camera.tally.published > 0);
    assert_eq!(misconfigured.tally.sessions, 0);
    assert!(misconfigured.tally.refused > 0);
    assert_eq!(misconfigured.address.unwrap().to_string(), "127.0.70.2");
}

#[test]
fn every_version_and_quality_of_service_reaches_a_subscriber() {
    use picket_lab::mqtt::packet::{Connect, Version};
    use picket_lab::mqtt::session::{Dial, Session};
    use picket_lab::stop::Stop;
    use picket_lab::target::Target;

    let broker = Broker::start(None);
    let target = Target::check(broker.address.parse().unwrap()).unwrap();
    let dial = Dial { target, from: None, nodelay: true };
    let stop = Stop::default();
    for version in [Version::V31, Version::V311, Version::V5] {
        let open = |client_id| {
            let connect = Connect { version, client_id, keep_alive: 5, clean: true, ..Connect::default() };
            Session::connect(&dial, &connect).unwrap()
        };
        let (mut subscriber, mut publisher) = (open("subscriber"), open("publisher"));
        subscriber.subscribe(&[("a/+", 2)]).unwrap();
        // Until the SUBACK is there the broker may not know the subscription.
        assert_eq!(subscriber.pump(Instant::now() + Duration::from_millis(200), &stop).unwrap(), None);
        for (qos, topic) in [(0, "a/0"), (1, "a/1"), (2, "a/2")] {
            publisher.publish(topic, b"x", qos, false).unwrap();
            assert_eq!(publisher.pump(Instant::now() + Duration::from_millis(100), &stop).unwrap(), None);
            let received = subscriber.pump(Instant::now() + Duration::from_secs(5), &stop).unwrap();
            assert_eq!(received.as_deref(), Some(topic), "{version:?}");
        }
        publisher.leave();
        subscriber.leave();
    }
}

#[test]
fn every_attack_runs_and_stays_within_its_bounds() {
    let broker = Broker::start(None);
    for (name, options, least) in [
        ("mqtt_connect_flood", "--ending hold --count 50 --rate 0", 50),
        ("mqtt_connect_flood", "--ending reset --count 50 --rate 0", 50),
        ("mqtt_publish_flood", "--qos 2 --count 300 --rate 0 --coalesce 20 --protocol 5", 300),
        ("mqtt_slow_dos", "--slowness ping --sessions 20 --rate 0 --every 0.2 --secs 1", 20),
        ("mqtt_slow_dos", "--slowness drip --sessions 20 --rate 0 --every 0.1 --secs 1", 20),
        ("mqtt_slow_dos", "--slowness split --sessions 20 --rate 0 --secs 1", 20),
        ("tcp_scan", "--count 50 --rate 0 --ports range", 50),
        ("mqtt_slow_dos", "--slowness header --sessions 20 --rate 0 --every 0.1 --secs 1", 20),
        ("mqtt_slow_dos", "--slowness publish --sessions 20 --rate 0 --every 0.1 --secs 1", 20),
        ("mqtt_malformed", "--count 60 --rate 0 --protocol 5", 60),
        ("mqtt_malformed", "--kind fuzz --count 40 --rate 0", 40),
        ("mqtt_takeover", "--count 6 --rate 20 --hold 0.05 --booty listen --known-client pump", 6),
        ("mqtt_enumeration", "--search sys-list --together 5 --count 4 --rate 0 --listen 0.2", 4),
        ("mqtt_acl_probe", "--count 20 --rate 0 --per-session 5 --protocol 5", 20),
        ("mqtt_retained_poisoning", "--poison wipe --count 40 --rate 0 --delivery single", 40),
        ("mqtt_command_injection", "--count 40 --rate 0 --qos 1 --cut 2", 40),
        ("mqtt_spoofed_telemetry", "--count 40 --rate 0 --workers 4", 40),
        ("mqtt_large_payload", "--count 3 --payload 2000000 --rate 0", 3),
        ("mqtt_qos2_exhaustion", "--count 15 --rate 0 --secs 1", 15),
        ("mqtt_will_abuse", "--count 20 --rate 0 --retain --reset", 20),
        ("mqtt_keepalive_abuse", "--count 10 --rate 0 --secs 1 --subscribe", 10),
        ("mqtt_shared_subscription", "--count 6 --rate 0 --listen 0.2", 6),
        ("mqtt_v5_abuse", "--feature connect-properties --count 10 --rate 0", 10),
        ("mqtt_session_hoarding", "--count 20 --rate 0 --protocol 5", 20),
        ("udp_scan", "--count 40 --rate 0 --tries 2", 40),
        ("host_scan", "--count 60 --rate 0", 60),
    ] {
        let begin = Instant::now();
        let summary = summary(
            lab()
                .args(["attack", name, "--broker", &broker.address, "--from", "127.0.66.9"])
                .args(options.split(' ')),
        );
        let episode = &summary.episodes[0];
        assert_eq!((episode.style.name(), episode.count), (name, least), "{options}");
        assert_eq!(episode.failed, 0, "{name} {options}");
        assert!(begin.elapsed() < Duration::from_mins(3), "{name} {options}");
    }
}

#[test]
fn a_foreign_target_is_refused_by_every_command() {
    for arguments in [
        "attack mqtt_publish_flood --broker 192.0.2.1:1883",
        "attack tcp_scan --broker 10.77.1.1:1883",
        "attack udp_scan --broker 192.0.2.1:1883",
        "attack login_bruteforce --broker 192.0.2.1:22",
        "attack network_flood --broker 127.0.0.1:1883",
        "attack stealth_scan --broker 127.0.0.1:1883",
        "attack mirai_scan --broker 10.77.1.1:1883",
        "attack arp_spoof --broker 127.0.0.1:1883",
        "attack host_scan --knock arp --broker 127.0.0.1:1883",
        "victim --ip 192.0.2.1",
        "benign --broker [2001:db8::1]:1883",
    ] {
        let output = lab().args(arguments.split(' ')).output().unwrap();
        assert_eq!(output.status.code(), Some(77), "{arguments}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.starts_with("picket-lab: refusing ") && text.lines().count() == 1, "{text}");
    }
}

#[test]
fn a_wrong_option_is_a_usage_error() {
    for arguments in [
        "attack mqtt_bruteforce --tries many",
        "attack mqtt_bruteforce --succeed",
        "scenario nothing --out x",
    ] {
        assert_eq!(lab().args(arguments.split(' ')).output().unwrap().status.code(), Some(64), "{arguments}");
    }
}

#[test]
fn the_broker_ends_with_a_signal_and_takes_mosquitto_with_it() {
    let mut broker = Broker::start(None);
    assert!(std::net::TcpStream::connect(&broker.address).is_ok());
    broker.terminate();
    assert!(std::net::TcpStream::connect(&broker.address).is_err());
}

#[test]
fn a_broker_that_is_killed_takes_mosquitto_with_it() {
    let mut broker = Broker::start(None);
    broker.child.kill().unwrap();
    broker.child.wait().unwrap();
    let late = Instant::now() + Duration::from_secs(5);
    while std::net::TcpStream::connect(&broker.address).is_ok() {
        assert!(Instant::now() < late, "mosquitto is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_listeners_refuse_every_guess() {
    for (service, class) in [("ssh", "ssh_bruteforce"), ("telnet", "telnet_bruteforce")] {
        let mut victim = lab()
            .args(["victim", "--service", service, "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(victim.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let port = address.trim().rsplit_once(':').unwrap().1.to_owned();
        let summary = summary(
            lab()
                .args(["attack", "login_bruteforce", "--service", service, "--port", &port])
                .args("--count 8 --guesses 2 --rate 0 --workers 3".split(' ')),
        );
        let episode = &summary.episodes[0];
        assert_eq!((episode.class.as_str(), episode.attack.as_str()), (class, "N2"));
        assert_eq!((episode.count, episode.refused, episode.failed), (8, 8, 0), "{service}");
        assert!(Command::new("kill").arg(victim.id().to_string()).status().unwrap().success());
        assert!(victim.wait().unwrap().success());
    }
}

#[test]
fn a_signal_ends_an_attack_in_good_order() {
    let broker = Broker::start(None);
    let attack = lab()
        .args(["attack", "mqtt_keepalive_abuse", "--broker", &broker.address])
        .args("--count 5 --rate 0 --secs 200".split(' '))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Only then does it know what to do with a signal, and all have been answered a moment later.
    let late = Instant::now() + Duration::from_mins(1);
    while broker.established() < 5 {
        assert!(Instant::now() < late, "{} connections", broker.established());
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(1));
    let begin = Instant::now();
    assert!(Command::new("kill").args(["-INT", &attack.id().to_string()]).status().unwrap().success());
    let output = attack.wait_with_output().unwrap();
    assert!(output.status.success() && begin.elapsed() < Duration::from_mins(1));
    let summary: Summary = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary.episodes[0].accepted, 5);
}

#[test]
fn acknowledgements_do_not_slow_a_flood_down() {
    let broker = Broker::start(None);
    let options = "--qos 1 --count 4000 --rate 2000 --secs 4";
    let summary = summary(
        lab().args(["attack", "mqtt_publish_flood", "--broker", &broker.address]).args(options.split(' ')),
    );
    let episode = &summary.episodes[0];
    assert!(episode.count > 3000, "{} messages in {} s", episode.count, episode.end - episode.start);
}
