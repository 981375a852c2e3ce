//! Outputs: checked before the work, written all or nothing after it.

use crate::Error;
use crate::report::{AlignReport, PlanReport};
use benefit::Problem;
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempDir};

/// Refuses outputs that cannot be, before any time is spent: one that is an input or another output, a folder, a
/// device, or in a folder that is missing or may not be written to.
pub fn check_outputs(outputs: &[&Path], inputs: &[&Path]) -> Result<(), Error> {
    let mut taken: Vec<PathBuf> = inputs.iter().filter_map(|input| resolved(input)).collect();
    for &output in outputs {
        let folder = folder(output);
        if !folder.is_dir() {
            return Err(Error::NoFolder { path: output.to_owned() });
        }
        if output.exists() && !output.is_file() {
            return Err(Error::NoFile { path: output.to_owned() });
        }
        let own = resolved(output).ok_or_else(|| Error::NoFile { path: output.to_owned() })?;
        if taken.contains(&own) {
            return Err(Error::SameFile { path: output.to_owned() });
        }
        taken.push(own);
        new_file(output).map_err(|e| Error::write(output, e))?;
    }
    Ok(())
}

/// A path without links and dots; of a file that does not exist yet, its folder's with its name.
pub(crate) fn resolved(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok().or_else(|| Some(folder(path).canonicalize().ok()?.join(path.file_name()?)))
}

/// A folder for what is not to stay; it goes with the value.
pub(crate) fn temporary_folder() -> Result<TempDir, Error> {
    let folder = tempfile::Builder::new().prefix("locp-").tempdir();
    folder.map_err(|e| Error::write(&std::env::temp_dir(), e))
}

/// Writes a plan as JSON, all or nothing.
pub fn write_plan(output: &Path, plan: &PlanReport) -> Result<(), Error> {
    write_json(output, plan)
}

/// Writes aligned widths as JSON, all or nothing; `apply` takes them as a plan.
pub fn write_aligned(output: &Path, aligned: &AlignReport) -> Result<(), Error> {
    write_json(output, aligned)
}

/// Writes a problem as JSON, all or nothing.
pub fn write_problem(output: &Path, problem: &Problem) -> Result<(), Error> {
    write_json(output, problem)
}

/// Writes a value as JSON, all or nothing.
pub(crate) fn write_json(output: &Path, report: &impl Serialize) -> Result<(), Error> {
    let mut text = serde_json::to_vec_pretty(report).map_err(|e| Error::write(output, e.into()))?;
    text.push(b'\n');
    write_bytes(output, &text)
}

/// Writes bytes through a temporary file in the same folder: the output is complete or as it was.
pub fn write_bytes(output: &Path, bytes: &[u8]) -> Result<(), Error> {
    let write = || -> std::io::Result<()> {
        let mut new = new_file(output)?;
        new.write_all(bytes)?;
        new.as_file().sync_all()?;
        new.persist(output).map(drop).map_err(|e| e.error)
    };
    write().map_err(|e| Error::write(output, e))
}

/// A file in the output's folder, with the permissions of any new file; it is gone if it does not get the output's name.
fn new_file(output: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".locp-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder(output))
}

fn folder(output: &Path) -> &Path {
    output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
