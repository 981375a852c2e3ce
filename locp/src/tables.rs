//! `table`: what a latency table holds, and how it goes from machine to machine.

use crate::report::{DiffReport, DiffRow, MachineCount, RiserReport, SetAsideReport, TableReport, TransferReport};
use crate::{Error, write_bytes};
use netspec::CacheState;
use sharing::{
    DiffOptions, DiskStore, Key, LineDiff, Lines, Merged, Store, StoreError, TableKind, diff, export, merge,
    open_read_only,
};
use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::path::Path;

/// What a table holds.
pub fn table_info(path: &Path) -> Result<TableReport, Error> {
    let (store, kind) = open_read_only(path)?;
    let mut machines: BTreeMap<String, (HashSet<String>, usize)> = BTreeMap::new();
    store.scan(&mut |key, _| {
        let (specs, entries) = machines.entry(key.machine).or_default();
        specs.insert(key.spec);
        *entries += 1;
        ControlFlow::Continue(())
    })?;
    let machines: Vec<MachineCount> = machines
        .into_iter()
        .map(|(machine, (specs, entries))| MachineCount { machine, specs: specs.len(), entries })
        .collect();
    Ok(TableReport {
        schema: "locp.table/2",
        path: path.display().to_string(),
        kind: kind.to_string(),
        entries: machines.iter().map(|machine| machine.entries).sum(),
        machines,
    })
}

/// Writes a table in the portable form, all or nothing.
pub fn table_export(path: &Path, to: &Path) -> Result<TransferReport, Error> {
    let (store, _) = open_read_only(path)?;
    let mut bytes = Vec::new();
    let entries = export(&*store, &mut bytes, to)?;
    write_bytes(to, &bytes)?;
    Ok(TransferReport::new("exported", to, Merged::default(), entries))
}

/// Adds what is in `from`, a table of either form, to the store at `path`, which is made if it is missing.
pub fn table_import(path: &Path, from: &Path) -> Result<TransferReport, Error> {
    let (source, kind) = open_read_only(from)?;
    let merged = merge(&mut DiskStore::open(path, kind)?, &*source)?;
    let entries = merged.inserted + merged.history + merged.known;
    Ok(TransferReport::new("imported", path, merged, entries))
}

/// Unites tables of either form into the store `into`, which is made if it is missing; the others are only read.
pub fn table_merge(into: &Path, from: &[&Path]) -> Result<TransferReport, Error> {
    // All are opened before anything is written, so that a wrong name changes nothing.
    let sources = from.iter().map(|path| open_read_only(path)).collect::<Result<Vec<_>, _>>()?;
    let kind = sources.first().map_or(TableKind::Live, |&(_, kind)| kind);
    for (path, &(_, found)) in from.iter().zip(&sources) {
        if found != kind {
            return Err(StoreError::Kind { path: path.to_path_buf(), found, wanted: kind }.into());
        }
    }
    let mut store = DiskStore::open(into, kind)?;
    let mut all = Merged::default();
    for (source, _) in &sources {
        all.add(merge(&mut store, &**source)?);
    }
    Ok(TransferReport::new("merged", into, all, all.inserted + all.history + all.known))
}

/// Where the stairs of two tables differ, those that differ most first; where one holds several machines, those whose
/// text contains `machines`.
pub fn table_diff(paths: [&Path; 2], machines: [Option<&str>; 2], tolerance: f64) -> Result<DiffReport, Error> {
    let [(first, _), (second, _)] = [open_read_only(paths[0])?, open_read_only(paths[1])?];
    let mut options = DiffOptions::default();
    [options.machine_a, options.machine_b] = machines.map(|part| part.map(str::to_owned));
    options.jump = tolerance;
    let mut found = diff(&*first, &*second, &options)?;
    found.sort_by(|a, b| b.largest().total_cmp(&a.largest()));
    let count = |store: &dyn Store, part: Option<&str>| -> Result<usize, Error> {
        let mut lines = 0;
        for cache in [CacheState::Network, CacheState::Warm, CacheState::Cold] {
            let of_machine = |key: &Key| part.is_none_or(|part| key.machine.contains(part));
            lines += Lines::read(store, cache, of_machine)?.iter().count();
        }
        Ok(lines)
    };
    Ok(DiffReport {
        schema: "locp.table-diff/1",
        tables: paths.map(|path| path.display().to_string()),
        lines: [count(&*first, machines[0])?, count(&*second, machines[1])?],
        rows: found.iter().map(diff_row).collect(),
    })
}

fn diff_row(line: &LineDiff) -> DiffRow {
    let apart = |relative: f64| relative.ln().abs().exp_m1();
    let worst = line.points.iter().max_by(|a, b| apart(a.relative).total_cmp(&apart(b.relative)));
    let riser = |jump: &sharing::JumpDiff| RiserReport { from: jump.from, to: jump.to, first: jump.a, second: jump.b };
    DiffRow {
        line: line.line.clone(),
        cache: line.cache,
        machines: [line.machine_a.clone(), line.machine_b.clone()],
        widths: line.points.len(),
        ratio: line.ratio,
        worst_width: worst.map_or(0, |point| point.channels),
        worst: worst.map_or(0.0, |point| apart(point.relative)),
        moved: line.jumps.iter().map(riser).collect(),
    }
}

/// Moves a damaged table away, so that a new one can take its place; one that can be read stays where it is.
pub fn table_set_aside(path: &Path) -> Result<SetAsideReport, Error> {
    match open_read_only(path) {
        Ok(_) => Err(Error::Whole { path: path.to_owned() }),
        Err(StoreError::Damaged { .. }) => {
            let aside = sharing::set_aside(path)?;
            let [path, aside] = [path, &aside].map(|path| path.display().to_string());
            Ok(SetAsideReport { schema: "locp.table-set-aside/1", path, aside })
        }
        Err(error) => Err(error.into()),
    }
}
