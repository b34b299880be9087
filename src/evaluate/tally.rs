//! The second reading of a capture: its packets, flows, rows and time, against its labels and what was reported.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::flows::{Flow, Flows, Key};
use super::incident::{ClassSet, Spans, choose};
use super::matrix::Matrix;
use super::rows::Rows;
use crate::decode::{Packet, SkipReason, Transport, hosts};
use crate::engine::Sink;
use crate::features::FeatureVector;
use crate::features::connection::CONNECTION;
use crate::features::packet::PACKET;
use crate::features::schema::HOST;
use crate::flow::key::{FlowKey, Socket};
use crate::flow::record::EndReason;
use crate::frame::Frame;
use crate::label::{BENIGN, Episode, LabelId, Labeller, Labels, ROW_GREY};
use crate::time::Timestamp;

/// A silence in a capture that is longer does not count as time of it.
pub const MAX_SILENCE: Duration = Duration::from_secs(300);

/// Counts of what has a label and was reported as these classes.
type Counts = HashMap<(LabelId, ClassSet), u64>;

/// Counts while a capture is read.
pub(super) struct Tally<'a> {
    labels: &'a Labels,
    pub(super) labeller: Labeller,
    /// Of each detector.
    spans: &'a [Spans],
    packets: Vec<Counts>,
    flow_counts: Vec<Counts>,
    flows: Flows,
    reported: Vec<ClassSet>,
    pub(super) activity: Activity,
    pub(super) rows: &'a mut Rows,
    pub(super) total: u64,
}

impl<'a> Tally<'a> {
    pub(super) fn new(
        labels: &'a Labels,
        labeller: Labeller,
        spans: &'a [Spans],
        rows: &'a mut Rows,
    ) -> Self {
        let none = vec![Counts::new(); spans.len()];
        Self {
            labels,
            labeller,
            spans,
            packets: none.clone(),
            flow_counts: none,
            flows: Flows::default(),
            reported: Vec::new(),
            activity: Activity::default(),
            rows,
            total: 0,
        }
    }

    fn count_frame(&mut self, frame: &Frame<'_>, packet: Option<&Packet<'_>>) {
        self.total += 1;
        self.activity.note(frame.ts);
        let between = packet.map(|packet| (packet.src, packet.dst)).or_else(|| hosts(frame));
        let label = self.labeller.frame_between(frame, between);
        self.reported.clear();
        self.reported.extend(self.spans.iter().map(|spans| spans.at(frame.ts, between)));
        for (counts, set) in self.packets.iter_mut().zip(&self.reported) {
            *counts.entry((label, *set)).or_default() += 1;
        }
        if let Some(packet) = packet {
            let counts = &mut self.flow_counts;
            self.flows.packet(key(packet), frame.ts, label, &self.reported, |flow| count_flow(counts, flow));
        }
    }

    /// Ends the flows; the matrices of packets and of flows, of each detector.
    pub(super) fn finish(&mut self) -> (Vec<Matrix>, Vec<Matrix>) {
        let counts = &mut self.flow_counts;
        self.flows.finish(|flow| count_flow(counts, flow));
        self.rows.finish(self.labels);
        let matrix = |counts: &Counts| {
            let mut matrix = Matrix::default();
            for ((label, set), count) in counts {
                let truth = truth(self.labels, *label);
                matrix.add(truth, choose(*set, truth).unwrap_or(BENIGN), *count);
            }
            matrix
        };
        (self.packets.iter().map(matrix).collect(), self.flow_counts.iter().map(matrix).collect())
    }
}

fn count_flow(counts: &mut [Counts], flow: &Flow) {
    for (counts, set) in counts.iter_mut().zip(&flow.reported) {
        *counts.entry((flow.label, *set)).or_default() += 1;
    }
}

/// The name of a label in matrices: whatever is no attack is benign.
pub(super) fn truth(labels: &Labels, label: LabelId) -> &str {
    if labels.is_attack(label) { labels.name(label) } else { BENIGN }
}

fn key(packet: &Packet<'_>) -> Key {
    let (src_port, dst_port, is_udp) = match packet.transport {
        Transport::Tcp(tcp) => (tcp.src_port, tcp.dst_port, false),
        Transport::Udp(udp) => (udp.src_port, udp.dst_port, true),
    };
    let end = |addr, port| Socket { addr, port };
    (FlowKey::new(end(packet.src, src_port), end(packet.dst, dst_port)), is_udp)
}

