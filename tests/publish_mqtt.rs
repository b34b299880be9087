//! Delivery against a real mosquitto.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may panic, wait, read the clock and say why it was skipped"
)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use picket::publish::backoff::BackoffPolicy;
use picket::publish::broker_url::BrokerUrl;
#[cfg(feature = "tls")]
use picket::publish::config::TlsFiles;
use picket::publish::config::{Credentials, Protocol, PublisherConfig};
use picket::publish::delivery::{Delivery, Handle, Intake};
use picket::publish::payload::LostReason;
use picket::publish::status::{Board, Condition};
use picket::store::reader::{AlertSource, Filter};
use picket::store::socket::{Answers, Server};
use picket::store::{Store, StoreConfig};
use picket::time::Timestamp;

mod publish_support;
use publish_support::{
    Broker, SHUTDOWN, Subscriber, alert, file, free_port, identity, mosquitto, retain, retained, wait_for,
};

struct Running {
    delivery: Delivery,
    intake: Intake,
    handle: Handle,
    board: Board,
}

fn config(url: &str) -> PublisherConfig {
    let ms = Duration::from_millis;
    PublisherConfig {
        backoff: BackoffPolicy { first: ms(50), most: ms(400), refused: ms(300) },
        ..PublisherConfig::new(url.parse::<BrokerUrl>().unwrap())
    }
}

fn plain(port: u16) -> PublisherConfig {
    config(&format!("mqtt://127.0.0.1:{port}"))
}

fn start(dir: &Path, publisher: PublisherConfig) -> Running {
    let now = Timestamp::from_secs(1_700_000_000);
    let (store, report) = Store::open(&dir.join("store"), StoreConfig::default(), &identity(), now).unwrap();
    let board = Board::new(identity().sensor, vec!["default@1".to_owned()], now);
    let (delivery, intake, handle) =
        Delivery::spawn(store, &report, identity(), Some(publisher), board.clone(), Box::new(|_| {}))
            .unwrap();
    Running { delivery, intake, handle, board }
}

impl Running {
    /// Offers alerts `from..to`, never so fast that the channel is full.
    fn offer(&mut self, from: u64, to: u64) {
        for unique in from..to {
            wait_for("room in the channel", || {
                self.intake.offer(alert(unique.into())) || self.intake.settle()
            });
        }
        wait_for("the store", || self.handle.counters().stored >= to);
    }

    fn broker(&self) -> Condition {
        self.board.health().broker.state
    }
}

