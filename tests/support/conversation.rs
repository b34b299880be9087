//! One TCP connection, seen by somebody in the middle.

use super::capture::{ACK, Capture, FIN, Flags, RST, SYN, SYN_ACK, Socket, segment};
use super::mqtt::{self, Connect, Version};
use super::{tls, websocket};

/// Between a segment and its answer, in microseconds.
pub const ROUND_TRIP: u64 = 500;

/// The port on which a broker speaks MQTT in a WebSocket.
pub const WEBSOCKET_PORT: u16 = 9001;

/// The port on which a broker speaks MQTT in TLS.
pub const TLS_PORT: u16 = 8883;

/// A connection that goes on; every step takes half a round trip. To [`WEBSOCKET_PORT`] it is a WebSocket, to
/// [`TLS_PORT`] it is encrypted.
#[derive(Clone, Debug)]
pub struct Conversation {
    client: Socket,
    server: Socket,
    up: u32,
    down: u32,
    /// When the next segment is sent, in microseconds.
    pub now: u64,
    capture: Capture,
}

impl Conversation {
    /// Nothing said yet; the first segment will be seen at `now`.
    pub fn new(client: Socket, server: Socket, now: u64) -> Self {
        let up = 1_000_000_007_u32.wrapping_mul(u32::from(client.1) + 1);
        Self { client, server, up, down: up ^ 0x5555_5555, now, capture: Capture::default() }
    }

    fn up(&mut self, flags: Flags, payload: &[u8]) {
        let frame = segment(self.client, self.server, self.up, self.down, flags, payload);
        self.capture.push(self.now, frame);
        self.now += ROUND_TRIP / 2;
        self.up = self.up.wrapping_add(payload.len() as u32 + u32::from(flags.syn) + u32::from(flags.fin));
    }

    fn down(&mut self, flags: Flags, payload: &[u8]) {
        let frame = segment(self.server, self.client, self.down, self.up, flags, payload);
        self.capture.push(self.now, frame);
        self.now += ROUND_TRIP / 2;
        self.down =
            self.down.wrapping_add(payload.len() as u32 + u32::from(flags.syn) + u32::from(flags.fin));
    }

    /// The three-way handshake.
    pub fn open(mut self) -> Self {
        self.up(SYN, &[]);
        self.down(SYN_ACK, &[]);
        self.up(ACK, &[]);
        if self.server.1 == WEBSOCKET_PORT {
            self.up(ACK, websocket::REQUEST);
            self.down(ACK, websocket::ANSWER);
        }
        if self.server.1 == TLS_PORT {
            self.up(ACK, &tls::client_hello(&[]));
            self.down(ACK, &tls::server_flight());
            self.up(ACK, &tls::client_finished());
            self.down(ACK, &tls::tickets());
        }
        self
    }

    /// The handshake that fails: SYN, RST.
    pub fn refused(mut self) -> Capture {
        self.up(SYN, &[]);
        self.down(RST, &[]);
        self.capture
    }

    /// The SYN that nobody answers.
    pub fn unanswered(mut self) -> Capture {
        self.up(SYN, &[]);
        self.capture
    }

    /// The client sends.
    pub fn send(&mut self, payload: &[u8]) {
        match self.server.1 {
            WEBSOCKET_PORT => self.up(ACK, &websocket::frame(0x82, Some([0x37, 0xfa, 0x21, 0x3d]), payload)),
            TLS_PORT => self.up(ACK, &tls::sealed(payload)),
            _ => self.up(ACK, payload),
        }
    }

    /// The client sends octets as they are, whatever carries the connection.
    pub fn send_raw(&mut self, octets: &[u8]) {
        self.up(ACK, octets);
    }

    /// The server sends.
    pub fn reply(&mut self, payload: &[u8]) {
        match self.server.1 {
            WEBSOCKET_PORT => self.down(ACK, &websocket::frame(0x82, None, payload)),
            TLS_PORT => self.down(ACK, &tls::sealed(payload)),
            _ => self.down(ACK, payload),
        }
    }

    /// CONNECT and a CONNACK that accepts.
    pub fn connect(mut self, connect: &Connect) -> Self {
        self.send(&connect.encode());
        self.reply(&mqtt::accepted(connect.version));
        self
    }

    /// SUBSCRIBE and SUBACK.
    pub fn subscribe(mut self, version: Version, filter: &str) -> Self {
        self.send(&mqtt::subscribe(version, 1, filter));
        self.reply(&mqtt::suback(version, 1));
        self
    }

    /// Waits until `at`, in microseconds.
    pub fn wait_until(&mut self, at: u64) {
        self.now = self.now.max(at);
    }

    /// The client sends FIN, and the server answers with its own.
    pub fn client_finishes(&mut self) {
        self.up(FIN, &[]);
        self.down(FIN, &[]);
        self.up(ACK, &[]);
    }

    /// The server sends FIN, and the client answers with its own.
    pub fn server_finishes(&mut self) {
        self.down(FIN, &[]);
        self.up(FIN, &[]);
        self.down(ACK, &[]);
    }

    /// The server resets.
    pub fn server_resets(&mut self) {
        self.down(RST, &[]);
    }

    /// The client sends octets that are not captured.
    pub fn send_unseen(&mut self, octets: u32) {
        self.up = self.up.wrapping_add(octets);
    }

    /// The client closes.
    pub fn close(mut self) -> Capture {
        self.client_finishes();
        self.capture
    }

    /// The server closes.
    pub fn closed_by_server(mut self) -> Capture {
        if self.server.1 == TLS_PORT {
            // close_notify.
            self.reply(&[1, 0]);
        }
        self.server_finishes();
        self.capture
    }

    /// It is left open.
    pub fn left_open(self) -> Capture {
        self.capture
    }
}
