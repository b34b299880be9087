//! Drives a frame through everything: decode, flow, MQTT, host, features, detection, alerts.
//!
//! Time is that of the frames. Whole seconds are stepped through one by one before a frame of a later second is
//! looked at, so it makes no difference to the alerts when, or whether, the shell ticks: replay equals live.

mod aside;
mod breach;
mod carrier;
mod clock;
mod closing;
mod credentials;
mod exposure;
mod knowledge;
mod memory;
mod mqtt;
mod observed;
mod oddity;
mod resume;
mod scoring;
mod second;
mod session;
mod signal;
mod stats;
mod tcp;
mod tls;
mod topic;
mod udp;
mod websocket;

pub use carrier::CarrierStats;
pub use clock::Clock;
pub use knowledge::Knowledge;
pub use memory::{ClientSlot, ConnectionSlot, ExchangeSlot, HostSlot, IncidentSlot, Memory};
pub use observed::{Observed, ObservedHello};
pub use resume::{OpenAlias, OpenSession};
pub use stats::Stats;
pub use udp::DatagramStats;

use core::net::IpAddr;

use heapless::Vec;

use crate::alert::Alert;
use crate::client::{Client, ClientKey};
use crate::decode::{Failure, Fragment, Packet, SkipReason, Transport, dissect, reassembled};
use crate::detect::incident::{Incidents, Pace};
use crate::detect::rules::Thresholds;
use crate::detect::scorer::Scorer;
use crate::event::Event;
use crate::features::FeatureVector;
use crate::flow::connection::Connection;
use crate::flow::duplicate::Datagrams;
use crate::flow::exchange::Exchange;
use crate::flow::fragment::Fragments;
use crate::flow::key::{Direction, FlowKey, Socket};
use crate::flow::record::EndReason;
use crate::flow::schedule::Schedule;
use crate::flow::stream::Streams;
use crate::flow::table::{HashKey, Table};
use crate::frame::Frame;
use crate::host::owners::Owners;
use crate::host::{Host, HostKey};
use crate::limits::{
    CLIENT_WAYS, CONNECTION_WAYS, EXCHANGE_WAYS, HOST_WAYS, MQTT_PORTS, PUBLISHER_PATIENCE_SECS,
    SUBSCRIBER_PATIENCE_SECS,
};
use crate::mqtt::alias::Aliases;
use crate::mqtt::framer::HeadRing;
use crate::mqtt::violation::{Violation, table};
use crate::time::Timestamp;
use crate::tls::HelloRing;

/// Where the engine's results go. All methods have empty defaults.
pub trait Sink {
    /// Whether every control packet is wanted as it is read.
    const WANTS_PACKETS: bool = false;

    /// Whether every frame is wanted as it is decoded.
    const WANTS_FRAMES: bool = false;

    /// Whether vectors are wanted; they are built only then (a model gets its own).
    const WANTS_VECTORS: bool = false;

    /// Whether a vector is wanted of every control packet of a client.
    const WANTS_PACKET_VECTORS: bool = false;

    /// An alert was made.
    fn alert(&mut self, _alert: &Alert) {}

    /// Something with a name happened on the wire.
    fn event(&mut self, _event: &Event) {}

    /// A frame was decoded, or passed over for a reason.
    fn frame(&mut self, _frame: &Frame<'_>, _decoded: Result<&Packet<'_>, SkipReason>) {}

    /// A control packet was read.
    fn control_packet(&mut self, _seen: &Observed<'_, '_>) {}

    /// A TLS hello was read: of any client, and of the servers of those that speak MQTT.
    fn tls_hello(&mut self, _seen: &ObservedHello<'_>) {}

    /// The vector of a control packet of a client.
    fn packet_vector(&mut self, _ts: Timestamp, _client: Socket, _server: Socket, _vector: &FeatureVector) {}

    /// The vector of a source host over the windows that end at `ts`.
    fn host_vector(&mut self, _ts: Timestamp, _host: IpAddr, _vector: &FeatureVector) {}

    /// The vector of a flow record of MQTT-SN or CoAP, with the reason why it ends.
    fn exchange_vector(
        &mut self,
        _ts: Timestamp,
        _client: Socket,
        _server: Socket,
        _end: EndReason,
        _vector: &FeatureVector,
    ) {
    }

    /// The vector of a connection; with the reason why its flow record ends, unless it goes on.
    fn connection_vector(
        &mut self,
        _ts: Timestamp,
        _client: Socket,
        _server: Socket,
        _end: Option<EndReason>,
        _vector: &FeatureVector,
    ) {
    }
}

/// How the engine behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Key of every hash; random when live, fixed when replaying.
    pub key: HashKey,
    /// TCP ports taken as MQTT also when a connection was joined in the middle.
    pub mqtt_ports: Vec<u16, MQTT_PORTS>,
    /// Idle timeout of a flow record, in seconds.
    pub idle_timeout: u32,
    /// Active timeout of a flow record, in seconds.
    pub active_timeout: u32,
    /// Whether rules are asked at all.
    pub rules: bool,
    /// When rules fire.
    pub thresholds: Thresholds,
    /// Pace of alerts.
    pub pace: Pace,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            key: HashKey(0x7069_636b_6574_2121, 0x6d71_7474_2069_6473),
            mqtt_ports: Vec::from_array([1883]),
            idle_timeout: 60,
            active_timeout: 300,
            rules: true,
            thresholds: Thresholds::DEFAULT,
            pace: Pace { update_every: 10_000_000, close_after: 60_000_000 },
        }
    }
}