#[test]
fn alerts_are_stored_published_in_order_and_forgotten_when_acknowledged() {
    let Some(program) = mosquitto() else { return };
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(program, dir.path(), free_port(), "allow_anonymous true");
    let subscriber = Subscriber::start(broker.port, None);
    let mut running = start(dir.path(), plain(broker.port));
    let socket = dir.path().join("picket.sock");
    let server = Server::start(&socket, std::sync::Arc::new(running.handle.clone())).unwrap();

    running.offer(0, 100);
    wait_for("100 acknowledgements", || running.handle.counters().acknowledged == 100);
    wait_for("100 messages", || subscriber.seqs().len() == 100);
    assert_eq!(subscriber.seqs(), (1..=100).collect::<Vec<_>>());
    let first = subscriber.seen().into_iter().find(|message| message.seq() == Some(1)).unwrap();
    assert_eq!(first.topic, "picket/v1/gw-1/alert/low/mqtt_bruteforce");
    assert!(!first.retained);
    assert_eq!(running.handle.counters().pending, 0);

    // What was published is what is stored, to the byte, and can be read while the daemon runs.
    let source = AlertSource::open(&socket, &dir.path().join("store")).unwrap();
    assert!(matches!(source, AlertSource::Daemon(_)));
    let stored = source.list(&Filter::default()).unwrap();
    let published: Vec<String> = subscriber
        .seen()
        .into_iter()
        .filter(|message| message.seq().is_some())
        .map(|message| message.payload)
        .collect();
    assert_eq!(stored, published);
    let newest = source.list(&Filter { newest: Some(1), ..Filter::default() }).unwrap();
    assert!(newest[0].contains("\"seq\":100,"));

    // A follower hears of the next one.
    let follower = std::thread::spawn({
        let source = AlertSource::open(&socket, &dir.path().join("store")).unwrap();
        move || {
            let mut heard = None;
            let filter = Filter { since: 100, ..Filter::default() };
            source
                .follow(&filter, |json| {
                    heard = Some(json);
                    false
                })
                .unwrap();
            heard
        }
    });
    running.offer(100, 101);
    assert!(follower.join().unwrap().unwrap().contains("\"seq\":101,"));

    // A metric is sent and not kept; the status is retained.
    wait_for("a metric", || {
        let engine = serde_json::json!({ "frames": 7, "drops": { "truncated": 1 } });
        running.handle.metric(Timestamp::from_secs(60), Duration::from_secs(60), &engine).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        subscriber.last("/metric/engine").is_some()
    });
    let metric = subscriber.last("/metric/engine").unwrap().json();
    let schema =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema/metric-engine.schema.json"));
    let schema = serde_json::from_str(&schema.unwrap()).unwrap();
    assert!(jsonschema::is_valid(&schema, &metric), "{metric}");
    assert!(Answers::status(&running.handle).contains("\"acknowledged\":"));
    wait_for("the status", || {
        retained(broker.port, "picket/v1/gw-1/status")
            .is_some_and(|status| status.contains("\"online\":true"))
    });
    drop(server);

    let began = Instant::now();
    assert!(running.delivery.shutdown(SHUTDOWN));
    assert!(began.elapsed() < SHUTDOWN);
    wait_for("the last status", || {
        retained(broker.port, "picket/v1/gw-1/status")
            .is_some_and(|status| status.contains("\"online\":false"))
    });
    let (store, report) =
        Store::open(&dir.path().join("store"), StoreConfig::default(), &identity(), Timestamp::ZERO).unwrap();
    assert_eq!((report.lost, store.last_seq()), (None, 101), "a clean end leaves no hole");
}

#[test]
fn a_broker_that_was_away_gets_everything_in_order() {
    let Some(program) = mosquitto() else { return };
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let lines =
        format!("allow_anonymous true\npersistence true\npersistence_location {}/", dir.path().display());
    let mut running = start(dir.path(), plain(port));
    running.offer(0, 40);
    wait_for("the health", || running.broker() == Condition::Away);

    let broker = Broker::start(program, dir.path(), port, &lines);
    let subscriber = Subscriber::start(port, None);
    wait_for("what was stored", || running.handle.counters().acknowledged >= 40);
    assert_eq!(running.broker(), Condition::Ok);
    broker.stop();
    wait_for("the health", || running.broker() == Condition::Away);
    running.offer(40, 80);

    // The broker keeps the subscriber's session, so it queues what comes before the subscriber is back.
    let _broker = Broker::start(program, dir.path(), port, &lines);
    wait_for("the rest", || running.handle.counters().pending == 0);
    wait_for("80 messages", || subscriber.seqs().last() == Some(&80));
    let late: Vec<u64> = subscriber.seqs().into_iter().filter(|seq| *seq > 40).collect();
    assert_eq!(late, (41..=80).collect::<Vec<_>>());
    assert_eq!(running.handle.counters().lost, 0);
    assert!(running.delivery.shutdown(SHUTDOWN));
}

/// A broker that knows `picket` and `watcher`, both with the password `right`, and these rights.
fn guarded(program: &str, dir: &Path, rights: &str) -> Broker {
    let passwords = file(dir, "passwords", "picket:right\nwatcher:right\n");
    let made = Command::new("mosquitto_passwd").arg("-U").arg(&passwords).status().unwrap();
    assert!(made.success());
    let acl = file(dir, "acl", rights);
    let lines =
        format!("allow_anonymous false\npassword_file {}\nacl_file {}", passwords.display(), acl.display());
    Broker::start(program, dir, free_port(), &lines)
}

fn credentials(dir: &Path, password: &str) -> Credentials {
    Credentials::from_file("picket", &file(dir, "picket-password", password)).unwrap().0
}

