//! What the embedded database alone would believe of a damaged file: the reason why a store checks it on open.
//!
//! `cargo test --release -p sharing --test sharing_study -- --ignored --nocapture`
#![expect(clippy::print_stdout, reason = "a study prints its figures")]

use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance};
use redb::{ConcurrencyMode, Database, ReadableDatabase, ReadableTable, TableDefinition};
use sharing::*;
use std::collections::BTreeMap;
use std::path::Path;

const ENTRIES: TableDefinition<(&str, &str, u8), &[u8]> = TableDefinition::new("measurements");

type Content = BTreeMap<(String, String, u8), Vec<u8>>;

fn content(path: &Path, is_checked: bool) -> Result<Content, redb::Error> {
    let mut builder = Database::builder();
    builder.set_concurrency_mode(ConcurrencyMode::MultiWriter).set_check_integrity_on_open(is_checked);
    let database = builder.open(path)?;
    let table = database.begin_read()?.open_table(ENTRIES)?;
    let mut content = Content::new();
    for item in table.iter()? {
        let (key, value) = item?;
        let (spec, machine, cache) = key.value();
        content.insert((spec.to_owned(), machine.to_owned(), cache), value.value().to_vec());
    }
    Ok(content)
}

#[test]
#[ignore = "a study of some minutes, for docs/adr/0013"]
fn what_the_database_alone_would_believe() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table");
    let entries: Vec<_> = (1..=200)
        .map(|channels| {
            let key = Key::new(&ConvSpec::new(channels, 8, [8, 8], [3, 3]), &Machine::default(), CacheState::Network);
            let measurement = Measurement::exact(channels as f64, Provenance::Measured);
            (key, Entry { measurement, unix_s: 7, tool: "study".to_owned() })
        })
        .collect();
    DiskStore::open(&path, TableKind::Live).expect("a new table").put_all(&entries).expect("live entries");
    let (bytes, whole) = (std::fs::read(&path).expect("it exists"), content(&path, true).expect("whole"));
    std::panic::set_hook(Box::new(|_| {}));
    for is_checked in [false, true] {
        let mut found = BTreeMap::<&str, usize>::new();
        for place in (0..bytes.len()).step_by(31) {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x41;
            std::fs::write(&path, &damaged).expect("a temporary file");
            let outcome = match std::panic::catch_unwind(|| content(&path, is_checked)) {
                Err(_) => "panicked",
                Ok(Err(_)) => "an error",
                Ok(Ok(content)) if content == whole => "nothing lost",
                Ok(Ok(content)) if content.iter().all(|(key, value)| whole.get(key) == Some(value)) => "entries lost",
                Ok(Ok(_)) => "entries changed",
            };
            *found.entry(outcome).or_default() += 1;
        }
        println!("checked on open: {is_checked}: {found:?}");
        assert!(!is_checked || found.keys().all(|outcome| ["an error", "nothing lost"].contains(outcome)));
    }
}
