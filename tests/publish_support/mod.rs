//! A real mosquitto on a port of its own, and a subscriber that remembers everything.
#![allow(dead_code, unreachable_pub, reason = "every test binary that includes this uses another part of it")]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use picket::alert::{
    Alert, ClientId, Detector, Endpoint, Evidence, EvidenceList, Severity, State, ViolationNames,
};
use picket::detect::class::Class;
use picket::publish::payload::Identity;
use picket::time::Timestamp;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet};
use rumqttc::v5::{Client, Event, MqttOptions};

/// How long an orderly end may take on a busy machine.
pub const SHUTDOWN: Duration = Duration::from_secs(15);

/// Where Debian puts mosquitto, besides the search path.
const PLACES: [&str; 3] = ["mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];

/// The program, or `None` with a line that says that the test is skipped.
pub fn mosquitto() -> Option<&'static str> {
    let found = PLACES.into_iter().find(|program| {
        Command::new(program).arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    });
    if found.is_none() {
        println!("skipped: mosquitto is not installed (`make test` installs it)");
    }
    found
}

/// A port that was free a moment ago, each time another one.
pub fn free_port() -> u16 {
    // Below what the system gives to outgoing connections, so that none takes it before the broker does.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + u16::try_from(std::process::id() % 20_000).unwrap();
    std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed))
        .take(1_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// A running mosquitto; dropping it ends it.
pub struct Broker {
    child: Child,
    pub port: u16,
}

impl Broker {
    /// Starts `program` on `port` with more lines of configuration; its files lie in `dir`.
    pub fn start(program: &str, dir: &Path, port: u16, lines: &str) -> Self {
        let config = dir.join(format!("mosquitto-{port}.conf"));
        // mosquitto started as root becomes another user, who may not read `dir`.
        let text = format!("user root\nlistener {port} 127.0.0.1\nlog_type error\n{lines}\n");
        fs::write(&config, text).unwrap();
        let child = Command::new(program).arg("-c").arg(&config).spawn().unwrap();
        let mut broker = Self { child, port };
        wait_for("mosquitto to listen", || {
            assert!(broker.child.try_wait().unwrap().is_none(), "mosquitto ended, see its message");
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        broker
    }

    /// Ends it in order, so that it saves the sessions of its clients.
    pub fn stop(mut self) {
        let status = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
        self.child.wait().unwrap();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A message as the subscriber got it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    pub topic: String,
    pub payload: String,
    pub retained: bool,
}

impl Message {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.payload).unwrap()
    }

    pub fn seq(&self) -> Option<u64> {
        self.json()["seq"].as_u64()
    }
}

/// Remembers every message under `picket/#`.
#[derive(Clone, Default)]
pub struct Subscriber {
    seen: Arc<Mutex<Vec<Message>>>,
}

impl Subscriber {
    /// Subscribes with a session that outlives the connection, and returns when the broker has said yes.
    pub fn start(port: u16, credentials: Option<(&str, &str)>) -> Self {
        let mut options = MqttOptions::new("watcher", "127.0.0.1", port);
        options
            .set_clean_start(false)
            .set_session_expiry_interval(Some(3600))
            .set_max_packet_size(Some(1 << 20))
            .set_outgoing_inflight_upper_limit(100);
        if let Some((user, password)) = credentials {
            options.set_credentials(user, password);
        }
        let (client, mut connection) = Client::new(options, 64);
        let subscriber = Self::default();
        let ready = Arc::new(Mutex::new(false));
        let (seen, set_ready) = (Arc::clone(&subscriber.seen), Arc::clone(&ready));
        thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        client.try_subscribe("picket/#", QoS::AtLeastOnce).unwrap();
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => *set_ready.lock().unwrap() = true,
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        seen.lock().unwrap().push(Message {
                            topic: String::from_utf8(publish.topic.to_vec()).unwrap(),
                            payload: String::from_utf8(publish.payload.to_vec()).unwrap(),
                            retained: publish.retain,
                        });
                    }
                    Ok(_) => {}
                    Err(_) => thread::sleep(Duration::from_millis(50)),
                }
            }
        });
        wait_for("the subscription", || *ready.lock().unwrap());
        subscriber
    }

    pub fn seen(&self) -> Vec<Message> {
        self.seen.lock().unwrap().clone()
    }

    /// The numbers seen, each once, in the order of their first coming.
    pub fn seqs(&self) -> Vec<u64> {
        let mut seqs = Vec::new();
        for seq in self.seen().iter().filter_map(Message::seq) {
            if !seqs.contains(&seq) {
                seqs.push(seq);
            }
        }
        seqs
    }

    /// The last message on a topic that ends like this.
    pub fn last(&self, topic_end: &str) -> Option<Message> {
        self.seen().into_iter().rev().find(|message| message.topic.ends_with(topic_end))
    }
}

