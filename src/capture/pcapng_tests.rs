use std::io::Cursor;

use super::*;

/// A block in little-endian order, padded.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let length = (padded as u32 + 12).to_le_bytes();
    let padding = vec![0; padded - body.len()];
    [&kind.to_le_bytes()[..], &length, body, &padding, &length].concat()
}

fn section() -> Vec<u8> {
    block(SECTION, &[&BYTE_ORDER.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat())
}

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    let padding = vec![0; value.len().next_multiple_of(4) - value.len()];
    [&code.to_le_bytes()[..], &(value.len() as u16).to_le_bytes(), value, &padding].concat()
}

fn interface(link: u16, snaplen: u32, options: &[Vec<u8>]) -> Vec<u8> {
    let head = [&link.to_le_bytes()[..], &[0, 0], &snaplen.to_le_bytes()].concat();
    block(INTERFACE_DESCRIPTION, &[head, options.concat()].concat())
}

/// A packet of as many octets as its time has units modulo 100.
fn packet(interface: u32, units: u64) -> Vec<u8> {
    let len = (units % 100) as u32;
    let numbers =
        [interface, (units >> 32) as u32, units as u32, len, len + 5].map(u32::to_le_bytes).concat();
    block(ENHANCED_PACKET, &[numbers, vec![7; len as usize]].concat())
}

/// Microseconds, link type, captured, wire.
type Figures = (u64, u16, usize, u32);

/// The frames, everything else, and the losses.
fn read(parts: &[Vec<u8>]) -> (Vec<Figures>, Vec<Step>, Losses) {
    let mut buffer = Buffer::new(Box::new(Cursor::new(parts.concat())));
    assert_eq!(buffer.need(16), Fill::Enough);
    let mut pcapng = Pcapng::open(&buffer).unwrap();
    let (mut frames, mut other, mut losses) = (Vec::new(), Vec::new(), Losses::default());
    loop {
        match pcapng.step(&mut buffer, &mut losses).unwrap() {
            Step::Frame(found) => {
                assert_eq!(buffer.at(found.place, found.len), vec![7; found.len]);
                frames.push((found.ts.as_micros(), found.number, found.len, found.wire_len));
            }
            step => {
                let last = !matches!(step, Step::Damaged(..));
                other.push(step);
                if last {
                    return (frames, other, losses);
                }
            }
        }
    }
}

#[test]
fn interfaces_have_link_types_and_units_of_their_own() {
    let resolution = |octet| vec![option(9, &[octet])];
    let parts = [
        section(),
        interface(1, 0, &[]),
        interface(113, 0, &[option(2, b"lo"), option(9, &[9]), option(0, &[])]),
        interface(276, 0, &resolution(0)),
        interface(0, 0, &resolution(0x80 | 20)),
        interface(101, 0, &[option(14, &(-10_i64).to_le_bytes())]),
        interface(12, 0, &resolution(25)),
        packet(0, 1_700_000_000_000_042),
        packet(1, 1_700_000_000_123_456_742),
        packet(2, 1_700_000_042),
        packet(3, (1_700_000_000 << 20) + (1 << 19)),
        packet(4, 1_700_000_000_000_042),
        packet(5, u64::MAX),
    ];
    let (frames, other, losses) = read(&parts);
    let times: Vec<(u64, u16)> = frames.iter().map(|(micros, number, ..)| (*micros, *number)).collect();
    let expected = [
        (1_700_000_000_000_042, 1),
        (1_700_000_000_123_456, 113),
        (1_700_000_042_000_000, 276),
        (1_700_000_000_500_000, 0),
        (1_699_999_990_000_042, 101),
        (1, 12), // 10^-25 s: less than two microseconds in all
    ];
    assert_eq!(times, expected);
    assert!(matches!(other[..], [Step::End]));
    assert_eq!(losses, Losses::default());
}

#[test]
fn units_become_microseconds() {
    for (resolution, units, micros) in [
        (6, 5, 5),
        (3, 5, 5_000),
        (0, u64::MAX, u64::MAX),
        (12, 5_000_000, 5),
        (127, u64::MAX, 0),
        (0x80, 3, 3_000_000),
        (0x80 | 64, u64::MAX, 999_999),
        (0xff, u64::MAX, 0),
    ] {
        assert_eq!(Scale::of(resolution).micros(units), micros, "{resolution} {units}");
    }
    assert_eq!(later(5, -1), 0);
    assert_eq!(later(5, i64::MAX), 5_u64.saturating_add_signed(i64::MAX));
}

#[test]
fn a_section_forgets_the_interfaces_before_it() {
    let parts = [
        section(),
        interface(1, 0, &[]),
        packet(0, 60),
        section(),
        packet(0, 61),
        interface(113, 0, &[]),
        packet(0, 62),
    ];
    let (frames, _, losses) = read(&parts);
    assert_eq!(frames, [(60, 1, 60, 65), (62, 113, 62, 67)]);
    assert_eq!(losses.invalid, 1, "of an interface that was not described");
}