impl Sink for Tally<'_> {
    const WANTS_FRAMES: bool = true;
    const WANTS_VECTORS: bool = true;
    const WANTS_PACKET_VECTORS: bool = true;

    fn frame(&mut self, frame: &Frame<'_>, decoded: Result<&Packet<'_>, SkipReason>) {
        self.count_frame(frame, decoded.ok());
    }

    fn host_vector(&mut self, ts: Timestamp, host: IpAddr, vector: &FeatureVector) {
        if let Some(label) = self.labeller.row(host, ts) {
            self.rows.row(&HOST, self.labels, label, vector);
        }
    }

    fn packet_vector(&mut self, _ts: Timestamp, client: Socket, server: Socket, vector: &FeatureVector) {
        let label = self.flows.label(&(FlowKey::new(client, server), false));
        self.rows.row(&PACKET, self.labels, label, vector);
    }

    fn connection_vector(
        &mut self,
        _ts: Timestamp,
        client: Socket,
        server: Socket,
        _end: Option<EndReason>,
        vector: &FeatureVector,
    ) {
        let label = self.flows.label(&(FlowKey::new(client, server), false));
        self.rows.row(&CONNECTION, self.labels, label, vector);
    }
}

/// The times in which a capture has packets.
#[derive(Clone, Default, Debug)]
pub(super) struct Activity {
    spans: Vec<(Timestamp, Timestamp)>,
}

impl Activity {
    fn note(&mut self, ts: Timestamp) {
        if let Some((_, last)) = self.spans.last_mut()
            && ts <= *last + MAX_SILENCE
            && *last <= ts + MAX_SILENCE
        {
            *last = ts.max(*last);
        } else {
            self.spans.push((ts, ts));
        }
    }

    /// The first and the last moment.
    pub(super) fn ends(&self) -> Option<(Timestamp, Timestamp)> {
        let first = self.spans.iter().map(|(from, _)| *from).min()?;
        let last = self.spans.iter().map(|(_, to)| *to).max()?;
        Some((first, last))
    }

    /// Its length in seconds.
    pub(super) fn seconds(&self) -> f64 {
        seconds(self.spans.iter().map(|(from, to)| to.micros_since(*from)).sum())
    }

    /// Of it, the seconds in which no attack goes on or is remembered by the windows.
    pub(super) fn benign_seconds(&self, attacks: &AttackTime) -> f64 {
        let within = |(from, to): &(Timestamp, Timestamp)| {
            let taken =
                |(start, end): &(Timestamp, Timestamp)| (*end).min(*to).micros_since((*start).max(*from));
            to.micros_since(*from) - attacks.0.iter().map(taken).sum::<u64>()
        };
        seconds(self.spans.iter().map(within).sum())
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// When attacks go on or are remembered: spans that do not overlap, in order.
pub(super) struct AttackTime(Vec<(Timestamp, Timestamp)>);

impl AttackTime {
    pub(super) fn of(episodes: &[Episode]) -> Self {
        let mut spans: Vec<_> = episodes.iter().map(|e| (e.start, e.end + ROW_GREY)).collect();
        spans.sort_unstable();
        let mut merged: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (start, end) in spans {
            match merged.last_mut() {
                Some((_, last)) if start <= *last => *last = end.max(*last),
                _ => merged.push((start, end)),
            }
        }
        Self(merged)
    }

    pub(super) fn holds(&self, ts: Timestamp) -> bool {
        self.0.iter().any(|(start, end)| *start <= ts && ts <= *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_that_of_packets_and_not_of_long_silences() {
        let mut activity = Activity::default();
        for secs in [1000, 1100, 1050, 1400, 9000, 9100] {
            activity.note(Timestamp::from_secs(secs));
        }
        assert_eq!(activity.seconds(), 500.0);
        assert_eq!(activity.ends(), Some((Timestamp::from_secs(1000), Timestamp::from_secs(9100))));
        let attacks = AttackTime(vec![
            (Timestamp::from_secs(900), Timestamp::from_secs(1010)),
            (Timestamp::from_secs(1100), Timestamp::from_secs(1200)),
            (Timestamp::from_secs(1390), Timestamp::from_secs(9001)),
        ]);
        assert_eq!(activity.benign_seconds(&attacks), 500.0 - 10.0 - 100.0 - 10.0 - 1.0);
        assert!(attacks.holds(Timestamp::from_secs(1200)) && !attacks.holds(Timestamp::from_secs(1201)));
    }
}
