//! What cargo says that it built.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

/// What an executable is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Program,
    Test,
    Bench,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Executable {
    pub(super) kind: Kind,
    /// The target's name, without the hash that cargo adds.
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// The executables among cargo's messages, which are JSON, one a line.
pub(super) fn executables(messages: &str) -> Result<Vec<Executable>> {
    let mut found = Vec::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value = serde_json::from_str(line).context("cargo printed a line that is no JSON")?;
        let Some(path) = message["executable"].as_str() else { continue };
        let name = message["target"]["name"].as_str().context("a target has no name")?.to_owned();
        let is_a = |kind: &str| message["target"]["kind"].as_array().is_some_and(|all| all.iter().any(|k| k == kind));
        let kind = match () {
            () if is_a("bench") => Kind::Bench,
            () if message["profile"]["test"] == true => Kind::Test,
            () => Kind::Program,
        };
        found.push(Executable { kind, name, path: path.into() });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{Executable, Kind, executables};

    #[test]
    fn executables_are_told_from_the_rest() -> anyhow::Result<()> {
        let messages = r#"
{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"stats"},"profile":{"test":false},"executable":null}
{"reason":"build-script-executed","package_id":"x"}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"locp"},"profile":{"test":false},"executable":"/t/locp"}
{"reason":"compiler-artifact","target":{"kind":["example"],"name":"gpu_record"},"profile":{"test":false},"executable":"/t/examples/gpu_record"}
{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"gpu_bench"},"profile":{"test":true},"executable":"/t/deps/gpu_bench-1f"}
{"reason":"compiler-artifact","target":{"kind":["test"],"name":"gpu_nvrtc"},"profile":{"test":true},"executable":"/t/deps/gpu_nvrtc-2e"}
{"reason":"compiler-artifact","target":{"kind":["bench"],"name":"conv"},"profile":{"test":true},"executable":"/t/deps/conv-3d"}
{"reason":"build-finished","success":true}
"#;
        let found: Vec<_> =
            executables(messages)?.into_iter().map(|Executable { kind, name, .. }| (kind, name)).collect();
        let expect = [
            (Kind::Program, "locp"),
            (Kind::Program, "gpu_record"),
            (Kind::Test, "gpu_bench"),
            (Kind::Test, "gpu_nvrtc"),
            (Kind::Bench, "conv"),
        ];
        assert_eq!(found, expect.map(|(kind, name)| (kind, name.to_owned())));
        assert_eq!(executables("")?, []);
        assert!(executables("{\"executable\":\"/x\"}").is_err(), "a message without a target is not understood");
        assert!(executables("{torn").is_err());
        Ok(())
    }
}
