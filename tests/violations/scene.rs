//! A short play between MQTT clients and a broker, written as who sends which octets when.

use crate::support::capture::{Capture, SECOND, datagram, host};
use crate::support::conversation::Conversation;
use crate::support::mqtt::{self, ConnAck, Connect, V5, Version};

/// The broker's port.
const PORT: u16 = 1883;

/// One play. Each step goes on from where the last one ended; connections are numbered from 0 as they are opened.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The version that everybody speaks.
    pub version: Version,
    /// What client identifiers and hosts are made of, so that plays do not meddle with each other.
    number: u16,
    port: u16,
    now: u64,
    talks: Vec<Conversation>,
    current: usize,
    others: Capture,
}

impl Scene {
    /// Nothing has happened yet.
    pub fn new(version: Version, number: u16, start: u64) -> Self {
        Self {
            version,
            number,
            port: PORT,
            now: start,
            talks: Vec::new(),
            current: 0,
            others: Capture::default(),
        }
    }

    /// A client identifier of this play.
    pub fn id(&self) -> String {
        format!("device-{}", self.number)
    }

    /// The connections to come are to this port of the broker.
    pub fn at_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    fn act(mut self, act: impl FnOnce(&mut Conversation)) -> Self {
        let talk = self.talks.get_mut(self.current).expect("a connection was opened");
        talk.wait_until(self.now);
        act(talk);
        self.now = talk.now;
        self
    }

    /// A client that was not there before opens a connection.
    pub fn opens(mut self) -> Self {
        let place = self.talks.len() as u16;
        let client = (host(1000 + 4 * self.number + place), 40_000 + self.number);
        let talk = Conversation::new(client, (host(1), self.port), self.now).open();
        self.now = talk.now;
        self.current = self.talks.len();
        self.talks.push(talk);
        self
    }

    /// The same client opens another connection.
    pub fn opens_again(mut self) -> Self {
        let place = self.talks.len() as u16;
        let client = (host(1000 + 4 * self.number), 50_000 + place * 1000 + self.number);
        let talk = Conversation::new(client, (host(1), self.port), self.now).open();
        self.now = talk.now;
        self.current = self.talks.len();
        self.talks.push(talk);
        self
    }

    /// A connection of which nothing was captured until now.
    pub fn joins(mut self) -> Self {
        let client = (host(1000 + 4 * self.number), 40_000 + self.number);
        self.current = self.talks.len();
        self.talks.push(Conversation::new(client, (host(1), self.port), self.now));
        self
    }

    /// What follows is on this connection.
    pub fn on(mut self, connection: usize) -> Self {
        self.current = connection;
        self
    }

    /// The client sends a segment.
    pub fn up(self, octets: impl Into<Vec<u8>>) -> Self {
        self.act(|talk| talk.send(&octets.into()))
    }

    /// The server sends a segment.
    pub fn down(self, octets: impl Into<Vec<u8>>) -> Self {
        self.act(|talk| talk.reply(&octets.into()))
    }

    /// The client sends what was not captured.
    pub fn up_unseen(self, octets: u32) -> Self {
        self.act(|talk| talk.send_unseen(octets))
    }

    /// Seconds pass; a datagram of somebody else shows it.
    pub fn waits(mut self, seconds: u64) -> Self {
        self.now += seconds * SECOND;
        self.others.push(self.now, datagram((host(250), 123), (host(251), 123), b"time"));
        self
    }

    /// The client ends the connection.
    pub fn client_closes(self) -> Self {
        self.act(Conversation::client_finishes)
    }

    /// The server ends the connection.
    pub fn server_closes(self) -> Self {
        self.act(Conversation::server_finishes)
    }

    /// The server resets the connection.
    pub fn server_resets(self) -> Self {
        self.act(Conversation::server_resets)
    }

    // ---- what comes often --------------------------------------------------------------------

    /// The client sends a CONNECT with this play's client identifier, a clean session and a keep alive of 60 s, but for a change.
    pub fn connects(self, change: impl FnOnce(Connect) -> Connect) -> Self {
        let connect = change(Connect::new(self.version, self.id()));
        self.up(connect)
    }

    /// The server accepts, with a change.
    pub fn accepts(self, change: impl FnOnce(ConnAck) -> ConnAck) -> Self {
        let accepted = change(ConnAck::new(self.version, 0));
        self.down(accepted)
    }

    /// The server refuses; the code says to an old version what it says to the new one: not authorised.
    pub fn refuses(self) -> Self {
        let code = if self.version == V5 { 0x87 } else { 5 };
        let refused = ConnAck::new(self.version, code);
        self.down(refused)
    }

    /// A new connection with a clean session that the server accepted.
    pub fn session(self) -> Self {
        self.session_of(|connect| connect)
    }

    /// The same with a change in the CONNECT.
    pub fn session_of(self, change: impl FnOnce(Connect) -> Connect) -> Self {
        self.opens().connects(change).accepts(|accepted| accepted)
    }

    /// The client pings and is answered: the session goes on.
    pub fn pings(self) -> Self {
        self.up(mqtt::pingreq()).down(mqtt::pingresp())
    }

    /// The client says goodbye and closes.
    pub fn leaves(self) -> Self {
        self.up(mqtt::disconnect()).client_closes()
    }

    /// Everything that could be captured.
    pub fn captured(self) -> Capture {
        self.talks.into_iter().map(Conversation::left_open).fold(self.others, Capture::with)
    }
}
