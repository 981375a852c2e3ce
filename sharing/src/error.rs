//! What can go wrong with a table.

use crate::TableKind;
use std::io;
use std::path::{Path, PathBuf};

const ANOTHER_PATH: &str = "choose another path";
const IMPORT: &str = "import it into a store, or choose another path";
const OPEN_TO_WRITE: &str = "open it for writing to add to it";
const SET_ASIDE: &str = "set it aside and start a new one";
const UPDATE: &str = "update, or choose another path";

/// Why a table could not be read or written. No error leaves a table changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {action} the table {}: {source}", path.display())]
    Io {
        /// The table.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The reason given.
        source: io::Error,
    },
    /// The file is something else.
    #[error("{} is not a latency table; {ANOTHER_PATH}, it is left as it is", path.display())]
    NotATable {
        /// The file.
        path: PathBuf,
    },
    /// The table was written by a newer version.
    #[error(
        "the table {} has format {found} and this version reads up to {supported}; {UPDATE}, it is left as it is",
        path.display()
    )]
    Newer {
        /// The table.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that can be read.
        supported: u32,
    },
    /// The store is damaged: a page or a record does not fit its checksum.
    #[error(
        "the table {} is damaged ({reason}); it is left as it is; {SET_ASIDE}",
        path.display()
    )]
    Damaged {
        /// The table.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A portable table was to be written as a store.
    #[error(
        "{} is a portable table (JSON Lines), which is not written in place; it is left as it is; {IMPORT}",
        path.display()
    )]
    Portable {
        /// The file.
        path: PathBuf,
    },
    /// The store cannot be opened now.
    #[error("the table {} cannot be opened now: {reason}", path.display())]
    InUse {
        /// The table.
        path: PathBuf,
        /// The reason, and what to do.
        reason: String,
    },
    /// A line of a portable table is not an entry.
    #[error("{}, line {line}: {what}; repair or remove the line", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A portable table holds entries of another machine.
    #[error("{} holds entries of {found}, not of {writing}; choose another file", path.display())]
    OtherMachine {
        /// The file.
        path: PathBuf,
        /// The machine of its entries.
        found: String,
        /// The machine whose entries were to be appended.
        writing: String,
    },
    /// Not exactly one machine of a table fits.
    #[error("{} holds {} machines that fit ({}); name one of them", path.display(), machines.len(), machines.join(", "))]
    WhichMachine {
        /// The table.
        path: PathBuf,
        /// Those that fit.
        machines: Vec<String>,
    },
    /// The table holds another kind of numbers.
    #[error("the table {} holds {found} numbers, not {wanted} ones; {ANOTHER_PATH}", path.display())]
    Kind {
        /// The table.
        path: PathBuf,
        /// What it holds.
        found: TableKind,
        /// What was asked for.
        wanted: TableKind,
    },
    /// The entry may not enter this kind of table.
    #[error("{key} may not enter a {kind} table: {reason}")]
    Refused {
        /// The entry's key.
        key: String,
        /// The table's kind.
        kind: TableKind,
        /// Why.
        reason: String,
    },
    /// The table was opened for reading.
    #[error("the table {} was opened for reading only; {OPEN_TO_WRITE}", path.display())]
    ReadOnly {
        /// The table.
        path: PathBuf,
    },
    /// A store of another crate failed.
    #[error("{reason}")]
    Other {
        /// What went wrong, with the place and the remedy.
        reason: String,
    },
}

impl StoreError {
    /// What to do, in the words of the error's text; `None` if no step is known, or if the reason of the error states it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            StoreError::NotATable { .. } | StoreError::Kind { .. } => Some(ANOTHER_PATH),
            StoreError::Newer { .. } => Some(UPDATE),
            StoreError::Damaged { .. } => Some(SET_ASIDE),
            StoreError::Portable { .. } => Some(IMPORT),
            StoreError::ReadOnly { .. } => Some(OPEN_TO_WRITE),
            _ => None,
        }
    }
}

pub(crate) fn io_error(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { path, action, source }
}
