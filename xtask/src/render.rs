//! Types, bounds and generics as a reader of Rust expects them.
//!
//! A shape that is not known here is shown as JSON: ugly, but a change of it still shows in the listing.

use std::collections::HashMap;

use serde_json::Value;

use crate::document::Document;
use crate::walk::Entry;

/// Writes signatures, calling items by names that are the same from one toolchain to the next.
pub(crate) struct Renderer<'a> {
    document: &'a Document,
    /// Where users find the crate's own items.
    paths: HashMap<String, &'a str>,
}

impl<'a> Renderer<'a> {
    pub(crate) fn new(document: &'a Document, entries: &'a [Entry<'a>]) -> Self {
        let mut paths = HashMap::new();
        for entry in entries {
            paths.entry(entry.item.id().to_string()).or_insert(entry.path.as_str());
        }
        Self { document, paths }
    }

    pub(crate) fn ty(&self, ty: &Value) -> String {
        let Some((shape, inner)) = ty.as_object().and_then(|ty| ty.iter().next()) else {
            return ty.as_str().map_or_else(|| ty.to_string(), |name| name.replace("infer", "_"));
        };
        match shape.as_str() {
            "resolved_path" => self.path(inner),
            "generic" => text(inner),
            "primitive" => text(inner).replace("never", "!"),
            "tuple" => match items(inner) {
                [one] => format!("({},)", self.ty(one)),
                many => format!("({})", self.types(many)),
            },
            "slice" => format!("[{}]", self.ty(inner)),
            "array" => format!("[{}; {}]", self.ty(&inner["type"]), text(&inner["len"])),
            "borrowed_ref" => {
                let lifetime = inner["lifetime"].as_str().map(|name| format!("{name} ")).unwrap_or_default();
                let mutable = if inner["is_mutable"] == true { "mut " } else { "" };
                format!("&{lifetime}{mutable}{}", self.ty(&inner["type"]))
            }
            "raw_pointer" => {
                let mutable = if inner["is_mutable"] == true { "mut" } else { "const" };
                format!("*{mutable} {}", self.ty(&inner["type"]))
            }
            "impl_trait" => format!("impl {}", self.bounds(inner)),
            "dyn_trait" => {
                let mut bounds: Vec<String> = items(&inner["traits"]).iter().map(|bound| self.poly(bound)).collect();
                bounds.extend(inner["lifetime"].as_str().map(str::to_owned));
                format!("dyn {}", bounds.join(" + "))
            }
            "function_pointer" => {
                let lifetimes = self.for_lifetimes(&inner["generic_params"]);
                format!("{lifetimes}{}fn{}", header(&inner["header"]), self.signature(&inner["sig"]))
            }
            "qualified_path" => {
                let (own, name, args) = (self.ty(&inner["self_type"]), text(&inner["name"]), self.args(&inner["args"]));
                match inner["trait"]["path"].as_str() {
                    None | Some("") => format!("{own}::{name}{args}"),
                    Some(_) => format!("<{own} as {}>::{name}{args}", self.path(&inner["trait"])),
                }
            }
            _ => ty.to_string(),
        }
    }

    fn types(&self, types: &[Value]) -> String {
        types.iter().map(|ty| self.ty(ty)).collect::<Vec<_>>().join(", ")
    }

    /// Names of std are known without their path, and where std defines them is nobody's business; what other
    /// crates define is called `crate::Name`, as private modules come and go.
    pub(crate) fn path(&self, path: &Value) -> String {
        let id = &path["id"];
        let name = match (self.paths.get(&id.to_string()), self.document.path(id)) {
            (Some(path), _) => (*path).to_owned(),
            (None, Ok(full)) => match full.as_slice() {
                ["std" | "core" | "alloc", .., name] => (*name).to_owned(),
                [krate, .., name] => format!("{krate}::{name}"),
                short => short.concat(),
            },
            (None, Err(_)) => text(&path["path"]),
        };
        name + &self.args(&path["args"])
    }

    fn args(&self, args: &Value) -> String {
        if let Some(angle) = args.get("angle_bracketed") {
            let mut all: Vec<String> = items(&angle["args"]).iter().map(|arg| self.arg(arg)).collect();
            all.extend(items(&angle["constraints"]).iter().map(|constraint| self.constraint(constraint)));
            return if all.is_empty() { String::new() } else { format!("<{}>", all.join(", ")) };
        }
        if let Some(inner) = args.get("parenthesized") {
            return format!("({}){}", self.types(items(&inner["inputs"])), self.output(&inner["output"]));
        }
        if args.is_null() { String::new() } else { args.to_string() }
    }

    fn arg(&self, arg: &Value) -> String {
        match (arg.get("type"), arg.get("lifetime"), arg.get("const")) {
            (Some(ty), ..) => self.ty(ty),
            (_, Some(lifetime), _) => text(lifetime),
            (.., Some(constant)) => text(&constant["expr"]),
            _ => self.ty(arg),
        }
    }

    fn constraint(&self, constraint: &Value) -> String {
        let (name, args) = (text(&constraint["name"]), self.args(&constraint["args"]));
        match constraint["binding"].get("equality") {
            Some(term) => format!("{name}{args} = {}", self.term(term)),
            None => format!("{name}{args}: {}", self.bounds(&constraint["binding"]["constraint"])),
        }
    }

    fn term(&self, term: &Value) -> String {
        term.get("type").map_or_else(|| text(&term["constant"]["expr"]), |ty| self.ty(ty))
    }

    pub(crate) fn bounds(&self, bounds: &Value) -> String {
        items(bounds).iter().map(|bound| self.bound(bound)).collect::<Vec<_>>().join(" + ")
    }

    fn bound(&self, bound: &Value) -> String {
        if let Some(bound) = bound.get("trait_bound") {
            let question = if bound["modifier"] == "maybe" { "?" } else { "" };
            return format!("{question}{}", self.poly(bound));
        }
        if let Some(captured) = bound.get("use") {
            let names: Vec<String> = items(captured).iter().map(|arg| self.arg(arg)).collect();
            return format!("use<{}>", names.join(", "));
        }
        bound.get("outlives").map_or_else(|| bound.to_string(), text)
    }

    fn poly(&self, bound: &Value) -> String {
        format!("{}{}", self.for_lifetimes(&bound["generic_params"]), self.path(&bound["trait"]))
    }

    pub(crate) fn for_lifetimes(&self, params: &Value) -> String {
        let names: Vec<String> = items(params).iter().map(|param| text(&param["name"])).collect();
        if names.is_empty() { String::new() } else { format!("for<{}> ", names.join(", ")) }
    }

    /// Arguments and result of a function.
    pub(crate) fn signature(&self, sig: &Value) -> String {
        let inputs: Vec<String> = items(&sig["inputs"]).iter().map(|input| self.input(&input[0], &input[1])).collect();
        format!("({}){}", inputs.join(", "), self.output(&sig["output"]))
    }

    fn input(&self, name: &Value, ty: &Value) -> String {
        let (name, ty) = (text(name), self.ty(ty));
        match (name.as_str(), ty.strip_suffix("Self")) {
            // `self`, `&self`, `&'a mut self`.
            ("self", Some(before)) if before.is_empty() || before.starts_with('&') => format!("{before}self"),
            ("_", _) => ty,
            _ => format!("{name}: {ty}"),
        }
    }

    fn output(&self, output: &Value) -> String {
        if output.is_null() { String::new() } else { format!(" -> {}", self.ty(output)) }
    }
}

/// What stands before `fn`.
pub(crate) fn header(header: &Value) -> String {
    let mut words = String::new();
    for word in ["const", "async", "unsafe"] {
        if header[format!("is_{word}")] == true {
            words.push_str(word);
            words.push(' ');
        }
    }
    if header["abi"] != "Rust" {
        words.push_str(&format!("extern {} ", header["abi"]));
    }
    words
}

/// A string as it is, anything else as JSON.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The elements of an array; nothing where there is none.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