#[test]
fn a_refused_password_is_visible_and_costs_no_alert() {
    let Some(program) = mosquitto() else { return };
    let dir = tempfile::tempdir().unwrap();
    let broker = guarded(
        program,
        dir.path(),
        "user picket\ntopic write picket/v1/gw-1/#\nuser watcher\ntopic read picket/#\n",
    );
    for (protocol, reason) in [(Protocol::V5, "not authorized"), (Protocol::V311, "not authorized")] {
        let credentials = Some(credentials(dir.path(), "wrong\n"));
        let mut running = start(dir.path(), PublisherConfig { protocol, credentials, ..plain(broker.port) });
        running.offer(0, 5);
        wait_for("the refusal", || running.broker() == Condition::Refused);
        assert_eq!(running.board.health().broker.reason.unwrap(), reason);
        assert!(running.delivery.shutdown(SHUTDOWN));
    }
    let subscriber = Subscriber::start(broker.port, Some(("watcher", "right")));
    let credentials = Some(credentials(dir.path(), "right\n"));
    let running = start(dir.path(), PublisherConfig { credentials, ..plain(broker.port) });
    wait_for("all ten", || subscriber.seqs().len() == 10);
    assert_eq!(running.broker(), Condition::Ok);
    assert!(running.delivery.shutdown(SHUTDOWN));
}

#[test]
fn a_publication_that_the_access_list_forbids_stays_in_the_outbox() {
    let Some(program) = mosquitto() else { return };
    let dir = tempfile::tempdir().unwrap();
    // All but alerts of low severity.
    let rights = "user picket\ntopic write picket/v1/gw-1/status\n\
                  topic write picket/v1/gw-1/alert/medium/#\ntopic write picket/v1/gw-1/alert/high/#\n\
                  topic write picket/v1/gw-1/alert/critical/#\nuser watcher\ntopic read picket/#\n";
    let broker = guarded(program, dir.path(), rights);
    let subscriber = Subscriber::start(broker.port, Some(("watcher", "right")));
    let credentials = Some(credentials(dir.path(), "right"));
    let mut running = start(dir.path(), PublisherConfig { credentials, ..plain(broker.port) });
    running.offer(0, 40);
    wait_for("30 that are allowed", || running.handle.counters().acknowledged == 30);
    wait_for("10 that are not", || running.handle.counters().refused == 10);
    wait_for("the messages", || subscriber.seqs().len() == 30);
    assert_eq!(running.handle.counters().pending, 10);
    let broker_health = running.board.health().broker;
    assert_eq!(broker_health.state, Condition::Refused);
    assert_eq!(broker_health.reason.unwrap(), "publishing: not authorised");
    assert!(running.delivery.shutdown(SHUTDOWN));
}

#[test]
fn a_will_that_comes_late_does_not_stand() {
    let Some(program) = mosquitto() else { return };
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(program, dir.path(), free_port(), "allow_anonymous true");
    let status_every = Duration::from_millis(300);
    let running = start(dir.path(), PublisherConfig { status_every, ..plain(broker.port) });
    let topic = "picket/v1/gw-1/status";
    let is_online = || retained(broker.port, topic).is_some_and(|status| status.contains("\"online\":true"));
    wait_for("the status", is_online);
    // What the broker does with the will of a connection that it has just given up.
    retain(broker.port, topic, &running.board.offline().to_json());
    wait_for("the status again", is_online);
    assert!(running.delivery.shutdown(SHUTDOWN));
}

#[test]
fn mqtt_3_1_1_delivers_too() {
    let Some(program) = mosquitto() else { return };
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(program, dir.path(), free_port(), "allow_anonymous true");
    let subscriber = Subscriber::start(broker.port, None);
    let mut running = start(dir.path(), PublisherConfig { protocol: Protocol::V311, ..plain(broker.port) });
    running.offer(0, 50);
    wait_for("50 acknowledgements", || running.handle.counters().acknowledged == 50);
    wait_for("50 messages", || subscriber.seqs() == (1..=50).collect::<Vec<_>>());
    assert!(running.delivery.shutdown(SHUTDOWN));
    wait_for("the last status", || {
        retained(broker.port, "picket/v1/gw-1/status")
            .is_some_and(|status| status.contains("\"online\":false"))
    });
}

