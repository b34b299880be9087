//! The connection to the management broker: one rumqttc client after another, in one thread.
//!
//! rumqttc reconnects by itself, at once, for ever, and keeps publications of the last connection. We want
//! neither: every attempt is a fresh client with nothing in it, a fresh client id and our own waiting time; what
//! is unacknowledged is in the store. We subscribe to nothing; what a broker sends anyway is dropped.
#![expect(clippy::disallowed_methods, reason = "a connection's age decides whether it was of use")]

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rumqttc::v5::mqttbytes::v5 as packets5;
use rumqttc::{Outgoing, Transport, v5};

use super::backoff::Backoff;
use super::config::{Protocol, PublishError, PublisherConfig};
use super::topics::SensorName;
use super::window::WINDOW;

/// Publications that rumqttc holds for us beyond the window of documents: status and metrics.
const QUEUE: usize = WINDOW + 8;
/// Bytes of the largest packet taken, either way. rumqttc's 10 KiB end the connection when passed.
const MAX_PACKET: u32 = 256 * 1024;
/// A connection that lived this long was of use, even if nothing was acknowledged on it.
const OF_USE: Duration = Duration::from_secs(20);
/// Bytes of the sensor's name in a client id, so that the whole id stays within the 64 bytes that the
/// analysis keeps of one.
const NAME_IN_ID: usize = 40;
/// Stack of the thread, in bytes; a TLS handshake is the deepest it goes.
const STACK: usize = 512 * 1024;

/// What happens on the connection, in order.
#[derive(Debug)]
pub(super) enum LinkEvent {
    /// The broker took us.
    Up(Sender),
    /// The next publication went out under this packet identifier; 0 for QoS 0.
    Written(u16),
    /// The broker answered for this packet identifier; with the reason when it refused the publication.
    Answered(u16, Result<(), &'static str>),
    /// The connection is gone, or could not be made.
    Down(Down),
}

/// Why there is no connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Down {
    /// The broker is out of reach or broke off.
    Away(String),
    /// The broker answered, and does not want us.
    Refused(String),
}

/// Gives publications to the present connection, never waiting.
pub(super) enum Sender {
    V5(v5::Client),
    V311(rumqttc::Client),
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V5(_) => "Sender::V5",
            Self::V311(_) => "Sender::V311",
        })
    }
}

/// How a publication is to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Manner {
    /// QoS 1, not retained: documents.
    Once,
    /// QoS 1, retained: the status.
    Retained,
    /// QoS 0: metrics.
    Casual,
}

impl Sender {
    /// Gives a publication to the connection; `false` when its queue is full or it is gone.
    pub(super) fn publish(&self, topic: &str, payload: &str, manner: Manner) -> bool {
        let retain = manner == Manner::Retained;
        match self {
            Self::V5(client) => {
                let qos = match manner {
                    Manner::Casual => v5::mqttbytes::QoS::AtMostOnce,
                    _ => v5::mqttbytes::QoS::AtLeastOnce,
                };
                let properties = packets5::PublishProperties {
                    payload_format_indicator: Some(1),
                    content_type: Some("application/json".to_owned()),
                    ..Default::default()
                };
                client.try_publish_with_properties(topic, qos, retain, payload.to_owned(), properties).is_ok()
            }
            Self::V311(client) => {
                let qos = match manner {
                    Manner::Casual => rumqttc::QoS::AtMostOnce,
                    _ => rumqttc::QoS::AtLeastOnce,
                };
                client.try_publish(topic, qos, retain, payload.as_bytes()).is_ok()
            }
        }
    }

    /// Ends the connection in order after what was given before, so that the broker keeps the will to itself.
    pub(super) fn disconnect(&self) -> bool {
        match self {
            Self::V5(client) => client.try_disconnect().is_ok(),
            Self::V311(client) => client.try_disconnect().is_ok(),
        }
    }
}

#[expect(clippy::large_enum_variant, reason = "there is one at a time, on the stack of its thread")]
enum Connection {
    V5(v5::Connection),
    V311(rumqttc::Connection),
}

/// One step of a connection.
enum Step {
    Event(LinkEvent),
    Connected,
    Nothing,
}

