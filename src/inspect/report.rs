//! The document of `picket inspect`: what `--output json` writes (`docs/schema/inspect.schema.json`) and the text is made of.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use crate::publish::rfc3339::Rfc3339;

/// What is in one or more captures.
#[derive(Serialize, Debug)]
pub struct Report {
    /// Name and version of this document.
    pub schema: &'static str,
    /// The files read.
    pub files: Vec<String>,
    /// Frames read.
    pub packets: u64,
    /// Octets of these on the wire.
    pub octets: u64,
    /// From when to when; none without a frame.
    pub span: Option<Span>,
    /// Frames by link type.
    pub link_types: BTreeMap<String, u64>,
    /// Frames passed over, by reason.
    pub frames_skipped: BTreeMap<&'static str, u64>,
    /// TCP segments.
    pub tcp_segments: u64,
    /// UDP datagrams.
    pub udp_datagrams: u64,
    /// Addresses.
    pub hosts: List<Host>,
    /// MQTT connections by what carries them.
    pub carriers: Carriers,
    /// Brokers.
    pub brokers: List<Broker>,
    /// MQTT by version.
    pub versions: BTreeMap<&'static str, Version>,
    /// Clients.
    pub clients: List<Client>,
    /// Topics.
    pub topics: List<Topic>,
    /// Control packets by type.
    pub control_packets: BTreeMap<&'static str, u64>,
    /// Control packets of type 0, which is forbidden.
    pub reserved_packets: u64,
    /// Control packets with at least one violation.
    pub violations: u64,
    /// Events by name.
    pub events: List<Event>,
    /// What the capture or the tables missed.
    pub losses: Losses,
}

/// MQTT connections by what carries them.
#[derive(Serialize, Debug)]
pub struct Carriers {
    /// TCP alone.
    pub tcp: u64,
    /// A WebSocket.
    pub websocket: u64,
    /// TLS, by the port or by what the client asks for.
    pub tls: u64,
    /// The share of those in TLS, 0 to 1; none without a connection.
    pub encrypted_share: Option<f64>,
    /// Connections with TLS that does not say that MQTT is inside.
    pub other_tls: u64,
    /// MQTT-SN messages in UDP.
    pub mqttsn_messages: u64,
    /// CoAP messages in UDP.
    pub coap_messages: u64,
}

/// From when to when.
#[derive(Serialize, Debug)]
pub struct Span {
    /// Time of the earliest frame.
    pub start: Rfc3339,
    /// Time of the latest frame.
    pub end: Rfc3339,
    /// Seconds between them.
    pub seconds: f64,
}

/// The greatest entries of a table.
#[derive(Serialize, Debug)]
pub struct List<T> {
    /// How many entries there are.
    pub count: u64,
    /// Whether that is all; if not, there are more than `count`.
    pub complete: bool,
    /// The greatest, as many as were asked for.
    pub top: Vec<T>,
}

/// An address.
#[derive(Serialize, Debug)]
pub struct Host {
    /// The address.
    pub address: IpAddr,
    /// Its link address, where the link has one and it sent something.
    pub mac: Option<String>,
    /// Frames it sent.
    pub packets_sent: u64,
    /// Octets of these.
    pub octets_sent: u64,
    /// Frames it was sent.
    pub packets_received: u64,
    /// Octets of these.
    pub octets_received: u64,
    /// The figures are lower bounds.
    pub at_least: bool,
}

/// MQTT of one version.
#[derive(Serialize, Debug)]
pub struct Version {
    /// CONNECT packets.
    pub connects: u64,
    /// Control packets.
    pub packets: u64,
}

/// A broker.
#[derive(Serialize, Debug)]
pub struct Broker {
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// What carries MQTT to it.
    pub carriers: Vec<&'static str>,
    /// Versions spoken with it.
    pub versions: Vec<&'static str>,
    /// How many addresses sent it a CONNECT or, with TLS, a ClientHello.
    pub clients: u64,
    /// Control packets to and from it.
    pub packets: u64,
    /// Octets of these.
    pub octets: u64,
    /// The figures are lower bounds.
    pub at_least: bool,
}

/// A client.
#[derive(Serialize, Debug)]
pub struct Client {
    /// Its client identifier, escaped and cut to 64 octets; none where it is empty or was not seen.
    pub client_id: Option<String>,
    /// Where it connected from, the first eight.
    pub addresses: Vec<IpAddr>,
    /// Whether it connected from more.
    pub more_addresses: bool,
    /// The version it spoke last.
    pub version: &'static str,
    /// Whether its last CONNECT had a user name.
    pub user: bool,
    /// The user name, escaped; only if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// Whether its last CONNECT had a password.
    pub password: bool,
    /// Keep alive in seconds; none where no CONNECT was seen.
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
    /// The figures are lower bounds.
    pub at_least: bool,
}

/// A topic.
#[derive(Serialize, Debug)]
pub struct Topic {
    /// The topic, escaped and cut to 256 octets.
    pub topic: String,
    /// PUBLISH packets with it.
    pub messages: u64,
    /// Of these, from clients to a broker.
    pub published: u64,
    /// Of these, from a broker to clients.
    pub delivered: u64,
    /// Messages a second over the span of the capture; none where that is no time.
    pub rate: Option<f64>,
    /// Octets of these control packets.
    pub octets: u64,
    /// Messages with RETAIN set.
    pub retained: u64,
    /// Messages by QoS 0, 1, 2 and the forbidden 3.
    pub qos: [u64; 4],
    /// The figures are lower bounds.
    pub at_least: bool,
}

/// Events of one name.
#[derive(Serialize, Debug)]
pub struct Event {
    /// The name, as in `docs/violations.md`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub what: &'static str,
    /// How much one matters by itself.
    pub severity: &'static str,
    /// How many.
    pub count: u64,
    /// How many made the other end close the connection.
    pub closed: u64,
    /// When the first one was.
    pub first: Rfc3339,
    /// Whose packets did it, the most frequent first.
    pub who: Vec<IpAddr>,
    /// Whether others did it too.
    pub more: bool,
}

/// What the capture or the tables missed.
#[derive(Serialize, Debug)]
pub struct Losses {
    /// Gaps in TCP streams.
    pub gaps: u64,
    /// Octets missing in them.
    pub gap_octets: u64,
    /// Frames that were seen twice, as on a bridge and its port.
    pub duplicates: u64,
    /// TCP segments and IP fragments that repeated octets with another content.
    pub conflicts: u64,
    /// Datagrams of which fragments were missing or found no room.
    pub incomplete_datagrams: u64,
    /// Octets of MQTT in which no packet boundary was known.
    pub unframed_octets: u64,
    /// Lengths of more than four octets.
    pub bad_lengths: u64,
    /// Segments that repeated octets.
    pub retransmitted: u64,
    /// Segments that belong to no connection known.
    pub stray: u64,
    /// Connections that had to leave the table for others.
    pub connections_evicted: u64,
    /// Frames that the capturing program says it lost.
    pub capture_dropped: u64,
    /// Frames in the files that were not read: too long, or of interfaces that are not described.
    pub frames_unread: u64,
    /// Places in the files that hold no packet.
    pub damaged_places: u64,
    /// Octets passed over at them.
    pub damaged_octets: u64,
}
