//! Five-tuples and directions.

use core::hash::{Hash, Hasher};

use crate::decode::Address;

/// One end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Socket {
    /// Address.
    pub addr: Address,
    /// TCP port.
    pub port: u16,
}

/// Which way a segment goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// From the one who opened the connection.
    ToServer,
    /// From the one who was connected to.
    ToClient,
}

impl Direction {
    /// The other way.
    #[must_use]
    pub const fn reverse(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }
}

/// A TCP five-tuple without direction: both directions of a connection have the same key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FlowKey {
    low: Address,
    high: Address,
    /// Of the low and of the high end.
    ports: [u16; 2],
}

impl FlowKey {
    /// The key of a segment from `a` to `b`, equal to that of one from `b` to `a`.
    #[must_use]
    #[inline]
    pub fn new(a: Socket, b: Socket) -> Self {
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        Self { low: low.addr, high: high.addr, ports: [low.port, high.port] }
    }
}

impl Hash for FlowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // One short write, since this runs for every segment. Keys of both kinds differ in length.
        let [low, high] = self.ports;
        let ports = u32::from(low) << 16 | u32::from(high);
        match (self.low.as_v4(), self.high.as_v4()) {
            (Some(low), Some(high)) => {
                state.write(
                    &(u128::from(low) << 64 | u128::from(high) << 32 | u128::from(ports)).to_le_bytes(),
                );
            }
            _ => {
                state.write_u128(self.low.0);
                state.write_u128(self.high.0);
                state.write_u32(ports);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_have_one_key() {
        let a = Socket { addr: Address::v4([10, 0, 0, 9]), port: 1 };
        let b = Socket { addr: Address::v4([10, 0, 0, 1]), port: 9 };
        assert_eq!(FlowKey::new(a, b), FlowKey::new(b, a));
        let same_host = Socket { port: 2, ..a };
        assert_eq!(FlowKey::new(a, same_host), FlowKey::new(same_host, a));
        assert_ne!(FlowKey::new(a, b), FlowKey::new(a, same_host));
    }
}
