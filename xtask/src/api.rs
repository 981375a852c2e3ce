//! The public API of a crate, read from rustdoc's JSON: its listing, and the names of other projects in it.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::iter;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use public_api::{Builder, PublicApi, PublicItem};
use rustdoc_types::{Crate, FORMAT_VERSION, Id, Impl, ItemEnum, Struct, StructKind, Variant, VariantKind};
use serde_json::Value;

/// Traits of other projects that public types may implement, because plain data is serialized in the format that its
/// users choose.
const PLAIN_DATA: [&str; 2] = ["serde_core::ser::Serialize", "serde_core::de::Deserialize"];

/// The public API of one crate.
pub struct Api {
    json: Crate,
    public: PublicApi,
}

impl Api {
    /// Reads the JSON file that rustdoc wrote for a crate.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or has a format other than [`FORMAT_VERSION`].
    pub fn read(path: &Path) -> Result<Self> {
        let name = || path.display().to_string();
        let text = fs::read_to_string(path).with_context(name)?;
        let value: Value = serde_json::from_str(&text).with_context(name)?;
        let format = &value["format_version"];
        ensure!(
            *format == FORMAT_VERSION,
            "{}: this toolchain writes format {format} and xtask reads format {FORMAT_VERSION}: \
             choose the versions of `public-api` and `rustdoc-types` in Cargo.toml that read it",
            name()
        );
        let json = serde_json::from_value(value).with_context(name)?;
        let public = Builder::from_rustdoc_json(path).omit_blanket_impls(true).build().with_context(name)?;
        Ok(Self { json, public })
    }

    /// Returns the public items, one line each, grouped by type.
    ///
    /// An impl of a trait is one line, followed by its associated types; an inherent impl is its items, and a line of
    /// its own only if it has bounds. Auto traits are listed where they are missing: `!Send` and `!Sync`.
    pub fn listing(&self) -> String {
        self.public.items().filter(|item| self.is_listed(item)).map(|item| format!("{item}\n")).collect()
    }

    fn is_listed(&self, item: &PublicItem) -> bool {
        match self.inner(item.id()) {
            Some(ItemEnum::Impl(found)) if found.is_synthetic => found.is_negative && is_of(found, &["Send", "Sync"]),
            Some(ItemEnum::Impl(found)) if found.trait_.is_none() => !found.generics.params.is_empty(),
            // The compiler's own markers change with the toolchain.
            Some(ItemEnum::Impl(found)) => !is_of(found, &["StructuralPartialEq", "TrivialClone"]),
            Some(ItemEnum::AssocType { .. }) => true,
            _ => !self.is_in_trait_impl(item),
        }
    }

    /// Returns what public signatures name of crates that are not `allowed`, and of their own crate what has no public
    /// path; sorted, each with the item that names it.
    ///
    /// # Errors
    /// Returns an error if rustdoc states no path for something that a signature names.
    pub fn leaks(&self, allowed: &[&str]) -> Result<Vec<String>> {
        let public: HashSet<Id> = self.public.items().map(PublicItem::id).collect();
        let own = self.json.index.get(&self.json.root).and_then(|root| root.name.as_deref());
        let mut leaks = BTreeSet::new();
        for item in self.public.items().filter(|item| !self.is_in_trait_impl(item)) {
            for (path, id) in self.named(item.id()).with_context(|| item.to_string())? {
                let first = path.split("::").next().unwrap_or_default();
                let fault = match id {
                    Some(id) if Some(first) == own && !public.contains(&id) => "which has no public path: re-export it",
                    _ if !allowed.contains(&first) => "of another project: wrap it",
                    _ => continue,
                };
                leaks.insert(format!("{item}: names {path}, {fault}"));
            }
        }
        Ok(leaks.into_iter().collect())
    }

    /// Returns the full path of everything that an item's signature names.
    fn named(&self, item: Id) -> Result<Vec<(String, Option<Id>)>> {
        let signature = self.inner(item).context("rustdoc's JSON lacks a public item")?;
        // What belongs to the signature and is not an item of its own.
        let mut parts: Vec<&Id> = Vec::new();
        match signature {
            // The signature of a module is its name.
            ItemEnum::Module(_) => return Ok(Vec::new()),
            ItemEnum::ExternCrate { name, .. } => return Ok(vec![(name.clone(), None)]),
            ItemEnum::Use(import) => return Ok(vec![(import.source.clone(), None)]),
            ItemEnum::Impl(found) if found.is_synthetic => return Ok(Vec::new()),
            ItemEnum::Impl(Impl { trait_: Some(of), items, .. }) => {
                if PLAIN_DATA.contains(&self.path(of.id)?.as_str()) {
                    return Ok(Vec::new());
                }
                parts.extend(items);
            }
            ItemEnum::Struct(Struct { kind: StructKind::Tuple(fields), .. })
            | ItemEnum::Variant(Variant { kind: VariantKind::Tuple(fields), .. }) => {
                parts.extend(fields.iter().flatten());
            }
            _ => {}
        }
        let mut ids = Vec::new();
        for inner in iter::once(signature).chain(parts.into_iter().filter_map(|id| self.inner(*id))) {
            collect(&serde_json::to_value(inner)?, &mut ids);
        }
        ids.into_iter().map(|id| Ok((self.path(id)?, Some(id)))).collect()
    }

    fn path(&self, id: Id) -> Result<String> {
        let summary = self.json.paths.get(&id).with_context(|| format!("rustdoc states no path of item {}", id.0))?;
        Ok(summary.path.join("::"))
    }

    fn inner(&self, id: Id) -> Option<&ItemEnum> {
        self.json.index.get(&id).map(|item| &item.inner)
    }

    fn is_in_trait_impl(&self, item: &PublicItem) -> bool {
        let parent = item.parent_id().and_then(|id| self.inner(id));
        matches!(parent, Some(ItemEnum::Impl(found)) if found.trait_.is_some())
    }
}

fn is_of(found: &Impl, names: &[&str]) -> bool {
    found.trait_.as_ref().is_some_and(|of| names.contains(&of.path.as_str()))
}

/// Collects the ids of what a signature names, at any depth.
///
/// Every mention of an item is an `id` beside a path or a name. The listing's text would not do: it leaves out the
/// defaults of type parameters and the sources of re-exports.
fn collect(signature: &Value, ids: &mut Vec<Id>) {
    match signature {
        Value::Array(values) => values.iter().for_each(|value| collect(value, ids)),
        Value::Object(fields) => {
            if let Some(id) = fields.get("id").and_then(Value::as_u64)
                && (fields.contains_key("path") || fields.contains_key("name"))
            {
                ids.extend(u32::try_from(id).map(Id));
            }
            fields.values().for_each(|value| collect(value, ids));
        }
        _ => {}
    }
}
