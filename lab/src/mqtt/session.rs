//! Connections with a chosen source address, and an MQTT session on top that answers what must be answered.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

use super::incoming::{Inbox, Incoming};
use super::packet::{self, Connect, Publish, Version};
use crate::stop::Stop;
use crate::target::Target;

/// Longest wait for a TCP connection or a CONNACK.
const PATIENCE: Duration = Duration::from_secs(5);

/// Messages of quality of service 1 and 2 that a client has under way at the most, as paho and mosquitto's own clients do. A
/// broker of version 5 may ask for fewer (4.9).
pub const IN_FLIGHT: u16 = 20;

/// Longest single read, so that a stop is noticed.
const READ_SLICE: Duration = Duration::from_millis(200);

/// How to reach a broker: where, and from which address.
#[derive(Clone, Copy, Debug)]
pub struct Dial {
    /// The checked broker address.
    pub target: Target,
    /// Source address to bind; the system's choice if absent.
    pub from: Option<IpAddr>,
    /// Whether small segments are sent at once (`TCP_NODELAY`).
    pub nodelay: bool,
}

impl Dial {
    /// Opens a TCP connection.
    ///
    /// # Errors
    /// The system's reason: refused, timed out, no such source address.
    pub fn open(&self) -> io::Result<TcpStream> {
        let address = self.target.address();
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if let Some(from) = self.from {
            // An explicit bind would otherwise meet its own TIME_WAIT ports after 28,000 connections.
            socket.set_reuse_address(true)?;
            socket.bind(&SocketAddr::new(from, 0).into())?;
        }
        if self.nodelay {
            socket.set_tcp_nodelay(true)?;
        }
        socket.connect_timeout(&address.into(), PATIENCE)?;
        // A broker that no longer reads must not hold up the end.
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(socket.into())
    }
}

/// Closes with a reset instead of a FIN, as a crashed or careless client does.
///
/// # Errors
/// If the socket option cannot be set.
pub fn reset(stream: TcpStream) -> io::Result<()> {
    Socket::from(stream).set_linger(Some(Duration::ZERO))
}

/// Why a session did not start.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// No connection, or it broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The broker said no, with this return or reason code.
    #[error("refused by the broker with code {0:#04x}")]
    Refused(u8),
}

/// An MQTT session.
#[derive(Debug)]
pub struct Session {
    stream: TcpStream,
    version: Version,
    inbox: Inbox,
    next_id: u16,
    keep_alive: Duration,
    last_sent: Instant,
    /// Time that each answer of a handshake takes.
    answer_time: Duration,
    /// Messages with a handshake that is not over.
    in_flight: u16,
    /// How many of them the broker takes.
    window: u16,
}

