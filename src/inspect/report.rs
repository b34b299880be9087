//! The document of `picket inspect`: what `--output json` writes (`docs/schema/inspect.schema.json`) and the text is made of.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::line::address;
use super::packet::version_name;
use super::summary::{self, ClientName, Summary, Versions};
use super::top::{Slot, Top};
use crate::capture::FileCounters;
use crate::decode::SkipReason;
use crate::engine::Stats;
use crate::escape::escape;
use crate::frame::LinkType;
use crate::mqtt::packet::PacketType;
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

/// Name and version of the document.
const SCHEMA: &str = "picket.inspect/1";

impl Report {
    /// Of what was collected, with the greatest `top` entries of each table.
    #[must_use]
    pub fn new(
        files: Vec<String>,
        read: &FileCounters,
        summary: &Summary,
        stats: &Stats,
        top: usize,
        user_names: bool,
    ) -> Self {
        let seconds = summary.span.map(|(start, end)| end.micros_since(start) as f64 / 1e6);
        let control = PacketType::ALL.iter().zip(stats.control_packets).skip(1);
        let skipped = SkipReason::ALL.iter().zip(stats.skipped);
        Self {
            schema: SCHEMA,
            files,
            packets: stats.frames,
            octets: stats.octets,
            span: summary.span.zip(seconds).map(|((start, end), seconds)| Span {
                start: Rfc3339(start),
                end: Rfc3339(end),
                seconds,
            }),
            link_types: link_types(summary),
            frames_skipped: skipped.map(|(reason, count)| (reason.name(), count)).collect(),
            tcp_segments: stats.tcp,
            udp_datagrams: stats.udp,
            hosts: list(
                &summary.hosts,
                top,
                |host| host.frames_sent + host.frames_received,
                |address, slot| host(address.ip(), slot),
            ),
            carriers: carriers(stats),
            brokers: list(
                &summary.brokers,
                top,
                |broker| broker.packets,
                |socket, slot| {
                    let socket = address(*socket);
                    broker(socket.ip(), socket.port(), slot)
                },
            ),
            versions: versions(&summary.versions),
            clients: list(
                &summary.clients,
                top,
                |client| client.packets,
                |name, slot| client(name, slot, user_names),
            ),
            topics: list(
                &summary.topics,
                top,
                |topic| topic.messages,
                |name, slot| topic(name, slot, seconds),
            ),
            control_packets: control.map(|(packet_type, count)| (packet_type.name(), count)).collect(),
            reserved_packets: stats.control_packets[PacketType::Reserved as usize],
            violations: stats.violations,
            events: events(summary),
            losses: losses(stats, read),
        }
    }
}

fn list<K: std::hash::Hash + Eq + Ord, V: Default, T>(
    table: &Top<K, V>,
    top: usize,
    figure: impl Fn(&V) -> u64,
    entry: impl Fn(&K, &Slot<V>) -> T,
) -> List<T> {
    List {
        count: table.count() as u64,
        complete: table.is_complete(),
        top: table.greatest(top, figure).into_iter().map(|(key, slot)| entry(key, slot)).collect(),
    }
}

fn carriers(stats: &Stats) -> Carriers {
    let counted = &stats.carriers;
    let all = counted.plain + counted.websocket + counted.tls;
    Carriers {
        tcp: counted.plain,
        websocket: counted.websocket,
        tls: counted.tls,
        encrypted_share: (all > 0).then(|| counted.tls as f64 / all as f64),
        other_tls: counted.tls_other,
        mqttsn_messages: stats.datagrams.mqttsn,
        coap_messages: stats.datagrams.coap,
    }
}

fn link_types(summary: &Summary) -> BTreeMap<String, u64> {
    let all = summary.links.greatest(usize::MAX, |(_, count)| *count);
    all.into_iter()
        .filter_map(|(_, slot)| {
            let (link, count) = slot.value;
            let name = match link? {
                LinkType::Ethernet => "ethernet".into(),
                LinkType::LinuxSll => "linux_sll".into(),
                LinkType::LinuxSll2 => "linux_sll2".into(),
                LinkType::RawIp => "raw_ip".into(),
                LinkType::Null => "null".into(),
                LinkType::Ppp => "ppp".into(),
                LinkType::PppEther => "pppoe".into(),
                LinkType::CiscoHdlc => "cisco_hdlc".into(),
                LinkType::Other(number) => format!("other_{number}"),
            };
            Some((name, count))
        })
        .collect()
}

