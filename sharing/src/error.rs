//! What can go wrong with a table.

use crate::TableKind;
use std::path::PathBuf;

const ANOTHER_PATH: &str = "choose another path";
const IMPORT: &str = "import it into a store, or open it with `open_any`";
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
        source: std::io::Error,
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
    /// The table is damaged before its end.
    #[error(
        "the table {} is damaged at byte {offset} ({reason}); it is left as it is; {SET_ASIDE}",
        path.display()
    )]
    Corrupted {
        /// The table.
        path: PathBuf,
        /// Where the damaged record begins.
        offset: u64,
        /// What does not fit.
        reason: String,
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
    /// A portable file was opened as a store.
    #[error(
        "{} is a portable table, not a store; it is left as it is; {IMPORT}",
        path.display()
    )]
    Portable {
        /// The file.
        path: PathBuf,
    },
    /// The store cannot be shared with whoever has it open.
    #[error("the table {} cannot be opened now: {reason}", path.display())]
    InUse {
        /// The table.
        path: PathBuf,
        /// Who, and what to do.
        reason: String,
    },
    /// A line of a text form does not say an entry.
    #[error("{}, line {line}: {what}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong, and what was expected.
        what: String,
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
            StoreError::Corrupted { .. } | StoreError::Damaged { .. } => Some(SET_ASIDE),
            StoreError::Portable { .. } => Some(IMPORT),
            StoreError::ReadOnly { .. } => Some(OPEN_TO_WRITE),
            _ => None,
        }
    }
}
