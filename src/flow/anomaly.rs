//! What a TCP connection or an IP datagram does that honest ends hardly ever do, and that may hide something from
//! whoever looks on.

use crate::alert::Severity;

/// Something odd below MQTT.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Anomaly {
    /// A segment repeats octets with another content.
    OverlapConflict,
    /// RST that its receiver has no reason to take.
    ResetRefused,
    /// RST that carries octets.
    ResetWithData,
    /// SYN on an open connection.
    SynInConnection,
    /// A connection goes on after the RST or FIN that ended it.
    FalseEnd,
    /// Urgent octets.
    Urgent,
    /// A fragment repeats octets with another content.
    FragmentConflict,
    /// A first fragment too short for the ports and flags.
    FragmentTiny,
    /// Fragments of many datagrams that are never completed.
    FragmentFlood,
}

impl Anomaly {
    /// Every one, in order.
    pub const ALL: [Self; 9] = [
        Self::OverlapConflict,
        Self::ResetRefused,
        Self::ResetWithData,
        Self::SynInConnection,
        Self::FalseEnd,
        Self::Urgent,
        Self::FragmentConflict,
        Self::FragmentTiny,
        Self::FragmentFlood,
    ];

    /// The name of its event.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OverlapConflict => "tcp:overlap-conflict",
            Self::ResetRefused => "tcp:reset-refused",
            Self::ResetWithData => "tcp:reset-with-data",
            Self::SynInConnection => "tcp:syn-in-connection",
            Self::FalseEnd => "tcp:false-end",
            Self::Urgent => "tcp:urgent",
            Self::FragmentConflict => "ip:fragment-conflict",
            Self::FragmentTiny => "ip:fragment-tiny",
            Self::FragmentFlood => "ip:fragment-flood",
        }
    }

    /// What it is, in a few words.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::OverlapConflict => "a segment repeats octets with another content",
            Self::ResetRefused => "RST with a sequence number that its receiver does not expect",
            Self::ResetWithData => "RST that carries octets",
            Self::SynInConnection => "SYN on an open connection",
            Self::FalseEnd => "the connection goes on after its end",
            Self::Urgent => "urgent octets, which the receiver does not find among the others",
            Self::FragmentConflict => "a fragment repeats octets with another content",
            Self::FragmentTiny => "a first fragment too short for the ports and flags",
            Self::FragmentFlood => "fragments of more datagrams than can be waited for",
        }
    }

    /// How much it matters by itself: conflicts have no honest cause, the others have a few.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::OverlapConflict | Self::FragmentConflict => Severity::High,
            Self::ResetWithData
            | Self::FalseEnd
            | Self::Urgent
            | Self::FragmentTiny
            | Self::FragmentFlood => Severity::Medium,
            Self::ResetRefused | Self::SynInConnection => Severity::Low,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_is_used_once() {
        let names: BTreeSet<&str> = Anomaly::ALL.iter().map(|anomaly| anomaly.name()).collect();
        assert_eq!(names.len(), Anomaly::ALL.len());
        assert!(names.iter().all(|name| name.starts_with("tcp:") || name.starts_with("ip:")));
    }
}
