//! The engine's counters as they are published every minute.

use serde::Serialize;

use crate::capture::InterfaceStatus;
use crate::decode::SkipReason;
use crate::engine::Stats;
use crate::mqtt::packet::PacketType;
use crate::mqtt::violation::Violation;

/// Numbers by name.
type Named = std::collections::BTreeMap<String, u64>;

/// What `metric/engine` holds under `engine`; see `docs/mqtt-api.md`.
#[derive(Serialize, Debug)]
pub(super) struct EngineCounters {
    frames: u64,
    octets: u64,
    tcp: u64,
    udp: u64,
    stray_segments: u64,
    capture_delivered: u64,
    capture_received: u64,
    capture_dropped: u64,
    capture_dropped_by_interface: u64,
    capture_recoveries: u64,
    skipped: Named,
    control_packets: Named,
    violations: u64,
    violations_by_kind: Named,
    bad_lengths: u64,
    unframed_octets: u64,
    carriers: Named,
    datagrams: Named,
    frames_duplicate: u64,
    segments_retransmitted: u64,
    segments_held: u64,
    segments_not_held: u64,
    segments_out_of_window: u64,
    gaps: u64,
    gap_octets: u64,
    late_octets: u64,
    overlap_conflicts: u64,
    keep_alive_probes: u64,
    stream_jumps: u64,
    resets_refused: u64,
    resets_with_data: u64,
    syns_in_connection: u64,
    connections_revived: u64,
    urgent_segments: u64,
    fragments: u64,
    fragments_repeated: u64,
    fragments_overlapping: u64,
    fragment_conflicts: u64,
    fragments_tiny: u64,
    fragments_unusable: u64,
    datagrams_reassembled: u64,
    datagrams_timed_out: u64,
    datagrams_evicted: u64,
    connections: u64,
    connections_opened: u64,
    connections_evicted: u64,
    hosts: u64,
    hosts_evicted: u64,
    clients: u64,
    clients_evicted: u64,
    vectors_scored: u64,
    vectors_unscored: u64,
    vectors_passed_over: u64,
    alerts: u64,
    incidents_open: u64,
    incidents_refused: u64,
    time_jumps: u64,
    log_lines_suppressed: u64,
}

/// `NotConnectFirst` as `not_connect_first`.
fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

fn named(counters: &[(&str, u64)]) -> Named {
    counters.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

impl EngineCounters {
    /// From the engine's and the capture's counters.
    pub(super) fn new<'a>(
        stats: &Stats,
        violations: impl Iterator<Item = (Violation, u64)>,
        interfaces: impl Iterator<Item = &'a InterfaceStatus>,
    ) -> Self {
        let mut counters = Self {
            frames: stats.frames,
            octets: stats.octets,
            tcp: stats.tcp,
            udp: stats.udp,
            stray_segments: stats.stray,
            capture_delivered: 0,
            capture_received: 0,
            capture_dropped: 0,
            capture_dropped_by_interface: 0,
            capture_recoveries: 0,
            skipped: SkipReason::ALL
                .iter()
                .zip(stats.skipped)
                .map(|(reason, count)| (reason.name().to_owned(), count))
                .collect(),
            control_packets: PacketType::ALL
                .iter()
                .zip(stats.control_packets)
                .map(|(packet_type, count)| (packet_type.name().to_ascii_lowercase(), count))
                .collect(),
            violations: stats.violations,
            violations_by_kind: violations.map(|(kind, count)| (snake_case(kind.name()), count)).collect(),
            bad_lengths: stats.bad_lengths,
            unframed_octets: stats.unframed_octets,
            carriers: named(&stats.carriers.named()),
            datagrams: named(&stats.datagrams.named()),
            frames_duplicate: stats.duplicates,
            segments_retransmitted: stats.stream.retransmitted,
            segments_held: stats.stream.held,
            segments_not_held: stats.stream.not_held,
            segments_out_of_window: stats.stream.out_of_window,
            gaps: stats.stream.gaps,
            gap_octets: stats.stream.gap_octets,
            late_octets: stats.stream.late_octets,
            overlap_conflicts: stats.stream.conflicts,
            keep_alive_probes: stats.stream.keep_alives,
            stream_jumps: stats.stream.jumps,
            resets_refused: stats.stream.resets_refused,
            resets_with_data: stats.stream.resets_with_data,
            syns_in_connection: stats.stream.syns_in_connection,
            connections_revived: stats.stream.revived,
            urgent_segments: stats.stream.urgent,
            fragments: stats.fragments.received,
            fragments_repeated: stats.fragments.repeated,
            fragments_overlapping: stats.fragments.overlaps,
            fragment_conflicts: stats.fragments.conflicts,
            fragments_tiny: stats.fragments.tiny,
            fragments_unusable: stats.fragments.unusable,
            datagrams_reassembled: stats.fragments.reassembled,
            datagrams_timed_out: stats.fragments.timed_out,
            datagrams_evicted: stats.fragments.evicted,
            connections: stats.connections,
            connections_opened: stats.connections_opened,
            connections_evicted: stats.connections_evicted,
            hosts: stats.hosts,
            hosts_evicted: stats.hosts_evicted,
            clients: stats.clients,
            clients_evicted: stats.clients_evicted,
            vectors_scored: stats.scored,
            vectors_unscored: stats.unscored,
            vectors_passed_over: stats.rows_passed_over,
            alerts: stats.alerts,
            incidents_open: stats.incidents_open,
            incidents_refused: stats.incidents_refused,
            time_jumps: stats.time_jumps,
            log_lines_suppressed: u64::from(crate::logging::suppressed()),
        };
        for interface in interfaces {
            counters.capture_delivered += interface.counters.delivered;
            counters.capture_received += interface.counters.received;
            counters.capture_dropped += interface.counters.dropped;
            counters.capture_dropped_by_interface += interface.counters.dropped_by_interface;
            counters.capture_recoveries += interface.recoveries;
        }
        counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_plain_name() {
        let stats = Stats { frames: 7, ..Stats::default() };
        let document = serde_json::to_value(EngineCounters::new(
            &stats,
            [(Violation::Qos3, 4)].into_iter(),
            std::iter::empty(),
        ))
        .expect("numbers");
        let fields = document.as_object().expect("an object");
        assert_eq!(fields["frames"], 7);
        assert_eq!(fields["control_packets"]["connect"], 0);
        assert_eq!(fields["violations_by_kind"]["qos3"], 4);
        let plain =
            |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        for (name, value) in fields {
            assert!(plain(name), "{name}");
            assert!(
                value.is_u64() || value.as_object().is_some_and(|o| o.keys().all(|k| plain(k))),
                "{name}"
            );
        }
    }
}
