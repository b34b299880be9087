//! The sessions that are open, so that a restarted daemon knows them again: their versions, clients and topic aliases
//! cannot be told from the middle of a connection.

use core::net::IpAddr;

use super::Engine;
use crate::alert::ClientId;
use crate::decode::Address;
use crate::detect::scorer::Scorer;
use crate::flow::carrier::Carrier;
use crate::flow::connection::{Connection, Ends, Phase, Session, Speaks};
use crate::flow::key::{Direction, FlowKey, Socket};
use crate::flow::table::Handle;
use crate::host::gauge::Gauge;
use crate::limits::VECTOR_EVERY_SECS;
use crate::mqtt::alias::{Alias, AliasKey};
use crate::mqtt::framer::Framer;
use crate::mqtt::version::Version;
use crate::time::Timestamp;

/// An open MQTT session straight on TCP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenSession {
    /// Who opened the connection.
    pub client: (IpAddr, u16),
    /// Who was connected to.
    pub server: (IpAddr, u16),
    /// When its first segment was seen.
    pub opened: Timestamp,
    /// The protocol level; 0 when unknown.
    pub level: u8,
    /// Keep alive in seconds.
    pub keep_alive: u16,
    /// It has done what a session is for.
    pub used: bool,
    /// The client identifier, if known.
    pub client_id: Option<ClientId>,
}

/// A topic alias of an open session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenAlias {
    /// Who opened the connection.
    pub client: (IpAddr, u16),
    /// Who was connected to.
    pub server: (IpAddr, u16),
    /// When its first segment was seen.
    pub opened: Timestamp,
    /// Set by the client, not by the server.
    pub by_client: bool,
    /// The alias.
    pub alias: u16,
    /// The topic it stands for, cut to [`ALIAS_TOPIC_BYTES`](crate::limits::ALIAS_TOPIC_BYTES).
    pub topic: heapless::Vec<u8, { crate::limits::ALIAS_TOPIC_BYTES }>,
}

fn outside(socket: Socket) -> (IpAddr, u16) {
    (socket.addr.ip(), socket.port)
}

fn inside((ip, port): (IpAddr, u16)) -> Socket {
    let addr = match ip {
        IpAddr::V4(ip) => Address::v4(ip.octets()),
        IpAddr::V6(ip) => Address::v6(ip.octets()),
    };
    Socket { addr, port }
}

impl<S: Scorer> Engine<'_, S> {
    /// Every accepted session that is open straight on TCP.
    pub fn sessions(&self) -> impl Iterator<Item = OpenSession> {
        self.connections.iter().filter(|(_, connection)| is_kept(connection)).map(|(_, connection)| {
            let Connection { ends, session, opened, .. } = connection;
            OpenSession {
                client: outside(ends.client),
                server: outside(ends.server),
                opened: *opened,
                level: session.version.level(),
                keep_alive: session.keep_alive,
                used: session.used,
                client_id: self.knowledge.clients.peek(session.client).map(|(_, client)| client.id.clone()),
            }
        })
    }

    /// Every topic alias that is known.
    pub fn aliases(&self) -> impl Iterator<Item = OpenAlias> {
        self.knowledge.aliases.iter().map(|(key, alias)| OpenAlias {
            client: outside(alias.client),
            server: outside(alias.server),
            opened: alias.opened,
            by_client: key.direction == Direction::ToServer,
            alias: key.alias,
            topic: alias.topic.clone(),
        })
    }

    /// Knows a session again that was open before a restart. To be called after the first frame or tick; false, and nothing is
    /// changed, before that or when its connection has been seen already.
    pub fn resume(&mut self, open: &OpenSession) -> bool {
        if !self.clock.has_started() || self.second == 0 {
            return false;
        }
        let now = self.clock.now();
        let (client, server) = (inside(open.client), inside(open.server));
        let key = FlowKey::new(client, server);
        if self.connections.find(&key, now).is_some() {
            return false;
        }
        let ends = Ends { client, server, host: Handle::NONE };
        let mut connection = Connection::new(ends, Phase::Open, now);
        connection.opened = open.opened.min(now);
        connection.carrier = Carrier::Plain;
        for half in [&mut connection.up, &mut connection.down] {
            half.framer = Framer::IN_THE_MIDDLE;
            half.from_start = false;
        }
        let known = open.client_id.as_deref().filter(|id| !id.is_empty());
        connection.session = Session {
            speaks: Speaks::Mqtt,
            version: Version::from_level(open.level).unwrap_or_default(),
            connected: Some(connection.opened),
            accepted: true,
            used: open.used,
            counted_open: true,
            keep_alive: open.keep_alive,
            client: known.map_or(Handle::NONE, |id| self.knowledge.client(id, now)),
            ..Session::NEW
        };
        connection.session.conformance.on_gap(now);
        if let Some(host) = self.knowledge.host(&mut connection.ends, now) {
            host.server = Some(server);
            host.gauges.up(Gauge::Sessions);
            if !open.used {
                host.gauges.up(Gauge::Unused);
            }
        }
        let inserted = self.connections.insert(key, connection, now);
        self.connection_due.set(inserted.handle.index(), now.as_secs() + VECTOR_EVERY_SECS);
        true
    }

    /// Knows a topic alias again.
    pub fn resume_alias(&mut self, open: &OpenAlias) {
        let now = self.clock.now();
        let (client, server) = (inside(open.client), inside(open.server));
        let opened = open.opened.min(now);
        let connection = self.settings.key.hash(&(client, server, opened));
        let direction = if open.by_client { Direction::ToServer } else { Direction::ToClient };
        let alias = Alias {
            topic: open.topic.clone(),
            len: open.topic.len(),
            hash: self.settings.key.hash_bytes(&open.topic),
            client,
            server,
            opened,
        };
        self.knowledge.aliases.set(AliasKey { connection, direction, alias: open.alias }, alias, now);
    }
}

/// Whether a restarted daemon could go on with it.
fn is_kept(connection: &Connection) -> bool {
    connection.phase == Phase::Open
        && connection.session.accepted
        && !connection.ours
        && matches!(connection.carrier, Carrier::Plain)
}
