//! Ways to hide an attack from whoever looks on, as captures, each with what is expected of it.

use etherparse::Ipv4Header;

use crate::support::capture::Capture;
use crate::support::mqtt::{self, Connect, V5, V311};
use crate::wire::{ACK, FIN, RST, SYN, Segment, URG, Wire, attack, ethernet, fragment, fragments, ipv4};

/// One way.
pub struct Case {
    /// Its name, and that of its file.
    pub name: &'static str,
    pub capture: Capture,
    /// Control packets by type, besides those of the attack.
    pub packets: Vec<(usize, u64)>,
    /// Events from below MQTT, by name.
    pub events: &'static [&'static str],
}

/// What every connection here begins with: CONNECT, CONNACK, one PUBLISH.
const BASE: [(usize, u64); 3] = [(1, 1), (2, 1), (3, 1)];

fn case(
    name: &'static str,
    capture: Capture,
    more: &[(usize, u64)],
    events: &'static [&'static str],
) -> Case {
    let mut packets = BASE.to_vec();
    for (packet_type, count) in more {
        match packets.iter_mut().find(|(known, _)| known == packet_type) {
            Some((_, known)) => *known += count,
            None => packets.push((*packet_type, *count)),
        }
    }
    Case { name, capture, packets, events }
}

/// A header that claims the next hundred megabytes as the payload of a PUBLISH, as long as the attack is.
fn decoy() -> Vec<u8> {
    let mut decoy = vec![0x30, 0x80, 0xc2, 0xd7, 0x2f, 0, 1, b't'];
    decoy.resize(attack().len(), b'.');
    decoy
}

/// Every case, in order of the catalogue's numbers.
pub fn all() -> Vec<Case> {
    [malformed(), lengths(), ports_and_cuts(), copies(), ends(), beginnings(), fragmented(), wrapped()]
        .into_iter()
        .flatten()
        .collect()
}

/// E1, E2, E3: packets that switch a parser off.
fn malformed() -> Vec<Case> {
    let mut broken = Wire::connected();
    broken.send(&mqtt::packet(0x36, &[0, 1, b'a', 0, 1]));

    let mut lost = Wire::connected();
    let payload = mqtt::publish(V311, "lost", b"segment");
    lost.went_up(payload.len());

    let mut auth = Wire::new(1883);
    auth.open();
    auth.send(&Connect::new(V5, "evader").encode());
    auth.reply(&mqtt::accepted(V5));
    auth.send(&mqtt::packet(0xf0, &[]));
    auth.send(&mqtt::publish(V5, "room/lamp", b"on"));
    auth.send(&mqtt::publish(V5, "a/#", b"x").repeat(6));
    auth.send(&mqtt::packet(0x82, &[0, 1, 0, 0, 1, b'a', 3]).repeat(6));

    let mut five = Wire::connected();
    five.send(&[0x30, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 1, b't']);
    vec![
        case("e1-malformed-packet", broken.attacked(), &[(3, 1)], &[]),
        case("e1-lost-segment", lost.attacked(), &[], &[]),
        case("e1-auth-without-length", auth.closed(), &[(15, 1)], &[]),
        case("e1-length-of-five-octets", five.attacked(), &[], &[]),
    ]
}

fn lengths() -> Vec<Case> {
    let mut padded = Wire::connected();
    padded.send(&[0x30, 0x85, 0x80, 0x80, 0, 0, 1, b't', b'o', b'n']);

    // Three megabytes, of which the capture has the beginning and the end.
    let mut large = Wire::connected();
    let head = [&[0x30, 0xc0, 0x8d, 0xb7, 0x01, 0, 8][..], b"firmware", &[0; 500]].concat();
    large.send(&head);
    large.went_up(3_000_005 - head.len());

    // The same four-octet length, all of it there.
    let mut whole = Wire::connected();
    let message = mqtt::publish(V311, "firmware", &vec![0xff; 20_000]);
    message.chunks(1400).for_each(|piece| whole.send(piece));
    vec![
        case("e2-padded-length", padded.attacked(), &[(3, 1)], &[]),
        case("e3-large-message-with-a-gap", large.attacked(), &[(3, 1)], &[]),
        case("e3-large-message", whole.attacked(), &[(3, 1)], &[]),
    ]
}

