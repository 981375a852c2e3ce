//! What can go wrong with a table.

use crate::TableKind;
use std::path::PathBuf;

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
    #[error("{} is not a latency table; choose another path, it is left as it is", path.display())]
    NotATable {
        /// The file.
        path: PathBuf,
    },
    /// The table was written by a newer version.
    #[error(
        "the table {} has format {found} and this version reads up to {supported}; update, or choose another path, it is left as it is",
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
        "the table {} is damaged at byte {offset} ({reason}); it is left as it is: move it away and start a new one (the library function `sharing::salvage` saves what is before and behind the damage)",
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
    /// The table holds another kind of numbers.
    #[error("the table {} holds {found} numbers, not {wanted} ones; choose another path", path.display())]
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
    #[error("the table {} was opened for reading only; open it for writing to add to it", path.display())]
    ReadOnly {
        /// The table.
        path: PathBuf,
    },
    /// A line of an exported table is not one.
    #[error("line {line}: {reason}; nothing behind it was read, what stands before it was")]
    Text {
        /// Its number, from 1.
        line: usize,
        /// What does not fit.
        reason: String,
    },
    /// A store of another crate failed.
    #[error("{reason}")]
    Other {
        /// What went wrong, with the place and the remedy.
        reason: String,
    },
}
