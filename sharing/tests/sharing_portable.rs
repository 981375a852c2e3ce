//! Golden files of every format, and layers of files.
#![allow(clippy::unwrap_used, reason = "a test")]

use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance, StopReason};
use sharing::*;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

fn machine(device: &str) -> Machine {
    Machine {
        engine: "tract".into(),
        device: device.into(),
        compute: "AVX-512".into(),
        library: "tract 0.23.9".into(),
        threads: 1,
        method: 2,
        ..Machine::default()
    }
}

fn spec(c_in: usize, c_out: usize) -> ConvSpec {
    let mut spec = ConvSpec::new(c_in, c_out, [14, 14], [3, 3]);
    spec.padding = [1; 4];
    spec
}

fn entry(ns: f64, stop: StopReason, unix_s: u64) -> Entry {
    let measurement = Measurement {
        interval_ns: [ns * 0.99, ns * 1.01],
        samples: 11,
        cache: CacheState::Network,
        stop,
        ..Measurement::exact(ns, Provenance::Measured)
    };
    Entry { measurement, unix_s, tool: "locp 0.1.0".into() }
}

/// What the golden file of a format holds: what the format has room for.
fn golden(format: u8) -> Vec<(Key, Entry)> {
    let key = |c_out| Key::new(&spec(64, c_out), &machine("A, \"quoted\" CPU"));
    let mut all = vec![
        (key(16), entry(1000.5, StopReason::Precise, 1_700_000_000)),
        (key(16), entry(1001.0, StopReason::TimeLimit, 1_700_000_100)),
        (key(32), entry(2000.25, StopReason::SampleLimit, 1_700_000_001)),
    ];
    if format >= 2 {
        let mut named = entry(3000.0, StopReason::NoiseSettled, 1_700_000_002);
        named.measurement.algorithm = Some("eng28{k2=1}".into());
        all.push((key(48), named));
    }
    if format >= 3 {
        all.push((key(64), entry(4000.0, StopReason::Decided, 1_700_000_003)));
    }
    all
}

fn golden_path(format: u8) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/format-{format}.locp"))
}

fn all(store: &dyn Store) -> Vec<(Key, Entry)> {
    let mut all = Vec::new();
    store
        .scan(&mut |key, entry| {
            all.push((key, entry));
            ControlFlow::Continue(())
        })
        .unwrap();
    all
}

#[test]
fn golden_files_of_every_format_are_read_for_ever() {
    for format in 1..=3 {
        let path = golden_path(format);
        let store = FileStore::open_read_only(&path).unwrap();
        let mut expect = golden(format);
        // The order of a scan: by key, then what answers first.
        expect.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.unix_s.cmp(&b.1.unix_s)));
        assert_eq!(all(&store), expect, "{}", path.display());
    }
}

#[test]
fn the_newest_format_is_written_byte_for_byte_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table");
    let mut store = FileStore::open(&path, TableKind::Live).unwrap();
    for (key, entry) in golden(3) {
        store.put(&key, &entry).unwrap();
    }
    drop(store);
    let written = std::fs::read(&path).unwrap();
    assert_eq!(written, std::fs::read(golden_path(3)).unwrap(), "a change of the bytes needs a new format number");
}

#[test]
fn layers_answer_from_the_top_and_are_written_there_only() {
    let folder = tempfile::tempdir().unwrap();
    let (top, below) = (folder.path().join("mine"), golden_path(3));
    let before = std::fs::read(&below).unwrap();
    let mut table = Layered::new(FileStore::open(&top, TableKind::Live).unwrap())
        .over(FileStore::open_read_only(&below).unwrap())
        .over(FileStore::open_read_only(golden_path(2)).unwrap());
    let (key, theirs) = golden(3).swap_remove(2);
    assert_eq!(table.get(&key).unwrap(), Some(theirs.clone()));
    assert_eq!(all(&table).len(), 5, "what two layers hold is shown once");
    let mine = entry(1.0, StopReason::Precise, 9);
    table.put(&key, &mine).unwrap();
    assert_eq!(table.get(&key).unwrap(), Some(mine.clone()));
    assert_eq!(all(&table).len(), 6);
    drop(table);
    assert_eq!(std::fs::read(&below).unwrap(), before);
    assert_eq!(all(&FileStore::open_read_only(&top).unwrap()), [(key, mine)]);
}

proptest::proptest! {
    #[test]
    fn every_number_comes_back_to_the_last_bit(numbers in proptest::collection::vec(1e-3..1e12f64, 1..40)) {
        let mut store = MemoryStore::new(TableKind::Live);
        for (i, &ns) in numbers.iter().enumerate() {
            let mut entry = entry(ns, StopReason::Decided, 7);
            entry.measurement.interval_ns = [ns / 1.012_345_678_9, ns * 1.098_765_432_1];
            store.put(&Key::new(&spec(64, i + 1), &machine("A")), &entry).unwrap();
        }
        for form in [TextForm::JsonLines, TextForm::Csv] {
            let mut out = Vec::new();
            export(&store, form, &mut out, Path::new("memory")).unwrap();
            let known = import(&mut store, form, &mut out.as_slice(), Path::new("memory")).unwrap().known;
            proptest::prop_assert_eq!(known, numbers.len());
        }
    }
}
