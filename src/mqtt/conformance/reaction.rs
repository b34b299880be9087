//! What the server did about a violation of the client.

use super::super::packet::{Body, ControlPacket, PacketType};
use super::super::violation::Violations;
use crate::event::Reaction;
use crate::time::Timestamp;

/// So long a reaction is waited for, in microseconds.
const WAIT: u64 = 5_000_000;

/// Violations whose reaction is not known yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pending {
    /// Which.
    pub violations: Violations,
    /// The packet that the first of them was in.
    pub packet_type: Option<PacketType>,
    /// When.
    pub since: Timestamp,
}

impl Pending {
    /// What the server's packet says about them, if anything.
    #[must_use]
    pub fn judge(&self, packet: &ControlPacket<'_>) -> Option<Reaction> {
        match packet.body {
            // What the server pushes has nothing to do with what the client said.
            Body::Publish(_) => None,
            Body::Bare if packet.packet_type == PacketType::PingResp => {
                (self.packet_type == Some(PacketType::PingReq)).then_some(Reaction::Answered)
            }
            // Both announce that the server closes.
            Body::Disconnect(_) => Some(Reaction::Closed),
            Body::ConnAck(Some(ack)) if ack.refuses() => Some(Reaction::Closed),
            _ => Some(Reaction::Answered),
        }
    }

    /// Whether the wait is over.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now.micros_since(self.since) > WAIT
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::packet::{RawPacket, parse};
    use super::super::super::version::Version;
    use super::*;
    use crate::flow::key::Direction;

    #[test]
    fn what_a_packet_of_the_server_says() {
        let pending = Pending {
            violations: Violations::NONE,
            packet_type: Some(PacketType::Subscribe),
            since: Timestamp::from_secs(10),
        };
        for (octets, expected) in [
            (&[0x90, 3, 0, 1, 0][..], Some(Reaction::Answered)),
            (b"\x30\x04\0\x01a\0", None),
            (&[0xd0, 0], None),
            (&[0xe0, 1, 0x81], Some(Reaction::Closed)),
            (&[0x20, 3, 0, 0x81, 0], Some(Reaction::Closed)),
            (&[0x20, 3, 0, 0, 0], Some(Reaction::Answered)),
        ] {
            let raw = RawPacket {
                first: octets[0],
                remaining_length: u32::from(octets[1]),
                length_octets: 1,
                head: &octets[2..],
            };
            let packet = parse(&raw, Direction::ToClient, Version::V5);
            assert_eq!(pending.judge(&packet), expected, "{octets:?}");
        }
        assert!(!pending.is_over(Timestamp::from_secs(15)) && pending.is_over(Timestamp::from_secs(16)));
    }
}
