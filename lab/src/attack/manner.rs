//! How an attack on MQTT goes about it: what all such attacks have in common.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{Meter, Place, defaults, share};
use crate::mqtt::packet::{Connect, Version};
use crate::mqtt::session::Session;
use crate::random::Random;
use crate::stop::{Pacer, Stop};

/// Rate, names and habits of an attacker's clients.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct Manner {
    /// Actions a second over all workers; 0 is as fast as possible
    #[arg(long, default_value_t = 20.0)]
    pub rate: f64,
    /// How much each pause varies: 0 not at all, 1 from none to twice as long
    #[arg(long, default_value_t = 0.0)]
    pub jitter: f64,
    /// Workers at the same time, each with connections of its own
    #[arg(long, default_value_t = 1)]
    pub workers: u32,
    /// Client identifiers
    #[arg(long, value_enum, default_value = "random")]
    pub naming: Naming,
    /// Keep alive in seconds
    #[arg(long, default_value_t = 60)]
    pub keep_alive: u16,
    /// Protocol version
    #[arg(long, value_enum, default_value = "3.1.1")]
    pub protocol: Version,
    /// Bytes of each packet that go in a segment of their own; 0 does not cut
    #[arg(long, default_value_t = 0)]
    pub cut: u16,
    /// Stop after so many seconds
    #[arg(long, default_value_t = 8)]
    pub secs: u32,
}

impl Default for Manner {
    fn default() -> Self {
        defaults()
    }
}

/// Most workers of one attack.
const MOST_WORKERS: u32 = 64;

/// One of several workers: its turns, its randomness, and what it shares with the others.
pub(super) struct Worker<'a> {
    pub(super) manner: &'a Manner,
    pub(super) place: &'a Place,
    pub(super) stop: &'a Stop,
    pub(super) meter: &'a Meter,
    pub(super) random: Random,
    pacer: Pacer,
    most: u64,
    next: &'a AtomicU64,
}

impl Manner {
    /// Lets every worker do its work, and waits for them. They share `most` actions.
    pub(super) fn work(
        &self,
        place: &Place,
        stop: &Stop,
        meter: &Meter,
        most: u32,
        job: impl Fn(Worker<'_>) + Sync,
    ) {
        let next = AtomicU64::new(0);
        let workers = self.workers.clamp(1, MOST_WORKERS);
        thread::scope(|scope| {
            for index in 0..workers {
                let (next, job) = (&next, &job);
                scope.spawn(move || {
                    let mut random = place.random(index);
                    let pacer = Pacer::new(share(self.rate, workers)).jittered(self.jitter, &mut random);
                    let most = u64::from(most);
                    job(Worker { manner: self, place, stop, meter, random, pacer, most, next });
                });
            }
        });
    }
}

impl Worker<'_> {
    /// Waits for the next turn and takes one action. Nothing if it is time to stop or none is left; otherwise the
    /// number of the action among those of all workers.
    pub(super) fn turn(&mut self) -> Option<u64> {
        (self.pacer.turn(self.stop) && self.meter.take(self.most))
            .then(|| self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// A client identifier of the attacker's own.
    pub(super) fn client_id(&mut self, index: u64) -> String {
        self.manner.naming.name(self.manner.protocol, index, &mut self.random)
    }

    /// A CONNECT with the credentials of the place.
    pub(super) fn hello<'c>(&'c self, client_id: &'c str) -> Connect<'c> {
        self.place.connect(self.manner.protocol, client_id, self.manner.keep_alive)
    }

    /// Connects under a name; a refusal or a failure is counted.
    pub(super) fn connect(&self, client_id: &str) -> Option<Session> {
        let hello = self.hello(client_id);
        self.connect_with(&hello, &hello.encode())
    }

    /// Connects with these bytes; a refusal or a failure is counted.
    pub(super) fn connect_with(&self, connect: &Connect<'_>, bytes: &[u8]) -> Option<Session> {
        let dial = self.place.dial();
        let session = Session::connect_cut(&dial, connect.version, connect.keep_alive, bytes, self.cut());
        self.meter.unless_connected(session)
    }

    /// The open session, or a new one under a name of the attacker's own.
    pub(super) fn session<'s>(
        &mut self,
        open: &'s mut Option<Session>,
        index: u64,
    ) -> Option<&'s mut Session> {
        if open.is_none() {
            let name = self.client_id(index);
            *open = self.connect(&name);
        }
        open.as_mut()
    }

    /// Where packets are cut.
    pub(super) fn cut(&self) -> usize {
        usize::from(self.manner.cut)
    }

    /// Counts how something ended.
    pub(super) fn tell<T, E>(&self, result: &Result<T, E>) {
        self.meter.tell(result);
    }
}

/// How an attacker names its clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Naming {
    /// A new random identifier every time.
    Random,
    /// Always the same.
    Fixed,
    /// None: the broker gives one.
    Empty,
    /// A common stem with a number.
    Numbered,
    /// As `mosquitto_pub` of version 1 does: a process number and the host's name.
    Mosquitto,
    /// As a common library for JavaScript does: a stem and eight hexadecimal digits.
    Mqttjs,
    /// A random UUID.
    Uuid,
}

impl Naming {
    /// A client identifier. Version 3.1 knows no empty one.
    pub(super) fn name(self, version: Version, index: u64, random: &mut Random) -> String {
        match self {
            Self::Random => random.text(12),
            Self::Empty if version == Version::V31 => Self::Random.name(version, index, random),
            Self::Fixed => "client".into(),
            Self::Empty => String::new(),
            Self::Numbered => format!("worker-{index}"),
            Self::Mosquitto => format!("mosqpub|{}-host", random.between((300, 32_000))),
            Self::Mqttjs => format!("mqttjs_{:08x}", random.seed() & 0xFFFF_FFFF),
            Self::Uuid => {
                let (high, low) = (random.seed(), random.seed());
                format!(
                    "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                    high >> 32,
                    high >> 16 & 0xFFFF,
                    high & 0xFFF,
                    low >> 48 & 0xFFF,
                    low & 0xFFFF_FFFF_FFFF
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_forms() {
        let mut random = Random::new(5);
        assert_eq!(Naming::Uuid.name(Version::V5, 0, &mut random).len(), 36);
        assert_eq!(Naming::Mqttjs.name(Version::V5, 0, &mut random).len(), 15);
        assert_eq!(Naming::Numbered.name(Version::V5, 7, &mut random), "worker-7");
        assert_eq!(Naming::Empty.name(Version::V311, 0, &mut random), "");
        assert_eq!(Naming::Empty.name(Version::V31, 0, &mut random).len(), 12);
    }
}
