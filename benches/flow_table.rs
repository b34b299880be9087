//! Cost of the connection table: a look-up that hits, and an insertion that evicts, which is what every packet of a
//! spoofed SYN flood costs: `cargo bench --bench flow_table`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use picket::decode::Address;
use picket::engine::ConnectionSlot;
use picket::flow::connection::{Connection, Ends, Phase};
use picket::flow::key::{FlowKey, Socket};
use picket::flow::table::{Handle, HashKey, Table};
use picket::limits::{CONNECTION_SETS, CONNECTION_WAYS};
use picket::time::Timestamp;

fn ends(n: u32) -> Ends {
    let client = Socket { addr: Address::v4(n.to_be_bytes()), port: 40_000 };
    let server = Socket { addr: Address::v4([10, 0, 0, 1]), port: 1883 };
    Ends { client, server, host: Handle::NONE }
}

fn table(criterion: &mut Criterion) {
    let capacity = CONNECTION_SETS * CONNECTION_WAYS;
    let mut slots = vec![ConnectionSlot::EMPTY; capacity];
    let mut tags = vec![0; capacity];
    let mut table: Table<'_, FlowKey, Connection, CONNECTION_WAYS> =
        Table::new(&mut slots, &mut tags, HashKey(1, 2));
    let now = Timestamp::from_secs(1);
    let connection = |n| Connection::new(ends(n), Phase::Opening, now);
    let key = |n| FlowKey::new(ends(n).client, ends(n).server);
    let mut n = 0;

    let mut group = criterion.benchmark_group("flow_table");
    group.throughput(Throughput::Elements(1));
    let mut evicted = 0_u64;
    group.bench_function("insert into full sets", |bencher| {
        // Full before it is measured.
        for _ in 0..capacity * 4 {
            n += 1;
            table.insert(key(n), connection(n), now);
        }
        bencher.iter(|| {
            n += 1;
            evicted += u64::from(table.insert(black_box(key(n)), connection(n), now).evicted.is_some());
        });
    });
    assert!(evicted > 0 && table.len() <= table.capacity());
    let (last, mut found) = (key(n), true);
    group.bench_function("find", |bencher| {
        bencher.iter(|| found &= table.find(black_box(&last), now).is_some());
    });
    assert!(found);
    group.finish();
}

criterion_group!(benches, table);
criterion_main!(benches);
