//! The semantics of the MQTT-IoT-IDS2020 scripts, one contract each.

use picket::extract::catalogue::Options;

use crate::support::capture::{ACK, Capture, FIN, RST, SECOND, START, SYN, SYN_ACK, datagram, host, segment};
use crate::{numbers, rows, rows_with};

const A: (u16, u16) = (7, 40_000);
const B: (u16, u16) = (1, 1883);

/// A frame between two ends of the tests' network.
fn tcp(from: (u16, u16), to: (u16, u16), flags: crate::support::capture::Flags, payload: &[u8]) -> Vec<u8> {
    segment((host(from.0), from.1), (host(to.0), to.1), 1, 1, flags, payload)
}

fn udp(from: (u16, u16), to: (u16, u16), payload: &[u8]) -> Vec<u8> {
    datagram((host(from.0), from.1), (host(to.0), to.1), payload)
}

fn capture(frames: Vec<(u64, Vec<u8>)>) -> Capture {
    Capture { frames: frames.into_iter().map(|(after, frame)| (START + after, frame)).collect() }
}

#[test]
fn a_uniflow_has_no_timeout_and_no_end() {
    let day = 86_400 * SECOND;
    let capture = capture(vec![
        (0, tcp(A, B, SYN, b"")),
        (SECOND, tcp(A, B, FIN, b"")),
        (2 * SECOND, tcp(A, B, RST, b"")),
        // The same ports ten days later.
        (10 * day, tcp(A, B, SYN, b"")),
    ]);
    let table = rows("hindy-uniflow", &capture);
    assert_eq!(numbers(&table, "num_pkts"), [4.0]);
    assert_eq!(numbers(&table, "max_iat"), [864_000.0 - 2.0]);
    assert_eq!(numbers(&table, "num_rst_flags"), [1.0]);
}

#[test]
fn figures_of_a_uniflow_by_hand() {
    let capture = capture(vec![
        (0, tcp(A, B, ACK, &[0; 10])),
        (SECOND, tcp(A, B, ACK, &[0; 30])),
        (4 * SECOND, tcp(A, B, ACK, b"")),
    ]);
    let table = rows("hindy-uniflow", &capture);
    // IP total lengths 50, 70 and 40; times 1 s and 3 s.
    for (column, expected) in [
        ("proto", 6.0),
        ("mean_iat", 2.0),
        ("std_iat", 1.0),
        ("min_iat", 1.0),
        ("max_iat", 3.0),
        // The mean of 1 s and 4 s: an extra column of the scripts.
        ("mean_offset", 2.5),
        ("mean_pkt_len", 160.0 / 3.0),
        ("std_pkt_len", (1400.0_f64 / 9.0).sqrt()),
        ("min_pkt_len", 40.0),
        ("max_pkt_len", 70.0),
        ("num_bytes", 160.0),
        ("num_psh_flags", 2.0),
        ("num_urg_flags", 0.0),
    ] {
        let value = numbers(&table, column)[0];
        assert!((value - expected).abs() < 1e-12 * expected.max(1.0), "{column}: {value}");
    }
}

#[test]
fn times_are_double_precision_since_1970() {
    let capture = capture(vec![(0, tcp(A, B, SYN, b"")), (1, tcp(A, B, ACK, b""))]);
    let iat = numbers(&rows("hindy-uniflow", &capture), "min_iat")[0];
    let step = 2.0_f64.powi(-22);
    assert!(iat > 0.0 && iat % step == 0.0 && (iat - 1e-6).abs() <= step, "{iat}");
}

#[test]
fn a_tcp_flow_without_its_reverse_is_no_biflow() {
    let capture = capture(vec![
        (0, tcp(A, B, SYN, b"")),
        (10, tcp((8, 5000), B, SYN, b"")),
        (20, tcp(B, (8, 5000), SYN_ACK, b"")),
    ]);
    let table = rows("hindy-biflow", &capture);
    assert_eq!(table.column("ip_src"), ["10.0.0.8"]);
    assert_eq!(rows("hindy-uniflow", &capture).rows.len(), 3);
}

#[test]
fn a_udp_flow_without_its_reverse_is_its_own_reverse_and_comes_last() {
    let capture = capture(vec![
        (0, udp((9, 6000), (1, 53), b"alone")),
        (5 * SECOND, udp((9, 6000), (1, 53), b"again")),
        (6 * SECOND, udp((8, 6000), (1, 53), b"question")),
        (7 * SECOND, udp((1, 53), (8, 6000), b"long answer")),
    ]);
    let table = rows("hindy-biflow", &capture);
    assert_eq!(table.column("ip_src"), ["10.0.0.8", "10.0.0.9"]);
    assert_eq!(numbers(&table, "fwd_num_bytes"), [36.0, 66.0]);
    assert_eq!(numbers(&table, "bwd_num_bytes"), [39.0, 66.0]);
    assert_eq!(numbers(&table, "bwd_mean_iat"), [0.0, 5.0]);
}