impl Session {
    /// Connects and waits for the CONNACK.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn connect(dial: &Dial, connect: &Connect<'_>) -> Result<Self, ConnectError> {
        Self::connect_with(dial, connect.version, connect.keep_alive, &connect.encode())
    }

    /// Connects with an encoded CONNECT and waits for the CONNACK.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn connect_with(
        dial: &Dial,
        version: Version,
        keep_alive: u16,
        connect: &[u8],
    ) -> Result<Self, ConnectError> {
        Self::connect_cut(dial, version, keep_alive, connect, 0)
    }

    /// The same, with the first `cut` bytes of CONNECT in a segment of their own (0: all in one).
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn connect_cut(
        dial: &Dial,
        version: Version,
        keep_alive: u16,
        connect: &[u8],
        cut: usize,
    ) -> Result<Self, ConnectError> {
        let stream = dial.open()?;
        let mut session = Self {
            stream,
            version,
            inbox: Inbox::default(),
            next_id: 0,
            keep_alive: Duration::from_secs(u64::from(keep_alive)),
            last_sent: Instant::now(),
            answer_time: Duration::ZERO,
            in_flight: 0,
            window: IN_FLIGHT,
        };
        session.send_cut(connect, cut)?;
        match session.receive(Instant::now() + PATIENCE)? {
            Some(Incoming::Connack { code: 0, receive_maximum }) => {
                session.window = IN_FLIGHT.min(receive_maximum.unwrap_or(u16::MAX));
                Ok(session)
            }
            Some(Incoming::Connack { code, .. }) => Err(ConnectError::Refused(code)),
            Some(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "first packet is not CONNACK").into()),
            None => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
    }

    /// Takes its time for every answer of a handshake, as a slow device or a bad link does.
    pub const fn answer_after(&mut self, time: Duration) {
        self.answer_time = time;
    }

    /// Sends raw bytes, the first `cut` of them in a segment of their own (0: all in one).
    ///
    /// # Errors
    /// If the connection is broken.
    pub fn send_cut(&mut self, bytes: &[u8], cut: usize) -> io::Result<()> {
        let (head, tail) = bytes.split_at(cut.min(bytes.len()));
        if !head.is_empty() {
            self.send(head)?;
        }
        if tail.is_empty() { Ok(()) } else { self.send(tail) }
    }

    /// Sends raw bytes.
    ///
    /// # Errors
    /// If the connection is broken.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.last_sent = Instant::now();
        self.stream.write_all(bytes)
    }

    /// A packet identifier, never 0 (2.3.1).
    pub fn packet_id(&mut self) -> u16 {
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        self.next_id
    }

    /// Publishes. The handshake of quality of service 1 and 2 goes on in [`Session::pump`].
    ///
    /// # Errors
    /// If the connection is broken.
    pub fn publish(&mut self, topic: &str, payload: &[u8], qos: u8, retain: bool) -> io::Result<()> {
        let id = if qos > 0 { self.packet_id() } else { 0 };
        let mut bytes = Vec::new();
        Publish { topic, payload, qos, retain, id }.encode_into(self.version, &mut bytes);
        self.send(&bytes)
    }

    /// Subscribes.
    ///
    /// # Errors
    /// If the connection is broken.
    pub fn subscribe(&mut self, filters: &[(&str, u8)]) -> io::Result<()> {
        let id = self.packet_id();
        self.send(&packet::subscribe(self.version, id, filters))
    }

    /// Notes that a message with a handshake was sent by [`Session::send`].
    pub const fn expect_answer(&mut self) {
        self.in_flight = self.in_flight.saturating_add(1);
    }

    /// Messages with a handshake that the client may send now. An attack need not ask.
    #[must_use]
    pub const fn room(&self) -> u16 {
        self.window.saturating_sub(self.in_flight)
    }

    /// Whether a handshake of a message that was sent is still going on.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.in_flight == 0
    }

    /// Reads, answers handshakes and keeps the session alive until `until` or a stop, or until a message has come.
    /// Gives the topic of that message.
    ///
    /// # Errors
    /// If the connection is broken or the broker closed it.
    pub fn pump(&mut self, until: Instant, stop: &Stop) -> io::Result<Option<String>> {
        loop {
            let now = Instant::now();
            if now >= until || stop.is_set() {
                return Ok(None);
            }
            let mut wake = until.min(now + READ_SLICE);
            if !self.keep_alive.is_zero() {
                // Nine tenths leave room for the way to the broker, as common clients do.
                let due = self.last_sent + self.keep_alive * 9 / 10;
                if now >= due {
                    self.send(&packet::PINGREQ)?;
                } else {
                    wake = wake.min(due);
                }
            }
            if let Some(packet) = self.receive(wake)? {
                self.answer(&packet)?;
                if let Incoming::Publish { topic, .. } = packet {
                    return Ok(Some(topic));
                }
            }
        }
    }

    /// Sends what a packet asks for.
    fn answer(&mut self, packet: &Incoming) -> io::Result<()> {
        // PUBACK, PUBCOMP, and in version 5 a PUBREC that refuses.
        if matches!(packet, Incoming::Puback(_) | Incoming::Other(0x50 | 0x70)) {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        if !matches!(packet, Incoming::Publish { qos: 0, .. } | Incoming::Other(_)) {
            thread::sleep(self.answer_time);
        }
        match *packet {
            Incoming::Publish { qos: 1, id, .. } => self.send(&packet::acknowledge(packet::PUBACK, id)),
            Incoming::Publish { qos: 2, id, .. } => self.send(&packet::acknowledge(packet::PUBREC, id)),
            Incoming::Pubrec(id) => self.send(&packet::acknowledge(packet::PUBREL, id)),
            Incoming::Pubrel(id) => self.send(&packet::acknowledge(packet::PUBCOMP, id)),
            Incoming::Publish { .. }
            | Incoming::Connack { .. }
            | Incoming::Suback(_)
            | Incoming::Puback(_)
            | Incoming::Other(_) => Ok(()),
        }
    }

    /// Reads and answers what is there already, without any wait: for a client that sends all the time, whose
    /// broker would otherwise stop reading because its acknowledgements are not read.
    ///
    /// # Errors
    /// If the connection is broken or the broker closed it.
    pub fn drain(&mut self) -> io::Result<()> {
        let ended = self.take_in();
        while let Some(packet) = self.inbox.next(self.version)? {
            self.answer(&packet)?;
        }
        ended
    }

    /// Reads what is there already, without any wait, and answers nothing.
    ///
    /// # Errors
    /// If the connection is broken or the broker closed it.
    pub fn swallow(&mut self) -> io::Result<()> {
        let ended = self.take_in();
        self.inbox = Inbox::default();
        ended
    }

    fn take_in(&mut self) -> io::Result<()> {
        let mut buffer = [0; 8192];
        self.stream.set_nonblocking(true)?;
        let ended = loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => break Err(io::ErrorKind::ConnectionReset.into()),
                Ok(length) => self.inbox.push(&buffer[..length]),
                Err(error) if is_timeout(&error) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.stream.set_nonblocking(false)?;
        ended
    }

    /// Says DISCONNECT and closes.
    pub fn leave(mut self) {
        // A connection that is already gone has been left, too.
        let _ = self.send(&packet::DISCONNECT);
    }

    /// Gives up the session and keeps its connection.
    #[must_use]
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// The protocol version.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The next packet, or nothing by `until`. Nothing is answered.
    ///
    /// # Errors
    /// If the connection is broken or the broker closed it.
    pub fn receive(&mut self, until: Instant) -> io::Result<Option<Incoming>> {
        let mut buffer = [0; 8192];
        loop {
            if let Some(packet) = self.inbox.next(self.version)? {
                return Ok(Some(packet));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::ConnectionReset.into()),
                Ok(length) => self.inbox.push(&buffer[..length]),
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether a read ended because of its time-out or a signal: nothing is wrong with the connection.
#[must_use]
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}
