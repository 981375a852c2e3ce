//! A table of 10^5 entries: open, get, put.
use criterion::{Criterion, criterion_group, criterion_main};
use netspec::{ConvSpec, Machine, Measurement, Provenance};
use sharing::{Entry, FileStore, Key, Store, TableKind};
use std::hint::black_box;

const ENTRIES: usize = 100_000;

fn key(i: usize) -> Key {
    let machine = Machine {
        engine: "tract".into(),
        device: "AMD EPYC 9R14".into(),
        compute: "avx512".into(),
        library: "tract 0.23.9".into(),
        threads: 1,
        method: 1,
        ..Machine::default()
    };
    Key::new(&ConvSpec::new(1 + i % 512, 1 + i / 512, [14, 14], [3, 3]), &machine)
}

fn entry(i: usize) -> Entry {
    let measurement = Measurement::exact(1.0 + i as f64, Provenance::Measured);
    Entry { measurement, unix_s: 1_790_000_000, tool: "locp 0.1.0".into() }
}

fn table(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("table");
    let mut store = FileStore::open(&path, TableKind::Live).expect("a new table");
    for i in 0..ENTRIES {
        store.put(&key(i), &entry(i)).expect("a live entry");
    }
    store.sync().expect("a disk with room");

    let mut group = criterion.benchmark_group("table-100000");
    group.sample_size(20);
    group.bench_function("open", |bencher| {
        bencher.iter(|| FileStore::open(&path, TableKind::Live).expect("a whole table").keys());
    });
    let mut i = 0;
    group.bench_function("get", |bencher| {
        bencher.iter(|| {
            i = (i + 7919) % ENTRIES;
            store.get(black_box(&key(i))).expect("a whole table")
        });
    });
    group.bench_function("get-missing", |bencher| {
        let missing = key(ENTRIES * 2);
        bencher.iter(|| store.get(black_box(&missing)).expect("a whole table"));
    });
    // Not the table of above: its size shall not depend on how often this runs.
    let mut fresh = FileStore::open(folder.path().join("fresh"), TableKind::Live).expect("a new table");
    let mut n = 0;
    group.bench_function("put", |bencher| {
        bencher.iter(|| {
            n += 1;
            fresh.put(&key(n), &entry(n)).expect("a live entry")
        });
    });
    group.finish();
}

criterion_group!(benches, table);
criterion_main!(benches);
