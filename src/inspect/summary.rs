//! What is collected of a capture while the engine reads it.

use std::net::IpAddr;

use super::packet::octets;
use super::top::Top;
use crate::decode::{Address, Packet, SkipReason};
use crate::engine::{Observed, ObservedHello, Sink};
use crate::event::{Event, Reaction};
use crate::flow::key::{Direction, Socket};
use crate::frame::{Frame, LinkType};
use crate::mqtt::connect::Connect;
use crate::mqtt::packet::Body;
use crate::mqtt::publish::Publish;
use crate::mqtt::version::Version;
use crate::time::Timestamp;

/// Hosts told apart with certainty; so for brokers, clients, topics and names of events.
const HOSTS: usize = 4096;
const BROKERS: usize = 256;
const CLIENTS: usize = 4096;
const TOPICS: usize = 8192;
const EVENTS: usize = 512;
/// Addresses named with a client or an event.
pub(super) const ADDRESSES: usize = 8;
/// Clients of one broker told apart.
const CLIENTS_OF_BROKER: usize = 4096;
/// Topics are told apart by so many octets.
const TOPIC_OCTETS: usize = 256;

/// The versions of the protocol, as positions in [`Versions`].
pub const VERSIONS: [Version; 4] = [Version::V31, Version::V311, Version::V5, Version::Unknown];

/// Figures by version.
#[derive(Clone, Copy, Debug, Default)]
pub struct Versions([VersionFigures; VERSIONS.len()]);

/// Figures of one version.
#[derive(Clone, Copy, Debug, Default)]
pub struct VersionFigures {
    /// CONNECT packets.
    pub connects: u64,
    /// Control packets.
    pub packets: u64,
}

impl Versions {
    fn of(&mut self, version: Version) -> &mut VersionFigures {
        let at = VERSIONS.iter().position(|known| *known == version).unwrap_or(VERSIONS.len() - 1);
        &mut self.0[at]
    }

    /// Every version that was seen, with its figures.
    pub fn seen(&self) -> impl Iterator<Item = (Version, VersionFigures)> {
        VERSIONS.into_iter().zip(self.0).filter(|(_, figures)| figures.packets > 0)
    }
}

/// An address on the network.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Its link address, where the link has one.
    pub mac: Option<[u8; 6]>,
    /// Frames it sent.
    pub frames_sent: u64,
    /// Octets of these on the wire.
    pub octets_sent: u64,
    /// Frames it was sent.
    pub frames_received: u64,
    /// Octets of these on the wire.
    pub octets_received: u64,
}

/// What carries MQTT.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carriers {
    /// TCP alone.
    pub tcp: bool,
    /// A WebSocket.
    pub websocket: bool,
    /// TLS: encrypted, so that no control packet is seen.
    pub tls: bool,
}

/// Somebody MQTT clients connect to.
#[derive(Clone, Debug)]
pub struct Broker {
    /// What carries MQTT to it.
    pub carriers: Carriers,
    /// Versions spoken with it; not known inside TLS.
    pub versions: Versions,
    /// Addresses of its clients.
    pub clients: Top<Address, ()>,
    /// Control packets to and from it.
    pub packets: u64,
    /// Octets of these.
    pub octets: u64,
}

impl Default for Broker {
    fn default() -> Self {
        Self {
            carriers: Carriers::default(),
            versions: Versions::default(),
            clients: Top::new(CLIENTS_OF_BROKER),
            packets: 0,
            octets: 0,
        }
    }
}

/// Who a client is known as.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ClientName {
    /// By its client identifier, cut as the engine cuts it.
    Id(Box<[u8]>),
    /// By its address, since its identifier is empty or was not seen.
    Address(Address),
}

/// An MQTT client.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Where it connected from, the first few.
    pub addresses: Vec<IpAddr>,
    /// Whether it connected from more than these.
    pub more_addresses: bool,
    /// The version it spoke last.
    pub version: Version,
    /// Whether its last CONNECT had a user name.
    pub user_name: Option<Box<[u8]>>,
    /// Whether its last CONNECT had a password.
    pub password: bool,
    /// Keep alive of its last CONNECT in seconds.
    pub keep_alive: Option<u16>,
    /// Whether its last CONNECT left a will.
    pub will: bool,
    /// CONNECT packets.
    pub connects: u64,
    /// CONNACK packets that refused it.
    pub refused: u64,
    /// PUBLISH packets it sent.
    pub published: u64,
    /// PUBLISH packets it was sent.
    pub delivered: u64,
    /// Control packets to and from it.
    pub packets: u64,
    /// Octets of these.
    pub octets: u64,
}

/// A topic.
#[derive(Clone, Debug, Default)]
pub struct Topic {
    /// PUBLISH packets with it.
    pub messages: u64,
    /// Of these, from clients to a broker.
    pub published: u64,
    /// Octets of all control packets with it.
    pub octets: u64,
    /// Of all messages, those with RETAIN set.
    pub retained: u64,
    /// Messages by QoS; QoS 3 is forbidden.
    pub qos: [u64; 4],
}

/// An event of one name.
#[derive(Clone, Debug)]
pub struct EventFigures {
    /// The first of them.
    pub first: Event,
    /// How many.
    pub count: u64,
    /// Of these, how many the other end answered by closing the connection.
    pub closed: u64,
    /// By whose packets.
    pub who: Top<Address, u64>,
}

