//! An entry as named cells, and back.

use crate::{Entry, Key};
use netspec::{CacheState, Measurement, Provenance, StopReason};
use std::fmt::Display;

pub(super) const COLUMNS: [&str; 39] = [
    "spec",
    "machine",
    "batch",
    "c_in",
    "c_out",
    "height",
    "width",
    "kernel_h",
    "kernel_w",
    "stride_h",
    "stride_w",
    "pad_top",
    "pad_left",
    "pad_bottom",
    "pad_right",
    "dilation_h",
    "dilation_w",
    "groups",
    "dtype",
    "layout",
    "epilogue",
    "engine",
    "device",
    "compute",
    "driver",
    "library",
    "policy",
    "threads",
    "method",
    "median_ns",
    "low_ns",
    "high_ns",
    "samples",
    "provenance",
    "cache",
    "stop",
    "algorithm",
    "unix_s",
    "tool",
];

const PROVENANCES: [(&str, Provenance); 5] = [
    ("measured", Provenance::Measured),
    ("same-tread", Provenance::SameTread),
    ("interpolated", Provenance::Interpolated),
    ("recorded", Provenance::Recorded),
    ("simulated", Provenance::Simulated),
];
const CACHES: [(&str, CacheState); 3] =
    [("warm", CacheState::Warm), ("cold", CacheState::Cold), ("network", CacheState::Network)];
const STOPS: [(&str, StopReason); 6] = [
    ("precise", StopReason::Precise),
    ("noise-settled", StopReason::NoiseSettled),
    ("sample-limit", StopReason::SampleLimit),
    ("time-limit", StopReason::TimeLimit),
    ("decided", StopReason::Decided),
    ("not-sampled", StopReason::NotSampled),
];

/// The content of one column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Missing,
    Number(String),
    Text(String),
}

impl Cell {
    pub(super) fn text(&self) -> String {
        match self {
            Cell::Missing => String::new(),
            Cell::Number(text) | Cell::Text(text) => text.clone(),
        }
    }
}

fn number(value: impl Display) -> Cell {
    Cell::Number(value.to_string())
}

fn text(value: impl Display) -> Cell {
    Cell::Text(value.to_string())
}

fn word_of<T: PartialEq + Copy>(table: &[(&'static str, T)], value: T) -> Cell {
    table.iter().find(|(_, v)| *v == value).map_or(Cell::Missing, |&(word, _)| text(word))
}

/// The cells of an entry, one for each of [`COLUMNS`].
pub(super) fn cells(key: &Key, entry: &Entry) -> Vec<Cell> {
    let mut cells = vec![text(&key.spec), text(&key.machine)];
    match key.conv_spec() {
        Ok(spec) => {
            let [top, left, bottom, right] = spec.padding;
            let [[kernel_h, kernel_w], [stride_h, stride_w], [dilation_h, dilation_w]] =
                [spec.kernel, spec.stride, spec.dilation];
            let shape = [spec.batch, spec.c_in, spec.c_out, spec.height, spec.width, kernel_h, kernel_w];
            let rest = [stride_h, stride_w, top, left, bottom, right, dilation_h, dilation_w, spec.groups];
            cells.extend(shape.into_iter().chain(rest).map(number));
            // The canonical text says what it says of these in its last words, so they are taken from there.
            let words: Vec<&str> = key.spec.split(' ').collect();
            let layout = if words.contains(&"nhwc") { "nhwc" } else { "nchw" };
            let is_epilogue =
                |word: &&str| ["bias", "add", "relu", "relu6", "silu", "sigmoid", "hardswish"].contains(word);
            let epilogue: Vec<&str> = words.iter().copied().filter(is_epilogue).collect();
            cells.extend([text(spec.dtype), text(layout), text(epilogue.join(" "))]);
        }
        Err(_) => cells.extend(std::iter::repeat_n(Cell::Missing, 19)),
    }
    match key.machine() {
        Some(machine) => {
            let names = [machine.engine, machine.device, machine.compute, machine.driver, machine.library];
            cells.extend(names.into_iter().chain([machine.policy]).map(Cell::Text));
            cells.extend([number(machine.threads), number(machine.method)]);
        }
        None => cells.extend(std::iter::repeat_n(Cell::Missing, 8)),
    }
    let m = &entry.measurement;
    cells.extend([m.median_ns, m.interval_ns[0], m.interval_ns[1]].map(number));
    cells.push(number(m.samples));
    cells.extend([word_of(&PROVENANCES, m.provenance), word_of(&CACHES, m.cache), word_of(&STOPS, m.stop)]);
    cells.push(m.algorithm.as_ref().map_or(Cell::Missing, text));
    cells.extend([number(entry.unix_s), text(&entry.tool)]);
    cells
}

/// The entry that named cells say; columns that only repeat others, and those that are not known, are not looked at.
pub(super) fn entry(fields: &[(String, Cell)]) -> Result<(Key, Entry), String> {
    let find = |name: &str| match fields.iter().find(|(found, _)| found == name) {
        Some((_, cell)) if *cell != Cell::Missing => Ok(cell.text()),
        _ => Err(format!("`{name}` is missing; it is needed to say an entry")),
    };
    let ns = |name: &str| read::<f64>(name, &find(name)?, "nanoseconds");
    let key = Key { spec: find("spec")?, machine: find("machine")? };
    let measurement = Measurement {
        median_ns: ns("median_ns")?,
        interval_ns: [ns("low_ns")?, ns("high_ns")?],
        samples: read("samples", &find("samples")?, "a count")?,
        provenance: word("provenance", &find("provenance")?, &PROVENANCES)?,
        cache: word("cache", &find("cache")?, &CACHES)?,
        stop: word("stop", &find("stop")?, &STOPS)?,
        algorithm: find("algorithm").ok(),
    };
    let canonical = key.conv_spec().map_err(|error| error.to_string())?.to_string();
    if canonical != key.spec {
        return Err(format!("the spec `{}` is not in its canonical form; write `{canonical}`", key.spec));
    }
    let unix_s = read("unix_s", &find("unix_s")?, "seconds since 1970")?;
    Ok((key, Entry { measurement, unix_s, tool: find("tool")? }))
}

fn read<T: std::str::FromStr>(name: &str, text: &str, expected: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{name}` is `{text}`; {expected} were expected"))
}

fn word<T: Copy>(name: &str, text: &str, table: &[(&str, T)]) -> Result<T, String> {
    let words: Vec<&str> = table.iter().map(|(word, _)| *word).collect();
    let found = table.iter().find(|(word, _)| *word == text).map(|&(_, value)| value);
    found.ok_or_else(|| format!("`{name}` is `{text}`; one of {} was expected", words.join(", ")))
}