/// Publishes a retained message as somebody else would.
pub fn retain(port: u16, topic: &str, payload: &str) {
    let mut options = MqttOptions::new("somebody", "127.0.0.1", port);
    options.set_outgoing_inflight_upper_limit(10);
    let (client, mut connection) = Client::new(options, 10);
    client.try_publish(topic, QoS::AtLeastOnce, true, payload.to_owned()).unwrap();
    let acknowledged = connection.iter().any(|event| matches!(event, Ok(Event::Incoming(Packet::PubAck(_)))));
    assert!(acknowledged);
}

/// What a client that comes now finds retained on `topic`.
pub fn retained(port: u16, topic: &str) -> Option<String> {
    let mut options = MqttOptions::new("late", "127.0.0.1", port);
    options.set_outgoing_inflight_upper_limit(10);
    let (client, mut connection) = Client::new(options, 10);
    client.try_subscribe_many([Filter::new(topic, QoS::AtMostOnce)]).unwrap();
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        match connection.recv_timeout(Duration::from_millis(500)) {
            Ok(Ok(Event::Incoming(Packet::Publish(publish)))) if publish.retain => {
                return Some(String::from_utf8(publish.payload.to_vec()).unwrap());
            }
            _ => {}
        }
    }
    None
}

/// Waits up to a minute for `condition`.
#[track_caller]
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_mins(1);
    while !condition() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

pub fn identity() -> Identity {
    Identity { sensor: "gw-1".parse().unwrap(), models: vec!["default@1".to_owned()] }
}

/// An alert that no other alert of the test equals.
pub fn alert(unique: u128) -> Alert {
    let ts = Timestamp::from_secs(1_700_000_000);
    Alert {
        incident: unique,
        ts,
        first_seen: ts,
        last_seen: ts,
        class: Class::ALL[usize::try_from(unique % 18).unwrap()],
        severity: Severity::ALL[usize::try_from(unique % 4).unwrap()],
        confidence: 0.9,
        detector: if unique.is_multiple_of(2) { Detector::Rule("some_rule") } else { Detector::Model(0) },
        source: Endpoint { ip: "127.0.66.1".parse().unwrap(), port: None, mac: Some([2, 0, 0, 0, 0, 1]) },
        destination: (!unique.is_multiple_of(3)).then(|| Endpoint {
            ip: "127.0.0.1".parse().unwrap(),
            port: Some(1883),
            mac: None,
        }),
        client_id: unique.is_multiple_of(5).then(|| ClientId::from_slice(b"evil\x1b[0m\xff\"id").unwrap()),
        evidence: EvidenceList::from_slice(&[
            Evidence { name: "connack_refused", unit: "packets/60s", value: 12 },
            Evidence { name: "connections", unit: "connections/60s", value: 12 },
        ])
        .unwrap(),
        violations: ViolationNames::new(),
        count: 1,
        state: [State::Open, State::Update, State::Closed][usize::try_from(unique % 3).unwrap()],
    }
}

/// A file in `dir` with this text.
pub fn file(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    path
}
