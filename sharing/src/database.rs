//! The embedded database. Nothing else in this crate knows redb.
//!
//! Two tables: `locp` holds the format, the kind and a checksum of the two, `measurements` maps (spec, machine, cache
//! state) to the records of that key, one after the other in canonical order. So a value answers by its first record,
//! and a record carries a checksum and its key.
//!
//! redb trusts the pages that it reads: a byte that changed on the disk shows as a missing entry, as a wrong one, or
//! as a panic, unless the file is checked on open, which takes 10 ms for 10^5 entries. It is therefore always
//! checked, and calls are guarded against panics all the same.

mod failure;
mod older;
mod place;

use self::failure::{failed, guarded, no_room};
pub(crate) use self::place::beginning;
use self::place::{make, refuse_others};
use crate::error::io_error;
use crate::{Entry, Key, Put, StoreError, TableKind, wire};
use redb::{Builder, ConcurrencyMode, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata};
use redb::{TableDefinition, TableError, WriteTransaction};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const ABOUT: TableDefinition<&str, u64> = TableDefinition::new("locp");
const ENTRIES: TableDefinition<(&str, &str, u8), &[u8]> = TableDefinition::new("measurements");
pub(crate) const MAGIC: &[u8; 9] = b"redb\x1a\n\xa9\r\n";
/// Memory for pages; the default would be a gigabyte.
const CACHE: usize = 64 << 20;

#[derive(Clone)]
enum Handle {
    Writer(Arc<redb::Database>),
    Reader(Arc<redb::ReadOnlyDatabase>),
}

