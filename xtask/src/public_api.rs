//! The task `public-api`.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};

use crate::api::Api;
use crate::rustdoc;
use crate::workspace::{Workspace, crate_name};

/// Crates that come with the compiler.
const STANDARD: [&str; 3] = ["std", "core", "alloc"];

/// Integrations with a crate of another project, behind a feature of that name: (package, other crate).
const INTEGRATED: [(&str, &str); 1] = [("gpu-bench", "criterion")];

/// Checks the public API of the packages, or of all libraries if there are none, and compares it with `docs/api`.
///
/// With `write` the listings are written instead. Returns a summary.
///
/// # Errors
/// Returns an error if a signature names another project's type, if a listing is not current, and if cargo or rustdoc
/// fails.
pub fn public_api(packages: &[String], write: bool) -> Result<String> {
    let workspace = Workspace::read()?;
    if let Some(unknown) = packages.iter().find(|name| !workspace.libraries.contains(name)) {
        bail!("{unknown} is not a library of this workspace: {}", workspace.libraries.join(", "));
    }
    let libraries: Vec<String> = workspace.libraries.iter().map(|name| crate_name(name)).collect();
    let folder = workspace.root.join("docs/api");
    let mut complaints = Vec::new();
    let mut count = 0;
    for (package, json) in rustdoc::document(&workspace, packages)? {
        let api = Api::read(&json)?;
        let integrated = INTEGRATED.iter().filter(|(name, _)| *name == package).map(|(_, other)| *other);
        let allowed: Vec<&str> = libraries.iter().map(String::as_str).chain(STANDARD).chain(integrated).collect();
        complaints.extend(api.leaks(&allowed).with_context(|| package.clone())?);

        let listing = api.listing();
        count += listing.lines().count();
        let path = folder.join(package + ".txt");
        let name = path.display();
        // A missing listing differs in every line.
        let difference = difference(&fs::read_to_string(&path).unwrap_or_default(), &listing);
        if write {
            fs::create_dir_all(&folder).and_then(|()| fs::write(&path, listing)).with_context(|| name.to_string())?;
        } else if !difference.is_empty() {
            complaints.push(format!(
                "{name}:\n{difference}the public API changed: run `cargo run --release -p xtask -- public-api --write` \
                 and commit"
            ));
        }
    }
    if !complaints.is_empty() {
        bail!("{}", complaints.join("\n"));
    }
    Ok(format!("public API: {count} lines, and none names a type of another project"))
}

/// Returns the lines that `new` lacks (`-`) and adds (`+`); empty if both list the same items.
pub fn difference(old: &str, new: &str) -> String {
    let (old_lines, new_lines): (BTreeSet<&str>, BTreeSet<&str>) = (old.lines().collect(), new.lines().collect());
    let removed = old_lines.difference(&new_lines).map(|line| format!("- {line}\n"));
    let added = new_lines.difference(&old_lines).map(|line| format!("+ {line}\n"));
    removed.chain(added).collect()
}