#[test]
fn alerts_that_find_the_channel_full_are_counted_in_the_stream() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = start(dir.path(), plain(free_port()));
    let taken = (0..3000_u32).filter(|unique| running.intake.offer(alert((*unique).into()))).count();
    wait_for("the report", || running.intake.settle());
    let (taken, dropped) = (u64::try_from(taken).unwrap(), u64::try_from(3000 - taken).unwrap());
    assert!(dropped > 0, "nothing was dropped, so nothing was tested");
    wait_for("the store", || running.handle.counters().stored == taken);
    wait_for("the count", || running.handle.counters().lost == dropped);
    assert!(running.delivery.shutdown(SHUTDOWN));

    let source = AlertSource::open(Path::new("/nonexistent"), &dir.path().join("store")).unwrap();
    let (mut alerts, mut lost) = (0, 0);
    for json in source.list(&Filter::default()).unwrap() {
        let document: serde_json::Value = serde_json::from_str(&json).unwrap();
        if document["schema"] == "picket.lost/1" {
            assert_eq!(document["reason"], serde_json::to_value(LostReason::Overload).unwrap());
            lost += document["count"].as_u64().unwrap();
        } else {
            alerts += 1;
        }
    }
    assert_eq!((alerts, lost), (taken, dropped));
}

#[cfg(feature = "tls")]
#[test]
fn tls_with_a_client_certificate() {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    let Some(program) = mosquitto() else { return };
    let dir = tempfile::tempdir().unwrap();
    let authority = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = params.self_signed(&key).unwrap();
        (certificate.pem(), Issuer::new(params, key))
    };
    let (ca_pem, ca) = authority("test authority");
    let ca_file = file(dir.path(), "ca.pem", &ca_pem);
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = params.signed_by(&key, &ca).unwrap();
        (
            file(dir.path(), &format!("{name}.pem"), &certificate.pem()),
            file(dir.path(), &format!("{name}.key"), &key.serialize_pem()),
        )
    };
    let (server, server_key) = issue("broker");
    let client = issue("gw-1");
    let port = free_port();
    let lines = format!(
        "cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\nuse_identity_as_username true\n\
         acl_file {}",
        ca_file.display(),
        server.display(),
        server_key.display(),
        file(dir.path(), "acl", "pattern write picket/v1/%u/#\n").display(),
    );
    let _broker = Broker::start(program, dir.path(), port, &lines);
    let url = format!("mqtts://localhost:{port}");

    let tls = TlsFiles { ca: Some(ca_file.clone()), client: Some(client.clone()) };
    let mut running = start(dir.path(), PublisherConfig { tls, ..config(&url) });
    running.offer(0, 20);
    // The access list goes by the certificate's name, so an acknowledgement proves that it was shown.
    wait_for("20 acknowledgements", || running.handle.counters().acknowledged == 20);
    assert!(running.delivery.shutdown(SHUTDOWN));

    // Without a certificate, and with another authority: no connection, and the health says why.
    let (other_pem, _) = authority("another authority");
    let other_ca = file(dir.path(), "other.pem", &other_pem);
    for (ca, client) in [(ca_file, None), (other_ca, Some(client.clone()))] {
        let running =
            start(dir.path(), PublisherConfig { tls: TlsFiles { ca: Some(ca), client }, ..config(&url) });
        wait_for("the health", || running.broker() == Condition::Away);
        let reason = running.board.health().broker.reason.unwrap();
        assert!(reason.contains("ertificate"), "{reason}");
        assert_eq!(running.handle.counters().acknowledged, 0);
        assert!(running.delivery.shutdown(SHUTDOWN));
    }

    // Files that do not go together stop the start.
    let (certificate, _) = client;
    let tls = TlsFiles { ca: None, client: Some((certificate.clone(), certificate)) };
    let now = Timestamp::ZERO;
    let (store, report) =
        Store::open(&dir.path().join("other"), StoreConfig::default(), &identity(), now).unwrap();
    let board = Board::new(identity().sensor, Vec::new(), now);
    let publisher = PublisherConfig { tls, ..config(&url) };
    let refused = Delivery::spawn(store, &report, identity(), Some(publisher), board, Box::new(|_| {}));
    let error = refused.err().expect("a certificate is no key").to_string();
    assert!(error.contains("/"), "{error}");
    assert!(fs::metadata(dir.path().join("other")).is_ok());
}
