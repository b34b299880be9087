//! Plays a device against a broker.

use std::io;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::behaviour::{Behaviour, Message, Then};
use super::profile::{Device, Profile};
use super::second_stack;
use crate::credentials::Credentials;
use crate::mqtt::packet::{Connect, Will};
use crate::mqtt::session::{ConnectError, Dial, Session};
use crate::stop::Stop;
use crate::target::Target;

/// What a device did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Sessions that the broker accepted.
    pub sessions: u64,
    /// Connections that the broker refused.
    pub refused: u64,
    /// Connections that failed or broke.
    pub broken: u64,
    /// Messages published.
    pub published: u64,
    /// Messages received.
    pub received: u64,
}

/// Plays the device until it is time to stop.
#[must_use]
pub fn run(device: &Device, target: Target, stop: &Stop) -> Tally {
    let mut tally = Tally::default();
    if !stop.sleep(Duration::from_millis(u64::from(device.start_ms))) {
        return tally;
    }
    if device.profile == Profile::SecondStack {
        return second_stack::run(device, target, stop);
    }
    let dial = Dial { target, from: device.address, nodelay: device.nodelay };
    let mut behaviour = Behaviour::new(device);
    while !stop.is_set() {
        let pause = match session(device, &dial, &mut behaviour, stop, &mut tally) {
            Ok(pause) => pause,
            Err(ConnectError::Refused(_)) => {
                tally.refused += 1;
                behaviour.retry_delay()
            }
            Err(ConnectError::Io(_)) => {
                tally.broken += 1;
                behaviour.retry_delay()
            }
        };
        if !stop.sleep(pause) {
            break;
        }
    }
    tally
}

/// One session. Gives the time until the next one.
fn session(
    device: &Device,
    dial: &Dial,
    behaviour: &mut Behaviour<'_>,
    stop: &Stop,
    tally: &mut Tally,
) -> Result<Duration, ConnectError> {
    let will_topic = format!("site/{}/status", device.client_id);
    let connect = Connect {
        version: device.version,
        client_id: &device.client_id,
        keep_alive: device.keep_alive,
        clean: device.clean,
        login: device.credentials.as_ref().map(Credentials::pair),
        will: device.will.then_some(Will { topic: &will_topic, payload: b"offline", qos: 1, retain: true }),
    };
    let mut session = Session::connect(dial, &connect)?;
    tally.sessions += 1;
    behaviour.session_begins();
    if device.will {
        publish(
            &mut session,
            device,
            &Message { topic: will_topic, payload: b"online".to_vec(), retain: true },
            tally,
        )?;
    }
    let filters = behaviour.filters();
    if !filters.is_empty() {
        let filters: Vec<_> = filters.iter().map(|filter| (filter.as_str(), device.qos)).collect();
        session.subscribe(&filters)?;
    }
    let mut due = Instant::now();
    loop {
        let action = behaviour.step();
        due += action.after;
        while !stop.is_set() && Instant::now() < due {
            if session.pump(due, stop)?.is_some() {
                tally.received += 1;
                if let Some(answer) = behaviour.answer() {
                    publish(&mut session, device, &answer, tally)?;
                }
            }
        }
        if stop.is_set() {
            session.leave();
            return Ok(Duration::ZERO);
        }
        for message in &action.messages {
            publish(&mut session, device, message, tally)?;
        }
        match action.then {
            Then::Stay => {}
            Then::Leave(pause) => {
                // Time for the handshakes of what was just published.
                let settle = Instant::now() + Duration::from_millis(60);
                while session.pump(settle, stop)?.is_some() {
                    tally.received += 1;
                }
                session.leave();
                return Ok(pause);
            }
            Then::Vanish(pause) => {
                drop(session);
                return Ok(pause);
            }
        }
    }
}

fn publish(session: &mut Session, device: &Device, message: &Message, tally: &mut Tally) -> io::Result<()> {
    session.publish(&message.topic, &message.payload, device.qos, message.retain)?;
    tally.published += 1;
    Ok(())
}
