//! A table in memory.

use crate::index::Index;
use crate::{Entry, Key, Put, Store, StoreError, TableKind};
use std::ops::ControlFlow;

/// A table in memory: for tests, for simulated numbers, and for runs that shall leave no trace.
///
/// Two are equal if they hold the same entries, whatever order they came in.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryStore {
    kind: TableKind,
    index: Index,
}

/// An empty table of live measurements.
impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new(TableKind::Live)
    }
}

impl MemoryStore {
    /// An empty table.
    pub fn new(kind: TableKind) -> MemoryStore {
        MemoryStore { kind, index: Index::default() }
    }

    /// What kind of numbers it holds.
    pub fn kind(&self) -> TableKind {
        self.kind
    }

    /// How many keys it holds.
    pub fn keys(&self) -> usize {
        self.index.keys()
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        Ok(self.index.get(key).cloned())
    }

    fn put(&mut self, key: &Key, entry: &Entry) -> Result<Put, StoreError> {
        self.kind.admit(key, entry)?;
        Ok(self.index.insert(key.clone(), entry.clone()))
    }

    fn scan(&self, each: &mut dyn FnMut(Key, Entry) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.index.scan(each);
        Ok(())
    }
}