/// E4, E5, E6: where MQTT is, how it is cut, and from where on it is seen.
fn ports_and_cuts() -> Vec<Case> {
    let mut port = Wire::new(4444);
    port.open();
    port.connect();
    port.send(&mqtt::publish(V311, "room/lamp", b"on"));

    let mut many = Wire::new(1883);
    many.open();
    let all = [Connect::new(V311, "evader").encode(), mqtt::publish(V311, "room/lamp", b"on"), attack()];
    many.send(&all.concat());
    many.reply(&mqtt::accepted(V311));

    let mut single = Wire::new(1883);
    single.open();
    for octet in all.concat() {
        single.push(&single.segment(true, &[octet]));
        single.up += 1;
    }
    single.reply(&mqtt::accepted(V311));

    let mut reversed = Wire::connected();
    let pieces: Vec<(u32, Vec<u8>)> =
        attack().chunks(9).zip(0..).map(|(piece, n): (&[u8], u32)| (n * 9, piece.to_vec())).collect();
    for (offset, piece) in pieces.into_iter().rev() {
        let segment = reversed.segment(true, &piece);
        reversed.push(&Segment { seq: segment.seq + offset, ..segment });
    }
    reversed.went_up(attack().len());

    let mut wraps = Wire::new(1883);
    wraps.up = u32::MAX - 40;
    wraps.open();
    wraps.connect();
    wraps.send(&mqtt::publish(V311, "room/lamp", b"on"));

    let middle = Wire::connected().attacked();
    let after_connect = Capture { frames: middle.frames[7..].to_vec() };
    vec![
        case("e4-other-port", port.attacked(), &[], &[]),
        case("e5-many-packets-in-a-segment", many.closed(), &[], &[]),
        case("e5-one-octet-in-a-segment", single.closed(), &[], &[]),
        case("e5-segments-in-reverse", reversed.closed(), &[], &[]),
        case("e5-sequence-wraps", wraps.attacked(), &[], &[]),
        Case { name: "e6-mid-stream", capture: after_connect, packets: vec![(3, 1)], events: &[] },
    ]
}

/// E7: copies of the same octets with other contents.
fn copies() -> Vec<Case> {
    const CONFLICT: &[&str] = &["tcp:overlap-conflict"];
    // Nobody but us takes the first copy.
    let insert = |change: fn(Segment) -> Segment| {
        let mut wire = Wire::connected();
        wire.push(&change(wire.segment(true, &decoy())));
        wire.attacked()
    };
    let checksum = insert(|segment| Segment { bad_checksum: true, ..segment });
    let ttl = insert(|segment| Segment { ttl: 1, ..segment });

    // The receiver takes the copy that came last.
    let mut newer = Wire::connected();
    newer.push(&newer.segment(true, &attack()));
    newer.push(&newer.segment(true, &decoy()));
    newer.went_up(attack().len());

    // Both copies wait for a segment before them.
    let mut early = Wire::connected();
    let ping = mqtt::pingreq();
    for payload in [decoy(), attack()] {
        let segment = early.segment(true, &payload);
        early.push(&Segment { seq: segment.seq + ping.len() as u32, ..segment });
    }
    early.push(&early.segment(true, &ping));
    early.went_up(ping.len() + attack().len());

    // Only a part of it is another.
    let mut partly = Wire::connected();
    let mut first = attack();
    let half = first.len() / 2;
    first[half..].fill(0xff);
    partly.push(&partly.segment(true, &first[..half + 4]));

    // Repeated as it was, in other pieces: no conflict.
    let mut honest = Wire::connected();
    let segment = honest.segment(true, &attack());
    honest.push(&Segment { payload: attack()[..20].to_vec(), ..segment.clone() });
    honest.push(&Segment { seq: segment.seq + 10, payload: attack()[10..50].to_vec(), ..segment.clone() });
    honest.push(&segment);
    honest.push(&segment);
    honest.went_up(attack().len());

    // Far away: nobody would take it.
    let mut far = Wire::connected();
    for n in 0..3 {
        let segment = far.segment(true, &decoy());
        far.push(&Segment { seq: segment.seq.wrapping_add(1 << 30).wrapping_add(n << 20), ..segment });
    }

    // Early octets without end, so that the missing ones are given up.
    let mut filled = Wire::connected();
    let segment = filled.segment(true, b"?");
    (0..40)
        .for_each(|n| filled.push(&Segment { seq: segment.seq + 20_000 + n * 2, ttl: 1, ..segment.clone() }));

    let mut probes = Wire::connected();
    let segment = probes.segment(true, &[0xff]);
    probes.push(&Segment { seq: segment.seq - 1, ..segment.clone() });
    probes.push(&Segment { seq: segment.seq - 1, payload: vec![], ..segment });

    // The octet behind the first one is urgent, which the broker does not find among the others.
    let mut urgent = Wire::connected();
    let mut payload = attack();
    payload.insert(1, 0xff);
    urgent.push(&Segment { flags: ACK | URG, urgent: 2, ..urgent.segment(true, &payload) });
    urgent.went_up(payload.len());
    vec![
        case("e7-insert-with-bad-checksum", checksum, &[(3, 1)], CONFLICT),
        case("e7-insert-with-short-ttl", ttl, &[(3, 1)], CONFLICT),
        case("e7-overlap-new", newer.closed(), &[], CONFLICT),
        case("e7-overlap-early", early.closed(), &[(3, 1), (12, 1)], CONFLICT),
        case("e7-overlap-partly", partly.attacked(), &[(3, 6)], CONFLICT),
        case("e7-overlap-honest", honest.closed(), &[], &[]),
        case("e7-far-segments", far.attacked(), &[], &[]),
        case("e7-early-segments", filled.attacked(), &[], &[]),
        case("e7-keep-alive-probes", probes.attacked(), &[], &[]),
        case("e7-urgent", urgent.closed(), &[], &["tcp:urgent"]),
    ]
}