impl Connection {
    /// Waits for the next step.
    fn next(&mut self) -> Result<Step, Down> {
        match self {
            Self::V5(connection) => match connection.recv() {
                Ok(Ok(event)) => Ok(step_v5(event)),
                Ok(Err(error)) => Err(down_v5(&error)),
                Err(_) => Err(Down::Away("the client was given up".to_owned())),
            },
            Self::V311(connection) => match connection.recv() {
                Ok(Ok(event)) => Ok(step_v311(&event)),
                Ok(Err(error)) => Err(down_v311(&error)),
                Err(_) => Err(Down::Away("the client was given up".to_owned())),
            },
        }
    }
}

fn step_v5(event: v5::Event) -> Step {
    match event {
        v5::Event::Incoming(packets5::Packet::ConnAck(_)) => Step::Connected,
        v5::Event::Incoming(packets5::Packet::PubAck(ack)) => {
            Step::Event(LinkEvent::Answered(ack.pkid, verdict(ack.reason)))
        }
        v5::Event::Outgoing(Outgoing::Publish(id)) => Step::Event(LinkEvent::Written(id)),
        _ => Step::Nothing,
    }
}

fn step_v311(event: &rumqttc::Event) -> Step {
    match event {
        rumqttc::Event::Incoming(rumqttc::Packet::ConnAck(_)) => Step::Connected,
        rumqttc::Event::Incoming(rumqttc::Packet::PubAck(ack)) => {
            Step::Event(LinkEvent::Answered(ack.pkid, Ok(())))
        }
        rumqttc::Event::Outgoing(Outgoing::Publish(id)) => Step::Event(LinkEvent::Written(*id)),
        _ => Step::Nothing,
    }
}

/// MQTT 5, section 3.4.2.1: "no matching subscribers" is an acceptance, all else but success is a refusal.
pub(super) const fn verdict(reason: packets5::PubAckReason) -> Result<(), &'static str> {
    use packets5::PubAckReason as Reason;
    match reason {
        Reason::Success | Reason::NoMatchingSubscribers => Ok(()),
        Reason::NotAuthorized => Err("not authorised"),
        Reason::TopicNameInvalid => Err("topic name invalid"),
        Reason::QuotaExceeded => Err("quota exceeded"),
        Reason::PayloadFormatInvalid => Err("payload format invalid"),
        Reason::PacketIdentifierInUse => Err("packet identifier in use"),
        Reason::UnspecifiedError => Err("unspecified error"),
        Reason::ImplementationSpecificError => Err("implementation specific error"),
    }
}

pub(super) fn down_v5(error: &v5::ConnectionError) -> Down {
    match error {
        v5::ConnectionError::ConnectionRefused(code) => Down::Refused(words(&format!("{code:?}"))),
        v5::ConnectionError::MqttState(v5::StateError::ServerDisconnect { reason_code, .. }) => {
            Down::Away(format!("the broker disconnected: {}", words(&format!("{reason_code:?}"))))
        }
        v5::ConnectionError::Timeout(_) => Down::Away("no answer in time".to_owned()),
        other => Down::Away(other.to_string()),
    }
}

pub(super) fn down_v311(error: &rumqttc::ConnectionError) -> Down {
    use rumqttc::ConnectionError as Error;
    match error {
        Error::ConnectionRefused(code) => Down::Refused(words(&format!("{code:?}"))),
        Error::NetworkTimeout | Error::FlushTimeout => Down::Away("no answer in time".to_owned()),
        other => Down::Away(other.to_string()),
    }
}

