//! A table in a file that survives a kill at any moment.

use crate::index::Index;
use crate::wire::{self, Header, Record};
use crate::{Entry, Key, Put, Store, StoreError, TableKind};
use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// A portable table in a file: an append-only log, read whole on open.
///
/// It is what tables travel in: one file of our own format, readable for ever, that can be copied at any moment.
/// For the table that a device works with, [`crate::DiskStore`] opens a hundred times faster; this one stays right
/// where locks are not to be trusted, and for tables of some thousand entries.
///
/// - **Kill**: `put` returns when the operating system has the whole record, so that a killed process loses nothing
///   that was acknowledged. A record that a kill cut short is dropped by the next one who opens the file for writing.
/// - **Power failure**: what was put since the last [`FileStore::sync`] (also called on drop) may be lost, and is
///   then missing, never wrong. A measurement costs more than a sync, but a merge of 10^5 entries does not.
/// - **Damage** elsewhere, a newer format, or a file that is no table is an error, and the file stays as it is;
///   [`salvage`] reads what is left of it.
/// - **Processes**: several may write one file. Each append locks it (advisory, by the operating system) and reads
///   first what others appended; a `get` that finds nothing looks for news too. Locks on network file systems are
///   not to be trusted: there, use a file per machine, and [`crate::merge`].
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    kind: TableKind,
    writable: bool,
    /// Behind a cell because reading what other processes appended changes no answer that was given.
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    index: Index,
    /// The end of the last whole record that was read.
    end: u64,
    /// Whether something was written since the last sync.
    unsynced: bool,
}

impl FileStore {
    /// Opens a table for reading and writing; a missing or empty file becomes an empty table of this kind.
    pub fn open(path: impl AsRef<Path>, kind: TableKind) -> Result<FileStore, StoreError> {
        let path = path.as_ref();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io_error(path, "open"))?;
        file.lock().map_err(io_error(path, "lock"))?;
        let mut start = Vec::new();
        (&mut file).take(wire::HEADER as u64).read_to_end(&mut start).map_err(io_error(path, "read"))?;
        let found = match wire::read_header(&start) {
            // Only a file that holds nothing but the beginning of our own header is written over.
            Header::Torn => {
                write_at(&mut file, 0, &wire::header(kind)).map_err(io_error(path, "write"))?;
                file.sync_all().map_err(io_error(path, "sync"))?;
                kind
            }
            Header::Table { kind: found, is_old: true } if found == kind => {
                // Its records are read as they are; the new header says that newer ones may follow.
                write_at(&mut file, 0, &wire::header(kind)).map_err(io_error(path, "write"))?;
                kind
            }
            header => table_kind(header, path)?,
        };
        if found != kind {
            return Err(StoreError::Kind { path: path.to_owned(), found, wanted: kind });
        }
        let store = FileStore::with(file, path, kind, true);
        store.catch_up(true)?;
        store.state.borrow().file.unlock().map_err(io_error(path, "unlock"))?;
        Ok(store)
    }

    /// Opens a table for reading; it must exist, and says itself of what kind it is.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<FileStore, StoreError> {
        let path = path.as_ref();
        let mut file = File::open(path).map_err(io_error(path, "open"))?;
        let mut start = Vec::new();
        (&mut file).take(wire::HEADER as u64).read_to_end(&mut start).map_err(io_error(path, "read"))?;
        let kind = table_kind(wire::read_header(&start), path)?;
        let store = FileStore::with(file, path, kind, false);
        store.catch_up(false)?;
        Ok(store)
    }

    fn with(file: File, path: &Path, kind: TableKind, writable: bool) -> FileStore {
        let state = State { file, index: Index::default(), end: wire::HEADER as u64, unsynced: false };
        FileStore { path: path.to_owned(), kind, writable, state: RefCell::new(state) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What kind of numbers it holds.
    pub fn kind(&self) -> TableKind {
        self.kind
    }

    /// How many keys it holds, as far as this process has read it.
    pub fn keys(&self) -> usize {
        self.state.borrow().index.keys()
    }

    /// Waits until everything that was put is on the disk.
    pub fn sync(&self) -> Result<(), StoreError> {
        let state = &mut *self.state.borrow_mut();
        if state.unsynced {
            state.file.sync_data().map_err(io_error(&self.path, "sync"))?;
            state.unsynced = false;
        }
        Ok(())
    }

    /// Reads what was appended since. Who holds the lock may also cut off a record that is cut short.
    fn catch_up(&self, locked: bool) -> Result<(), StoreError> {
        let state = &mut *self.state.borrow_mut();
        let length = state.file.metadata().map_err(io_error(&self.path, "read"))?.len();
        if length < state.end {
            return Err(self.damaged(length, "the file became shorter while it was open"));
        }
        if length == state.end {
            return Ok(());
        }
        let mut bytes = Vec::new();
        state
            .file
            .seek(SeekFrom::Start(state.end))
            .and_then(|_| state.file.read_to_end(&mut bytes))
            .map_err(io_error(&self.path, "read"))?;
        let mut rest = bytes.as_slice();
        loop {
            match wire::read_record(rest) {
                Record::Entry { key, entry, bytes } => {
                    self.kind.admit(&key, &entry).map_err(|error| self.damaged(state.end, &error.to_string()))?;
                    state.index.insert(key, entry);
                    state.end += bytes as u64;
                    rest = &rest[bytes..];
                }
                Record::End => return Ok(()),
                // Without the lock, its writer may be at it right now.
                Record::Torn if !locked => return Ok(()),
                Record::Torn => return state.file.set_len(state.end).map_err(io_error(&self.path, "write")),
                Record::Damaged { reason, .. } => return Err(self.damaged(state.end, reason)),
            }
        }
    }

    fn damaged(&self, offset: u64, reason: &str) -> StoreError {
        StoreError::Corrupted { path: self.path.clone(), offset, reason: reason.to_owned() }
    }

    /// Appends an entry that is not there yet. The caller holds the lock.
    fn append(&self, key: &Key, entry: &Entry) -> Result<Put, StoreError> {
        self.catch_up(true)?;
        let state = &mut *self.state.borrow_mut();
        if state.index.contains(key, entry) {
            return Ok(Put::Known);
        }
        let record = wire::record(key, entry).ok_or_else(|| StoreError::Refused {
            key: key.to_string(),
            kind: self.kind,
            reason: "the file format has no room for it".to_owned(),
        })?;
        if let Err(error) = write_at(&mut state.file, state.end, &record) {
            // Half a record must not stand before the next one. If this fails too, the next append cuts it off.
            _ = state.file.set_len(state.end);
            return Err(io_error(&self.path, "write")(error));
        }
        state.end += record.len() as u64;
        state.unsynced = true;
        Ok(state.index.insert(key.clone(), entry.clone()))
    }
}

impl Store for FileStore {
    fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        if let Some(entry) = self.state.borrow().index.get(key) {
            return Ok(Some(entry.clone()));
        }
        self.catch_up(false)?;
        Ok(self.state.borrow().index.get(key).cloned())
    }

    fn put(&mut self, key: &Key, entry: &Entry) -> Result<Put, StoreError> {
        if !self.writable {
            return Err(StoreError::ReadOnly { path: self.path.clone() });
        }
        self.kind.admit(key, entry)?;
        self.state.borrow().file.lock().map_err(io_error(&self.path, "lock"))?;
        let put = self.append(key, entry);
        let unlocked = self.state.borrow().file.unlock().map_err(io_error(&self.path, "unlock"));
        let put = put?;
        unlocked.map(|()| put)
    }

    fn scan(&self, each: &mut dyn FnMut(Key, Entry) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.catch_up(false)?;
        // A copy, so that `each` may use this store.
        let index = self.state.borrow().index.clone();
        index.scan(each);
        Ok(())
    }
}

