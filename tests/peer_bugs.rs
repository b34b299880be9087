//! The MQTT parser bugs of other monitors and brokers, each by its number: none of them is ours.
//!
//! Suricata: redmine.openinfosecfoundation.org. Zeek: github.com/zeek/zeek. nDPI: github.com/ntop/nDPI.
//! NanoMQ: github.com/nanomq/nanomq. EMQX: github.com/emqx/emqx.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test may panic, read the clock, and cast figures it made itself"
)]

mod support;

use std::time::Duration;

use picket::flow::key::Direction::{ToClient, ToServer};
use picket::mqtt::packet::PacketType::{
    self, Auth, ConnAck, Connect as ConnectType, Disconnect, PingReq, PingResp, PubAck, PubRec, Publish,
    SubAck, Subscribe,
};
use picket::mqtt::version::Version as Spoken;

use support::again::alone;
use support::capture::{ACK, Capture, START, host, segment};
use support::conversation::Conversation;
use support::mqtt::{
    Connect, V5, V311, Version, disconnect, packet, pingreq, pingresp, publish, publish_qos1, string, suback,
    subscribe,
};
use support::seen::see;

const CLIENT: (std::net::IpAddr, u16) = (std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7)), 40_007);

/// A session that was opened and accepted.
fn session(version: Version) -> Conversation {
    Conversation::new(CLIENT, (host(1), 1883), START).open().connect(&Connect::new(version, "device-7"))
}

/// Segments of a connection whose beginning was not captured.
fn middle(up: &[&[u8]]) -> Capture {
    let mut capture = Capture::default();
    let mut seq = 77_000;
    for (payload, at) in up.iter().zip(START..) {
        capture.push(at, segment(CLIENT, (host(1), 1883), seq, 9, ACK, payload));
        seq += payload.len() as u32;
    }
    capture
}

/// The fixed header that announces `length` octets, in four octets of length whether needed or not.
fn four_octet_header(first: u8, length: u32) -> Vec<u8> {
    let septet = |at: u32| (length >> (7 * at) & 0x7f) as u8;
    vec![first, septet(0) | 0x80, septet(1) | 0x80, septet(2) | 0x80, septet(3)]
}

// ---- Suricata ---------------------------------------------------------------------------------

/// A control packet whose fields run past its end must not trip the parser, whatever its type and length.
#[test]
fn suricata_3906_no_short_packet_of_any_type_trips_the_parser() {
    for version in [V311, V5] {
        for length in 0..12_usize {
            for filler in [0x00, 0x7f, 0xff] {
                let mut talk = session(version);
                let mut expected = vec![ConnectType];
                for first in 0..=255_u8 {
                    talk.send(&[&packet(first, &vec![filler; length])[..], &pingreq()].concat());
                    expected.extend([PacketType::of(first), PingReq]);
                }
                let (seen, _) = see(talk.close().iter());
                assert_eq!(seen.types_of(ToServer), expected, "{length} {filler:#04x}");
            }
        }
    }
}

/// Incomplete transactions must not be kept: 60,000 QoS 1 and 2 messages that nobody ever acknowledges, then one more.
#[test]
fn suricata_4862_unfinished_exchanges_cost_no_memory() {
    alone("suricata_4862_unfinished_exchanges_cost_no_memory", unfinished_exchanges);
}

fn unfinished_exchanges() {
    let mut talk = session(V311);
    for id in 1..=60_000_u16 {
        let mut message = publish_qos1(V311, "a/b", id, b"x");
        message[0] = if id % 2 == 0 { 0x32 } else { 0x34 };
        talk.send(&message);
    }
    talk.send(&disconnect());
    let before = resident();
    let (seen, stats) = see(talk.close().iter());
    assert_eq!(stats.control_packets[Publish as usize], 60_000);
    assert_eq!(seen.types().last(), Some(&Disconnect));
    // The engine's memory is fixed; what grows here is the test's own list of what it saw.
    let kept = seen.packets.len() * (size_of::<support::seen::Seen>() + 64);
    assert!(resident() < before + kept + (24 << 20), "{before} to {}", resident());
}