/// `BadUserNamePassword` as `bad user name password`.
fn words(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// What is published for us when we are gone without a word.
#[derive(Clone, Debug)]
pub(super) struct Will {
    pub topic: String,
    pub payload: String,
}

/// Called with the client id of every attempt before its first byte is sent, so that the analysis can leave our
/// own connection alone.
pub type OwnClientId = Box<dyn FnMut(&str) + Send>;

/// Makes clients; everything that can be wrong in the configuration has been found when one exists.
pub(super) struct Connector {
    config: PublisherConfig,
    sensor: SensorName,
    will: Box<dyn Fn() -> Will + Send>,
    transport: Transport,
}

impl Connector {
    /// `will` is asked before every attempt.
    pub(super) fn new(
        config: PublisherConfig,
        sensor: SensorName,
        will: Box<dyn Fn() -> Will + Send>,
    ) -> Result<Self, PublishError> {
        let transport = transport(&config)?;
        Ok(Self { config, sensor, will, transport })
    }

    fn connect(&self, client_id: &str) -> (Sender, Connection) {
        let will = (self.will)();
        let credentials = self.config.credentials.as_ref();
        // rumqttc writes "host:port" and resolves that, so an IPv6 address needs its brackets here.
        let broker = &self.config.broker;
        let host = if broker.host().contains(':') {
            format!("[{}]", broker.host())
        } else {
            broker.host().to_owned()
        };
        let keep_alive = self.config.keep_alive.max(Duration::from_secs(5));
        let in_flight = u16::try_from(2 * QUEUE).unwrap_or(u16::MAX);
        match self.config.protocol {
            Protocol::V5 => {
                let mut options = v5::MqttOptions::new(client_id, host, broker.port());
                options
                    .set_transport(self.transport.clone())
                    .set_keep_alive(keep_alive)
                    .set_clean_start(true)
                    .set_max_packet_size(Some(MAX_PACKET))
                    .set_outgoing_inflight_upper_limit(in_flight)
                    .set_last_will(packets5::LastWill::new(
                        will.topic,
                        will.payload,
                        v5::mqttbytes::QoS::AtLeastOnce,
                        true,
                        None,
                    ));
                if let Some(credentials) = credentials {
                    options.set_credentials(credentials.user(), credentials.password());
                }
                let (client, connection) = v5::Client::new(options, QUEUE);
                (Sender::V5(client), Connection::V5(connection))
            }
            Protocol::V311 => {
                let mut options = rumqttc::MqttOptions::new(client_id, host, broker.port());
                let max_packet = usize::try_from(MAX_PACKET).unwrap_or(usize::MAX);
                options
                    .set_transport(self.transport.clone())
                    .set_keep_alive(keep_alive)
                    .set_clean_session(true)
                    .set_max_packet_size(max_packet, max_packet)
                    .set_inflight(in_flight)
                    .set_last_will(rumqttc::LastWill::new(
                        will.topic,
                        will.payload,
                        rumqttc::QoS::AtLeastOnce,
                        true,
                    ));
                if let Some(credentials) = credentials {
                    options.set_credentials(credentials.user(), credentials.password());
                }
                let (client, connection) = rumqttc::Client::new(options, QUEUE);
                (Sender::V311(client), Connection::V311(connection))
            }
        }
    }
}

#[cfg(feature = "tls")]
pub(super) fn transport(config: &PublisherConfig) -> Result<Transport, PublishError> {
    if !config.broker.is_tls() {
        return Ok(Transport::tcp());
    }
    if config.broker.host().contains(':') {
        return Err(PublishError::Tls(
            "an IPv6 address cannot be used with mqtts://, give a name".to_owned(),
        ));
    }
    let tls = super::tls::client_config(config.broker.host(), &config.tls)?;
    Ok(Transport::tls_with_config(rumqttc::TlsConfiguration::Rustls(tls)))
}

#[cfg(not(feature = "tls"))]
pub(super) fn transport(config: &PublisherConfig) -> Result<Transport, PublishError> {
    if config.broker.is_tls() {
        return Err(PublishError::Tls("this picket was built without TLS (feature `tls`)".to_owned()));
    }
    Ok(Transport::tcp())
}

/// Tells the thread to make no further attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    pub(super) fn stop(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    fn is_stopped(&self) -> bool {
        self.wait(Duration::ZERO)
    }

    /// Waits for at most `patience`; returns whether it is time to stop.
    fn wait(&self, patience: Duration) -> bool {
        let stopped = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (stopped, _) = self
            .0
            .1
            .wait_timeout_while(stopped, patience, |stopped| !*stopped)
            .unwrap_or_else(PoisonError::into_inner);
        *stopped
    }
}

