//! What cargo knows about this workspace.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Crates whose interface is a command line.
const PROGRAMS: [&str; 3] = ["locp-cli", "study-steps", "xtask"];

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
        let text = |value: &Value| value.as_str().map(str::to_owned).context("cargo metadata printed another format");
        let packages = json["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut libraries = packages.iter().map(|package| text(&package["name"])).collect::<Result<Vec<_>>>()?;
        libraries.retain(|name| !PROGRAMS.contains(&name.as_str()));
        libraries.sort();
        let [root, target] = ["workspace_root", "target_directory"].map(|key| text(&json[key]).map(PathBuf::from));
        Ok(Self { root: root?, target: target?, libraries })
    }
}

/// Returns the cargo that runs this program.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Returns a package's name as paths spell it.
pub(crate) fn crate_name(package: &str) -> String {
    package.replace('-', "_")
}
