//! The portable form: what is written is read back, by us and by others, and bad lines are named.
use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance, StopReason};
use proptest::prelude::*;
use sharing::*;
use std::ops::ControlFlow;
use std::path::Path;

fn entries() -> impl Strategy<Value = (Key, Entry)> {
    // Texts that break a careless writer: separators, quotes, line ends, spaces at the ends, other alphabets.
    let text = "[a-z,|\"\\\\\n\r\t\u{1}é漢😀 ]{0,6}";
    let spec =
        prop::sample::select(vec!["64>128 56x56 k3 s2 p1.0.1.0 bias add hardswish", "n8 4>4 8x8 k3 d2 g4 bf16 nhwc"]);
    let cache = prop::sample::select(vec![CacheState::Warm, CacheState::Cold, CacheState::Network]);
    let key = (spec, text, 0usize..3, cache).prop_map(|(spec, device, threads, cache)| {
        let machine = Machine { engine: "tract".into(), device, threads, ..Machine::default() };
        Key::new(&spec.parse().expect("a spec"), &machine, cache)
    });
    let stop = prop::sample::select(vec![StopReason::Precise, StopReason::NoiseSettled, StopReason::Decided]);
    let numbers = (1e-3f64..1e12, 0.0f64..0.5, any::<u32>());
    let said = (any::<u64>(), text, prop::option::of(text));
    (key, numbers, stop, said).prop_map(|(key, (ns, wide, samples), stop, (unix_s, tool, algorithm))| {
        let interval_ns = [ns / (1.0 + wide), ns * (1.0 + wide)];
        let (provenance, cache) = (Provenance::Measured, key.cache);
        let measurement = Measurement { median_ns: ns, interval_ns, samples, provenance, cache, stop, algorithm };
        (key, Entry { measurement, unix_s, tool })
    })
}

fn table(entries: &[(Key, Entry)]) -> MemoryStore {
    let mut table = MemoryStore::new(TableKind::Live);
    table.put_all(entries).expect("live entries");
    table
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

fn written(table: &MemoryStore) -> String {
    let mut text = Vec::new();
    export(table, &mut text, Path::new("memory")).expect("memory has room");
    String::from_utf8(text).expect("JSON is UTF-8")
}

fn read(text: impl AsRef<[u8]>) -> Result<Vec<(Key, Entry)>, StoreError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a text");
    std::fs::write(&path, text).expect("a temporary file");
    open_read_only(&path).map(|(table, _)| all(&*table))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_entry_comes_back_to_the_last_bit(entries in prop::collection::vec(entries(), 0..8)) {
        let table = table(&entries);
        let text = written(&table);
        prop_assert_eq!(text.lines().count(), all(&table).len(), "one line each, whatever its texts contain");
        prop_assert_eq!(read(&text).expect("our own text"), all(&table));
        // As editors on other systems save it, and with empty lines.
        prop_assert_eq!(read(text.replace('\n', "\r\n\r\n")).expect("our own text"), all(&table));
    }

    #[test]
    fn another_program_reads_and_writes_the_same(entry in entries()) {
        let text = written(&table(std::slice::from_ref(&entry)));
        let mut value: serde_json::Value = serde_json::from_str(&text).expect("one JSON object");
        prop_assert_eq!(value["spec"].as_str(), Some(entry.0.spec.as_str()));
        if let Some(machine) = entry.0.machine() {
            prop_assert_eq!(value["machine"]["device"].as_str(), Some(machine.device.as_str()));
        } else {
            prop_assert_eq!(value["machine"].as_str(), Some(entry.0.machine.as_str()));
        }
        prop_assert_eq!(value["tool"].as_str(), Some(entry.1.tool.as_str()));
        prop_assert_eq!(value["algorithm"].as_str(), entry.1.measurement.algorithm.as_deref());
        prop_assert_eq!(value["unix_s"].as_u64(), Some(entry.1.unix_s));
        // With spaces, in another order, and with fields of a later version.
        value["later"] = serde_json::json!({"a": [1, 2]});
        let again = serde_json::to_string_pretty(&value).expect("it was read").replace('\n', " ");
        prop_assert_eq!(read(again).expect("one object"), vec![entry]);
    }

    #[test]
    fn any_bytes_are_refused_or_read_as_nothing(bytes in prop::collection::vec(any::<u8>(), 0..100), text in "[\\PC\n\"{},:]{0,60}") {
        for content in [bytes, text.into_bytes()] {
            if let Ok(found) = read(content) {
                prop_assert_eq!(found, vec![], "nothing of this is an entry");
            }
        }
    }
}

proptest! {
    // Each case waits for the disk.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_store_exports_what_memory_exports(entries in prop::collection::vec(entries(), 0..8)) {
        let table = table(&entries);
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = DiskStore::open(folder.path().join("table"), TableKind::Live).expect("a new store");
        merge(&mut store, &table).expect("live");
        let mut text = Vec::new();
        export(&store, &mut text, Path::new("memory")).expect("memory has room");
        prop_assert_eq!(String::from_utf8_lossy(&text), written(&table));
    }
}

