//! Public signatures that name what belongs to another project.

use std::collections::HashSet;
use std::fmt;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::document::{Document, field, list};
use crate::walk::{Entry, references};

/// Traits of other projects that a public type may implement: plain data is meant to be serialized by its users'
/// own choice of format. (crate, trait)
const IMPLEMENTED: [(&str, &str); 4] =
    [("serde", "Serialize"), ("serde", "Deserialize"), ("serde_core", "Serialize"), ("serde_core", "Deserialize")];

/// A public item whose signature names what users of the crate should not meet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leak {
    /// The public item: its kind and path.
    pub item: String,
    /// The full path of what it names.
    pub named: String,
    /// Why that is wrong.
    pub fault: Fault,
}

/// What is wrong with an item that a public signature names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It belongs to another project.
    Foreign,
    /// It is this crate's, and no public path leads to it: users can call its methods, and rustdoc does not list
    /// them, so that nobody knows what those name.
    Unreachable,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remedy = match self.fault {
            Fault::Foreign => "of another project: wrap it",
            Fault::Unreachable => "which has no public path: re-export it",
        };
        write!(f, "{} names {}, {remedy}", self.item, self.named)
    }
}

/// Finds what `entries` name of crates that are not among the `allowed`, and of their own crate what has no public
/// path; sorted, each once.
///
/// # Errors
/// Where the JSON is not understood, or names no crate for an item.
pub fn leaks(document: &Document, entries: &[Entry<'_>], allowed: &[&str]) -> Result<Vec<Leak>> {
    let own = document.root()?.name();
    let listed: HashSet<&Value> = entries.iter().map(|entry| entry.item.id()).collect();
    let mut leaks = Vec::new();
    for entry in entries {
        let item = format!("{} {}", entry.item.kind, entry.path);
        for named in named(document, entry).with_context(|| item.clone())? {
            let path = match named {
                Named::Id(id) => document.path(id).with_context(|| item.clone())?.join("::"),
                Named::Text(text) => text.to_owned(),
            };
            let krate = path.split("::").next().unwrap_or_default();
            let reachable = matches!(named, Named::Id(id) if listed.contains(id));
            let fault = match krate == own {
                true if !reachable => Fault::Unreachable,
                false if !allowed.contains(&krate) => Fault::Foreign,
                _ => continue,
            };
            leaks.push(Leak { item: item.clone(), named: path, fault });
        }
    }
    leaks.sort();
    leaks.dedup();
    Ok(leaks)
}

/// What a signature names: an item by its id, or by no more than the text that the source calls it.
enum Named<'a> {
    Id(&'a Value),
    Text(&'a str),
}

/// Everything that an item's signature names.
fn named<'a>(document: &'a Document, entry: &Entry<'a>) -> Result<Vec<Named<'a>>> {
    let inner = entry.item.inner;
    let mut ids = Vec::new();
    match entry.item.kind {
        // A module's signature is its name.
        "module" => {}
        "extern_crate" => return Ok(vec![Named::Text(text(inner, "name")?)]),
        "use" if field(inner, "id")?.is_null() => return Ok(vec![Named::Text(text(inner, "source")?)]),
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
    Ok(ids.into_iter().map(Named::Id).collect())
}

/// Whether an impl is of one of the traits that any type may implement, whatever the impl then names.
fn is_free(document: &Document, inner: &Value) -> Result<bool> {
    let path = document.path(field(field(inner, "trait")?, "id")?)?;
    let ends = path.first().zip(path.last());
    Ok(ends.is_some_and(|(krate, name)| IMPLEMENTED.contains(&(krate, name))))
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    Ok(field(value, key)?.as_str().unwrap_or_default())
}
