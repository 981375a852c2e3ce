//! What `doctor` reports.

use super::{MachineReport, Schema};
use serde::Serialize;

/// Result of `doctor`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DoctorReport {
    /// The schema's name and version.
    pub schema: Schema,
    /// One entry per engine.
    pub engines: Vec<EngineReport>,
    /// Libraries that engines load at run time.
    pub libraries: Vec<LibraryReport>,
    /// Where the latency table is, or would be made.
    pub table: String,
}

/// A library that is looked for at run time.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LibraryReport {
    /// Its name.
    pub library: String,
    /// Where it was found: a path, or the bare name that the system's loader knew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Every place that was looked at, in order.
    pub looked_for: Vec<String>,
}

#[cfg(feature = "cuda")]
impl From<gpu_bench::Library> for LibraryReport {
    fn from(of: gpu_bench::Library) -> LibraryReport {
        let (path, version, reason) = match of.found {
            Ok(found) => (Some(found.path.display().to_string()), Some(found.version), None),
            Err(reason) => (None, None, Some(reason)),
        };
        LibraryReport { library: of.name.to_owned(), path, version, reason, looked_for: of.looked_for }
    }
}

/// An engine here, or why not.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct EngineReport {
    /// The engine as `--engine` takes it.
    pub engine: String,
    /// Whether it can run here.
    pub available: bool,
    /// The machine it would measure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineReport>,
    /// Why it cannot run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was looked for, and where.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub looked_for: Vec<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}
