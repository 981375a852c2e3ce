//! The task `public-api`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::document::Document;
use crate::leaks::leaks;
use crate::listing::{difference, listing};
use crate::rustdoc;
use crate::walk::walk;
use crate::workspace::{Workspace, crate_name};

/// Crates that come with the compiler.
const STANDARD: [&str; 3] = ["std", "core", "alloc"];

/// Crates that another one is for, behind a feature of that name: who turns it on has the crate already. (crate, its
/// guest)
const INTEGRATED: [(&str, &str); 1] = [("gpu_bench", "criterion")];

/// Checks the public API of the packages named, or of all libraries, and compares it with its committed listing.
///
/// With `write` the listing is written instead. Returns a line of praise.
///
/// # Errors
/// Where a signature names another project's type, where the listing differs, and where cargo or rustdoc fails.
pub fn public_api(packages: &[String], write: bool) -> Result<String> {
    let workspace = Workspace::read()?;
    if let Some(unknown) = packages.iter().find(|name| !workspace.libraries.contains(name)) {
        bail!("{unknown} is no library of this workspace: {}", workspace.libraries.join(", "));
    }
    let folder = workspace.root.join("docs/api");
    let mut complaints = String::new();
    let mut items = 0;
    for (package, document) in rustdoc::document(&workspace, packages)? {
        let (complaint, text) = check(&workspace, &document).with_context(|| package.clone())?;
        items += text.lines().count();
        complaints += &complaint;
        complaints += &settle(&folder.join(package + ".txt"), &text, write)?;
    }
    if !complaints.is_empty() {
        bail!("{}", complaints.trim_end());
    }
    Ok(format!("public API: {items} items, and none names a type of another project"))
}

/// What is wrong with a crate's public signatures, and their listing.
fn check(workspace: &Workspace, document: &Document) -> Result<(String, String)> {
    let entries = walk(document)?;
    let own: Vec<String> = workspace.libraries.iter().map(|name| crate_name(name)).collect();
    let name = document.root()?.name();
    let integrated = INTEGRATED.iter().filter(|(krate, _)| *krate == name).map(|(_, guest)| *guest);
    let allowed: Vec<&str> = own.iter().map(String::as_str).chain(STANDARD).chain(integrated).collect();
    let leaks = leaks(document, &entries, &allowed)?;
    let complaint = leaks.iter().map(|leak| format!("{leak}\n")).collect();
    Ok((complaint, listing(document, &entries)))
}

/// Writes the listing, or says how the written one differs.
fn settle(path: &Path, text: &str, write: bool) -> Result<String> {
    let name = path.display();
    if write {
        let folder = path.parent().context("a listing lies in a folder")?;
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        fs::write(path, text).with_context(|| name.to_string())?;
        return Ok(String::new());
    }
    // A listing that is missing differs in every line.
    let old = fs::read_to_string(path).unwrap_or_default();
    Ok(match difference(&old, text) {
        same if same.is_empty() => same,
        difference => format!(
            "{name}:\n{difference}the public API changed: run `cargo run --release -p xtask -- public-api --write` and commit\n"
        ),
    })
}
