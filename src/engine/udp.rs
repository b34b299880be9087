//! What each UDP datagram means: MQTT-SN and CoAP are known by their ports and their shape, and become flow records.

use core::time::Duration;

use super::{Engine, Sink};
use crate::coap::{self, Code, Type};
use crate::decode::{Packet, UdpDatagram};
use crate::detect::scorer::Scorer;
use crate::features::exchange::vector;
use crate::flow::exchange::{Exchange, Messages, Spoken};
use crate::flow::key::{Direction, FlowKey, Socket};
use crate::flow::record::EndReason;
use crate::host::window::Counter;
use crate::limits::EXCHANGE_SWEEP;
use crate::mqttsn::{self, Kind};
use crate::time::Timestamp;

/// Counters of what came over UDP.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DatagramStats {
    /// MQTT-SN messages.
    pub mqttsn: u64,
    /// CoAP messages.
    pub coap: u64,
    /// Messages of either that break their format.
    pub malformed: u64,
    /// Exchanges followed.
    pub exchanges: u64,
    /// Exchanges that had to leave for others.
    pub exchanges_evicted: u64,
}

impl DatagramStats {
    /// Each counter by the name used in statistics.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u64); 5] {
        [
            ("mqttsn", self.mqttsn),
            ("coap", self.coap),
            ("malformed", self.malformed),
            ("exchanges", self.exchanges),
            ("exchanges_evicted", self.exchanges_evicted),
        ]
    }
}

/// A message, as far as it is counted.
struct Reading {
    spoken: Spoken,
    messages: Messages,
}

/// Reads a datagram between these ports, if it is a message of either protocol.
fn read(datagram: &UdpDatagram<'_>) -> Option<Reading> {
    let UdpDatagram { payload, wire_payload_len, .. } = *datagram;
    let is_at = |port: u16| datagram.src_port == port || datagram.dst_port == port;
    if is_at(coap::PORT) {
        return coap::read(payload, wire_payload_len).map(|message| of_coap(&message));
    }
    if mqttsn::PORTS.iter().any(|port| is_at(*port)) {
        return mqttsn::read(payload, wire_payload_len).map(|message| of_mqttsn(&message));
    }
    None
}

fn of_coap(message: &coap::Message) -> Reading {
    let messages = Messages {
        refusals: u32::from(message.code == Code::Failure),
        requests: u32::from(message.code == Code::Request),
        pings: u32::from(message.code == Code::Empty && message.message_type == Type::Confirmable),
        confirmable: u32::from(message.message_type == Type::Confirmable),
        resets: u32::from(message.message_type == Type::Reset),
        malformed: u32::from(message.malformed),
        ..Messages::default()
    };
    Reading { spoken: Spoken::Coap, messages }
}

fn of_mqttsn(message: &mqttsn::Message) -> Reading {
    let messages = Messages {
        connects: u32::from(message.kind == Kind::Connect),
        refusals: u32::from(message.code.is_some_and(|code| code != 0)),
        requests: u32::from(message.kind == Kind::Publish),
        subscribes: u32::from(message.kind == Kind::Subscribe),
        pings: u32::from(message.kind == Kind::Ping),
        malformed: u32::from(message.bad_length),
        ..Messages::default()
    };
    Reading { spoken: Spoken::MqttSn, messages }
}

impl Messages {
    /// Counts what one message adds.
    fn add(&mut self, more: &Self) {
        self.connects += more.connects;
        self.refusals += more.refusals;
        self.requests += more.requests;
        self.subscribes += more.subscribes;
        self.pings += more.pings;
        self.confirmable += more.confirmable;
        self.resets += more.resets;
        self.malformed += more.malformed;
    }
}

