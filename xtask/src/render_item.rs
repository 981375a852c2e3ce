//! One line for every kind of public item.

use serde_json::Value;

use crate::document::{Document, Item};
use crate::render::{Renderer, header, items, text};
use crate::walk::Entry;

impl Renderer<'_> {
    /// Kind, path and signature of a public item.
    pub(crate) fn line(&self, document: &Document, entry: &Entry<'_>) -> String {
        let (item, inner, path) = (entry.item, entry.item.inner, entry.path.as_str());
        let (params, bounds) = self.generics(&inner["generics"]);
        let line = match item.kind {
            "module" => format!("mod {path}"),
            "use" => format!("use {path} = {}", text(&inner["source"])),
            "extern_crate" => format!("extern crate {path} = {}", text(&inner["name"])),
            "struct_field" => format!("field {path}: {}", self.ty(inner)),
            "constant" | "assoc_const" => format!("const {path}: {}", self.ty(&inner["type"])),
            "static" => format!("static {path}: {}", self.ty(&inner["type"])),
            "variant" => format!("variant {path}"),
            "function" => {
                let given = if item.is_provided() { " { .. }" } else { "" };
                let head = header(&inner["header"]);
                format!("{head}fn {path}{params}{}{bounds}{given}", self.signature(&inner["sig"]))
            }
            "type_alias" => format!("type {path}{params} = {}{bounds}", self.ty(&inner["type"])),
            "assoc_type" => {
                let default = optional(" = ", &inner["type"], |ty| self.ty(ty));
                format!("type {path}{params}{}{default}{bounds}", self.colon(&inner["bounds"]))
            }
            "trait" => {
                let head = if inner["is_unsafe"] == true { "unsafe " } else { "" };
                format!("{head}trait {path}{params}{}{bounds}", self.colon(&inner["bounds"]))
            }
            "impl" => self.impl_line(document, inner, &params, &bounds),
            kind => format!("{kind} {path}{params}{}{bounds}", private_part(inner)),
        };
        let marks = ["#[non_exhaustive]", "#[doc(hidden)]"].into_iter().filter(|mark| item.has_attribute(mark));
        marks.fold(line, |line, mark| format!("{line} {mark}"))
    }

    fn impl_line(&self, document: &Document, inner: &Value, params: &str, bounds: &str) -> String {
        let given: Vec<String> = items(&inner["items"])
            .iter()
            .filter_map(|id| document.item(id).ok().flatten())
            .filter(|item| item.kind == "assoc_type")
            .map(|item| format!("type {} = {}", item.name(), self.ty(&item.inner["type"])))
            .collect();
        let given = if given.is_empty() { String::new() } else { format!(" {{ {} }}", given.join("; ")) };
        let head = if inner["is_unsafe"] == true { "unsafe " } else { "" };
        let not = if inner["is_negative"] == true { "!" } else { "" };
        let (of, target) = (self.path(&inner["trait"]), self.ty(&inner["for"]));
        format!("{head}impl{params} {not}{of} for {target}{bounds}{given}")
    }

    /// The parameters, and the where clause that follows the signature.
    fn generics(&self, generics: &Value) -> (String, String) {
        // `impl Trait` in an argument is listed as a parameter too, and shown where it stands.
        let params = items(&generics["params"]).iter().filter(|param| param["kind"]["type"]["is_synthetic"] != true);
        let params: Vec<String> = params.map(|param| self.param(param)).collect();
        let bounds: Vec<String> = items(&generics["where_predicates"]).iter().map(|p| self.predicate(p)).collect();
        let params = if params.is_empty() { String::new() } else { format!("<{}>", params.join(", ")) };
        let bounds = if bounds.is_empty() { String::new() } else { format!(" where {}", bounds.join(", ")) };
        (params, bounds)
    }

    fn param(&self, param: &Value) -> String {
        let (name, kind) = (text(&param["name"]), &param["kind"]);
        if let Some(kind) = kind.get("const") {
            return format!("const {name}: {}{}", self.ty(&kind["type"]), optional(" = ", &kind["default"], text));
        }
        if let Some(kind) = kind.get("type") {
            return format!(
                "{name}{}{}",
                self.colon(&kind["bounds"]),
                optional(" = ", &kind["default"], |d| self.ty(d))
            );
        }
        let outlives: Vec<String> = items(&kind["lifetime"]["outlives"]).iter().map(text).collect();
        if outlives.is_empty() { name } else { format!("{name}: {}", outlives.join(" + ")) }
    }

    fn predicate(&self, predicate: &Value) -> String {
        if let Some(p) = predicate.get("bound_predicate") {
            let lifetimes = self.for_lifetimes(&p["generic_params"]);
            return format!("{lifetimes}{}: {}", self.ty(&p["type"]), self.bounds(&p["bounds"]));
        }
        if let Some(p) = predicate.get("lifetime_predicate") {
            let outlives: Vec<String> = items(&p["outlives"]).iter().map(text).collect();
            return format!("{}: {}", text(&p["lifetime"]), outlives.join(" + "));
        }
        predicate.to_string()
    }

    fn colon(&self, bounds: &Value) -> String {
        if items(bounds).is_empty() { String::new() } else { format!(": {}", self.bounds(bounds)) }
    }
}

impl Item<'_> {
    /// Whether it is a trait's method that an implementation may leave out.
    fn is_provided(&self) -> bool {
        self.visibility() == "default" && self.inner["has_body"] == true
    }
}

/// Private fields decide whether users can build a struct: they are shown, without their names.
fn private_part(inner: &Value) -> &'static str {
    let kind = &inner["kind"];
    let private = kind["plain"]["has_stripped_fields"] == true
        || inner["has_stripped_fields"] == true
        || items(&kind["tuple"]).iter().any(Value::is_null);
    if private { " { private fields }" } else { "" }
}

fn optional(before: &str, value: &Value, render: impl Fn(&Value) -> String) -> String {
    if value.is_null() { String::new() } else { format!("{before}{}", render(value)) }
}
