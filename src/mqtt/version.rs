//! Protocol versions.

/// The protocol version of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Version {
    /// Joined in the middle, or CONNECT not understood.
    #[default]
    Unknown,
    /// 3.1, protocol name `MQIsdp`, level 3.
    V31,
    /// 3.1.1, level 4.
    V311,
    /// 5.0, level 5.
    V5,
}

impl Version {
    /// From the protocol level octet, without Mosquitto's bridge bit (0x80).
    #[must_use]
    pub const fn from_level(level: u8) -> Option<Self> {
        match level & 0x7f {
            3 => Some(Self::V31),
            4 => Some(Self::V311),
            5 => Some(Self::V5),
            _ => None,
        }
    }

    /// The protocol level; 0 when unknown.
    #[must_use]
    pub const fn level(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::V31 => 3,
            Self::V311 => 4,
            Self::V5 => 5,
        }
    }

    /// Whether packets carry properties.
    #[must_use]
    pub const fn has_properties(self) -> bool {
        matches!(self, Self::V5)
    }
}
