//! Tests of the stream.

use super::*;
use proptest::prelude::*;

/// What came of segments: `?` stands for a gap, `!` and `~` stand before a conflict and late octets.
#[derive(Default, Debug)]
struct Seen {
    text: Vec<u8>,
    gap: u64,
    missed: u32,
    stats: StreamStats,
}

/// A stream with memory of its own.
struct Bench {
    stream: Stream,
    held: Vec<u8>,
    recent: Vec<u8>,
    seen: Seen,
}

impl Bench {
    fn new(syn: Option<u32>) -> Self {
        let mut stream = Stream::NEW;
        if let Some(seq) = syn {
            stream.synchronise(seq);
        }
        Self { stream, held: vec![0; 8192], recent: vec![0; 8192], seen: Seen::default() }
    }

    /// Does something with the stream, and what it shares, for as long as the closure runs.
    fn with(&mut self, act: impl FnOnce(&mut Stream, &mut Streams<'_>, &mut dyn FnMut(Delivery<'_>))) {
        let mut streams = Streams::new(&mut self.held, &mut self.recent);
        let (text, gap) = (&mut self.seen.text, &mut self.seen.gap);
        let mut deliver = |delivery: Delivery<'_>| match delivery {
            Delivery::Octets(octets) => text.extend_from_slice(octets),
            Delivery::Gap(n) => {
                *gap += u64::from(n);
                text.push(b'?');
            }
            Delivery::Conflict { octets, settled } => {
                text.push(if settled { b'=' } else { b'!' });
                text.extend_from_slice(octets);
            }
            Delivery::Late(octets) => {
                text.push(b'~');
                text.extend_from_slice(octets);
            }
        };
        act(&mut self.stream, &mut streams, &mut deliver);
        self.seen.stats = streams.stats;
        self.seen.missed = self.stream.missed();
    }
}

