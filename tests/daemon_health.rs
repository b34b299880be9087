//! What the running daemon says of itself when its broker is away or refuses it, or its model is broken: it goes
//! on, detects, keeps its alerts, and `picket status` names the part and the reason. Needs root and runs in
//! network namespaces of its own; prints a line when it is skipped.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may panic, wait, read the clock and say why it was skipped"
)]

mod publish_support;
mod support;

use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use publish_support::{Broker, free_port, mosquitto};
use support::namespace::{in_namespace, ip};
use support::program::{Daemon, open_folder, picket, wait_until};

/// How long anything may take.
const LIMIT: Duration = Duration::from_mins(1);

/// Writes a configuration for `lo`, with everything in `folder`.
fn configuration(folder: &Path, broker: &str, model: &str) -> PathBuf {
    configuration_for("lo", folder, broker, model)
}

/// Writes a configuration for `interface`.
fn configuration_for(interface: &str, folder: &Path, broker: &str, model: &str) -> PathBuf {
    let config = folder.join("picket.toml");
    let text = format!(
        "[sensor]\nname = \"health\"\n[capture]\ninterfaces = [{interface:?}]\nbuffer-mib = 8\nuser = \"nobody\"\n\
         [model]\npath = {model:?}\n[store]\npath = {:?}\n[publish]\nbroker = {broker:?}\n[status]\nsocket = {:?}\n",
        folder.join("store"),
        folder.join("run/picket.sock"),
    );
    fs::write(&config, text).unwrap();
    config
}

/// Waits until `picket status` has a line that begins with `wanted`, words apart; gives all it said.
#[track_caller]
fn wait_for_status(daemon: &mut Daemon, config: &Path, log: &Path, wanted: &str) -> String {
    let mut said = String::new();
    wait_until(wanted, LIMIT, || {
        assert!(daemon.is_running(), "{}", fs::read_to_string(log).unwrap());
        said = picket(args!["status", "-c", config]).stdout;
        said.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ").starts_with(wanted))
    });
    said
}

/// Tries closed ports until the daemon has stored an alert about it.
#[track_caller]
fn expect_detection(config: &Path) {
    for port in 2..40 {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "port {port} is open");
    }
    wait_until("stored tcp_scan", LIMIT, || {
        let listed = picket(args!["alerts", "list", "--class", "tcp_scan", "-c", config]);
        listed.stdout.contains(r#""state":"open""#)
    });
}

#[test]
fn without_its_broker_it_goes_on() {
    in_namespace("without_its_broker_it_goes_on", || {
        let folder = open_folder();
        let config = configuration(folder.path(), &format!("mqtt://127.0.0.1:{}", free_port()), "");
        let log = folder.path().join("log");
        let mut daemon = Daemon::start(&config, &log);
        let said = wait_for_status(&mut daemon, &config, &log, "broker away: ");
        assert!(said.contains("capture    ok\n") && said.contains("model      off\n"), "{said}");
        expect_detection(&config);
        let said = wait_for_status(&mut daemon, &config, &log, "stored ");
        let pending = said.lines().find_map(|line| line.strip_prefix("pending    ")).unwrap();
        assert!(pending.parse::<u64>().unwrap() >= 1, "{said}");
        assert!(daemon.stop().success());
    });
}

#[test]
fn refused_by_its_broker_it_goes_on() {
    if mosquitto().is_none() {
        return;
    }
    in_namespace("refused_by_its_broker_it_goes_on", || {
        let folder = open_folder();
        let port = free_port();
        let broker = Broker::start(mosquitto().unwrap(), folder.path(), port, "allow_anonymous false");
        let config = configuration(folder.path(), &format!("mqtt://127.0.0.1:{port}"), "");
        let log = folder.path().join("log");
        let mut daemon = Daemon::start(&config, &log);
        wait_for_status(&mut daemon, &config, &log, "broker refused: ");
        expect_detection(&config);
        assert!(daemon.stop().success());
        drop(broker);
    });
}

#[test]
fn with_a_broken_model_the_rules_go_on() {
    in_namespace("with_a_broken_model_the_rules_go_on", || {
        let folder = open_folder();
        let model = folder.path().join("broken.onnx");
        fs::write(&model, "not a model").unwrap();
        let config = configuration(folder.path(), "", model.to_str().unwrap());
        let log = folder.path().join("log");
        let mut daemon = Daemon::start(&config, &log);
        let said = wait_for_status(&mut daemon, &config, &log, "model degraded: ");
        assert!(said.contains("broken.onnx") && said.contains("broker     off\n"), "{said}");
        expect_detection(&config);
        assert!(daemon.stop().success());
    });
}

#[test]
fn in_the_cage_an_interface_that_comes_back_needs_a_new_start() {
    in_namespace("in_the_cage_an_interface_that_comes_back_needs_a_new_start", || {
        ip("link add veth0 type veth peer name veth1");
        ip("link set veth0 up");
        ip("link set veth1 up");
        let folder = open_folder();
        let config = configuration_for("veth0", folder.path(), "", "");
        let log = folder.path().join("log");
        let mut daemon = Daemon::start(&config, &log);
        let said = wait_for_status(&mut daemon, &config, &log, "capture ok");
        assert!(said.contains("sandbox    ok\n"), "{said}");
        ip("link delete veth0");
        wait_for_status(&mut daemon, &config, &log, "capture blind: veth0: no such interface");
        ip("link add veth0 type veth peer name veth1");
        ip("link set veth0 up");
        ip("link set veth1 up");
        assert_eq!(daemon.ended("it does not end by itself").code(), Some(75));
        let said = fs::read_to_string(&log).unwrap();
        assert!(said.contains("veth0 is back, and the right to open it was given up"), "{said}");

        // A new start sees it; without the cage none is needed.
        let text = fs::read_to_string(&config).unwrap() + "[sandbox]\nenabled = false\n";
        fs::write(&config, text).unwrap();
        let mut daemon = Daemon::start(&config, &log);
        let said = wait_for_status(&mut daemon, &config, &log, "capture ok");
        assert!(said.contains("sandbox    off\n"), "{said}");
        ip("link delete veth0");
        wait_for_status(&mut daemon, &config, &log, "capture blind: veth0: no such interface");
        ip("link add veth0 type veth peer name veth1");
        ip("link set veth0 up");
        ip("link set veth1 up");
        wait_for_status(&mut daemon, &config, &log, "capture ok");
        assert!(daemon.stop().success());
    });
}

#[test]
fn the_service_manager_is_told_that_it_is_ready_alive_and_stopping() {
    in_namespace("the_service_manager_is_told_that_it_is_ready_alive_and_stopping", || {
        let folder = open_folder();
        let config = configuration(folder.path(), "", "");
        let log = folder.path().join("log");
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        support::program::set_mode(&path, 0o777);
        manager.set_read_timeout(Some(LIMIT)).unwrap();
        let hear = || {
            let mut words = [0; 64];
            let length = manager.recv(&mut words).expect("it is told in time");
            String::from_utf8(words[..length].to_vec()).unwrap()
        };
        let daemon = Daemon::start_with(&config, &log, &[("NOTIFY_SOCKET", path.as_os_str())]);
        assert_eq!(hear(), "READY=1\n");
        assert_eq!(hear(), "WATCHDOG=1\n");
        assert_eq!(hear(), "WATCHDOG=1\n");
        assert!(daemon.stop().success());
        assert_eq!(hear(), "STOPPING=1\n");
        assert!(!fs::read_to_string(&log).unwrap().contains("cannot be told"));
    });
}
