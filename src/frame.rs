//! A captured frame, before anything is known of it.

use crate::time::Timestamp;

/// What the first octets of a frame are, by libpcap's `DLT_`/`LINKTYPE_` values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LinkType {
    /// Ethernet II, possibly with VLAN tags (1).
    Ethernet,
    /// Linux cooked capture (113).
    LinuxSll,
    /// Linux cooked capture version 2 (276).
    LinuxSll2,
    /// Bare IPv4 or IPv6 (101, 12, 14, 228, 229).
    RawIp,
    /// BSD loopback: four octets of address family in host or network order (0, 108).
    Null,
    /// PPP, with or without HDLC-like framing (9, 50).
    Ppp,
    /// PPP over Ethernet, without the Ethernet header (51).
    PppEther,
    /// Cisco HDLC (104).
    CiscoHdlc,
    /// Anything else, by its number: counted and skipped.
    Other(u16),
}

impl LinkType {
    /// From the number in a capture file or of a live handle.
    #[must_use]
    pub fn from_number(number: i32) -> Self {
        match number {
            1 => Self::Ethernet,
            113 => Self::LinuxSll,
            276 => Self::LinuxSll2,
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            0 | 108 => Self::Null,
            9 | 50 => Self::Ppp,
            51 => Self::PppEther,
            104 => Self::CiscoHdlc,
            other => Self::Other(u16::try_from(other).unwrap_or(u16::MAX)),
        }
    }

    /// A number for capture files that [`Self::from_number`] takes for the same.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Ethernet => 1,
            Self::LinuxSll => 113,
            Self::LinuxSll2 => 276,
            Self::RawIp => 101,
            Self::Null => 0,
            Self::Ppp => 9,
            Self::PppEther => 51,
            Self::CiscoHdlc => 104,
            Self::Other(number) => number,
        }
    }
}

/// One frame as captured.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was captured, by the capture's clock.
    pub ts: Timestamp,
    /// Nanoseconds beyond `ts`, 0 to 999; 0 where the capture is not so fine.
    pub nanos: u16,
    /// What its first octets are.
    pub link: LinkType,
    /// Its length on the wire in octets; more than `data` holds when the snaplen cut it.
    pub wire_len: u32,
    /// What was captured of it.
    pub data: &'a [u8],
}
