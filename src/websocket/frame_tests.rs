use super::*;
use proptest::prelude::*;

/// A frame as an endpoint would send it.
pub(crate) fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut out = vec![first];
    match payload.len() {
        short @ 0..126 => out.push(masked | short as u8),
        middle @ 126..65_536 => {
            out.push(masked | 126);
            out.extend((middle as u16).to_be_bytes());
        }
        long => {
            out.push(masked | 127);
            out.extend((long as u64).to_be_bytes());
        }
    }
    out.extend(mask.iter().flatten());
    let key = mask.unwrap_or_default();
    out.extend(payload.iter().zip(key.iter().cycle()).map(|(octet, key)| octet ^ key));
    out
}

#[derive(Default, Debug, PartialEq)]
struct Seen {
    octets: Vec<u8>,
    gaps: Vec<u32>,
    compressed: u32,
    skipped: u32,
    unknown: u32,
    faults: Vec<Fault>,
}

impl Seen {
    fn note(&mut self, item: Item<'_>) {
        match item {
            Item::Octets(octets) => self.octets.extend(octets),
            Item::Gap(len) => self.gaps.push(len),
            Item::Compressed(len) => self.compressed += len,
            Item::Skipped(len) => self.skipped += len,
            Item::Unknown => self.unknown += 1,
            Item::Fault(fault) => self.faults.push(fault),
        }
    }
}

fn read(direction: Direction, compression: bool, pieces: &[&[u8]]) -> Seen {
    let (mut reader, mut seen) = (FrameReader::AT_START, Seen::default());
    for piece in pieces {
        reader.push(piece, direction, compression, &mut |item| seen.note(item));
    }
    seen
}

const KEY: Option<[u8; 4]> = Some([0x37, 0xfa, 0x21, 0x3d]);

#[test]
fn the_examples_of_the_standard() {
    // Section 5.7: "Hello" masked in one frame; unmasked in two, with a PONG between them.
    let one = read(Direction::ToServer, false, &[b"\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"]);
    assert_eq!(one, Seen { octets: b"Hello".to_vec(), ..Seen::default() });
    let two = read(Direction::ToClient, false, &[b"\x02\x03Hel\x8a\x05Hello\x80\x02lo"]);
    assert_eq!(two, Seen { octets: b"Hello".to_vec(), ..Seen::default() });
}

#[test]
fn each_length_and_its_boundaries() {
    for len in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
        let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
        for (direction, key) in [(Direction::ToServer, KEY), (Direction::ToClient, None)] {
            let seen = read(direction, false, &[&frame(0x82, key, &payload)]);
            assert_eq!(seen, Seen { octets: payload.clone(), ..Seen::default() }, "{len}");
        }
    }
}

#[test]
fn notes_what_is_wrong() {
    let faults = |direction, octets: &[u8]| read(direction, false, &[octets]).faults;
    assert_eq!(faults(Direction::ToServer, &frame(0x81, KEY, b"x")), [Fault::Text]);
    assert_eq!(faults(Direction::ToServer, &frame(0x82, None, b"x")), [Fault::Mask]);
    assert_eq!(faults(Direction::ToClient, &frame(0x82, KEY, b"x")), [Fault::Mask]);
    assert_eq!(faults(Direction::ToClient, &frame(0xc2, None, b"x")), [Fault::ReservedBits]);
    assert_eq!(faults(Direction::ToClient, &frame(0x83, None, b"x")), [Fault::Opcode]);
    assert_eq!(faults(Direction::ToClient, &frame(0x09, None, b"x")), [Fault::Control]);
    assert_eq!(faults(Direction::ToClient, &frame(0x89, None, &[0; 126])), [Fault::Control]);
    assert_eq!(faults(Direction::ToClient, &frame(0x80, None, b"x")), [Fault::Fragmentation]);
    assert_eq!(faults(Direction::ToClient, b"\x02\x01x\x82\x01y"), [Fault::Fragmentation]);
    assert_eq!(faults(Direction::ToClient, b"\x82\x7e\0\x01x"), [Fault::Length]);
    assert_eq!(faults(Direction::ToClient, b"\x82\x7f\x80\0\0\0\0\0\0\x01x"), [Fault::Length]);
    assert_eq!(faults(Direction::ToServer, &frame(0x82, KEY, b"x")), []);
}

