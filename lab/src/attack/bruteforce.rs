//! Guessing of credentials: one connection and one CONNECT per guess (ATT&CK T1110).

use clap::Args;
use serde::{Deserialize, Serialize};

use super::manner::{Manner, Naming};
use super::{Deed, Meter, Place, defaults, words};
use crate::mqtt::packet::{Connect, Version};
use crate::mqtt::session::Session;
use crate::stop::Stop;

/// Options of the brute force.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct BruteForce {
    /// Guesses in all
    #[arg(long, default_value_t = 200)]
    pub tries: u32,
    /// Different user names; 1 guesses passwords for one name
    #[arg(long, default_value_t = 20)]
    pub users: u32,
    /// Guesses a second over all workers; 0 is as fast as the broker answers
    #[arg(long, default_value_t = 40.0)]
    pub rate: f64,
    /// How much each pause varies: 0 not at all, 1 from none to twice as long
    #[arg(long, default_value_t = 0.0)]
    pub jitter: f64,
    /// Workers that guess at the same time
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
    /// The last guess is right: needs --username and --password-file
    #[arg(long)]
    pub succeed: bool,
    /// Stop after so many seconds
    #[arg(long, default_value_t = 8)]
    pub secs: u32,
}

impl Default for BruteForce {
    fn default() -> Self {
        defaults()
    }
}

impl Deed for BruteForce {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_bruteforce", "A7")
    }

    fn secs(&self) -> u32 {
        self.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let &Self { rate, jitter, workers, .. } = self;
        let manner = Manner { rate, jitter, workers, ..Manner::default() };
        manner.work(place, stop, meter, self.tries, |mut worker| {
            while let Some(index) = worker.turn() {
                let users = self.users.max(1);
                let user = u32::try_from(index % u64::from(users)).expect("less than the number of users");
                let password = words::password(index / u64::from(users), &mut worker.random);
                let client_id = self.naming.name(self.protocol, index, &mut worker.random);
                self.guess((&words::user(user), &password), &client_id, place, meter);
            }
        });
        if let (true, Some(right), false) = (self.succeed, &place.credentials, stop.interrupted()) {
            Meter::count(&meter.done);
            self.guess(right.pair(), "client", place, meter);
        }
    }
}

impl BruteForce {
    fn guess(&self, login: (&str, &str), client_id: &str, place: &Place, meter: &Meter) {
        let connect = Connect {
            version: self.protocol,
            client_id,
            keep_alive: self.keep_alive,
            clean: true,
            login: Some(login),
            will: None,
        };
        if let Some(session) = meter.connected(Session::connect(&place.dial(), &connect)) {
            session.leave();
        }
    }
}
