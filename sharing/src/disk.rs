//! The working store: a table in an embedded database.

use crate::database::Database;
use crate::index::insert;
use crate::{Entry, Key, Merged, Put, Store, StoreError, TableKind};
use netspec::StopReason;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

/// The table that a device works with: an embedded database that several processes read and write at once.
///
/// - **Kill**: `put` returns when the entry is on the disk, also for a **power failure**. A kill before that leaves
///   the table as if `put` had never been called; nothing is ever half there.
/// - **Full disk**: `put` is an error, the table keeps what it had, and goes on when there is room again.
/// - **Damage**: opening for writing checks every page against its checksum, reading checks every record against its
///   own, and both are errors that leave the file as it is. So is a format that is newer than this version.
///   [`crate::set_aside`] moves such a file away on request.
/// - **Older formats** are migrated on open, in one transaction.
/// - **Processes**: any number may write; each `put` sees what others wrote. [`Store::put_all`] waits for the disk
///   once instead of once per entry. Locks on network file systems are not reliable: there, use a file per process,
///   and [`crate::merge`].
///
/// Answers are remembered, so that a question that is asked again does not reach the disk. What is remembered was
/// the right answer when it was asked for: entries are never replaced, and only an earlier entry that comes in by a
/// merge of another process could change it. Coarse answers, which a better one does replace, are not remembered.
#[derive(Debug)]
pub struct DiskStore {
    kind: TableKind,
    database: Database,
    answers: RefCell<HashMap<Key, Entry>>,
}

impl DiskStore {
    /// Opens a table for reading and writing; a missing or empty file becomes an empty table of this kind.
    ///
    /// # Errors
    /// [`StoreError::Portable`] for a file of JSON Lines, or a new one whose name ends in `.jsonl`;
    /// [`StoreError::Damaged`], [`StoreError::Newer`], [`StoreError::Kind`], [`StoreError::NotATable`]. All of them
    /// leave the file as it is.
    ///
    /// ```
    /// use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance};
    /// use sharing::{DiskStore, Entry, Key, Put, Store, TableKind};
    /// # let folder = std::env::temp_dir().join(format!("locp-doc-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// # let path = folder.join("table.redb");
    /// let key = Key::new(&ConvSpec::new(3, 8, [32, 32], [3, 3]), &Machine::default(), CacheState::Network);
    /// let entry = Entry::now(Measurement::exact(5.0, Provenance::Measured), "doc");
    /// assert_eq!(DiskStore::open(&path, TableKind::Live)?.put(&key, &entry)?, Put::Inserted);
    /// assert_eq!(DiskStore::open(&path, TableKind::Live)?.get(&key)?, Some(entry));
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: impl AsRef<Path>, kind: TableKind) -> Result<DiskStore, StoreError> {
        let database = Database::open(path.as_ref(), kind)?;
        Ok(DiskStore { kind, database, answers: RefCell::default() })
    }

    /// Opens an existing table for reading.
    ///
    /// Other processes may go on writing, and their entries are seen.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if a writer has to open the table first: its last writer was killed, or its format is an
    /// older one. [`crate::open_read_only`] does that where it may.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<DiskStore, StoreError> {
        let (database, kind) = Database::open_read_only(path.as_ref())?;
        Ok(DiskStore { kind, database, answers: RefCell::default() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.database.path()
    }

    /// What kind of numbers it holds.
    pub fn kind(&self) -> TableKind {
        self.kind
    }

    /// How many keys it holds.
    pub fn keys(&self) -> Result<usize, StoreError> {
        self.database.keys()
    }
}

impl Store for DiskStore {
    fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        if let Some(entry) = self.answers.borrow().get(key) {
            return Ok(Some(entry.clone()));
        }
        let found = self.database.first(key)?;
        if let Some(entry) = found.as_ref().filter(|entry| entry.measurement.stop != StopReason::Decided) {
            self.answers.borrow_mut().insert(key.clone(), entry.clone());
        }
        Ok(found)
    }

    fn put(&mut self, key: &Key, entry: &Entry) -> Result<Put, StoreError> {
        let merged = self.put_all(&[(key.clone(), entry.clone())])?;
        Ok(match (merged.inserted, merged.history) {
            (0, 0) => Put::Known,
            (0, _) => Put::History,
            _ => Put::Inserted,
        })
    }

    fn scan(&self, each: &mut dyn FnMut(Key, Entry) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.database.scan(each)
    }

    /// All of them or, after an error, none.
    fn put_all(&mut self, entries: &[(Key, Entry)]) -> Result<Merged, StoreError> {
        for (key, entry) in entries {
            self.kind.admit(key, entry)?;
        }
        let mut merged = Merged::default();
        if !entries.is_empty() {
            self.database.change(entries, &mut |known, entry| {
                let put = insert(known, entry.clone());
                merged.count(put);
                put
            })?;
        }
        let answers = self.answers.get_mut();
        for (key, _) in entries {
            answers.remove(key);
        }
        Ok(merged)
    }
}
