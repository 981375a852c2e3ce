//! The check of the public API: on hand-made JSON, and on what this toolchain's rustdoc says of two small crates.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use xtask::{Document, difference, leaks, listing, walk};

const ALLOWED: [&str; 5] = ["std", "core", "alloc", "clean", "leaky"];

/// A crate `ours` with a struct `S` that has one field of the type given.
fn hand_made(field: &Value) -> String {
    let item =
        |id: u32, name: &str, inner: Value| json!({"id": id, "crate_id": 0, "name": name, "attrs": [], "inner": inner});
    json!({
        "root": 0,
        "index": {
            "0": item(0, "ours", json!({"module": {"items": [1]}})),
            "1": item(1, "S", json!({"struct": {"kind": {"plain": {"fields": [2], "has_stripped_fields": true}}}})),
            "2": item(2, "x", json!({"struct_field": field})),
        },
        "paths": {
            "1": {"crate_id": 0, "path": ["ours", "S"]},
            "7": {"crate_id": 3, "path": ["alloc", "vec", "Vec"]},
            "8": {"crate_id": 4, "path": ["renamed", "Matrix"]},
        },
        "external_crates": {"3": {"name": "alloc"}, "4": {"name": "nalgebra"}},
    })
    .to_string()
}

fn vec_of(ty: &Value) -> Value {
    let args = json!({"angle_bracketed": {"args": [{"type": ty}], "constraints": []}});
    json!({"resolved_path": {"path": "Vec", "id": 7, "args": args}})
}

/// Leaks and listing of a document.
#[track_caller]
fn read(text: &str) -> (Vec<String>, String) {
    let document = Document::parse(text).expect("is rustdoc's JSON");
    let entries = walk(&document).expect("can be walked");
    let found = leaks(&document, &entries, &[&ALLOWED[..], &["ours"]].concat()).expect("can be checked");
    let found = found.iter().map(|leak| format!("{} names {}", leak.item, leak.named)).collect();
    (found, listing(&document, &entries))
}

#[test]
fn hand_made_good_and_bad() {
    let (good, listed) = read(&hand_made(&vec_of(&json!({"primitive": "u8"}))));
    assert_eq!(good, [""; 0]);
    assert_eq!(listed, "mod ours\nstruct ours::S { private fields }\nfield ours::S::x: Vec<u8>\n");

    let (bad, _) = read(&hand_made(&vec_of(&json!({"resolved_path": {"path": "M", "id": 8, "args": null}}))));
    assert_eq!(bad, ["struct_field ours::S::x names nalgebra::Matrix"], "a crate counts by its own name");
}

#[test]
fn what_is_not_understood_is_an_error() {
    assert!(Document::parse("{}").is_err(), "no sections");
    let good = hand_made(&json!({"primitive": "u8"}));
    for (from, to) in [("\"items\"", "\"members\""), ("\"plain\"", "\"named\""), ("\"inner\"", "\"what\"")] {
        let document = Document::parse(&good.replace(from, to)).expect("the sections are there");
        let message = walk(&document).err().unwrap_or_else(|| panic!("{to} went unnoticed")).to_string();
        assert!(message.contains("adapt xtask to this toolchain's format"), "{message}");
    }
    let unknown = hand_made(&json!({"resolved_path": {"path": "M", "id": 99, "args": null}}));
    let document = Document::parse(&unknown).expect("the sections are there");
    let entries = walk(&document).expect("can be walked");
    assert!(leaks(&document, &entries, &ALLOWED).is_err(), "a type of no known crate");
}

#[test]
fn a_difference_shows_both_sides() {
    assert_eq!(difference("a\nb\n", "a\nb\n"), "");
    assert_eq!(difference("a\nb\n", "b\nc\n"), "- a\n+ c\n");
}

