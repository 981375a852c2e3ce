//! The portable form: JSON Lines, one entry per line. Nothing else in this crate knows JSON.
//!
//! Every line describes itself, so files can be concatenated, split, sorted and filtered with ordinary tools.
//! Unknown fields are ignored and optional ones default, so that the form can grow: a field never changes its meaning.

use crate::{Entry, Key, MemoryStore, Store, StoreError, TableKind};
use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance, SpecError, StopReason};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    spec: Cow<'a, str>,
    cache: CacheState,
    machine: MachineForm<'a>,
    median_ns: f64,
    /// Without it the figure counts as exact.
    interval_ns: Option<[f64; 2]>,
    #[serde(default)]
    samples: u32,
    provenance: Provenance,
    #[serde(default = "not_sampled")]
    stop: StopReason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    algorithm: Option<Cow<'a, str>>,
    #[serde(default)]
    unix_s: u64,
    #[serde(default)]
    tool: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "`machine` is not an object with at least `engine` and `device`")]
enum MachineForm<'a> {
    Fields(Machine),
    /// A key's text that is not a canonical one.
    Text(Cow<'a, str>),
}

fn not_sampled() -> StopReason {
    StopReason::NotSampled
}

/// Returns an entry as one line of JSON, with its line end.
pub(crate) fn line(key: &Key, entry: &Entry) -> io::Result<Vec<u8>> {
    let m = &entry.measurement;
    let line = Line {
        spec: key.spec.as_str().into(),
        cache: key.cache,
        machine: match key.machine() {
            Some(machine) => MachineForm::Fields(machine),
            None => MachineForm::Text(key.machine.as_str().into()),
        },
        median_ns: m.median_ns,
        interval_ns: Some(m.interval_ns),
        samples: m.samples,
        provenance: m.provenance,
        stop: m.stop,
        algorithm: m.algorithm.as_deref().map(Cow::from),
        unix_s: entry.unix_s,
        tool: entry.tool.as_str().into(),
    };
    let mut bytes = serde_json::to_vec(&line)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// A portable table in memory.
pub(crate) struct Text {
    pub(crate) table: MemoryStore,
    /// Bytes up to the end of the last whole line; what follows is a line that was cut short.
    pub(crate) whole: usize,
}

/// Reads a portable table. `path` is what errors call it.
///
/// A last line that a killed writer cut short is ignored. The first entry decides the kind of the table.
pub(crate) fn read(bytes: &[u8], path: &Path) -> Result<Text, StoreError> {
    let mut table: Option<MemoryStore> = None;
    let (mut start, mut whole) = (0, 0);
    for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        start += line.len();
        if line.iter().all(u8::is_ascii_whitespace) {
            whole = start;
            continue;
        }
        let wrong = |what: String| StoreError::Text { path: path.to_owned(), line: index + 1, what };
        // A file system that lost power may leave zeros where the end of a line belongs.
        let is_last = !line.ends_with(b"\n");
        let line = if is_last { &line[..line.iter().rposition(|&byte| byte != 0).map_or(0, |i| i + 1)] } else { line };
        let line = line.trim_ascii_end();
        let line: Line<'_> = match serde_json::from_slice(line) {
            Ok(line) => line,
            Err(error) if is_last && error.is_eof() => break,
            Err(error) if error.is_eof() => return Err(wrong("the line is cut short".to_owned())),
            // serde_json counts lines too, and always finds the first.
            Err(error) => return Err(wrong(error.to_string().replace(" at line 1 column", ", at column"))),
        };
        whole = start;
        let (key, entry) = entry(line).map_err(|error| wrong(error.to_string()))?;
        let table = table.get_or_insert_with(|| MemoryStore::new(TableKind::of_engine(&key.machine)));
        table.put(&key, &entry).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(Text { table: table.unwrap_or_else(|| MemoryStore::new(TableKind::Live)), whole })
}

