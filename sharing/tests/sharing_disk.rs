//! The working store: as good as memory, shared, and never wrong when its file is.
#![expect(clippy::print_stdout, reason = "a child talks to its parent")]

use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance, StopReason};
use proptest::prelude::*;
use sharing::*;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

fn key(channels: usize) -> Key {
    let machine = Machine { engine: "tract".into(), ..Machine::default() };
    Key::new(&ConvSpec::new(channels, 8, [8, 8], [3, 3]), &machine, CacheState::Network)
}

fn entry(ns: f64, unix_s: u64) -> Entry {
    Entry { measurement: Measurement::exact(ns, Provenance::Measured), unix_s, tool: "test".into() }
}

fn live(path: &Path) -> DiskStore {
    DiskStore::open(path, TableKind::Live).expect("a whole table")
}

fn all(store: &dyn Store) -> Result<Vec<(Key, Entry)>, StoreError> {
    let mut all = Vec::new();
    store.scan(&mut |key, entry| {
        all.push((key, entry));
        ControlFlow::Continue(())
    })?;
    Ok(all)
}

fn entries() -> impl Strategy<Value = (Key, Entry)> {
    let stop = prop::sample::select(vec![StopReason::Precise, StopReason::Decided]);
    let cache = prop::sample::select(vec![CacheState::Warm, CacheState::Cold, CacheState::Network]);
    (1usize..4, 1u32..3, 0u64..3, stop, cache).prop_map(|(channels, ns, unix_s, stop, cache)| {
        let mut entry = entry(ns.into(), unix_s);
        (entry.measurement.stop, entry.measurement.cache) = (stop, cache);
        (Key { cache, ..key(channels) }, entry)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_store_holds_what_memory_holds(parts in prop::collection::vec(prop::collection::vec(entries(), 0..12), 1..4)) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("table");
        let mut model = MemoryStore::new(TableKind::Live);
        for (i, part) in parts.iter().enumerate() {
            let (mut one, mut other) = (live(&path), live(&path));
            if i % 2 == 0 {
                let merged = one.put_all(part).expect("live");
                prop_assert_eq!(merged, model.put_all(part).expect("live"));
            } else {
                for (key, entry) in part {
                    prop_assert_eq!(one.put(key, entry).expect("live"), model.put(key, entry).expect("live"));
                    prop_assert_eq!(one.get(key).expect("whole"), model.get(key).expect("memory"));
                }
            }
            // Two stores of one file take turns and see each other.
            for (key, entry) in part.iter().take(2) {
                let later = Entry { unix_s: 9, ..entry.clone() };
                prop_assert_eq!(other.put(key, &later).expect("live"), model.put(key, &later).expect("live"));
            }
            prop_assert_eq!(all(&one).expect("whole"), all(&model).expect("memory"));
            prop_assert_eq!(one.keys().expect("whole"), model.keys());
        }
        prop_assert_eq!(all(&live(&path)).expect("whole"), all(&model).expect("memory"));
        prop_assert_eq!(all(&DiskStore::open_read_only(&path).expect("clean")).expect("whole"), all(&model).expect("memory"));
    }
}

#[test]
fn a_better_answer_replaces_a_coarse_one_also_in_memory_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table");
    let (mut mine, mut other) = (live(&path), live(&path));
    let mut coarse = entry(5.0, 1);
    coarse.measurement.stop = StopReason::Decided;
    mine.put(&key(1), &coarse).expect("live");
    assert_eq!(mine.get(&key(1)).expect("whole"), Some(coarse));
    other.put(&key(1), &entry(6.0, 2)).expect("live");
    assert_eq!(mine.get(&key(1)).expect("whole"), Some(entry(6.0, 2)), "the precise one answers, though it is later");
    mine.put(&key(1), &entry(7.0, 1)).expect("live");
    assert_eq!(mine.get(&key(1)).expect("whole"), Some(entry(7.0, 1)), "the earliest answers");
}

#[test]
fn bad_files_are_named_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table");
    let check = |content: &[u8], part: &str| {
        std::fs::write(&path, content).expect("a temporary file");
        for error in [DiskStore::open(&path, TableKind::Live), DiskStore::open_read_only(&path)].map(Result::err) {
            let error = error.map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(part) && error.contains("/table"), "`{error}` lacks `{part}`");
        }
        assert_eq!(std::fs::read(&path).expect("it exists"), content);
    };
    check(b"A picture of a cat", "is not a latency table; choose another path");
    check(
        b"{\"spec\":",
        "is a portable table (JSON Lines), which is not written in place; it is left as it is; import it",
    );
    check(b"redb, but not so", "is not a latency table");
    check(b"redb\x1a\n\xa9\r\n and then something else", "is damaged");

    std::fs::remove_file(&path).expect("it exists");
    drop(live(&path));
    let other = DiskStore::open(&path, TableKind::Simulated).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(other.contains("holds live numbers, not simulated ones"), "{other}");
    let read_only = DiskStore::open_read_only(&path).expect("whole").put(&key(9), &entry(5.0, 1));
    assert!(matches!(read_only, Err(StoreError::ReadOnly { .. })));
    let missing = DiskStore::open_read_only(folder.path().join("none")).err().map(|e| e.to_string());
    assert!(missing.is_some_and(|error| error.contains("cannot open the table") && error.contains("none")));
    let portable = folder.path().join("new.jsonl");
    let refused = DiskStore::open(&portable, TableKind::Live).map_err(|error| error.to_string());
    assert!(refused.is_err_and(|error| error.contains("import it into a store")) && !portable.exists());
    let no_folder = DiskStore::open(folder.path().join("no/table"), TableKind::Live);
    assert!(matches!(no_folder, Err(StoreError::Io { .. })), "{no_folder:?}");
    let refused = live(&path).put(&key(1), &entry(f64::NAN, 1));
    assert!(matches!(refused, Err(StoreError::Refused { .. })));
}

