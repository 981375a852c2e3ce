//! Runs the built `locp` in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder for one test, with a latency table of its own.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

/// What a run left behind.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs `locp` here; words of `line` are separated by blanks, `@name` is a file of the repository.
    pub(crate) fn locp(&self, line: &str) -> Ran {
        self.run(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// The same, for words that hold blanks.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        self.run_with(words, &[])
    }

    /// The same with these environment variables.
    pub(crate) fn run_with(&self, words: &[&str], variables: &[(&str, &Path)]) -> Ran {
        let words = words.iter().map(|word| match word.strip_prefix('@') {
            Some(name) => repository().join(name).display().to_string(),
            None => (*word).to_owned(),
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_locp"));
        command.args(words).current_dir(self.dir.path()).env("XDG_CACHE_HOME", self.dir.path().join("cache"));
        command.envs(variables.iter().copied());
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: status.code().expect("locp was not killed"), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Names of the files here, the cache left out.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != "cache");
        names.sort();
        names
    }
}

impl Ran {
    /// The result as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}\n{}\n{}", self.stdout, self.stderr))
    }
}

/// The result of a command that succeeds.
pub(crate) fn json(place: &Place, line: &str) -> serde_json::Value {
    let ran = place.locp(&format!("--format json --progress never -q {line}"));
    assert_eq!(ran.code, 0, "`{line}`: {}{}", ran.stdout, ran.stderr);
    ran.json()
}

/// The repository's root.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
