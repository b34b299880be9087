//! Counters of everything the engine saw, passed over or gave up.

use super::carrier::CarrierStats;
use super::knowledge::Counts;
use super::udp::DatagramStats;
use crate::decode::SkipReason;
use crate::flow::fragment::FragmentStats;
use crate::flow::stream::StreamStats;

/// A snapshot of the engine's counters. All count from the start, except where a field says "now".
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Frames taken in.
    pub frames: u64,
    /// Octets of these on the wire.
    pub octets: u64,
    /// Frames passed over, by [`SkipReason`].
    pub skipped: [u64; SkipReason::ALL.len()],
    /// Frames that were copies of others: see [`duplicate`](crate::flow::duplicate).
    pub duplicates: u64,
    /// TCP segments.
    pub tcp: u64,
    /// UDP datagrams.
    pub udp: u64,
    /// Segments without payload that belong to no connection known.
    pub stray: u64,
    /// Connections that came into the table.
    pub connections_opened: u64,
    /// Connections that had to leave for others.
    pub connections_evicted: u64,
    /// Connections in the table now.
    pub connections: u64,
    /// Hosts in the table now.
    pub hosts: u64,
    /// Hosts that had to leave for others.
    pub hosts_evicted: u64,
    /// Client ids in the table now.
    pub clients: u64,
    /// Client ids that had to leave for others.
    pub clients_evicted: u64,
    /// What happened below MQTT.
    pub stream: StreamStats,
    /// What happened to datagrams in fragments.
    pub fragments: FragmentStats,
    /// Control packets by type number.
    pub control_packets: [u64; 16],
    /// Octets of MQTT streams in which no packet boundary was known.
    pub unframed_octets: u64,
    /// Lengths of more than four octets.
    pub bad_lengths: u64,
    /// Control packets with at least one violation.
    pub violations: u64,
    /// What came over UDP.
    pub datagrams: DatagramStats,
    /// What carried MQTT.
    pub carriers: CarrierStats,
    /// Feature vectors scored, once for each model.
    pub scored: u64,
    /// Of these, vectors of which the model said nothing: see [`Scorer::unscored`](crate::detect::scorer::Scorer::unscored).
    pub unscored: u64,
    /// Vectors of connections and packets that were not scored, as there were too many in their second.
    pub rows_passed_over: u64,
    /// Alerts given out.
    pub alerts: u64,
    /// Incidents open now.
    pub incidents_open: u64,
    /// Incidents that found no place.
    pub incidents_refused: u64,
    /// Steps over a silence or a change of the clock too long to be walked second by second.
    pub time_jumps: u64,
}

impl Stats {
    pub(super) fn with(&self, counts: &Counts) -> Self {
        Self {
            hosts_evicted: counts.hosts_evicted,
            clients_evicted: counts.clients_evicted,
            control_packets: counts.control_packets,
            unframed_octets: counts.unframed_octets,
            bad_lengths: counts.bad_lengths,
            violations: counts.violations,
            alerts: counts.alerts,
            carriers: counts.carriers,
            ..*self
        }
    }
}
