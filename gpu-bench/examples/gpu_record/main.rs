//! Records how convolution latency moves with channel counts on a GPU, into a folder that can be committed as it is.
//!
//! What is measured is written at once, so a run may be cut short and gone on with; see `USAGE` for the command line.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints its result")]

mod args;
mod compare;
mod describe;
mod engine;
mod environment;
mod folder;
mod formula;
mod network;
mod parts;
mod planted;
mod record;
mod truth;

use std::process::ExitCode;

use args::{Command, Options};
use engine::Engine;

/// Whatever goes wrong ends the program with its text.
type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args::parse(&args).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Record(options) => record(&options),
        Command::Describe { folder } => describe::describe(&folder),
        Command::Compare { folders } => {
            print!("{}", compare::compare(&folders)?);
            Ok(())
        }
        Command::Specs { part } => {
            let known = std::collections::BTreeSet::new();
            parts::order(parts::stages(&part)?, &known, 0).iter().for_each(|spec| println!("{spec}"));
            Ok(())
        }
    }
}

fn record(options: &Options) -> Result<()> {
    let engine = Engine::open(options)?;
    let alarm = record::alarm(options.minutes);
    let recorded = match options.part.as_str() {
        "truth" => truth::steps(options, &engine, &alarm),
        "network" => record::record(options, &engine, &alarm)
            .and_then(|left| Ok(left + network::chains(options, &engine, &alarm)?)),
        _ => record::record(options, &engine, &alarm),
    };
    // What there is gets described, whatever happened to the rest.
    let described = describe::describe(&options.out);
    let left = recorded?;
    described?;
    match left {
        0 => println!("{}: complete", options.part),
        left => println!("{}: {left} left; run it again to go on", options.part),
    }
    Ok(())
}

/// What a person wants to see while it runs.
fn progress(line: &str) {
    eprintln!("{line}");
}
