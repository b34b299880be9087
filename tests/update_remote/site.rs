//! A site: a broker as it should be set up, and certificates for who is on it.

use std::path::PathBuf;
use std::time::Duration;

use picket::publish::backoff::BackoffPolicy;
use picket::publish::config::{PublisherConfig, TlsFiles};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{Client, Event, MqttOptions};

use super::authority::Authority;
use super::desk::{Desk, project};
use super::publish_support::{Broker, free_port, mosquitto};

pub struct Site {
    pub desk: Desk,
    pub authority: Authority,
    pub port: u16,
    pub broker: Option<Broker>,
    program: &'static str,
}

impl Site {
    /// None where there is no mosquitto.
    pub fn new() -> Option<Self> {
        let program = mosquitto()?;
        let desk = Desk::new();
        let authority = Authority::new(desk.folder(), "authority");
        for name in ["broker", "manager"] {
            authority.issue(name);
        }
        let mut site = Self { authority, port: free_port(), broker: None, program, desk };
        site.open();
        Some(site)
    }

    /// The broker comes (back).
    pub fn open(&mut self) {
        let path = |name: &str| self.desk.path(name).display().to_string();
        let lines = format!(
            "cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\nuse_identity_as_username true\n\
             acl_file {}\npersistence true\npersistence_location {}/\nmax_inflight_messages 100\nlog_dest none",
            path("authority.pem"),
            path("broker.pem"),
            path("broker.key"),
            project("packaging/mosquitto/picket.acl"),
            self.desk.folder().display(),
        );
        self.broker = Some(Broker::start(self.program, self.desk.folder(), self.port, &lines));
    }

    pub fn url(&self) -> String {
        format!("mqtts://localhost:{}", self.port)
    }

    /// The words of a command that say how the manager reaches the broker.
    pub fn manager(&self) -> String {
        format!(
            "--broker {} --ca-file authority.pem --cert-file manager.pem --key-file manager.key",
            self.url()
        )
    }

    /// How the sensor of this name, which gets a certificate, reaches the broker.
    pub fn sensor(&self, name: &str) -> PublisherConfig {
        let ms = Duration::from_millis;
        PublisherConfig {
            backoff: BackoffPolicy { first: ms(50), most: ms(400), refused: ms(300) },
            tls: TlsFiles { ca: Some(self.authority.file.clone()), client: Some(self.certificate(name)) },
            ..PublisherConfig::new(self.url().parse().unwrap())
        }
    }

    /// Certificate and key, made when first asked for.
    pub fn certificate(&self, name: &str) -> (PathBuf, PathBuf) {
        let of = |end: &str| self.desk.path(&format!("{name}.{end}"));
        if of("pem").exists() { (of("pem"), of("key")) } else { self.authority.issue(name) }
    }

    /// A client with the certificate of `name`.
    pub fn client(&self, name: &str) -> (Client, rumqttc::v5::Connection) {
        let (certificate, key) = self.certificate(name);
        let read = |path: PathBuf| std::fs::read(path).unwrap();
        let tls = rumqttc::TlsConfiguration::Simple {
            ca: read(self.authority.file.clone()),
            alpn: None,
            client_auth: Some((read(certificate), read(key))),
        };
        // rumqttc takes the provider of the process where it makes a configuration itself.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut options = MqttOptions::new(format!("{name}-{:x}", rand()), "localhost", self.port);
        options
            .set_transport(rumqttc::Transport::tls_with_config(tls))
            .set_max_packet_size(Some(4 << 20))
            .set_outgoing_inflight_upper_limit(50);
        Client::new(options, 64)
    }

    /// That a message is as its schema in the documentation says.
    #[track_caller]
    pub fn assert_schema(&self, name: &str, message: &[u8]) {
        let schema = std::fs::read_to_string(project(&format!("docs/schema/{name}.schema.json"))).unwrap();
        let schema = serde_json::from_str(&schema).unwrap();
        let document = serde_json::from_slice(message).unwrap();
        let faults = jsonschema::validator_for(&schema).unwrap();
        let faults: Vec<String> = faults.iter_errors(&document).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{name}: {faults:?}\n{document}");
    }

    /// Publishes as `name`; returns whether the broker took it.
    pub fn publish(&self, name: &str, topic: &str, retain: bool, payload: &[u8]) -> bool {
        use rumqttc::v5::mqttbytes::v5::PubAckReason;
        let (client, mut connection) = self.client(name);
        client.try_publish(topic, QoS::AtLeastOnce, retain, payload.to_vec()).unwrap();
        connection
            .iter()
            .find_map(|event| match event {
                Ok(Event::Incoming(Packet::PubAck(ack))) => {
                    Some(matches!(ack.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers))
                }
                Ok(_) => None,
                Err(error) => panic!("{error}"),
            })
            .unwrap()
    }

    /// What `name` finds retained on `topic`, within two seconds.
    pub fn retained(&self, name: &str, topic: &str) -> Option<Vec<u8>> {
        let (client, mut connection) = self.client(name);
        client.try_subscribe(topic, QoS::AtLeastOnce).unwrap();
        let until = std::time::Instant::now() + Duration::from_secs(2);
        while std::time::Instant::now() < until {
            if let Ok(Ok(Event::Incoming(Packet::Publish(publish)))) =
                connection.recv_timeout(Duration::from_millis(200))
            {
                return Some(publish.payload.to_vec());
            }
        }
        None
    }
}

fn rand() -> u32 {
    let mut octets = [0; 4];
    getrandom::fill(&mut octets).unwrap();
    u32::from_le_bytes(octets)
}
