//! The command line of the repository's own checks.
#![allow(clippy::print_stderr, reason = "this is a tool for people at a terminal; what it says is its result")]

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "usage: cargo run --release -p xtask -- public-api [--write] [CRATE]...";

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
    if args.is_empty() || args.remove(0) != "public-api" {
        bail!(USAGE);
    }
    let write = args.iter().any(|arg| arg == "--write");
    args.retain(|arg| arg != "--write");
    if let Some(flag) = args.iter().find(|arg| arg.starts_with('-')) {
        bail!("there is no flag {flag}; {USAGE}");
    }
    let report = xtask::public_api(&args, write).context("public-api")?;
    eprintln!("{report}");
    Ok(())
}
