use super::*;
use crate::flow::ring::Buffer;
use proptest::prelude::*;

#[derive(Debug, PartialEq, Clone)]
enum Seen {
    Packet(u8, u32, Vec<u8>),
    BadLength,
    Skipped(u32),
}

fn frame_up(framer: &mut Framer, pieces: &[&[u8]]) -> Vec<Seen> {
    let mut buffers = vec![Buffer::EMPTY; 4];
    let mut ring = Ring::new(&mut buffers);
    let mut seen = Vec::new();
    for piece in pieces {
        framer.push(piece, &mut ring, &mut |item| seen.push(note(item)));
    }
    seen
}

fn note(item: Item<'_>) -> Seen {
    match item {
        Item::Packet(p) => {
            Seen::Packet(p.first, p.remaining_length, p.head[..p.head.len().min(HEAD_BYTES)].to_vec())
        }
        Item::BadLength => Seen::BadLength,
        Item::Skipped(n) => Seen::Skipped(n),
    }
}

fn encode(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut len = body.len();
    loop {
        let more = len > 0x7f;
        out.push((len & 0x7f) as u8 | if more { 0x80 } else { 0 });
        len >>= 7;
        if !more {
            break;
        }
    }
    out.extend(body);
    out
}

#[test]
fn many_in_one_segment() {
    let seen = frame_up(&mut Framer::AT_START.clone(), &[b"\xc0\0\x30\x03\0\x01a\xd0\0"]);
    assert_eq!(
        seen,
        [
            Seen::Packet(0xc0, 0, vec![]),
            Seen::Packet(0x30, 3, b"\0\x01a".to_vec()),
            Seen::Packet(0xd0, 0, vec![])
        ]
    );
}

#[test]
fn a_length_of_five_octets_loses_the_boundary_until_a_segment_begins_with_one() {
    let mut framer = Framer::AT_START;
    let seen =
        frame_up(&mut framer, &[b"\x30\xff\xff\xff\xff\x01", b"garbage", b"\xc0\0", b"\x30\x03\0\x01a"]);
    assert_eq!(
        seen,
        [
            Seen::BadLength,
            Seen::Skipped(6),
            Seen::Skipped(7),
            Seen::Packet(0xc0, 0, vec![]),
            Seen::Packet(0x30, 3, b"\0\x01a".to_vec())
        ]
    );
}

#[test]
fn a_gap_inside_a_payload_costs_nothing_else() {
    let mut buffers = vec![Buffer::EMPTY; 4];
    let mut ring = Ring::new(&mut buffers);
    let mut seen = Vec::new();
    let mut framer = Framer::AT_START;
    let packet = encode(0x30, &[b'x'; 5000]);
    let mut found = |item: Item<'_>| seen.push(note(item));
    framer.push(&packet[..1500], &mut ring, &mut found);
    framer.gap(2000, &mut ring, &mut found);
    framer.push(&packet[3500..], &mut ring, &mut found);
    framer.push(b"\xc0\0", &mut ring, &mut found);
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1], Seen::Packet(0xc0, 0, vec![]));
    assert!(!framer.is_lost());
}

#[test]
fn joined_where_a_header_is_split_or_a_message_runs_on() {
    // The first octet of a CONNACK came in a segment of its own.
    let mut framer = Framer::IN_THE_MIDDLE;
    let seen = frame_up(&mut framer, &[b"\x20", b"\x02\0\0", b"\xd0\0"]);
    assert_eq!(seen, [Seen::Packet(0x20, 2, vec![0, 0]), Seen::Packet(0xd0, 0, vec![])]);
    // It was none.
    let mut framer = Framer::IN_THE_MIDDLE;
    let seen = frame_up(&mut framer, &[b"\x20", b" of text", b"\xd0\0"]);
    assert_eq!(seen, [Seen::Skipped(1), Seen::Skipped(8), Seen::Packet(0xd0, 0, vec![])]);
    // A message longer than a segment is known by its topic.
    let message = encode(0x30, &[&b"\0\x03a/b"[..], &[0xff; 3000]].concat());
    let mut framer = Framer::IN_THE_MIDDLE;
    let seen = frame_up(&mut framer, &[&message[..1400], &message[1400..], b"\xd0\0"]);
    assert_eq!(seen.len(), 2, "{seen:?}");
    let mut framer = Framer::IN_THE_MIDDLE;
    let head = &message[..1];
    let seen = frame_up(&mut framer, &[head, &message[1..1400], &message[1400..], b"\xd0\0"]);
    assert_eq!(seen.len(), 2, "{seen:?}");
    // Text that begins like a message has no such topic.
    let mut framer = Framer::IN_THE_MIDDLE;
    assert_eq!(frame_up(&mut framer, &[b"0.123456789 and so on"]), [Seen::Skipped(21)]);
    // A gap ends the waiting.
    let (mut buffers, mut seen) = (vec![Buffer::EMPTY; 4], Vec::new());
    let mut ring = Ring::new(&mut buffers);
    let mut framer = Framer::IN_THE_MIDDLE;
    framer.push(b"\x20", &mut ring, &mut |item| seen.push(note(item)));
    framer.gap(7, &mut ring, &mut |item| seen.push(note(item)));
    framer.push(b"\x02\0\0", &mut ring, &mut |item| seen.push(note(item)));
    assert_eq!(seen, [Seen::Skipped(1), Seen::Skipped(3)]);
}

#[test]
fn joined_in_the_middle() {
    let mut framer = Framer::IN_THE_MIDDLE;
    let seen = frame_up(&mut framer, &[b"rest of some payload", b"\xd0\0"]);
    assert_eq!(seen, [Seen::Skipped(20), Seen::Packet(0xd0, 0, vec![])]);
}

proptest! {
    /// The packets found do not depend on where the stream was cut.
    #[test]
    fn any_split_gives_the_same_packets(
        bodies in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..3000)), 1..6),
        cuts in prop::collection::vec(1usize..400, 1..50),
    ) {
        let packets: Vec<(u8, Vec<u8>)> = bodies;
        let stream: Vec<u8> = packets.iter().flat_map(|(first, body)| encode(*first, body)).collect();
        let mut pieces = Vec::new();
        let mut at = 0;
        for cut in cuts.iter().cycle() {
            if at >= stream.len() { break; }
            let end = (at + cut).min(stream.len());
            pieces.push(&stream[at..end]);
            at = end;
        }
        let split = frame_up(&mut Framer::AT_START.clone(), &pieces);
        let expected: Vec<Seen> = packets
            .iter()
            .map(|(first, body)| Seen::Packet(*first, body.len() as u32, body[..body.len().min(HEAD_BYTES)].to_vec()))
            .collect();
        prop_assert_eq!(split, expected);
    }

    #[test]
    fn no_octets_panic_or_loop(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..40), gaps in prop::collection::vec(0u32..100, 0..40)) {
        let mut buffers = vec![Buffer::EMPTY; 4];
        let mut ring = Ring::new(&mut buffers);
        let mut framer = Framer::AT_START;
        for (i, piece) in pieces.iter().enumerate() {
            framer.push(piece, &mut ring, &mut |_| {});
            if let Some(gap) = gaps.get(i) {
                framer.gap(*gap, &mut ring, &mut |_| {});
            }
        }
    }
}
