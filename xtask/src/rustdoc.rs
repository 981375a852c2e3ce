//! Runs rustdoc with JSON output on a stable toolchain.
//!
//! The output format is unstable, so the compiler asks for `RUSTC_BOOTSTRAP=1`. Set for cargo, this variable would
//! make it rebuild every crate whose build script looks at it, and with them the embedded engine. Therefore only
//! rustdoc sees it: cargo is told to run this program as its rustdoc, and this program runs the real one.

use std::ffi::OsString;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::document::Document;
use crate::workspace::{Workspace, cargo, crate_name};

/// Holds the path of the real rustdoc where this program acts as one.
const REAL: &str = "XTASK_RUSTDOC";
const FLAGS: &str = "-Z unstable-options --output-format json --document-hidden-items";

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

/// Documents the packages, all libraries if there are none, with every feature on.
pub(crate) fn document(workspace: &Workspace, packages: &[String]) -> Result<Vec<(String, Document)>> {
    let mut command = cargo();
    // `--workspace` selects dependencies' features as `cargo doc --workspace` does, which then need no second build.
    let selected: Vec<OsString> = match packages {
        [] => vec!["--workspace".into()],
        _ => packages.iter().flat_map(|name| ["-p".into(), name.into()]).collect(),
    };
    command.args(["doc", "--release", "--locked", "--lib", "--no-deps", "--all-features"]).args(selected);
    command.current_dir(&workspace.root).env("RUSTDOCFLAGS", FLAGS);
    command.env(REAL, std::env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into()));
    command.env("RUSTDOC", std::env::current_exe().context("where is this program?")?);
    let status = command.status().context("cannot run cargo doc")?;
    if !status.success() {
        bail!("cargo doc failed: see above");
    }
    let names = if packages.is_empty() { &workspace.libraries } else { packages };
    names.iter().map(|name| Ok((name.clone(), read(workspace, name)?))).collect()
}

fn read(workspace: &Workspace, package: &str) -> Result<Document> {
    let path = workspace.target.join("doc").join(crate_name(package) + ".json");
    let text = fs::read_to_string(&path)
        .with_context(|| format!("{}: run `cargo clean --release --doc` and try again", path.display()))?;
    Document::parse(&text).with_context(|| path.display().to_string())
}
