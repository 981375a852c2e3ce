//! Public signatures that name what belongs to another project.

use std::fmt;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::document::{Document, field, list};
use crate::walk::{Entry, references};

/// Traits of other projects that a public type may implement: plain data is meant to be serialized by its users'
/// own choice of format. (crate, trait)
const IMPLEMENTED: [(&str, &str); 4] =
    [("serde", "Serialize"), ("serde", "Deserialize"), ("serde_core", "Serialize"), ("serde_core", "Deserialize")];

/// A public item whose signature names an item of another project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leak {
    /// The public item: its kind and path.
    pub item: String,
    /// The full path of what it names.
    pub named: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} names {}", self.item, self.named)
    }
}

/// Finds what `entries` name of crates that are not among the `allowed`, sorted, each once.
///
/// # Errors
/// Where the JSON is not understood, or names no crate for an item.
pub fn leaks(document: &Document, entries: &[Entry<'_>], allowed: &[&str]) -> Result<Vec<Leak>> {
    let mut leaks = Vec::new();
    for entry in entries {
        let item = format!("{} {}", entry.item.kind, entry.path);
        for path in named(document, entry).with_context(|| item.clone())? {
            let own = path.split("::").next().is_some_and(|krate| allowed.contains(&krate));
            if !own {
                leaks.push(Leak { item: item.clone(), named: path });
            }
        }
    }
    leaks.sort();
    leaks.dedup();
    Ok(leaks)
}

/// The full paths of all that an item's signature names.
fn named(document: &Document, entry: &Entry<'_>) -> Result<Vec<String>> {
    let inner = entry.item.inner;
    let mut ids = Vec::new();
    match entry.item.kind {
        // A module's signature is its name.
        "module" => {}
        "extern_crate" => return Ok(vec![text(inner, "name")?]),
        // Without an id rustdoc knows nothing about the target but how the source calls it.
        "use" if field(inner, "id")?.is_null() => return Ok(vec![text(inner, "source")?]),
        "impl" if is_free(document, inner)? => {}
        "impl" => {
            references(inner, &mut ids);
            // What the trait leaves open is filled in by the items: `type Item = ...`.
            for id in list(inner, "items")? {
                let item = document.item(id)?;
                item.into_iter().for_each(|item| references(item.inner, &mut ids));
            }
        }
        _ => references(inner, &mut ids),
    }
    ids.into_iter().map(|id| Ok(document.path(id)?.join("::"))).collect()
}

/// Whether an impl is of one of the traits that any type may implement, whatever the impl then names.
fn is_free(document: &Document, inner: &Value) -> Result<bool> {
    let path = document.path(field(field(inner, "trait")?, "id")?)?;
    let ends = path.first().zip(path.last());
    Ok(ends.is_some_and(|(krate, name)| IMPLEMENTED.contains(&(krate, name))))
}

fn text(value: &Value, key: &str) -> Result<String> {
    Ok(field(value, key)?.as_str().unwrap_or_default().to_owned())
}
