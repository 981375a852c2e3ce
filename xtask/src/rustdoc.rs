//! Runs rustdoc with JSON output on a stable toolchain.
//!
//! The output format is unstable, so the compiler requires `RUSTC_BOOTSTRAP=1`. Set for cargo, this variable would
//! make it rebuild every crate whose build script looks at it, and with them the embedded engine. Therefore only
//! rustdoc sees it: cargo is given this program as its rustdoc, and this program runs the real one.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::{Workspace, cargo, crate_name};

/// Holds the path of the real rustdoc if this program acts as one.
const REAL: &str = "XTASK_RUSTDOC";
/// Rustdoc's lints run whatever it writes, so this run is also the check that the documentation has no warnings.
const FLAGS: &str = "-D warnings -Z unstable-options --output-format json --document-hidden-items";

/// Acts as rustdoc if this process was started as one by [`public_api`](crate::public_api()).
pub fn be_rustdoc() -> Option<Result<()>> {
    let real = std::env::var_os(REAL)?;
    let status = Command::new(&real).args(std::env::args_os().skip(1)).env("RUSTC_BOOTSTRAP", "1").status();
    Some(match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(anyhow::anyhow!("rustdoc: {status}")),
        Err(error) => Err(error).with_context(|| format!("cannot run {}", real.display())),
    })
}

/// Documents the packages, all libraries if there are none, with every feature on; returns each with its JSON file.
pub(crate) fn document(workspace: &Workspace, packages: &[String]) -> Result<Vec<(String, PathBuf)>> {
    let mut command = cargo();
    command.args(["doc", "--release", "--locked", "--lib", "--no-deps", "--all-features"]);
    // `--workspace` selects the features of dependencies as the checks of the whole workspace do, which then need no
    // second build.
    match packages {
        [] => command.arg("--workspace"),
        _ => command.args(packages.iter().flat_map(|name| ["-p", name])),
    };
    command.current_dir(&workspace.root).env("RUSTDOCFLAGS", FLAGS);
    command.env(REAL, std::env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into()));
    command.env("RUSTDOC", std::env::current_exe().context("this program has no path")?);
    let status = command.status().context("cannot run cargo doc")?;
    if !status.success() {
        bail!("cargo doc failed: see above");
    }
    let names = if packages.is_empty() { &workspace.libraries } else { packages };
    let json = |name: &String| workspace.target.join("doc").join(crate_name(name) + ".json");
    Ok(names.iter().map(|name| (name.clone(), json(name))).collect())
}
