//! A megabyte, retained, on every topic that a sensor subscribes to: its alerts go on, and so does what can of the rest.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use picket::publish::backoff::BackoffPolicy;
use picket::publish::config::{Protocol, PublisherConfig};
use picket::publish::status::Condition;

use super::publish_support::{Broker, alert, free_port, mosquitto, retain, wait_for};
use super::sensor::Sensor;

const TOPICS: [&str; 3] = [
    "picket/v1/gw-1/update/desired",
    "picket/v1/_fleet/update/stable",
    "picket/v1/gw-1/update/data/0123456789abcdef/0",
];

fn plain(port: u16, protocol: Protocol) -> PublisherConfig {
    let ms = Duration::from_millis;
    PublisherConfig {
        protocol,
        backoff: BackoffPolicy { first: ms(50), most: ms(400), refused: ms(300) },
        ..PublisherConfig::new(format!("mqtt://127.0.0.1:{port}").parse().unwrap())
    }
}

impl Sensor {
    /// Offers alerts and waits until the broker has all that were ever offered.
    fn alerts(&mut self, from: u64, to: u64) {
        for unique in from..to {
            wait_for("room in the channel", || self.intake.offer(alert(unique.into())));
        }
        wait_for("acknowledgements", || self.handle.counters().acknowledged >= to);
    }
}

/// With MQTT 3.1.1 no broker knows how much a client takes: every such message ends the connection.
#[test]
fn over_mqtt_3_1_1_each_topic_is_found_out_and_left_out() {
    let Some(program) = mosquitto() else { return };
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(program, dir.path(), free_port(), "allow_anonymous true");
    for topic in TOPICS {
        retain(broker.port, topic, &"x".repeat(1 << 20));
    }
    let mut sensor = Sensor::start(dir.path(), "gw-1", plain(broker.port, Protocol::V311));
    sensor.alerts(0, 50);
    // Once with all of them, then once for each; on a machine that stands still for seconds several may go at once.
    let mut seen = (0, Instant::now());
    wait_for("every topic to be left out", || {
        let count = sensor.handle.counters().too_large;
        if count != seen.0 {
            seen = (count, Instant::now());
        }
        count >= 2 && seen.1.elapsed() > Duration::from_secs(6)
    });
    sensor.alerts(50, 100);
    wait_for("the connection", || sensor.board.health().broker.state == Condition::Ok);
    let counters = sensor.handle.counters();
    assert!(counters.too_large <= 8 && counters.lost == 0, "{counters:?}");
}

/// One hostile topic leaves the others to work.
#[test]
fn over_mqtt_3_1_1_the_other_topics_go_on() {
    let Some(program) = mosquitto() else { return };
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(program, dir.path(), free_port(), "allow_anonymous true");
    retain(broker.port, TOPICS[1], &"x".repeat(1 << 20));
    let mut sensor = Sensor::start(dir.path(), "gw-1", plain(broker.port, Protocol::V311));
    wait_for("the channel to be left out", || sensor.handle.counters().too_large >= 2);
    sensor.alerts(0, 20);
    // More than a document may have, less than a packet may: it reaches the sensor.
    retain(broker.port, TOPICS[0], &"y".repeat(200 << 10));
    wait_for("the sensor's own topic", || sensor.heard.load(Ordering::Relaxed) > 0);
}

/// A broker of MQTT 5 is told, and mosquitto heeds it: nothing is noticed at all.
#[test]
fn over_mqtt_5_the_broker_keeps_it_to_itself() {
    let Some(program) = mosquitto() else { return };
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(program, dir.path(), free_port(), "allow_anonymous true");
    for topic in TOPICS {
        retain(broker.port, topic, &"x".repeat(1 << 20));
    }
    let mut sensor = Sensor::start(dir.path(), "gw-1", plain(broker.port, Protocol::V5));
    sensor.alerts(0, 50);
    let counters = sensor.handle.counters();
    assert_eq!((counters.too_large, counters.lost), (0, 0));
    assert_eq!(sensor.board.health().broker.state, Condition::Ok);
}
