//! A table of 10^5 entries in both of its forms: open, get, put, merge, diff.
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance};
use sharing::{DiskStore, Entry, Key, MemoryStore, Store, TableKind, diff, export, merge, open_read_only};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

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
    Key::new(&ConvSpec::new(1 + i % 512, 1 + i / 512, [14, 14], [3, 3]), &machine, CacheState::Network)
}

fn entry(i: usize) -> Entry {
    let measurement = Measurement::exact(1.0 + i as f64, Provenance::Measured);
    Entry { measurement, unix_s: 1_790_000_000, tool: "locp 0.1.0".into() }
}

type Group<'a> = BenchmarkGroup<'a, criterion::measurement::WallTime>;

fn gets(group: &mut Group<'_>, store: &dyn Store, remembered: &str) {
    let keys: Vec<Key> = (0..1000).map(|i| key(i * 79)).collect();
    let mut i = 0;
    group.bench_function(remembered, |bencher| {
        bencher.iter(|| {
            i = (i + 1) % keys.len();
            store.get(black_box(&keys[i])).expect("a whole table")
        });
    });
    let missing = key(ENTRIES * 2);
    group.bench_function("get-missing", |bencher| {
        bencher.iter(|| store.get(black_box(&missing)).expect("a whole table"));
    });
}

fn puts(group: &mut Group<'_>, store: &mut dyn Store) {
    let mut n = 0;
    group.bench_function("put", |bencher| {
        bencher.iter(|| {
            n += 1;
            store.put(&key(n), &entry(n)).expect("a live entry")
        });
    });
    group.bench_function("put-24-at-once", |bencher| {
        bencher.iter(|| {
            let batch: Vec<_> = (0..24).map(|i| (key(n + i), entry(n + i))).collect();
            n += 24;
            store.put_all(&batch).expect("live entries")
        });
    });
}

fn store(criterion: &mut Criterion, folder: &Path, entries: &dyn Store) {
    let mut group = criterion.benchmark_group("store-100000");
    group.sample_size(20);
    let path = folder.join("table.redb");
    merge(&mut DiskStore::open(&path, TableKind::Live).expect("a new table"), entries).expect("live entries");
    group.bench_function("open", |bencher| {
        bencher.iter(|| DiskStore::open(&path, TableKind::Live).expect("a whole table"));
    });
    // Every question reaches the database: each is asked once of each store.
    let keys: Vec<Key> = (0..20_000).map(|i| key((i * 7919) % ENTRIES)).collect();
    group.bench_function("get", |bencher| {
        bencher.iter_custom(|mut times| {
            let mut spent = Duration::ZERO;
            while times > 0 {
                let store = DiskStore::open(&path, TableKind::Live).expect("a whole table");
                let now = times.min(keys.len() as u64);
                let begin = Instant::now();
                for key in &keys[..now as usize] {
                    black_box(store.get(black_box(key)).expect("a whole table"));
                }
                spent += begin.elapsed();
                times -= now;
            }
            spent
        });
    });
    gets(&mut group, &DiskStore::open(&path, TableKind::Live).expect("a whole table"), "get-remembered");
    puts(&mut group, &mut DiskStore::open(folder.join("fresh.redb"), TableKind::Live).expect("a new table"));
    group.sample_size(10);
    let into = folder.join("united.redb");
    group.bench_function("merge-into-empty", |bencher| {
        bencher.iter(|| {
            _ = std::fs::remove_file(&into);
            merge(&mut DiskStore::open(&into, TableKind::Live).expect("a new table"), entries).expect("live entries")
        });
    });
    let whole = DiskStore::open(&path, TableKind::Live).expect("a whole table");
    group.bench_function("diff-with-itself", |bencher| {
        bencher.iter(|| diff(&whole, &whole, &Default::default()).expect("a whole table").len());
    });
    group.finish();
}

fn table(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut entries = MemoryStore::new(TableKind::Live);
    for i in 0..ENTRIES {
        entries.put(&key(i), &entry(i)).expect("a live entry");
    }
    store(criterion, folder.path(), &entries);

    let path = folder.path().join("table.jsonl");
    let mut group = criterion.benchmark_group("portable-100000");
    group.sample_size(10);
    group.bench_function("export", |bencher| {
        bencher.iter(|| {
            let mut file = std::io::BufWriter::new(std::fs::File::create(&path).expect("a new file"));
            export(&entries, &mut file, &path).expect("a disk with room")
        });
    });
    group.bench_function("open", |bencher| bencher.iter(|| open_read_only(&path).expect("a whole table").1));
    group.finish();
}

criterion_group!(benches, table);
criterion_main!(benches);
