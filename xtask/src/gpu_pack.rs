//! The task `gpu-pack`: everything that a machine with a GPU and no Rust needs to run and check this project.

mod built;
mod messages;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::workspace::{Workspace, cargo};
use built::{Built, Version, check_size, glibc_of_ldd, needed_glibc};
use messages::{Executable, Kind, executables};

/// The pack is carried to machines by hand and by small channels.
const MOST_BYTES: u64 = 60 << 20;

/// Tests that make a fake device or an emulator with a C compiler and this repository's sources: a machine with a GPU
/// needs neither.
const LEFT_OUT: [&str; 2] = ["gpu_fake", "gpu_kernels"];

/// The file that says what the pack is; only a folder that has one is replaced.
const BUILT: &str = "BUILT";

/// Puts binaries, tests, benchmarks and scripts into a folder, by default `target/gpu-pack`; returns their sizes.
///
/// # Errors
/// Where something does not build, where the tests link the embedded CPU engine, where the folder is something else,
/// and where the pack is too large.
pub fn gpu_pack(folder: Option<&Path>) -> Result<String> {
    let workspace = Workspace::read()?;
    let folder = folder.map_or_else(|| workspace.target.join("gpu-pack"), Path::to_owned);
    links_no_engine()?;
    let executables = build()?;
    clear(&folder)?;
    for executable in &executables {
        let to = folder.join(place(executable)?);
        copy(&executable.path, &to)?;
        output(Command::new("strip").arg(&to)).context("strip, of binutils")?;
    }
    for script in fs::read_dir(workspace.root.join("tools/gpu")).context("tools/gpu")? {
        let script = script?;
        if script.file_type()?.is_file() {
            copy(&script.path(), &folder.join(script.file_name()))?;
        }
    }
    let built = describe(&folder)?;
    fs::write(folder.join(BUILT), built.to_string())?;
    check_size(&built.files, MOST_BYTES)?;
    Ok(format!("{}:\n{built}", folder.display()))
}

/// The tests have to be small enough to carry, and the embedded engine is not.
fn links_no_engine() -> Result<()> {
    let mut tree = cargo();
    tree.args(["tree", "--locked", "-p", "gpu-bench", "--all-features", "-e", "normal,dev", "--prefix", "none"]);
    let tree = output(&mut tree)?;
    if let Some(line) = tree.lines().find(|line| line.starts_with("tract")) {
        bail!("gpu-bench's tests link {line}, which is too large for the pack");
    }
    Ok(())
}

fn build() -> Result<Vec<Executable>> {
    let gpu_bench = ["-p", "gpu-bench", "--features", "criterion"];
    let commands: [(&str, &[&str]); 3] = [
        ("build", &["-p", "locp-cli"]),
        ("build", &[gpu_bench.as_slice(), &["--example", "gpu_record"]].concat()),
        ("test", &[gpu_bench.as_slice(), &["--lib", "--tests", "--benches", "--no-run"]].concat()),
    ];
    let mut found = Vec::new();
    for (command, more) in commands {
        let mut cargo = cargo();
        cargo.args([command, "--release", "--locked", "--message-format", "json-render-diagnostics"]).args(more);
        cargo.stderr(std::process::Stdio::inherit());
        for executable in executables(&output(&mut cargo)?)? {
            if !found.contains(&executable) && !LEFT_OUT.contains(&executable.name.as_str()) {
                found.push(executable);
            }
        }
    }
    for needed in [Kind::Program, Kind::Test] {
        ensure!(found.iter().any(|executable| executable.kind == needed), "cargo built nothing of the kind {needed:?}");
    }
    Ok(found)
}

/// Where an executable lies in the pack.
fn place(executable: &Executable) -> Result<PathBuf> {
    let folder = match executable.kind {
        Kind::Program => "bin",
        Kind::Test => "tests",
        Kind::Bench => "benches",
    };
    ensure!(executable.path.exists(), "{} is gone", executable.path.display());
    Ok(Path::new(folder).join(&executable.name))
}

/// Empties the folder, if it holds an older pack or nothing.
fn clear(folder: &Path) -> Result<()> {
    let name = || folder.display().to_string();
    if folder.join(BUILT).exists() {
        fs::remove_dir_all(folder).with_context(name)?;
    }
    fs::create_dir_all(folder).with_context(name)?;
    if fs::read_dir(folder).with_context(name)?.next().is_some() {
        bail!("{} holds something that is no pack; choose another folder, or empty it", name());
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
    fs::copy(from, to).with_context(|| format!("{} to {}", from.display(), to.display()))?;
    Ok(())
}

fn describe(folder: &Path) -> Result<Built> {
    let mut files = Vec::new();
    list(folder, folder, &mut files)?;
    files.sort();
    let commit = output(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]));
    let changes = output(Command::new("git").args(["status", "--porcelain"])).unwrap_or_default();
    let commit = commit.map_or("unknown".to_owned(), |commit| commit.trim().to_owned());
    Ok(Built {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        glibc: glibc(folder, &files)?,
        date: output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?.trim().to_owned(),
        commit: if changes.trim().is_empty() { commit } else { commit + " with changes" },
        files,
    })
}

fn list(root: &Path, folder: &Path, files: &mut Vec<(String, u64)>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(root, &entry.path(), files)?;
        } else {
            let path = entry.path();
            let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
            files.push((name, entry.metadata()?.len()));
        }
    }
    Ok(())
}

/// The newest version of glibc that an executable asks for; without `objdump` that of this machine, which is enough.
fn glibc(folder: &Path, files: &[(String, u64)]) -> Result<Version> {
    let mut newest = None;
    for (name, _) in files.iter().filter(|(name, _)| name.contains('/')) {
        match output(Command::new("objdump").arg("-T").arg(folder.join(name))) {
            Ok(symbols) => newest = newest.max(needed_glibc(&symbols)),
            Err(_) => {
                let said = output(Command::new("ldd").arg("--version")).context("neither objdump nor ldd")?;
                return glibc_of_ldd(&said).context("ldd --version names no version of glibc");
            }
        }
    }
    newest.context("no executable asks for glibc; is the target linux-gnu?")
}

/// What a command prints, or why it failed.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    if !output.status.success() {
        bail!("{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
