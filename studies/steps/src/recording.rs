//! The files that hold recordings: a row of JSON for each width.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// One width of one line.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The machine and the engine.
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
    /// Milliseconds from the start of the recording to the start of each block.
    pub(crate) at_ms: Vec<u64>,
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
