//! Files that earlier versions wrote are read for ever, and the portable form keeps its bytes.
use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance, StopReason};
use sharing::*;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// What every golden file holds, in the order of a scan.
fn expected() -> Vec<(Key, Entry)> {
    let quoted = "tract|A, \"quoted\" CPU|AVX-512||tract 0.23.9||1|2";
    let plain = "tract|a CPU|AVX2||tract 0.23.9||2|1";
    let entry = |spec: &str, machine: &str, cache, ns: f64, stop, unix_s, samples| {
        let key = Key { spec: spec.to_owned(), machine: machine.to_owned(), cache };
        let interval_ns = [ns * 0.99, ns * 1.01];
        let provenance = Provenance::Measured;
        let measurement = Measurement { median_ns: ns, interval_ns, samples, provenance, cache, stop, algorithm: None };
        (key, Entry { measurement, unix_s, tool: "locp 0.1.0".to_owned() })
    };
    let padded = |c_out: usize, ns, stop, unix_s| {
        entry(&format!("64>{c_out} 14x14 k3 p1"), quoted, CacheState::Network, ns, stop, unix_s, 11)
    };
    let bare = |c_out: usize, cache, ns, unix_s| {
        entry(&format!("64>{c_out} 14x14 k3"), plain, cache, ns, StopReason::Precise, unix_s, 20)
    };
    let mut named = padded(48, 3000.0, StopReason::NoiseSettled, 1_700_000_002);
    named.1.measurement.algorithm = Some("eng28{k2=1}".to_owned());
    let mut all = vec![
        padded(16, 1000.5, StopReason::Precise, 1_700_000_000),
        padded(16, 1001.0, StopReason::TimeLimit, 1_700_000_100),
        padded(32, 2000.25, StopReason::SampleLimit, 1_700_000_001),
        named,
        padded(64, 4000.0, StopReason::Decided, 1_700_000_003),
        // One key of format 3.
        bare(8, CacheState::Warm, 1000.0, 1),
        bare(8, CacheState::Cold, 2000.0, 4),
        bare(8, CacheState::Network, 0.1 + 0.2, 2),
        bare(8, CacheState::Network, 1600.0, 3),
        bare(16, CacheState::Network, 1700.0, 5),
    ];
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn all(store: &dyn Store) -> Vec<(Key, Entry)> {
    let mut all = Vec::new();
    let each = &mut |key, entry| {
        all.push((key, entry));
        ControlFlow::Continue(())
    };
    store.scan(each).expect("a whole table");
    all
}

/// A copy that may be written.
fn copy(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::copy(golden(name), &path).expect("a golden file");
    (folder, path)
}

#[test]
fn a_store_of_format_3_is_migrated_with_all_its_entries() {
    let (_folder, path) = copy("format-3.redb");
    let refused = DiskStore::open_read_only(&path).map(|_| ());
    assert!(matches!(&refused, Err(StoreError::InUse { reason, .. }) if reason.contains("format 3")), "{refused:?}");
    assert_eq!(std::fs::read(&path).expect("it exists"), std::fs::read(golden("format-3.redb")).expect("it exists"));
    let other = DiskStore::open(&path, TableKind::Simulated).map(|_| ());
    assert!(matches!(other, Err(StoreError::Kind { .. })), "{other:?}");

    let mut store = DiskStore::open(&path, TableKind::Live).expect("an older format is migrated");
    assert_eq!(all(&store), expected());
    assert_eq!(store.keys().expect("whole"), 8);
    let state = |cache| Key { cache, ..expected()[9].0.clone() };
    for (cache, ns) in [(CacheState::Warm, 1000.0), (CacheState::Cold, 2000.0), (CacheState::Network, 0.1 + 0.2)] {
        let key = Key { spec: "64>8 14x14 k3".to_owned(), ..state(cache) };
        let found = store.get(&key).expect("whole").map(|entry| entry.measurement.median_ns);
        assert_eq!(found, Some(ns), "{cache:?}");
    }
    let (key, entry) = expected().swap_remove(0);
    assert_eq!(store.put(&key, &entry).expect("live"), Put::Known);
    drop(store);
    // Once, and a reader has no more to wait for.
    assert_eq!(all(&DiskStore::open_read_only(&path).expect("up to date")), expected());
}

#[test]
fn a_reader_migrates_where_it_may() {
    let (_folder, path) = copy("format-3.redb");
    let (store, kind) = open_read_only(&path).expect("it can be written, so it can be migrated");
    assert_eq!((all(&*store), kind), (expected(), TableKind::Live));
}

#[test]
fn a_store_of_the_newest_format_is_read() {
    let (_folder, path) = copy("format-4.redb");
    assert_eq!(all(&DiskStore::open_read_only(&path).expect("a golden file")), expected());
    assert_eq!(all(&DiskStore::open(&path, TableKind::Live).expect("a golden file")), expected());
}

#[test]
fn the_portable_form_is_read_and_written_byte_for_byte_as_it_was() {
    let (store, kind) = open_read_only(golden("portable.jsonl")).expect("a golden file");
    assert_eq!((all(&*store), kind), (expected(), TableKind::Live));
    let mut written = Vec::new();
    export(&*store, &mut written, Path::new("memory")).expect("memory has room");
    let golden = std::fs::read(golden("portable.jsonl")).expect("it exists");
    assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&golden));
}

/// Not a test: writes the golden files of the newest forms, to a folder that `LOCP_GOLDEN` names.
#[test]
#[ignore = "for a new format"]
fn write_golden_files() {
    let Ok(folder) = std::env::var("LOCP_GOLDEN") else { return };
    let folder = Path::new(&folder);
    let mut store = DiskStore::open(folder.join("format-4.redb"), TableKind::Live).expect("a new store");
    store.put_all(&expected()).expect("live entries");
    let path = folder.join("portable.jsonl");
    export(&store, &mut std::fs::File::create(&path).expect("a new file"), &path).expect("a disk with room");
}

#[test]
fn layers_of_both_forms_answer_from_the_top_and_are_written_there_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mine, below) = (folder.path().join("mine"), golden("portable.jsonl"));
    let open = |path: &Path| open_read_only(path).expect("a golden file").0;
    let mut table = Layered::new(DiskStore::open(&mine, TableKind::Live).expect("a new store"))
        .over(open(&below))
        .over(open(&below));
    let (key, theirs) = expected().swap_remove(3);
    assert_eq!(table.get(&key).expect("whole"), Some(theirs.clone()));
    assert_eq!(all(&table).len(), 10, "what two layers hold is shown once");
    let own = Entry { unix_s: 9, ..theirs };
    table.put(&key, &own).expect("live");
    assert_eq!(table.get(&key).expect("whole"), Some(own.clone()));
    drop(table);
    assert_eq!(all(&*open(&mine)), [(key, own)]);
    let machine = Machine { engine: "tract".into(), ..Machine::default() };
    let key = Key::new(&ConvSpec::new(3, 8, [8, 8], [3, 3]), &machine, CacheState::Network);
    let entry = Entry::now(Measurement::exact(1.0, Provenance::Measured), "test");
    assert!(matches!(open(&below).put(&key, &entry), Err(StoreError::ReadOnly { .. })));
}