/// What a store keeps beside its format and kind.
fn check_of(format: u64, kind: u64) -> u64 {
    crc32fast::hash(&[format.to_le_bytes(), kind.to_le_bytes()].concat()).into()
}

/// A database of redb's that says these numbers of itself.
fn database(path: &Path, numbers: &[(&str, u64)]) {
    let database = redb::Database::create(path).expect("a new file");
    let transaction = database.begin_write().expect("nobody else writes");
    let definition: redb::TableDefinition<&str, u64> = redb::TableDefinition::new("locp");
    let mut table = transaction.open_table(definition).expect("a new table");
    for (name, number) in numbers {
        table.insert(name, number).expect("room");
    }
    drop(table);
    transaction.commit().expect("room");
}

#[test]
fn newer_and_foreign_databases_are_named_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table");
    let check = |numbers: &[(&str, u64)], part: &str| {
        _ = std::fs::remove_file(&path);
        database(&path, numbers);
        let error = DiskStore::open(&path, TableKind::Live).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(part) && error.contains("left as it is"), "`{error}` lacks `{part}`");
        // Its content is what it was; redb itself notes that it looked.
        let database = redb::Database::open(&path).expect("still a database");
        let read = redb::ReadableDatabase::begin_read(&database).expect("whole");
        let definition: redb::TableDefinition<&str, u64> = redb::TableDefinition::new("locp");
        let table = read.open_table(definition).expect("still there");
        for (name, number) in numbers {
            assert_eq!(table.get(name).expect("whole").map(|value| value.value()), Some(*number));
        }
    };
    let about = |format, kind| [("format", format), ("kind", kind), ("check", check_of(format, kind))];
    check(&about(5, 0), "has format 5 and this version reads up to 4; update");
    check(&about(4, 9), "is not a latency table");
    check(&about(0, 0), "is not a latency table");
    check(&[("format", 5), ("kind", 0), ("check", check_of(4, 0))], "is damaged (its format or its kind)");
    check(&[("kind", 0)], "is not a latency table");

    // An older one is read, and says from then on that newer records may follow.
    std::fs::remove_file(&path).expect("it exists");
    database(&path, &about(2, 0));
    live(&path).put(&key(1), &entry(5.0, 1)).expect("live");
    assert_eq!(live(&path).get(&key(1)).expect("whole"), Some(entry(5.0, 1)));
}

/// A table of some hundred entries, as bytes.
fn bytes_of(path: &Path, channels: std::ops::Range<usize>) -> Vec<u8> {
    let entries: Vec<_> = channels.map(|channels| (key(channels), entry(channels as f64, 7))).collect();
    live(path).put_all(&entries).expect("live");
    std::fs::read(path).expect("it exists")
}

/// What a damaged file tells: an error that says so and leaves the file alone, or the truth.
fn error_or_truth(path: &Path, damaged: &[u8], channels: std::ops::Range<usize>, what: &str) -> bool {
    std::fs::write(path, damaged).expect("a temporary file");
    let opened = DiskStore::open(path, TableKind::Live);
    let found = opened.and_then(|store| {
        let found: Result<Vec<_>, _> = channels.clone().map(|channels| store.get(&key(channels))).collect();
        found.and_then(|found| all(&store).map(|all| (found, all)))
    });
    match found {
        Ok((found, all)) => {
            for (channels, found) in channels.clone().zip(found) {
                assert_eq!(found, Some(entry(channels as f64, 7)), "{what}: a damaged page was believed");
            }
            assert_eq!(all.len(), channels.len(), "{what}");
            false
        }
        Err(error) => {
            let says_so = matches!(error, StoreError::Damaged { .. } | StoreError::NotATable { .. });
            assert!(says_so && error.to_string().contains("it is left as it is"), "{what}: {error}");
            assert_eq!(std::fs::read(path).expect("it exists"), damaged, "{what}: it was written over");
            true
        }
    }
}

#[test]
fn no_changed_byte_is_read_as_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table");
    let bytes = bytes_of(&path, 1..300);
    // Pages that hold nothing may change unnoticed; a prime step visits every place of a page.
    let noticed = (0..bytes.len()).step_by(1009).filter(|&place| {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x41;
        error_or_truth(&path, &damaged, 1..300, &format!("byte {place}"))
    });
    assert!(noticed.count() > 10, "the entries take a good part of the file");
}

