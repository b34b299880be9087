//! Takes the engine's memory from the heap, once, at start.

use crate::engine::{ClientSlot, ConnectionSlot, ExchangeSlot, HostSlot, IncidentSlot, Memory};
use crate::flow::fragment::{Chunk, FragmentSlot};
use crate::flow::ring::Buffer;
use crate::limits::{
    ALIAS_SETS, ALIAS_WAYS, CLIENT_SETS, CLIENT_WAYS, CONNECTION_SETS, CONNECTION_WAYS, DATAGRAM_BYTES,
    EXCHANGE_SETS, EXCHANGE_WAYS, FRAGMENT_CHUNKS, FRAGMENT_SLOTS, HEAD_BYTES, HEAD_SLOTS, HELD_BYTES,
    HELLO_SLOTS, HOST_SETS, HOST_WAYS, INCIDENTS, RECENT_BYTES,
};
use crate::mqtt::alias::AliasSlot;
use crate::tls::HelloSlot;

/// Owns what an engine borrows.
#[derive(Debug)]
pub struct OwnedMemory {
    connections: Box<[ConnectionSlot]>,
    connection_tags: Box<[u32]>,
    connection_due: Box<[u32]>,
    exchanges: Box<[ExchangeSlot]>,
    exchange_tags: Box<[u32]>,
    hosts: Box<[HostSlot]>,
    host_tags: Box<[u32]>,
    host_due: Box<[u32]>,
    clients: Box<[ClientSlot]>,
    client_tags: Box<[u32]>,
    aliases: Box<[AliasSlot]>,
    alias_tags: Box<[u32]>,
    incidents: Box<[IncidentSlot]>,
    heads: Box<[Buffer<HEAD_BYTES>]>,
    hellos: Box<[HelloSlot]>,
    held: Box<[u8]>,
    recent: Box<[u8]>,
    fragments: Box<[FragmentSlot]>,
    fragment_chunks: Box<[Chunk]>,
    datagram: Box<[u8]>,
}

impl OwnedMemory {
    /// With the capacities of [`limits`](crate::limits). Every page is written to, so that the memory is really
    /// taken now and not under attack.
    #[must_use]
    pub fn new() -> Self {
        let connections = CONNECTION_SETS * CONNECTION_WAYS;
        let exchanges = EXCHANGE_SETS * EXCHANGE_WAYS;
        let hosts = HOST_SETS * HOST_WAYS;
        let clients = CLIENT_SETS * CLIENT_WAYS;
        Self {
            connections: taken(ConnectionSlot::EMPTY, connections),
            connection_tags: taken(u32::MAX, connections),
            connection_due: taken(u32::MAX, connections),
            exchanges: taken(ExchangeSlot::EMPTY, exchanges),
            exchange_tags: taken(u32::MAX, exchanges),
            hosts: taken(HostSlot::EMPTY, hosts),
            host_tags: taken(u32::MAX, hosts),
            host_due: taken(u32::MAX, hosts),
            clients: taken(ClientSlot::EMPTY, clients),
            client_tags: taken(u32::MAX, clients),
            aliases: taken(AliasSlot::EMPTY, ALIAS_SETS * ALIAS_WAYS),
            alias_tags: taken(u32::MAX, ALIAS_SETS * ALIAS_WAYS),
            incidents: taken(None, INCIDENTS),
            heads: taken(Buffer::EMPTY, HEAD_SLOTS),
            hellos: taken(HelloSlot::default(), HELLO_SLOTS),
            // Not zero, which the system would hand out without taking the memory.
            held: taken(u8::MAX, HELD_BYTES),
            recent: taken(u8::MAX, RECENT_BYTES),
            fragments: taken(FragmentSlot::EMPTY, FRAGMENT_SLOTS),
            fragment_chunks: taken(Chunk::EMPTY, FRAGMENT_CHUNKS),
            datagram: taken(u8::MAX, DATAGRAM_BYTES),
        }
    }

    /// Lends it to an engine.
    pub fn lend(&mut self) -> Memory<'_> {
        Memory {
            connections: &mut self.connections,
            connection_tags: &mut self.connection_tags,
            connection_due: &mut self.connection_due,
            exchanges: &mut self.exchanges,
            exchange_tags: &mut self.exchange_tags,
            hosts: &mut self.hosts,
            host_tags: &mut self.host_tags,
            host_due: &mut self.host_due,
            clients: &mut self.clients,
            client_tags: &mut self.client_tags,
            aliases: &mut self.aliases,
            alias_tags: &mut self.alias_tags,
            incidents: &mut self.incidents,
            heads: &mut self.heads,
            hellos: &mut self.hellos,
            held: &mut self.held,
            recent: &mut self.recent,
            fragments: &mut self.fragments,
            fragment_chunks: &mut self.fragment_chunks,
            datagram: &mut self.datagram,
        }
    }

    /// What it takes, in octets.
    #[must_use]
    pub fn octets(&self) -> usize {
        size_of_val(&*self.connections)
            + size_of_val(&*self.connection_tags)
            + size_of_val(&*self.connection_due)
            + size_of_val(&*self.exchanges)
            + size_of_val(&*self.exchange_tags)
            + size_of_val(&*self.hosts)
            + size_of_val(&*self.host_tags)
            + size_of_val(&*self.host_due)
            + size_of_val(&*self.clients)
            + size_of_val(&*self.client_tags)
            + size_of_val(&*self.aliases)
            + size_of_val(&*self.alias_tags)
            + size_of_val(&*self.incidents)
            + size_of_val(&*self.heads)
            + size_of_val(&*self.hellos)
            + size_of_val(&*self.held)
            + size_of_val(&*self.recent)
            + size_of_val(&*self.fragments)
            + size_of_val(&*self.fragment_chunks)
            + size_of_val(&*self.datagram)
    }
}

impl Default for OwnedMemory {
    fn default() -> Self {
        Self::new()
    }
}

fn taken<T: Clone>(value: T, count: usize) -> Box<[T]> {
    vec![value; count].into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_within_its_promise() {
        let octets = OwnedMemory::new().octets();
        assert!((2_000_000..9_900_000).contains(&octets), "{octets}");
    }
}
