//! The command line of the repository's own checks.
#![allow(clippy::print_stderr, reason = "this is a tool for people at a terminal; what it says is its result")]

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "usage: cargo run --release -p xtask -- public-api [--write] [CRATE]...
       cargo run --release -p xtask -- gpu-pack [FOLDER]";

fn main() -> ExitCode {
    let result = match xtask::be_rustdoc() {
        Some(acted) => acted,
        None => run(std::env::args().skip(1).collect()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: Vec<String>) -> Result<()> {
    if args.is_empty() {
        bail!(USAGE);
    }
    let task = args.remove(0);
    let write = task == "public-api" && args.iter().any(|arg| arg == "--write");
    args.retain(|arg| !write || arg != "--write");
    if let Some(flag) = args.iter().find(|arg| arg.starts_with('-')) {
        bail!("there is no flag {flag}; {USAGE}");
    }
    let report = match (task.as_str(), args.as_slice()) {
        ("public-api", crates) => xtask::public_api(crates, write),
        ("gpu-pack", []) => xtask::gpu_pack(None),
        ("gpu-pack", [folder]) => xtask::gpu_pack(Some(folder.as_ref())),
        _ => bail!(USAGE),
    };
    eprintln!("{}", report.context(task)?);
    Ok(())
}
