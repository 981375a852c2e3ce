//! The `locp` command: flags, tables, progress and exit codes; everything else is in the `locp` crate.
//!
//! Exit 0: done. 1: it ran, and the answer is no. 2: an error, or bad usage. A broken pipe is 0.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod flags;
mod human;
mod output;
mod progress;

use anyhow::Context;
use args::{Cli, Format, Global};
use clap::Parser;
use locp::Cancel;
use locp::report::ErrorReport;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let cancel = Cancel::new();
    let raised = cancel.clone();
    // The first Ctrl-C stops after the measurement in flight, the second at once.
    let handler = ctrlc::set_handler(move || {
        if raised.is_raised() {
            std::process::exit(130);
        }
        raised.raise();
    });
    match handler.context("no handler for Ctrl-C could be set").and_then(|()| commands::run(&cli, &cancel)) {
        Ok(code) => code,
        Err(error) => failure(&error, &cli.global),
    }
}

/// Help and version go to stdout with exit 0; a wrong flag is exit 2.
fn usage(error: &clap::Error) -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let is_json =
        words.windows(2).any(|pair| pair == ["--format", "json"]) || words.iter().any(|w| w == "--format=json");
    if is_json && error.use_stderr() {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let report = ErrorReport::new("usage", message, "see `locp --help`");
        // Where even this cannot be written, the exit code still tells.
        let _ = output::json(&report);
        return ExitCode::from(2);
    }
    match error.print() {
        Ok(()) if error.use_stderr() => ExitCode::from(2),
        Ok(()) => ExitCode::SUCCESS,
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(2),
    }
}

fn failure(error: &anyhow::Error, global: &Global) -> ExitCode {
    if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    let known = error.downcast_ref::<locp::Error>();
    let (is_simulated, is_recorded) = (global.engine.starts_with("simulated:"), global.engine.starts_with("recorded:"));
    if global.format == Format::Json {
        let mut report = match known {
            Some(error) => error.report(),
            None => ErrorReport::new("internal", format!("{error:#}"), ""),
        };
        (report.simulated, report.recorded) = (is_simulated, is_recorded);
        // Where even this cannot be written, the exit code still tells.
        let _ = output::json(&report);
    } else {
        // Our own errors are one line, and name parameters; others come with what they were found while doing.
        let line = known.map_or_else(|| format!("{error:#}"), |error| format!("{error}{}", flags::spelled(error)));
        // What an answer's figures are worth is part of it.
        let label = match known.is_some_and(locp::Error::is_an_answer) {
            true if is_simulated => " (SIMULATED, not measured on a device)",
            true if is_recorded => " (RECORDED elsewhere, not measured here)",
            _ => "",
        };
        output::log(&format!("error: {line}{label}"));
    }
    ExitCode::from(if known.is_some_and(locp::Error::is_an_answer) { 1 } else { 2 })
}