#[test]
fn a_file_cut_anywhere_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table");
    let bytes = bytes_of(&path, 1..100);
    for length in (4..bytes.len()).step_by(2003) {
        error_or_truth(&path, &bytes[..length], 1..100, &format!("cut at {length}"));
    }
}

#[test]
fn a_damaged_table_is_set_aside_on_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table.redb");
    let mut bytes = bytes_of(&path, 1..50);
    // Behind the header, every other page: something that counts is hit.
    bytes.iter_mut().skip(600).step_by(64).for_each(|byte| *byte ^= 0x20);
    std::fs::write(&path, &bytes).expect("a temporary file");
    let refused = [DiskStore::open(&path, TableKind::Live).map(|_| ()), open_read_only(&path).map(|_| ())];
    assert!(refused.iter().all(|refused| matches!(refused, Err(StoreError::Damaged { .. }))), "{refused:?}");
    let aside = set_aside(&path).expect("it may be moved");
    assert!(aside.to_string_lossy().contains("table.redb.damaged-"), "{}", aside.display());
    assert_eq!(std::fs::read(&aside).expect("it was moved"), bytes);
    assert_eq!(all(&live(&path)).expect("a new one in its place"), []);
    // A second one does not replace the first.
    let again = set_aside(&path).expect("it may be moved");
    assert_ne!(again, aside);
    assert!(aside.exists() && again.exists() && !path.exists());
    assert!(matches!(set_aside(&folder.path().join("none")), Err(StoreError::Io { action: "set aside", .. })));
}

/// Not a test: the process that fills a disk whose end is near.
#[test]
#[ignore = "started by another test"]
fn child_filler() {
    let Ok(path) = std::env::var("SHARING_FULL") else { return };
    let mut store = live(Path::new(&path));
    store.put(&key(1), &entry(1.0, 7)).expect("there is room for the first");
    for batch in 0.. {
        let entries: Vec<_> = (0..50).map(|i| (key(1000 + 50 * batch + i), entry(2.0, 8))).collect();
        if let Err(error) = store.put_all(&entries) {
            assert!(matches!(error, StoreError::Io { action: "write", .. }), "{error}");
            // The store goes on answering, and says again that there is no room.
            assert_eq!(store.get(&key(1)).expect("it can be read"), Some(entry(1.0, 7)));
            assert!(store.put_all(&entries).is_err());
            println!("\nfull after {batch}");
            return;
        }
    }
}

#[test]
#[cfg(unix)]
fn a_full_disk_leaves_the_table_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table.redb");
    live(&path).put(&key(1), &entry(1.0, 7)).expect("live");
    // A file that may not become longer is what a process sees of a full disk; the signal is what shells add.
    let blocks = std::fs::metadata(&path).expect("it exists").len().div_ceil(512) + 200;
    let this = std::env::current_exe().expect("this test");
    let line = format!(
        "trap '' XFSZ; ulimit -f {blocks} && exec '{}' --exact child_filler --ignored --nocapture",
        this.display()
    );
    let ran = Command::new("sh").args(["-c", &line]).env("SHARING_FULL", &path).output().expect("a shell");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    let batches = said.lines().find_map(|line| line.strip_prefix("full after "));
    let batches: usize = batches.and_then(|n| n.parse().ok()).expect("it says how far it came");

    let mut store = live(&path);
    assert_eq!(all(&store).expect("a full disk damages nothing").len(), 1 + 50 * batches);
    store.put(&key(2), &entry(3.0, 9)).expect("there is room again");
    assert_eq!(store.get(&key(2)).expect("whole"), Some(entry(3.0, 9)));
}

/// Not a test: the process that ends without a word.
#[test]
#[ignore = "started by another test"]
fn child_aborter() {
    let Ok(path) = std::env::var("SHARING_ABORT") else { return };
    let mut store = live(Path::new(&path));
    store.put(&key(1), &entry(1.0, 7)).expect("live");
    std::process::abort();
}

#[test]
fn a_reader_tidies_up_behind_a_writer_that_was_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table.redb");
    let ran = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child_aborter", "--ignored"])
        .env("SHARING_ABORT", &path)
        .output()
        .expect("this test can run itself");
    assert!(!ran.status.success(), "it was to be killed");
    let refused = DiskStore::open_read_only(&path).map(|_| ());
    assert!(matches!(&refused, Err(StoreError::InUse { reason, .. }) if reason.contains("open it for writing once")));
    let (store, kind) = open_read_only(&path).expect("it can be written, so it can be tidied");
    assert_eq!((store.get(&key(1)).expect("whole"), kind), (Some(entry(1.0, 7)), TableKind::Live));
    // Whoever writes meanwhile disturbs no reader, and is seen.
    live(&path).put(&key(2), &entry(2.0, 7)).expect("live");
    assert_eq!(store.get(&key(2)).expect("whole"), Some(entry(2.0, 7)));
}
