//! A control packet as a bystander of the engine sees it.

use crate::flow::key::{Direction, Socket};
use crate::mqtt::packet::{ControlPacket, RawPacket};
use crate::mqtt::version::Version;
use crate::time::Timestamp;
use crate::tls::hello::Hello;

/// A control packet with its surroundings. Borrowed: what is wanted later must be copied, and secrets must not be.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'s, 'p> {
    /// When its last captured octet came, in the time of the capture.
    pub ts: Timestamp,
    /// Who opened the connection.
    pub client: Socket,
    /// Who was connected to.
    pub server: Socket,
    /// Which way it went.
    pub direction: Direction,
    /// A WebSocket carries it.
    pub in_websocket: bool,
    /// The protocol version of the connection as far as it is known.
    pub version: Version,
    /// The client identifier of the session, cut to [`CLIENT_ID_BYTES`](crate::limits::CLIENT_ID_BYTES); `None` if unknown.
    pub client_id: Option<&'s [u8]>,
    /// The topic of a PUBLISH, also where an alias stands for it; then cut to
    /// [`ALIAS_TOPIC_BYTES`](crate::limits::ALIAS_TOPIC_BYTES). Empty if unknown.
    pub topic: &'s [u8],
    /// The fixed header and the octets behind it.
    pub raw: &'s RawPacket<'p>,
    /// What it says, and what is wrong with it.
    pub packet: &'s ControlPacket<'p>,
}

/// A TLS hello with its surroundings.
#[derive(Clone, Copy, Debug)]
pub struct ObservedHello<'h> {
    /// When its last octet came, in the time of the capture.
    pub ts: Timestamp,
    /// Who opened the connection.
    pub client: Socket,
    /// Who was connected to.
    pub server: Socket,
    /// Whether MQTT is inside, by the port or by what the client asks for.
    pub is_mqtt: bool,
    /// What it says; [`Ja4::new`](crate::tls::ja4::Ja4::new) makes the fingerprint of a client's.
    pub hello: &'h Hello,
}