/// The engine. `S` are the models, or [`NoModel`](crate::detect::scorer::NoModel).
#[derive(Debug)]
pub struct Engine<'m, S> {
    settings: Settings,
    clock: Clock,
    connections: Table<'m, FlowKey, Connection, CONNECTION_WAYS>,
    connection_due: Schedule<'m>,
    exchanges: Table<'m, FlowKey, Exchange, EXCHANGE_WAYS>,
    heads: HeadRing<'m>,
    streams: Streams<'m>,
    fragments: Fragments<'m>,
    datagrams: Datagrams,
    knowledge: Knowledge<'m>,
    scorer: S,
    scoring: scoring::Scoring,
    stats: Stats,
    /// The second that is going on; 0 before the first frame.
    second: u64,
}

impl<'m, S: Scorer> Engine<'m, S> {
    /// An engine that has seen nothing yet, in the memory given.
    #[must_use]
    pub fn new(settings: Settings, memory: Memory<'m>, scorer: S) -> Self {
        let key = settings.key;
        let Memory { connections, connection_tags, connection_due, .. } = memory;
        let Memory { hosts, host_tags, host_due, clients, client_tags, .. } = memory;
        let Memory { fragments, fragment_chunks, datagram, .. } = memory;
        let Memory { exchanges, exchange_tags, .. } = memory;
        let Memory { incidents, heads, hellos, held, recent, aliases, alias_tags, .. } = memory;
        let hosts: Table<'m, HostKey, Host, HOST_WAYS> = Table::new(hosts, host_tags, key);
        let clients: Table<'m, ClientKey, Client, CLIENT_WAYS> = Table::new(clients, client_tags, key);
        let scoring = scoring::Scoring::new(&scorer);
        let wanted = scoring.wants(scoring::Subject::Packet);
        Self {
            clock: Clock::default(),
            connections: Table::new(connections, connection_tags, key),
            connection_due: Schedule::new(connection_due),
            exchanges: Table::new(exchanges, exchange_tags, key),
            heads: HeadRing::new(heads),
            streams: Streams::new(held, recent),
            datagrams: Datagrams::NONE,
            fragments: Fragments::new(fragments, fragment_chunks, datagram, key),
            knowledge: Knowledge {
                hosts,
                host_due: Schedule::new(host_due),
                clients,
                incidents: Incidents::new(incidents, key, settings.pace),
                hellos: HelloRing::new(hellos),
                unexpected_servers: exposure::UnexpectedServers::default(),
                logins: credentials::Logins::default(),
                own_client_ids: Vec::new(),
                key,
                rules: settings.rules,
                thresholds: settings.thresholds,
                clock_offset: 0,
                counts: knowledge::Counts::default(),
                by_violation: [0; Violation::COUNT],
                aliases: Aliases::new(aliases, alias_tags, key),
                taken_over: None,
                publishers: Owners::new(PUBLISHER_PATIENCE_SECS),
                subscribers: Owners::new(SUBSCRIBER_PATIENCE_SECS),
                bystanders: aside::Bystanders::default(),
                packet_rows: scoring::PacketRows::new(wanted),
            },
            scoring,
            scorer,
            stats: Stats::default(),
            second: 0,
            settings,
        }
    }

    /// Takes one frame in.
    #[inline]
    pub fn on_frame<K: Sink>(&mut self, frame: &Frame<'_>, sink: &mut K) {
        self.stats.frames += 1;
        self.stats.octets += u64::from(frame.wire_len);
        let now = self.clock.normalise(frame.ts);
        self.advance(now, sink);
        match dissect(frame) {
            Ok(packet) => {
                if K::WANTS_FRAMES {
                    sink.frame(frame, Ok(&packet));
                }
                if packet.depth > 0 {
                    self.knowledge.on_aside(frame, now);
                }
                self.on_packet(&packet, now, sink);
            }
            Err(Failure::Fragment(fragment)) => self.on_fragment(frame, &fragment, now, sink),
            Err(Failure::Skipped(reason)) => {
                if matches!(reason, SkipReason::NotIp | SkipReason::OtherTransport | SkipReason::TooDeep) {
                    self.knowledge.on_aside(frame, now);
                }
                self.skip(frame, reason, sink);
            }
        }
        if !self.knowledge.packet_rows.is_empty() {
            self.offer_packets(now, sink);
        }
    }