/// Resident memory of this process in octets.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// A packet announced as 256 MB that trickles in octet by octet must not be waited for with a buffer.
#[test]
fn suricata_5018_a_huge_packet_in_tiny_pieces_is_not_buffered() {
    let mut talk = session(V311);
    let length = 40_000_u32;
    let message = [four_octet_header(0x30, length), string("big"), vec![b'x'; length as usize - 5]].concat();
    for octet in message.chunks(7) {
        talk.send(octet);
    }
    talk.send(&pingreq());
    let (seen, _) = see(talk.close().iter());
    assert_eq!(seen.types_of(ToServer), [ConnectType, Publish, PingReq]);
    let shown = &seen.packets[2];
    assert!(shown.head.len() <= picket::limits::HEAD_BYTES && shown.remaining_length == length, "{shown:?}");
    assert!(shown.head.starts_with(&string("big")));

    // One that never comes: other packets of other connections are seen all the same.
    let mut liar = session(V311);
    liar.send(&four_octet_header(0x30, 0x0fff_ffff));
    liar.send(&[b'y'; 1000]);
    let mut honest = Conversation::new((host(8), 50_000), (host(1), 1883), START + 1)
        .open()
        .connect(&Connect::new(V311, "honest"));
    honest.send(&publish(V311, "a", b"1"));
    let (seen, _) = see(liar.left_open().with(honest.close()).iter());
    assert_eq!(seen.types().iter().filter(|seen| **seen == Publish).count(), 1);
}

/// A truncated packet: lengths inside it that point past its end, at every cut.
#[test]
fn suricata_5268_a_truncated_packet_underflows_nothing() {
    let mut full = string("MQTT");
    full.extend([5, 0xce, 0, 60, 8, 0x11, 0, 0, 0, 1, 0x21, 0, 9]);
    full.extend([&string("id")[..], &[5, 0x18, 0, 0, 0, 1], &string("will"), &string("gone")].concat());
    full.extend([string("user"), string("password")].concat());
    for cut in 0..full.len() {
        let mut talk = Conversation::new(CLIENT, (host(1), 1883), START).open();
        talk.send(&packet(0x10, &full[..cut]));
        talk.send(&pingreq());
        let (seen, _) = see(talk.close().iter());
        // A CONNECT without its protocol name cannot be told from noise on another port, but 1883 is MQTT.
        assert_eq!(seen.types_of(ToServer), [ConnectType, PingReq], "cut at {cut}");
        assert!(seen.packets[0].wrong, "cut at {cut}");
    }
    let mut talk = Conversation::new(CLIENT, (host(1), 1883), START).open();
    talk.send(&packet(0x10, &full));
    let (seen, _) = see(talk.close().iter());
    assert!(!seen.packets[0].wrong, "{:?}", seen.packets[0]);
}

/// Processor time of this thread.
fn processor_time() -> Duration {
    use nix::sys::resource::{UsageWho, getrusage};
    let used = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    let of = |time: nix::sys::time::TimeVal| {
        Duration::from_micros(time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64)
    };
    of(used.user_time())
}

/// How long the engine works on a capture; the best of three.
fn cost(capture: &Capture) -> Duration {
    let run = |_| {
        let started = processor_time();
        let outcome = support::observe::observe(capture);
        assert!(outcome.stats.control_packets.iter().sum::<u64>() > 0);
        processor_time() - started
    };
    (0..3).map(run).min().unwrap()
}

/// Wants the work for eight times as much to be at most three times eight as long: quadratic work would be 64 times.
fn expect_linear(some: &Capture, eightfold: &Capture) {
    let (some, eightfold) = (cost(some).max(Duration::from_millis(4)), cost(eightfold));
    assert!(eightfold < some * 24, "{some:?} became {eightfold:?}");
}

/// Many packets in one segment, and many exchanges open at once: the work grows with the octets, not with their square.
#[test]
fn suricata_5399_and_6100_many_packets_cost_linear_work() {
    let many = |segments: usize, message: &[u8]| {
        let mut talk = session(V311);
        for _ in 0..segments {
            talk.send(&message.repeat(60_000 / message.len()));
        }
        talk.close()
    };
    for message in
        [pingreq(), publish_qos1(V311, "a", 1, b""), subscribe(V311, 1, "#"), packet(0x62, &[0, 1])]
    {
        expect_linear(&many(1, &message), &many(8, &message));
    }
}

