//! `hindy-uniflow`: one row per direction of a 5-tuple.

use super::moments::Moments;
use super::{ORIGIN, Seen, Tuple};
use crate::extract::kept::{Entry, Kept};
use crate::extract::schema::{Column, Definition};
use crate::extract::{Cell, Extractor, Rows};
use crate::frame::Frame;
use crate::label::{LabelId, Labeller};

/// One row per direction of a 5-tuple.
pub const UNIFLOW: Definition = Definition {
    name: "hindy-uniflow",
    version: 1,
    origin: ORIGIN,
    row: "One row per source, destination, their ports and protocol over all captures given, in the order of their \
          first packets, at the end",
    quirks: super::biflow::FLOW_QUIRKS,
    columns: &[
        Column::text("ip_src", "source address"),
        Column::text("ip_dst", "destination address"),
        Column::integer("prt_src", "", "source port"),
        Column::integer("prt_dst", "", "destination port"),
        Column::integer("proto", "", "6 for TCP, 17 for UDP"),
        Column::integer("num_pkts", "packets", "packets"),
        Column::real("mean_iat", "s", "mean time between packets"),
        Column::real("std_iat", "s", "population standard deviation of these times"),
        Column::real("min_iat", "s", "shortest of them"),
        Column::real("max_iat", "s", "longest of them"),
        Column::real("mean_offset", "s", "mean time from the first packet to each later one")
            .quirk("written by the scripts, absent from the published files"),
        Column::real("mean_pkt_len", "octets", "mean IP total length"),
        Column::integer("num_bytes", "octets", "IP total lengths together"),
        Column::integer("num_psh_flags", "packets", "packets with PSH; 0 for UDP"),
        Column::integer("num_rst_flags", "packets", "packets with RST; 0 for UDP"),
        Column::integer("num_urg_flags", "packets", "packets with URG; 0 for UDP"),
        Column::real("std_pkt_len", "octets", "population standard deviation of the lengths"),
        Column::real("min_pkt_len", "octets", "shortest of them"),
        Column::real("max_pkt_len", "octets", "longest of them"),
    ],
};

/// Makes [`UNIFLOW`] rows.
pub struct Uniflows {
    kept: Kept<Tuple, (Moments, LabelId)>,
}

impl Uniflows {
    /// Keeps so many flows at once.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { kept: Kept::new(capacity) }
    }

    fn give(entry: &Entry<Tuple, (Moments, LabelId)>, rows: &mut dyn Rows) {
        let (tuple, (moments, label)) = (entry.key, &entry.value);
        let f = moments.figures();
        let cells = [
            Cell::Address(tuple.src),
            Cell::Address(tuple.dst),
            tuple.src_port.into(),
            tuple.dst_port.into(),
            tuple.protocol.into(),
            moments.packets.into(),
            Cell::Real(f.mean_iat),
            Cell::Real(f.std_iat),
            Cell::Real(f.min_iat),
            Cell::Real(f.max_iat),
            Cell::Real(f.mean_offset),
            Cell::Real(f.mean_pkt_len),
            moments.octets.into(),
            moments.psh.into(),
            moments.rst.into(),
            moments.urg.into(),
            Cell::Real(f.std_pkt_len),
            Cell::Real(f.min_pkt_len),
            Cell::Real(f.max_pkt_len),
        ];
        rows.row(&cells, Some(*label));
    }
}

impl Extractor for Uniflows {
    fn frame(&mut self, frame: &Frame<'_>, label: LabelId, _: Option<&Labeller>, rows: &mut dyn Rows) {
        let Some(seen) = Seen::of(frame) else { return };
        if self.kept.is_full_for(&[seen.tuple]) {
            self.kept.choose_leaving();
            self.kept.entries().iter().filter(|entry| entry.leaves).for_each(|entry| Self::give(entry, rows));
            self.kept.remove_leaving();
        }
        let (moments, known) = self.kept.get(seen.tuple, frame.ts, || (Moments::default(), label));
        moments.add(&seen);
        *known = known.or(label);
    }

    fn finish(&mut self, _: Option<&Labeller>, rows: &mut dyn Rows) {
        self.kept.entries().iter().for_each(|entry| Self::give(entry, rows));
    }

    fn evicted(&self) -> u64 {
        self.kept.evicted
    }
}
