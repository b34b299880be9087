//! Tiny listeners that look like SSH, Telnet and HTTP from outside, for attacks on hosts to have something to attack.
//! They let nobody in and do nothing with what they hear.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::LabError;
use crate::random::Random;
use crate::stop::Stop;
use crate::target::Target;

/// What a listener pretends to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// SSH.
    Ssh,
    /// Telnet.
    Telnet,
    /// HTTP.
    Http,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ssh, Self::Telnet, Self::Http];

    /// The usual port.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Ssh => 22,
            Self::Telnet => 23,
            Self::Http => 80,
        }
    }
}

/// Most connections at the same time; more are closed at once.
const MOST: usize = 128;

/// Longest wait for the next words of a client.
const PATIENCE: Duration = Duration::from_secs(3);

/// Listens on these services of an address until it is time to stop. `port` replaces the usual port of the first one.
/// Each address is given to `ready`.
///
/// # Errors
/// If the address is not one that the laboratory may touch, or a port is in use.
pub fn run(
    ip: IpAddr,
    services: &[Service],
    port: Option<u16>,
    stop: &Stop,
    ready: impl Fn(SocketAddr),
) -> Result<(), LabError> {
    let mut listeners = Vec::new();
    for (index, service) in services.iter().enumerate() {
        let port = port.filter(|_| index == 0).unwrap_or_else(|| service.port());
        let address = Target::check(SocketAddr::new(ip, port))?.address();
        let what = || LabError::io(format!("victim at {address}"));
        let listener = TcpListener::bind(address).map_err(what())?;
        listener.set_nonblocking(true).map_err(what())?;
        ready(listener.local_addr().map_err(what())?);
        listeners.push((listener, *service));
    }
    let open = Arc::new(AtomicUsize::new(0));
    while stop.sleep(Duration::from_millis(2)) {
        for (listener, service) in &listeners {
            while let Ok((stream, _)) = listener.accept() {
                if open.fetch_add(1, Ordering::Relaxed) >= MOST {
                    open.fetch_sub(1, Ordering::Relaxed);
                    continue;
                }
                let (service, open) = (*service, Arc::clone(&open));
                thread::spawn(move || {
                    // However a conversation ends: it is over.
                    let _ = converse(service, stream);
                    open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        }
    }
    Ok(())
}

fn converse(service: Service, mut stream: TcpStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    match service {
        Service::Ssh => ssh(&mut stream),
        Service::Telnet => telnet(&mut stream),
        Service::Http => http(&mut stream),
    }
}

fn ssh(stream: &mut TcpStream) -> io::Result<()> {
    let mut random = Random::new(u64::from(stream.peer_addr()?.port()));
    stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")?;
    hear(stream)?;
    stream.write_all(&ssh_packet(1072, &mut random))?;
    // Their proposals and their key come in one piece or several; the answer holds the host's key.
    hear(stream)?;
    thread::sleep(Duration::from_millis(5));
    stream.write_all(&ssh_packet(564, &mut random))?;
    // New keys and the request for the service, then guesses: each is refused after a moment.
    hear(stream)?;
    stream.write_all(&ssh_packet(44, &mut random))?;
    for _ in 0..6 {
        hear(stream)?;
        thread::sleep(Duration::from_millis(20));
        stream.write_all(&ssh_packet(52, &mut random))?;
    }
    Ok(())
}

fn telnet(stream: &mut TcpStream) -> io::Result<()> {
    // DO TERMINAL TYPE, DO NAWS, WILL ECHO, WILL SUPPRESS GO AHEAD.
    stream.write_all(b"\xff\xfd\x18\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03")?;
    hear(stream)?;
    for _ in 0..3 {
        stream.write_all(b"gateway login: ")?;
        hear(stream)?;
        stream.write_all(b"\r\nPassword: ")?;
        hear(stream)?;
        thread::sleep(Duration::from_millis(20));
        stream.write_all(b"\r\nLogin incorrect\r\n")?;
    }
    Ok(())
}

fn http(stream: &mut TcpStream) -> io::Result<()> {
    hear(stream)?;
    let body = "<html><body>gateway</body></html>";
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// Waits for something and says how much it was.
fn hear(stream: &mut TcpStream) -> io::Result<usize> {
    match stream.read(&mut [0; 4096])? {
        0 => Err(io::ErrorKind::ConnectionReset.into()),
        length => Ok(length),
    }
}

/// Bytes in the frame of an SSH packet (RFC 4253, 6), with `length` bytes in all.
#[must_use]
pub fn ssh_packet(length: usize, random: &mut Random) -> Vec<u8> {
    let mut packet = Vec::with_capacity(length);
    let rest = u32::try_from(length.saturating_sub(4)).expect("packets of a few kilobytes");
    packet.extend(rest.to_be_bytes());
    packet.extend(random.text(length.saturating_sub(4)).into_bytes());
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_outside_is_refused() {
        let error = run("192.0.2.1".parse().unwrap(), &[Service::Ssh], None, &Stop::default(), |_| ());
        assert_eq!(error.unwrap_err().exit_code(), 77);
    }

    #[test]
    fn a_packet_says_how_long_it_is() {
        assert_eq!(ssh_packet(48, &mut Random::new(1))[..4], [0, 0, 0, 44]);
    }
}
