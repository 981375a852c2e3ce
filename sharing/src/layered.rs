//! Several tables, one over the other.

use crate::index::Index;
use crate::{Entry, Key, Merged, Put, Store, StoreError};
use std::ops::ControlFlow;

/// Tables in layers: mine over my team's over those that were shipped with the tool.
///
/// The first layer that has a key answers, so what was measured here is never overruled. Only the top is written;
/// what lies below may be read-only, and belongs to somebody else.
/// All layers must hold the same kind of numbers; a lower layer of another kind would smuggle them past the top's door.
///
/// ```
/// use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance};
/// use sharing::{Entry, Key, Layered, MemoryStore, Store, TableKind};
/// let key = |channels| Key::new(&ConvSpec::new(channels, 8, [8, 8], [3, 3]), &Machine::default(), CacheState::Network);
/// let entry = |ns| Entry { measurement: Measurement::exact(ns, Provenance::Measured), unix_s: 7, tool: "doc".into() };
///
/// let mut team = MemoryStore::new(TableKind::Live);
/// team.put(&key(1), &entry(10.0))?;
/// team.put(&key(2), &entry(20.0))?;
/// let mut tables = Layered::new(MemoryStore::new(TableKind::Live)).over(team);
/// tables.put(&key(1), &entry(11.0))?;
///
/// let ns = |channels| tables.get(&key(channels)).map(|found| found.map(|entry| entry.measurement.median_ns));
/// assert_eq!(ns(1)?, Some(11.0), "mine");
/// assert_eq!(ns(2)?, Some(20.0), "the team's");
/// # Ok::<(), sharing::StoreError>(())
/// ```
pub struct Layered {
    top: Box<dyn Store>,
    below: Vec<Box<dyn Store>>,
}

impl Layered {
    /// A single layer, the one that is written.
    pub fn new(top: impl Store + 'static) -> Layered {
        Layered { top: Box::new(top), below: Vec::new() }
    }

    /// The same over another table, which lies below all that are there.
    pub fn over(mut self, below: impl Store + 'static) -> Layered {
        self.below.push(Box::new(below));
        self
    }

    fn layers(&self) -> impl Iterator<Item = &dyn Store> {
        std::iter::once(&self.top).chain(&self.below).map(|store| &**store)
    }
}

impl Store for Layered {
    fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        for layer in self.layers() {
            if let Some(entry) = layer.get(key)? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Adds it to the top; it is new there even if a layer below knows it.
    fn put(&mut self, key: &Key, entry: &Entry) -> Result<Put, StoreError> {
        self.top.put(key, entry)
    }

    /// Shows the union: an entry that several layers hold comes once.
    fn scan(&self, each: &mut dyn FnMut(Key, Entry) -> ControlFlow<()>) -> Result<(), StoreError> {
        if self.below.is_empty() {
            return self.top.scan(each);
        }
        let mut union = Index::default();
        for layer in self.layers() {
            layer.scan(&mut |key, entry| {
                union.insert(key, entry);
                ControlFlow::Continue(())
            })?;
        }
        union.scan(each);
        Ok(())
    }

    fn put_all(&mut self, entries: &[(Key, Entry)]) -> Result<Merged, StoreError> {
        self.top.put_all(entries)
    }
}

impl std::fmt::Debug for Layered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Layered").field("below", &self.below.len()).finish_non_exhaustive()
    }
}
