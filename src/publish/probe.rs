//! Asks the management broker once whether it takes this sensor: for `picket doctor`.
//!
//! One connection beside that of the daemon, with a client id of its own, no will, and one publication that nobody has to heed:
//! `picket/v1/<sensor>/metric/doctor`. The daemon's retained status is left alone.
#![expect(clippy::disallowed_methods, reason = "an answer is waited for so long by the clock")]

use std::time::{Duration, Instant};

use rumqttc::v5;
use rumqttc::v5::mqttbytes::v5 as packets5;

use super::client::{options_v5, options_v311, transport};
use super::config::{Protocol, PublishError, PublisherConfig};
use super::link::{Down, down_v5, down_v311, verdict};
use super::topics::{SensorName, Topics};

/// What the broker made of us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It did not answer, or broke off.
    Unreachable(String),
    /// It does not want us.
    Refused(String),
    /// It took us.
    Taken {
        /// Topics that its access list refuses, each with the reason.
        denied: Vec<(String, String)>,
        /// Whether its protocol lets it say that it refuses a publication.
        tells: bool,
    },
}

/// What is sent while the broker is asked.
const PAYLOAD: &str = "{\"doctor\":true}";
/// Packets that may wait in the client.
const QUEUE: usize = 4;
/// Client ids are of this and a number.
const CLIENT_ID: &str = "picket-doctor";

/// Connects, publishes, subscribes to the topics `reads`, and waits for the answers, all within `patience`.
///
/// # Errors
/// The connection cannot be set up: the files of TLS are not usable.
pub fn ask(
    config: &PublisherConfig,
    sensor: &SensorName,
    reads: &[String],
    patience: Duration,
) -> Result<Answer, PublishError> {
    let transport = transport(config)?;
    let end = Instant::now() + patience;
    let topic = Topics::new(sensor).metric_doctor();
    let client_id = format!("{CLIENT_ID}-{}", std::process::id());
    Ok(match config.protocol {
        Protocol::V5 => ask_v5(options_v5(config, transport, client_id), &topic, reads, end),
        Protocol::V311 => ask_v311(options_v311(config, transport, client_id), &topic, end),
    })
}

fn ask_v5(options: v5::MqttOptions, topic: &str, reads: &[String], end: Instant) -> Answer {
    let (client, mut connection) = v5::Client::new(options, QUEUE + reads.len());
    let mut denied = Vec::new();
    // Answers to come: one for the publication, one for each subscription.
    let mut awaited = 1 + reads.len();
    let mut subscribed = reads.iter();
    while awaited > 0 {
        let Ok(event) = connection.recv_timeout(end.saturating_duration_since(Instant::now())) else {
            return Answer::Unreachable("no answer in time".to_owned());
        };
        match event {
            Err(error) => return away(down_v5(&error)),
            Ok(v5::Event::Incoming(packets5::Packet::ConnAck(_))) => {
                let sent = client.try_publish(topic, v5::mqttbytes::QoS::AtLeastOnce, false, PAYLOAD).is_ok()
                    && reads
                        .iter()
                        .all(|filter| client.try_subscribe(filter, v5::mqttbytes::QoS::AtLeastOnce).is_ok());
                if !sent {
                    return Answer::Unreachable("the connection took no packets".to_owned());
                }
            }
            Ok(v5::Event::Incoming(packets5::Packet::PubAck(ack))) => {
                awaited -= 1;
                if let Err(why) = verdict(ack.reason) {
                    denied.push((topic.to_owned(), why.to_owned()));
                }
            }
            // The answers come in the order of the requests (MQTT 5, section 4.6).
            Ok(v5::Event::Incoming(packets5::Packet::SubAck(ack))) => {
                awaited -= 1;
                let refused = ack
                    .return_codes
                    .iter()
                    .any(|code| !matches!(code, packets5::SubscribeReasonCode::Success(_)));
                if let Some(filter) = subscribed.next().filter(|_| refused) {
                    denied.push((filter.clone(), "subscription refused".to_owned()));
                }
            }
            Ok(_) => {}
        }
    }
    part(
        || client.try_disconnect().is_ok(),
        || connection.recv_timeout(SHORT).is_ok_and(|event| event.is_ok()),
    );
    Answer::Taken { denied, tells: true }
}

fn ask_v311(options: rumqttc::MqttOptions, topic: &str, end: Instant) -> Answer {
    let (client, mut connection) = rumqttc::Client::new(options, QUEUE);
    loop {
        let Ok(event) = connection.recv_timeout(end.saturating_duration_since(Instant::now())) else {
            return Answer::Unreachable("no answer in time".to_owned());
        };
        match event {
            Err(error) => return away(down_v311(&error)),
            Ok(rumqttc::Event::Incoming(rumqttc::Packet::ConnAck(_))) => {
                if client.try_publish(topic, rumqttc::QoS::AtLeastOnce, false, PAYLOAD).is_err() {
                    return Answer::Unreachable("the connection took no packets".to_owned());
                }
            }
            Ok(rumqttc::Event::Incoming(rumqttc::Packet::PubAck(_))) => break,
            Ok(_) => {}
        }
    }
    part(
        || client.try_disconnect().is_ok(),
        || connection.recv_timeout(SHORT).is_ok_and(|event| event.is_ok()),
    );
    Answer::Taken { denied: Vec::new(), tells: false }
}

/// How long a last packet may take to leave.
const SHORT: Duration = Duration::from_millis(500);

/// Says goodbye, and lets it go out: until the connection ends, at most some steps.
fn part(goodbye: impl Fn() -> bool, mut step: impl FnMut() -> bool) {
    if goodbye() {
        let _ = (0..QUEUE).all(|_| step());
    }
}

fn away(down: Down) -> Answer {
    match down {
        Down::Refused(why) => Answer::Refused(why),
        down @ (Down::Away(_) | Down::TooLarge) => Answer::Unreachable(down.to_string()),
    }
}
