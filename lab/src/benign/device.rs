//! Plays a device against a broker.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::behaviour::{Behaviour, Message, Then};
use super::profile::{Device, Profile};
use super::speech::Speech;
use super::stack;
use super::{errand, second_stack};
use crate::mqtt::session::{ConnectError, Dial, Session};
use crate::stop::Stop;
use crate::target::Target;

/// Time for the broker's answers before a device looks again.
const SETTLE: Duration = Duration::from_millis(60);

/// The same where more is to be sent.
const BREATH: Duration = Duration::from_millis(5);

/// Longest time that a device that leaves waits for them.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// Plays the device until it is time to stop. `neighbours` are hosts that have nothing to do with MQTT.
#[must_use]
pub fn run(device: &Device, target: Target, neighbours: &[IpAddr], stop: &Stop) -> Tally {
    if !stop.sleep(Duration::from_millis(u64::from(device.start_ms))) {
        return Tally::default();
    }
    match device.profile {
        Profile::SecondStack => second_stack::run(device, target, stop),
        Profile::Paho => stack::paho(device, target, stop),
        Profile::Script => stack::script(device, target, stop),
        Profile::Browser | Profile::Finder | Profile::Monitor => {
            errand::run(device, target, neighbours, stop)
        }
        _ => with_our_client(device, target, stop),
    }
}

/// With the laboratory's own client.
fn with_our_client(device: &Device, target: Target, stop: &Stop) -> Tally {
    let mut tally = Tally::default();
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
    behaviour: &mut Behaviour,
    stop: &Stop,
    tally: &mut Tally,
) -> Result<Duration, ConnectError> {
    let hello = behaviour.hello();
    let mut speech = Speech::new(device);
    let connect = speech.connect(device, &hello);
    let mut session = Session::connect_with(dial, device.version, device.keep_alive, &connect)?;
    session.answer_after(Duration::from_millis(device.answer_ms.into()));
    tally.sessions += 1;
    for message in &hello.messages {
        publish(&mut session, &mut speech, message, stop, tally)?;
    }
    subscribe(&mut session, &speech, &hello.filters)?;
    let mut due = Instant::now();
    loop {
        let action = behaviour.step();
        due += action.after;
        while !stop.is_set() && Instant::now() < due {
            if session.pump(due, stop)?.is_some() {
                tally.received += 1;
                if let Some(answer) = behaviour.answer() {
                    publish(&mut session, &mut speech, &answer, stop, tally)?;
                }
            }
        }
        if stop.is_set() {
            session.leave();
            return Ok(Duration::ZERO);
        }
        subscribe(&mut session, &speech, &action.filters)?;
        for message in &action.messages {
            publish(&mut session, &mut speech, message, stop, tally)?;
        }
        match action.then {
            Then::Stay => {}
            Then::Leave(pause) => {
                // Time for the handshakes of what was just published.
                let late = Instant::now() + PATIENCE;
                loop {
                    while session.pump(Instant::now() + SETTLE, stop)?.is_some() {
                        tally.received += 1;
                    }
                    if session.is_settled() || stop.is_set() || Instant::now() >= late {
                        break;
                    }
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

fn subscribe(session: &mut Session, speech: &Speech, filters: &[String]) -> io::Result<()> {
    for packet in speech.subscribe(filters, || session.packet_id()) {
        session.send(&packet)?;
    }
    Ok(())
}

fn publish(
    session: &mut Session,
    speech: &mut Speech,
    message: &Message,
    stop: &Stop,
    tally: &mut Tally,
) -> io::Result<()> {
    let id = if speech.qos() > 0 { session.packet_id() } else { 0 };
    while speech.qos() > 0 && session.room() == 0 {
        if stop.is_set() {
            return Ok(());
        }
        if session.pump(Instant::now() + BREATH, stop)?.is_some() {
            tally.received += 1;
        }
    }
    let mut bytes = Vec::new();
    speech.publish(message, id, &mut bytes);
    session.send(&bytes)?;
    if speech.qos() > 0 {
        session.expect_answer();
    }
    tally.published += 1;
    Ok(())
}