/// The same for packets of which every one is wrong.
#[test]
fn suricata_6299_many_anomalies_cost_linear_work() {
    let many = |segments: usize, message: &[u8]| {
        let mut talk = session(V311);
        for _ in 0..segments {
            talk.send(&message.repeat(60_000 / message.len()));
        }
        talk.close()
    };
    let wrong = [
        packet(0x36, &[&string("a/+")[..], &[0, 0]].concat()),
        packet(0x00, &[]),
        packet(0x80, &[0, 0]),
        packet(0x10, &string("MQTT")),
    ];
    for message in wrong {
        expect_linear(&many(1, &message), &many(8, &message));
    }
}

/// Several packets in a segment, some of which begin in it and end in the next: each is found with its own length.
#[test]
fn suricata_6592_packets_that_share_segments_keep_their_boundaries() {
    let messages = [
        publish(V311, "one", &[1; 40]),
        publish_qos1(V311, "two", 2, &[2; 300]),
        pingreq(),
        subscribe(V311, 3, "three/#"),
        publish(V311, "four", &[4; 2000]),
        disconnect(),
    ];
    let stream = messages.concat();
    for size in [1, 2, 3, 5, 64, 333, 1400, stream.len()] {
        let mut talk = session(V311);
        stream.chunks(size).for_each(|piece| talk.send(piece));
        let (seen, _) = see(talk.close().iter());
        let found: Vec<(u8, u32)> =
            seen.packets.iter().skip(2).map(|p| (p.packet_type as u8, p.remaining_length)).collect();
        let expected: Vec<(u8, u32)> = messages
            .iter()
            .map(|message| {
                let header = message.iter().skip(1).take_while(|octet| **octet & 0x80 != 0).count() + 2;
                (message[0] >> 4, (message.len() - header) as u32)
            })
            .collect();
        assert_eq!(found, expected, "segments of {size}");
    }
}

/// Directions: who opened the connection is the client, whichever side is seen first and whatever it sends.
#[test]
fn suricata_7323_packets_are_given_their_direction() {
    let mut talk = session(V5);
    talk.reply(&publish(V5, "down", b"1"));
    talk.send(&publish(V5, "up", b"1"));
    talk.reply(&packet(0xe0, &[0x8b]));
    let (seen, _) = see(talk.closed_by_server().iter());
    assert_eq!(seen.types_of(ToServer), [ConnectType, Publish]);
    assert_eq!(seen.types_of(ToClient), [ConnAck, Publish, Disconnect]);

    // Joined in the middle, the server's segment first: the MQTT port tells.
    let mut capture = Capture::default();
    let server = (host(1), 1883);
    capture.push(START, segment(server, CLIENT, 5, 9, ACK, &publish(V311, "down", b"1")));
    capture.push(START + 1, segment(CLIENT, server, 9, 30, ACK, &pingreq()));
    capture.push(START + 2, segment(server, CLIENT, 14, 11, ACK, &pingresp()));
    let (seen, _) = see(capture.iter());
    assert_eq!(seen.types_of(ToServer), [PingReq]);
    assert_eq!(seen.types_of(ToClient), [Publish, PingResp]);
}

// ---- Zeek -------------------------------------------------------------------------------------

/// SUBACK with several codes.
#[test]
fn zeek_517_every_code_of_a_suback_is_taken() {
    let filters = [&[0, 9][..], &string("a"), &[0], &string("b"), &[1], &string("c"), &[2]].concat();
    let mut talk = session(V311);
    talk.send(&packet(0x82, &filters));
    talk.reply(&packet(0x90, &[0, 9, 0, 1, 0x80]));
    talk.send(&pingreq());
    let (seen, _) = see(talk.close().iter());
    assert_eq!(seen.types()[2..], [Subscribe, SubAck, PingReq]);
    assert!(seen.packets.iter().all(|packet| !packet.wrong), "{:#?}", seen.packets);
    assert_eq!(seen.packets[3].head, [0, 9, 0, 1, 0x80]);
}