/// E7: ends that are none.
fn ends() -> Vec<Case> {
    let reset = |up: bool, ahead: u32, payload: &'static [u8]| {
        let mut wire = Wire::connected();
        let segment = wire.segment(up, payload);
        let seq = segment.seq.wrapping_add(ahead);
        wire.push(&Segment { flags: RST | ACK, seq, ttl: 1, ..segment });
        wire
    };
    let mut fin = Wire::connected();
    fin.push(&Segment { flags: FIN | ACK, ttl: 1, ..fin.segment(true, &[]) });
    let mut both = Wire::connected();
    both.push(&Segment { flags: FIN | ACK, ttl: 1, ..both.segment(true, &[]) });
    both.push(&Segment { flags: FIN | ACK, ttl: 1, ..both.segment(false, &[]) });
    let mut again = reset(true, 0, &[]);
    again.send(&mqtt::publish(V311, "room/lamp", b"off"));
    vec![
        case("e7-reset-far-away", reset(true, 1 << 30, &[]).attacked(), &[], &[]),
        case("e7-reset-in-window", reset(true, 1000, &[]).attacked(), &[], &["tcp:reset-refused"]),
        case("e7-reset-by-client", reset(true, 0, &[]).attacked(), &[], &["tcp:false-end"]),
        case("e7-reset-in-the-name-of-the-broker", reset(false, 0, &[]).attacked(), &[], &["tcp:false-end"]),
        case(
            "e7-reset-with-data",
            reset(true, 0, b"\x30\xff\xff\x7f\0\x01t").attacked(),
            &[],
            &["tcp:false-end", "tcp:reset-with-data"],
        ),
        case("e7-fin-forged", fin.attacked(), &[], &["tcp:false-end"]),
        case("e7-fins-forged", both.attacked(), &[], &["tcp:false-end"]),
        case("e7-reset-then-on", again.attacked(), &[(3, 1)], &["tcp:false-end"]),
    ]
}

/// E7: beginnings that are none, and octets in them.
fn beginnings() -> Vec<Case> {
    let forged = |up: bool| {
        let mut wire = Wire::connected();
        let segment = wire.segment(up, &[]);
        wire.push(&Segment { flags: SYN, seq: 77, ack: 0, ..segment });
        wire.attacked()
    };
    // TCP Fast Open (RFC 7413): CONNECT lies in the SYN.
    let in_syn = |payload: &[u8], taken: bool| {
        let mut wire = Wire::new(1883);
        wire.push(&Segment { flags: SYN, ack: 0, ..wire.segment(true, payload) });
        wire.up += 1 + if taken { payload.len() as u32 } else { 0 };
        wire.push(&Segment { flags: SYN | ACK, ..wire.segment(false, &[]) });
        wire.down += 1;
        wire.push(&wire.segment(true, &[]));
        wire
    };
    let connect = Connect::new(V311, "evader").encode();
    let lamp = mqtt::publish(V311, "room/lamp", b"on");
    let mut fast = in_syn(&connect, true);
    fast.reply(&mqtt::accepted(V311));
    fast.send(&lamp);
    // A server without the cookie does not take the octets of the SYN, and others come in their place.
    let web = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n";
    let mut decoy = in_syn(web, false);
    decoy.connect();
    decoy.send(&lamp);
    // The same with a connection that is open already.
    let mut insert = Wire::new(1883);
    insert.open();
    insert.push(&Segment { ttl: 1, ..insert.segment(true, b"SSH-2.0-OpenSSH_9.9\r\n") });
    insert.connect();
    insert.send(&lamp);
    // And on a port that is not the broker's.
    let mut other = Wire::new(4444);
    other.open();
    other.push(&Segment { ttl: 1, ..other.segment(true, b"SSH-2.0-OpenSSH_9.9\r\n") });
    other.connect();
    other.send(&lamp);
    const CONFLICT: &[&str] = &["tcp:overlap-conflict"];
    vec![
        case("e7-syn-in-connection", forged(true), &[], &["tcp:syn-in-connection"]),
        case("e7-syn-in-the-name-of-the-broker", forged(false), &[], &["tcp:syn-in-connection"]),
        case("e7-fast-open", fast.attacked(), &[], &[]),
        case("e7-fast-open-not-taken", decoy.attacked(), &[], CONFLICT),
        case("e7-insert-before-connect", insert.attacked(), &[(5, 1)], CONFLICT),
        case("e7-insert-before-connect-on-another-port", other.attacked(), &[], CONFLICT),
    ]
}

