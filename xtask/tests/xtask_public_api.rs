//! The check of the public API, on what this toolchain's rustdoc writes about two small crates.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use xtask::{Api, difference};

const ALLOWED: [&str; 5] = ["std", "core", "alloc", "clean", "leaky"];

/// Returns what this toolchain's rustdoc writes about `fixtures/<name>.rs`; `None` if it is another format.
#[allow(clippy::print_stderr, reason = "a skipped test says so")]
fn rustdoc(name: &str) -> Option<Api> {
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

    let json = out.join(format!("{name}.json"));
    let value: Value = serde_json::from_slice(&fs::read(&json).expect("rustdoc wrote it")).expect("is JSON");
    if value["format_version"] != rustdoc_types::FORMAT_VERSION {
        eprintln!("skipped: this toolchain's rustdoc writes format {}", value["format_version"]);
        return None;
    }
    Some(Api::read(&json).expect("is rustdoc's JSON"))
}

#[test]
fn another_format_is_an_error_that_says_what_to_do() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("xtask-format.json");
    fs::write(&path, r#"{"format_version": 1}"#).expect("can write to the target folder");
    let message = format!("{:#}", Api::read(&path).err().expect("format 1 is years old"));
    assert!(message.contains("writes format 1 ") && message.contains("choose the versions"), "{message}");
}

#[test]
fn a_difference_shows_both_sides() {
    assert_eq!(difference("a\nb\n", "a\nb\n"), "");
    assert_eq!(difference("a\nb\n", "b\nc\n"), "- a\n+ c\n");
}

#[test]
fn a_clean_crate_passes_and_is_listed() {
    let Some(clean) = rustdoc("clean") else { return };
    assert_eq!(clean.leaks(&ALLOWED).expect("can be checked"), [""; 0]);
    let listed = clean.listing();
    for line in [
        "pub struct clean::Kept",
        "pub clean::Kept::width: usize",
        "pub fn clean::Kept::width<'a>(&'a self, impl core::ops::function::Fn(&u8) -> i32 + core::marker::Send) -> core::option::Option<&'a usize>",
        "impl core::clone::Clone for clean::Kept",
        "impl !core::marker::Send for clean::Kept",
        "impl !core::marker::Sync for clean::Kept",
        "pub struct clean::Pair(pub u8, _)",
        "#[non_exhaustive] pub enum clean::Failed",
        "pub clean::Failed::Field::why: alloc::string::String",
        "pub trait clean::Seam<T: ?core::marker::Sized>",
        "pub fn clean::Seam::required(&self, &T) -> core::result::Result<(), clean::Failed>",
        "impl<T: ?core::marker::Sized, S: clean::Seam<T> + ?core::marker::Sized> clean::Seam<T> for alloc::boxed::Box<S>",
        "pub const clean::LIMIT: [&str; 1]",
    ] {
        assert!(listed.lines().any(|found| found == line), "{line} is missing in\n{listed}");
    }
    for unlisted in ["matrix", "Hidden", "Wrapper", "third_party", "inner", "Pair::fmt", "Send for clean::Failed"] {
        assert!(!listed.contains(unlisted), "{unlisted} is listed in\n{listed}");
    }
}

#[test]
fn every_leak_is_found() {
    let Some(leaky) = rustdoc("leaky") else { return };
    let found = leaky.leaks(&ALLOWED).expect("can be checked");
    // Of most, the remedy is the same.
    let found: Vec<&str> = found.iter().map(|leak| leak.trim_end_matches(", of another project: wrap it")).collect();
    let expected = [
        "impl core::convert::From<&leaky::Clean> for third_party::Matrix: names third_party::Matrix",
        "impl core::convert::From<leaky::Clean> for third_party::Matrix: names third_party::Matrix",
        "impl core::convert::From<third_party::Matrix> for leaky::Clean: names third_party::Matrix",
        "impl core::iter::traits::iterator::Iterator for leaky::Clean: names third_party::Matrix",
        "impl leaky::Items for third_party::Wrapped<u8>: names third_party::Matrix",
        "impl leaky::Items for third_party::Wrapped<u8>: names third_party::Wrapped",
        "impl third_party::Message for alloc::boxed::Box<leaky::Clean>: names third_party::Message",
        "impl third_party::Message for leaky::Clean: names third_party::Message",
        "impl<T: third_party::Message> leaky::Super for T: names third_party::Message",
        "pub const leaky::CONSTANT: third_party::Matrix: names third_party::Matrix",
        "pub const leaky::Inner::CONSTANT: third_party::Matrix: names third_party::Matrix",
        "pub const leaky::Items::CONSTANT: third_party::Matrix: names third_party::Matrix",
        "pub extern crate leaky::third_party: names third_party",
        "pub fn leaky::Inner::method(&self) -> third_party::Matrix: names third_party::Matrix",
        "pub fn leaky::Items::method(&self, third_party::Matrix): names third_party::Matrix",
        "pub fn leaky::argument(core::option::Option<&[alloc::boxed::Box<dyn core::ops::function::Fn(third_party::Matrix)>]>): names third_party::Matrix",
        "pub fn leaky::bound<T>(T) where alloc::vec::Vec<T>: third_party::Message: names third_party::Message",
        "pub fn leaky::globbed(third_party::Matrix): names third_party::Matrix",
        "pub fn leaky::hidden(third_party::Matrix): names third_party::Matrix",
        "pub fn leaky::lost() -> leaky::lost::Lost: names leaky::lost::Lost, which has no public path: re-export it",
        "pub fn leaky::opaque(impl third_party::Message): names third_party::Message",
        "pub fn leaky::projected(impl core::iter::traits::iterator::Iterator<Item = third_party::Matrix>): names third_party::Matrix",
        "pub fn leaky::result() -> core::result::Result<u8, third_party::Wrapped<u8>>: names third_party::Wrapped",
        "pub leaky::Field::matrix: third_party::Matrix: names third_party::Matrix",
        "pub leaky::Variant::Struct::kind: third_party::Kind: names third_party::Kind",
        "pub leaky::Variant::Tuple(third_party::Matrix): names third_party::Matrix",
        "pub static leaky::STATIC: third_party::Matrix: names third_party::Matrix",
        "pub struct leaky::Default<T>(pub T): names third_party::Matrix",
        "pub struct leaky::Tuple(pub third_party::Matrix): names third_party::Matrix",
        "pub trait leaky::Super: third_party::Message: names third_party::Message",
        "pub type leaky::Alias<'a> = &'a mut third_party::Matrix: names third_party::Matrix",
        "pub type leaky::Items::Bounded: third_party::Message: names third_party::Message",
        "pub use leaky::<<third_party::*>>: names third_party",
        "pub use leaky::Reexported: names third_party::Matrix",
    ];
    assert_eq!(found, expected);
}
