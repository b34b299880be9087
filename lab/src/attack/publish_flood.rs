//! More messages than any honest device sends (ATT&CK for ICS T0814).

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::manner::Naming;
use super::{Deed, Meter, Place, defaults, share};
use crate::mqtt::packet::{Publish, Version};
use crate::mqtt::session::Session;
use crate::random::Random;
use crate::stop::{Pacer, Stop};

/// Options of the publish flood.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct PublishFlood {
    /// Messages in all
    #[arg(long, default_value_t = 8000)]
    pub count: u32,
    /// Messages a second over all connections; 0 is as fast as possible
    #[arg(long, default_value_t = 1000.0)]
    pub rate: f64,
    /// How much each pause varies: 0 not at all, 1 from none to twice as long
    #[arg(long, default_value_t = 0.0)]
    pub jitter: f64,
    /// Connections that publish at the same time
    #[arg(long, default_value_t = 1)]
    pub connections: u32,
    /// Quality of service
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub qos: u8,
    /// Payload in bytes
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub payload: u32,
    /// Messages that are written at once, so that they share TCP segments
    #[arg(long, default_value_t = 1)]
    pub coalesce: u32,
    /// Different topics
    #[arg(long, default_value_t = 1)]
    pub topics: u32,
    /// Retain the messages
    #[arg(long)]
    pub retain: bool,
    /// Client identifiers
    #[arg(long, value_enum, default_value = "numbered")]
    pub naming: Naming,
    /// Keep alive in seconds
    #[arg(long, default_value_t = 60)]
    pub keep_alive: u16,
    /// Protocol version
    #[arg(long, value_enum, default_value = "3.1.1")]
    pub protocol: Version,
    /// Stop after so many seconds
    #[arg(long, default_value_t = 8)]
    pub secs: u32,
}

impl Default for PublishFlood {
    fn default() -> Self {
        defaults()
    }
}

impl Deed for PublishFlood {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_publish_flood", "A2")
    }

    fn secs(&self) -> u32 {
        self.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        thread::scope(|scope| {
            for worker in 0..self.connections.clamp(1, 256) {
                scope.spawn(move || {
                    let mut random = place.random(worker);
                    let client_id = self.naming.name(self.protocol, u64::from(worker), &mut random);
                    let connect = place.connect(self.protocol, &client_id, self.keep_alive);
                    if let Some(session) = meter.unless_connected(Session::connect(&place.dial(), &connect))
                        && self.flood(session, &mut random, stop, meter).is_err()
                    {
                        Meter::count(&meter.failed);
                    }
                });
            }
        });
        // What was written to an open session counts as accepted: with quality of service 0 no one says more.
        let done = meter.done.load(std::sync::atomic::Ordering::Relaxed);
        meter.accepted.store(done, std::sync::atomic::Ordering::Relaxed);
    }
}

impl PublishFlood {
    fn flood(&self, mut session: Session, random: &mut Random, stop: &Stop, meter: &Meter) -> io::Result<()> {
        let payload = random.text(self.payload as usize).into_bytes();
        let coalesce = self.coalesce.clamp(1, 5000);
        let mut pacer = Pacer::new(share(self.rate, self.connections) / f64::from(coalesce))
            .jittered(self.jitter, random);
        let mut bytes = Vec::new();
        while pacer.turn(stop) {
            bytes.clear();
            for _ in 0..coalesce {
                if !meter.take(u64::from(self.count)) {
                    break;
                }
                let topic = format!("load/data/{}", random.between((0, self.topics.max(1) - 1)));
                let id = session.packet_id();
                Publish { topic: &topic, payload: &payload, qos: self.qos, retain: self.retain, id }
                    .encode_into(self.protocol, &mut bytes);
            }
            if bytes.is_empty() {
                break;
            }
            session.send(&bytes)?;
            session.drain()?;
        }
        if self.qos > 0 {
            let _ = session.pump(Instant::now() + Duration::from_millis(100), stop)?;
        }
        session.leave();
        Ok(())
    }
}