proptest! {
    // Each case tries every byte of a file.
    #![proptest_config(ProptestConfig::with_cases(3))]

    #[test]
    fn a_file_cut_anywhere_keeps_every_whole_line(records in prop::collection::vec(entries(), 1..4), zeros: bool) {
        let entries = all(&table(&records));
        let lines: Vec<String> = entries.iter().map(|entry| written(&table(std::slice::from_ref(entry)))).collect();
        let bytes = lines.concat().into_bytes();
        let ends = lines.iter().scan(0, |end, line| { *end += line.len(); Some(*end) }).collect::<Vec<_>>();
        for cut in 0..=bytes.len() {
            let mut part = bytes[..cut].to_vec();
            part.extend(if zeros && cut > 0 && !part.ends_with(b"\n") { vec![0; 7] } else { Vec::new() });
            // A line of which only the line end is missing is whole.
            let whole = ends.iter().filter(|&&end| end <= cut + 1).count();
            prop_assert_eq!(read(part).expect("cut short, not damaged"), entries[..whole].to_vec(), "cut at {}", cut);
        }
    }
}

const LINE: &str = r#"{"spec":"64>128 56x56 k3 p1","cache":"network","machine":{"engine":"tract","device":"a CPU"},"median_ns":0.30000000000000004,"provenance":"measured"}"#;

#[test]
fn optional_fields_default() {
    let machine = Machine { engine: "tract".into(), device: "a CPU".into(), ..Machine::default() };
    let spec: ConvSpec = "64>128 56x56 k3 p1".parse().expect("a spec");
    let entry = Entry { measurement: Measurement::exact(0.1 + 0.2, Provenance::Measured), unix_s: 0, tool: "".into() };
    let expected = (Key::new(&spec, &machine, CacheState::Network), entry);
    assert_eq!(read(LINE).expect("an entry"), std::slice::from_ref(&expected));
    let other_form = LINE.replace("64>128 56x56 k3 p1", "64>128 56x56 p1 k3");
    assert_eq!(read(other_form).expect("a spec that is not canonical"), [expected]);
}

#[test]
fn bad_lines_are_named_with_a_remedy() {
    #[track_caller]
    fn check(from: &str, to: &str, part: &str) {
        assert!(LINE.contains(from), "{from}");
        let text = format!("{LINE}\n\n{}\n", LINE.replacen(from, to, 1));
        let error = read(&text).expect_err("not an entry");
        assert!(matches!(error, StoreError::Text { line: 3, .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(part) && text.contains("a text, line 3") && text.contains("; repair or remove"),
            "{text}"
        );
    }
    check("\"spec\"", "\"speck\"", "missing field `spec`");
    check("\"cache\"", "\"cash\"", "missing field `cache`");
    check("network", "lukewarm", "unknown variant `lukewarm`");
    check("\"median_ns\"", "\"mean_ns\"", "missing field `median_ns`");
    check("\"provenance\"", "\"from\"", "missing field `provenance`");
    check("\"engine\"", "\"motor\"", "`machine` is not an object with at least `engine` and `device`");
    check("k3", "q3", "cannot read `q3`");
    check("0.30000000000000004", "-1.5", "-1.5 ns in [-1.5, -1.5] is not a latency");
    check("0.30000000000000004", "\"fast\"", "invalid type: string \"fast\", expected f64");
    check("measured", "interpolated", "its number is interpolated");
    check("measured", "simulated", "may not enter a live table: its number is simulated");
    check("tract", "simulated:t4", "its engine is simulated");
    check(LINE, "nonsense", "expected ident, at column 2");
    check(LINE, "{\"spec\":", "the line is cut short");
    // Only a last line without its end may be cut short, and it must not say anything wrong.
    assert_eq!(read(format!("{LINE}\n{{\"spec\":")).expect("torn").len(), 1);
    assert!(read(format!("{LINE}\n{{\"spec\":}}")).is_err());
    assert!(read([LINE.as_bytes(), b"\n\xff\n"].concat()).is_err());
    assert!(matches!(read("[1, 2]"), Err(StoreError::NotATable { .. })));
    assert_eq!(read(" \n").expect("no entry yet"), []);
}

#[test]
fn the_first_entry_decides_the_kind() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table");
    let line = LINE.replace("\"tract\"", "\"simulated:t4\"").replace("measured", "simulated");
    std::fs::write(&path, &line).expect("a temporary file");
    let (table, kind) = open_read_only(&path).expect("a table");
    assert_eq!((all(&*table).len(), kind), (1, TableKind::Simulated));
    let mixed = read(format!("{line}\n{LINE}\n")).expect_err("kinds never mix").to_string();
    assert!(mixed.contains("line 2") && mixed.contains("may not enter a simulated table"), "{mixed}");
}
