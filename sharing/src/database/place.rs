//! How a database comes to its place, and what else may stand there.

use super::failure::{failed, guarded};
use super::{ABOUT, ENTRIES, MAGIC, builder, check_of};
use crate::error::io_error;
use crate::{StoreError, TableKind, wire};
use redb::WriteTransaction;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Writes the format and the kind; says that there is something to keep.
pub(super) fn about(transaction: &WriteTransaction, kind: TableKind) -> Result<Result<bool, StoreError>, redb::Error> {
    let mut table = transaction.open_table(ABOUT)?;
    let (format, kind) = (u64::from(wire::FORMAT), u64::from(wire::kind_code(kind)));
    for (name, number) in [("format", format), ("kind", kind), ("check", check_of(format, kind))] {
        table.insert(name, number)?;
    }
    transaction.open_table(ENTRIES)?;
    Ok(Ok(true))
}

/// Makes an empty table: beside its place first, so that nobody, and no kill, ever sees half of one.
pub(super) fn make(path: &Path, kind: TableKind) -> Result<(), StoreError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let beside = path.with_file_name(name);
    let made = guarded(path, || {
        // What a process of this number left behind when it was killed.
        if beside.exists() {
            std::fs::remove_file(&beside).map_err(io_error(&beside, "remove"))?;
        }
        let made = (|| -> Result<_, redb::Error> {
            let database = builder().create(&beside)?;
            let transaction = database.begin_write()?;
            let about = about(&transaction, kind)?;
            transaction.commit()?;
            Ok(about)
        })();
        made.map_err(|e| failed(path, "make", e))?
    });
    let placed = made.and_then(|_| place(&beside, path));
    // Gone already if it was renamed; and a file that stays behind harms nobody.
    _ = std::fs::remove_file(&beside);
    placed
}

/// Moves a new file to its place, unless somebody was faster; an empty file there counts as none.
fn place(beside: &Path, path: &Path) -> Result<(), StoreError> {
    if std::fs::metadata(path).is_ok_and(|found| found.len() == 0) {
        return std::fs::rename(beside, path).map_err(io_error(path, "make"));
    }
    match std::fs::hard_link(beside, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // A file system without links: the moment between the look and the renaming is the price.
        Err(_) if !path.exists() => std::fs::rename(beside, path).map_err(io_error(path, "make")),
        Err(error) => Err(io_error(path, "make")(error)),
    }
}

/// The first bytes of a file, as many as tell what it is.
pub(crate) fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns whether a file is empty or missing; an error if it is something else than a database, or shall be.
pub(super) fn refuse_others(path: &Path, beginning: &[u8]) -> Result<bool, StoreError> {
    let is_portable = match beginning.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => path.extension().is_some_and(|extension| extension == "jsonl"),
        Some(&first) => first == b'{',
    };
    let path = path.to_owned();
    match beginning {
        _ if is_portable => Err(StoreError::Portable { path }),
        [] => Ok(true),
        bytes if bytes.starts_with(MAGIC) => Ok(false),
        _ => Err(StoreError::NotATable { path }),
    }
}