/// A step of a test: a segment, or an acknowledgement of the other side.
#[derive(Clone, Copy)]
enum Step<'a> {
    Segment(u32, &'a [u8]),
    Cut(u32, &'a [u8], u32),
    Ack(u32),
}
use Step::{Ack, Cut, Segment};

fn play(syn: Option<u32>, steps: &[Step<'_>]) -> Seen {
    let mut bench = Bench::new(syn);
    bench.with(|stream, streams, mut deliver| {
        for step in steps {
            match *step {
                Segment(seq, octets) => {
                    stream.accept(seq, octets, octets.len() as u32, streams, &mut deliver);
                }
                Cut(seq, octets, len) => stream.accept(seq, octets, len, streams, &mut deliver),
                Ack(ack) => {
                    if stream.note_ack(ack) {
                        stream.acknowledged(ack, streams, &mut deliver);
                    }
                }
            }
        }
        stream.finish(streams, &mut deliver);
    });
    bench.seen
}

fn run(segments: &[(u32, &[u8], u32)], syn: Option<u32>) -> (Vec<u8>, u64, StreamStats) {
    let steps: Vec<Step<'_>> = segments.iter().map(|(seq, octets, len)| Cut(*seq, octets, *len)).collect();
    let seen = play(syn, &steps);
    (seen.text, seen.gap, seen.stats)
}

#[test]
fn in_order_retransmitted_overlapping_and_early() {
    let segments: &[(u32, &[u8], u32)] =
        &[(101, b"ab", 2), (101, b"ab", 2), (105, b"ef", 2), (102, b"bXd", 3), (107, b"g", 1)];
    let (out, gap, stats) = run(segments, Some(100));
    // The retransmitted "b" is not taken again, "X" fills octet 103 since it is the first to do so.
    assert_eq!((out.as_slice(), gap), (&b"abXdefg"[..], 0));
    assert_eq!((stats.retransmitted, stats.held), (1, 1));
}

#[test]
fn wraps_around() {
    let (out, gap, _) = run(&[(u32::MAX, b"ab", 2), (1, b"c", 1)], Some(u32::MAX - 1));
    assert_eq!((out.as_slice(), gap), (&b"abc"[..], 0));
}

#[test]
fn a_gap_is_told_when_the_stream_ends_or_is_acknowledged() {
    let (out, gap, _) = run(&[(1, b"a", 1), (5, b"b", 1)], Some(0));
    assert_eq!((out.as_slice(), gap), (&b"a?b"[..], 3));

    let seen =
        play(None, &[Segment(1, b"a"), Segment(5, b"b"), Ack(4), Segment(6, b"c"), Ack(5), Segment(7, b"d")]);
    assert_eq!((seen.text.as_slice(), seen.gap), (&b"a?bcd"[..], 3));
}

#[test]
fn a_snaplen_cut_is_a_gap_behind_what_was_captured() {
    let (out, gap, _) = run(&[(1, b"abc", 10), (11, b"d", 1)], Some(0));
    assert_eq!((out.as_slice(), gap), (&b"abc?d"[..], 7));
}

#[test]
fn more_than_can_be_held_becomes_a_gap_where_nobody_acknowledges() {
    let early: Vec<(u32, &[u8], u32)> = (0..20).map(|i| (10 + 2 * i, &b"xy"[..], 2)).collect();
    let (out, gap, _) = run(&early, Some(0));
    assert_eq!(out.iter().filter(|b| **b == b'x').count(), 20);
    assert_eq!(gap, 9);
}

#[test]
fn more_than_can_be_held_does_not_hide_the_missing_octets() {
    // The receiver acknowledges and waits for "ab"; what is furthest away is given up instead.
    let mut steps = vec![Segment(1, b"0"), Ack(2)];
    steps.extend((0..40).map(|n| Segment(100 + n, b"x")));
    steps.push(Segment(4, b"cd"));
    steps.push(Segment(2, b"ab"));
    let seen = play(Some(0), &steps);
    assert!(seen.text.starts_with(b"0abcd?xxx"), "{seen:?}");
    assert_eq!((seen.stats.held, seen.stats.not_held), (17, 25));
}

#[test]
fn another_content_is_a_conflict_and_both_are_read() {
    let seen = play(Some(0), &[Segment(1, b"insert"), Segment(1, b"real!!"), Segment(7, b"on")]);
    assert_eq!(seen.text, b"insert!real!!on");
    assert_eq!((seen.stats.conflicts, seen.stats.retransmitted), (1, 0));
    // Once the receiver has said which copy it took, the other one is told and not read.
    let seen = play(Some(0), &[Segment(1, b"first"), Ack(6), Segment(1, b"other.."), Segment(8, b"on")]);
    assert_eq!(seen.text, b"first=other....on");
    // The same again, whole, in part or with more behind it, is none.
    let steps = [
        Segment(1, b"abc"),
        Segment(4, b"def"),
        Segment(1, b"abc"),
        Segment(1, b"abcdef"),
        Segment(2, b"bcde"),
        Segment(6, b"fg"),
    ];
    let seen = play(Some(0), &steps);
    assert_eq!(
        (seen.text.as_slice(), seen.stats.conflicts, seen.stats.retransmitted),
        (&b"abcdefg"[..], 0, 3)
    );
    // One octet in the middle of several segments.
    let seen = play(Some(0), &[Segment(1, b"abc"), Segment(4, b"def"), Segment(2, b"bcdXf")]);
    assert_eq!((seen.text.as_slice(), seen.stats.conflicts), (&b"abcdef!bcdXf"[..], 1));
}

#[test]
fn held_copies_conflict_when_their_turn_comes() {
    let seen = play(Some(0), &[Segment(3, b"cd"), Segment(3, b"XY"), Segment(3, b"cd"), Segment(1, b"ab")]);
    assert_eq!(seen.text, b"abcd!XY");
    assert_eq!((seen.stats.conflicts, seen.stats.retransmitted), (1, 1));
}

#[test]
fn a_segment_far_away_does_not_move_the_stream() {
    let far = 1 << 30;
    let steps =
        [Segment(1, b"a"), Ack(2), Segment(far, b"evil"), Segment(2, b"b"), Segment(far + 4, b"evil")];
    let seen = play(Some(0), &steps);
    assert_eq!((seen.text.as_slice(), seen.stats.out_of_window, seen.stats.jumps), (&b"ab"[..], 2, 0));
    // But where its octets are acknowledged the capture had lost the way.
    let seen = play(
        Some(0),
        &[Segment(1, b"a"), Ack(2), Segment(far, b"lost"), Ack(far + 4), Segment(far + 4, b"on")],
    );
    assert_eq!((seen.text.as_slice(), seen.stats.jumps), (&b"a?on"[..], 1));
    // Or where several go on and nobody ever acknowledged anything.
    let steps = [Segment(1, b"a"), Segment(far, b"b"), Segment(far + 1, b"c"), Segment(far + 2, b"d")];
    assert_eq!(play(Some(0), &steps).text, b"a?d");
}

#[test]
fn octets_of_a_gap_that_come_late_are_read_by_themselves() {
    let seen =
        play(Some(0), &[Segment(1, b"a"), Segment(5, b"e"), Ack(6), Segment(2, b"bcd"), Segment(2, b"bcd")]);
    assert_eq!(seen.text, b"a?e~bcd");
    assert_eq!(seen.missed, 3);
    assert_eq!((seen.stats.gap_octets, seen.stats.late_octets, seen.stats.retransmitted), (3, 3, 2));
}

#[test]
fn keep_alives_and_resets_are_told_by_their_place() {
    let mut bench = Bench::new(Some(0));
    bench.with(|stream, streams, mut deliver| {
        assert!(stream.resets_at(1) && !stream.resets_at(2));
        stream.accept(1, b"abc", 3, streams, &mut deliver);
        // Not everything is acknowledged: this may be a retransmission.
        assert!(!stream.is_keep_alive(3, 1));
        assert!(stream.resets_at(4) && !stream.resets_at(1), "nothing was acknowledged");
        assert!(!stream.note_ack(2));
        assert!(stream.resets_at(2) && stream.resets_at(4) && !stream.resets_at(5) && !stream.resets_at(1));
        assert!(!stream.note_ack(4));
        assert!(stream.is_keep_alive(3, 0) && stream.is_keep_alive(3, 1) && !stream.is_keep_alive(3, 2));
        assert!(stream.repeats(1, b"abc", streams) && !stream.repeats(1, b"abX", streams));
        assert!(!stream.repeats(2, b"bcd", streams));
    });
}

#[test]
fn what_was_not_seen_to_be_sent_settles_nothing() {
    let mut steps = [Segment(1, b"a"), Ack(500), Segment(2, b"insert"), Segment(2, b"real!!")];
    assert_eq!(play(Some(0), &steps).text, b"ainsert!real!!");
    steps[1] = Ack(1 << 30);
    let seen = play(Some(0), &steps);
    assert_eq!((seen.text.as_slice(), seen.stats.out_of_window), (&b"ainsert!real!!"[..], 1));
}

proptest! {
    /// Whatever the order within the allowance, the octets come out as they were sent.
    #[test]
    fn reordering_within_the_allowance_changes_nothing(
        data in prop::collection::vec(any::<u8>(), 1..200),
        cuts in prop::collection::vec(1usize..20, 1..40),
        start in any::<u32>(),
        swaps in prop::collection::vec(0usize..40, 0..20),
    ) {
        let mut segments = Vec::new();
        let mut at = 0;
        for cut in cuts.iter().cycle() {
            if at >= data.len() { break; }
            let end = (at + cut).min(data.len());
            segments.push((start.wrapping_add(1).wrapping_add(at as u32), &data[at..end], (end - at) as u32));
            at = end;
        }
        let n = segments.len();
        for s in swaps {
            if n > 1 { segments.swap(s % (n - 1), s % (n - 1) + 1); }
        }
        // Adjacent swaps can carry one segment far; keep only orders in which none is early by more than the allowance.
        let mut order_ok = true;
        let mut seen = std::collections::BTreeSet::new();
        let mut next = start.wrapping_add(1);
        for (seq, payload, _) in &segments {
            seen.insert((seq.wrapping_sub(start), payload.len()));
            while let Some(first) = seen.first().copied() {
                if first.0 == next.wrapping_sub(start) {
                    next = next.wrapping_add(first.1 as u32);
                    seen.pop_first();
                } else { break; }
            }
            order_ok &= seen.len() <= held::MAX_HELD as usize;
        }
        prop_assume!(order_ok);
        let (out, gap, _) = run(&segments, Some(start));
        prop_assert_eq!(gap, 0);
        prop_assert_eq!(out, data);
    }
}
