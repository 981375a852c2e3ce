//! What ARCHITECTURE.md says of the workspace, held against the workspace.
//!
//! Every rule is a function from texts to complaints, and is shown to complain about a text that breaks it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The crates that may contain unsafe code, and in how many places: the second one has its memory map.
const MAY_BE_UNSAFE: [(&str, RangeInclusive<usize>); 2] = [("gpu-bench", 0..=usize::MAX), ("onnx-surgery", 1..=1)];
/// Algorithms that need no crate from outside this workspace, unless an optional feature asks for one.
const STANDALONE: [&str; 2] = ["stairstep", "stats"];
const LONGEST_FILE: usize = 500;
const INHERITED: [&str; 3] = ["edition", "license", "rust-version"];

type Dependencies = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A workspace member as cargo sees it.
struct Member {
    name: String,
    manifest: PathBuf,
    library: Option<PathBuf>,
    /// What it is built from: all but the dependencies of its tests.
    needs: BTreeSet<String>,
    /// Those of them that only a feature asks for.
    optional: BTreeSet<String>,
}

fn members() -> Vec<Member> {
    let args = ["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"];
    let output = Command::new(env!("CARGO")).args(args).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let array = |value: &Value, key: &str| value[key].as_array().unwrap_or_else(|| panic!("no array {key}")).clone();
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_else(|| panic!("no text {key}")).to_owned();
    let dependencies = |package: &Value, is_wanted: &dyn Fn(&Value) -> bool| {
        let all = array(package, "dependencies");
        let built = all.iter().filter(|dependency| dependency["kind"] != "dev");
        built.filter(|dependency| is_wanted(dependency)).map(|dependency| text(dependency, "name")).collect()
    };
    let member = |package: &Value| Member {
        name: text(package, "name"),
        manifest: text(package, "manifest_path").into(),
        library: array(package, "targets")
            .iter()
            .find(|target| array(target, "kind").iter().any(|kind| kind == "lib"))
            .map(|target| text(target, "src_path").into()),
        needs: dependencies(package, &|_| true),
        optional: dependencies(package, &|dependency| dependency["optional"] == true),
    };
    let members: Vec<Member> = array(&json, "packages").iter().map(member).collect();
    assert!(members.len() > 10, "cargo metadata lists the workspace's crates");
    members
}

fn needs(members: &[Member]) -> Dependencies {
    members.iter().map(|member| (member.name.clone(), member.needs.clone())).collect()
}

/// The table under "Who may depend on whom".
fn table(architecture: &str) -> Dependencies {
    let section = architecture.split("\n## ").find(|section| section.starts_with("Who may depend on whom"));
    let rows = section.expect("ARCHITECTURE.md has the section").lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, allowed] = cells[..] else { panic!("a row has a crate and what it may depend on: {row}") };
        (name.to_owned(), allowed.split_whitespace().map(str::to_owned).collect())
    })
    .collect()
}

fn against_table(allowed: &Dependencies, needs: &Dependencies) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, needed) in needs {
        let Some(allowed) = allowed.get(name) else {
            complaints.push(format!("{name} has no row in ARCHITECTURE.md"));
            continue;
        };
        let inner = needed.iter().filter(|other| needs.contains_key(*other));
        complaints.extend(inner.filter(|other| !allowed.contains(*other)).map(|o| format!("{name} may not need {o}")));
    }
    let named = allowed.iter().flat_map(|(name, others)| others.iter().chain([name]));
    let unknown: BTreeSet<&String> = named.filter(|name| !needs.contains_key(*name)).collect();
    complaints.extend(unknown.iter().map(|name| format!("ARCHITECTURE.md knows {name}, cargo does not")));
    complaints
}

#[test]
fn crates_depend_as_the_table_says() {
    let allowed = table(&read(&root().join("ARCHITECTURE.md")));
    assert_eq!(against_table(&allowed, &needs(&members())), [""; 0]);
}

#[test]
fn a_wrong_dependency_is_noticed() {
    let set = |names: &str| names.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
    let text = "# A\n\n## Who may depend on whom\n\nWords.\n\n| crate | may |\n|---|---|\n| a | |\n| b | a gone |\n\n## C\n| d | |\n";
    let allowed = table(text);
    assert_eq!(allowed, [("a".to_owned(), set("")), ("b".to_owned(), set("a gone"))].into());
    let needs = [("a".to_owned(), set("b serde")), ("b".to_owned(), set("a")), ("c".to_owned(), set(""))].into();
    let expect = ["a may not need b", "c has no row in ARCHITECTURE.md", "ARCHITECTURE.md knows gone, cargo does not"];
    assert_eq!(against_table(&allowed, &needs), expect);
}

