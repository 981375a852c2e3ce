//! The folder of a part: what is written as it comes, and what is in it already.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::Result;
use netspec::{ConvSpec, Machine, Measurement};
use serde_json::{Value, json};
use sharing::Recorder;
use timing::{Samples, TimingError};

pub(crate) const TABLE: &str = "table.jsonl";
const SAMPLES: &str = "samples.jsonl";
const FAILED: &str = "failed.jsonl";

/// Files that grow by a line for every answer, so that a kill loses what is in flight and nothing else.
pub(crate) struct Folder {
    path: PathBuf,
    table: Recorder,
    samples: File,
    failed: File,
}

impl Folder {
    /// Makes the folder, or goes on with it; it has to be of the same machine.
    pub(crate) fn open(path: &Path, machine: &Machine) -> Result<Folder> {
        std::fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Folder {
            table: Recorder::append(path.join(TABLE), machine)?,
            samples: lines(&path.join(SAMPLES))?,
            failed: lines(&path.join(FAILED))?,
            path: path.to_owned(),
        })
    }

    /// What needs no further try (measured, or not supported), and what failed before.
    pub(crate) fn known(&self) -> Result<[BTreeSet<ConvSpec>; 2]> {
        let mut known: BTreeSet<ConvSpec> = table(&self.path)?.into_keys().collect();
        let mut failed = BTreeSet::new();
        for row in rows(&self.path.join(FAILED))? {
            let Some(spec) = row["spec"].as_str().and_then(|text| text.parse::<ConvSpec>().ok()) else { continue };
            let set = if row["unsupported"] == true { &mut known } else { &mut failed };
            set.insert(spec);
        }
        Ok([known, failed])
    }

    /// Writes an answer down; what was interrupted is none.
    pub(crate) fn answer(&mut self, spec: &ConvSpec, answer: &Result<Samples, TimingError>) -> Result<()> {
        match answer {
            // The last digits of a median are noise, and half of the file.
            Ok(samples) => Ok(self.table.record(spec, &rounded(&samples.measurement()))?),
            Err(TimingError::Interrupted) => Ok(()),
            Err(error) => {
                let unsupported = matches!(error, TimingError::Unsupported { .. });
                let row = json!({ "spec": spec.to_string(), "unsupported": unsupported, "error": error.to_string() });
                write(&mut self.failed, &row)
            }
        }
    }

    /// Writes raw samples down.
    pub(crate) fn samples(&mut self, spec: &ConvSpec, samples: &Samples) -> Result<()> {
        let row = json!({
            "spec": spec.to_string(),
            "ns": samples.ns.iter().copied().map(tenth).collect::<Vec<f64>>(),
            "clock_mhz": samples.clock_mhz.iter().map(|mhz| mhz.round() as u64).collect::<Vec<u64>>(),
            "discarded": samples.discarded,
            "algorithm": samples.algorithm,
        });
        write(&mut self.samples, &row)
    }
}

fn tenth(ns: f64) -> f64 {
    (ns * 10.0).round() / 10.0
}

fn rounded(measurement: &Measurement) -> Measurement {
    Measurement {
        median_ns: tenth(measurement.median_ns),
        interval_ns: measurement.interval_ns.map(tenth),
        ..measurement.clone()
    }
}

/// What the table of a folder holds.
pub(crate) fn table(folder: &Path) -> Result<BTreeMap<ConvSpec, Measurement>> {
    let mut entries = BTreeMap::new();
    let (table, _) = sharing::open_read_only(folder.join(TABLE))?;
    table.scan(&mut |key, entry| {
        if let Ok(spec) = key.conv_spec() {
            entries.entry(spec).or_insert(entry.measurement);
        }
        ControlFlow::Continue(())
    })?;
    Ok(entries)
}

/// The rows of a file of JSON lines; none where there is no file, and a torn last one is left out.
pub(crate) fn rows(path: &Path) -> Result<Vec<Value>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(format!("{}: {error}", path.display()).into()),
    }
}

/// Failures of a folder: of what the engine cannot run, and of what it could not.
pub(crate) fn failures(path: &Path) -> Result<[usize; 2]> {
    let rows = rows(&path.join(FAILED))?;
    let unsupported = rows.iter().filter(|row| row["unsupported"] == true).count();
    Ok([unsupported, rows.len() - unsupported])
}

/// Opens a file of lines to add some; a torn last one is ended.
pub(crate) fn lines(path: &Path) -> Result<File> {
    let open = || -> std::io::Result<File> {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        if std::fs::read(path)?.last().is_some_and(|&byte| byte != b'\n') {
            file.write_all(b"\n")?;
        }
        Ok(file)
    };
    open().map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Hands a row to the system whole.
pub(crate) fn write(file: &mut File, row: &Value) -> Result<()> {
    Ok(file.write_all(format!("{row}\n").as_bytes())?)
}
