//! What the database says when something is wrong, in our words.

use crate::{Key, StoreError};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

pub(super) fn no_room(key: &Key) -> StoreError {
    StoreError::Other { reason: format!("the entry of {key} is too large for a table; shorten its texts") }
}

/// Runs calls into the database; a panic of it means that a page makes no sense.
pub(super) fn guarded<T>(path: &Path, call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        Err(StoreError::Damaged { path: path.to_owned(), reason: "a page makes no sense".to_owned() })
    })
}

pub(super) fn failed(path: &Path, action: &'static str, error: impl Into<redb::Error>) -> StoreError {
    let path = path.to_owned();
    let in_use = |reason: &str| StoreError::InUse { path: path.clone(), reason: reason.to_owned() };
    match error.into() {
        // It says so of what it does not recognize, or finds too short.
        redb::Error::Io(source) if matches!(source.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => {
            StoreError::Damaged { path, reason: source.to_string() }
        }
        redb::Error::Io(source) => StoreError::Io { path, action, source },
        redb::Error::Corrupted(reason) => StoreError::Damaged { path, reason },
        redb::Error::DatabaseAlreadyOpen => {
            in_use("another program has locked it whole; wait for that program, or choose another path")
        }
        redb::Error::LockProtocolMismatch => {
            in_use("a locp of another version has it open; end that one, or choose another path")
        }
        redb::Error::RepairAborted => {
            in_use("its last writer was killed, and only a writer can tidy up; open it for writing once")
        }
        redb::Error::Unsupported => {
            in_use("this file system has no locks on parts of a file; choose a path on a local disk")
        }
        other => StoreError::Damaged { path, reason: other.to_string() },
    }
}
