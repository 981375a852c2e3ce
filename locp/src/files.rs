//! Outputs: checked before the work, written all or nothing after it.

use crate::Error;
use crate::report::PlanReport;
use std::io::Write;
use std::path::Path;

/// Refuses an output that is an input, or whose folder is missing, before any time is spent.
pub fn check_output(output: &Path, inputs: &[&Path]) -> Result<(), Error> {
    let folder = folder(output);
    if !folder.is_dir() || output.is_dir() || output.file_name().is_none() {
        return Err(Error::NoFolder { path: output.to_owned() });
    }
    let resolved = |path: &Path| path.canonicalize().ok();
    let own = resolved(output);
    match own.is_some() && inputs.iter().any(|input| resolved(input) == own) {
        true => Err(Error::SameFile { path: output.to_owned() }),
        false => Ok(()),
    }
}

/// Writes a plan as JSON, all or nothing.
pub fn write_plan(output: &Path, plan: &PlanReport) -> Result<(), Error> {
    let mut text = serde_json::to_vec_pretty(plan).map_err(|e| Error::write(output, e.into()))?;
    text.push(b'\n');
    write_bytes(output, &text)
}

/// Writes bytes through a temporary file in the same folder, so that nobody ever sees half of them.
pub fn write_bytes(output: &Path, bytes: &[u8]) -> Result<(), Error> {
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".locp-").tempfile_in(folder(output))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(output)?;
        Ok(())
    };
    write().map_err(|e| Error::write(output, e))
}

fn folder(output: &Path) -> &Path {
    output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
