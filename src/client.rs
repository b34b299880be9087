//! What is remembered of each MQTT client identifier.

use core::hash::{Hash, Hasher};

use crate::alert::ClientId;
use crate::flow::table::Worth;
use crate::limits::CLIENT_ID_BYTES;

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
}

impl Client {
    /// A client seen for the first time.
    #[must_use]
    pub fn new(id: &[u8]) -> Self {
        let kept = id.get(..CLIENT_ID_BYTES).unwrap_or(id);
        Self { id: ClientId::from_slice(kept).unwrap_or_default(), connects: 0 }
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