fn versions(versions: &Versions) -> BTreeMap<&'static str, Version> {
    let seen = versions.seen();
    seen.map(|(version, figures)| {
        (version_name(version), Version { connects: figures.connects, packets: figures.packets })
    })
    .collect()
}

fn host(address: IpAddr, slot: &Slot<summary::Host>) -> Host {
    let host = &slot.value;
    let mac = host.mac.map(|mac| mac.map(|octet| format!("{octet:02x}")).join(":"));
    Host {
        address,
        mac,
        packets_sent: host.frames_sent,
        octets_sent: host.octets_sent,
        packets_received: host.frames_received,
        octets_received: host.octets_received,
        at_least: slot.at_least,
    }
}

fn broker(address: IpAddr, port: u16, slot: &Slot<summary::Broker>) -> Broker {
    let broker = &slot.value;
    Broker {
        address,
        port,
        carriers: [
            (broker.carriers.tcp, "tcp"),
            (broker.carriers.websocket, "websocket"),
            (broker.carriers.tls, "tls"),
        ]
        .into_iter()
        .filter_map(|(there, name)| there.then_some(name))
        .collect(),
        versions: broker.versions.seen().map(|(version, _)| version_name(version)).collect(),
        clients: broker.clients.count() as u64,
        packets: broker.packets,
        octets: broker.octets,
        at_least: slot.at_least || !broker.clients.is_complete(),
    }
}

fn client(name: &ClientName, slot: &Slot<summary::Client>, user_names: bool) -> Client {
    let client = &slot.value;
    Client {
        client_id: match name {
            ClientName::Id(id) => Some(escape(id)),
            ClientName::Address(_) => None,
        },
        addresses: client.addresses.clone(),
        more_addresses: client.more_addresses,
        version: version_name(client.version),
        user: client.user_name.is_some(),
        user_name: client.user_name.as_deref().filter(|_| user_names).map(escape),
        password: client.password,
        keep_alive: client.keep_alive,
        will: client.will,
        connects: client.connects,
        refused: client.refused,
        published: client.published,
        delivered: client.delivered,
        packets: client.packets,
        octets: client.octets,
        at_least: slot.at_least,
    }
}

fn topic(name: &[u8], slot: &Slot<summary::Topic>, seconds: Option<f64>) -> Topic {
    let topic = &slot.value;
    Topic {
        topic: escape(name),
        messages: topic.messages,
        published: topic.published,
        delivered: topic.messages - topic.published,
        rate: seconds.filter(|seconds| *seconds > 0.0).map(|seconds| topic.messages as f64 / seconds),
        octets: topic.octets,
        retained: topic.retained,
        qos: topic.qos,
        at_least: slot.at_least,
    }
}

/// Every event, not only the greatest: there are no more names than the table of violations has.
fn events(summary: &Summary) -> List<Event> {
    let all = summary.events.greatest(usize::MAX, |event| event.as_ref().map_or(0, |event| event.count));
    let top = all.into_iter().filter_map(|(name, slot)| {
        let event = slot.value.as_ref()?;
        let who = event.who.greatest(summary::ADDRESSES, |count| *count);
        Some(Event {
            name,
            what: event.first.what,
            severity: event.first.severity.name(),
            count: event.count,
            closed: event.closed,
            first: Rfc3339(event.first.ts),
            more: who.len() < event.who.count(),
            who: who.into_iter().map(|(address, _)| address.ip()).collect(),
        })
    });
    List { count: summary.events.count() as u64, complete: summary.events.is_complete(), top: top.collect() }
}

fn losses(stats: &Stats, read: &FileCounters) -> Losses {
    Losses {
        gaps: stats.stream.gaps,
        gap_octets: stats.stream.gap_octets,
        duplicates: stats.duplicates,
        conflicts: stats.stream.conflicts + stats.fragments.conflicts,
        incomplete_datagrams: stats.fragments.timed_out + stats.fragments.evicted,
        unframed_octets: stats.unframed_octets,
        bad_lengths: stats.bad_lengths,
        retransmitted: stats.stream.retransmitted,
        stray: stats.stray,
        connections_evicted: stats.connections_evicted,
        capture_dropped: read.losses.dropped,
        frames_unread: read.losses.oversize + read.losses.invalid,
        damaged_places: read.losses.damages,
        damaged_octets: read.losses.damaged_octets,
    }
}
