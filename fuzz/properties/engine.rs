//! Whatever comes in, in whatever order of time: every incident opens once, is closed once, and says what can be
//! true; the same input gives the same alerts again.

use std::collections::BTreeSet;

use etherparse::PacketBuilder;
use picket::alert::{Alert, State};
use picket::detect::scorer::NoModel;
use picket::engine::{
    ClientSlot, ConnectionSlot, Engine, ExchangeSlot, HostSlot, Memory, Settings, Sink, Stats,
};
use picket::flow::fragment::{Chunk, FragmentSlot};
use picket::flow::ring::Buffer;
use picket::frame::{Frame, LinkType};
use picket::limits::{ALIAS_WAYS, CLIENT_WAYS, CONNECTION_WAYS, DATAGRAM_BYTES, EXCHANGE_WAYS, HOST_WAYS};
use picket::mqtt::alias::AliasSlot;
use picket::time::Timestamp;
use picket::tls::HelloSlot;

/// Checks and counts alerts.
#[derive(Default, PartialEq, Debug)]
struct Watch {
    open: BTreeSet<u128>,
    alerts: Vec<(u128, State, u64)>,
}

impl Sink for Watch {
    const WANTS_VECTORS: bool = true;

    fn alert(&mut self, alert: &Alert) {
        assert!(alert.first_seen <= alert.last_seen && alert.count > 0, "{alert:?}");
        assert!((0.0..=1.0).contains(&alert.confidence), "{alert:?}");
        match alert.state {
            State::Open => assert!(self.open.insert(alert.incident), "opened twice: {alert:?}"),
            State::Update => assert!(self.open.contains(&alert.incident), "not open: {alert:?}"),
            State::Closed => assert!(self.open.remove(&alert.incident), "not open: {alert:?}"),
        }
        self.alerts.push((alert.incident, alert.state, alert.count));
    }

    fn host_vector(&mut self, _: Timestamp, _: std::net::IpAddr, vector: &picket::features::FeatureVector) {
        assert!(vector.values.iter().all(|value| value.is_finite()));
    }
}

/// `input` is a sequence of steps; see [`Step::read`].
pub fn holds(input: &[u8]) {
    let (first, stats) = run(input);
    assert!(first.open.is_empty(), "left open: {first:?}");
    assert_eq!(stats.alerts, first.alerts.len() as u64);
    assert_eq!(run(input), (first, stats));
}

fn run(mut input: &[u8]) -> (Watch, Stats) {
    let mut connections = vec![ConnectionSlot::EMPTY; CONNECTION_WAYS];
    let mut hosts = vec![HostSlot::EMPTY; HOST_WAYS];
    let mut clients = vec![ClientSlot::EMPTY; CLIENT_WAYS];
    let mut aliases = vec![AliasSlot::EMPTY; ALIAS_WAYS];
    let mut numbers = [[0; 8]; 6];
    let [connection_tags, connection_due, host_tags, host_due, client_tags, alias_tags] = &mut numbers;
    let memory = Memory {
        connections: &mut connections,
        connection_tags,
        connection_due,
        exchanges: &mut vec![ExchangeSlot::EMPTY; EXCHANGE_WAYS],
        exchange_tags: &mut [0; EXCHANGE_WAYS],
        hosts: &mut hosts,
        host_tags,
        host_due,
        clients: &mut clients,
        client_tags,
        aliases: &mut aliases,
        alias_tags,
        incidents: &mut vec![None; 3],
        heads: &mut vec![Buffer::EMPTY; 2],
        hellos: &mut vec![HelloSlot::default(); 2],
        held: &mut [0; 512],
        recent: &mut [0; 512],
        fragments: &mut vec![FragmentSlot::EMPTY; 2],
        fragment_chunks: &mut vec![Chunk::EMPTY; 2],
        datagram: &mut vec![0; DATAGRAM_BYTES],
    };
    let mut engine = Engine::new(Settings::default(), memory, NoModel);
    let mut watch = Watch::default();
    let mut micros = 1_700_000_000_000_000_u64;
    let mut frames = 0;
    while let Some(step) = Step::read(&mut input) {
        micros = micros.saturating_add_signed(step.micros);
        let ts = Timestamp::from_micros(micros);
        let (link, data) = match step.what {
            What::Tick => {
                engine.on_tick(ts, &mut watch);
                continue;
            }
            What::Raw(data) => (LinkType::Ethernet, data.to_vec()),
            What::Segment { to_broker, host, port, flags, seq, payload } => {
                (LinkType::RawIp, segment(to_broker, host, port, flags, seq, payload))
            }
        };
        let wire_len = u32::try_from(data.len()).unwrap_or(u32::MAX);
        engine.on_frame(&Frame { ts, link, wire_len, data: &data }, &mut watch);
        frames += 1;
    }
    engine.finish(&mut watch);
    let stats = engine.stats();
    assert_eq!(stats.frames, frames);
    (watch, stats)
}

/// One thing that happens.
struct Step<'a> {
    /// Time since the step before, in microseconds; may go back.
    micros: i64,
    what: What<'a>,
}

enum What<'a> {
    Tick,
    Raw(&'a [u8]),
    Segment { to_broker: bool, host: u8, port: u8, flags: u8, seq: u16, payload: &'a [u8] },
}

impl<'a> Step<'a> {
    /// Kind, time, length, then for a segment host and port, flags, two octets of sequence number; then as many octets as `length`.
    /// Kind: bits 0 and 1 are the unit of time (1 ms, 1 s, 1 h, back by 1 s), bit 2 a tick, bit 3 a raw frame,
    /// bit 4 towards the broker.
    fn read(input: &mut &'a [u8]) -> Option<Self> {
        let (&[kind, time, length], mut rest) = input.split_first_chunk()?;
        let unit = [1_000, 1_000_000, 3_600_000_000, -1_000_000][usize::from(kind & 3)];
        let micros = i64::from(time) * unit;
        let take = |rest: &mut &'a [u8]| {
            let (taken, after) = rest.split_at(usize::from(length).min(rest.len()));
            *rest = after;
            taken
        };
        let what = if kind & 4 != 0 {
            What::Tick
        } else if kind & 8 != 0 {
            What::Raw(take(&mut rest))
        } else {
            let (&[place, flags, high, low], after) = rest.split_first_chunk()?;
            rest = after;
            let seq = u16::from_be_bytes([high, low]);
            let (host, port, to_broker) = (place & 15, place >> 4, kind & 16 != 0);
            What::Segment { to_broker, host, port, flags, seq, payload: take(&mut rest) }
        };
        *input = rest;
        Some(Self { micros, what })
    }
}

/// An IPv4 packet between a host and the broker.
fn segment(to_broker: bool, host: u8, port: u8, flags: u8, seq: u16, payload: &[u8]) -> Vec<u8> {
    let (device, broker) = (([10, 0, 0, host], 40_000 + u16::from(port)), ([10, 0, 1, 1], 1883));
    let (from, to) = if to_broker { (device, broker) } else { (broker, device) };
    let mut builder = PacketBuilder::ipv4(from.0, to.0, 64).tcp(from.1, to.1, u32::from(seq), 1024);
    if flags & 1 != 0 {
        builder = builder.fin();
    }
    if flags & 2 != 0 {
        builder = builder.syn();
    }
    if flags & 4 != 0 {
        builder = builder.rst();
    }
    if flags & 16 != 0 {
        builder = builder.ack(u32::from(flags >> 5));
    }
    let mut out = Vec::new();
    builder.write(&mut out, payload).expect("a vector takes everything");
    out
}