#[test]
fn a_biflow_tells_its_minute_and_what_its_source_does() {
    let mut frames = vec![(0, tcp((20, 1), (21, 2), ACK, b""))];
    for (n, port) in [80, 90, 86].into_iter().enumerate() {
        let at = (n as u64 + 1) * 59 * SECOND;
        frames.push((at, tcp((7, 4000 + n as u16), (1, port), SYN, b"")));
        frames.push((at + 1, tcp((1, port), (7, 4000 + n as u16), SYN_ACK, b"")));
    }
    frames.push((181 * SECOND, tcp((8, 1), B, SYN, b"")));
    frames.push((181 * SECOND, tcp(B, (8, 1), SYN_ACK, b"")));
    let table = rows("hindy-biflow", &capture(frames));
    assert_eq!(table.column("sec_ip_src"), ["0_10.0.0.7", "1_10.0.0.7", "2_10.0.0.7", "3_10.0.0.8"]);
    assert_eq!(numbers(&table, "num_src_flows"), [3.0, 3.0, 3.0, 1.0]);
    // Sorted 80, 86, 90; of a single flow the port.
    assert_eq!(numbers(&table, "src_ip_dst_prt_delta"), [5.0, 5.0, 5.0, 1883.0]);
}

#[test]
fn other_protocols_and_ipv6_are_left_out() {
    let v6 = |last: u16| std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last).into();
    let frame = segment((v6(1), 1), (v6(2), 2), 1, 1, SYN, b"");
    let mut icmp = udp(A, B, b"12345678");
    icmp[23] = 1;
    let capture = capture(vec![(0, frame), (1, icmp)]);
    for schema in ["hindy-uniflow", "hindy-biflow", "hindy-packet", "siuru-packet", "siuru-host"] {
        assert!(rows(schema, &capture).rows.is_empty(), "{schema}");
    }
}

#[test]
fn a_full_table_gives_its_oldest_eighth_early_and_loses_nothing() {
    let mut frames = Vec::new();
    for n in 0..1000_u16 {
        let at = u64::from(n) * 10;
        let client = (1000 + n, 5000);
        frames.push((at, tcp(client, B, SYN, b"")));
        frames.push((at + 1, tcp(B, client, SYN_ACK, b"")));
    }
    let capture = capture(frames);
    let options = Options { capacity: 64, ..Options::default() };
    for (schema, count, packets, flows) in
        [("hindy-uniflow", 2000, "num_pkts", 1.0), ("hindy-biflow", 1000, "fwd_num_pkts", 1.0)]
    {
        let table = rows_with(schema, &options, &capture);
        assert_eq!(table.rows.len(), count, "{schema}");
        assert!(numbers(&table, packets).iter().all(|packets| *packets == flows));
        assert!(table.evicted >= count as u64 - 64, "{}", table.evicted);
        let all = rows(schema, &capture);
        assert_eq!(all.evicted, 0);
        // Nothing but the source's counts depends on what else is kept.
        let place =
            table.header.iter().position(|name| name == "num_src_flows").unwrap_or(table.header.len());
        let cut = |rows: &[Vec<String>]| -> Vec<Vec<String>> {
            rows.iter().map(|row| row[..place].to_vec()).collect()
        };
        assert_eq!(cut(&table.rows), cut(&all.rows));
    }
}

#[test]
fn a_packet_has_its_cells() {
    let mut frames = vec![
        (0, tcp(A, (1, 4711), ACK, b"unknown")),
        (1, udp(A, (1, 53), b"question")),
        (2, tcp(A, (1, 53), SYN, b"")),
    ];
    frames[0].1[20] = 0x40;
    let table = rows("hindy-packet", &capture(frames));
    assert_eq!(table.column("protocol"), ["DATA", "DNS", "TCP"]);
    assert_eq!(table.column("ttl"), ["64"; 3]);
    assert_eq!(table.column("ip_flag_df")[0], "1");
    assert_eq!(table.column("tcp_flag_push"), ["1", "", "0"]);
    assert_eq!(table.column("tcp_flag_syn"), ["0", "", "1"]);
    assert_eq!(table.column("mqtt_messagetype"), [""; 3]);
    assert_eq!(table.column("timestamp")[1], format!("{}.000001000", START / SECOND));
}
