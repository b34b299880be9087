//! Our own schemas: the vectors that models see, as the engine gives them.

use std::net::IpAddr;

use super::kept::Kept;
use super::schema::{Column, subject};
use super::writer::Table;
use super::{Cell, Extractor, Rows};
use crate::decode::{Address, Packet, SkipReason, Transport};
use crate::detect::scorer::NoModel;
use crate::engine::{Engine, Memory, Settings, Sink};
use crate::features::FeatureVector;
use crate::features::connection::CONNECTION;
use crate::features::exchange::EXCHANGE;
use crate::features::packet::PACKET;
use crate::features::schema::{HOST, Schema};
use crate::flow::key::{FlowKey, Socket};
use crate::flow::record::EndReason;
use crate::frame::Frame;
use crate::label::{LabelId, Labeller};
use crate::limits::MAX_FEATURES;
use crate::time::Timestamp;

/// Columns before the features, at most.
const SUBJECT: usize = 4;

/// The table of a schema of ours.
#[must_use]
pub fn table(schema: &'static Schema) -> Table {
    let features =
        schema.features.iter().map(|feature| Column::single(feature.name, feature.unit, feature.doc));
    Table {
        schema: schema.name,
        version: schema.version,
        hash: schema.hash(),
        parameters: Vec::new(),
        columns: subject(schema.name).iter().copied().chain(features).collect(),
    }
}

/// Makes the rows of a schema of ours.
pub struct Vectors<'m> {
    engine: Engine<'m, NoModel>,
    schema: &'static Schema,
    /// Labels of flows, other than the default one.
    flows: Kept<FlowKey, LabelId>,
}

impl<'m> Vectors<'m> {
    /// With an engine of these settings. Remembers the labels of so many flows.
    #[must_use]
    pub fn new(schema: &'static Schema, settings: Settings, memory: Memory<'m>, capacity: usize) -> Self {
        let settings = Settings { rules: false, ..settings };
        Self { engine: Engine::new(settings, memory, NoModel), schema, flows: Kept::new(capacity) }
    }
}

impl Extractor for Vectors<'_> {
    fn frame(&mut self, frame: &Frame<'_>, label: LabelId, labeller: Option<&Labeller>, rows: &mut dyn Rows) {
        let mut pass = Pass { schema: self.schema, flows: &mut self.flows, label, labeller, rows };
        self.engine.on_frame(frame, &mut pass);
    }

    fn finish(&mut self, labeller: Option<&Labeller>, rows: &mut dyn Rows) {
        let label = LabelId::DEFAULT;
        let mut pass = Pass { schema: self.schema, flows: &mut self.flows, label, labeller, rows };
        self.engine.finish(&mut pass);
    }
}

/// What the engine gives while it takes one frame in.
struct Pass<'a> {
    schema: &'static Schema,
    flows: &'a mut Kept<FlowKey, LabelId>,
    label: LabelId,
    labeller: Option<&'a Labeller>,
    rows: &'a mut dyn Rows,
}

impl Pass<'_> {
    fn give(&mut self, about: &[Cell<'_>], vector: &FeatureVector, label: Option<LabelId>) {
        let mut cells = [Cell::Empty; SUBJECT + MAX_FEATURES];
        let features = vector.row(self.schema.width()).iter().map(|value| Cell::Single(*value));
        let width = about.len() + features.len();
        cells.iter_mut().zip(about.iter().copied().chain(features)).for_each(|(cell, value)| *cell = value);
        self.rows.row(cells.get(..width).unwrap_or(&cells), label);
    }

    fn between(
        &mut self,
        ts: Timestamp,
        client: Socket,
        server: Socket,
        end: Option<EndReason>,
        vector: &FeatureVector,
    ) {
        let label = self.flows.peek(&FlowKey::new(client, server)).copied().unwrap_or_default();
        let end = end.map_or("", EndReason::name);
        self.give(
            &[Cell::Time(ts), Cell::Socket(client), Cell::Socket(server), end.into()],
            vector,
            Some(label),
        );
    }
}

impl Sink for Pass<'_> {
    const WANTS_FRAMES: bool = true;
    const WANTS_VECTORS: bool = true;
    const WANTS_PACKET_VECTORS: bool = true;

    fn frame(&mut self, frame: &Frame<'_>, decoded: Result<&Packet<'_>, SkipReason>) {
        if self.label == LabelId::DEFAULT {
            return;
        }
        let Ok(packet) = decoded else { return };
        let (src_port, dst_port) = match packet.transport {
            Transport::Tcp(tcp) => (tcp.src_port, tcp.dst_port),
            Transport::Udp(udp) => (udp.src_port, udp.dst_port),
        };
        let end = |addr: Address, port: u16| Socket { addr, port };
        let key = FlowKey::new(end(packet.src, src_port), end(packet.dst, dst_port));
        let label = self.label;
        let known = self.flows.get_or_forget(key, frame.ts, || label);
        *known = known.or(label);
    }

    fn packet_vector(&mut self, ts: Timestamp, client: Socket, server: Socket, vector: &FeatureVector) {
        if self.schema.name == PACKET.name {
            let label = self.flows.peek(&FlowKey::new(client, server)).copied().unwrap_or_default();
            self.give(&[Cell::Time(ts), Cell::Socket(client), Cell::Socket(server)], vector, Some(label));
        }
    }

    fn host_vector(&mut self, ts: Timestamp, host: IpAddr, vector: &FeatureVector) {
        if self.schema.name == HOST.name {
            let label = match self.labeller {
                Some(labeller) => labeller.row(host, ts),
                None => Some(LabelId::DEFAULT),
            };
            let address = match host {
                IpAddr::V4(v4) => Address::v4(v4.octets()),
                IpAddr::V6(v6) => Address::v6(v6.octets()),
            };
            self.give(&[Cell::Time(ts), Cell::Address(address)], vector, label);
        }
    }

    fn connection_vector(
        &mut self,
        ts: Timestamp,
        client: Socket,
        server: Socket,
        end: Option<EndReason>,
        vector: &FeatureVector,
    ) {
        if self.schema.name == CONNECTION.name {
            self.between(ts, client, server, end, vector);
        }
    }

    fn exchange_vector(
        &mut self,
        ts: Timestamp,
        client: Socket,
        server: Socket,
        end: EndReason,
        vector: &FeatureVector,
    ) {
        if self.schema.name == EXCHANGE.name {
            self.between(ts, client, server, Some(end), vector);
        }
    }
}
