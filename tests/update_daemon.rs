//! The running daemon takes releases from its inbox, locked in as it is: helper, self-test, swap, going back; and it is
//! killed while it does. Needs root and runs in network namespaces of its own; prints a line when it is skipped.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    unreachable_pub,
    dead_code,
    reason = "a test may panic, wait, read the clock and say why it was skipped, and uses a part of the support"
)]

#[path = "support/desk.rs"]
mod desk;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use desk::{Desk, project};
use serde_json::Value;
use support::namespace::in_namespace;
use support::program::{Daemon, open_folder, picket, set_mode, wait_until};

/// How long anything may take.
const LIMIT: Duration = Duration::from_mins(2);
/// How often the daemon is killed.
const KILLS: &str = "PICKET_DAEMON_KILLS";

/// A folder with everything, and a configuration.
fn configuration(folder: &Path, desk: &Desk) -> PathBuf {
    let path = |name: &str| folder.join(name);
    fs::create_dir(path("inbox")).unwrap();
    set_mode(&path("inbox"), 0o755);
    fs::copy(desk.path("1.root.json"), path("root.json")).unwrap();
    fs::write(path("time-is-set"), "").unwrap();
    let text = format!(
        "[sensor]\nname = \"gw-1\"\n[capture]\ninterfaces = [\"lo\"]\nbuffer-mib = 8\nuser = \"nobody\"\n\
         [model]\npath = {:?}\n[store]\npath = {:?}\n[publish]\nbroker = \"\"\n[status]\nsocket = {:?}\n\
         [update]\nenabled = true\ntrust-root = {:?}\npath = {:?}\ninbox = {:?}\ntime-mark = {:?}\n\
         max-row-time = \"1s\"\n",
        project("models/default.onnx"),
        path("store"),
        path("run/picket.sock"),
        path("root.json"),
        path("models"),
        path("inbox"),
        path("time-is-set"),
    );
    let config = path("picket.toml");
    fs::write(&config, text).unwrap();
    config
}

/// Makes a release and puts it into the inbox.
fn drop_in(desk: &Desk, inbox: &Path, number: u64) {
    desk.release(number, "--shadow-rows 0 --probation 1");
    desk.works(&format!(
        "model publish --folder {} --timestamp {number}.timestamp.json {number}.bundle",
        inbox.display()
    ));
}

fn status(config: &Path) -> Option<Value> {
    let said = picket(args!["model", "status", "--json", "-c", config]);
    let said: Value = said.status.success().then(|| serde_json::from_str(&said.stdout).unwrap())?;
    let schema = |name: &str| -> Value {
        let text = fs::read_to_string(project(&format!("docs/schema/{name}.schema.json"))).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let registry = jsonschema::Registry::new()
        .add("https://picket.invalid/schema/update-reported.schema.json", schema("update-reported"))
        .and_then(jsonschema::RegistryBuilder::prepare)
        .unwrap();
    let validator = jsonschema::options().with_registry(&registry).build(&schema("update-status")).unwrap();
    let faults: Vec<String> = validator.iter_errors(&said).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}\n{said}");
    Some(said)
}

#[track_caller]
fn wait_for(daemon: &mut Daemon, config: &Path, log: &Path, state: &str, release: u64) {
    wait_until(&format!("{state} {release}"), LIMIT, || {
        assert!(daemon.is_running(), "{}", fs::read_to_string(log).unwrap());
        status(config).is_some_and(|said| {
            let reported = &said["reported"];
            assert_ne!(reported["state"], "failed", "{said}\n{}", fs::read_to_string(log).unwrap());
            reported["state"] == state && reported["active"]["release"].as_u64().unwrap_or(0) == release
        })
    });
}

/// Processes of self-tests, whoever started them.
fn helpers(folder: &Path) -> usize {
    let ours = |line: String| line.contains("self-test") && line.contains(folder.to_str().unwrap());
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok());
    lines.filter(|line| ours(line.clone())).count()
}

