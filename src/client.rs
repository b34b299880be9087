//! What is remembered of each MQTT client identifier.

use core::hash::{Hash, Hasher};

use crate::alert::ClientId;
use crate::flow::key::Socket;
use crate::flow::table::{Handle, Worth};
use crate::limits::CLIENT_ID_BYTES;
use crate::time::Timestamp;

/// The key of the client table: the keyed hash of the whole identifier, which itself may be 64 KiB long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientKey(pub u64);

impl Hash for ClientKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// One client identifier.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its first octets, at most [`CLIENT_ID_BYTES`].
    pub id: ClientId,
    /// How often it connected.
    pub connects: u32,
    /// The connection that holds its session.
    pub holder: Handle,
    /// The server that accepted it last.
    pub server: Socket,
    /// Whether that server keeps its session.
    pub kept: Kept,
    /// Keyed hash of the host that it belongs to: the first one, until another is accepted while it is not in use.
    pub owner: u64,
    /// Keyed hash of the socket that holds its session open; 0 for none.
    pub held_by: u64,
}

/// Whether a server keeps a session that has no connection (3.1.1: 4.1; 5: 4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// Not known.
    Unknown,
    /// It does not.
    No,
    /// Until then.
    Until(Timestamp),
}

impl Kept {
    /// After a connection ended, whose session is to be kept for so many seconds.
    #[must_use]
    pub fn after(expiry: u32, end: Timestamp) -> Self {
        match expiry {
            0 => Self::No,
            u32::MAX => Self::Until(Timestamp::from_micros(u64::MAX)),
            seconds => Self::Until(Timestamp::from_micros(
                end.as_micros().saturating_add(u64::from(seconds) * 1_000_000),
            )),
        }
    }
}

impl Client {
    /// A client seen for the first time.
    #[must_use]
    pub fn new(id: &[u8]) -> Self {
        let kept = id.get(..CLIENT_ID_BYTES).unwrap_or(id);
        Self {
            id: ClientId::from_slice(kept).unwrap_or_default(),
            connects: 0,
            holder: Handle::NONE,
            server: Socket::default(),
            kept: Kept::Unknown,
            owner: 0,
            held_by: 0,
        }
    }
}

impl Worth for Client {
    /// One that came back outlives one that was seen once.
    fn worth(&self) -> u8 {
        u8::from(self.connects > 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_identifier_is_cut() {
        let client = Client::new(&[b'x'; 680]);
        assert_eq!(client.id.len(), CLIENT_ID_BYTES);
        assert_eq!(Client::new(b"a").id.as_slice(), b"a");
    }
}