    /// Takes one packet in.
    #[inline]
    fn on_packet<K: Sink>(&mut self, packet: &Packet<'_>, now: Timestamp, sink: &mut K) {
        match packet.transport {
            Transport::Tcp(segment) => {
                self.stats.tcp += 1;
                self.on_segment(packet, &segment, now, sink);
            }
            Transport::Udp(udp) => {
                self.stats.udp += 1;
                if self.datagrams.note(packet, &udp, self.settings.key, now) {
                    self.stats.duplicates += 1;
                } else {
                    self.on_datagram(packet, &udp, now, sink);
                }
            }
        }
    }

    fn skip<K: Sink>(&mut self, frame: &Frame<'_>, reason: SkipReason, sink: &mut K) {
        self.stats.skipped[reason as usize] += 1;
        if K::WANTS_FRAMES {
            sink.frame(frame, Err(reason));
        }
    }

    /// Takes a fragment in, and the datagram that it completes.
    #[cold]
    fn on_fragment<K: Sink>(
        &mut self,
        frame: &Frame<'_>,
        fragment: &Fragment<'_>,
        now: Timestamp,
        sink: &mut K,
    ) {
        let end = |addr| Socket { addr, port: 0 };
        let ends = (end(fragment.of.src), end(fragment.of.dst));
        let knowledge = &self.knowledge;
        let mut tell = |anomaly| knowledge.tell(anomaly, ends, Direction::ToServer, now, sink);
        let Some(whole) = self.fragments.accept(fragment, now, &mut tell) else {
            return self.skip(frame, SkipReason::Fragment, sink);
        };
        let memory = self.fragments.whole();
        match reassembled(&whole.of, memory.get(..whole.len).unwrap_or_default()) {
            Ok(packet) => {
                if K::WANTS_FRAMES {
                    sink.frame(frame, Ok(&packet));
                }
                self.on_packet(&packet, now, sink);
            }
            Err(failure) => self.skip(frame, failure.reason(), sink),
        }
        self.fragments.give_back(memory);
    }

    /// Lets time pass without a frame. Ticks may lag behind the frames; they must not run ahead of frames still to come.
    pub fn on_tick<K: Sink>(&mut self, now: Timestamp, sink: &mut K) {
        if self.clock.has_started() {
            let now = self.clock.tick(now);
            self.advance(now, sink);
        }
    }

    /// The capture has ended: gives out what is still held back, ends every flow record and closes every incident.
    pub fn finish<K: Sink>(&mut self, sink: &mut K) {
        if !self.clock.has_started() {
            return;
        }
        self.end_second(sink);
        let end = Timestamp::from_secs(self.second + 1);
        self.end_all(EndReason::Forced, end, sink);
        self.score_all(end, sink);
        self.knowledge.close_all_incidents(end, sink);
    }

    /// The daemon ends: closes every incident, so that nobody waits for more of it. Connections are left as they
    /// are, since their ends were not seen.
    pub fn stop<K: Sink>(&mut self, sink: &mut K) {
        self.score_all(self.clock.now(), sink);
        self.knowledge.close_all_incidents(self.clock.now(), sink);
    }

    /// The client id of the product's own next connection to its broker: the one connection that says it is not analysed.
    /// Each id works once.
    pub fn expect_own_client(&mut self, id: &[u8]) {
        let hash = self.settings.key.hash_bytes(id);
        let ids = &mut self.knowledge.own_client_ids;
        if ids.is_full() {
            ids.remove(0);
        }
        // Room was made.
        let _ = ids.push(hash);
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            connections: self.connections.len() as u64,
            hosts: self.knowledge.hosts.len() as u64,
            clients: self.knowledge.clients.len() as u64,
            incidents_open: self.knowledge.incidents.len() as u64,
            incidents_refused: self.knowledge.incidents.refused,
            unscored: self.scorer.unscored(),
            rows_passed_over: self.scoring.passed_over(),
            stream: self.streams.stats,
            fragments: self.fragments.stats,
            ..self.stats.with(&self.knowledge.counts)
        }
    }

    /// How often each violation was found, of those that were.
    pub fn violations(&self) -> impl Iterator<Item = (Violation, u64)> {
        let counts = self.knowledge.by_violation.iter().zip(&table::ROWS);
        counts.filter(|(count, _)| **count > 0).map(|(count, row)| (row.violation, *count))
    }

    /// The models.
    pub const fn scorer(&mut self) -> &mut S {
        &mut self.scorer
    }
}
