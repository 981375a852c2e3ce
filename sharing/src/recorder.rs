//! Appending measurements to a portable table as they come.

use crate::error::io_error;
use crate::{Entry, Key, Store, StoreError, TableKind, text};
use netspec::{ConvSpec, Machine, Measurement};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Appends the measurements of one machine to a portable table.
///
/// Each line is handed to the operating system whole, so a killed process leaves at most one torn line at the end,
/// which readers ignore. One process at a time may write a file; for several, and for look-ups, use
/// [`crate::DiskStore`].
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    machine: Machine,
    file: File,
    /// The end of the last whole line.
    end: u64,
}

impl Recorder {
    /// Continues the table of this machine at `path`, or creates it.
    ///
    /// A torn last line is cut off.
    ///
    /// # Errors
    /// [`StoreError::OtherMachine`] if the table holds entries of another machine, [`StoreError::Text`] if the file is
    /// not a portable table; both leave it as it is.
    pub fn append(path: impl AsRef<Path>, machine: &Machine) -> Result<Recorder, StoreError> {
        let path = path.as_ref();
        let bytes = match std::fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            read => read.map_err(io_error(path, "read"))?,
        };
        let known = text::read(&bytes, path)?;
        let mut other = None;
        known.table.scan(&mut |key, _| {
            other = Some(key.machine).filter(|found| *found != machine.to_string());
            if other.is_none() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        if let Some(found) = other {
            return Err(StoreError::OtherMachine { path: path.to_owned(), found, writing: machine.to_string() });
        }
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(io_error(path, "open"))?;
        let end = known.whole as u64;
        if known.whole < bytes.len() {
            file.set_len(end).map_err(io_error(path, "write"))?;
        }
        let mut recorder = Recorder { path: path.to_owned(), machine: machine.clone(), file, end };
        if bytes[..known.whole].last().is_some_and(|&byte| byte != b'\n') {
            recorder.write(b"\n")?;
        }
        Ok(recorder)
    }

    /// Appends one measurement.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a measurement that does not belong to the machine's kind of table.
    pub fn record(&mut self, spec: &ConvSpec, measurement: &Measurement) -> Result<(), StoreError> {
        let key = Key::new(spec, &self.machine, measurement.cache);
        let entry = Entry::now(measurement.clone(), crate::TOOL);
        TableKind::of_engine(&key.machine).admit(&key, &entry)?;
        let line = text::line(&key, &entry).map_err(io_error(&self.path, "write"))?;
        self.write(&line)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        if let Err(error) = self.file.write_all(bytes) {
            // A part of a line must not stand before the next one.
            _ = self.file.set_len(self.end);
            return Err(io_error(&self.path, "write")(error));
        }
        self.end += bytes.len() as u64;
        Ok(())
    }
}