/// E7: fragments.
fn fragmented() -> Vec<Case> {
    let sent = |arrange: fn(Vec<Vec<u8>>) -> Vec<Vec<u8>>, len: usize| {
        let mut wire = Wire::connected();
        let packet = wire.packet(&wire.segment(true, &attack()));
        for piece in arrange(fragments(&packet, len)) {
            wire.frame(ethernet(0x0800, &piece));
        }
        wire.went_up(attack().len());
        wire.closed()
    };
    let reversed = |mut pieces: Vec<Vec<u8>>| {
        pieces.reverse();
        pieces
    };
    let twice =
        |pieces: Vec<Vec<u8>>| pieces.iter().flat_map(|piece| [piece.clone(), piece.clone()]).collect();
    let overlapping = |pieces: Vec<Vec<u8>>| {
        // The second fragment comes a second time with another content.
        let (ip, rest) = Ipv4Header::from_slice(&pieces[1]).unwrap();
        let other = vec![0xff; rest.len()];
        let copy = fragment(&ip, usize::from(ip.fragment_offset.value()) * 8, true, &other);
        let mut all = pieces;
        all.insert(2, copy);
        all
    };
    vec![
        case("e7-fragments", sent(|pieces| pieces, 32), &[], &[]),
        case("e7-fragments-in-reverse", sent(reversed, 24), &[], &[]),
        case("e7-fragments-twice", sent(twice, 40), &[], &[]),
        case("e7-fragments-tiny", sent(|pieces| pieces, 8), &[], &["ip:fragment-tiny"]),
        case("e7-fragments-overlap", sent(overlapping, 32), &[], &["ip:fragment-conflict"]),
    ]
}

/// E4: in tunnels, with tags, left to the interface, and captured twice.
fn wrapped() -> Vec<Case> {
    let each = |wrap: fn(&[u8]) -> Vec<Vec<u8>>| {
        let plain = Wire::connected().attacked();
        let frames = plain.frames.iter().flat_map(|(at, frame)| {
            wrap(frame).into_iter().zip(0..).map(|(frame, n): (Vec<u8>, u64)| (*at + n * 30, frame))
        });
        Capture { frames: frames.collect() }
    };
    let q_in_q = each(|frame| {
        let tags = [0x88, 0xa8, 0, 9, 0x81, 0, 0, 7];
        vec![[&frame[..12], &tags[..], &frame[12..]].concat()]
    });
    let pppoe = each(|frame| {
        let ip = &frame[14..];
        let len = (ip.len() as u16 + 2).to_be_bytes();
        vec![ethernet(0x8864, &[&[0x11, 0, 0, 1, len[0], len[1], 0, 0x21], ip].concat())]
    });
    let gre = each(|frame| {
        let inner = [&[0x20, 0, 8, 0, 0, 0, 0, 9], &frame[14..]].concat();
        vec![ethernet(0x0800, &ipv4(47, &inner))]
    });
    let vxlan = each(|frame| {
        let len = (frame.len() as u16 + 16).to_be_bytes();
        let head = [0xc3, 0x50, 0x12, 0xb5, len[0], len[1], 0, 0, 8, 0, 0, 0, 0, 0, 7, 0];
        vec![ethernet(0x0800, &ipv4(17, &[&head, frame].concat()))]
    });
    let offloaded = each(|frame| {
        let mut frame = frame.to_vec();
        frame[16..18].fill(0);
        vec![frame]
    });
    let bridged = each(|frame| {
        let tagged = [&frame[..12], &[0x81, 0, 0, 7], &frame[12..]].concat();
        vec![frame.to_vec(), tagged]
    });
    vec![
        case("e4-q-in-q", q_in_q, &[], &[]),
        case("e4-pppoe", pppoe, &[], &[]),
        case("e4-gre", gre, &[], &[]),
        case("e4-vxlan", vxlan, &[], &[]),
        case("e4-length-left-to-the-interface", offloaded, &[], &[]),
        case("e4-captured-twice", bridged, &[], &[]),
    ]
}
