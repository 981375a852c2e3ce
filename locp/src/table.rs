//! Where the latency table lives, and which tables lie below it.

use crate::Error;
use netspec::Machine;
use sharing::{DiskStore, Layered, MemoryStore, Store, StoreError, TableKind};
use std::env;
use std::path::{Path, PathBuf};

/// The environment variable that lists tables to read below the user's own, as `PATH` lists folders.
const BELOW: &str = "LOCP_TABLES";

/// The user's own table: `locp/table.redb` in the cache folder (`XDG_CACHE_HOME`, or `.cache` at home),
/// or in the current folder where neither is set.
pub fn default_path() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .map_or_else(|| PathBuf::from("locp-table.redb"), |cache| cache.join("locp").join("table.redb"))
}

/// The tables that are read below the one at `path`, nearest first, and never written.
///
/// - The team's: what `LOCP_TABLES` lists.
/// - Shipped ones: files that end in `.jsonl` or `.redb` in `share/locp` beside the folder that holds the program.
pub fn layers_below(path: &Path) -> Vec<PathBuf> {
    let team = env::var_os(BELOW).unwrap_or_default();
    let team = env::split_paths(&team).filter(|path| !path.as_os_str().is_empty()).collect::<Vec<_>>();
    let program = env::current_exe().ok();
    let shipped = program.as_deref().and_then(Path::parent).and_then(Path::parent).map(|at| at.join("share/locp"));
    let shipped = shipped.and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten();
    let shipped = shipped.filter_map(|entry| Some(entry.ok()?.path()));
    let mut shipped: Vec<PathBuf> =
        shipped.filter(|path| path.extension().is_some_and(|e| e == "jsonl" || e == "redb")).collect();
    shipped.sort();
    let is_other = |below: &PathBuf| below.canonicalize().ok() != path.canonicalize().ok() || !below.exists();
    team.into_iter().chain(shipped).filter(is_other).collect()
}

/// Opens the table for the engine of a machine: files for live figures, memory for those that must not be kept.
///
/// It is a store, made if it is missing, and lies over [`layers_below`] it.
pub fn open(path: &Path, machine: &Machine) -> Result<Box<dyn Store>, Error> {
    let kind = TableKind::of_engine(&machine.engine);
    if kind != TableKind::Live {
        return Ok(Box::new(MemoryStore::new(kind)));
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| Error::write(folder, e))?;
    }
    let mut tables = Layered::new(DiskStore::open(path, TableKind::Live)?);
    for path in layers_below(path) {
        let (below, found) = sharing::open_read_only(&path)?;
        if found != TableKind::Live {
            return Err(StoreError::Kind { path, found, wanted: TableKind::Live }.into());
        }
        tables = tables.over(below);
    }
    Ok(Box::new(tables))
}
