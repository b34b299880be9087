//! Keep alives that promise silence for ever, and silence beyond the keep alive.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::manner::Manner;
use super::{Deed, Meter, Place, defaults};
use crate::stop::Stop;

/// Which promise is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// Keep alive 0: the broker must not ask for a sign of life.
    Zero,
    /// Keep alive 65,535: a sign of life in 27 hours.
    Longest,
    /// Keep alive of 1 to 3 seconds, and silence until the broker closes.
    Broken,
}

/// Options of the keep alives.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct KeepaliveAbuse {
    /// Sessions in all
    #[arg(long, default_value_t = 20)]
    pub count: u32,
    /// Which promise is made
    #[arg(long, value_enum, default_value = "longest")]
    pub promise: Promise,
    /// Subscribe to a quiet topic first, as an honest client would
    #[arg(long)]
    pub subscribe: bool,
    /// How it goes about it
    #[command(flatten)]
    pub manner: Manner,
}

impl Default for KeepaliveAbuse {
    fn default() -> Self {
        defaults()
    }
}

impl Deed for KeepaliveAbuse {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_slow_dos", "A18")
    }

    fn secs(&self) -> u32 {
        self.manner.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        self.manner.work(place, stop, meter, self.count, |mut worker| {
            let mut held = Vec::new();
            while let Some(index) = worker.turn() {
                let name = worker.client_id(index);
                let keep_alive = match self.promise {
                    Promise::Zero => 0,
                    Promise::Longest => u16::MAX,
                    Promise::Broken => *worker.random.pick(&[1, 2, 3]),
                };
                let mut hello = worker.hello(&name);
                hello.keep_alive = keep_alive;
                let Some(mut session) = worker.connect_with(&hello, &hello.encode()) else { continue };
                let asked = if self.subscribe {
                    session.subscribe(&[(&format!("site/{name}/notify"), 0)])
                } else {
                    Ok(())
                };
                worker.tell(&asked);
                held.push(session);
            }
            while !held.is_empty() && stop.sleep(Duration::from_millis(100)) {
                // Those that the broker has closed are gone; the others stay to the end.
                held.retain_mut(|session| session.swallow().is_ok());
            }
        });
    }
}
