//! The control packets found in a stream do not depend on where it was cut into segments, up to the first length
//! that is none (from there on, boundaries are looked for at the starts of segments). Reading them never fails.

use picket::flow::key::Direction;
use picket::flow::ring::Buffer;
use picket::limits::HEAD_BYTES;
use picket::mqtt::framer::{Framer, HeadRing, Item};
use picket::mqtt::packet::parse;
use picket::mqtt::version::Version;

/// First octet, Remaining Length, and what of the head is always kept.
type Found = (u8, u32, Vec<u8>);

/// `input` is one octet that says how many cuts there are, an octet for each, then the stream. The stream is cut
/// there, and a second time octet by octet.
pub fn holds(input: &[u8]) {
    let Some((count, rest)) = input.split_first() else { return };
    let (cuts, stream) = rest.split_at(usize::from(count % 16).min(rest.len()));
    let mut pieces = Vec::new();
    let mut left = stream;
    for cut in cuts {
        let (piece, after) = left.split_at(usize::from(*cut).min(left.len()));
        pieces.push(piece);
        left = after;
    }
    pieces.push(left);
    let whole = frame_up(&[stream]);
    assert_eq!(frame_up(&pieces), whole);
    let octets: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(frame_up(&octets), whole);
}

/// The packets up to the first bad length, and whether there was one.
fn frame_up(pieces: &[&[u8]]) -> (Vec<Found>, bool) {
    let mut buffers = vec![Buffer::EMPTY; 2];
    let mut ring = HeadRing::new(&mut buffers);
    let mut framer = Framer::AT_START;
    let (mut packets, mut bad) = (Vec::new(), false);
    for piece in pieces {
        framer.push(piece, &mut ring, &mut |item| match item {
            Item::Packet(raw) => {
                for version in [Version::Unknown, Version::V31, Version::V311, Version::V5] {
                    for direction in [Direction::ToServer, Direction::ToClient] {
                        assert_eq!(parse(&raw, direction, version).packet_type as u8, raw.first >> 4);
                    }
                }
                if !bad {
                    let kept = raw.head.get(..HEAD_BYTES).unwrap_or(raw.head);
                    packets.push((raw.first, raw.remaining_length, kept.to_vec()));
                }
            }
            Item::BadLength => bad = true,
            Item::Skipped(_) => assert!(bad, "skipped although nothing was lost"),
        });
    }
    (packets, bad)
}
