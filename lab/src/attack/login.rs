//! Guessing at SSH and Telnet: short connections of nearly the same shape. The victim is [`crate::victim`]; nothing
//! here is encrypted, only the sizes and turns are those of the protocols.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::manner::{Manner, Worker};
use super::{Deed, Meter, Place, defaults, words};
use crate::mqtt::session::Dial;
use crate::random::Random;
use crate::stop::Stop;
use crate::victim::{Service, ssh_packet};

/// Options of the guessing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct LoginBruteforce {
    /// Connections in all
    #[arg(long, default_value_t = 40)]
    pub count: u32,
    /// The service
    #[arg(long, value_enum, default_value = "ssh")]
    pub service: Service,
    /// Its port; 0 is the usual one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Guesses in one connection
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=6))]
    pub guesses: u32,
    /// Connections a second over all workers; 0 is as fast as possible
    #[arg(long, default_value_t = 10.0)]
    pub rate: f64,
    /// How much each pause varies: 0 not at all, 1 from none to twice as long
    #[arg(long, default_value_t = 0.0)]
    pub jitter: f64,
    /// Workers at the same time
    #[arg(long, default_value_t = 1)]
    pub workers: u32,
    /// Stop after so many seconds
    #[arg(long, default_value_t = 8)]
    pub secs: u32,
}

impl Default for LoginBruteforce {
    fn default() -> Self {
        defaults()
    }
}

impl Deed for LoginBruteforce {
    fn label(&self) -> (&'static str, &'static str) {
        match self.service {
            Service::Ssh => ("ssh_bruteforce", "N2"),
            Service::Telnet | Service::Http => ("telnet_bruteforce", "N2"),
        }
    }

    fn secs(&self) -> u32 {
        self.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let port = if self.port == 0 { self.service.port() } else { self.port };
        let dial = Dial { target: place.target.at_port(port), ..place.dial() };
        let manner = Manner {
            rate: self.rate,
            jitter: self.jitter,
            workers: self.workers,
            secs: self.secs,
            ..Manner::default()
        };
        manner.work(place, stop, meter, self.count, |mut worker| {
            while worker.turn().is_some() {
                // Whoever lets a guess fail has refused it; the victim lets every guess fail.
                match self.guess(&dial, &mut worker) {
                    Ok(()) => Meter::count(&meter.refused),
                    Err(_) => Meter::count(&meter.failed),
                }
            }
        });
    }
}

impl LoginBruteforce {
    fn guess(&self, dial: &Dial, worker: &mut Worker<'_>) -> io::Result<()> {
        let mut stream = dial.open()?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        match self.service {
            Service::Ssh => self.ssh(&mut stream, &mut worker.random),
            Service::Telnet | Service::Http => self.telnet(&mut stream, &mut worker.random),
        }
    }

    /// Banner, key exchange, new keys, service request, guesses (RFC 4253, RFC 4252).
    fn ssh(&self, stream: &mut TcpStream, random: &mut Random) -> io::Result<()> {
        const BANNERS: [&str; 4] = [
            "SSH-2.0-libssh2_1.10.0\r\n",
            "SSH-2.0-libssh_0.9.6\r\n",
            "SSH-2.0-Go\r\n",
            "SSH-2.0-paramiko_2.12.0\r\n",
        ];
        hear(stream)?;
        stream.write_all(random.pick(&BANNERS).as_bytes())?;
        hear(stream)?;
        let kex = random.between((560, 1500)) as usize;
        let mut keys = ssh_packet(kex, random);
        keys.extend(ssh_packet(48, random));
        stream.write_all(&keys)?;
        hear(stream)?;
        let mut request = ssh_packet(16, random);
        request.extend(ssh_packet(44, random));
        stream.write_all(&request)?;
        hear(stream)?;
        for _ in 0..self.guesses {
            let length = random.between((64, 148)) as usize;
            stream.write_all(&ssh_packet(length, random))?;
            hear(stream)?;
        }
        Ok(())
    }

    /// Options, name, password, again (RFC 854).
    fn telnet(&self, stream: &mut TcpStream, random: &mut Random) -> io::Result<()> {
        hear(stream)?;
        // DO SUPPRESS GO AHEAD, WONT everything else.
        stream.write_all(b"\xff\xfd\x03\xff\xfc\x18\xff\xfc\x1f")?;
        for _ in 0..self.guesses {
            let name = words::user(random.between((0, 40)));
            let password = words::password(u64::from(random.between((0, 40))), random);
            for word in [name, password] {
                hear(stream)?;
                stream.write_all(format!("{word}\r\n").as_bytes())?;
            }
        }
        hear(stream)
    }
}

/// Waits for what the victim says next.
fn hear(stream: &mut TcpStream) -> io::Result<()> {
    match stream.read(&mut [0; 4096]) {
        Ok(0) => Err(io::ErrorKind::ConnectionReset.into()),
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    }
}