/// Whatever `name` is built from, at any depth, that is no crate of the workspace.
fn foreign(name: &str, needs: &Dependencies) -> Vec<String> {
    let (mut open, mut seen, mut foreign) = (vec![name], BTreeSet::from([name]), Vec::new());
    while let Some(name) = open.pop() {
        match needs.get(name) {
            Some(others) => open.extend(others.iter().map(String::as_str).filter(|other| seen.insert(other))),
            None => foreign.push(name.to_owned()),
        }
    }
    foreign
}

#[test]
fn the_algorithms_stand_alone() {
    let members = members();
    let optional = members.iter().map(|member| member.optional.len()).sum::<usize>();
    assert!(optional > 0, "cargo metadata tells optional dependencies from others");
    let always = |member: &Member| (member.name.clone(), &member.needs - &member.optional);
    let needs: Dependencies = members.iter().map(always).collect();
    for name in STANDALONE {
        assert!(needs.contains_key(name), "{name} is in the workspace");
        assert_eq!(foreign(name, &needs), [""; 0], "{name} needs crates from elsewhere");
    }
    // The rule sees through a crate of ours.
    let indirect: Dependencies =
        [("a".to_owned(), ["b".to_owned()].into()), ("b".to_owned(), ["serde".to_owned()].into())].into();
    assert_eq!(foreign("a", &indirect), ["serde"]);
}

/// Which of the two lints a crate's first file leaves out.
fn missing_lints(name: &str, source: &str) -> Vec<String> {
    let set = |level: &str, lint: &str| {
        let attribute =
            source.lines().filter_map(|line| line.strip_prefix("#![")?.strip_prefix(level)?.strip_prefix('('));
        attribute.flat_map(|lints| lints.trim_end_matches([')', ']']).split(',')).any(|found| found.trim() == lint)
    };
    let may_be_unsafe = MAY_BE_UNSAFE.iter().any(|(crate_name, _)| *crate_name == name);
    let mut missing = Vec::new();
    if !set("deny", "missing_docs") && !set("forbid", "missing_docs") {
        missing.push(format!("{name} does not deny missing_docs"));
    }
    let is_safe = set("forbid", "unsafe_code") || (may_be_unsafe && set("deny", "unsafe_code"));
    if !is_safe {
        missing.push(format!("{name} does not forbid unsafe_code"));
    }
    missing
}

#[test]
fn libraries_deny_missing_docs_and_unsafe_code() {
    let libraries: Vec<_> = members().into_iter().filter_map(|m| Some((m.name, m.library?))).collect();
    assert!(libraries.len() > 10, "most crates are libraries");
    let missing: Vec<String> = libraries.iter().flat_map(|(name, path)| missing_lints(name, &read(path))).collect();
    assert_eq!(missing, [""; 0]);

    let (both, denied) = ("#![deny(missing_docs)]\n#![forbid(unsafe_code)]\n", "#![deny(missing_docs, unsafe_code)]\n");
    assert_eq!(missing_lints("stats", both), [""; 0]);
    assert_eq!(missing_lints("gpu-bench", denied), [""; 0]);
    assert_eq!(missing_lints("stats", denied), ["stats does not forbid unsafe_code"]);
    assert_eq!(missing_lints("gpu-bench", "//! #![deny(missing_docs, unsafe_code)]").len(), 2);
}

/// All `.rs` files below a folder, what was built and hidden folders left out.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("a folder can be listed").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

/// How often a source leaves safe Rust: blocks, functions, impls, traits, extern blocks and attributes.
fn leaves_safety(source: &str) -> usize {
    let code: Vec<&str> = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    // In two halves, for this file is searched too.
    let word = concat!("un", "safe");
    let starts = |rest: &str| ["{", "(", "fn ", "impl", "trait ", "extern "].iter().any(|s| rest.starts_with(s));
    code.match_indices(word).filter(|(at, _)| starts(code[at + word.len()..].trim_start())).count()
}

#[test]
fn unsafe_code_is_where_it_may_be() {
    let mut complaints = Vec::new();
    for member in members() {
        let mut files = Vec::new();
        sources(member.manifest.parent().expect("a manifest lies in a folder"), &mut files);
        assert!(!files.is_empty(), "{} has sources", member.name);
        let count: usize = files.iter().map(|path| leaves_safety(&read(path))).sum();
        let may_be = MAY_BE_UNSAFE.into_iter().find(|(name, _)| *name == member.name);
        let right = may_be.map_or(0..=0, |(_, right)| right);
        if !right.contains(&count) {
            complaints.push(format!("{} leaves safe Rust {count} times, {right:?} would be right", member.name));
        }
    }
    assert_eq!(complaints, [""; 0]);
}

