//! What hosts do beside MQTT: fetch pages, look for neighbours, watch services. All of it is benign, and some of
//! it looks like a scan to a careless eye.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use socket2::Socket;

use super::behaviour::Behaviour;
use super::device::Tally;
use super::profile::{Device, Profile};
use crate::mqtt::session::Dial;
use crate::stop::Stop;
use crate::target::Target;

/// Ports that hosts serve pages at; on any other port of a host nothing listens.
pub const PAGE_PORTS: [u16; 2] = [80, 8080];

/// Ports that a browser tries: two of them are refused.
const TRIED_PORTS: [u16; 6] = [80, 80, 8080, 80, 443, 8123];

/// Ports that monitoring asks for, in this order.
pub const WATCHED_PORTS: [u16; 30] = [
    1883, 22, 80, 443, 53, 8883, 8123, 9001, 3000, 1880, 8080, 8443, 123, 445, 139, 631, 5432, 3306, 6379,
    9090, 9100, 9093, 5000, 8086, 25, 587, 993, 2049, 111, 5353,
];

/// mDNS and SSDP.
const GROUPS: [(Ipv4Addr, u16); 2] =
    [(Ipv4Addr::new(224, 0, 0, 251), 5353), (Ipv4Addr::new(239, 255, 255, 250), 1900)];

/// What services are looked for.
const SERVICES: [&str; 5] =
    ["_mqtt._tcp.local", "_hap._tcp.local", "_http._tcp.local", "_esphomelib._tcp.local", "_ipp._tcp.local"];

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Something small that a host does once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Errand {
    /// Fetches a page of so many bytes from the neighbour with this number.
    Page {
        /// Which neighbour; counted round.
        neighbour: usize,
        /// At which port.
        port: u16,
        /// Length of the page in bytes.
        length: u32,
    },
    /// Sends a datagram to a multicast group.
    Group {
        /// The group.
        group: Ipv4Addr,
        /// Its port.
        port: u16,
        /// The datagram.
        bytes: Vec<u8>,
    },
    /// Opens a connection to a port of the broker's host, and closes it.
    Look(u16),
}

impl Errand {
    /// What a device does at one of its moments. `number` counts them.
    #[must_use]
    pub fn of(device: &Device, number: usize, behaviour: &mut Behaviour) -> Vec<Self> {
        let random = behaviour.random();
        let count = random.between((1, u32::from(device.burst.max(1)))) as usize;
        match device.profile {
            Profile::Browser => {
                let first = random.between((0, 250)) as usize;
                (first..first + count)
                    .map(|neighbour| Self::Page {
                        neighbour,
                        port: *random.pick(&TRIED_PORTS),
                        length: random.between((200, device.payload.max(300))),
                    })
                    .collect()
            }
            Profile::Finder => (0..count)
                .map(|_| {
                    let (group, port) = *random.pick(&GROUPS);
                    let service = random.pick(&SERVICES);
                    let bytes = if port == 5353 { query(service) } else { search() };
                    Self::Group { group, port, bytes }
                })
                .collect(),
            _ => {
                let watched = usize::from(device.topics).clamp(1, WATCHED_PORTS.len());
                vec![Self::Look(WATCHED_PORTS[number % watched])]
            }
        }
    }
}

/// A DNS question for a pointer record (RFC 6762, 18).
fn query(service: &str) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in service.split('.') {
        bytes.push(u8::try_from(label.len()).expect("labels are short"));
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, 12, 0, 1]);
    bytes
}

/// An SSDP search.
fn search() -> Vec<u8> {
    "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 2\r\nST: ssdp:all\r\n\r\n".into()
}

/// The request for a page of so many bytes.
#[must_use]
pub fn request(host: IpAddr, length: u32) -> String {
    format!(
        "GET /{length} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: lab\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
}

/// The page that is asked for: its length is in the request.
#[must_use]
pub fn page(request: &str) -> Vec<u8> {
    let length = request.split([' ', '/']).nth(2).and_then(|text| text.parse().ok()).unwrap_or(0_usize);
    let length = length.min(1 << 20);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n");
    let mut bytes = head.into_bytes();
    bytes.resize(bytes.len() + length, b'.');
    bytes
}

/// Runs the errands of a device until it is time to stop. Sessions are pages and open ports, refused are closed
/// ports, published are datagrams.
pub(super) fn run(device: &Device, target: Target, neighbours: &[IpAddr], stop: &Stop) -> Tally {
    let mut tally = Tally::default();
    let mut behaviour = Behaviour::new(device);
    let mut due = Instant::now();
    for number in 0.. {
        due += behaviour.step().after;
        if !stop.sleep_until(due) {
            break;
        }
        for errand in Errand::of(device, number, &mut behaviour) {
            match errand.run(device, target, neighbours) {
                Ok(Done::Connected) => tally.sessions += 1,
                Ok(Done::Sent) => tally.published += 1,
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => tally.refused += 1,
                Err(_) => tally.broken += 1,
            }
        }
    }
    tally
}

/// What came of an errand.
enum Done {
    Connected,
    Sent,
}

impl Errand {
    fn run(&self, device: &Device, broker: Target, neighbours: &[IpAddr]) -> io::Result<Done> {
        let from = device.address;
        match self {
            Self::Page { neighbour, port, length } => {
                let host = neighbours
                    .get(neighbour % neighbours.len().max(1))
                    .copied()
                    .unwrap_or_else(|| broker.address().ip());
                let target = Target::check(SocketAddr::new(host, *port)).map_err(io::Error::other)?;
                let mut stream = Dial { target, from, nodelay: true }.open()?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.write_all(request(host, *length).as_bytes())?;
                io::copy(&mut stream.take(1 << 21), &mut io::sink())?;
                Ok(Done::Connected)
            }
            Self::Group { group, port, bytes } => {
                let own = match from {
                    Some(IpAddr::V4(own)) => own,
                    _ => Ipv4Addr::UNSPECIFIED,
                };
                let to = broker.group(*group, *port).ok_or(io::ErrorKind::NetworkUnreachable)?;
                let socket = Socket::from(UdpSocket::bind((own, 0))?);
                socket.set_multicast_if_v4(&own)?;
                socket.send_to(bytes, &to.into())?;
                Ok(Done::Sent)
            }
            Self::Look(port) => {
                Dial { target: broker.at_port(*port), from, nodelay: false }.open()?;
                Ok(Done::Connected)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_as_long_as_asked_for() {
        let host: IpAddr = "10.77.1.9".parse().unwrap();
        let text = String::from_utf8(page(&request(host, 300))).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("Content-Length: 300"));
        assert_eq!(body.len(), 300);
    }

    #[test]
    fn monitoring_asks_for_the_same_ports_again_and_again() {
        use crate::benign::profile::Habits;
        use crate::random::Random;
        let device = Device::draw(Profile::Monitor, 1, &Habits::default(), &mut Random::new(2));
        let mut behaviour = Behaviour::new(&device);
        let mut round = |from: usize| {
            (from..from + 8).map(|n| Errand::of(&device, n, &mut behaviour)).collect::<Vec<_>>()
        };
        assert_eq!(round(0), round(device.topics.into()));
    }
}
