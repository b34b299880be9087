//! The report made of what was collected and of the engine's counters.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::line::address;
use super::packet::version_name;
use super::report::{Broker, Carriers, Client, Event, Host, List, Losses, Report, Span, Topic, Version};
use super::summary::{self, ClientName, Summary, Versions};
use super::top::{Slot, Top};
use crate::capture::FileCounters;
use crate::decode::SkipReason;
use crate::engine::Stats;
use crate::escape::escape;
use crate::frame::LinkType;
use crate::mqtt::packet::PacketType;
use crate::publish::rfc3339::Rfc3339;

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
