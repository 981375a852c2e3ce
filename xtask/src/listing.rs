//! The committed list of public items, and how it differs from what the sources say.

use std::collections::BTreeSet;

use crate::document::Document;
use crate::render::Renderer;
use crate::walk::Entry;

/// Markers that the compiler's own derives implement for its own use; they come and go with the toolchain.
const COMPILERS_OWN: [&str; 2] = ["StructuralPartialEq", "TrivialClone"];

/// The public items as text: a line each, with kind, path and signature, sorted by path.
///
/// Impls stand behind the type that they are for.
pub fn listing(document: &Document, entries: &[Entry<'_>]) -> String {
    let renderer = Renderer::new(document, entries);
    let lines: BTreeSet<(&str, bool, String)> = entries
        .iter()
        .map(|entry| (entry.path.as_str(), entry.item.kind == "impl", renderer.line(document, entry)))
        .filter(|(_, is_impl, line)| !is_impl || !COMPILERS_OWN.iter().any(|name| line.contains(name)))
        .collect();
    lines.into_iter().map(|(_, _, line)| line + "\n").collect()
}

/// The lines that `new` lacks (`-`) and those that it adds (`+`); empty if both list the same items.
pub fn difference(old: &str, new: &str) -> String {
    let (old_lines, new_lines): (BTreeSet<&str>, BTreeSet<&str>) = (old.lines().collect(), new.lines().collect());
    let gone = old_lines.difference(&new_lines).map(|line| format!("- {line}\n"));
    let came = new_lines.difference(&old_lines).map(|line| format!("+ {line}\n"));
    gone.chain(came).collect()
}
