//! Figures of one direction of a connection, and why a flow record ends.

use super::moments::Moments;
use crate::decode::{TcpFlags, TcpSegment};
use crate::time::Timestamp;

/// Why a flow record was ended (IPFIX information element 136, `flowEndReason`, RFC 5102).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum EndReason {
    /// Nothing came for the idle timeout.
    Idle = 1,
    /// The active timeout has passed; the connection lives on.
    Active = 2,
    /// FIN or RST.
    EndOfFlow = 3,
    /// The capture or the program ended.
    Forced = 4,
    /// Its place in the table was needed.
    LackOfResources = 5,
}

impl EndReason {
    /// The name used in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle_timeout",
            Self::Active => "active_timeout",
            Self::EndOfFlow => "end_of_flow",
            Self::Forced => "forced_end",
            Self::LackOfResources => "lack_of_resources",
        }
    }
}

/// What is measured of one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meter {
    /// Length of the IP packets in octets.
    pub lengths: Moments,
    /// Time between segments in microseconds.
    pub intervals: Moments,
    /// TCP payload in octets.
    pub payload: u64,
    /// Segments with PSH.
    pub pushes: u32,
    /// Segments with FIN.
    pub fins: u32,
    /// Segments with RST.
    pub resets: u32,
    last: Option<Timestamp>,
}

impl Meter {
    /// Nothing measured yet.
    pub const NEW: Self = Self {
        lengths: Moments::NONE,
        intervals: Moments::NONE,
        payload: 0,
        pushes: 0,
        fins: 0,
        resets: 0,
        last: None,
    };

    /// When the latest segment was measured.
    #[must_use]
    pub const fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// Takes one segment in.
    #[inline]
    pub fn measure(&mut self, now: Timestamp, ip_len: u32, segment: &TcpSegment<'_>) {
        self.lengths.add(ip_len);
        if let Some(last) = self.last.replace(now) {
            self.intervals.add(u32::try_from(now.micros_since(last)).unwrap_or(u32::MAX));
        }
        self.payload += u64::from(segment.wire_payload_len);
        self.pushes += u32::from(segment.flags.has(TcpFlags::PSH));
        self.fins += u32::from(segment.flags.has(TcpFlags::FIN));
        self.resets += u32::from(segment.flags.has(TcpFlags::RST));
    }
}
