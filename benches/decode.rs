//! Cost of decoding one frame of each link type: `cargo bench --bench decode`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etherparse::PacketBuilder;
use picket::decode::decode;
use picket::frame::{Frame, LinkType};
use picket::time::Timestamp;

fn decoding(criterion: &mut Criterion) {
    let payload = [0x30; 60];
    let mut v4 = Vec::new();
    PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .tcp(40_000, 1883, 1, 1024)
        .write(&mut v4, &payload)
        .expect("a vector takes everything");
    let mut v6 = Vec::new();
    PacketBuilder::ethernet2([2; 6], [4; 6])
        .single_vlan(7.try_into().expect("below 4096"))
        .ipv6([1; 16], [2; 16], 64)
        .tcp(40_000, 1883, 1, 1024)
        .write(&mut v6, &payload)
        .expect("a vector takes everything");

    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(1));
    for (name, link, data) in [
        ("ethernet ipv4", LinkType::Ethernet, &v4[..]),
        ("vlan ipv6", LinkType::Ethernet, &v6),
        ("raw ipv4", LinkType::RawIp, &v4[14..]),
    ] {
        let frame = Frame { ts: Timestamp::ZERO, nanos: 0, link, wire_len: 0, data };
        assert!(decode(&frame).is_ok(), "{name} has to be decoded for the figure to mean anything");
        group.bench_function(name, |bencher| bencher.iter(|| decode(black_box(&frame)).is_ok()));
    }
    group.finish();
}

criterion_group!(benches, decoding);
criterion_main!(benches);