#[test]
fn releases_by_hand_and_back_again() {
    in_namespace("releases_by_hand_and_back_again", || {
        let (folder, desk) = (open_folder(), Desk::new());
        desk.trust(1);
        let config = configuration(folder.path(), &desk);
        let (log, inbox) = (folder.path().join("log"), folder.path().join("inbox"));
        let mut daemon = Daemon::start(&config, &log);
        wait_for(&mut daemon, &config, &log, "idle", 0);
        assert_eq!(helpers(folder.path()), 1);
        for release in [7, 8] {
            drop_in(&desk, &inbox, release);
            wait_for(&mut daemon, &config, &log, "committed", release);
        }
        let said = picket(args!["status", "-c", &config]).ok();
        assert!(said.contains("update     ok\n") && said.contains("sandbox    ok\n"), "{said}");
        let listed = picket(args!["model", "list", "-c", &config]).ok();
        let line = |slot: &str| listed.lines().find(|line| line.starts_with(slot)).unwrap().to_owned();
        assert!(line("A").contains(" 7 ") && line("A").ends_with("before"), "{listed}");
        assert!(line("B").contains(" 8 ") && line("B").ends_with("in use"), "{listed}");
        let said = picket(args!["model", "rollback", "-c", &config]).ok();
        assert!(
            said.contains("state      rolled_back\n") && said.contains("in use     release 7\n"),
            "{said}"
        );
        // It stays so over a restart, and what failed does not come back from the inbox.
        assert!(daemon.stop().success());
        let mut daemon = Daemon::start(&config, &log);
        wait_until("known_bad", LIMIT, || {
            assert!(daemon.is_running());
            status(&config).is_some_and(|said| said["reported"]["reason"] == "known_bad")
        });
        assert_eq!(status(&config).unwrap()["reported"]["active"]["release"], 7);
        picket(args!["model", "rollback", "-c", &config]).ok();
        picket(args!["model", "rollback", "-c", &config]).fails(69, &["the factory's model is in use"]);
        assert!(daemon.stop().success());
        wait_until("no helper left", LIMIT, || helpers(folder.path()) == 0);
    });
}

#[test]
fn killed_while_it_updates() {
    in_namespace("killed_while_it_updates", || {
        let kills: u64 = std::env::var(KILLS).map_or(2, |kills| kills.parse().unwrap());
        let (folder, desk) = (open_folder(), Desk::new());
        desk.trust(1);
        let config = configuration(folder.path(), &desk);
        let (log, inbox) = (folder.path().join("log"), folder.path().join("inbox"));
        let (mut newest, mut committed) = (7, 0);
        for kill in 0..kills {
            // Every third start finds the release of the one before.
            if kill == 0 || kill % 3 > 0 {
                newest = 7 + kill;
                for old in fs::read_dir(&inbox).unwrap() {
                    fs::remove_file(old.unwrap().path()).unwrap();
                }
                drop_in(&desk, &inbox, newest);
            }
            let mut daemon = Daemon::start(&config, &log);
            std::thread::sleep(Duration::from_millis(kill * 997 % 6000));
            assert!(daemon.is_running(), "{}", fs::read_to_string(&log).unwrap());
            if let Some(said) = status(&config) {
                let release = said["reported"]["active"]["release"].as_u64().unwrap_or(0);
                assert!((committed..=newest).contains(&release), "kill {kill}, kept {committed}: {said}");
                if said["reported"]["state"] == "committed" {
                    committed = release;
                }
            }
            // Killed, not asked.
            drop(daemon);
            wait_until("no helper left", LIMIT, || helpers(folder.path()) == 0);
        }
        println!("{kills} kills; the newest release is {newest}, {committed} was kept last");
        // Crashes on probation count: after the third the release is given up. One way or the other it runs, and says so.
        let mut daemon = Daemon::start(&config, &log);
        wait_until("an end", LIMIT, || {
            assert!(daemon.is_running(), "{}", fs::read_to_string(&log).unwrap());
            status(&config).is_some_and(|said| {
                let reported = &said["reported"];
                let given_up = reported["reason"] == "known_bad";
                let kept = reported["active"]["release"] == newest
                    && ["committed", "idle"].contains(&reported["state"].as_str().unwrap());
                given_up || kept
            })
        });
        assert!(daemon.stop().success());
    });
}
