//! Whatever comes in, in whatever order of time: every incident opens once, is closed once, and says what can be
//! true; the same input gives the same alerts again.

use std::collections::BTreeSet;

use picket::alert::{Alert, State};
use picket::detect::scorer::NoModel;
use picket::engine::{
    ClientSlot, ConnectionSlot, Engine, ExchangeSlot, HostSlot, Memory, Observed, ObservedHello, Settings,
    Sink, Stats,
};
use picket::event::Event;
use picket::flow::fragment::{Chunk, FragmentSlot};
use picket::flow::ring::Buffer;
use picket::frame::Frame;
use picket::limits::{ALIAS_WAYS, CLIENT_WAYS, CONNECTION_WAYS, DATAGRAM_BYTES, EXCHANGE_WAYS, HOST_WAYS};
use picket::mqtt::alias::AliasSlot;
use picket::time::Timestamp;
use picket::tls::HelloSlot;
use picket::tls::ja4::Ja4;

#[path = "steps.rs"]
mod steps;

use steps::{Happening, Wire};

/// Checks and counts alerts.
#[derive(Default, PartialEq, Debug)]
struct Watch {
    open: BTreeSet<u128>,
    alerts: Vec<(u128, State, u64)>,
    events: Vec<(Timestamp, &'static str)>,
    packets: u64,
    hellos: Vec<Option<Ja4>>,
}

impl Sink for Watch {
    const WANTS_PACKETS: bool = true;
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

    fn event(&mut self, event: &Event) {
        assert!(!event.name.is_empty() && !event.what.is_empty(), "{event:?}");
        self.events.push((event.ts, event.name));
    }

    fn control_packet(&mut self, seen: &Observed<'_, '_>) {
        assert_eq!(seen.packet.packet_type as u8, seen.raw.first >> 4);
        self.packets += 1;
    }

    fn tls_hello(&mut self, seen: &ObservedHello<'_>) {
        self.hellos.push(Ja4::new(seen.hello));
    }

    fn host_vector(&mut self, _: Timestamp, _: std::net::IpAddr, vector: &picket::features::FeatureVector) {
        assert!(vector.values.iter().all(|value| value.is_finite()));
    }
}

/// `input` is a sequence of steps; see [`steps`].
pub fn holds(input: &[u8]) {
    let (first, stats) = run(input);
    assert!(first.open.is_empty(), "left open: {first:?}");
    assert_eq!(stats.alerts, first.alerts.len() as u64);
    // Every eighth time, since it doubles the work.
    if input.iter().fold(0, |sum: u8, octet| sum.wrapping_add(*octet)).is_multiple_of(8) {
        assert_eq!(run(input), (first, stats));
    }
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
    let mut wire = Wire::new();
    let mut frames = 0;
    while let Some((ts, happening)) = wire.read(&mut input) {
        match happening {
            Happening::Tick => engine.on_tick(ts, &mut watch),
            Happening::Frames(link, all) => {
                for data in &all {
                    let wire_len = u32::try_from(data.len()).unwrap_or(u32::MAX);
                    engine.on_frame(&Frame { ts, nanos: 0, link, wire_len, data }, &mut watch);
                    frames += 1;
                }
            }
        }
    }
    engine.finish(&mut watch);
    let stats = engine.stats();
    assert_eq!(stats.frames, frames);
    (watch, stats)
}
