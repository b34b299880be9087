//! Tests of the fragment pool.

use super::*;
use crate::decode::Address;
use proptest::prelude::*;

/// A pool with memory of its own.
struct Bench {
    slots: Vec<FragmentSlot>,
    chunks: Vec<Chunk>,
    datagram: Vec<u8>,
}

type Vec<T> = std::vec::Vec<T>;

impl Bench {
    fn new(slots: usize, chunks: usize) -> Self {
        Self {
            slots: vec![FragmentSlot::EMPTY; slots],
            chunks: vec![Chunk::EMPTY; chunks],
            datagram: vec![0; DATAGRAM_BYTES],
        }
    }

    fn pool(&mut self) -> Fragments<'_> {
        Fragments::new(&mut self.slots, &mut self.chunks, &mut self.datagram, HashKey(1, 2))
    }
}

fn of(id: u32, is_v6: bool) -> Fragmented {
    let (src, dst) = (Address::v4([10, 0, 0, 1]), Address::v4([10, 0, 0, 2]));
    Fragmented { src_mac: None, src, dst, id, is_v6, protocol: 17, depth: 0 }
}

fn fragment(of: Fragmented, offset: usize, more: bool, payload: &[u8]) -> Fragment<'_> {
    Fragment { of, offset: offset as u32, more, payload, wire_payload_len: payload.len() as u32 }
}

/// Gives the pool fragments at a time in seconds; what was put together, and what was odd.
fn feed(pool: &mut Fragments<'_>, at: u64, fragments: &[Fragment<'_>]) -> (Vec<Vec<u8>>, Vec<Anomaly>) {
    let (mut whole, mut told) = (Vec::new(), Vec::new());
    for fragment in fragments {
        let now = Timestamp::from_secs(1000 + at);
        if let Some(done) = pool.accept(fragment, now, &mut |anomaly| told.push(anomaly)) {
            let memory = pool.whole();
            whole.push(memory[..done.len].to_vec());
            pool.give_back(memory);
        }
    }
    (whole, told)
}

#[test]
fn in_any_order_with_repetitions() {
    let mut bench = Bench::new(4, 8);
    let mut pool = bench.pool();
    let data: Vec<u8> = (0..5000u32).map(|n| n as u8).collect();
    let a = of(7, false);
    let parts = [
        fragment(a, 4000, false, &data[4000..]),
        fragment(a, 0, true, &data[..1496]),
        fragment(a, 2992, true, &data[2992..4000]),
        fragment(a, 0, true, &data[..1496]),
        fragment(a, 1496, true, &data[1496..2992]),
        // Late copies of the last one do not begin a datagram.
        fragment(a, 1496, true, &data[1496..2992]),
    ];
    assert_eq!(feed(&mut pool, 0, &parts), (vec![data], vec![]));
    let stats = FragmentStats { received: 6, reassembled: 1, repeated: 2, ..FragmentStats::default() };
    assert_eq!(pool.stats, stats);
    assert_eq!(pool.free.len(), 8);
}

#[test]
fn overlaps_keep_the_first_with_ipv4_and_end_it_with_ipv6() {
    let mut bench = Bench::new(4, 8);
    let mut pool = bench.pool();
    let overlap = |of| {
        [
            fragment(of, 0, true, b"firstfirst......"),
            fragment(of, 8, true, b"........secondse"),
            fragment(of, 24, false, b"end"),
            fragment(of, 0, true, b"again..."),
        ]
    };
    let (whole, told) = feed(&mut pool, 0, &overlap(of(1, false)));
    assert_eq!(whole, [b"firstfirst......secondseend".to_vec()]);
    assert_eq!(told, [Anomaly::FragmentConflict]);
    assert_eq!((pool.stats.overlaps, pool.stats.conflicts), (1, 1));
    let (whole, told) = feed(&mut pool, 0, &overlap(of(2, true)));
    assert_eq!((whole.len(), told), (0, vec![Anomaly::FragmentConflict]));
    // The same octets again are no overlap that ends it.
    let same = [
        fragment(of(3, true), 0, true, b"12345678"),
        fragment(of(3, true), 0, true, b"12345678"),
        fragment(of(3, true), 8, false, b"9"),
    ];
    assert_eq!(feed(&mut pool, 0, &same).0, [b"123456789".to_vec()]);
}

#[test]
fn what_cannot_be_is_dropped_and_counted() {
    let mut bench = Bench::new(4, 8);
    let mut pool = bench.pool();
    let a = of(1, false);
    let cut = Fragment { wire_payload_len: 16, ..fragment(a, 0, true, b"12345678") };
    let odd = [
        cut,
        fragment(a, 0, true, b""),
        fragment(a, 0, true, b"1234567"),
        // Beyond the longest datagram, as in the ping of death.
        fragment(a, 65_528, false, b"12345678"),
    ];
    assert_eq!(feed(&mut pool, 0, &odd), (vec![], vec![]));
    assert_eq!(pool.stats.unusable, 4);
    // Two ends, and something behind the end.
    let ends = [
        fragment(a, 8, false, b"end"),
        fragment(a, 8, false, b"another"),
        fragment(a, 16, true, b"beyond.."),
        fragment(a, 0, true, b"12345678"),
    ];
    let (whole, told) = feed(&mut pool, 0, &ends);
    assert_eq!((whole, told), (vec![b"12345678end".to_vec()], vec![Anomaly::FragmentConflict; 2]));
    // An end before what has come already.
    let b = of(2, false);
    let (_, told) = feed(&mut pool, 0, &[fragment(b, 16, true, b"12345678"), fragment(b, 0, false, b"1")]);
    assert_eq!(told, [Anomaly::FragmentConflict]);
    // A first fragment of TCP without its flags.
    let tcp = Fragmented { protocol: TCP, ..of(3, false) };
    assert_eq!(feed(&mut pool, 0, &[fragment(tcp, 0, true, b"12345678")]).1, [Anomaly::FragmentTiny]);
}

