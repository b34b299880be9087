//! Cost of finding and reading control packets, whole in a segment and split: `cargo bench --bench mqtt`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use picket::flow::key::Direction;
use picket::flow::ring::Buffer;
use picket::limits::HEAD_SLOTS;
use picket::mqtt::framer::{Framer, HeadRing, Item};
use picket::mqtt::packet::parse;
use picket::mqtt::version::Version;

/// Packets in the stream, half of them PUBLISH, half PINGREQ.
const PACKETS: u64 = 1000;

fn framing(criterion: &mut Criterion) {
    let stream: Vec<u8> = (0..PACKETS)
        .flat_map(|n| if n % 2 == 0 { &b"\x30\x13\0\x0bhome/sensor21.5 C"[..] } else { &b"\xc0\0"[..] })
        .copied()
        .collect();
    let mut buffers = vec![Buffer::EMPTY; HEAD_SLOTS];
    let mut ring = HeadRing::new(&mut buffers);

    let mut group = criterion.benchmark_group("mqtt");
    group.throughput(Throughput::Elements(PACKETS));
    for (name, segment) in [("segments of 1460 octets", 1460), ("segments of 7 octets", 7)] {
        let mut read = |stream: &[u8]| {
            let mut framer = Framer::AT_START;
            let mut found = 0;
            for octets in stream.chunks(segment) {
                framer.push(octets, &mut ring, &mut |item| {
                    if let Item::Packet(raw) = item {
                        found += 1;
                        black_box(parse(&raw, Direction::ToServer, Version::V311));
                    }
                });
            }
            found
        };
        assert_eq!(read(&stream), PACKETS, "every packet has to be found for the figure to mean anything");
        group.bench_function(name, |bencher| bencher.iter(|| read(black_box(&stream))));
    }
    group.finish();
}

criterion_group!(benches, framing);
criterion_main!(benches);
