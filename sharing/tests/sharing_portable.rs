//! Tables that leave their machine: golden files of every format, CSV, JSON Lines, differences, policies, layers.
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
fn csv_has_a_column_for_everything_and_quotes_what_needs_it() {
    let store = FileStore::open_read_only(golden_path(3)).unwrap();
    let mut out = Vec::new();
    assert_eq!(write_csv(&store, &mut out).unwrap(), 5);
    let text = String::from_utf8(out).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(header.len(), 35);
    let row = lines.next().unwrap();
    assert!(
        row.starts_with("1,64,16,14,14,3,3,1,1,1,f32,nchw,0,0,none,tract,\"A, \"\"quoted\"\" CPU\",AVX-512,"),
        "{row}"
    );
    assert!(row.contains(",1000.5,") && row.contains(",measured,network,precise,"), "{row}");
    // Two quoted fields with a comma each, the device and the machine's text.
    assert_eq!(row.split(',').count(), 35 + 2);
}

#[cfg(feature = "json")]
#[test]
fn json_lines_come_back_as_the_same_set() {
    let store = FileStore::open_read_only(golden_path(3)).unwrap();
    let mut out = Vec::new();
    assert_eq!(write_json_lines(&store, TableKind::Live, &mut out).unwrap(), 5);
    let mut back = MemoryStore::new(TableKind::Live);
    let merged = read_json_lines(&mut out.as_slice(), &mut back).unwrap();
    assert_eq!((merged.inserted, merged.history, merged.known), (4, 1, 0));
    assert_eq!(all(&back), all(&store));
    assert_eq!(read_json_lines(&mut out.as_slice(), &mut back).unwrap().known, 5);

    let text = String::from_utf8(out).unwrap();
    let check = |text: &str, line: usize, part: &str| {
        let error = read_json_lines(&mut text.as_bytes(), &mut MemoryStore::new(TableKind::Live)).unwrap_err();
        let said = error.to_string();
        assert!(said.contains(&format!("line {line}: ")) && said.contains(part), "{said}");
    };
    check("a picture of a cat", 1, "not the header of a table");
    check(&text.replace("locp.table/1", "locp.table/9"), 1, "locp.table/9 is not known");
    check(&text.replace("64>32 14x14", "64>32 by 14"), 4, "by");
    check(&(text.clone() + "{\"spec\":\n"), 7, "EOF");
    let simulated = text.replace("\"measured\"", "\"simulated\"");
    let refused = read_json_lines(&mut simulated.as_bytes(), &mut MemoryStore::new(TableKind::Live)).unwrap_err();
    assert!(refused.to_string().contains("may not enter a live table"), "{refused}");
}

fn table(device: &str, ns: impl Fn(usize) -> f64) -> MemoryStore {
    let mut store = MemoryStore::new(TableKind::Live);
    for c_out in (16..=128).step_by(16) {
        let key = Key::new(&spec(64, c_out), &machine(device));
        store.put(&key, &entry(ns(c_out), StopReason::Precise, 1)).unwrap();
    }
    store
}

#[test]
fn a_slower_device_has_the_same_stairs_and_a_moved_riser_is_told() {
    let stairs = |store: &MemoryStore| stair_lines(store, &|_| true).unwrap();
    let here = table("A", |c| 100.0 * c.div_ceil(32) as f64);
    let slower = table("B", |c| 170.0 * c.div_ceil(32) as f64);
    let same = diff(&stairs(&here), &stairs(&slower), 0.03);
    assert_eq!(same.len(), 1, "{same:?}");
    assert_eq!((same[0].line.to_string().as_str(), same[0].widths), ("64>* 14x14 k3 p1", 8));
    assert!((same[0].ratio - 1.7).abs() < 1e-9 && same[0].worst.1 < 1e-9 && same[0].moved.is_empty());

    let other = table("B", |c| 170.0 * c.div_ceil(64) as f64);
    let moved = &diff(&stairs(&here), &stairs(&other), 0.03)[0].moved;
    let places: Vec<(usize, usize)> = moved.iter().map(|riser| (riser.from, riser.to)).collect();
    assert_eq!(places, [(32, 48), (96, 112)], "64 | 80 rises in both");
    assert!(moved[0].first >= 0.03 && moved[0].second < 0.015);
    // A rise of 1.5 % between latencies that are known to 1 % is not told from none by these four intervals.
    let slight = table("B", |c| 170.0 * c.div_ceil(32) as f64 * if c == 16 { 0.985 } else { 1.0 });
    assert!(diff(&stairs(&here), &stairs(&slight), 0.015)[0].moved.is_empty());
}

#[test]
fn the_policy_is_data_and_numbers_stay_at_home() {
    use TableKind::{Live, Recorded, Simulated};
    let mine = machine("A");
    let check = |policy: SharingPolicy, theirs: Machine, kind, expect| {
        assert_eq!(policy.of(&mine, Live, &theirs.to_string(), kind), expect, "{theirs} {kind}");
    };
    let usual = SharingPolicy::default();
    check(usual, machine("A"), Live, Use::Numbers);
    check(usual, Machine { library: "tract 0.24".into(), ..machine("A") }, Live, Use::Hypotheses);
    check(usual, Machine { threads: 4, ..machine("A") }, Live, Use::Hypotheses);
    check(usual, machine("B"), Live, Use::Hypotheses);
    check(usual, Machine { engine: "onnxruntime".into(), ..machine("A") }, Live, Use::Nothing);
    check(usual, machine("A"), Recorded, Use::Hypotheses);
    check(usual, machine("A"), Simulated, Use::Hypotheses);
    let open = SharingPolicy { other_device: Use::Numbers, other_kind: Use::Numbers, ..usual };
    check(open, machine("B"), Live, Use::Hypotheses);
    check(open, machine("A"), Simulated, Use::Hypotheses);
    check(
        SharingPolicy { same_device: Use::Nothing, ..usual },
        Machine { method: 1, ..machine("A") },
        Live,
        Use::Nothing,
    );
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

#[cfg(feature = "json")]
proptest::proptest! {
    #[test]
    fn every_number_comes_back_to_the_last_bit(numbers in proptest::collection::vec(1e-3..1e12f64, 1..40)) {
        let mut store = MemoryStore::new(TableKind::Live);
        for (i, &ns) in numbers.iter().enumerate() {
            let mut entry = entry(ns, StopReason::Decided, 7);
            entry.measurement.interval_ns = [ns / 1.012_345_678_9, ns * 1.098_765_432_1];
            store.put(&Key::new(&spec(64, i + 1), &machine("A")), &entry).unwrap();
        }
        let mut out = Vec::new();
        write_json_lines(&store, TableKind::Live, &mut out).unwrap();
        let known = read_json_lines(&mut out.as_slice(), &mut store).unwrap().known;
        proptest::prop_assert_eq!(known, numbers.len());
    }
}
