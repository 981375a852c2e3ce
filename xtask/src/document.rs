//! Rustdoc's JSON, as far as it has to be understood.
//!
//! The format changes with the toolchain. Therefore nothing is skipped silently: a field that is not where it is
//! expected is an error that says so.

use anyhow::{Context, Result};
use serde_json::Value;

/// The JSON that rustdoc wrote for one crate.
pub struct Document {
    json: Value,
}

/// An item of a [`Document`]'s index.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    json: &'a Value,
    /// What it is, in rustdoc's words: `struct`, `function`, `impl` and so on.
    pub kind: &'a str,
    /// What rustdoc says about an item of this kind.
    pub inner: &'a Value,
}

/// The field `key` of `value`.
///
/// # Errors
/// Where there is none: then this tool does not understand the toolchain's format.
pub fn field<'a>(value: &'a Value, key: &str) -> Result<&'a Value> {
    value.get(key).with_context(|| {
        let json: String = value.to_string().chars().take(200).collect();
        format!("rustdoc's JSON has no `{key}` where it is expected: adapt xtask to this toolchain's format ({json})")
    })
}

/// The array `key` of `value`.
///
/// # Errors
/// Where there is none: then this tool does not understand the toolchain's format.
pub fn list<'a>(value: &'a Value, key: &str) -> Result<&'a [Value]> {
    let list = field(value, key)?.as_array();
    Ok(list.with_context(|| format!("`{key}` is no array in rustdoc's JSON: adapt xtask to this toolchain's format"))?)
}

impl Document {
    /// Reads what rustdoc wrote.
    ///
    /// # Errors
    /// Where it is no JSON, or lacks one of rustdoc's sections.
    pub fn parse(text: &str) -> Result<Self> {
        let json: Value = serde_json::from_str(text).context("rustdoc's output is no JSON")?;
        for section in ["root", "index", "paths", "external_crates"] {
            field(&json, section)?;
        }
        Ok(Self { json })
    }

    /// The crate's root module.
    ///
    /// # Errors
    /// Where the index lacks it.
    pub fn root(&self) -> Result<Item<'_>> {
        self.item(&self.json["root"])?.context("rustdoc's index lacks the crate's root module")
    }

    /// The item with this id, if it is one of this crate's documented ones.
    ///
    /// # Errors
    /// Where the entry has no kind.
    pub fn item(&self, id: &Value) -> Result<Option<Item<'_>>> {
        self.json["index"].get(id.to_string()).map(Item::new).transpose()
    }

    /// Every `impl` block that was written in this crate, derived ones included: neither auto traits nor blankets.
    ///
    /// # Errors
    /// Where an entry lacks what every impl has.
    pub fn impls(&self) -> Result<Vec<Item<'_>>> {
        let mut impls = Vec::new();
        for entry in self.json["index"].as_object().into_iter().flat_map(|index| index.values()) {
            let item = Item::new(entry)?;
            let own = field(entry, "crate_id")?.as_u64() == Some(0);
            if own && item.kind == "impl" {
                let synthetic = field(item.inner, "is_synthetic")?.as_bool() == Some(true);
                let blanket = !field(item.inner, "blanket_impl")?.is_null();
                // A blanket that this crate wrote itself is listed once more for every type it covers.
                if !synthetic && !blanket {
                    impls.push(item);
                }
            }
        }
        Ok(impls)
    }

    /// The full path of the item with this id, beginning with the name of its crate.
    ///
    /// # Errors
    /// Where rustdoc names no path, or no crate, for the id.
    pub fn path(&self, id: &Value) -> Result<Vec<&str>> {
        let summary = field(&self.json["paths"], &id.to_string())?;
        let mut path: Vec<&str> = list(summary, "path")?.iter().filter_map(Value::as_str).collect();
        let crate_id = field(summary, "crate_id")?;
        if crate_id.as_u64() != Some(0) {
            // A crate may have been renamed by the one that uses it: its own name counts.
            let krate = field(&self.json["external_crates"], &crate_id.to_string())?;
            let name = field(krate, "name")?.as_str().context("a crate without a name in rustdoc's JSON")?;
            path.splice(..1.min(path.len()), [name]);
        }
        Ok(path)
    }
}

impl<'a> Item<'a> {
    fn new(json: &'a Value) -> Result<Self> {
        let inner = field(json, "inner")?.as_object().and_then(|inner| inner.iter().next());
        let (kind, inner) = inner.context("an item without a kind in rustdoc's JSON")?;
        Ok(Self { json, kind, inner })
    }

    /// Its id, the key of the index.
    pub fn id(&self) -> &'a Value {
        &self.json["id"]
    }

    /// Its name; empty for those that have none, such as an impl.
    pub fn name(&self) -> &'a str {
        self.json["name"].as_str().unwrap_or_default()
    }

    /// Whether it carries this attribute, written as in source: `#[doc(hidden)]`.
    pub fn has_attribute(&self, attribute: &str) -> bool {
        // Some attributes are words of rustdoc's own (`non_exhaustive`), the others are kept as written.
        let word = attribute.trim_start_matches("#[").trim_end_matches(']');
        let attributes = self.json["attrs"].as_array().map(Vec::as_slice).unwrap_or_default();
        attributes.iter().any(|found| {
            let text = found.as_str().or_else(|| found.get("other").and_then(Value::as_str));
            text.is_some_and(|text| text == word || text == attribute)
        })
    }

    /// `public`, `default` for what has none of its own (a trait's items, a variant's fields), and so on.
    pub(crate) fn visibility(&self) -> &'a str {
        self.json["visibility"].as_str().unwrap_or_default()
    }
}
