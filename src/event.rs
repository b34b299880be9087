//! Something that happened on the wire and has a name: a breach of the standard, an attempt to hide, MQTT where none is expected.
//!
//! An event is a fact about one packet of one connection. What many of them mean is for [`detect`](crate::detect) to say.

use crate::alert::Severity;
use crate::flow::key::{Direction, Socket};
use crate::mqtt::packet::PacketType;
use crate::time::Timestamp;

/// What the other end did about it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reaction {
    /// It closed the connection.
    Closed,
    /// It answered as if nothing were wrong.
    Answered,
    /// It said nothing for five seconds, or until the connection ended otherwise.
    Ignored,
    /// Not watched, since no reaction is due.
    NotDue,
}

impl Reaction {
    /// The name used in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Answered => "answered",
            Self::Ignored => "ignored",
            Self::NotDue => "none",
        }
    }
}

/// An event. The strings in it are known at build time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// When it happened, in the time of the capture.
    pub ts: Timestamp,
    /// Its name, such as `mqtt311:3.1.2-24`; see `docs/violations.md`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub what: &'static str,
    /// How much it matters by itself.
    pub severity: Severity,
    /// Who opened the connection.
    pub client: Socket,
    /// Who was connected to.
    pub server: Socket,
    /// Which way the packet went.
    pub direction: Direction,
    /// The control packet, where it was one.
    pub packet_type: Option<PacketType>,
    /// What the other end did about it.
    pub reaction: Reaction,
}
