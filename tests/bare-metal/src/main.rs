//! A program with no std, no allocator and its own panic handler, around Picket's core.
//!
//! It is built and linked, never run. If the core or one of its dependencies needs std, the panic handlers
//! collide; if one needs the heap, there is no allocator.
#![no_std]
#![no_main]

use core::hint::black_box;

use picket::alert::Alert;
use picket::detect::class::Class;
use picket::detect::scorer::NoModel;
use picket::engine::{ClientSlot, ConnectionSlot, Engine, ExchangeSlot, HostSlot, IncidentSlot, Memory, Settings, Sink};
use picket::features::FeatureVector;
use picket::flow::fragment::{Chunk, FragmentSlot};
use picket::flow::ring::Buffer;
use picket::frame::{Frame, LinkType};
use picket::limits::{ALIAS_WAYS, CLIENT_WAYS, CONNECTION_WAYS, DATAGRAM_BYTES, EXCHANGE_WAYS, HEAD_BYTES, HOST_WAYS};
use picket::mqtt::alias::AliasSlot;
use picket::time::Timestamp;

#[cfg(feature = "needs-alloc")]
extern crate alloc;
#[cfg(feature = "needs-std")]
extern crate std;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// The precompiled core library of a hosted target names this in its unwind tables. Nothing unwinds here.
#[cfg(target_os = "linux")]
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// One set of everything: the smallest memory an engine accepts.
struct Arrays {
    connections: [ConnectionSlot; CONNECTION_WAYS],
    connection_tags: [u32; CONNECTION_WAYS],
    connection_due: [u32; CONNECTION_WAYS],
    exchanges: [ExchangeSlot; EXCHANGE_WAYS],
    exchange_tags: [u32; EXCHANGE_WAYS],
    hosts: [HostSlot; HOST_WAYS],
    host_tags: [u32; HOST_WAYS],
    host_due: [u32; HOST_WAYS],
    clients: [ClientSlot; CLIENT_WAYS],
    client_tags: [u32; CLIENT_WAYS],
    aliases: [AliasSlot; ALIAS_WAYS],
    alias_tags: [u32; ALIAS_WAYS],
    incidents: [IncidentSlot; 1],
    heads: [Buffer<HEAD_BYTES>; 1],
    held: [u8; 64],
    recent: [u8; 64],
    fragments: [FragmentSlot; 1],
    fragment_chunks: [Chunk; 1],
    datagram: [u8; DATAGRAM_BYTES],
}

impl Arrays {
    const EMPTY: Self = Self {
        connections: [ConnectionSlot::EMPTY; CONNECTION_WAYS],
        connection_tags: [0; CONNECTION_WAYS],
        connection_due: [0; CONNECTION_WAYS],
        exchanges: [ExchangeSlot::EMPTY; EXCHANGE_WAYS],
        exchange_tags: [0; EXCHANGE_WAYS],
        hosts: [HostSlot::EMPTY; HOST_WAYS],
        host_tags: [0; HOST_WAYS],
        host_due: [0; HOST_WAYS],
        clients: [ClientSlot::EMPTY; CLIENT_WAYS],
        client_tags: [0; CLIENT_WAYS],
        aliases: [AliasSlot::EMPTY; ALIAS_WAYS],
        alias_tags: [0; ALIAS_WAYS],
        incidents: [const { None }; 1],
        heads: [Buffer::EMPTY; 1],
        held: [0; 64],
        recent: [0; 64],
        fragments: [FragmentSlot::EMPTY; 1],
        fragment_chunks: [Chunk::EMPTY; 1],
        datagram: [0; DATAGRAM_BYTES],
    };
}

/// Asks for everything an engine can give, so that all of it is linked.
struct Everything;

impl Sink for Everything {
    const WANTS_VECTORS: bool = true;

    fn alert(&mut self, alert: &Alert) {
        black_box(alert);
    }

    fn host_vector(&mut self, ts: Timestamp, host: core::net::IpAddr, vector: &FeatureVector) {
        black_box((ts, host, vector));
    }
}

/// Where the linker begins.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    let mut arrays = Arrays::EMPTY;
    let memory = Memory {
        connections: &mut arrays.connections,
        connection_tags: &mut arrays.connection_tags,
        connection_due: &mut arrays.connection_due,
        exchanges: &mut arrays.exchanges,
        exchange_tags: &mut arrays.exchange_tags,
        hosts: &mut arrays.hosts,
        host_tags: &mut arrays.host_tags,
        host_due: &mut arrays.host_due,
        clients: &mut arrays.clients,
        client_tags: &mut arrays.client_tags,
        aliases: &mut arrays.aliases,
        alias_tags: &mut arrays.alias_tags,
        incidents: &mut arrays.incidents,
        heads: &mut arrays.heads,
        hellos: &mut [],
        held: &mut arrays.held,
        recent: &mut arrays.recent,
        fragments: &mut arrays.fragments,
        fragment_chunks: &mut arrays.fragment_chunks,
        datagram: &mut arrays.datagram,
    };
    let mut engine = Engine::new(Settings::default(), memory, NoModel);
    let data: &[u8] = black_box(&[0; 60]);
    let frame =
        Frame { ts: Timestamp::from_secs(1), nanos: 0, link: LinkType::from_number(black_box(1)), wire_len: 60, data };
    engine.on_frame(&frame, &mut Everything);
    engine.on_tick(black_box(Timestamp::from_secs(9)), &mut Everything);
    engine.finish(&mut Everything);
    black_box((engine.stats(), Class::from_name(black_box("anomaly"))));
    loop {
        core::hint::spin_loop();
    }
}
