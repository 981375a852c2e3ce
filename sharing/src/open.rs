//! Opening whatever form of table a path leads to.

use crate::database::{Database, MAGIC, beginning};
use crate::file::io_error;
use crate::{DiskStore, FileStore, Store, StoreError, TableKind, wire};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The form of a table on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// A working store: [`DiskStore`].
    Store,
    /// A portable file: [`FileStore`].
    Portable,
}

impl Form {
    /// The form of the table at a path: what stands there, or what its name asks for if nothing does.
    ///
    /// A new file is portable if its name ends in `.locp`, and a store otherwise.
    ///
    /// # Errors
    /// [`StoreError::NotATable`] for a file that is neither.
    pub fn of(path: &Path) -> Result<Form, StoreError> {
        match beginning(path) {
            Ok(bytes) if bytes.starts_with(MAGIC) => Ok(Form::Store),
            // A kill may have left the beginning of a portable header.
            Ok(bytes) if bytes.starts_with(wire::MAGIC) => Ok(Form::Portable),
            Ok(bytes) if !bytes.is_empty() && wire::MAGIC.starts_with(&bytes) => Ok(Form::Portable),
            Ok(bytes) if bytes.is_empty() => Ok(Form::by_name(path)),
            Ok(_) => Err(StoreError::NotATable { path: path.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Form::by_name(path)),
            Err(error) => Err(io_error(path, "open")(error)),
        }
    }

    fn by_name(path: &Path) -> Form {
        let is_portable = path.extension().is_some_and(|extension| extension == "locp");
        if is_portable { Form::Portable } else { Form::Store }
    }
}

/// Opens a table of either form for reading and writing; a missing one is made, in the form that [`Form::of`] says.
///
/// ```
/// use sharing::{Form, TableKind, open_any};
/// # let folder = std::env::temp_dir().join(format!("locp-any-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// for (name, form) in [("mine.redb", Form::Store), ("to-send.locp", Form::Portable)] {
///     open_any(&folder.join(name), TableKind::Live)?;
///     assert_eq!(Form::of(&folder.join(name))?, form);
/// }
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn open_any(path: &Path, kind: TableKind) -> Result<Box<dyn Store>, StoreError> {
    Ok(match Form::of(path)? {
        Form::Store => Box::new(DiskStore::open(path, kind)?),
        Form::Portable => Box::new(FileStore::open(path, kind)?),
    })
}

/// Opens a table of either form for reading; it must exist, and says itself of what kind it is.
///
/// A store whose last writer was killed is tidied up first, by opening it for writing once. Where that is not
/// allowed, the error says what is needed.
pub fn open_any_read_only(path: &Path) -> Result<(Box<dyn Store>, TableKind), StoreError> {
    Ok(match Form::of(path)? {
        Form::Store => {
            let store = match DiskStore::open_read_only(path) {
                // Only a writer checks pages: what a reader does not understand may be damage.
                Err(error @ (StoreError::InUse { .. } | StoreError::NotATable { .. })) => match Database::tidy(path) {
                    Ok(()) => DiskStore::open_read_only(path)?,
                    Err(damage @ StoreError::Damaged { .. }) => return Err(damage),
                    Err(_) => return Err(error),
                },
                opened => opened?,
            };
            let kind = store.kind();
            (Box::new(store), kind)
        }
        Form::Portable => {
            let store = FileStore::open_read_only(path)?;
            let kind = store.kind();
            (Box::new(store), kind)
        }
    })
}

/// Moves a file away from where a table is wanted: to `<name>.damaged-<seconds since 1970>`, which it returns.
///
/// Nothing here does so on its own: a damaged table may hold what cannot be measured again, so somebody has to ask.
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

/// Opens a table as [`open_any`] does; a damaged one is set aside first, and where it went is returned.
///
/// Only damage counts: a table of another kind, or of a newer version, is whole and stays an error.
pub fn open_or_set_aside(path: &Path, kind: TableKind) -> Result<(Box<dyn Store>, Option<PathBuf>), StoreError> {
    match open_any(path, kind) {
        Err(StoreError::Damaged { .. } | StoreError::Corrupted { .. }) => {
            let aside = set_aside(path)?;
            Ok((open_any(path, kind)?, Some(aside)))
        }
        opened => Ok((opened?, None)),
    }
}