#[test]
fn simple_and_obsolete_packets() {
    let simple =
        |wire: u32, kept: usize| block(SIMPLE_PACKET, &[&wire.to_le_bytes()[..], &vec![7; kept]].concat());
    let mut obsolete = [0, 0, 0xff, 0xff].to_vec();
    obsolete.extend([0_u32, 50, 8, 9].map(u32::to_le_bytes).concat());
    obsolete.extend([7; 8]);
    let parts = [
        section(),
        interface(1, 40, &[]),
        block(PACKET, &obsolete),
        simple(30, 30),
        simple(90, 40),
        simple(99, 8),
    ];
    let (frames, ..) = read(&parts);
    // The second is cut by the snaplen, the third by its block. They are of the time of the packet before.
    assert_eq!(frames, [(50, 1, 8, 9), (50, 1, 30, 30), (50, 1, 40, 90), (50, 1, 8, 99)]);
}

#[test]
fn other_blocks_and_options_are_passed_over() {
    let big = block(4, &vec![1; 600_000]);
    let parts = [
        section(),
        block(0x0bad_0bad, b"custom"),
        interface(1, 0, &[option(1, b"a comment"), vec![0xff; 4]]),
        big,
        packet(0, 61),
        block(10, b"secrets"),
        packet(0, 62),
    ];
    let (frames, other, losses) = read(&parts);
    assert_eq!(frames.len(), 2);
    assert!(matches!(other[..], [Step::End]), "{other:?}");
    assert_eq!(losses, Losses::default());
}

#[test]
fn statistics_tell_what_was_lost_once() {
    let statistics = |interface: u32, lost: u64| {
        let head = [interface, 0, 0].map(u32::to_le_bytes).concat();
        let options = [option(5, &lost.to_le_bytes()), option(7, &1_u64.to_le_bytes())].concat();
        block(INTERFACE_STATISTICS, &[head, options].concat())
    };
    let parts = [
        section(),
        interface(1, 0, &[]),
        statistics(0, 4),
        statistics(0, 9),
        statistics(0, 2),
        statistics(7, 99),
    ];
    assert_eq!(read(&parts).2.dropped, 10);
}

#[test]
fn lying_lengths_cost_their_block_alone() {
    let good = packet(0, 1_042);
    for lie in [0_u32, 8, 16, 64, 0x7fff_ffff, 20 << 20] {
        let mut bad = good.clone();
        bad[4..8].copy_from_slice(&lie.to_le_bytes());
        let parts = [section(), interface(1, 0, &[]), good.clone(), bad, good.clone(), good.clone()];
        let (frames, other, losses) = read(&parts);
        assert_eq!((frames.len(), losses.damages), (3, 1), "{lie}");
        assert!(
            matches!(other[..], [Step::Damaged(48, _), Step::End]) || other.len() == 2,
            "{lie}: {other:?}"
        );
    }
}

#[test]
fn a_captured_length_beyond_the_block_is_no_packet() {
    let mut bad = packet(0, 1_042);
    bad[20..24].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let (frames, other, losses) = read(&[section(), interface(1, 0, &[]), bad, packet(0, 1_043)]);
    assert_eq!((frames.len(), losses.invalid), (1, 1));
    assert!(matches!(other[..], [Step::End]));
}

#[test]
fn long_frames_are_counted_whatever_their_block() {
    for len in [MAX_FRAME as u32 + 1, 2 * MAX_FRAME as u32] {
        let numbers = [0, 0, 9, len, len].map(u32::to_le_bytes).concat();
        let long = block(ENHANCED_PACKET, &[numbers, vec![7; len as usize]].concat());
        let (frames, other, losses) = read(&[section(), interface(1, 0, &[]), long, packet(0, 62)]);
        assert_eq!((frames.len(), losses.oversize), (1, 1));
        assert!(matches!(other[..], [Step::End]));
    }
}

#[test]
fn interfaces_beyond_the_limit_are_not_remembered() {
    let mut parts = vec![section()];
    parts.extend((0..=MAX_INTERFACES).map(|_| interface(1, 0, &[])));
    parts.extend([packet(MAX_INTERFACES as u32 - 1, 60), packet(MAX_INTERFACES as u32, 61)]);
    let (frames, _, losses) = read(&parts);
    assert_eq!((frames.len(), losses.invalid), (1, 1));
}

#[test]
fn what_is_finer_than_microseconds_is_kept_beside_them() {
    for (resolution, units, expected) in [
        (9, 1_700_000_000_123_456_789, (1_700_000_000_123_456, 789)),
        (8, 170_000_000_012_345_678, (1_700_000_000_123_456, 780)),
        (6, 1_700_000_000_123_456, (1_700_000_000_123_456, 0)),
        (12, 123_456_789_012, (123_456, 789)),
        (0x80 | 1, 3, (1_500_000, 0)),
        (0x80 | 30, 1, (0, 0)),
        (0x80 | 28, 1, (0, 3)),
    ] {
        let scale = Scale::of(resolution);
        assert_eq!((scale.micros(units), scale.nanos(units)), expected, "{resolution}");
    }
}