fn entry(line: Line<'_>) -> Result<(Key, Entry), SpecError> {
    let machine = match line.machine {
        MachineForm::Fields(machine) => machine.to_string(),
        MachineForm::Text(text) => text.into_owned(),
    };
    // A spec that was written by hand need not be in its canonical form; a key is.
    let spec = line.spec.parse::<ConvSpec>()?.to_string();
    let measurement = Measurement {
        median_ns: line.median_ns,
        interval_ns: line.interval_ns.unwrap_or([line.median_ns; 2]),
        samples: line.samples,
        provenance: line.provenance,
        cache: line.cache,
        stop: line.stop,
        algorithm: line.algorithm.map(Cow::into_owned),
    };
    let entry = Entry { measurement, unix_s: line.unix_s, tool: line.tool.into_owned() };
    Ok((Key { spec, machine, cache: line.cache }, entry))
}

/// Writes every entry of a table in the portable form, one JSON object per line, and returns their number.
///
/// | field | holds | without it |
/// |---|---|---|
/// | `spec` | the convolution's text | an error |
/// | `cache` | `warm`, `cold` or `network` | an error |
/// | `machine` | the fields of [`Machine`]: `engine`, `device`, `compute`, `driver`, `library`, `policy`, `threads`, `method` | an error; `engine` and `device` too |
/// | `median_ns` | nanoseconds | an error |
/// | `interval_ns` | 95 % interval of the median, `[low, high]` | the median twice |
/// | `samples` | number of samples | 0 |
/// | `provenance` | `measured`, `recorded` or `simulated` | an error |
/// | `stop` | why sampling stopped | `not-sampled` |
/// | `algorithm` | what the engine ran | unknown |
/// | `unix_s` | seconds since 1970 (UTC) | 0 |
/// | `tool` | name and version of what measured it | empty |
///
/// Numbers have as many digits as it takes to read them back exactly. [`crate::open_read_only`] reads the form.
/// `path` is what errors call the output.
///
/// ```
/// use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance};
/// use sharing::{Entry, Key, MemoryStore, Store, TableKind, export};
/// let machine = Machine { engine: "tract".into(), device: "a board".into(), threads: 2, ..Machine::default() };
/// let key = Key::new(&ConvSpec::new(3, 8, [32, 32], [3, 3]), &machine, CacheState::Network);
/// let measurement = Measurement::exact(0.1 + 0.2, Provenance::Measured);
/// let mut table = MemoryStore::new(TableKind::Live);
/// table.put(&key, &Entry { measurement, unix_s: 1_790_000_000, tool: "doc".into() })?;
///
/// let mut text = Vec::new();
/// export(&table, &mut text, "memory".as_ref())?;
/// assert_eq!(
///     String::from_utf8_lossy(&text),
///     concat!(
///         r#"{"spec":"3>8 32x32 k3","cache":"network","machine":{"engine":"tract","device":"a board","compute":"","#,
///         r#""driver":"","library":"","policy":"","threads":2,"method":0},"median_ns":0.30000000000000004,"#,
///         r#""interval_ns":[0.30000000000000004,0.30000000000000004],"samples":0,"provenance":"measured","#,
///         r#""stop":"not-sampled","unix_s":1790000000,"tool":"doc"}"#,
///         "\n"
///     )
/// );
/// # Ok::<(), sharing::StoreError>(())
/// ```
pub fn export(store: &dyn Store, out: &mut dyn Write, path: &Path) -> Result<usize, StoreError> {
    let mut count = 0;
    let mut outcome = Ok(());
    store.scan(&mut |key, entry| {
        count += 1;
        outcome = line(&key, &entry).and_then(|line| out.write_all(&line));
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    let write_error = |source: io::Error| StoreError::Io { path: path.to_owned(), action: "write", source };
    outcome.and_then(|()| out.flush()).map_err(write_error)?;
    Ok(count)
}
