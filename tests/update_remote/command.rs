//! `picket model publish` and the sensors that it speaks to.

use std::io::{BufRead as _, BufReader};
use std::process::Child;
use std::sync::OnceLock;
use std::time::Duration;

use picket::update::reason::Reason;

use super::desk::{Desk, project};
use super::publish_support::wait_for;
use super::sensor::{CHANNEL, Sensor};
use super::site::Site;

/// The default model with descriptions (field 6 of ONNX's `ModelProto`, of which the last counts) that make it many blocks long.
fn model() -> Vec<u8> {
    let mut model = std::fs::read(project("models/default.onnx")).unwrap();
    for description in 0..100_u8 {
        model.extend([6 << 3 | 2, 0x80, 0x20]);
        model.extend([b'0' + description % 75; 0x20 << 7]);
    }
    model
}

/// A site with release 7. Keys take their time, so that they are made once.
fn site() -> Option<Site> {
    static MADE: OnceLock<Desk> = OnceLock::new();
    let site = Site::new()?;
    let made = MADE.get_or_init(|| {
        let desk = Desk::new();
        desk.trust(1);
        std::fs::write(desk.path("large.onnx"), model()).unwrap();
        desk.release_of("large.onnx", 7, "");
        desk
    });
    for entry in std::fs::read_dir(made.folder()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), site.desk.path(entry.file_name().to_str().unwrap())).unwrap();
    }
    Some(site)
}

/// Publishes release 7 so slowly that something can happen during the transfer; what the command says.
fn slowly(site: &Site) -> (Child, impl Iterator<Item = String> + use<>) {
    let publish = format!(
        "model publish {} --sensor gw-1 --rate 64 --watch --patience 300 --timestamp 7.timestamp.json 7.bundle",
        site.manager()
    );
    let mut child = site.desk.start(&publish);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    (child, lines)
}