/// What this toolchain's rustdoc says about `fixtures/<name>.rs`.
fn rustdoc(name: &str) -> String {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("xtask-{name}"));
    fs::create_dir_all(&out).expect("can write to the target folder");
    let run = |tool: &str, args: &[&str]| {
        let mut command = Command::new(tool);
        command.args(args).args(["--edition", "2024", "--out-dir"]).arg(&out).env("RUSTC_BOOTSTRAP", "1");
        let output = command.current_dir(&fixtures).output().unwrap_or_else(|e| panic!("{tool} cannot run: {e}"));
        assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run("rustc", &["--crate-type", "rlib", "third_party.rs"]);
    let library = format!("third_party={}", out.join("libthird_party.rlib").display());
    let unstable = ["-Z", "unstable-options", "--output-format", "json", "--document-hidden-items"];
    run("rustdoc", &[&[&format!("{name}.rs"), "--extern", &library], &unstable[..]].concat());
    fs::read_to_string(out.join(format!("{name}.json"))).expect("rustdoc wrote its JSON")
}

#[test]
fn a_clean_crate_passes_and_is_listed() {
    let (found, listed) = read(&rustdoc("clean"));
    assert_eq!(found, [""; 0]);
    for line in [
        "struct clean::Kept { private fields }",
        "field clean::Kept::width: usize",
        "fn clean::Kept::width<'a>(&'a self, _also: impl Fn(&u8) -> i32 + Send) -> Option<&'a usize>",
        "impl Clone for clean::Kept",
        "struct clean::Pair { private fields }",
        "field clean::Pair::0: u8",
        "enum clean::Failed #[non_exhaustive]",
        "field clean::Failed::Field::why: String",
        "trait clean::Seam<T: ?Sized = u8>",
        "fn clean::Seam::required(&self, value: &T) -> Result<(), clean::Failed>",
        "fn clean::Seam::provided(&self) -> Box<dyn for<'b> Fn(&'b [u8; 4]) -> bool + '_> { .. }",
        "impl<T: ?Sized, S: clean::Seam<T> + ?Sized> clean::Seam<T> for Box<S>",
        "const clean::LIMIT: [&str; 1]",
    ] {
        assert!(listed.lines().any(|found| found == line), "{line} is missing in\n{listed}");
    }
    for private in ["matrix", "Hidden", "Wrapper", "third_party", "inner"] {
        assert!(!listed.contains(private), "{private} is private, and listed in\n{listed}");
    }
}

#[test]
fn every_leak_is_found() {
    let (found, _) = read(&rustdoc("leaky"));
    let expected = [
        "assoc_const leaky::Items::CONSTANT names third_party::Matrix",
        "assoc_const leaky::Renamed::CONSTANT names third_party::Matrix",
        "assoc_type leaky::Items::Bounded names third_party::Message",
        "constant leaky::CONSTANT names third_party::Matrix",
        "extern_crate leaky::third_party names third_party",
        "function leaky::Items::method names third_party::Matrix",
        "function leaky::Renamed::method names third_party::Matrix",
        "function leaky::argument names third_party::Matrix",
        "function leaky::bound names third_party::Message",
        "function leaky::globbed names third_party::Matrix",
        "function leaky::hidden names third_party::Matrix",
        "function leaky::lost names leaky::lost::Lost",
        "function leaky::opaque names third_party::Message",
        "function leaky::projected names third_party::Matrix",
        "function leaky::result names third_party::Wrapped",
        "impl leaky::Clean names third_party::Matrix",
        "impl leaky::Clean names third_party::Message",
        "impl leaky::Items names third_party::Matrix",
        "impl leaky::Items names third_party::Wrapped",
        "impl leaky::Super names third_party::Message",
        "static leaky::STATIC names third_party::Matrix",
        "struct leaky::Default names third_party::Matrix",
        "struct_field leaky::Field::matrix names third_party::Matrix",
        "struct_field leaky::Tuple::0 names third_party::Matrix",
        "struct_field leaky::Variant::Struct::kind names third_party::Kind",
        "struct_field leaky::Variant::Tuple::0 names third_party::Matrix",
        "trait leaky::Super names third_party::Message",
        "type_alias leaky::Alias names third_party::Matrix",
        "use leaky::* names third_party",
        "use leaky::Reexported names third_party::Matrix",
    ];
    assert_eq!(found, expected);
}
