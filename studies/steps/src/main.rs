//! Records exhaustive sweeps of engines, and judges step searches on the recordings.
//!
//! The README beside this crate says what is measured and how it is scored.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a study prints its result")]

mod about;
mod device;
mod judge;
mod lines;
mod load;
mod record;
mod recording;
mod score;
mod searches;
mod truth;

use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Records exhaustive sweeps of engines, and judges step searches on the recordings.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Times every width of the study's lines on an engine.
    Record {
        /// The engine.
        #[arg(long, value_enum)]
        engine: record::Engine,
        /// The load on the machine meanwhile, which this program produces itself.
        #[arg(long, value_enum, default_value = "quiet")]
        load: load::Load,
        /// What each run finds in the caches.
        #[arg(long, value_enum, default_value = "network")]
        cache: record::Cache,
        /// Seed of the order of widths and of the load.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// The file of JSON Lines to write.
        #[arg(long)]
        out: PathBuf,
    },
    /// Scores searches on recordings: of each engine two quiet ones, and any beside a load.
    Judge {
        /// Recordings, compressed by gzip if their names end in `.gz`.
        #[arg(required = true)]
        recordings: Vec<PathBuf>,
        /// Prints what the product's search missed and what it wrongly reported on each line.
        #[arg(long)]
        lines: bool,
    },
    /// Keeps a core busy until standard input closes; `record` starts it.
    #[command(hide = true)]
    Load {
        /// Whether it pauses for random times.
        #[arg(long)]
        bursts: bool,
        /// Seed of these times.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
}

fn main() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Record { engine, load, cache, seed, out } => record::record(engine, load, cache, seed, &out),
        Command::Judge { recordings, lines } => judge::judge(&recordings, lines),
        Command::Load { bursts, seed } => load::run(bursts, seed),
    }
}
