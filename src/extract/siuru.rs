//! The schemas of SIURU (NII IoT anomaly detection): what its C++ extractor prints of a packet, and the host and window
//! features that its Python processors make of these lines.

use super::ipv4::Ipv4;
use super::kept::Kept;
use super::schema::{Column, Definition};
use super::{Cell, Extractor, Rows};
use crate::decode::Address;
use crate::frame::Frame;
use crate::label::{LabelId, Labeller};
use crate::time::Timestamp;

const ORIGIN: &str = "SIURU, NII IoT anomaly detection (Fukuda laboratory)";
const TCP_ONLY: &str = "IPv4 with TCP only: everything else gives no row and changes none. Of a tunnel the outer packet counts; \
     fragments do not count";

/// One row per packet.
pub const PACKET: Definition = Definition {
    name: "siuru-packet",
    version: 1,
    origin: ORIGIN,
    row: "One row per TCP segment over IPv4, as its C++ extractor prints it",
    quirks: &[
        TCP_ONLY,
        "Its packet models see twelve of these: both header lengths, `ip_data_len`, the flags, and `tcp_size`, which is \
         `ip_data_len` less `tcp_header_len`",
    ],
    columns: &[
        Column::text("src_ip", "source address"),
        Column::text("dst_ip", "destination address"),
        Column::integer("src_port", "", "source port"),
        Column::integer("dst_port", "", "destination port"),
        Column::text("tcp", "transport protocol").quirk("always the word `tcp`"),
        Column::integer("ts_us", "us", "time of capture since 1970"),
        Column::integer("ip_header_len", "octets", "length of the IP header"),
        Column::integer("ip_data_len", "octets", "IP total length less the header"),
        Column::integer("CWR", "flag", "CWR"),
        Column::integer("ECE", "flag", "ECE"),
        Column::integer("URG", "flag", "URG"),
        Column::integer("ACK", "flag", "ACK"),
        Column::integer("PSH", "flag", "PSH"),
        Column::integer("RST", "flag", "RST"),
        Column::integer("SYN", "flag", "SYN"),
        Column::integer("FIN", "flag", "FIN"),
        Column::integer("tcp_header_len", "octets", "length of the TCP header"),
    ],
};

/// One row per packet, of its hosts.
pub const HOST: Definition = Definition {
    name: "siuru-host",
    version: 1,
    origin: ORIGIN,
    row: "One row per TCP segment over IPv4: what its source and destination sent and received since the beginning",
    quirks: &[
        TCP_ONLY,
        "Counters run from the first packet on, without windows",
        "The names say received where packets *from* the source are counted, and sent where packets *to* the \
         destination are",
    ],
    columns: &[
        Column::integer("host_rcv_pkt_count", "packets", "packets from the source address so far"),
        Column::integer("host_sum_rcv_pkt_size", "octets", "their IP data, together"),
        Column::real("host_avg_rcv_pkt_size", "octets", "their mean IP data"),
        Column::integer("host_sent_pkt_count", "packets", "packets to the destination address so far"),
        Column::integer("host_sum_sent_pkt_size", "octets", "their IP data, together"),
        Column::real(
            "host_avg_sent_pkt_size",
            "octets",
            "meant as the mean IP data of packets to the destination",
        )
        .quirk("is the sum *from the source* divided by the count *to the destination*"),
        Column::integer(
            "host_inter_arrival_last",
            "us",
            "time since the packet before from this source; 0 for its first",
        ),
        Column::real("host_inter_arrival_avg", "us", "mean of these times so far; 0 for the first packet"),
        Column::integer("host_conn_timedelta", "us", "time since the first packet from this source"),
    ],
};

/// One row per window of a flow.
pub const WINDOW: Definition = Definition {
    name: "siuru-window",
    version: 1,
    origin: ORIGIN,
    row: "One row per window of a unidirectional TCP 5-tuple over IPv4; `--window-ms` says how long a window is",
    quirks: &[
        TCP_ONLY,
        "A window begins with a packet; its row comes with the first packet *more than* the window's length later, \
         which then begins the next one",
        "The last window of a flow is never given out",
    ],
    columns: &[
        Column::integer("pkt_count", "packets", "packets of the window"),
        Column::integer("sum_pkt_size", "octets", "their IP data, together"),
        Column::real("avg_pkt_size", "octets", "their mean IP data"),
        Column::real("inter_arrival_avg", "us", "mean time since the packet before in the flow")
            .quirk("the sum of the times is divided by the packets, not by the times; it holds the time before the window's first packet, except in the first window"),
    ],
};

/// Makes [`PACKET`] rows.
#[derive(Default)]
pub struct Packets;

impl Extractor for Packets {
    #[inline]
    fn frame(&mut self, frame: &Frame<'_>, label: LabelId, _: Option<&Labeller>, rows: &mut dyn Rows) {
        let Some(Segment { ip, tcp }) = Segment::of(frame) else { return };
        let flag = |bit: u32| Cell::Integer((tcp.flags >> bit & 1).into());
        let cells = [
            Cell::Address(ip.src),
            Cell::Address(ip.dst),
            tcp.src_port.into(),
            tcp.dst_port.into(),
            Cell::Text(b"tcp"),
            frame.ts.as_micros().into(),
            ip.header_len.into(),
            ip.data_len().into(),
            flag(7),
            flag(6),
            flag(5),
            flag(4),
            flag(3),
            flag(2),
            flag(1),
            flag(0),
            tcp.header_len.into(),
        ];
        rows.row(&cells, Some(label));
    }
}

