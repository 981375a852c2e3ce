//! Where the latency table lives.

use crate::Error;
use crate::engine::{Engine, Liveness};
use sharing::{FileStore, MemoryStore, Store, TableKind};
use std::env;
use std::path::{Path, PathBuf};

/// The user's own table: `locp/table.locp` in the cache folder (`XDG_CACHE_HOME`, or `.cache` at home),
/// or in the current folder where neither is set.
pub fn default_path() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .map_or_else(|| PathBuf::from("locp-table.locp"), |cache| cache.join("locp").join("table.locp"))
}

/// Opens the table for an engine: a file for live figures, memory for those that must not be kept.
pub fn open(path: &Path, engine: &Engine) -> Result<Box<dyn Store>, Error> {
    if engine.liveness() != Liveness::Live {
        return Ok(in_memory(engine));
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| Error::write(folder, e))?;
    }
    Ok(Box::new(FileStore::open(path, TableKind::Live)?))
}

/// A table that is gone with the process.
pub(crate) fn in_memory(engine: &Engine) -> Box<dyn Store> {
    Box::new(MemoryStore::new(match engine.liveness() {
        Liveness::Live => TableKind::Live,
        Liveness::Recorded => TableKind::Recorded,
        Liveness::Simulated => TableKind::Simulated,
    }))
}
