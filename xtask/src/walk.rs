//! Every public item of a crate, under the path by which its users reach it.

use anyhow::Result;
use serde_json::Value;

use crate::document::{Document, Item, field, list};

/// A public item and the path by which users reach it.
#[derive(Clone)]
pub struct Entry<'a> {
    /// Such as `netspec::ConvSpec`; an impl of a trait stands under the type that it is for.
    pub path: String,
    /// The item.
    pub item: Item<'a>,
}

/// Lists the public items of `document`, hidden ones included: hiding an item in the docs does not make it private.
///
/// # Errors
/// Where the JSON is not understood.
pub fn walk(document: &Document) -> Result<Vec<Entry<'_>>> {
    let root = document.root()?;
    let mut walk = Walk { document, entries: Vec::new(), open: Vec::new() };
    walk.visit(root, root.name())?;
    walk.impls()?;
    Ok(walk.entries)
}

struct Walk<'a> {
    document: &'a Document,
    entries: Vec<Entry<'a>>,
    /// The modules that are being visited: a module may re-export one that contains it.
    open: Vec<&'a Value>,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, item: Item<'a>, path: &str) -> Result<()> {
        match item.kind {
            "module" => {
                self.entries.push(Entry { path: path.to_owned(), item });
                self.module(item, path)
            }
            _ => {
                self.entries.push(Entry { path: path.to_owned(), item });
                self.visit_all(children(item)?, path)
            }
        }
    }

    fn visit_all(&mut self, ids: Vec<&'a Value>, path: &str) -> Result<()> {
        for id in ids {
            // What is not public is not in the index.
            match self.document.item(id)? {
                Some(item) if item.kind == "use" => self.reexport(item, path)?,
                Some(item) => self.visit(item, &format!("{path}::{}", item.name()))?,
                None => {}
            }
        }
        Ok(())
    }

    fn module(&mut self, module: Item<'a>, path: &str) -> Result<()> {
        if self.open.contains(&module.id()) {
            return Ok(());
        }
        self.open.push(module.id());
        let result = self.visit_all(list(module.inner, "items")?.iter().collect(), path);
        self.open.pop();
        result
    }

    /// A `pub use`: of this crate's own items it is another path, of anything else an item of its own.
    fn reexport(&mut self, item: Item<'a>, path: &str) -> Result<()> {
        let name = field(item.inner, "name")?.as_str().unwrap_or_default();
        let glob = field(item.inner, "is_glob")?.as_bool() == Some(true);
        match self.document.item(field(item.inner, "id")?)? {
            Some(target) if glob && target.kind == "module" => self.module(target, path),
            Some(target) if glob => self.visit_all(children(target)?, path),
            Some(target) if target.kind == "use" => self.reexport(target, path),
            Some(target) => self.visit(target, &format!("{path}::{name}")),
            None => {
                let path = if glob { format!("{path}::*") } else { format!("{path}::{name}") };
                self.entries.push(Entry { path, item });
                Ok(())
            }
        }
    }

    /// Impls are not reached through modules: one for a type of another crate hangs on nothing of ours.
    fn impls(&mut self) -> Result<()> {
        for item in self.document.impls()? {
            let path = self.home(item)?;
            if field(item.inner, "trait")?.is_null() {
                self.visit_all(list(item.inner, "items")?.iter().collect(), &path)?;
            } else {
                self.entries.push(Entry { path, item });
            }
        }
        Ok(())
    }

    /// Where an impl is listed: with the first of this crate's items that its head names, the type before the trait.
    fn home(&self, item: Item<'a>) -> Result<String> {
        let mut named = Vec::new();
        references(field(item.inner, "for")?, &mut named);
        references(field(item.inner, "trait")?, &mut named);
        let own = named.iter().find_map(|id| self.entries.iter().find(|entry| entry.item.id() == *id));
        Ok(own.map_or_else(|| self.entries[0].path.clone(), |entry| entry.path.clone()))
    }
}

/// The ids of the items that belong to `item` and share its path.
fn children(item: Item<'_>) -> Result<Vec<&Value>> {
    let holder = match item.kind {
        "enum" => return Ok(list(item.inner, "variants")?.iter().collect()),
        "trait" => return Ok(list(item.inner, "items")?.iter().collect()),
        "union" => return Ok(list(item.inner, "fields")?.iter().collect()),
        "struct" | "variant" => field(item.inner, "kind")?,
        _ => return Ok(Vec::new()),
    };
    if holder.is_string() {
        // A unit struct or a plain variant.
        return Ok(Vec::new());
    }
    let plain = holder.get("plain").or_else(|| holder.get("struct"));
    let fields = match plain {
        Some(plain) => list(plain, "fields")?,
        None => list(holder, "tuple")?,
    };
    // A private field of a tuple struct is null.
    Ok(fields.iter().filter(|id| !id.is_null()).collect())
}

/// Collects the ids of all items that `signature` names, at any depth, in the order in which they stand there.
///
/// It does not interpret the many shapes of types: whatever names an item has an `id` beside a path or a name.
pub(crate) fn references<'a>(signature: &'a Value, ids: &mut Vec<&'a Value>) {
    match signature {
        Value::Array(values) => values.iter().for_each(|value| references(value, ids)),
        Value::Object(fields) => {
            let id = fields.get("id").filter(|id| id.is_u64());
            if let Some(id) = id.filter(|_| fields.contains_key("path") || fields.contains_key("name")) {
                ids.push(id);
            }
            fields.values().for_each(|value| references(value, ids));
        }
        _ => {}
    }
}
