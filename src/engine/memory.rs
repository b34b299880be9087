//! All memory the engine will ever use, taken by the caller: boxes on a gateway, statics on bare metal, small arrays in tests.

use crate::client::{Client, ClientKey};
use crate::detect::incident::Incident;
use crate::flow::connection::Connection;
use crate::flow::exchange::Exchange;
use crate::flow::fragment::{Chunk, FragmentSlot};
use crate::flow::key::FlowKey;
use crate::flow::ring::Buffer;
use crate::flow::table::Slot;
use crate::host::{Host, HostKey};
use crate::limits::HEAD_BYTES;
use crate::mqtt::alias::AliasSlot;
use crate::tls::HelloSlot;

/// A place in the connection table.
pub type ConnectionSlot = Slot<FlowKey, Connection>;
/// A place in the table of exchanges.
pub type ExchangeSlot = Slot<FlowKey, Exchange>;
/// A place in the host table.
pub type HostSlot = Slot<HostKey, Host>;
/// A place in the client table.
pub type ClientSlot = Slot<ClientKey, Client>;

/// A place for an open incident.
pub type IncidentSlot = Option<Incident>;

/// The memory of one engine. The capacities are the lengths; see [`limits`](crate::limits) for the usual ones.
#[derive(Debug)]
pub struct Memory<'m> {
    /// Connections.
    pub connections: &'m mut [ConnectionSlot],
    /// Two numbers per connection.
    pub connection_tags: &'m mut [u32],
    /// See `connection_tags`.
    pub connection_due: &'m mut [u32],
    /// Exchanges of datagrams.
    pub exchanges: &'m mut [ExchangeSlot],
    /// One number per exchange.
    pub exchange_tags: &'m mut [u32],
    /// Source hosts.
    pub hosts: &'m mut [HostSlot],
    /// Two numbers per host.
    pub host_tags: &'m mut [u32],
    /// See `host_tags`.
    pub host_due: &'m mut [u32],
    /// Client ids.
    pub clients: &'m mut [ClientSlot],
    /// One number per client id.
    pub client_tags: &'m mut [u32],
    /// Topic aliases.
    pub aliases: &'m mut [AliasSlot],
    /// One number per alias.
    pub alias_tags: &'m mut [u32],
    /// Open incidents; of more than 255 the rest is left unused.
    pub incidents: &'m mut [IncidentSlot],
    /// Control packets waiting for their rest.
    pub heads: &'m mut [Buffer<HEAD_BYTES>],
    /// TLS hellos that are being read.
    pub hellos: &'m mut [HelloSlot],
    /// Segments waiting for their turn.
    pub held: &'m mut [u8],
    /// Segments delivered last.
    pub recent: &'m mut [u8],
    /// Datagrams whose fragments are waited for.
    pub fragments: &'m mut [FragmentSlot],
    /// Where those fragments lie.
    pub fragment_chunks: &'m mut [Chunk],
    /// Where a datagram is put together; of no use if shorter than the longest one.
    pub datagram: &'m mut [u8],
}
