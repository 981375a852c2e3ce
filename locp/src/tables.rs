//! `table`: what a latency table holds, and how it goes from machine to machine.

use crate::report::{DiffReport, DiffRow, MachineCount, RiserReport, TableReport, TransferReport};
use crate::{Error, write_bytes};
use sharing::{
    FileStore, Merged, Store, TableKind, diff, merge, read_json_lines, stair_lines, write_csv, write_json_lines,
};
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::Path;

/// A form that tables are written in for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableForm {
    /// The portable file: what `--table` takes.
    Portable,
    /// JSON Lines, which `import` takes back.
    JsonLines,
    /// CSV, for people and for pandas; it does not come back.
    Csv,
}

impl TableForm {
    /// By the ending of a file's name: `.jsonl`, `.csv`, and anything else for the portable file.
    pub fn of(path: &Path) -> TableForm {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("jsonl") => TableForm::JsonLines,
            Some("csv") => TableForm::Csv,
            _ => TableForm::Portable,
        }
    }
}

/// What a table holds.
pub fn table_info(path: &Path) -> Result<TableReport, Error> {
    let store = FileStore::open_read_only(path)?;
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
    let entries = machines.iter().map(|machine| machine.entries).sum();
    let kind = store.kind().to_string();
    Ok(TableReport { schema: "locp.table/1", path: path.display().to_string(), kind, entries, machines })
}

/// Writes a table in another form, all or nothing.
pub fn table_export(path: &Path, to: &Path, form: TableForm) -> Result<TransferReport, Error> {
    let store = FileStore::open_read_only(path)?;
    let mut bytes = Vec::new();
    let entries = match form {
        TableForm::Csv => write_csv(&store, &mut bytes)?,
        TableForm::JsonLines => write_json_lines(&store, store.kind(), &mut bytes)?,
        TableForm::Portable => {
            let folder = tempfile::tempdir().map_err(|error| Error::write(to, error))?;
            let place = folder.path().join("table");
            let mut copy = FileStore::open(&place, store.kind())?;
            let merged = merge(&mut copy, &store)?;
            drop(copy);
            bytes = std::fs::read(&place).map_err(|error| Error::read(&place, error))?;
            merged.inserted + merged.history
        }
    };
    write_bytes(to, &bytes)?;
    Ok(TransferReport::new("exported", to, Merged::default(), entries))
}

/// Adds what is in `from`, an exported or portable table, to the table at `path`, which is made where there is none.
pub fn table_import(path: &Path, from: &Path) -> Result<TransferReport, Error> {
    let is_text = TableForm::of(from) == TableForm::JsonLines;
    if TableForm::of(from) == TableForm::Csv {
        return Err(Error::NoImport { path: from.to_owned() });
    }
    let source = if is_text { None } else { Some(FileStore::open_read_only(from)?) };
    let kind = source.as_ref().map_or(TableKind::Live, FileStore::kind);
    let text = if is_text { Some(File::open(from).map_err(|error| Error::read(from, error))?) } else { None };
    let mut into = FileStore::open(path, kind)?;
    let merged = match (source, text) {
        (Some(source), _) => merge(&mut into, &source)?,
        (None, Some(text)) => read_json_lines(&mut BufReader::new(text), &mut into)?,
        (None, None) => Merged::default(),
    };
    let entries = merged.inserted + merged.history + merged.known;
    Ok(TransferReport::new("imported", path, merged, entries))
}

/// Unites tables into `into`, which is made where there is none; the others are only read.
pub fn table_merge(into: &Path, from: &[&Path]) -> Result<TransferReport, Error> {
    // All are opened before anything is written, so that a wrong name changes nothing.
    let sources = from.iter().map(FileStore::open_read_only).collect::<Result<Vec<_>, _>>()?;
    let kind = sources.first().map_or(TableKind::Live, FileStore::kind);
    let mut store = FileStore::open(into, kind)?;
    let mut all = Merged::default();
    for source in &sources {
        let merged = merge(&mut store, source)?;
        all.inserted += merged.inserted;
        all.history += merged.history;
        all.known += merged.known;
    }
    Ok(TransferReport::new("merged", into, all, all.inserted + all.history + all.known))
}

/// Where the stairs of two tables differ; where one holds several machines, those whose text contains `machines`.
pub fn table_diff(paths: [&Path; 2], machines: [Option<&str>; 2], tolerance: f64) -> Result<DiffReport, Error> {
    let [first, second] = [0, 1].map(|i| -> Result<_, Error> {
        let store = FileStore::open_read_only(paths[i])?;
        Ok(stair_lines(&store, &|machine| machines[i].is_none_or(|part| machine.contains(part)))?)
    });
    let (first, second) = (first?, second?);
    let rows = diff(&first, &second, tolerance).into_iter().map(|line| DiffRow {
        line: line.line.to_string(),
        widths: line.widths,
        ratio: line.ratio,
        worst_width: line.worst.0,
        worst: line.worst.1,
        moved: line
            .moved
            .iter()
            .map(|riser| RiserReport { from: riser.from, to: riser.to, first: riser.first, second: riser.second })
            .collect(),
    });
    let lines = [first.len(), second.len()];
    Ok(DiffReport {
        schema: "locp.table-diff/1",
        tables: paths.map(|path| path.display().to_string()),
        lines,
        rows: rows.collect(),
    })
}
