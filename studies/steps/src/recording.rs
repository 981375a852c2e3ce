//! The files that hold recordings: a row of JSON for each width.

use anyhow::{Context as _, ensure};
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Read, Write as _};
use std::path::Path;

/// One width of one line.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The machine and the engine, which stands first.
    pub(crate) machine: String,
    /// The load on the machine meanwhile.
    pub(crate) load: String,
    /// What each run found in the caches.
    pub(crate) cache: String,
    /// The convolution at full width.
    pub(crate) layer: String,
    /// `c_out` or `c_in`.
    pub(crate) axis: String,
    /// The width.
    pub(crate) channels: usize,
    /// The convolution that was timed.
    pub(crate) spec: String,
    /// Nanoseconds of each preparation; each one served as many of the blocks.
    pub(crate) prepare_ns: Vec<u64>,
    /// Nanoseconds of readings in the order in which they were taken: those of a block without a pause, those of the
    /// next one after the line's other widths had their turn.
    pub(crate) blocks: Vec<Vec<u64>>,
}

/// Writes rows as JSON Lines.
///
/// # Errors
/// The file could not be written.
pub(crate) fn write(path: &Path, rows: &[Row]) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(path).with_context(|| path.display().to_string())?);
    for row in rows {
        serde_json::to_writer(&mut file, row)?;
        writeln!(file)?;
    }
    Ok(file.flush()?)
}

/// The layer and the axis of a line.
pub(crate) type Name = (String, String);

/// The rows of a line by their widths.
pub(crate) type Widths = BTreeMap<usize, Row>;

/// One run of `record`.
pub(crate) struct Recording {
    /// The machine and the engine, and the engine alone.
    pub(crate) machine: String,
    pub(crate) engine: String,
    pub(crate) load: String,
    pub(crate) lines: BTreeMap<Name, Widths>,
}

/// Reads a recording, compressed by gzip if its name ends so.
///
/// # Errors
/// The file cannot be read, or is not a recording of one engine beside one load.
pub(crate) fn read(path: &Path) -> anyhow::Result<Recording> {
    let place = || path.display().to_string();
    let file = File::open(path).with_context(place)?;
    let is_compressed = path.extension().is_some_and(|extension| extension == "gz");
    let text: Box<dyn Read> = if is_compressed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let (machine, engine, load) = (String::new(), String::new(), String::new());
    let mut recording = Recording { machine, engine, load, lines: BTreeMap::new() };
    for line in BufReader::new(text).lines() {
        let row: Row = serde_json::from_str(&line.with_context(place)?).with_context(place)?;
        if recording.lines.is_empty() {
            recording.machine.clone_from(&row.machine);
            recording.engine = row.machine.split('|').next().unwrap_or_default().to_owned();
            recording.load.clone_from(&row.load);
        }
        ensure!(recording.machine == row.machine && recording.load == row.load, "{}: several recordings", place());
        ensure!(row.blocks.iter().any(|block| !block.is_empty()), "{}: {} has no readings", place(), row.spec);
        let widths = recording.lines.entry((row.layer.clone(), row.axis.clone())).or_default();
        widths.insert(row.channels, row);
    }
    ensure!(!recording.lines.is_empty(), "{}: empty", place());
    Ok(recording)
}
