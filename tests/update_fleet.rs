//! Whole daemons and the operator's command, over a real mosquitto with TLS, client certificates and the access list that is
//! shipped. Needs root and runs in network namespaces of its own; prints a line when it is skipped.
//!
//! The fleet has `PICKET_FLEET` sensors, 4 unless it is set.
#![cfg(feature = "tls")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test may panic, wait, read the clock and say why it was skipped; each uses a part of the support"
)]

#[path = "support/again.rs"]
mod again;
#[path = "support/authority.rs"]
mod authority;
#[path = "support/desk.rs"]
mod desk;
#[path = "support/https.rs"]
mod https;
#[path = "support/namespace.rs"]
mod namespace;
#[macro_use]
#[path = "support/program.rs"]
mod program;
mod publish_support;
#[path = "update_remote/site.rs"]
mod site;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use picket::update::document::{Reported, State};
use picket::update::reason::Reason;

use desk::project;
use namespace::{in_namespace, ip};
use program::{Daemon, picket, set_mode, wait_until};
use publish_support::mosquitto;
use site::Site;

const CHANNEL: &str = "stable";
/// How long anything may take on a busy machine.
const LIMIT: Duration = Duration::from_mins(5);
/// What a release of these tests asks for: some seconds beside the old model, some more in use.
const QUICK: &str = "--shadow-seconds 3 --probation 5";

impl Site {
    /// With keys, and a folder into which the daemons' user may look.
    fn with_keys() -> Self {
        let site = Self::new().unwrap();
        set_mode(site.desk.folder(), 0o755);
        site.desk.trust(1);
        fs::write(site.desk.path("clock-is-set"), "").unwrap();
        site
    }

    /// Writes the configuration of a sensor on `interface`.
    fn configuration(&self, name: &str, interface: &str, more: &str) -> PathBuf {
        let (certificate, key) = self.certificate(name);
        let of = |what: &str| self.desk.path(&format!("{name}/{what}"));
        fs::create_dir_all(of("")).unwrap();
        let text = format!(
            "[sensor]\nname = {name:?}\n[capture]\ninterfaces = [{interface:?}]\nbuffer-mib = 8\nuser = \"nobody\"\n\
             [model]\npath = {:?}\n[store]\npath = {:?}\n\
             [publish]\nbroker = {:?}\nca-file = {:?}\ncert-file = {certificate:?}\nkey-file = {key:?}\n\
             [update]\nenabled = true\ntrust-root = {:?}\npath = {:?}\nchannel = {CHANNEL:?}\ntime-mark = {:?}\n{more}\n\
             [status]\nsocket = {:?}\n",
            project("models/default.onnx"),
            of("store"),
            self.url(),
            self.authority.file,
            self.desk.path("1.root.json"),
            of("models"),
            self.desk.path("clock-is-set"),
            of("run/picket.sock"),
        );
        let path = self.desk.path(&format!("{name}.toml"));
        fs::write(&path, text).unwrap();
        path
    }

    fn start(&self, name: &str, interface: &str) -> Daemon {
        let config = self.configuration(name, interface, "");
        Daemon::start(&config, &self.desk.path(&format!("{name}.log")))
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.desk.path(&format!("{name}.log"))).unwrap_or_default()
    }

    fn reported(&self, name: &str) -> Option<Reported> {
        let message = self.retained("manager", &format!("picket/v1/{name}/update/reported"))?;
        self.assert_schema("update-reported", &message);
        Some(Reported::read(&message).unwrap())
    }

    /// Waits until what a sensor reports is as wanted.
    #[track_caller]
    fn wait_for(&self, name: &str, what: &str, mut wanted: impl FnMut(&Reported) -> bool) -> Reported {
        let mut last = None;
        let began = Instant::now();
        while began.elapsed() < LIMIT {
            last = self.reported(name);
            if last.as_ref().is_some_and(&mut wanted) {
                return last.unwrap();
            }
        }
        panic!("no {what} within {LIMIT:?}: {last:?}\n{}", self.log(name));
    }
}

/// The lines of a command as they come.
fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap)
}

fn detects(config: &std::path::Path) {
    for port in 2..40 {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "port {port} is open");
    }
    wait_until("stored tcp_scan", LIMIT, || {
        picket(args!["alerts", "list", "--class", "tcp_scan", "-c", config])
            .stdout
            .contains(r#""state":"open""#)
    });
}

/// Makes `quiet0`, on which nothing happens.
fn quiet() {
    ip("link add quiet0 type veth peer name quiet1");
    ip("link set quiet0 up");
    ip("link set quiet1 up");
}

fn skipped() -> bool {
    mosquitto().is_none()
}

