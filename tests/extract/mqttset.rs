//! What tshark makes of frames, one contract each.

use picket::extract::catalogue::Options;
use picket::frame::{Frame, LinkType};
use picket::time::Timestamp;

use crate::support::capture::{ACK, Capture, SECOND, START, SYN, datagram, host, segment};
use crate::support::conversation::Conversation;
use crate::support::extract::extract_frames;
use crate::support::mqtt::{
    Connect, SubAck, V5, V31, V311, Version, Will, accepted, puback, publish, publish_qos1,
};
use crate::{rows, rows_with};

fn talk(version: Version) -> Conversation {
    Conversation::new((host(7), 40_000), (host(1), 1883), START).open().connect(&Connect::new(version, "c"))
}

/// The last row that has MQTT.
fn last_with_mqtt(capture: &Capture, column: &str) -> String {
    let table = rows("mqttset", capture);
    let seen = table.column("mqtt.msgtype").iter().rposition(|cell| !cell.is_empty()).unwrap();
    table.column(column)[seen].to_owned()
}

#[test]
fn of_each_field_the_first_value_of_the_frame_counts() {
    let mut talk = talk(V311);
    let both = [puback(9), publish_qos1(V311, "t", 5, b"12"), publish(V311, "u", b"3")].concat();
    talk.send(&both);
    let capture = talk.close();
    let cell = |column| last_with_mqtt(&capture, column);
    assert_eq!(
        (cell("mqtt.msgtype"), cell("mqtt.hdrflags"), cell("mqtt.len")),
        ("4".into(), "0x40".into(), "2".into())
    );
    assert_eq!(
        (cell("mqtt.msgid"), cell("mqtt.qos"), cell("mqtt.msg")),
        ("9".into(), "1".into(), "3132".into())
    );
}

#[test]
fn a_split_packet_belongs_to_the_frame_that_completes_it() {
    let connect = Connect::new(V311, "client").keep_alive(65_535).encode();
    let mut talk = Conversation::new((host(7), 40_000), (host(1), 1883), START).open();
    let (most, rest) = connect.split_at(connect.len() - 2);
    talk.send(most);
    talk.send(rest);
    let table = rows("mqttset", &talk.close());
    let lengths = table.column("tcp.len");
    let first = lengths.iter().position(|len| *len == most.len().to_string()).unwrap();
    let second = lengths.iter().position(|len| *len == "2").unwrap();
    let keep_alive = table.column("mqtt.kalive");
    assert_eq!((keep_alive[first], keep_alive[second]), ("", "65535"));
}

#[test]
fn connect_and_connack_by_field() {
    let connect = Connect::new(V311, "c").login("u", "p").will(Will::new("a,b", "bye").qos(1).retain());
    let talk = Conversation::new((host(7), 40_000), (host(1), 1883), START).open().connect(&connect);
    let table = rows("mqttset", &talk.close());
    let row = table.column("mqtt.msgtype").iter().position(|cell| *cell == "1").unwrap();
    for (column, expected) in [
        ("mqtt.conflags", "0xee"),
        ("mqtt.conflag.uname", "1"),
        ("mqtt.conflag.passwd", "1"),
        ("mqtt.conflag.retain", "1"),
        ("mqtt.conflag.qos", "1"),
        ("mqtt.conflag.willflag", "1"),
        ("mqtt.conflag.cleansess", "1"),
        ("mqtt.conflag.reserved", "0"),
        ("mqtt.proto_len", "4"),
        ("mqtt.protoname", "MQTT"),
        ("mqtt.ver", "4"),
        ("mqtt.willtopic", "a,b"),
        ("mqtt.willtopic_len", "3"),
        ("mqtt.willmsg", "627965"),
        ("mqtt.willmsg_len", "3"),
        ("mqtt.conack.val", ""),
    ] {
        assert_eq!(table.column(column)[row], expected, "{column}");
    }
    let row = table.column("mqtt.msgtype").iter().position(|cell| *cell == "2").unwrap();
    let flags =
        ["mqtt.conack.flags", "mqtt.conack.flags.reserved", "mqtt.conack.flags.sp", "mqtt.conack.val"];
    assert_eq!(flags.map(|column| table.column(column)[row]), ["0x00", "0", "0", "0"]);
}