/// A TCP segment as these extractors see one.
struct Segment<'a> {
    ip: Ipv4<'a>,
    tcp: super::ipv4::Tcp,
}

impl<'a> Segment<'a> {
    #[inline]
    fn of(frame: &Frame<'a>) -> Option<Self> {
        let ip = Ipv4::of(frame)?;
        if ip.is_fragment() {
            return None;
        }
        Some(Self { tcp: ip.tcp()?, ip })
    }
}

/// What is known of one host.
#[derive(Clone, Copy, Default)]
struct Host {
    from_packets: u64,
    from_octets: u64,
    to_packets: u64,
    to_octets: u64,
    first: Timestamp,
    last: Timestamp,
    gaps_us: i64,
}

/// Makes [`HOST`] rows.
pub struct Hosts {
    kept: Kept<Address, Host>,
}

impl Hosts {
    /// Keeps so many hosts at once; the counters of one that was given up begin anew.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { kept: Kept::new(capacity) }
    }
}

impl Extractor for Hosts {
    fn frame(&mut self, frame: &Frame<'_>, label: LabelId, _: Option<&Labeller>, rows: &mut dyn Rows) {
        let Some(Segment { ip, .. }) = Segment::of(frame) else { return };
        let (now, size) = (frame.ts, u64::from(ip.data_len()));
        if self.kept.is_full_for(&[ip.src, ip.dst]) {
            self.kept.choose_leaving();
            self.kept.remove_leaving();
        }
        let destination = self.kept.get(ip.dst, now, Host::default);
        destination.to_packets += 1;
        destination.to_octets += size;
        let (to_packets, to_octets) = (destination.to_packets, destination.to_octets);
        let source = self.kept.get(ip.src, now, Host::default);
        let is_first = source.from_packets == 0;
        source.from_packets += 1;
        source.from_octets += size;
        if is_first {
            source.first = now;
        }
        let gap = if is_first { 0 } else { between(source.last, now) };
        source.gaps_us += gap;
        source.last = now;
        let gaps = source.from_packets - 1;
        let octets = source.from_octets as f64;
        let cells = [
            source.from_packets.into(),
            source.from_octets.into(),
            Cell::Real(octets / source.from_packets as f64),
            to_packets.into(),
            to_octets.into(),
            Cell::Real(octets / to_packets as f64),
            Cell::Integer(gap),
            Cell::Real(if gaps == 0 { 0.0 } else { source.gaps_us as f64 / gaps as f64 }),
            Cell::Integer(between(source.first, now)),
        ];
        rows.row(&cells, Some(label));
    }

    fn evicted(&self) -> u64 {
        self.kept.evicted
    }
}

/// Source, destination and their ports.
type Tuple = (Address, Address, u16, u16);

/// The window of a flow.
struct Window {
    packets: u64,
    octets: u64,
    gaps_us: i64,
    first: Timestamp,
    last: Timestamp,
    label: LabelId,
}

/// Makes [`WINDOW`] rows.
pub struct Windows {
    kept: Kept<Tuple, Window>,
    length_us: i64,
}

impl Windows {
    /// Windows of so many milliseconds; keeps so many flows at once, whose windows are not given out when they are given up.
    #[must_use]
    pub fn new(capacity: usize, length_ms: u32) -> Self {
        Self { kept: Kept::new(capacity), length_us: i64::from(length_ms) * 1000 }
    }
}

impl Extractor for Windows {
    fn frame(&mut self, frame: &Frame<'_>, label: LabelId, _: Option<&Labeller>, rows: &mut dyn Rows) {
        let Some(Segment { ip, tcp }) = Segment::of(frame) else { return };
        let (now, size) = (frame.ts, u64::from(ip.data_len()));
        let begin = || Window { packets: 0, octets: 0, gaps_us: 0, first: now, last: now, label };
        let window = self.kept.get_or_forget((ip.src, ip.dst, tcp.src_port, tcp.dst_port), now, begin);
        let gap = between(window.last, now);
        if between(window.first, now) > self.length_us {
            let packets = window.packets as f64;
            let cells = [
                window.packets.into(),
                window.octets.into(),
                Cell::Real(window.octets as f64 / packets),
                Cell::Real(window.gaps_us as f64 / packets),
            ];
            rows.row(&cells, Some(window.label));
            *window = begin();
        }
        window.packets += 1;
        window.octets += size;
        window.gaps_us += gap;
        window.last = now;
        window.label = window.label.or(label);
    }

    fn evicted(&self) -> u64 {
        self.kept.evicted
    }
}

/// Microseconds from one moment to another; negative when the capture's clock went back.
fn between(from: Timestamp, to: Timestamp) -> i64 {
    to.as_micros().cast_signed().wrapping_sub(from.as_micros().cast_signed())
}
