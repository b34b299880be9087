//! What is counted of streams.

/// Counters of what went wrong or was odd; kept per engine, not per stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StreamStats {
    /// Segments with nothing new.
    pub retransmitted: u64,
    /// Segments that came before their turn and were held.
    pub held: u64,
    /// Segments that came before their turn and found no room.
    pub not_held: u64,
    /// Gaps given up on.
    pub gaps: u64,
    /// Octets in those gaps.
    pub gap_octets: u64,
    /// Of these, octets that came after all.
    pub late_octets: u64,
    /// Segments that repeated octets with another content.
    pub conflicts: u64,
    /// Segments that tell whether the other end is still there (RFC 9293, section 3.8.4).
    pub keep_alives: u64,
    /// Segments far outside any window, and acknowledgements of what was never near.
    pub out_of_window: u64,
    /// Times a stream went on at a position that was out of its window.
    pub jumps: u64,
    /// RST that the receiver has no reason to take.
    pub resets_refused: u64,
    /// RST that carried octets, which are not read.
    pub resets_with_data: u64,
    /// SYN on connections that were open.
    pub syns_in_connection: u64,
    /// Connections that went on after the RST or FIN that had ended them.
    pub revived: u64,
    /// Octets marked urgent, which a receiver does not find among the others.
    pub urgent: u64,
}