#[test]
fn versions_differ_as_in_tshark() {
    let suback = |version| {
        let mut talk = talk(version);
        talk.reply(&SubAck::new(version, 3, &[1]).encode());
        last_with_mqtt(&talk.close(), "mqtt.suback.qos")
    };
    assert_eq!((suback(V311), suback(V5)), ("1".into(), String::new()));
    let connack = |version| {
        let table = rows("mqttset", &talk(version).close());
        let row = table.column("mqtt.msgtype").iter().position(|cell| *cell == "2").unwrap();
        [table.column("mqtt.conack.flags")[row].to_owned(), table.column("mqtt.conack.val")[row].to_owned()]
    };
    assert_eq!(accepted(V31)[0], 0x20);
    assert_eq!(connack(V31), ["", "0"]);
    assert_eq!(connack(V311), ["0x00", "0"]);
    assert_eq!(connack(V5), ["0x00", ""]);
}

#[test]
fn payloads_are_left_out_on_demand() {
    let mut talk = talk(V311);
    talk.send(&publish(V311, "t", b"secret"));
    let capture = talk.close();
    assert_eq!(last_with_mqtt(&capture, "mqtt.msg"), "736563726574");
    let table = rows_with("mqttset", &Options { payloads: false, ..Options::default() }, &capture);
    assert!(table.column("mqtt.msg").iter().all(|cell| cell.is_empty()));
    assert!(table.column("mqtt.len").contains(&"9"));
}

#[test]
fn a_repeated_segment_has_no_mqtt() {
    let mut talk = talk(V311);
    talk.send(&publish(V311, "t", b"1"));
    let mut capture = talk.left_open();
    let table = rows("mqttset", &capture);
    let sent = table.column("mqtt.msgtype").iter().rposition(|cell| *cell == "3").unwrap();
    let again = capture.frames[sent].1.clone();
    capture.push(START + 60 * SECOND, again);
    let table = rows("mqttset", &capture);
    assert_eq!(table.column("mqtt.msgtype").last(), Some(&""));
    assert_eq!(table.column("tcp.len").last(), Some(&"6"));
}

#[test]
fn a_row_for_every_frame_and_time_by_stream() {
    let ends = ((host(7), 40_000), (host(1), 1883));
    let back = segment(ends.1, ends.0, 9, 1, ACK, b"");
    let capture = Capture {
        frames: vec![
            (START, segment(ends.0, ends.1, 1, 0, SYN, b"")),
            (START + 5, datagram((host(9), 1), (host(1), 2), b"no TCP")),
            (START + 30, back.clone()),
            // Sent again: the same stream.
            (START + 40, segment(ends.0, ends.1, 1, 0, SYN, b"")),
            // The ports are used again: another stream.
            (START + 90, segment(ends.0, ends.1, 5000, 0, SYN, b"")),
            (START + 95, back),
        ],
    };
    let table = rows("mqttset", &capture);
    assert_eq!(
        table.column("tcp.time_delta"),
        ["0.000000000", "", "0.000030000", "0.000010000", "0.000000000", "0.000005000"]
    );
    assert_eq!(table.column("tcp.flags"), ["0x0002", "", "0x0010", "0x0002", "0x0002", "0x0010"]);
    assert!(table.rows[1].iter().all(String::is_empty));
}

#[test]
fn nanoseconds_count() {
    let ends = ((host(7), 40_000), (host(1), 1883));
    let data = segment(ends.0, ends.1, 1, 0, ACK, b"");
    let table = extract_frames("mqttset", &Options::default(), |take| {
        for (micros, nanos) in [(START, 999), (START + 2, 1)] {
            let ts = Timestamp::from_micros(micros);
            take(&Frame { ts, nanos, link: LinkType::Ethernet, wire_len: data.len() as u32, data: &data });
        }
    });
    assert_eq!(table.column("tcp.time_delta"), ["0.000000000", "0.000001002"]);
}