/// Remaining Lengths at every boundary of the encoding, one, two, three and four octets long.
#[test]
fn zeek_527_remaining_lengths_of_every_size_are_read() {
    for length in [4, 127, 128, 129, 16_383, 16_384, 20_000, 65_535, 2_097_151, 2_097_152] {
        let mut talk = session(V311);
        let message = packet(0x30, &[&string("t")[..], &vec![b'p'; length - 3]].concat());
        message.chunks(32_000).for_each(|piece| talk.send(piece));
        talk.send(&pingreq());
        let (seen, stats) = see(talk.close().iter());
        assert_eq!(seen.types_of(ToServer), [ConnectType, Publish, PingReq], "{length}");
        assert_eq!(seen.packets[2].remaining_length as usize, length);
        assert_eq!((stats.bad_lengths, stats.unframed_octets), (0, 0));
    }
}

/// The pseudo-code of 3.1.1 (section 2.2.3) refuses every length of four octets, padded or real. Both are legal there.
#[test]
fn zeek_the_pseudo_code_of_the_standard_refuses_legal_lengths() {
    let body = [&string("topic")[..], b"value"].concat();
    let padded = [four_octet_header(0x30, body.len() as u32), body].concat();
    let mut talk = session(V311);
    talk.send(&padded);
    talk.send(&publish(V311, "after", b"1"));
    let (seen, stats) = see(talk.close().iter());
    assert_eq!(seen.types_of(ToServer), [ConnectType, Publish, Publish]);
    assert_eq!(stats.bad_lengths, 0);
    assert!(seen.packets[2].head.starts_with(&string("topic")));
}

/// Version 5 lets AUTH (section 3.15.2.1) and DISCONNECT (section 3.14.2.1) leave out what is 0.
#[test]
fn zeek_auth_and_disconnect_may_be_short() {
    for (auth, goodbye) in [
        (packet(0xf0, &[]), packet(0xe0, &[])),
        (packet(0xf0, &[0x18, 0]), packet(0xe0, &[0x04])),
        (packet(0xf0, &[0x00, 0]), packet(0xe0, &[0x04, 0])),
    ] {
        let mut body = string("MQTT");
        body.extend([5, 0x02, 0, 60, 6, 0x15, 0, 3, b'k', b'r', b'b']);
        body.extend(string("auth-client"));
        let mut talk = Conversation::new(CLIENT, (host(1), 1883), START).open();
        talk.send(&packet(0x10, &body));
        talk.reply(&auth);
        talk.send(&auth);
        talk.reply(&packet(0x20, &[0, 0, 6, 0x15, 0, 3, b'k', b'r', b'b']));
        talk.send(&publish(V5, "a", b"1"));
        talk.send(&goodbye);
        let (seen, _) = see(talk.close().iter());
        assert_eq!(seen.types(), [ConnectType, Auth, Auth, ConnAck, Publish, Disconnect]);
        assert!(seen.packets.iter().all(|packet| packet.version == Spoken::V5));
    }
}

// ---- nDPI -------------------------------------------------------------------------------------

/// MQTT whose octets look like TLS records: a payload that is one, at the start of a segment; a session joined there.
#[test]
fn ndpi_2382_mqtt_with_tls_inside_stays_mqtt() {
    let record =
        [&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03][..], &[0x55; 500]].concat();
    let message = publish(V311, "firmware/tls", &record);
    let mut talk = session(V311);
    let (head, payload) = message.split_at(message.len() - record.len());
    talk.send(head);
    talk.send(payload);
    talk.send(&pingreq());
    let (seen, _) = see(talk.close().iter());
    assert_eq!(seen.types_of(ToServer), [ConnectType, Publish, PingReq]);

    // Only one packet was captured, as in the report: a PUBLISH of 600 octets that came whole.
    let (seen, _) = see(middle(&[&message]).iter());
    assert_eq!(seen.types(), [Publish]);
}

