//! What each end of a session has allowed the other (5: 3.1.2.11 and 3.2.2.3).

use super::super::property::{Properties, PropertyId};

/// What one end has allowed the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Receive Maximum.
    pub receive_maximum: u16,
    /// Topic Alias Maximum.
    pub alias_maximum: u16,
    /// Maximum Packet Size in octets.
    pub packet_size: u32,
    /// Maximum QoS.
    pub qos: u8,
    /// Retain Available.
    pub retain: bool,
}

impl Limits {
    /// What holds when nothing is said in version 5. Older versions have no limits, and no aliases either.
    pub const DEFAULT: Self =
        Self { receive_maximum: u16::MAX, alias_maximum: 0, packet_size: u32::MAX, qos: 2, retain: true };

    /// From the properties of a CONNECT or CONNACK.
    #[must_use]
    pub fn of(properties: &Properties<'_>) -> Self {
        let two = |id| properties.integer(id).and_then(|value| u16::try_from(value).ok());
        let none = Self::DEFAULT;
        Self {
            receive_maximum: two(PropertyId::ReceiveMaximum).unwrap_or(none.receive_maximum),
            alias_maximum: two(PropertyId::TopicAliasMaximum).unwrap_or(none.alias_maximum),
            packet_size: properties.integer(PropertyId::MaximumPacketSize).unwrap_or(none.packet_size),
            qos: properties.integer(PropertyId::MaximumQos).map_or(none.qos, |qos| u8::from(qos != 0)),
            retain: properties.integer(PropertyId::RetainAvailable) != Some(0),
        }
    }
}
