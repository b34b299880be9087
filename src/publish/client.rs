//! The connection to the management broker: one rumqttc client after another, in one thread.
//!
//! rumqttc reconnects by itself, at once, for ever, and keeps publications of the last connection. We want
//! neither: every attempt is a fresh client with nothing in it, a fresh client id and our own waiting time; what
//! is unacknowledged is in the store. [`super::link`] is one connection, step by step.
#![expect(clippy::disallowed_methods, reason = "a connection's age decides whether it was of use")]

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rumqttc::v5::mqttbytes::v5 as packets5;
use rumqttc::{Transport, v5};

use super::backoff::Backoff;
use super::config::{Protocol, PublishError, PublisherConfig};
use super::link::{Connection, Down, LinkEvent, MAX_PACKET, Sender, Step};
use super::topics::SensorName;
use super::window::WINDOW;

/// Publications that rumqttc holds for us beyond the window of documents: status and metrics.
const QUEUE: usize = WINDOW + 8;
/// A connection that lived this long was of use, even if nothing was acknowledged on it.
const OF_USE: Duration = Duration::from_secs(20);
/// Bytes of the sensor's name in a client id, so that the whole id stays within the 64 bytes that the
/// analysis keeps of one.
const NAME_IN_ID: usize = 40;
/// Stack of the thread, in bytes; a TLS handshake is the deepest it goes.
const STACK: usize = 512 * 1024;

/// What is published for us when we are gone without a word.
#[derive(Clone, Debug)]
pub(crate) struct Will {
    pub topic: String,
    pub payload: String,
}

/// Asked for a will before every attempt.
pub(crate) type WillMaker = Box<dyn Fn() -> Will + Send>;

/// Called with the client id of every attempt before its first byte is sent, so that the analysis can leave our
/// own connection alone.
pub type OwnClientId = Box<dyn FnMut(&str) + Send>;

/// Makes clients; everything that can be wrong in the configuration has been found when one exists.
pub(crate) struct Connector {
    config: PublisherConfig,
    name: SensorName,
    will: Option<WillMaker>,
    transport: Transport,
}

impl Connector {
    /// `name` stands in client ids.
    pub(crate) fn new(
        config: PublisherConfig,
        name: SensorName,
        will: Option<WillMaker>,
    ) -> Result<Self, PublishError> {
        let transport = transport(&config)?;
        Ok(Self { config, name, will, transport })
    }

    fn connect(&self, client_id: &str) -> (Sender, Connection) {
        let will = self.will.as_ref().map(|will| will());
        let in_flight = u16::try_from(2 * QUEUE).unwrap_or(u16::MAX);
        match self.config.protocol {
            Protocol::V5 => {
                let mut options = options_v5(&self.config, self.transport.clone(), client_id);
                options.set_outgoing_inflight_upper_limit(in_flight);
                if let Some(Will { topic, payload }) = will {
                    let qos = v5::mqttbytes::QoS::AtLeastOnce;
                    options.set_last_will(packets5::LastWill::new(topic, payload, qos, true, None));
                }
                let (client, connection) = v5::Client::new(options, QUEUE);
                (Sender::V5(client), Connection::V5(connection))
            }
            Protocol::V311 => {
                let mut options = options_v311(&self.config, self.transport.clone(), client_id);
                options.set_inflight(in_flight);
                if let Some(Will { topic, payload }) = will {
                    let qos = rumqttc::QoS::AtLeastOnce;
                    options.set_last_will(rumqttc::LastWill::new(topic, payload, qos, true));
                }
                let (client, connection) = rumqttc::Client::new(options, QUEUE);
                (Sender::V311(client), Connection::V311(connection))
            }
        }
    }
}

/// rumqttc writes "host:port" and resolves that, so an IPv6 address needs its brackets.
fn host(config: &PublisherConfig) -> String {
    match config.broker.host() {
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    }
}

/// The shortest that rumqttc takes.
fn keep_alive(config: &PublisherConfig) -> Duration {
    config.keep_alive.max(Duration::from_secs(5))
}

/// What every connection of MQTT 5 is made with.
pub(super) fn options_v5(
    config: &PublisherConfig,
    transport: Transport,
    client_id: impl Into<String>,
) -> v5::MqttOptions {
    let mut options = v5::MqttOptions::new(client_id, host(config), config.broker.port());
    options
        .set_transport(transport)
        .set_keep_alive(keep_alive(config))
        .set_clean_start(true)
        .set_max_packet_size(Some(MAX_PACKET));
    if let Some(credentials) = &config.credentials {
        options.set_credentials(credentials.user(), credentials.password());
    }
    options
}

/// What every connection of MQTT 3.1.1 is made with.
pub(super) fn options_v311(
    config: &PublisherConfig,
    transport: Transport,
    client_id: impl Into<String>,
) -> rumqttc::MqttOptions {
    let mut options = rumqttc::MqttOptions::new(client_id, host(config), config.broker.port());
    let max_packet = usize::try_from(MAX_PACKET).unwrap_or(usize::MAX);
    options
        .set_transport(transport)
        .set_keep_alive(keep_alive(config))
        .set_clean_session(true)
        .set_max_packet_size(max_packet, max_packet);
    if let Some(credentials) = &config.credentials {
        options.set_credentials(credentials.user(), credentials.password());
    }
    options
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
pub(crate) struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    pub(crate) fn stop(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    pub(crate) fn is_stopped(&self) -> bool {
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
pub(crate) fn spawn(
    connector: Connector,
    mut own_client_id: OwnClientId,
    stop: Stop,
    tell: impl Fn(LinkEvent) -> bool + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name("picket-mqtt".to_owned()).stack_size(STACK).spawn(move || {
        let mut backoff = Backoff::new(connector.config.backoff);
        while !stop.is_stopped() {
            let random = Random::draw();
            let client_id = client_id(&connector.name, random.nonce);
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
