//! Tables as text: JSON Lines for programs, CSV for pandas and for people.

mod csv;
mod json;
mod row;

use self::row::{COLUMNS, Cell};
use crate::{Entry, Key, Merged, Store, StoreError};
use std::io::{self, BufRead, Write};
use std::ops::ControlFlow;
use std::path::Path;

/// A form that a table takes as text, one entry per line.
///
/// Both have the same columns, in this order:
///
/// - `spec` and `machine`, the canonical texts: what is read back, and what a program shall compare;
/// - the same taken apart, for people: `batch`, `c_in`, `c_out`, `height`, `width`, `kernel_h`, `kernel_w`, `stride_h`,
///   `stride_w`, `pad_top`, `pad_left`, `pad_bottom`, `pad_right`, `dilation_h`, `dilation_w`, `groups`, `dtype`,
///   `layout`, `epilogue`; `engine`, `device`, `compute`, `driver`, `library`, `policy`, `threads`, `method`; missing
///   where the text is no spec, or no machine;
/// - the measurement: `median_ns`, `low_ns`, `high_ns`, `samples`, `provenance`, `cache`, `stop`, `algorithm`;
/// - `unix_s` and `tool`.
///
/// Numbers are written with as many digits as they need to be read back exactly, so both forms hold the same set of
/// entries as the table. New columns may come; whoever reads goes by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TextForm {
    /// One JSON object per line; what is missing is left out.
    JsonLines,
    /// RFC 4180 with a line of names: what is missing is nothing between two commas, an empty text is `""`.
    Csv,
}

impl TextForm {
    /// The form that a file's name asks for: `.jsonl` or `.ndjson`, and `.csv`.
    pub fn of(path: &Path) -> Option<TextForm> {
        match path.extension()?.to_str()? {
            "jsonl" | "ndjson" => Some(TextForm::JsonLines),
            "csv" => Some(TextForm::Csv),
            _ => None,
        }
    }
}

/// Writes every entry of a table as text and returns how many they were; `path` is what an error calls the output.
///
/// ```
/// use netspec::{ConvSpec, Machine, Measurement, Provenance};
/// use sharing::{Entry, Key, MemoryStore, Store, TableKind, TextForm, export, import};
/// use std::path::Path;
/// let mut table = MemoryStore::new(TableKind::Live);
/// let machine = Machine { engine: "tract".into(), device: "a \"quoted\" device".into(), ..Machine::default() };
/// let key = Key::new(&ConvSpec::new(3, 8, [32, 32], [3, 3]), &machine);
/// table.put(&key, &Entry::now(Measurement::exact(0.1 + 0.2, Provenance::Measured), "doc"))?;
///
/// for form in [TextForm::JsonLines, TextForm::Csv] {
///     let mut text = Vec::new();
///     assert_eq!(export(&table, form, &mut text, Path::new("memory"))?, 1);
///     let mut again = MemoryStore::new(TableKind::Live);
///     import(&mut again, form, &mut text.as_slice(), Path::new("memory"))?;
///     assert_eq!(again, table);
/// }
/// # Ok::<(), sharing::StoreError>(())
/// ```
pub fn export(store: &dyn Store, form: TextForm, out: &mut dyn Write, path: &Path) -> Result<usize, StoreError> {
    let mut count = 0;
    let mut outcome = match form {
        TextForm::Csv => csv::write_names(out, &COLUMNS),
        TextForm::JsonLines => Ok(()),
    };
    store.scan(&mut |key, entry| {
        let cells = row::cells(&key, &entry);
        outcome = std::mem::replace(&mut outcome, Ok(())).and_then(|()| match form {
            TextForm::Csv => csv::write(out, &cells),
            TextForm::JsonLines => json::write(out, &COLUMNS, &cells),
        });
        count += 1;
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    let write_error = |source: io::Error| StoreError::Io { path: path.to_owned(), action: "write", source };
    outcome.and_then(|()| out.flush()).map_err(write_error)?;
    Ok(count)
}

/// Entries that are put at once.
const BATCH: usize = 4096;

/// Adds every entry of a text to a table; `path` is what an error calls the text.
///
/// # Errors
/// [`StoreError::Text`] names the line that says no entry, and what the store refuses is its error. What stood before
/// may have been added by then; entries are never replaced, so importing again after a repair is safe.
pub fn import(into: &mut dyn Store, form: TextForm, text: &mut dyn BufRead, path: &Path) -> Result<Merged, StoreError> {
    let mut merged = Merged::default();
    let mut batch: Vec<(Key, Entry)> = Vec::new();
    let mut names: Option<Vec<String>> = None;
    let mut line = 0;
    let wrong = |line: usize, what: String| StoreError::Text { path: path.to_owned(), line, what };
    loop {
        let start = line + 1;
        let record = read_record(text, form, &mut line).map_err(|error| match error {
            Unread::Io(source) => StoreError::Io { path: path.to_owned(), action: "read", source },
            Unread::Text(what) => wrong(start, what),
        })?;
        let Some(record) = record else { break };
        if record.trim().is_empty() {
            continue;
        }
        let fields: Vec<(String, Cell)> = match form {
            TextForm::JsonLines => json::read(&record).map_err(|what| wrong(start, what))?,
            TextForm::Csv => {
                let cells = csv::read(&record).map_err(|what| wrong(start, what))?;
                let Some(names) = &names else {
                    names = Some(cells.iter().map(Cell::text).collect());
                    continue;
                };
                if cells.len() != names.len() {
                    let what =
                        format!("{} fields under {} names; quote what contains commas", cells.len(), names.len());
                    return Err(wrong(start, what));
                }
                names.iter().cloned().zip(cells).collect()
            }
        };
        batch.push(row::entry(&fields).map_err(|what| wrong(start, what))?);
        if batch.len() == BATCH {
            merged.add(into.put_all(&batch)?);
            batch.clear();
        }
    }
    merged.add(into.put_all(&batch)?);
    Ok(merged)
}

enum Unread {
    Io(io::Error),
    Text(String),
}

/// The next record: a line, or several where a quoted field goes over their ends. `line` counts them.
fn read_record(text: &mut dyn BufRead, form: TextForm, line: &mut usize) -> Result<Option<String>, Unread> {
    let mut record = Vec::new();
    loop {
        let read = text.read_until(b'\n', &mut record).map_err(Unread::Io)?;
        *line += usize::from(read > 0);
        let is_open = form == TextForm::Csv && record.iter().filter(|&&byte| byte == b'"').count() % 2 == 1;
        match (read, is_open) {
            (0, true) => return Err(Unread::Text("a quote is never closed; close it".to_owned())),
            (0, false) if record.is_empty() => return Ok(None),
            (0, false) | (_, false) => break,
            (_, true) => {}
        }
    }
    let record = String::from_utf8(record).map_err(|_| Unread::Text("it is no UTF-8; save it as UTF-8".to_owned()))?;
    let record = record.strip_suffix('\n').unwrap_or(&record);
    Ok(Some(record.strip_suffix('\r').unwrap_or(record).to_owned()))
}
