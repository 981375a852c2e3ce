//! A table of one's own: a folder of text files, one per key, for a team that shares by version control.
//!
//! `cargo run --release --locked --example own_store`
#![expect(clippy::print_stdout, reason = "an example prints")]

use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance, StopReason};
use sharing::{Cached, Entry, Key, MemoryStore, Put, Store, StoreError, TableKind, merge};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use timing::{LatencySource, from_fn};

struct Folder(PathBuf);

fn failed(error: impl std::fmt::Display, path: &Path) -> StoreError {
    StoreError::Other { reason: format!("{}: {error}; repair the file or remove it", path.display()) }
}

impl Folder {
    fn file(&self, key: &Key) -> PathBuf {
        // Good enough for an example; a table that outlives its Rust version needs a hash of its own.
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        self.0.join(format!("{:016x}.txt", hasher.finish()))
    }

    fn read(path: &Path) -> Result<(Key, Entry), StoreError> {
        let text = std::fs::read_to_string(path).map_err(|error| failed(error, path))?;
        let mut lines = text.lines();
        let mut next = || lines.next().ok_or_else(|| failed("a line is missing", path));
        let (spec, machine) = (next()?.to_owned(), next()?.to_owned());
        let caches = [CacheState::Warm, CacheState::Cold, CacheState::Network];
        let word = next()?;
        let cache = caches.into_iter().find(|cache| format!("{cache:?}") == word);
        let key = Key { spec, machine, cache: cache.ok_or_else(|| failed("not a cache state", path))? };
        let mut number = || next()?.parse::<f64>().map_err(|error| failed(error, path));
        let mut measurement = Measurement::exact(number()?, Provenance::Measured);
        measurement.interval_ns = [number()?, number()?];
        (measurement.stop, measurement.cache) = (StopReason::Precise, key.cache);
        let entry = Entry { measurement, unix_s: number()? as u64, tool: "own_store".to_owned() };
        Ok((key, entry))
    }
}

impl Store for Folder {
    fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        let path = self.file(key);
        if !path.exists() {
            return Ok(None);
        }
        let (found, entry) = Folder::read(&path)?;
        // Two keys with one hash must not be taken for each other.
        Ok((found == *key).then_some(entry))
    }

    fn put(&mut self, key: &Key, entry: &Entry) -> Result<Put, StoreError> {
        TableKind::Live.admit(key, entry)?;
        if self.get(key)?.is_some() {
            return Ok(Put::Known);
        }
        let path = self.file(key);
        let Measurement { median_ns, interval_ns: [low, high], .. } = entry.measurement;
        let Key { spec, machine, cache } = key;
        let text = format!("{spec}\n{machine}\n{cache:?}\n{median_ns}\n{low}\n{high}\n{}\n", entry.unix_s);
        // Written beside and renamed, so that a kill leaves no half file under the final name.
        let beside = path.with_extension("new");
        let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &path));
        written.map_err(|error| failed(error, &path)).map(|()| Put::Inserted)
    }

    fn scan(&self, each: &mut dyn FnMut(Key, Entry) -> ControlFlow<()>) -> Result<(), StoreError> {
        for item in std::fs::read_dir(&self.0).map_err(|error| failed(error, &self.0))? {
            let path = item.map_err(|error| failed(error, &self.0))?.path();
            if path.extension().is_some_and(|extension| extension == "txt") {
                let (key, entry) = Folder::read(&path)?;
                if each(key, entry).is_break() {
                    break;
                }
            }
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("locp-own-store-{}", std::process::id()));
    std::fs::create_dir_all(&path)?;
    let engine = from_fn(|spec: &ConvSpec| Ok(Measurement::exact(spec.macs() as f64, Provenance::Measured)));
    let machine = Machine { engine: "mine".into(), ..Machine::default() };

    let mut source = Cached::new(engine.on(machine), Folder(path.clone()));
    for channels in [32, 64, 32] {
        let spec = ConvSpec::new(channels, 64, [28, 28], [3, 3]);
        println!("{spec}: {} ns", source.latency(&spec)?.median_ns);
    }
    println!("{:?}", source.stats());

    // Any table merges into any other.
    let mut memory = MemoryStore::new(TableKind::Live);
    println!("{:?}", merge(&mut memory, source.store())?);
    std::fs::remove_dir_all(path)?;
    Ok(())
}
