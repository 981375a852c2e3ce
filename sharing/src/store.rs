//! The seam: where a table lives.

use crate::{Entry, Key, Merged, StoreError};
use std::ops::ControlFlow;

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Put {
    /// The first entry of its key.
    Inserted,
    /// Another entry of its key: kept as history.
    History,
    /// Equal to one that is there already; nothing was written.
    Known,
}

/// A latency table.
///
/// # Contract
/// - `get` returns the first entry of a key, `None` if there is none. Entries that were sampled to a precision come
///   before those that were sampled until a comparison was settled, and then the earliest comes first.
/// - `put` keeps what [`crate::TableKind::admit`] lets in and never replaces anything.
///   Once it returned `Ok`, the entry outlives this process.
/// - `scan` passes every entry to the closure, history included, until the closure breaks.
///
/// # A second, silly implementation
/// ```
/// use sharing::{Entry, Key, Put, Store, StoreError};
/// use std::ops::ControlFlow;
///
/// /// Remembers one entry, and has no room for another.
/// #[derive(Default)]
/// struct Goldfish(Option<(Key, Entry)>);
/// impl Store for Goldfish {
///     fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
///         Ok(self.0.as_ref().filter(|(known, _)| known == key).map(|(_, entry)| entry.clone()))
///     }
///     fn put(&mut self, key: &Key, entry: &Entry) -> Result<Put, StoreError> {
///         match &self.0 {
///             None => {
///                 self.0 = Some((key.clone(), entry.clone()));
///                 Ok(Put::Inserted)
///             }
///             Some(known) if *known == (key.clone(), entry.clone()) => Ok(Put::Known),
///             Some(_) => Err(StoreError::Other { reason: "the goldfish is full; get a bigger fish".into() }),
///         }
///     }
///     fn scan(&self, each: &mut dyn FnMut(Key, Entry) -> ControlFlow<()>) -> Result<(), StoreError> {
///         self.0.clone().map(|(key, entry)| each(key, entry));
///         Ok(())
///     }
/// }
///
/// use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance};
/// let key = Key::new(&ConvSpec::new(3, 8, [32, 32], [3, 3]), &Machine::default(), CacheState::Network);
/// let mut store = Goldfish::default();
/// store.put(&key, &Entry::now(Measurement::exact(5.0, Provenance::Measured), "doc"))?;
/// assert_eq!(store.get(&key)?.unwrap().measurement.median_ns, 5.0);
/// # Ok::<(), StoreError>(())
/// ```
pub trait Store: Send {
    /// The first entry of a key.
    fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError>;
    /// Adds an entry.
    fn put(&mut self, key: &Key, entry: &Entry) -> Result<Put, StoreError>;
    /// Shows every entry.
    fn scan(&self, each: &mut dyn FnMut(Key, Entry) -> ControlFlow<()>) -> Result<(), StoreError>;

    /// Adds several entries, as `put` would one after the other.
    ///
    /// A store for which one wait for the disk is dearer than many entries does better than the default.
    /// After an error some of them may be there, and all that were there before are.
    fn put_all(&mut self, entries: &[(Key, Entry)]) -> Result<Merged, StoreError> {
        let mut merged = Merged::default();
        for (key, entry) in entries {
            merged.count(self.put(key, entry)?);
        }
        Ok(merged)
    }
}

impl<T: Store + ?Sized> Store for &mut T {
    fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        (**self).get(key)
    }
    fn put(&mut self, key: &Key, entry: &Entry) -> Result<Put, StoreError> {
        (**self).put(key, entry)
    }
    fn scan(&self, each: &mut dyn FnMut(Key, Entry) -> ControlFlow<()>) -> Result<(), StoreError> {
        (**self).scan(each)
    }
    fn put_all(&mut self, entries: &[(Key, Entry)]) -> Result<Merged, StoreError> {
        (**self).put_all(entries)
    }
}

impl<T: Store + ?Sized> Store for Box<T> {
    fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        (**self).get(key)
    }
    fn put(&mut self, key: &Key, entry: &Entry) -> Result<Put, StoreError> {
        (**self).put(key, entry)
    }
    fn scan(&self, each: &mut dyn FnMut(Key, Entry) -> ControlFlow<()>) -> Result<(), StoreError> {
        (**self).scan(each)
    }
    fn put_all(&mut self, entries: &[(Key, Entry)]) -> Result<Merged, StoreError> {
        (**self).put_all(entries)
    }
}