/// An open database file.
pub(crate) struct Database {
    path: PathBuf,
    /// `None` after the operating system refused something: redb has to be opened anew then.
    handle: RefCell<Option<Handle>>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The entries of one key, and what was found about them.
type Chosen<'a> = &'a mut dyn FnMut(&mut Vec<Entry>, &Entry) -> Put;

impl Database {
    /// Opens it for writing, or makes it.
    pub(crate) fn open(path: &Path, kind: TableKind) -> Result<Database, StoreError> {
        let is_missing = match beginning(path) {
            Ok(bytes) => refuse_others(path, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => refuse_others(path, &[])?,
            Err(error) => return Err(io_error(path, "open")(error)),
        };
        if is_missing {
            make(path, kind)?;
        }
        let database = Database { path: path.to_owned(), handle: RefCell::new(Some(writer(path)?)) };
        let (found, format) = database.about()?;
        if found != kind {
            return Err(StoreError::Kind { path: path.to_owned(), found, wanted: kind });
        }
        database.bring_up_to_date(kind, format)?;
        Ok(database)
    }

    /// Opens it for reading.
    pub(crate) fn open_read_only(path: &Path) -> Result<(Database, TableKind), StoreError> {
        let bytes = beginning(path).map_err(io_error(path, "open"))?;
        if refuse_others(path, &bytes)? {
            return Err(StoreError::NotATable { path: path.to_owned() });
        }
        let reader = guarded(path, || builder().open_read_only(path).map_err(|e| failed(path, "open", e)))?;
        let handle = RefCell::new(Some(Handle::Reader(Arc::new(reader))));
        let database = Database { path: path.to_owned(), handle };
        let (kind, format) = database.about()?;
        if format <= wire::WITHOUT_CACHE {
            let reason = format!("it has format {format}; open it for writing once to bring it up to date");
            return Err(StoreError::InUse { path: path.to_owned(), reason });
        }
        // Nobody checked the pages; a record that cannot be reached any more shows in the count.
        let mut keys = 0;
        let mut last = None;
        database.scan(&mut |key, _| {
            keys += usize::from(last.as_ref() != Some(&key));
            last = Some(key);
            ControlFlow::Continue(())
        })?;
        if keys != database.keys()? {
            return Err(database.damaged("not all of its entries can be reached"));
        }
        Ok((database, kind))
    }

    /// Does what a reader cannot: tidies up behind a writer that was killed, and migrates an older format.
    pub(crate) fn tidy(path: &Path) -> Result<(), StoreError> {
        let database = Database { path: path.to_owned(), handle: RefCell::new(Some(writer(path)?)) };
        let (kind, format) = database.about()?;
        database.bring_up_to_date(kind, format)
    }

    fn bring_up_to_date(&self, kind: TableKind, format: u32) -> Result<(), StoreError> {
        if format > wire::WITHOUT_CACHE {
            return Ok(());
        }
        self.write(|transaction| older::migrate(self, transaction, kind))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn keys(&self) -> Result<usize, StoreError> {
        let count = self.read(|read| {
            let table = read.open_table(ENTRIES)?;
            Ok(Ok(table.len()?))
        })?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// The first entry of a key.
    pub(crate) fn first(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.read(|read| {
            let table = read.open_table(ENTRIES)?;
            let Some(value) = table.get(name_of(key))? else { return Ok(Ok(None)) };
            Ok(self.record(value.value(), key).map(|(entry, _)| Some(entry)))
        })
    }

    /// Shows every entry, in the order of the keys and the canonical one below.
    pub(crate) fn scan(&self, each: &mut dyn FnMut(Key, Entry) -> ControlFlow<()>) -> Result<(), StoreError> {
        // A snapshot: `each` may use this very store. It runs unguarded, for its panics are its own.
        let handle = self.handle()?;
        let path = &self.path;
        let transaction = guarded(path, || begin(&handle).map_err(|e| failed(path, "read", e)))?;
        let table = guarded(path, || transaction.open_table(ENTRIES).map_err(|e| failed(path, "read", e)))?;
        let mut items = guarded(path, || table.iter().map_err(|e| failed(path, "read", e)))?;
        let mut next = || -> Result<Option<(Key, Vec<Entry>)>, StoreError> {
            let Some(item) = items.next() else { return Ok(None) };
            let (name, value) = item.map_err(|e| failed(path, "read", e))?;
            let (spec, machine, cache) = name.value();
            let Some(cache) = wire::cache_of(cache) else {
                return Err(self.damaged(&format!("a key of `{spec}` on {machine}")));
            };
            let key = Key { spec: spec.to_owned(), machine: machine.to_owned(), cache };
            self.records(value.value(), &key).map(|entries| Some((key, entries)))
        };
        while let Some((key, entries)) = guarded(path, &mut next)? {
            for entry in entries {
                if each(key.clone(), entry).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Changes the entries of some keys, all or none, and waits for the disk if any of them did change.
    pub(crate) fn change(&self, entries: &[(Key, Entry)], choose: Chosen<'_>) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(ENTRIES)?;
            let mut changed: BTreeMap<&Key, Vec<Entry>> = BTreeMap::new();
            let mut is_new = false;
            for (key, entry) in entries {
                let known = match changed.entry(key) {
                    std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                    std::collections::btree_map::Entry::Vacant(vacant) => {
                        let value = table.get(name_of(key))?;
                        let known = value.map_or(Ok(Vec::new()), |value| self.records(value.value(), key));
                        match known {
                            Ok(known) => vacant.insert(known),
                            Err(error) => return Ok(Err(error)),
                        }
                    }
                };
                is_new |= choose(known, entry) != Put::Known;
            }
            for (key, entries) in changed.iter().filter(|_| is_new) {
                let mut value = Vec::new();
                for entry in entries {
                    let Some(record) = wire::record(key, entry) else { return Ok(Err(no_room(key))) };
                    value.extend(record);
                }
                table.insert(name_of(key), value.as_slice())?;
            }
            Ok(Ok(is_new))
        })
    }

    fn about(&self) -> Result<(TableKind, u32), StoreError> {
        let (format, kind, check) = self.read(|read| {
            let table = match read.open_table(ABOUT) {
                Ok(table) => table,
                Err(TableError::TableDoesNotExist(_)) => return Ok(Err(self.foreign())),
                Err(error) => return Err(error.into()),
            };
            let number = |name| table.get(name).map(|value| value.map(|value| value.value()));
            Ok(Ok((number("format")?, number("kind")?, number("check")?)))
        })?;
        let (Some(format), Some(kind)) = (format, kind) else { return Err(self.foreign()) };
        // A reader does not check pages, and a damaged format shall not be taken for a newer one.
        if check != Some(check_of(format, kind)) {
            return Err(self.damaged("its format or its kind"));
        }
        let format = u32::try_from(format).map_err(|_| self.foreign())?;
        if format > wire::FORMAT {
            return Err(StoreError::Newer { path: self.path.clone(), found: format, supported: wire::FORMAT });
        }
        let kind = u8::try_from(kind).ok().and_then(wire::kind_of);
        let kind = kind.filter(|_| format >= wire::OLDEST).ok_or_else(|| self.foreign())?;
        Ok((kind, format))
    }

    /// The record at the beginning of `bytes`, which must be one of this key, and its length.
    fn record(&self, bytes: &[u8], key: &Key) -> Result<(Entry, usize), StoreError> {
        match wire::read_record(bytes) {
            Some((found, entry, bytes)) if found == *key => Ok((entry, bytes)),
            _ => Err(self.damaged(&format!("the record of {key}"))),
        }
    }

    fn records(&self, mut bytes: &[u8], key: &Key) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        while !bytes.is_empty() {
            let (entry, length) = self.record(bytes, key)?;
            entries.push(entry);
            bytes = &bytes[length..];
        }
        Ok(entries)
    }

    fn damaged(&self, reason: &str) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), reason: reason.to_owned() }
    }

