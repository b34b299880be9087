//! Messages as large as the protocol allows: few packets, much memory and bandwidth (MQTTSA sends ten megabytes).

use std::io;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::manner::Manner;
use super::{Deed, Meter, Place, defaults};
use crate::mqtt::packet::Publish;
use crate::mqtt::session::Session;
use crate::stop::Stop;

/// Options of the large messages.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct LargePayload {
    /// Messages in all
    #[arg(long, default_value_t = 10)]
    pub count: u32,
    /// Payload in bytes
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=16_000_000))]
    pub payload: u32,
    /// Quality of service
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub qos: u8,
    /// Retain the messages
    #[arg(long)]
    pub retain: bool,
    /// How it goes about it
    #[command(flatten)]
    pub manner: Manner,
}

impl Default for LargePayload {
    fn default() -> Self {
        defaults()
    }
}

/// Most bytes that one attack sends.
const MOST_BYTES: u64 = 512_000_000;

impl Deed for LargePayload {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_publish_flood", "A14")
    }

    fn secs(&self) -> u32 {
        self.manner.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let most = MOST_BYTES / u64::from(self.payload.max(1));
        let most = self.count.min(u32::try_from(most).unwrap_or(u32::MAX));
        self.manner.work(place, stop, meter, most, |mut worker| {
            let payload = worker.random.text(self.payload as usize).into_bytes();
            let mut session: Option<Session> = None;
            while let Some(index) = worker.turn() {
                let Some(open) = worker.session(&mut session, index) else { continue };
                let sent = self.send(open, &payload, stop);
                worker.tell(&sent);
                if sent.is_err() {
                    session = None;
                }
            }
            session.into_iter().for_each(Session::leave);
        });
    }
}

impl LargePayload {
    /// One message, in pieces between which a stop is noticed.
    fn send(&self, session: &mut Session, payload: &[u8], stop: &Stop) -> io::Result<()> {
        let mut bytes = Vec::new();
        let id = session.packet_id();
        Publish { topic: "load/file", payload, qos: self.qos, retain: self.retain, id }
            .encode_into(session.version(), &mut bytes);
        for piece in bytes.chunks(65_536) {
            if stop.is_set() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            session.send(piece)?;
        }
        session.drain()
    }
}