/// Starts the thread. `tell` takes the events and returns `false` when nobody listens any more.
pub(super) fn spawn(
    connector: Connector,
    mut own_client_id: OwnClientId,
    stop: Stop,
    tell: impl Fn(LinkEvent) -> bool + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name("picket-mqtt".to_owned()).stack_size(STACK).spawn(move || {
        let mut backoff = Backoff::new(connector.config.backoff);
        while !stop.is_stopped() {
            let random = Random::draw();
            let client_id = client_id(&connector.sensor, random.nonce);
            own_client_id(&client_id);
            let (sender, connection) = connector.connect(&client_id);
            let (down, of_use) = drive(sender, connection, &stop, &tell);
            if of_use {
                backoff.reset();
            }
            let refused = matches!(down, Down::Refused(_));
            if !tell(LinkEvent::Down(down)) || stop.wait(backoff.next(refused, random.jitter)) {
                return;
            }
        }
    })
}

/// Drives one connection to its end; returns why it ended and whether it was of use.
fn drive(
    sender: Sender,
    mut connection: Connection,
    stop: &Stop,
    tell: &impl Fn(LinkEvent) -> bool,
) -> (Down, bool) {
    let began = Instant::now();
    let (mut sender, mut acknowledged) = (Some(sender), false);
    loop {
        let event = match connection.next() {
            Ok(Step::Event(event)) => event,
            Ok(Step::Nothing) => continue,
            Ok(Step::Connected) => match sender.take() {
                Some(sender) if !stop.is_stopped() => LinkEvent::Up(sender),
                _ => return (Down::Away("stopping".to_owned()), false),
            },
            Err(down) => {
                let lived = sender.is_none() && began.elapsed() >= OF_USE;
                return (down, acknowledged || lived);
            }
        };
        acknowledged |= matches!(event, LinkEvent::Answered(_, Ok(())));
        if !tell(event) {
            return (Down::Away("stopping".to_owned()), acknowledged);
        }
    }
}

/// `picket-<sensor>-<16 hex>`; a new one for every attempt.
fn client_id(sensor: &SensorName, nonce: u64) -> String {
    // A sensor's name is ASCII, so any cut is between characters.
    let name = sensor.as_str().get(..NAME_IN_ID).unwrap_or(sensor.as_str());
    format!("picket-{name}-{nonce:016x}")
}

struct Random {
    nonce: u64,
    jitter: u32,
}

impl Random {
    /// Nothing secret hangs on these numbers, so where the system has no randomness (very early at boot) the
    /// clock has to do.
    fn draw() -> Self {
        let mut bytes = [0; 12];
        if getrandom::fill(&mut bytes).is_err() {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            bytes[..4].copy_from_slice(&now.subsec_nanos().to_le_bytes());
            bytes[4..8].copy_from_slice(&std::process::id().to_le_bytes());
        }
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        Self { nonce: u64::from_le_bytes([a, b, c, d, e, f, g, h]), jitter: u32::from_le_bytes([i, j, k, l]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CLIENT_ID_BYTES;

    #[test]
    fn client_ids_are_fresh_and_fit_into_what_the_analysis_keeps() {
        let sensor: SensorName = "x".repeat(64).parse().unwrap();
        let (a, b) = (client_id(&sensor, Random::draw().nonce), client_id(&sensor, Random::draw().nonce));
        assert_ne!(a, b);
        assert!(a.len() <= CLIENT_ID_BYTES);
        assert_eq!(client_id(&"gw-1".parse().unwrap(), 10), "picket-gw-1-000000000000000a");
    }

    #[test]
    fn reasons_are_words() {
        assert_eq!(words("BadUserNamePassword"), "bad user name password");
        assert_eq!(verdict(packets5::PubAckReason::NotAuthorized), Err("not authorised"));
        assert_eq!(verdict(packets5::PubAckReason::NoMatchingSubscribers), Ok(()));
    }

    #[test]
    fn a_stop_ends_the_waiting() {
        let stop = Stop::default();
        assert!(!stop.wait(Duration::from_millis(1)));
        let waiting = thread::spawn({
            let stop = stop.clone();
            move || stop.wait(Duration::from_secs(60))
        });
        stop.stop();
        assert!(waiting.join().unwrap());
    }
}
