//! One's own table over a team's over those shipped with the program.

use crate::{Entry, Key, Put, Store, StoreError};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Several tables that are read as one and written at the top.
///
/// A key is answered by the first layer that has it. What lies below is never written, so that it may be read-only and
/// belong to others. A scan shows every entry of every layer once.
///
/// ```
/// use netspec::{ConvSpec, Machine, Measurement, Provenance};
/// use sharing::{Entry, Key, Layered, MemoryStore, Store, TableKind};
///
/// let key = |c| Key::new(&ConvSpec::new(3, c, [32, 32], [3, 3]), &Machine::default());
/// let entry = |ns| Entry::now(Measurement::exact(ns, Provenance::Measured), "doc");
/// let mut team = MemoryStore::new(TableKind::Live);
/// team.put(&key(8), &entry(5.0))?;
/// let mut table = Layered::new(MemoryStore::new(TableKind::Live)).over(team);
/// table.put(&key(16), &entry(9.0))?;
/// assert_eq!(table.get(&key(8))?.unwrap().measurement.median_ns, 5.0);
/// table.put(&key(8), &entry(6.0))?;
/// assert_eq!(table.get(&key(8))?.unwrap().measurement.median_ns, 6.0, "mine over theirs");
/// # Ok::<(), sharing::StoreError>(())
/// ```
pub struct Layered {
    top: Box<dyn Store>,
    below: Vec<Box<dyn Store>>,
}

impl Layered {
    /// A table alone.
    pub fn new(top: impl Store + 'static) -> Layered {
        Layered { top: Box::new(top), below: Vec::new() }
    }

    /// The same over another one, which lies below all that are there.
    pub fn over(mut self, below: impl Store + 'static) -> Layered {
        self.below.push(Box::new(below));
        self
    }

    fn layers(&self) -> impl Iterator<Item = &dyn Store> {
        std::iter::once(&*self.top).chain(self.below.iter().map(|layer| &**layer))
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

    fn put(&mut self, key: &Key, entry: &Entry) -> Result<Put, StoreError> {
        self.top.put(key, entry)
    }

    fn scan(&self, each: &mut dyn FnMut(Key, Entry) -> ControlFlow<()>) -> Result<(), StoreError> {
        // What is in several layers is shown once; a scan is rare enough to remember what it showed.
        let mut shown: HashMap<Key, Vec<Entry>> = HashMap::new();
        let mut next = ControlFlow::Continue(());
        for layer in self.layers() {
            layer.scan(&mut |key, entry| {
                let known = shown.entry(key.clone()).or_default();
                if !known.contains(&entry) {
                    known.push(entry.clone());
                    next = each(key, entry);
                }
                next
            })?;
            if next.is_break() {
                break;
            }
        }
        Ok(())
    }
}
