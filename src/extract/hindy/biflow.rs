//! `hindy-biflow`: one row per pair of directions.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::moments::{Figures, Moments};
use super::{ORIGIN, Seen, Tuple};
use crate::decode::Address;
use crate::extract::ipv4::UDP;
use crate::extract::kept::{Entry, Kept};
use crate::extract::schema::{Column, Definition};
use crate::extract::{Cell, Extractor, Rows};
use crate::frame::Frame;
use crate::label::{LabelId, Labeller};
use crate::time::Timestamp;

/// What both flow schemas have in common.
pub(super) const FLOW_QUIRKS: &[&str] = &[
    "IPv4 with TCP or UDP only; of a tunnel the outer packet counts, and of a fragmented datagram its first fragment",
    "There is no timeout, and nothing that TCP says ends a flow: connections that use the same ports later are the same flow",
    "Times are microseconds in double precision since 1970, so that differences come in steps of 0.24 us",
    "The scripts sort the packets of a flow by time; here they count in their order in the capture, which is another only \
     where the capture's clock went back",
    "The published files have a column `is_attack`, which is here with `--labels`: 0 for `benign` and `normal`, else 1. \
     Before it stands `class_id`, the number of the published file: 0 normal, 1 scan_A (our `tcp_scan`, \
     `host_scan`), 2 scan_sU (`udp_scan`), 3 sparta (`ssh_bruteforce`), 4 mqtt_bruteforce; empty for other attacks",
];

macro_rules! pairs {
    ($head:expr; { $($kind:ident $name:literal $unit:literal $doc:literal;)+ } $tail:expr) => {{
        const HEAD: &[Column] = $head;
        const TAIL: &[Column] = $tail;
        const PAIRS: &[Column] = &[$(
            Column::$kind(concat!("fwd_", $name), $unit, concat!($doc, ", forward")),
            Column::$kind(concat!("bwd_", $name), $unit, concat!($doc, ", backward")),
        )+];
        const COLUMNS: [Column; HEAD.len() + PAIRS.len() + TAIL.len()] = {
            let mut columns = [HEAD[0]; HEAD.len() + PAIRS.len() + TAIL.len()];
            let mut i = 0;
            while i < columns.len() {
                columns[i] = if i < HEAD.len() {
                    HEAD[i]
                } else if i < HEAD.len() + PAIRS.len() {
                    PAIRS[i - HEAD.len()]
                } else {
                    TAIL[i - HEAD.len() - PAIRS.len()]
                };
                i += 1;
            }
            columns
        };
        &COLUMNS
    }};
}

/// One row per pair of directions.
pub const BIFLOW: Definition = Definition {
    name: "hindy-biflow",
    version: 1,
    origin: ORIGIN,
    row: "One row per pair of uniflows at the end, in the order of their first packets; forward is the direction seen first",
    quirks: &[
        FLOW_QUIRKS[0],
        FLOW_QUIRKS[1],
        FLOW_QUIRKS[2],
        FLOW_QUIRKS[3],
        FLOW_QUIRKS[4],
        "A TCP uniflow without its reverse gives no row",
        "A UDP uniflow without its reverse gives a row with the forward figures in the backward columns too; such rows come last",
        "`mean_offset` and the last three columns are written by the scripts, but absent from the published files",
    ],
    columns: pairs! {
        &[
            Column::text("ip_src", "source address of the forward direction"),
            Column::text("ip_dst", "its destination address"),
            Column::integer("prt_src", "", "its source port"),
            Column::integer("prt_dst", "", "its destination port"),
            Column::integer("proto", "", "6 for TCP, 17 for UDP"),
        ];
        {
        integer "num_pkts" "packets" "packets";
        real "mean_iat" "s" "mean time between packets";
        real "std_iat" "s" "population standard deviation of these times";
        real "min_iat" "s" "shortest of them";
        real "max_iat" "s" "longest of them";
        real "mean_offset" "s" "mean time from the first packet to each later one";
        real "mean_pkt_len" "octets" "mean IP total length";
        real "std_pkt_len" "octets" "population standard deviation of the lengths";
        real "min_pkt_len" "octets" "shortest of them";
        real "max_pkt_len" "octets" "longest of them";
        integer "num_bytes" "octets" "IP total lengths together";
        integer "num_psh_flags" "packets" "packets with PSH; 0 for UDP";
        integer "num_rst_flags" "packets" "packets with RST; 0 for UDP";
        integer "num_urg_flags" "packets" "packets with URG; 0 for UDP";
        }
        &[
            Column::text("sec_ip_src", "minute of the capture in which the flow began, `_`, source address")
                .quirk("minutes begin anew after a day"),
            Column::integer("num_src_flows", "flows", "biflows of this source address")
                .quirk("of a row that had to be given out early: among the flows kept at that moment"),
            Column::real("src_ip_dst_prt_delta", "", "mean difference of neighbours among the sorted destination ports of this \
                source's biflows").quirk("the port itself where there is one biflow only; ports are not made unique"),
        ]
    },
};

/// Both directions of a 5-tuple.
struct Biflow {
    /// The direction seen first.
    forward: Tuple,
    sides: [Moments; 2],
    minute: u64,
    label: LabelId,
}