#[test]
fn a_release_is_in_use_within_a_minute_and_older_ones_are_refused() {
    if skipped() {
        return;
    }
    in_namespace("a_release_is_in_use_within_a_minute_and_older_ones_are_refused", || {
        let site = Site::with_keys();
        let desk = &site.desk;
        desk.release(7, QUICK);
        let _daemon = site.start("gw-1", "lo");
        site.wait_for("gw-1", "first word", |reported| reported.state == State::Idle);
        let publish = |number: u64| {
            format!(
                "model publish {} --sensor gw-1 --watch --patience 300 --timestamp {number}.timestamp.json {number}.bundle",
                site.manager()
            )
        };
        let began = Instant::now();
        let mut child = desk.start(&publish(7));
        let mut said = lines(&mut child);
        assert!(said.any(|line| line == "gw-1: probation, release 7"), "{}", site.log("gw-1"));
        let active = began.elapsed();
        println!("in use {active:?} after the command was typed");
        assert!(active < Duration::from_mins(1), "{active:?}");
        assert!(said.any(|line| line == "gw-1: committed, release 7"), "{}", site.log("gw-1"));
        assert!(child.wait().unwrap().success());
        detects(&desk.path("gw-1.toml"));
        let seventh = site.retained("manager", "picket/v1/gw-1/update/desired").unwrap();

        desk.release(8, QUICK);
        desk.works(&publish(8));
        // Whoever has the broker says again what was right once, says too much, or puts together what does not belong so. The
        // other attacks are tried without a broker, at the thread that updates: here each takes ten seconds.
        let refused = |message: &[u8], reason: Reason| {
            // One message in ten seconds is examined, and of those that come between only one that can be kept.
            let mut sent: Option<Instant> = None;
            let reported = site.wait_for("gw-1", reason.code(), |reported| {
                if reported.reason != Some(reason)
                    && sent.is_none_or(|sent| sent.elapsed() > Duration::from_secs(12))
                {
                    sent = Some(Instant::now());
                    assert!(site.publish("manager", "picket/v1/gw-1/update/desired", true, message));
                }
                reported.reason == Some(reason)
            });
            assert_eq!(
                (reported.active.unwrap().release, reported.state),
                (8, State::Failed),
                "{reported:?}"
            );
        };
        refused(&seventh, Reason::TimestampOlder);
        refused(&vec![b'x'; 200 << 10], Reason::TooLarge);
        // The manifest of an older release under the newest timestamp.
        desk.timestamp(8, "");
        let fresh = fs::read(desk.path("8.timestamp.json")).unwrap();
        let mut mixed: serde_json::Value = serde_json::from_slice(&seventh).unwrap();
        mixed["timestamp"] = serde_json::from_slice(&fresh).unwrap();
        refused(mixed.to_string().as_bytes(), Reason::MixAndMatch);
    });
}

#[test]
fn a_fleet_follows_its_channel_and_who_was_away_catches_up() {
    if skipped() {
        return;
    }
    in_namespace("a_fleet_follows_its_channel_and_who_was_away_catches_up", || {
        let count: usize = std::env::var("PICKET_FLEET").map_or(4, |count| count.parse().unwrap());
        quiet();
        let site = Site::with_keys();
        site.desk.release(7, QUICK);
        let names: Vec<String> = (1..=count).map(|number| format!("gw-{number:02}")).collect();
        let (late, early) = names.split_first().unwrap();
        let _daemons: Vec<Daemon> = early.iter().map(|name| site.start(name, "quiet0")).collect();
        let publish = format!(
            "model publish {} --channel {CHANNEL} --expect {count} --watch --patience 600 \
             --timestamp 7.timestamp.json 7.bundle",
            site.manager()
        );
        let began = Instant::now();
        let mut child = site.desk.start(&publish);
        let mut said = lines(&mut child);
        let arrived =
            said.by_ref().filter(|line| line.ends_with(": committed, release 7")).take(count - 1).count();
        println!("{arrived} sensors have it after {:?}", began.elapsed());
        assert_eq!(arrived, count - 1);
        // The one that was away finds the message on the broker.
        let _late = site.start(late, "quiet0");
        assert!(said.any(|line| line == format!("{late}: committed, release 7")), "{}", site.log(late));
        let summary = said.last().unwrap();
        assert!(summary.starts_with(&format!("{count} of {count} have it, 0 failed")), "{summary}");
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn by_https_the_operator_may_leave_at_once() {
    if skipped() {
        return;
    }
    in_namespace("by_https_the_operator_may_leave_at_once", || {
        quiet();
        let site = Site::with_keys();
        let model = fs::read(project("models/default.onnx")).unwrap();
        let server = https::Server::start(
            &site.authority.issue("server"),
            Box::new(move |stream, path, range| match path {
                "/m" => https::honest(stream, &model, range),
                other => panic!("{other}"),
            }),
        );
        site.desk.release(7, &format!("{QUICK} --url {}", server.url("/m")));
        let config = site.configuration("gw-1", "quiet0", &format!("ca-file = {:?}", site.authority.file));
        let _daemon = Daemon::start(&config, &site.desk.path("gw-1.log"));
        site.desk.works(&format!(
            "model publish {} --sensor gw-1 --transport https --detach --timestamp 7.timestamp.json 7.bundle",
            site.manager()
        ));
        site.wait_for("gw-1", "release 7 kept", |reported| {
            reported.state == State::Committed && reported.active.is_some_and(|active| active.release == 7)
        });
        assert!(!server.asked.lock().unwrap().is_empty());
    });
}
