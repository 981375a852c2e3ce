//! Opening a table by its path, whichever form it has.

use crate::database::{Database, MAGIC, beginning};
use crate::error::io_error;
use crate::{DiskStore, Entry, Key, MemoryStore, Put, Store, StoreError, TableKind, text};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Opens an existing table for reading, and returns what kind of numbers it holds.
///
/// The content tells the form: a store ([`DiskStore`]) or a portable table ([`crate::export`]), which is read whole.
/// A store whose last writer was killed, or which has an older format, is opened for writing once to bring it up to
/// date.
///
/// ```
/// use netspec::{CacheState, ConvSpec, Machine};
/// use sharing::{Key, TableKind, open_read_only};
/// # let path = std::env::temp_dir().join(format!("locp-open-{}.jsonl", std::process::id()));
/// # let line = r#"{"spec":"3>8 32x32 k3","cache":"network","machine":{"engine":"mine","device":"a board"},"median_ns":5.5,"provenance":"measured"}"#;
/// # std::fs::write(&path, line)?;
/// let (table, kind) = open_read_only(&path)?;
/// assert_eq!(kind, TableKind::Live);
/// let machine = Machine { engine: "mine".into(), device: "a board".into(), ..Machine::default() };
/// let key = Key::new(&ConvSpec::new(3, 8, [32, 32], [3, 3]), &machine, CacheState::Network);
/// assert_eq!(table.get(&key)?.map(|entry| entry.measurement.median_ns), Some(5.5));
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`StoreError::Text`] for a line of a portable table that is not an entry, [`StoreError::InUse`] for a store that
/// cannot be brought up to date, and whatever [`DiskStore::open_read_only`] returns.
pub fn open_read_only(path: impl AsRef<Path>) -> Result<(Box<dyn Store>, TableKind), StoreError> {
    let path = path.as_ref();
    if beginning(path).map_err(io_error(path, "open"))?.starts_with(MAGIC) {
        let store = open_store(path)?;
        let kind = store.kind();
        return Ok((Box::new(store), kind));
    }
    let bytes = std::fs::read(path).map_err(io_error(path, "read"))?;
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None | Some(b'{') => {
            let table = text::read(&bytes, path)?.table;
            let kind = table.kind();
            Ok((Box::new(ReadOnly { path: path.to_owned(), table }), kind))
        }
        Some(_) => Err(StoreError::NotATable { path: path.to_owned() }),
    }
}

fn open_store(path: &Path) -> Result<DiskStore, StoreError> {
    match DiskStore::open_read_only(path) {
        // Only a writer checks pages: what a reader does not understand may be damage.
        Err(error @ (StoreError::InUse { .. } | StoreError::NotATable { .. })) => match Database::tidy(path) {
            Ok(()) => DiskStore::open_read_only(path),
            Err(damage @ StoreError::Damaged { .. }) => Err(damage),
            Err(_) => Err(error),
        },
        opened => opened,
    }
}

/// A portable table, which is not written in place.
#[derive(Debug)]
struct ReadOnly {
    path: PathBuf,
    table: MemoryStore,
}

impl Store for ReadOnly {
    fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.table.get(key)
    }

    fn put(&mut self, _: &Key, _: &Entry) -> Result<Put, StoreError> {
        Err(StoreError::ReadOnly { path: self.path.clone() })
    }

    fn scan(&self, each: &mut dyn FnMut(Key, Entry) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.table.scan(each)
    }
}

/// Moves a damaged table away: to `<name>.damaged-<seconds since 1970>`, which it returns.
///
/// Nothing in this crate calls it: a damaged table may hold what cannot be measured again.
/// A process that still has the table open goes on writing into the file that was moved.
pub fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let name = path.file_name().unwrap_or_default();
    let candidates = (seconds..).map(|suffix| {
        let mut name = name.to_owned();
        name.push(format!(".damaged-{suffix}"));
        path.with_file_name(name)
    });
    let free = candidates.into_iter().find(|candidate| !candidate.exists()).unwrap_or_else(|| path.to_owned());
    std::fs::rename(path, &free).map_err(io_error(path, "set aside"))?;
    Ok(free)
}