impl Biflow {
    fn is_paired(&self) -> bool {
        self.sides[1].packets > 0 || self.forward == self.forward.reverse()
    }

    /// Whether it gives a row at all.
    fn counts(&self) -> bool {
        self.is_paired() || self.forward.protocol == UDP
    }
}

/// What the biflows of one source have in common.
#[derive(Clone, Copy)]
struct Source {
    flows: u64,
    lowest: u16,
    highest: u16,
}

/// Makes [`BIFLOW`] rows.
pub struct Biflows {
    kept: Kept<Tuple, Biflow>,
    start: Option<Timestamp>,
    sources: HashMap<Address, Source>,
}

impl Biflows {
    /// Keeps so many flows at once.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { kept: Kept::new(capacity), start: None, sources: HashMap::new() }
    }

    /// Gives out some of the entries: pairs first, then what is alone.
    fn give_out(&mut self, wanted: impl Fn(&Entry<Tuple, Biflow>) -> bool, rows: &mut dyn Rows) {
        self.sources.clear();
        for flow in self.kept.entries().iter().map(|entry| &entry.value).filter(|flow| flow.counts()) {
            let port = flow.forward.dst_port;
            let new = Source { flows: 0, lowest: port, highest: port };
            let source = self.sources.entry(flow.forward.src).or_insert(new);
            source.flows += 1;
            source.lowest = source.lowest.min(port);
            source.highest = source.highest.max(port);
        }
        for paired in [true, false] {
            let entries = self.kept.entries().iter().filter(|entry| wanted(entry));
            let flows = entries.map(|entry| &entry.value).filter(|flow| flow.counts());
            for flow in flows.filter(|flow| flow.is_paired() == paired) {
                if let Some(source) = self.sources.get(&flow.forward.src) {
                    give(flow, source, rows);
                }
            }
        }
    }
}

fn give(flow: &Biflow, source: &Source, rows: &mut dyn Rows) {
    let Biflow { forward, sides: [there, back], minute, label } = flow;
    let back = if back.packets == 0 { there } else { back };
    let (f, b) = (there.figures(), back.figures());
    let mut sec_ip_src: heapless::String<48> = heapless::String::new();
    // A number and an address fit.
    let _ = write!(sec_ip_src, "{minute}_{}", forward.src.ip());
    let span = source.highest - source.lowest;
    let delta = match source.flows {
        1 => forward.dst_port.into(),
        flows => f64::from(span) / (flows - 1) as f64,
    };
    let real = |of: fn(&Figures) -> f64| [Cell::Real(of(&f)), Cell::Real(of(&b))];
    let count = |of: fn(&Moments) -> u64| [of(there).into(), of(back).into()];
    let head = [
        Cell::Address(forward.src),
        Cell::Address(forward.dst),
        forward.src_port.into(),
        forward.dst_port.into(),
        forward.protocol.into(),
    ];
    let pairs = [
        count(|m| m.packets),
        real(|f| f.mean_iat),
        real(|f| f.std_iat),
        real(|f| f.min_iat),
        real(|f| f.max_iat),
        real(|f| f.mean_offset),
        real(|f| f.mean_pkt_len),
        real(|f| f.std_pkt_len),
        real(|f| f.min_pkt_len),
        real(|f| f.max_pkt_len),
        count(|m| m.octets),
        count(|m| m.psh),
        count(|m| m.rst),
        count(|m| m.urg),
    ];
    let tail = [sec_ip_src.as_str().into(), source.flows.into(), Cell::Real(delta)];
    let mut cells = [Cell::Empty; BIFLOW.columns.len()];
    let all = head.iter().chain(pairs.as_flattened()).chain(&tail);
    cells.iter_mut().zip(all).for_each(|(cell, value)| *cell = *value);
    rows.row(&cells, Some(*label));
}

impl Extractor for Biflows {
    fn frame(&mut self, frame: &Frame<'_>, label: LabelId, _: Option<&Labeller>, rows: &mut dyn Rows) {
        let start = *self.start.get_or_insert(frame.ts);
        let Some(seen) = Seen::of(frame) else { return };
        let reverse = seen.tuple.reverse();
        let (a, b) = (seen.tuple, reverse);
        let key = if (a.src, a.src_port) <= (b.src, b.src_port) { a } else { b };
        if self.kept.is_full_for(&[key]) {
            self.kept.choose_leaving();
            self.give_out(|entry| entry.leaves, rows);
            self.kept.remove_leaving();
        }
        let minute = frame.ts.micros_since(start) / 1_000_000 % 86_400 / 60;
        let new = || Biflow { forward: seen.tuple, sides: [Moments::default(); 2], minute, label };
        let flow = self.kept.get(key, frame.ts, new);
        let way = usize::from(flow.forward != seen.tuple);
        flow.sides[way].add(&seen);
        flow.label = flow.label.or(label);
    }

    fn finish(&mut self, _: Option<&Labeller>, rows: &mut dyn Rows) {
        self.give_out(|_| true, rows);
    }

    fn evicted(&self) -> u64 {
        self.kept.evicted
    }
}
