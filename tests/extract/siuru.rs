//! The semantics of SIURU's extractor and processors, one contract each.

use picket::extract::catalogue::Options;

use crate::support::capture::{ACK, Capture, START, datagram, host, segment};
use crate::{numbers, rows, rows_with};

const MS: u64 = 1000;

/// Segments of one flow, each with so many octets of payload.
fn flow(from: u16, to: u16, segments: &[(u64, usize)]) -> Capture {
    let ends = ((host(from), 5000), (host(to), 1883));
    let frame = |payload: usize| segment(ends.0, ends.1, 1, 1, ACK, &vec![0; payload]);
    Capture { frames: segments.iter().map(|(at, payload)| (START + at, frame(*payload))).collect() }
}

#[test]
fn a_window_comes_late_and_the_last_one_never() {
    let capture = flow(7, 1, &[(0, 0), (4 * MS, 10), (30 * MS, 20), (90 * MS, 0)]);
    let table = rows("siuru-window", &capture);
    assert_eq!(numbers(&table, "pkt_count"), [2.0, 1.0]);
    assert_eq!(numbers(&table, "sum_pkt_size"), [50.0, 40.0]);
    assert_eq!(numbers(&table, "avg_pkt_size"), [25.0, 40.0]);
    // 4 ms over two packets, not over one time; then the 26 ms before the window's first packet count.
    assert_eq!(numbers(&table, "inter_arrival_avg"), [2000.0, 26_000.0]);
}

#[test]
fn a_window_ends_with_more_than_its_length() {
    let capture = flow(7, 1, &[(0, 0), (10 * MS, 0), (10 * MS + 1, 0)]);
    assert_eq!(numbers(&rows("siuru-window", &capture), "pkt_count"), [2.0]);
    let longer = Options { window_ms: 11, ..Options::default() };
    assert!(rows_with("siuru-window", &longer, &capture).rows.is_empty());
}

#[test]
fn windows_are_of_one_direction_each() {
    let capture = flow(7, 1, &[(0, 0), (50 * MS, 0)]).with(flow(1, 7, &[(10, 0), (20, 0)]));
    assert_eq!(numbers(&rows("siuru-window", &capture), "pkt_count"), [1.0]);
}

#[test]
fn the_mean_of_what_was_sent_mixes_source_and_destination() {
    let capture = flow(7, 1, &[(0, 80), (10, 80)]).with(flow(8, 1, &[(20, 0)])).with(flow(7, 1, &[(30, 80)]));
    let table = rows("siuru-host", &capture);
    // From 10.0.0.8: one packet of 20; to 10.0.0.1: the third one.
    assert_eq!(numbers(&table, "host_sent_pkt_count"), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(numbers(&table, "host_sum_sent_pkt_size"), [100.0, 200.0, 220.0, 320.0]);
    assert_eq!(numbers(&table, "host_avg_sent_pkt_size"), [100.0, 100.0, 20.0 / 3.0, 75.0]);
    assert_eq!(numbers(&table, "host_rcv_pkt_count"), [1.0, 2.0, 1.0, 3.0]);
    assert_eq!(numbers(&table, "host_inter_arrival_last"), [0.0, 10.0, 0.0, 20.0]);
    assert_eq!(numbers(&table, "host_inter_arrival_avg"), [0.0, 10.0, 0.0, 15.0]);
    assert_eq!(numbers(&table, "host_conn_timedelta"), [0.0, 10.0, 0.0, 30.0]);
}

#[test]
fn a_packet_line() {
    let capture = flow(7, 1, &[(5, 3)]);
    let table = rows("siuru-packet", &capture);
    let line = table.rows[0].join(",");
    assert_eq!(line, format!("10.0.0.7,10.0.0.1,5000,1883,tcp,{},20,23,0,0,0,1,1,0,0,0,20", START + 5));
}

#[test]
fn neither_udp_nor_fragments_count() {
    let udp = datagram((host(7), 1), (host(1), 2), b"x");
    let mut fragment = flow(7, 1, &[(0, 8)]);
    // More fragments.
    fragment.frames[0].1[20] = 0x20;
    let capture = Capture { frames: vec![(START, udp), (START, fragment.frames.remove(0).1)] };
    for schema in ["siuru-packet", "siuru-host", "siuru-window"] {
        assert!(rows(schema, &capture).rows.is_empty(), "{schema}");
    }
}

#[test]
fn hosts_and_windows_are_bounded() {
    let mut capture = Capture::default();
    for n in 0..500 {
        capture.frames.extend(flow(1000 + n, 1, &[(u64::from(n) * 100, 0)]).frames);
    }
    let options = Options { capacity: 32, ..Options::default() };
    for schema in ["siuru-host", "siuru-window"] {
        let table = rows_with(schema, &options, &capture);
        assert!(table.evicted >= 500 - 32, "{schema}: {}", table.evicted);
    }
    // The destination was seen all the time, so it was never among the oldest.
    let table = rows_with("siuru-host", &options, &capture);
    assert_eq!(numbers(&table, "host_sent_pkt_count").last(), Some(&500.0));
}