impl Drop for FileStore {
    fn drop(&mut self) {
        // Nobody is left to be told of an error; whoever must know calls `sync`.
        _ = self.sync();
    }
}

/// What [`salvage`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvaged {
    /// Entries that were whole.
    pub entries: usize,
    /// Bytes that belong to none of them.
    pub lost_bytes: u64,
}

/// Copies every whole entry of a damaged table into another one; the damaged file is only read.
///
/// A record whose content is damaged is skipped. Where the header of a record is damaged, its length is not known,
/// and the next whole record is looked for byte by byte.
pub fn salvage(path: impl AsRef<Path>, into: &mut dyn Store) -> Result<Salvaged, StoreError> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(io_error(path, "read"))?;
    table_kind(wire::read_header(&bytes), path)?;
    let mut salvaged = Salvaged { entries: 0, lost_bytes: 0 };
    let mut rest = bytes.get(wire::HEADER..).unwrap_or_default();
    while !rest.is_empty() {
        let skip = match wire::read_record(rest) {
            Record::Entry { key, entry, bytes } => {
                into.put(&key, &entry)?;
                salvaged.entries += 1;
                rest = &rest[bytes..];
                continue;
            }
            Record::Damaged { skip, .. } => skip.unwrap_or(1),
            Record::Torn | Record::End => 1,
        };
        salvaged.lost_bytes += skip as u64;
        rest = rest.get(skip..).unwrap_or_default();
    }
    Ok(salvaged)
}

fn table_kind(header: Header, path: &Path) -> Result<TableKind, StoreError> {
    let path = path.to_owned();
    match header {
        Header::Table { kind, .. } => Ok(kind),
        Header::Newer(found) => Err(StoreError::Newer { path, found, supported: wire::FORMAT }),
        Header::Torn | Header::Foreign => Err(StoreError::NotATable { path }),
    }
}

fn write_at(file: &mut File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

pub(crate) fn io_error(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { path, action, source }
}