#[test]
fn a_flood_pushes_its_own_out_first() {
    let mut bench = Bench::new(8, 16);
    let mut pool = bench.pool();
    let victim = Fragmented { src: Address::v4([10, 0, 0, 9]), ..of(1, false) };
    feed(&mut pool, 0, &[fragment(victim, 0, true, b"12345678")]);
    let flood: Vec<Fragmented> = (10..1000).map(|id| of(id, false)).collect();
    let flood: Vec<Fragment<'_>> = flood.iter().map(|of| fragment(*of, 0, true, b"flooding")).collect();
    let (_, told) = feed(&mut pool, 1, &flood);
    assert_eq!(told, [Anomaly::FragmentFlood], "once a second");
    assert_eq!(pool.stats.evicted, 990 - 7, "all that were free, then its own");
    assert_eq!(feed(&mut pool, 2, &[fragment(victim, 8, false, b"9")]).0, [b"123456789".to_vec()]);
}

#[test]
fn nobody_is_waited_for_longer_than_thirty_seconds() {
    let mut bench = Bench::new(2, 4);
    let mut pool = bench.pool();
    let first = fragment(of(1, false), 0, true, b"12345678");
    let last = fragment(of(1, false), 8, false, b"9");
    feed(&mut pool, 0, &[first]);
    assert_eq!(feed(&mut pool, 31, &[last]).0.len(), 0);
    assert_eq!(pool.stats.timed_out, 1);
    assert_eq!(feed(&mut pool, 32, &[first]).0, [b"123456789".to_vec()]);
}

#[test]
fn chunks_run_out() {
    let mut bench = Bench::new(4, 2);
    let mut pool = bench.pool();
    let data = [7; 4000];
    feed(&mut pool, 0, &[fragment(of(1, false), 0, true, &data)]);
    // It takes both chunks of the first, which has to leave.
    feed(&mut pool, 1, &[fragment(of(2, false), 0, true, &data)]);
    assert_eq!(pool.stats.evicted, 1);
    // Longer than the pool: it leaves itself.
    feed(&mut pool, 2, &[fragment(of(2, false), 4000, true, &data)]);
    assert_eq!((pool.stats.evicted, pool.free.len()), (2, 2));
    // Without any memory nothing is put together.
    let mut none = Bench::new(0, 0);
    assert_eq!(feed(&mut none.pool(), 0, &[fragment(of(1, false), 0, true, b"12345678")]).0.len(), 0);
}

proptest! {
    /// However a datagram is cut and in whatever order its fragments come, some more than once, it comes out as it was.
    #[test]
    fn any_cuts_and_order_give_the_datagram(
        data in prop::collection::vec(any::<u8>(), 9..9000),
        cuts in prop::collection::vec(1usize..200, 1..12),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        is_v6 in any::<bool>(),
    ) {
        let mut parts = Vec::new();
        let mut at = 0;
        for cut in cuts.iter().cycle() {
            if at >= data.len() { break; }
            let end = (at + cut * 8).min(data.len());
            parts.push((at, end));
            at = end;
        }
        let whole = parts.clone();
        for (n, index) in order.iter().enumerate() {
            let other = index.index(parts.len());
            let n = n % parts.len();
            parts.swap(n, other);
            // Some once more.
            if other % 5 == 0 { parts.push(whole[other % whole.len()]); }
        }
        let mut bench = Bench::new(3, 8);
        let mut pool = bench.pool();
        let fragments: Vec<Fragment<'_>> = parts
            .iter()
            .map(|(at, end)| fragment(of(5, is_v6), *at, *end < data.len(), &data[*at..*end]))
            .collect();
        let (found, told) = feed(&mut pool, 0, &fragments);
        prop_assert_eq!(found, vec![data]);
        prop_assert!(told.is_empty());
        prop_assert_eq!(pool.free.len(), 8);
    }

    /// No fragments panic or lose chunks, and what is put together has the length that a last fragment told.
    #[test]
    fn no_fragments_panic(
        steps in prop::collection::vec((0u32..6, 0usize..9000, any::<bool>(), 0usize..3000, 0u64..4, any::<bool>()), 0..80),
    ) {
        let mut bench = Bench::new(3, 5);
        let mut pool = bench.pool();
        let data = [1; 3000];
        let mut at = 0;
        for (id, offset, more, len, later, is_v6) in steps {
            at += later * 5;
            let part = fragment(of(id, is_v6), offset * 8, more, &data[..len]);
            for whole in feed(&mut pool, at, &[part]).0 {
                prop_assert!(!whole.is_empty() && whole.iter().all(|octet| *octet == 1));
            }
            let used: usize = pool.slots.iter().map(|slot| slot.chunks.iter().filter(|c| **c > 0).count()).sum();
            prop_assert_eq!(used + pool.free.len(), 5);
        }
    }
}
