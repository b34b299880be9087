//! What a control packet can do wrong. Facts about traffic, not errors: counted, features, evidence.

/// A breach of the standard, or the way in which a packet could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Violation {
    /// Packet type 0, or AUTH before version 5 (section 2.1.2).
    ReservedType,
    /// Reserved flags of the fixed header are wrong (section 2.1.3).
    ReservedFlags,
    /// Remaining Length runs over four octets (section 1.5.5).
    RemainingLength,
    /// A field runs past the end of its packet.
    Truncated,
    /// Octets are left over behind the last field.
    Trailing,
    /// QoS 3 (section 3.3.1.2).
    Qos3,
    /// DUP set on QoS 0 (section 3.3.1.1).
    DupQos0,
    /// Packet identifier 0 (section 2.2.1).
    PacketIdZero,
    /// Protocol name neither `MQTT` nor `MQIsdp` (section 3.1.2.1).
    ProtocolName,
    /// Protocol level unknown or not fitting the name (section 3.1.2.2).
    ProtocolLevel,
    /// Reserved connect flag set (section 3.1.2.3).
    ConnectReserved,
    /// Will QoS or will retain without will, or will QoS 3 (section 3.1.2.6).
    WillFlags,
    /// Password without user name, before version 5 (3.1.1, section 3.1.2.9).
    PasswordWithoutUser,
    /// Empty client id without clean session, before version 5 (3.1.1, section 3.1.3.1).
    EmptyClientId,
    /// A string is not UTF-8 (section 1.5.4).
    Utf8,
    /// A string holds U+0000 (section 1.5.4).
    NulInString,
    /// A wildcard in the topic of a PUBLISH (section 3.3.2.1).
    WildcardTopic,
    /// An empty topic without an alias (section 4.7.3).
    EmptyTopic,
    /// SUBSCRIBE or UNSUBSCRIBE without a filter (section 3.8.3).
    NoFilters,
    /// A wildcard in the wrong place of a filter (section 4.7.1).
    MisplacedWildcard,
    /// Reserved subscription options, or QoS 3 (section 3.8.3.1).
    SubscribeOptions,
    /// The client's first packet is not CONNECT (section 3.1).
    NotConnectFirst,
    /// A second CONNECT (section 3.1).
    SecondConnect,
    /// A packet that only the other side may send.
    WrongDirection,
    /// CONNACK with reserved flags, or a second one (section 3.2).
    ConnAck,
}

impl Violation {
    /// How many there are.
    pub const COUNT: usize = Self::ConnAck as usize + 1;
}

/// The violations found in one packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Violations(u32);

impl Violations {
    /// Notes one.
    pub fn add(&mut self, violation: Violation) {
        self.0 |= 1 << violation as usize;
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many different ones.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether this one is among them.
    #[must_use]
    pub const fn has(self, violation: Violation) -> bool {
        self.0 & (1 << violation as usize) != 0
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// As a bit set, one bit per kind.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }
}

const _: () = assert!(Violation::COUNT <= 32);
