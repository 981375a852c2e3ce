//! A table as JSON Lines: a header, then one object for every entry.

use crate::{Entry, Key, Merged, Put, Store, StoreError, TableKind};
use netspec::Measurement;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io::{BufRead, Write};
use std::ops::ControlFlow;

const SCHEMA: &str = "locp.table/1";

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    schema: Cow<'a, str>,
    kind: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    spec: Cow<'a, str>,
    machine: Cow<'a, str>,
    #[serde(flatten)]
    measurement: Cow<'a, Measurement>,
    unix_s: u64,
    tool: Cow<'a, str>,
}

/// Writes the whole table; answers how many entries. [`read_json_lines`] brings it back.
///
/// # Errors
/// What the store answers, and `StoreError::Other` where `out` cannot be written.
pub fn write_json_lines(store: &dyn Store, kind: TableKind, out: &mut dyn Write) -> Result<usize, StoreError> {
    let failed = |error: String| StoreError::Other { reason: format!("cannot write the export: {error}") };
    let header = Header { schema: SCHEMA.into(), kind: kind.to_string().into() };
    let header = serde_json::to_string(&header).map_err(|error| failed(error.to_string()))?;
    writeln!(out, "{header}").map_err(|error| failed(error.to_string()))?;
    let mut written = Ok(());
    let mut entries = 0;
    store.scan(&mut |key, entry| {
        let line = Line {
            spec: key.spec.into(),
            machine: key.machine.into(),
            measurement: Cow::Owned(entry.measurement),
            unix_s: entry.unix_s,
            tool: entry.tool.into(),
        };
        written = serde_json::to_string(&line)
            .map_err(|error| error.to_string())
            .and_then(|line| writeln!(out, "{line}").map_err(|error| error.to_string()));
        entries += 1;
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written.map_err(failed)?;
    Ok(entries)
}

/// Adds every entry of an exported table to `into`, as [`merge`](crate::merge) does.
///
/// # Errors
/// A line that is none, by its number; an entry that `into` refuses. What stands before it is in the table then.
pub fn read_json_lines(input: &mut dyn BufRead, into: &mut dyn Store) -> Result<Merged, StoreError> {
    let mut merged = Merged::default();
    for (number, line) in input.lines().enumerate() {
        let wrong = |reason: String| StoreError::Text { line: number + 1, reason };
        let line = line.map_err(|error| wrong(error.to_string()))?;
        if number == 0 {
            let header: Header<'_> =
                serde_json::from_str(&line).map_err(|error| wrong(format!("not the header of a table: {error}")))?;
            if header.schema != SCHEMA {
                return Err(wrong(format!("schema {} is not known to this version", header.schema)));
            }
            continue;
        }
        if line.trim().is_empty() {
            continue;
        }
        let line: Line<'_> = serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?;
        let key = Key { spec: line.spec.into_owned(), machine: line.machine.into_owned() };
        key.conv_spec().map_err(|error| wrong(error.to_string()))?;
        let entry =
            Entry { measurement: line.measurement.into_owned(), unix_s: line.unix_s, tool: line.tool.into_owned() };
        match into.put(&key, &entry)? {
            Put::Inserted => merged.inserted += 1,
            Put::History => merged.history += 1,
            Put::Known => merged.known += 1,
        }
    }
    Ok(merged)
}