impl<S: Scorer> Engine<'_, S> {
    /// Takes one datagram in.
    pub(super) fn on_datagram<K: Sink>(
        &mut self,
        packet: &Packet<'_>,
        datagram: &UdpDatagram<'_>,
        now: Timestamp,
        sink: &mut K,
    ) {
        let src = Socket { addr: packet.src, port: datagram.src_port };
        let dst = Socket { addr: packet.dst, port: datagram.dst_port };
        if dst.port <= src.port {
            self.knowledge.on_probe(Counter::UdpSent, src.addr, dst.port, now);
        }
        let key = FlowKey::new(src, dst);
        let (known, reading) = match read(datagram) {
            Some(reading) => (self.exchanges.find(&key, now), reading),
            // On any port once a CONNECT was seen there.
            None => {
                let (payload, wire_len) = (datagram.payload, datagram.wire_payload_len);
                let begins = mqttsn::is_connect(payload, wire_len);
                if !begins && self.exchanges.is_empty() {
                    return;
                }
                let Some(message) = mqttsn::read(payload, wire_len) else {
                    return;
                };
                let known = self.exchanges.find(&key, now);
                if known.is_none() && !begins {
                    return;
                }
                (known, of_mqttsn(&message))
            }
        };
        let stats = &mut self.stats.datagrams;
        match reading.spoken {
            Spoken::MqttSn => stats.mqttsn += 1,
            Spoken::Coap => stats.coap += 1,
        }
        stats.malformed += u64::from(reading.messages.malformed);
        let handle = match known {
            Some(handle) => handle,
            None => {
                stats.exchanges += 1;
                let is_server = |port: u16| port == coap::PORT || mqttsn::PORTS.contains(&port);
                let turned = is_server(src.port) && !is_server(dst.port);
                let (client, server) = if turned { (dst, src) } else { (src, dst) };
                let exchange = Exchange::new(client, server, reading.spoken, now);
                let inserted = self.exchanges.insert(key, exchange, now);
                if let Some((_, evicted)) = inserted.evicted {
                    self.stats.datagrams.exchanges_evicted += 1;
                    give_out(&evicted, EndReason::LackOfResources, now, sink);
                }
                inserted.handle
            }
        };
        if let Some((_, exchange)) = self.exchanges.at(handle) {
            let direction = if src == exchange.client { Direction::ToServer } else { Direction::ToClient };
            exchange.side(direction).measure(now, packet.ip_len, datagram.wire_payload_len);
            exchange.last_seen = now;
            exchange.messages.add(&reading.messages);
        }
    }

    /// Ends the flow records whose time has come. A part of the table is looked at every second.
    pub(super) fn visit_exchanges<K: Sink>(&mut self, second: u64, end: Timestamp, sink: &mut K) {
        if self.exchanges.is_empty() {
            return;
        }
        let idle = Duration::from_secs(u64::from(self.settings.idle_timeout));
        let active = Duration::from_secs(u64::from(self.settings.active_timeout));
        // Which part that is depends on the second alone, so that it makes no difference when it is asked for.
        let turn = usize::try_from(second % EXCHANGE_SWEEP).unwrap_or(0);
        let stride = usize::try_from(EXCHANGE_SWEEP).unwrap_or(1);
        for index in (turn..self.exchanges.capacity()).step_by(stride) {
            let Some(handle) = self.exchanges.handle_at(index) else {
                continue;
            };
            let Some((_, exchange)) = self.exchanges.at(handle) else {
                continue;
            };
            if exchange.is_silent(end, idle) {
                give_out(exchange, EndReason::Idle, end, sink);
                self.exchanges.remove(handle);
            } else if exchange.record_start + active <= end {
                give_out(exchange, EndReason::Active, end, sink);
                exchange.record_start = end;
            }
        }
    }

    /// Ends every exchange.
    pub(super) fn end_exchanges<K: Sink>(&mut self, reason: EndReason, now: Timestamp, sink: &mut K) {
        for index in 0..self.exchanges.capacity() {
            if let Some(handle) = self.exchanges.handle_at(index)
                && let Some((_, exchange)) = self.exchanges.remove(handle)
            {
                give_out(&exchange, reason, now, sink);
            }
        }
    }
}

fn give_out<K: Sink>(exchange: &Exchange, reason: EndReason, now: Timestamp, sink: &mut K) {
    if K::WANTS_VECTORS {
        sink.exchange_vector(now, exchange.client, exchange.server, reason, &vector(exchange, now));
    }
}