#[test]
fn unsafe_code_is_noticed() {
    for (bad, count) in [("# { }", 1), ("#\n{ }", 1), ("pub # fn f() {}", 1), ("# impl Send for A {} # { }", 2)] {
        assert_eq!(leaves_safety(&bad.replace('#', concat!("un", "safe"))), count, "{bad}");
    }
    for good in ["#![forbid(#_code)]", "// # { }", "/// # fn", "let #ty = 1;"] {
        assert_eq!(leaves_safety(&good.replace('#', concat!("un", "safe"))), 0, "{good}");
    }
}

/// The texts between quotes in Rust code, comments left out.
fn literals(source: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), source);
    while let Some(at) = rest.find(['/', '"', '\'', 'r']) {
        rest = &rest[at..];
        let hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with('r') && rest[1 + hashes..].starts_with('"') {
            let (text, end) = (&rest[2 + hashes..], format!("\"{}", "#".repeat(hashes)));
            let length = text.find(&end).unwrap_or(text.len());
            found.push(&text[..length]);
            (2 + hashes + length + end.len()).min(rest.len())
        } else if let Some(text) = rest.strip_prefix('"') {
            let mut is_escaped = false;
            let end = text.find(|c| {
                let is_end = c == '"' && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
                is_end
            });
            let length = end.unwrap_or(text.len());
            found.push(&text[..length]);
            (2 + length).min(rest.len())
        } else if ["'\"'", "'/'", "'\\"].iter().any(|character| rest.starts_with(character)) {
            3
        } else {
            1
        };
        rest = &rest[skip..];
    }
    found
}

/// The flags and commands of the program that a source's texts name.
fn named_on_the_command_line(source: &str) -> Vec<&str> {
    let is_flag = |text: &&str| {
        text.match_indices("--").any(|(at, _)| {
            let follows_word = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '-');
            !follows_word && text[at + 2..].starts_with(|c: char| c.is_ascii_lowercase())
        })
    };
    let is_command = |text: &&str| {
        text.match_indices("`locp ").any(|(at, start)| text[at + start.len()..].starts_with(char::is_alphabetic))
    };
    literals(source).into_iter().filter(|text| is_flag(text) || is_command(text)).collect()
}

#[test]
fn libraries_name_no_flags() {
    let mut complaints = Vec::new();
    let libraries = members().into_iter().filter(|member| member.name != "xtask");
    for library in libraries.filter_map(|member| member.library) {
        let mut files = Vec::new();
        sources(library.parent().expect("a library's first file lies in a folder"), &mut files);
        // NVRTC has flags of its own, which are given to it and shown to no one.
        files.retain(|path| !path.ends_with("gpu-bench/src/nvrtc/mod.rs"));
        for path in files {
            let source = read(&path);
            complaints.extend(named_on_the_command_line(&source).iter().map(|t| format!("{}: {t}", path.display())));
        }
    }
    assert_eq!(complaints, [""; 0], "name the parameter; `locp-cli/src/flags.rs` adds its flag");
}

#[test]
fn a_flag_in_a_text_is_noticed() {
    for bad in [
        r#"f("use --engine tract")"#,
        r#"pick("--freeze")"#,
        r#"f('"', "say it (--only)")"#,
        r#"f("a \" b; use a smaller --batch")"#,
        "f(r#\"as in \"x\" --latency\"#)",
        "f(\"first,\n  then --table\")",
        r#"f("`locp inspect` lists them")"#,
    ] {
        assert_eq!(named_on_the_command_line(bad).len(), 1, "{bad}");
    }
    for good in [r#"f("a -- b")"#, r#"f("64--128")"#, "// --engine \"--engine\"", "a --b", r#"f("the `locp` program")"#]
    {
        assert_eq!(named_on_the_command_line(good), [""; 0], "{good}");
    }
}

fn too_long(source: &str) -> bool {
    source.lines().count() > LONGEST_FILE
}

#[test]
fn no_file_is_long() {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    assert!(files.len() > 100, "the workspace's files are found");
    files.retain(|path| too_long(&read(path)));
    assert!(files.is_empty(), "split by ideas what is longer than {LONGEST_FILE} lines: {files:?}");
    assert!(too_long(&"\n".repeat(LONGEST_FILE + 1)) && !too_long(&"\n".repeat(LONGEST_FILE)));
}

/// The keys that a manifest does not take from the workspace.
fn not_inherited(manifest: &str) -> Vec<&'static str> {
    let lines: Vec<String> = manifest.lines().map(|line| line.replace(' ', "")).collect();
    INHERITED.into_iter().filter(|key| !lines.contains(&format!("{key}.workspace=true"))).collect()
}

#[test]
fn crates_inherit_what_is_the_same_for_all() {
    for member in members() {
        assert_eq!(not_inherited(&read(&member.manifest)), [""; 0], "{}", member.name);
    }
    let manifest = "edition = \"2021\"\nlicense.workspace = true\nrust-version.workspace=true\n";
    assert_eq!(not_inherited(manifest), ["edition"]);
}
