//! Files that the versions of formats 1 and 2 wrote themselves are read for ever, in both forms of a table.
//!
//! `sharing_portable.rs` holds the newest format to its bytes.
use netspec::{CacheState, Measurement, Provenance, StopReason};
use sharing::*;
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// What each golden file holds: the first format knew no algorithms, the second one did not know `Decided`.
fn expected(format: u32) -> Vec<(Key, Entry)> {
    let key = |spec: &str, machine: &str| Key { spec: spec.to_owned(), machine: machine.to_owned() };
    let cpu = key("64>128 56x56 k3 s2 p1 bias relu", "tract|AMD EPYC 9R14|avx512||tract 0.23.9||1|1");
    let gpu = key("n64 32>32 14x14 k3 p1 g32 f16 nhwc", "cuda|NVIDIA T4|7.5|535.1|cuDNN 9.2.1|heuristic|1|2");
    let measurement = |ns: [f64; 3], samples, cache, stop| Measurement {
        median_ns: ns[1],
        interval_ns: [ns[0], ns[2]],
        samples,
        provenance: Provenance::Measured,
        cache,
        stop,
        algorithm: None,
    };
    let entry = |measurement, unix_s| Entry { measurement, unix_s, tool: "locp 0.1.0".to_owned() };
    let slow = |ns, stop| measurement([265_000.25, ns, 267_001.0], 33, CacheState::Network, stop);
    let fast = |cache, stop| {
        let algorithm = (format > 1).then(|| "eng28{k2=1}".to_owned());
        Measurement { algorithm, ..measurement([9.5, 9.75, 10.0], 300, cache, stop) }
    };
    let mut entries = vec![
        (cpu.clone(), entry(slow(266_125.5, StopReason::Precise), 1_790_000_000)),
        (cpu.clone(), entry(slow(266_000.0, StopReason::TimeLimit), 1_790_000_100)),
        (gpu.clone(), entry(fast(CacheState::Warm, StopReason::SampleLimit), 1_790_000_200)),
        (gpu.clone(), entry(fast(CacheState::Cold, StopReason::NoiseSettled), 1_790_000_200)),
    ];
    if format > 2 {
        // The earliest of its key, and yet the last: it was read only until a comparison was settled.
        entries.insert(2, (cpu, entry(slow(266_500.0, StopReason::Decided), 1_780_000_000)));
    }
    entries
}

fn all(store: &dyn Store) -> Vec<(Key, Entry)> {
    let mut all = Vec::new();
    let each = &mut |key, entry| {
        all.push((key, entry));
        std::ops::ControlFlow::Continue(())
    };
    store.scan(each).expect("a whole table");
    all
}

#[track_caller]
fn check(format: u32) {
    let path = golden(&format!("old-{format}.locp"));
    let store = FileStore::open_read_only(&path).expect("a golden file is read");
    assert_eq!(all(&store), expected(format));
    assert_eq!(std::fs::read(&path).expect("it is there")[8], format as u8);
    // And it is worth as much in the store that is used today.
    let folder = tempfile::tempdir().expect("a folder");
    let mut disk = DiskStore::open(folder.path().join("table"), TableKind::Live).expect("a new table");
    merge(&mut disk, &store).expect("live entries");
    assert_eq!(all(&disk), expected(format));
}

#[test]
fn format_1_is_read() {
    check(1);
}

#[test]
fn format_2_is_read() {
    check(2);
}

#[test]
fn an_older_file_goes_on_as_the_newest_format() {
    let folder = tempfile::tempdir().expect("a folder");
    for format in [1, 2] {
        let path = folder.path().join(format!("format-{format}"));
        std::fs::copy(golden(&format!("old-{format}.locp")), &path).expect("a temporary file");
        let mut store = FileStore::open(&path, TableKind::Live).expect("an older format is read");
        let mut entries = expected(format);
        let coarse = expected(3).remove(2);
        store.put(&coarse.0, &coarse.1).expect("a live entry");
        entries.insert(2, coarse);
        drop(store);
        assert_eq!(std::fs::read(&path).expect("it is there")[8], 3);
        assert_eq!(all(&FileStore::open_read_only(&path).expect("whole")), entries);
    }
}