#[test]
fn one_sensor_gets_a_release_and_the_command_says_so() {
    let Some(site) = site() else { return };
    let sensor = Sensor::start(site.desk.folder(), "gw-1", site.sensor("gw-1"));
    let publish = format!("model publish {} --sensor gw-1 --timestamp 7.timestamp.json", site.manager());
    let said = site.desk.works(&format!("{publish} --root 1.root.json --watch --patience 60 7.bundle"));
    for part in
        ["connected", "gw-1: downloading, release 0->7", "gw-1: committed, release 7", "1 of 1 have it"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(*sensor.models.lock().unwrap(), [model()]);
    // Again: nothing is fetched twice, and the end comes at once.
    let said = site.desk.works(&format!("{publish} --patience 60 7.bundle"));
    assert!(said.starts_with("gw-1: committed, release 7\n1 of 1 have it, 0 failed"), "{said}");
    assert_eq!(sensor.models.lock().unwrap().len(), 1);

    // Home Assistant can read it and is not asked to press anything.
    let config = site.retained("homeassistant", "homeassistant/update/gw-1/model/config").unwrap();
    assert!(!String::from_utf8(config).unwrap().contains("command_topic"));

    // Taken back: nothing is left on the broker.
    let desired = "picket/v1/gw-1/update/desired";
    assert!(site.retained("manager", desired).is_some());
    site.desk.works(&format!("model publish {} --sensor gw-1 --withdraw", site.manager()));
    assert_eq!(site.retained("manager", desired), None);
}

#[test]
fn a_channel_reaches_all_that_follow_it_even_those_that_come_later() {
    const SENSORS: usize = 5;
    let Some(site) = site() else { return };
    let names: Vec<String> = (0..SENSORS).map(|number| format!("gw-{number}")).collect();
    let start = |name: &String| Sensor::start(site.desk.folder(), name, site.sensor(name));
    let sensors: Vec<Sensor> = names.iter().skip(1).map(start).collect();
    let publish = format!(
        "model publish {} --channel {CHANNEL} --expect {SENSORS} --watch --patience 120 --timestamp 7.timestamp.json 7.bundle",
        site.manager()
    );
    let mut child = site.desk.start(&publish);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let committed =
        lines.by_ref().filter(|line| line.ends_with("committed, release 7")).take(SENSORS - 1).count();
    assert_eq!(committed, SENSORS - 1);
    // One was away; the message waits for it on the broker.
    let late = start(&names[0]);
    let last = lines.by_ref().find(|line| line.ends_with("committed, release 7")).unwrap();
    assert!(last.starts_with("gw-0: "), "{last}");
    let summary = lines.last().unwrap();
    assert!(summary.starts_with("5 of 5 have it, 0 failed, 0 under way, 0 silent"), "{summary}");
    assert!(child.wait().unwrap().success());
    for sensor in sensors.iter().chain([&late]) {
        assert_eq!(*sensor.models.lock().unwrap(), [model()]);
    }
}

#[test]
fn a_broker_that_goes_away_during_a_transfer_costs_time_alone() {
    let Some(mut site) = site() else { return };
    let sensor = Sensor::start(site.desk.folder(), "gw-1", site.sensor("gw-1"));
    let (mut child, mut lines) = slowly(&site);
    // Some blocks are there, and most are not.
    assert!(lines.any(|line| line.starts_with("gw-1: downloading")));
    std::thread::sleep(Duration::from_secs(1));
    assert!(sensor.models.lock().unwrap().is_empty());
    site.broker.take().unwrap().stop();
    assert!(lines.any(|line| line.starts_with("no connection: ")));
    site.open();
    assert!(lines.any(|line| line == "connected"));
    assert!(lines.any(|line| line == "gw-1: committed, release 7"));
    assert!(child.wait().unwrap().success());
    assert_eq!(*sensor.models.lock().unwrap(), [model()]);
}

#[test]
fn foreign_wrong_and_endless_blocks_are_dropped_and_counted() {
    let Some(site) = site() else { return };
    let sensor = Sensor::start(site.desk.folder(), "gw-1", site.sensor("gw-1"));
    let transfer = &picket::update::digest::Digest::of(&model()).to_string()[..16];
    let (mut child, mut lines) = slowly(&site);
    assert!(lines.any(|line| line.starts_with("gw-1: downloading")));
    // Somebody with the manager's rights sends what nobody asked for, while the transfer goes on.
    let (client, mut connection) = site.client("manager");
    let flood =
        std::thread::spawn(move || while let Ok(Ok(_)) = connection.recv_timeout(Duration::from_secs(5)) {});
    let send = |transfer: &str, index: &str, octets: Vec<u8>| {
        let topic = format!("picket/v1/gw-1/update/data/{transfer}/{index}");
        client.publish(topic, rumqttc::v5::mqttbytes::QoS::AtLeastOnce, false, octets).unwrap();
    };
    for round in 0..50_u32 {
        send("0000000000000000", &round.to_string(), vec![0; 16 << 10]);
        send(transfer, "4000000000", vec![0; 16 << 10]);
        send(transfer, "0", vec![0; 200 << 10]);
        send(transfer, "nonsense", vec![0; 100]);
    }
    assert!(lines.any(|line| line == "gw-1: committed, release 7"));
    assert!(child.wait().unwrap().success());
    assert_eq!(*sensor.models.lock().unwrap(), [model()], "whole and right");
    // Each has its reason, which depends on when it came; those on no topic of a block are not even counted.
    wait_for("the counts", || sensor.mailbox.dropped().values().sum::<u64>() >= 150);
    assert!(sensor.dropped(Reason::ForeignTransfer) >= 50);
    drop(client);
    flood.join().unwrap();
}

#[test]
fn the_access_list_lets_each_do_what_is_its_own() {
    let Some(site) = Site::new() else { return };
    let may = |name: &str, topic: &str| site.publish(name, topic, false, b"{}");
    let own = [
        "picket/v1/gw-1/status",
        "picket/v1/gw-1/alert/high/tcp_scan",
        "picket/v1/gw-1/lost",
        "picket/v1/gw-1/metric/engine",
        "picket/v1/gw-1/update/reported",
        "picket/v1/gw-1/update/get",
        "homeassistant/update/gw-1/model/config",
    ];
    let managers = [
        "picket/v1/gw-1/update/desired",
        "picket/v1/gw-1/update/data/0123456789abcdef/0",
        "picket/v1/_fleet/update/stable",
    ];
    for topic in own {
        assert!(may("gw-1", topic), "{topic}");
        assert!(!may("gw-2", topic) && !may("manager", topic) && !may("homeassistant", topic), "{topic}");
    }
    for topic in managers {
        assert!(may("manager", topic), "{topic}");
        assert!(!may("gw-1", topic) && !may("gw-2", topic) && !may("homeassistant", topic), "{topic}");
    }
    // Reading: a sensor its own and the channels, which hold nothing secret.
    for (topic, readers) in [
        ("picket/v1/gw-1/update/desired", &["gw-1", "manager"][..]),
        ("picket/v1/_fleet/update/stable", &["gw-1", "gw-2", "manager", "homeassistant"]),
        ("picket/v1/gw-1/update/reported", &["manager", "homeassistant"]),
    ] {
        let writer = if topic.ends_with("reported") { "gw-1" } else { "manager" };
        assert!(site.publish(writer, topic, true, b"{}"));
        for name in ["gw-1", "gw-2", "manager", "homeassistant"] {
            assert_eq!(site.retained(name, topic).is_some(), readers.contains(&name), "{name} {topic}");
        }
    }
}

#[test]
fn what_cannot_work_is_said_at_once() {
    let Some(site) = site() else { return };
    let desk = &site.desk;
    let publish = |to: &str, rest: &str| format!("model publish {} {to} {rest}", site.manager());
    let whole = "--timestamp 7.timestamp.json 7.bundle";
    desk.fails(&publish("", whole), 64, "--sensor");
    desk.fails(&publish("--sensor gw-1 --channel stable", whole), 64, "--channel");
    desk.fails(&publish("--sensor gw/1", whole), 64, "sensor name");
    desk.fails(&publish("--sensor gw-1", "7.bundle"), 64, "--timestamp");
    desk.fails(&publish("--sensor gw-1", "--timestamp 7.timestamp.json none.bundle"), 66, "none.bundle");
    desk.release(8, "");
    desk.fails(
        &publish("--sensor gw-1", "--timestamp 7.timestamp.json 8.bundle"),
        65,
        "not the timestamp of",
    );
    desk.fails(&publish("--sensor gw-1 --patience 1", whole), 69, "not all sensors have answered");
    // A sensor's certificate is no manager's.
    let (certificate, key) = site.certificate("gw-9");
    let as_sensor = format!(
        "model publish --broker {} --ca-file authority.pem --cert-file {} --key-file {} --sensor gw-1 {whole}",
        site.url(),
        certificate.display(),
        key.display()
    );
    desk.fails(&as_sensor, 77, "the broker refuses the message: not authorised");
}