/// A topic length past the end of the payload.
#[test]
fn ndpi_234_a_topic_longer_than_its_packet_is_not_read_past_the_end() {
    for version in [V311, V5] {
        for claim in [6_u16, 255, 0x7fff, 0xffff] {
            let mut talk = session(version);
            talk.send(&packet(0x30, &[&claim.to_be_bytes()[..], b"abc"].concat()));
            talk.send(&publish(version, "after", b"1"));
            let (seen, _) = see(talk.close().iter());
            assert_eq!(seen.types_of(ToServer), [ConnectType, Publish, Publish], "{claim}");
            assert!(seen.packets[2].wrong && !seen.packets[3].wrong, "{claim}");
        }
    }
}

/// No other protocol is taken for MQTT, and MQTT is found on whatever port it is.
#[test]
fn ndpi_170_http_is_not_mqtt_and_mqtt_needs_no_port() {
    for other in [
        &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x10\x02ab",
        b"\x30\x05\0\x01abc",
        b"\x80\0\0\x28\x72\xfe\x1d\x13\0\0\0\0\0\0\0\x02",
        b"\xc0\0",
    ] {
        let mut talk = Conversation::new(CLIENT, (host(1), 8080), START).open();
        talk.send(other);
        talk.reply(other);
        let (seen, _) = see(talk.close().iter());
        assert_eq!(seen.types(), [], "{other:?}");
    }
    let mut talk =
        Conversation::new(CLIENT, (host(1), 17_501), START).open().connect(&Connect::new(V311, "anywhere"));
    talk.send(&publish(V311, "a", b"1"));
    let (seen, _) = see(talk.close().iter());
    assert_eq!(seen.types(), [ConnectType, ConnAck, Publish]);
}

// ---- brokers ----------------------------------------------------------------------------------

/// A QoS 1 or 2 PUBLISH that ends behind its topic, without a packet identifier: a violation, and reading goes on.
#[test]
fn nanomq_2270_a_publish_without_its_packet_identifier_is_a_violation() {
    for first in [0x32, 0x34, 0x3a] {
        for rest in [&[][..], &[7]] {
            let mut talk = session(V311);
            talk.send(&packet(first, &[&string(vec![b'T'; 1022 - rest.len()])[..], rest].concat()));
            talk.send(&publish_qos1(V311, "after", 1, b"1"));
            let (seen, stats) = see(talk.close().iter());
            assert_eq!(seen.types_of(ToServer), [ConnectType, Publish, Publish]);
            assert!(seen.packets[2].wrong && !seen.packets[3].wrong, "{first:#04x} {rest:?}");
            assert_eq!(stats.violations, 1);
        }
    }
}

/// The malformed packet is counted, and the end of the connection is seen to follow it.
#[test]
fn emqx_13259_a_malformed_packet_is_counted() {
    // QoS 1 and no room for properties behind the packet identifier that the payload is taken for.
    let malformed = packet(0x32, &[&string("test")[..], b"\0hello"].concat());
    let mut talk = session(V5);
    talk.send(&malformed);
    let (seen, stats) = see(talk.closed_by_server().iter());
    assert_eq!(seen.types_of(ToServer), [ConnectType, Publish]);
    assert_eq!((seen.packets[2].wrong, stats.violations), (true, 1), "{:?}", seen.packets[2]);
}

/// Nothing above rests on the encoder alone: an honest exchange has no violation at all.
#[test]
fn an_honest_exchange_has_no_violation() {
    for version in [V311, V5] {
        let mut talk = session(version);
        talk.send(&subscribe(version, 1, "a/#"));
        talk.reply(&suback(version, 1));
        talk.send(&publish_qos1(version, "a/b", 2, b"1"));
        talk.reply(&packet(0x40, &[0, 2]));
        let mut twice = publish_qos1(version, "a/b", 3, b"2");
        twice[0] = 0x34;
        talk.send(&twice);
        talk.reply(&packet(0x50, &[0, 3]));
        talk.send(&packet(0x62, &[0, 3]));
        talk.reply(&packet(0x70, &[0, 3]));
        talk.send(&disconnect());
        let (seen, stats) = see(talk.close().iter());
        assert!(seen.types().contains(&PubAck) && seen.types().contains(&PubRec));
        assert_eq!(stats.violations, 0, "{:#?}", seen.packets);
    }
}
