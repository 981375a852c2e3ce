//! Writing measurements down as they come.

use crate::error::RecordError;
use crate::recorded::Recorded;
use netspec::{ConvSpec, Machine, Measurement};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The schema that is written and read.
pub(crate) const SCHEMA: &str = "locp.recorded/1";

/// The first line.
#[derive(Serialize, Deserialize)]
pub(crate) struct Header<'a> {
    pub(crate) schema: Cow<'a, str>,
    pub(crate) machine: Cow<'a, Machine>,
}

/// Every further line.
#[derive(Serialize, Deserialize)]
pub(crate) struct Line<'a> {
    pub(crate) spec: Cow<'a, str>,
    pub(crate) measurement: Cow<'a, Measurement>,
}

/// Writes a recorded table: JSON lines, a header and then a line per measurement.
///
/// Each line is handed to the system whole, so a killed process leaves at most one torn line at the end, which
/// [`crate::Recorded`] ignores.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    file: File,
}

impl Recorder {
    /// Starts a new table; a file that is already there is an error, because measurements are not overwritten.
    pub fn create(path: &Path, machine: &Machine) -> Result<Recorder, RecordError> {
        let file = File::create_new(path).map_err(RecordError::io(path))?;
        let mut recorder = Recorder { path: path.to_owned(), file };
        recorder.write(&Header { schema: SCHEMA.into(), machine: Cow::Borrowed(machine) })?;
        Ok(recorder)
    }

    /// Goes on with a table of the same machine, or starts it where there is none.
    ///
    /// A torn last line is cut off. Another machine's table is an error, because its numbers are not this one's.
    pub fn append(path: &Path, machine: &Machine) -> Result<Recorder, RecordError> {
        let io = RecordError::io(path);
        let text = match std::fs::read(path) {
            // A recorder that was killed before it wrote the header leaves nothing behind.
            Ok(text) if text.is_empty() => std::fs::remove_file(path).map(|()| text).map_err(&io)?,
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(io(error)),
        };
        if text.is_empty() {
            return Recorder::create(path, machine);
        }
        let origin = Recorded::open(path)?.origin().clone();
        if origin != *machine {
            let (found, writing) = (Box::new(origin), Box::new(machine.clone()));
            return Err(RecordError::Machine { path: path.to_owned(), found, writing });
        }
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        let file = OpenOptions::new().append(true).open(path).map_err(&io)?;
        file.set_len(whole as u64).map_err(&io)?;
        Ok(Recorder { path: path.to_owned(), file })
    }

    /// Writes one measurement down.
    pub fn record(&mut self, spec: &ConvSpec, measurement: &Measurement) -> Result<(), RecordError> {
        self.write(&Line { spec: spec.to_string().into(), measurement: Cow::Borrowed(measurement) })
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), RecordError> {
        let io = RecordError::io(&self.path);
        let mut bytes = serde_json::to_vec(line).map_err(|error| io(error.into()))?;
        bytes.push(b'\n');
        self.file.write_all(&bytes).map_err(io)
    }
}
