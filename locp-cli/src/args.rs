//! Flags and subcommands: help, man page and completions come from here.

mod making;
mod parsed;

use clap::{Args, Parser, Subcommand, ValueEnum};
use locp::Shard;
use locp::netspec::{CacheState, ConvSpec, DType, InputShape};
use std::path::PathBuf;

pub(crate) use making::{Align, Making, Pictures, Planner, Worth};
use parsed::{input_shape, latency_share, ratio, share, spec};

/// Make a convolutional network faster on the device it will run on.
///
/// LOCP measures how latency moves with channel counts on this device, finds the widths that pay,
/// removes channels from the ONNX model under a latency budget, and proves that the result is faster.
#[derive(Debug, Parser)]
#[command(name = "locp", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Form of the result on stdout.
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// auto, tract, onnxruntime[:cuda|:tensorrt], cuda[:INDEX][:autotune], simulated:h100, simulated:t4, simulated:orin or recorded:FILE.
    #[arg(long, global = true, default_value = "auto")]
    pub(crate) engine: String,
    /// Data type that the network will be run in; by default that of the file.
    #[arg(long, global = true, value_enum)]
    pub(crate) dtype: Option<Dtype>,
    /// Images per run; by default as many as the model fixes, or 1.
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) batch: Option<u16>,
    /// Shape of an input whose size the model leaves free, batch included: NAME=1x3x640x640, or without the name if there is
    /// one input; may be repeated.
    #[arg(long, global = true, value_name = "NAME=SHAPE", value_parser = input_shape)]
    pub(crate) input: Vec<InputShape>,
    /// Threads that the engine may use.
    #[arg(long, global = true, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: u16,
    /// The latency table; by default in the user's cache folder.
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) table: Option<PathBuf>,
    /// Whether to show progress on stderr.
    #[arg(long, global = true, value_enum, default_value_t = Progress::Auto)]
    pub(crate) progress: Progress,
    /// Print the result only.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Seed of every random choice.
    #[arg(long, global = true, default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Human,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dtype {
    F32,
    Tf32,
    F16,
    Bf16,
}