/// Everything that is collected.
#[derive(Debug)]
pub struct Summary {
    /// Times of the earliest and the latest frame.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Frames by link type.
    pub links: Top<u32, (Option<LinkType>, u64)>,
    /// Addresses by frames.
    pub hosts: Top<Address, Host>,
    /// Brokers by control packets.
    pub brokers: Top<Socket, Broker>,
    /// Versions.
    pub versions: Versions,
    /// Clients by control packets.
    pub clients: Top<ClientName, Client>,
    /// Topics by messages.
    pub topics: Top<Box<[u8]>, Topic>,
    /// Events by name.
    pub events: Top<&'static str, Option<EventFigures>>,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            span: None,
            links: Top::new(64),
            hosts: Top::new(HOSTS),
            brokers: Top::new(BROKERS),
            versions: Versions::default(),
            clients: Top::new(CLIENTS),
            topics: Top::new(TOPICS),
            events: Top::new(EVENTS),
        }
    }
}

impl Sink for Summary {
    const WANTS_FRAMES: bool = true;
    const WANTS_PACKETS: bool = true;

    fn frame(&mut self, frame: &Frame<'_>, decoded: Result<&Packet<'_>, SkipReason>) {
        let (first, last) = self.span.unwrap_or((frame.ts, frame.ts));
        self.span = Some((first.min(frame.ts), last.max(frame.ts)));
        let link = u32::from(frame.link.number());
        let figures = self.links.at(&link, 1, || link);
        *figures = (Some(frame.link), figures.1 + 1);
        let Ok(packet) = decoded else {
            return;
        };
        let octets = u64::from(frame.wire_len);
        let sender = self.hosts.at(&packet.src, 1, || packet.src);
        sender.mac = packet.src_mac.filter(|mac| *mac != [0; 6]).or(sender.mac);
        sender.frames_sent += 1;
        sender.octets_sent += octets;
        let receiver = self.hosts.at(&packet.dst, 1, || packet.dst);
        receiver.frames_received += 1;
        receiver.octets_received += octets;
    }

    fn control_packet(&mut self, seen: &Observed<'_, '_>) {
        let octets = octets(seen);
        let by_version = self.versions.of(seen.version);
        by_version.packets += 1;
        let connect = match seen.packet.body {
            Body::Connect(connect) if seen.direction == Direction::ToServer => Some(connect),
            _ => None,
        };
        by_version.connects += u64::from(connect.is_some());

        let broker = self.brokers.at(&seen.server, 1, || seen.server);
        broker.carriers.websocket |= seen.in_websocket;
        broker.carriers.tcp |= !seen.in_websocket;
        broker.packets += 1;
        broker.octets += octets;
        let spoken = broker.versions.of(seen.version);
        spoken.packets += 1;
        if connect.is_some() {
            spoken.connects += 1;
            broker.clients.at(&seen.client.addr, 1, || seen.client.addr);
        }

        let client = self.client(seen);
        client.packets += 1;
        client.octets += octets;
        client.version = seen.version;
        let address = seen.client.addr.ip();
        if !client.addresses.contains(&address) {
            if client.addresses.len() < ADDRESSES {
                client.addresses.push(address);
            } else {
                client.more_addresses = true;
            }
        }
        if let Some(connect) = connect {
            client.connected(&connect);
        }
        match seen.packet.body {
            Body::ConnAck(Some(ack)) => client.refused += u64::from(ack.refuses()),
            Body::Publish(publish) => {
                let up = seen.direction == Direction::ToServer;
                client.published += u64::from(up);
                client.delivered += u64::from(!up);
                self.publish(&publish, seen.topic, up, octets);
            }
            _ => {}
        }
    }

    fn tls_hello(&mut self, seen: &ObservedHello<'_>) {
        if !seen.is_mqtt {
            return;
        }
        let broker = self.brokers.at(&seen.server, 1, || seen.server);
        broker.carriers.tls = true;
        broker.clients.at(&seen.client.addr, 1, || seen.client.addr);
    }

    fn event(&mut self, event: &Event) {
        let figures = self.events.at(event.name, 1, || event.name).get_or_insert_with(|| EventFigures {
            first: *event,
            count: 0,
            closed: 0,
            who: Top::new(ADDRESSES),
        });
        figures.count += 1;
        figures.closed += u64::from(event.reaction == Reaction::Closed);
        let who = match event.direction {
            Direction::ToServer => event.client.addr,
            Direction::ToClient => event.server.addr,
        };
        *figures.who.at(&who, 1, || who) += 1;
    }
}

impl Summary {
    fn client(&mut self, seen: &Observed<'_, '_>) -> &mut Client {
        let name = match seen.client_id {
            Some(id) if !id.is_empty() => ClientName::Id(id.into()),
            _ => ClientName::Address(seen.client.addr),
        };
        self.clients.at(&name, 1, || name.clone())
    }

    fn publish(&mut self, publish: &Publish<'_>, topic: &[u8], up: bool, octets: u64) {
        let topic = topic.get(..TOPIC_OCTETS).unwrap_or(topic);
        let figures = self.topics.at(topic, 1, || topic.into());
        figures.messages += 1;
        figures.published += u64::from(up);
        figures.octets += octets;
        figures.retained += u64::from(publish.retain);
        figures.qos[usize::from(publish.qos & 3)] += 1;
    }
}

impl Client {
    fn connected(&mut self, connect: &Connect<'_>) {
        self.connects += 1;
        self.user_name = connect.user_name.map(Into::into);
        self.password = connect.password.is_some();
        self.keep_alive = Some(connect.keep_alive);
        self.will = connect.will.is_some();
    }
}
