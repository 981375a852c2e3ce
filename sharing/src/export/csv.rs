//! Comma-separated values as RFC 4180 has them, as far as a table needs them.

use super::row::Cell;
use std::io::{self, Write};

pub(super) fn write_names(out: &mut dyn Write, names: &[&str]) -> io::Result<()> {
    writeln!(out, "{}", names.join(","))
}

/// Writes one record. A text is quoted where it has to be, and where it is empty, so that it is not taken for nothing.
pub(super) fn write(out: &mut dyn Write, cells: &[Cell]) -> io::Result<()> {
    let fields: Vec<String> = cells
        .iter()
        .map(|cell| match cell {
            Cell::Missing => String::new(),
            Cell::Number(number) => number.clone(),
            Cell::Text(text) if text.is_empty() || text.trim() != text || text.contains([',', '"', '\n', '\r']) => {
                format!("\"{}\"", text.replace('"', "\"\""))
            }
            Cell::Text(text) => text.clone(),
        })
        .collect();
    writeln!(out, "{}", fields.join(","))
}

/// Reads one record, without the line end behind it.
pub(super) fn read(record: &str) -> Result<Vec<Cell>, String> {
    let mut cells = Vec::new();
    let mut rest = record;
    loop {
        let after = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (text, after) = unquote(quoted)?;
                cells.push(Cell::Text(text));
                after
            }
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                let (text, after) = rest.split_at(end);
                if text.contains('"') {
                    return Err(format!("a quote inside of `{text}`; quote the whole field and double the quote"));
                }
                cells.push(if text.is_empty() { Cell::Missing } else { Cell::Text(text.to_owned()) });
                after
            }
        };
        rest = match after.strip_prefix(',') {
            Some(rest) => rest,
            None if after.is_empty() => return Ok(cells),
            None => return Err(format!("`{after}` stands behind a closing quote; put a comma between them")),
        };
    }
}

/// The text up to the closing quote, and what is behind that.
fn unquote(quoted: &str) -> Result<(String, &str), String> {
    let mut text = String::new();
    let mut rest = quoted;
    loop {
        let (before, after) = rest.split_once('"').ok_or("a quote is never closed; close it")?;
        text.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                text.push('"');
                rest = after;
            }
            None => return Ok((text, after)),
        }
    }
}
