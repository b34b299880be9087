//! Trying what one may do: subscriptions and messages on topics that are not the client's business.

use std::io;
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::enumeration::suback;
use super::manner::Manner;
use super::{Deed, Meter, Place, defaults};
use crate::mqtt::incoming::Incoming;
use crate::mqtt::session::Session;
use crate::stop::Stop;

/// What is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// SUBSCRIBE.
    Read,
    /// PUBLISH of quality of service 1, whose PUBACK tells a client of version 5 whether it may.
    Write,
    /// Both in turn.
    Both,
}

/// Options of the probing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct AclProbe {
    /// Probes in all
    #[arg(long, default_value_t = 60)]
    pub count: u32,
    /// What is tried
    #[arg(long, value_enum, default_value = "both")]
    pub probe: Probe,
    /// Probes in one session; 0 uses one session for all
    #[arg(long, default_value_t = 0)]
    pub per_session: u32,
    /// How it goes about it
    #[command(flatten)]
    pub manner: Manner,
}

impl Default for AclProbe {
    fn default() -> Self {
        defaults()
    }
}

/// Ends of topics that are worth a try.
const ENDS: [&str; 12] = [
    "set", "cmd", "config", "state", "command", "firmware", "ota", "reset", "status", "password", "#",
    "+/set",
];

/// First levels, besides those of known devices.
const STEMS: [&str; 10] = [
    "admin",
    "$CONTROL/dynamic-security/v1",
    "$SYS/broker",
    "homeassistant/switch/main",
    "zigbee2mqtt/bridge/request",
    "cmnd/tasmotas",
    "shellies",
    "internal",
    "backup",
    "system",
];

impl Deed for AclProbe {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_recon", "A10")
    }

    fn secs(&self) -> u32 {
        self.manner.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        self.manner.work(place, stop, meter, self.count, |mut worker| {
            let mut stems: Vec<String> = STEMS.iter().map(|stem| (*stem).into()).collect();
            stems.extend(place.victims().iter().map(|name| format!("site/{name}")));
            let mut session: Option<Session> = None;
            let mut used = 0;
            while let Some(index) = worker.turn() {
                if session.is_none() {
                    used = 0;
                }
                let Some(open) = worker.session(&mut session, index) else { continue };
                used += 1;
                let topic = format!("{}/{}", worker.random.pick(&stems), worker.random.pick(&ENDS));
                let read = match self.probe {
                    Probe::Read => true,
                    Probe::Write => false,
                    Probe::Both => index.is_multiple_of(2),
                };
                let answer = if read || topic.contains(['#', '+']) {
                    open.subscribe(&[(&topic, 0)])
                        .and_then(|()| suback(open, stop))
                        .map(|codes| codes.iter().all(|code| *code < 0x80))
                } else {
                    open.publish(&topic, b"1", 1, false).and_then(|()| puback(open, stop))
                };
                match answer {
                    Ok(false) => Meter::count(&meter.refused),
                    ref other => worker.tell(other),
                }
                let used_up = self.per_session > 0 && used >= self.per_session;
                if answer.is_err() || used_up {
                    session.take().into_iter().for_each(Session::leave);
                }
            }
            session.into_iter().for_each(Session::leave);
        });
    }
}

/// Waits a little for a PUBACK: whether the message was let through.
fn puback(session: &mut Session, stop: &Stop) -> io::Result<bool> {
    let late = Instant::now() + Duration::from_millis(500);
    while !stop.is_set() {
        match session.receive(late)? {
            Some(Incoming::Puback(code)) => return Ok(code < 0x80),
            Some(_) => {}
            None => break,
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}