#[test]
fn a_compressed_message_is_opaque_and_the_next_is_not() {
    // The continuation of a compressed message carries no mark of its own (RFC 7692, section 6.1).
    let octets = b"\x42\x03abc\x89\x01p\x80\x02de\x82\x02hi";
    let seen = read(Direction::ToClient, true, &[octets]);
    assert_eq!(seen, Seen { octets: b"hi".to_vec(), compressed: 5, unknown: 1, ..Seen::default() });
    assert_eq!(read(Direction::ToClient, false, &[octets]).faults, [Fault::ReservedBits]);
}

#[test]
fn a_gap_in_a_payload_is_passed_on_and_the_key_goes_on_in_step() {
    let whole: Vec<u8> = (0..100).collect();
    let octets = [frame(0x82, KEY, &whole), frame(0x82, KEY, b"next")].concat();
    for missing in [1, 2, 3, 50, 90] {
        let (mut reader, mut seen) = (FrameReader::AT_START, Seen::default());
        let note = &mut |item: Item<'_>| seen.note(item);
        reader.push(&octets[..16], Direction::ToServer, false, note);
        reader.gap(missing, note);
        reader.push(&octets[16 + missing as usize..], Direction::ToServer, false, note);
        let expected = [&whole[..10], &whole[10 + missing as usize..], b"next"].concat();
        assert_eq!(seen, Seen { octets: expected, gaps: vec![missing], ..Seen::default() });
    }
}

#[test]
fn a_gap_over_a_header_loses_the_boundary_until_a_segment_begins_with_one() {
    let (mut reader, mut seen) = (FrameReader::AT_START, Seen::default());
    let note = &mut |item: Item<'_>| seen.note(item);
    reader.push(b"\x82\x05ab", Direction::ToClient, false, note);
    reader.gap(10, note);
    reader.push(b"in the middle", Direction::ToClient, false, note);
    reader.push(b"\x82\x02hi", Direction::ToClient, false, note);
    assert!(!reader.is_lost());
    let expected =
        Seen { octets: b"abhi".to_vec(), gaps: vec![3], unknown: 1, skipped: 13, ..Seen::default() };
    assert_eq!(seen, expected);
}

proptest! {
    /// Whatever the frames, the cuts and the control frames between: the same payload comes out.
    #[test]
    fn any_split_gives_the_same_payload(
        messages in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..4), 1..6),
        keys in prop::collection::vec(any::<[u8; 4]>(), 1..8),
        pings in prop::collection::vec(any::<bool>(), 1..8),
        cuts in prop::collection::vec(1usize..400, 1..50),
        up in any::<bool>(),
    ) {
        let direction = if up { Direction::ToServer } else { Direction::ToClient };
        let mut keys = keys.iter().cycle();
        let mut pings = pings.iter().cycle();
        let (mut stream, mut expected) = (Vec::new(), Vec::new());
        for fragments in &messages {
            for (i, fragment) in fragments.iter().enumerate() {
                let last = if i + 1 == fragments.len() { 0x80 } else { 0 };
                let opcode = if i == 0 { 2 } else { 0 };
                let mut key = || up.then(|| *keys.next().unwrap());
                stream.extend(frame(last | opcode, key(), fragment));
                if *pings.next().unwrap() {
                    stream.extend(frame(0x89, key(), b"ping"));
                }
                expected.extend(fragment);
            }
        }
        let mut pieces = Vec::new();
        let mut rest = stream.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        let expected = Seen { octets: expected, ..Seen::default() };
        prop_assert_eq!(&read(direction, false, &pieces), &expected);
        prop_assert_eq!(&read(direction, false, &[&stream]), &expected);
        let octets: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&read(direction, false, &octets), &expected);
    }

    #[test]
    fn no_octets_panic_and_every_one_is_accounted_for_once(
        pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..64), 0u32..100), 0..40),
        up in any::<bool>(),
        compression in any::<bool>(),
    ) {
        let direction = if up { Direction::ToServer } else { Direction::ToClient };
        let (mut reader, mut seen) = (FrameReader::AT_START, Seen::default());
        let note = &mut |item: Item<'_>| seen.note(item);
        for (piece, gap) in &pieces {
            reader.push(piece, direction, compression, note);
            if *gap < 20 {
                reader.gap(*gap, note);
            }
        }
        let total: usize = pieces.iter().map(|(piece, _)| piece.len()).sum();
        prop_assert!(seen.octets.len() + seen.compressed as usize + seen.skipped as usize <= total);
    }
}
