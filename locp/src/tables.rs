//! `table`: what a latency table holds, and how it goes from machine to machine.

use crate::report::{DiffReport, DiffRow, MachineCount, RiserReport, SetAsideReport, TableReport, TransferReport};
use crate::{Error, write_bytes};
use sharing::{
    DiffOptions, FileStore, Form, LineDiff, Lines, MemoryStore, Merged, Store, StoreError, TableKind, TextForm, diff,
    export, import, merge, open_any, open_any_read_only,
};
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::Path;

/// A form that tables are written in for others. All of them are taken back by [`table_import`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableForm {
    /// The portable file: what `--table` takes.
    Portable,
    /// JSON Lines, for programs.
    JsonLines,
    /// CSV, for people and for pandas.
    Csv,
}

impl TableForm {
    /// By the ending of a file's name: `.jsonl`, `.csv`, and anything else for the portable file.
    pub fn of(path: &Path) -> TableForm {
        match TextForm::of(path) {
            Some(TextForm::JsonLines) => TableForm::JsonLines,
            Some(TextForm::Csv) => TableForm::Csv,
            _ => TableForm::Portable,
        }
    }
}

/// What a table holds.
pub fn table_info(path: &Path) -> Result<TableReport, Error> {
    let (store, kind) = open_any_read_only(path)?;
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
    let form = match Form::of(path)? {
        Form::Portable => "portable",
        _ => "store",
    };
    Ok(TableReport {
        schema: "locp.table/1",
        path: path.display().to_string(),
        form,
        kind: kind.to_string(),
        entries: machines.iter().map(|machine| machine.entries).sum(),
        machines,
    })
}

/// Writes a table in another form, all or nothing.
pub fn table_export(path: &Path, to: &Path, form: TableForm) -> Result<TransferReport, Error> {
    let (store, kind) = open_any_read_only(path)?;
    let mut bytes = Vec::new();
    let entries = match form {
        TableForm::Csv => export(&*store, TextForm::Csv, &mut bytes, to)?,
        TableForm::JsonLines => export(&*store, TextForm::JsonLines, &mut bytes, to)?,
        TableForm::Portable => {
            let folder = tempfile::tempdir().map_err(|error| Error::write(to, error))?;
            let place = folder.path().join("table");
            let mut copy = FileStore::open(&place, kind)?;
            let merged = merge(&mut copy, &*store)?;
            drop(copy);
            bytes = std::fs::read(&place).map_err(|error| Error::read(&place, error))?;
            merged.inserted + merged.history
        }
    };
    write_bytes(to, &bytes)?;
    Ok(TransferReport::new("exported", to, Merged::default(), entries))
}

/// Adds what is in `from`, an exported table or a table of either form, to the table at `path`, which is made where
/// there is none. A text is read whole before anything of it is added.
pub fn table_import(path: &Path, from: &Path) -> Result<TransferReport, Error> {
    let (source, kind) = match TextForm::of(from) {
        Some(form) => read_text(from, form)?,
        None => open_any_read_only(from)?,
    };
    let merged = merge(&mut *open_any(path, kind)?, &*source)?;
    let entries = merged.inserted + merged.history + merged.known;
    Ok(TransferReport::new("imported", path, merged, entries))
}

/// A text as a table of the kind that its entries are of.
fn read_text(path: &Path, form: TextForm) -> Result<(Box<dyn Store>, TableKind), Error> {
    let read = |kind| -> Result<MemoryStore, Error> {
        let text = File::open(path).map_err(|error| Error::read(path, error))?;
        let mut store = MemoryStore::new(kind);
        import(&mut store, form, &mut BufReader::new(text), path)?;
        Ok(store)
    };
    // It does not say its kind, but no entry is let into two of them.
    let live = read(TableKind::Live);
    if matches!(live, Err(Error::Table(StoreError::Refused { .. }))) {
        for kind in [TableKind::Recorded, TableKind::Simulated] {
            if let Ok(store) = read(kind) {
                return Ok((Box::new(store), kind));
            }
        }
    }
    Ok((Box::new(live?), TableKind::Live))
}

/// Unites tables into `into`, which is made where there is none; the others are only read.
pub fn table_merge(into: &Path, from: &[&Path]) -> Result<TransferReport, Error> {
    // All are opened before anything is written, so that a wrong name changes nothing.
    let sources = from.iter().map(|path| open_any_read_only(path)).collect::<Result<Vec<_>, _>>()?;
    let kind = sources.first().map_or(TableKind::Live, |&(_, kind)| kind);
    for (path, &(_, found)) in from.iter().zip(&sources) {
        if found != kind {
            return Err(StoreError::Kind { path: path.to_path_buf(), found, wanted: kind }.into());
        }
    }
    let mut store = open_any(into, kind)?;
    let mut all = Merged::default();
    for (source, _) in &sources {
        all.add(merge(&mut *store, &**source)?);
    }
    Ok(TransferReport::new("merged", into, all, all.inserted + all.history + all.known))
}

/// Where the stairs of two tables differ, those that differ most first; where one holds several machines, those whose
/// text contains `machines`.
pub fn table_diff(paths: [&Path; 2], machines: [Option<&str>; 2], tolerance: f64) -> Result<DiffReport, Error> {
    let [(first, _), (second, _)] = [open_any_read_only(paths[0])?, open_any_read_only(paths[1])?];
    let mut options = DiffOptions::default();
    [options.machine_a, options.machine_b] = machines.map(|part| part.map(str::to_owned));
    options.jump = tolerance;
    let mut found = diff(&*first, &*second, &options)?;
    found.sort_by(|a, b| b.largest().total_cmp(&a.largest()));
    let count = |store: &dyn Store, part: Option<&str>| -> Result<usize, Error> {
        Ok(Lines::read(store, |key| part.is_none_or(|part| key.machine.contains(part)))?.iter().count())
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
    match open_any_read_only(path) {
        Ok(_) => Err(Error::Whole { path: path.to_owned() }),
        Err(StoreError::Damaged { .. } | StoreError::Corrupted { .. }) => {
            let aside = sharing::set_aside(path)?;
            let [path, aside] = [path, &aside].map(|path| path.display().to_string());
            Ok(SetAsideReport { schema: "locp.table-set-aside/1", path, aside })
        }
        Err(error) => Err(error.into()),
    }
}
