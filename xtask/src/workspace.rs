//! What cargo says about this workspace.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::document::{field, list};

/// Crates whose interface is a command line.
const PROGRAMS: [&str; 2] = ["locp-cli", "xtask"];

pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    /// The package names of the libraries.
    pub(crate) libraries: Vec<String>,
}

impl Workspace {
    pub(crate) fn read() -> Result<Self> {
        let mut cargo = cargo();
        cargo.args(["metadata", "--format-version", "1", "--no-deps", "--locked", "--offline"]);
        let output = cargo.output().context("cannot run cargo metadata")?;
        if !output.status.success() {
            bail!("cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        let json: Value = serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
        let text = |value: &Value, key: &str| -> Result<String> {
            Ok(field(value, key)?.as_str().with_context(|| format!("{key} is no text"))?.to_owned())
        };
        let mut libraries = list(&json, "packages")?.iter().map(|p| text(p, "name")).collect::<Result<Vec<_>>>()?;
        libraries.retain(|name| !PROGRAMS.contains(&name.as_str()));
        libraries.sort();
        let [root, target] = ["workspace_root", "target_directory"].map(|key| text(&json, key).map(PathBuf::from));
        Ok(Self { root: root?, target: target?, libraries })
    }
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A package's name as it stands in paths.
pub(crate) fn crate_name(package: &str) -> String {
    package.replace('-', "_")
}