impl From<Dtype> for DType {
    fn from(dtype: Dtype) -> DType {
        match dtype {
            Dtype::F32 => DType::F32,
            Dtype::Tf32 => DType::Tf32,
            Dtype::F16 => DType::F16,
            Dtype::Bf16 => DType::Bf16,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    Auto,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the engines here, or why they cannot run and where was looked.
    Doctor,
    /// Show layers, channel groups, and what cannot be pruned and why.
    Inspect {
        /// The ONNX model.
        model: PathBuf,
    },
    /// Fill the latency table with what a plan may need.
    Measure {
        /// The ONNX model.
        model: PathBuf,
        /// Only the i-th of n parts, so that n devices of a kind share the work; each to a table of its own.
        #[arg(long, value_name = "I/N")]
        shard: Option<Shard>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Show the latency staircases: granularity, edges, dominated widths.
    Steps(Steps),
    /// Say where every group's width stands: what pruning it saves, what growing it is free.
    Explain {
        /// The ONNX model.
        model: PathBuf,
        /// Only the groups of this layer.
        #[arg(long, value_name = "NAME")]
        layer: Option<String>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Look for widths that cost as much as wider ones, from a table alone, while a network is being designed.
    Lint {
        /// The ONNX model.
        model: PathBuf,
        /// The device: a latency table, recorded:FILE or simulated:h100, simulated:t4, simulated:orin.
        #[arg(long = "for", value_name = "TABLE")]
        device: String,
        /// Of a table's machines the one whose text contains this.
        #[arg(long, value_name = "TEXT")]
        machine: Option<String>,
        /// Exit with 1 where such a width is found.
        #[arg(long)]
        strict: bool,
        #[command(flatten)]
        reach: Reach,
    },
    /// Decide what every group keeps under a latency budget.
    Plan {
        /// The ONNX model.
        model: PathBuf,
        #[command(flatten)]
        planning: Planning,
        /// Where to write the plan.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Also write the problem (.json): levels, values, and every latency the plan rests on.
        #[arg(long, value_name = "FILE")]
        problem_out: Option<PathBuf>,
    },
    /// Plan for many budgets at once: what each latency costs, and what is proven of it.
    Frontier(Frontier),
    /// Steps, plan, surgery and verification: a faster model, or the reason why not.
    Prune {
        /// The ONNX model.
        model: PathBuf,
        #[command(flatten)]
        planning: Planning,
        /// Where to write the pruned model.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Also write the plan.
        #[arg(long, value_name = "FILE")]
        plan_out: Option<PathBuf>,
        /// Images (as for --calib) to report how often both models agree, and with labels top-1 before and
        /// after; they never calibrate.
        #[arg(long, value_name = "PATH")]
        images: Option<PathBuf>,
        /// Labels (.npy) of the images.
        #[arg(long, value_name = "FILE", requires = "images")]
        labels: Option<PathBuf>,
    },
    /// Learn from images what removing channels damages: a file for --scores, for all plans of a model.
    Damage {
        /// The ONNX model.
        model: PathBuf,
        /// Images without labels, as the model takes them (.npy; an .npz or a folder with one array per input), or a folder of
        /// pictures.
        #[arg(long, value_name = "PATH")]
        calib: PathBuf,
        #[command(flatten)]
        pictures: Pictures,
        /// Look at residual streams too.
        #[arg(long)]
        prune_residual: bool,
        /// Where to write the curves (.json).
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Move another pruner's widths to those next to them that pay here: down at a small loss, up where it is free.
    Align(Align),
    /// Apply a plan: surgery alone.
    Apply {
        /// The ONNX model that the plan was made for.
        model: PathBuf,
        /// The plan.
        #[arg(long, value_name = "FILE")]
        plan: PathBuf,
        /// Where to write the pruned model.
        #[arg(short, long, value_name = "FILE", required_unless_present = "dry_run")]
        output: Option<PathBuf>,
        /// Images without labels, as the model takes them (.npy; an .npz or a folder with one array per input), or a folder of
        /// pictures: what remains is fitted to what the model computes on them.
        #[arg(long, value_name = "PATH", conflicts_with = "dry_run")]
        calib: Option<PathBuf>,
        #[command(flatten)]
        pictures: Pictures,
        /// Show what would change and write nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Time two models next to each other; exit 1 if the second is not faster.
    Verify {
        /// The model before.
        dense: PathBuf,
        /// The model after.
        pruned: PathBuf,
        /// The line that the ratio's interval must stay below.
        #[arg(long, value_name = "RATIO", allow_hyphen_values = true, default_value_t = 1.0, value_parser = ratio)]
        at_most: f64,
    },
    /// Time convolutions by themselves.
    Bench {
        /// Convolutions, for example 'n1 64>128 56x56 k3 p1 f16 nhwc bias relu'.
        #[arg(required = true, value_parser = spec)]
        specs: Vec<ConvSpec>,
        /// What each run finds in the caches.
        #[arg(long, value_enum, default_value_t = Cache::Network)]
        cache: Cache,
    },
    /// Share of right answers on labelled images, and how far a model does what the dense one does.
    Accuracy {
        /// The ONNX model.
        model: PathBuf,
        /// Images as the model takes them (.npy; an .npz or a folder with one array per input), or a folder of pictures.
        #[arg(long, value_name = "PATH")]
        images: PathBuf,
        #[command(flatten)]
        pictures: Pictures,
        /// Labels (.npy), one class index per image; pictures are in the order of their paths.
        #[arg(long, value_name = "FILE", required_unless_present = "dense")]
        labels: Option<PathBuf>,
        /// The model before: how often both give the same answer, and how far apart their outputs are, without labels.
        #[arg(long, value_name = "MODEL")]
        dense: Option<PathBuf>,
    },
    /// Look into the latency table, and take it from machine to machine.
    Table {
        #[command(subcommand)]
        what: Table,
    },
    /// Write the manual page or shell completions to stdout.
    Generate {
        #[command(subcommand)]
        what: Generate,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Table {
    /// Count what the table holds, by machine.
    Info,
    /// Write the table as JSON Lines, one measurement per line.
    Export {
        /// The file to write, for example table.jsonl.
        output: PathBuf,
    },
    /// Add the measurements of another table, exported or not.
    Import {
        /// JSON Lines or a table.
        file: PathBuf,
    },
    /// Move a damaged table away, so that a new one can take its place.
    SetAside,
    /// Unite tables of several devices of a kind into one.
    Merge {
        /// The table to add to; made where there is none.
        into: PathBuf,
        /// The tables to add.
        #[arg(required = true)]
        from: Vec<PathBuf>,
    },
    /// Show where the stairs of two tables differ.
    Diff {
        /// The first table.
        first: PathBuf,
        /// The second table.
        second: PathBuf,
        /// Only the machines of both whose text contains this, for example an engine; give it twice for one each.
        #[arg(long, value_name = "TEXT")]
        machine: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Planning {
    /// The budget for the whole network: 0.6x of today's latency, or 12ms.
    #[arg(long, value_name = "BUDGET", allow_hyphen_values = true)]
    pub(crate) latency: String,
    #[command(flatten)]
    pub(crate) making: Making,
}

/// What `steps` shows, and how it searches.
#[derive(Debug, Args)]
pub(crate) struct Steps {
    /// The ONNX model.
    pub(crate) model: PathBuf,
    /// Only the layer of this name.
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: Option<String>,
    /// How widths are searched.
    #[arg(long, value_enum, default_value_t = Search::ThreePoint)]
    pub(crate) search: Search,
    /// Widths of each staircase that are checked at random against what it claims.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) audits: usize,
    /// Draw the staircases into this SVG file.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// How far a network may be pruned, and so which widths matter.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    /// Prune residual streams too; without calibration this costs much accuracy.
    #[arg(long)]
    pub(crate) prune_residual: bool,
    /// Least share of its channels that a group keeps.
    #[arg(long, value_name = "SHARE", default_value_t = 0.25, value_parser = share)]
    pub(crate) min_share: f64,
}

/// Which budgets, and how their plans are made.
#[derive(Debug, Args)]
pub(crate) struct Frontier {
    /// The ONNX model.
    pub(crate) model: PathBuf,
    /// The highest latency, as a share of today's: 0.95 or 0.95x.
    #[arg(long, value_name = "SHARE", default_value = "0.95", value_parser = latency_share)]
    pub(crate) from: f64,
    /// The lowest one.
    #[arg(long, value_name = "SHARE", default_value = "0.4", value_parser = latency_share)]
    pub(crate) to: f64,
    /// How many latencies, evenly spread, both ends among them.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(2..=200))]
    pub(crate) points: u32,
    /// Draw value over latency into this SVG file.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) making: Making,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Search {
    ThreePoint,
    Grid,
    Exhaustive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cache {
    /// The last run's data.
    Warm,
    /// Nothing of its own.
    Cold,
    /// Its input and not its weights, as inside of a network.
    Network,
}

impl From<Cache> for CacheState {
    fn from(cache: Cache) -> CacheState {
        match cache {
            Cache::Warm => CacheState::Warm,
            Cache::Cold => CacheState::Cold,
            Cache::Network => CacheState::Network,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Generate {
    /// The manual page, in roff.
    Man,
    /// Completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}