    fn foreign(&self) -> StoreError {
        StoreError::NotATable { path: self.path.clone() }
    }

    fn handle(&self) -> Result<Handle, StoreError> {
        if let Some(handle) = &*self.handle.borrow() {
            return Ok(handle.clone());
        }
        let handle = writer(&self.path)?;
        Ok(self.handle.borrow_mut().insert(handle).clone())
    }

    /// Reads from a snapshot. The inner result is the caller's own.
    fn read<T>(
        &self,
        look: impl FnOnce(&ReadTransaction) -> Result<Result<T, StoreError>, redb::Error>,
    ) -> Result<T, StoreError> {
        let handle = self.handle()?;
        guarded(&self.path, || {
            let looked = begin(&handle).and_then(|transaction| look(&transaction));
            looked.map_err(|e| failed(&self.path, "read", e))?
        })
    }

    /// Writes, and keeps it if the change says so. The inner result is the caller's own.
    fn write(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<Result<bool, StoreError>, redb::Error>,
    ) -> Result<(), StoreError> {
        let Handle::Writer(database) = self.handle()? else {
            return Err(StoreError::ReadOnly { path: self.path.clone() });
        };
        let written = guarded(&self.path, || {
            let written = (|| -> Result<Result<(), StoreError>, redb::Error> {
                let transaction = database.begin_write()?;
                match change(&transaction)? {
                    Ok(true) => transaction.commit()?,
                    Ok(false) => transaction.abort()?,
                    Err(error) => return Ok(Err(error)),
                }
                Ok(Ok(()))
            })();
            written.map_err(|e| failed(&self.path, "write", e))?
        });
        if matches!(written, Err(StoreError::Io { .. } | StoreError::Damaged { .. })) {
            self.handle.borrow_mut().take();
        }
        written
    }
}

fn name_of(key: &Key) -> (&str, &str, u8) {
    (&key.spec, &key.machine, wire::cache_code(key.cache))
}

fn begin(handle: &Handle) -> Result<ReadTransaction, redb::Error> {
    Ok(match handle {
        Handle::Writer(database) => database.begin_read()?,
        Handle::Reader(database) => database.begin_read()?,
    })
}

/// What stands beside the format and the kind, in every format.
fn check_of(format: u64, kind: u64) -> u64 {
    crc32fast::hash(&[format.to_le_bytes(), kind.to_le_bytes()].concat()).into()
}

fn builder() -> Builder {
    let mut builder = redb::Database::builder();
    builder.set_concurrency_mode(ConcurrencyMode::MultiWriter).set_cache_size(CACHE).set_check_integrity_on_open(true);
    builder
}

fn writer(path: &Path) -> Result<Handle, StoreError> {
    let database = guarded(path, || builder().open(path).map_err(|e| failed(path, "open", e)))?;
    Ok(Handle::Writer(Arc::new(database)))
}
