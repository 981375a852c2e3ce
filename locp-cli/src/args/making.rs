//! How plans are made: planner, value, constraints.

use super::Reach;
use super::parsed::number;
use clap::{Args, ValueEnum};
use locp::{Constraints, Criterion, Error, Least, Parameter, Preprocess, Scope};
use std::path::{Path, PathBuf};

/// How plans are made.
#[derive(Debug, Args)]
pub(crate) struct Making {
    /// How the plan is made.
    #[arg(long, value_enum, default_value_t = Planner::Exact)]
    pub(crate) planner: Planner,
    #[command(flatten)]
    pub(crate) worth: Worth,
    /// Images without labels, as the model takes them (.npy; an .npz or a folder with one array per input), or a folder of
    /// pictures: what remains is fitted to what the model computes on them, and unless --value or --scores is given, channels are worth what removing them damages there.
    #[arg(long, value_name = "PATH")]
    pub(crate) calib: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) pictures: Pictures,
    /// Keep every residual branch; else those may go as a whole, with --calib, that are missed least for their time.
    #[arg(long)]
    pub(crate) keep_branches: bool,
    #[command(flatten)]
    pub(crate) rules: Rules,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Planner {
    // The best plan over these levels and cells, with the proof or a bound on what a better one could save.
    Exact,
    // A knapsack per layer with its input channels as they are, again and again: a baseline.
    Knapsack,
    // One threshold over the values of all channels, latency aside: a baseline.
    Global,
    // One share for all groups: a baseline.
    Uniform,
}

impl Making {
    /// The files that a plan is made from.
    pub(crate) fn inputs<'p>(&'p self, model: &'p Path) -> Vec<&'p Path> {
        [model].into_iter().chain(self.worth.scores.iter().chain(&self.calib).map(PathBuf::as_path)).collect()
    }
}

/// How pictures become what the model takes.
#[derive(Debug, Args)]
pub(crate) struct Pictures {
    /// How pictures in a folder (PNG, JPEG) become what the model takes: imagenet, inception or unit, and settings after it
    /// (mean=, std=, crop=, range=, order=, filter=, count=), separated by commas.
    #[arg(long, value_name = "HOW", value_parser = preprocess)]
    pub(crate) preprocess: Option<Preprocess>,
}

impl Pictures {
    /// How, or an error where none of these paths is a folder: an array is taken as it is.
    pub(crate) fn of<'p>(&self, paths: impl IntoIterator<Item = &'p Path>) -> Result<Option<&Preprocess>, Error> {
        let paths: Vec<&Path> = paths.into_iter().collect();
        if self.preprocess.is_some() && !paths.iter().any(|path| path.is_dir()) {
            return Err(Error::Contradiction {
                first: "the preprocessing".to_owned(),
                second: paths.first().map_or("no images".to_owned(), |path| path.display().to_string()),
                why: "an array is taken as it is, and pictures come from a folder".to_owned(),
                parameters: vec![Parameter::Preprocess],
            });
        }
        Ok(self.preprocess.as_ref())
    }
}

/// Text that says how; clap prints the error.
fn preprocess(text: &str) -> Result<Preprocess, String> {
    text.parse().map_err(|error: Error| error.to_string())
}

/// What a channel is worth.
#[derive(Debug, Args)]
pub(crate) struct Worth {
    /// What a channel is worth, from the weights alone: a proxy, whichever is taken; l2 unless there are images to tell.
    #[arg(long, value_enum)]
    pub(crate) value: Option<Value>,
    /// Scores or curves computed elsewhere, by tensor name (.npz, .npy, .json), in place of --value; may be repeated.
    #[arg(long, value_name = "FILE", conflicts_with = "value")]
    pub(crate) scores: Vec<PathBuf>,
    /// Whether scores of different layers are compared as they are; by default those of --scores are, others not.
    #[arg(long, value_enum)]
    pub(crate) scope: Option<ScopeFlag>,
}

impl Worth {
    /// What scores are relative to.
    pub(crate) fn scope(&self) -> Scope {
        match self.scope {
            Some(ScopeFlag::Raw) => Scope::Raw,
            Some(ScopeFlag::PerLayer) => Scope::PerLayer,
            None if self.scores.is_empty() => Scope::PerLayer,
            None => Scope::Raw,
        }
    }

    /// Whether it was said what channels are worth.
    pub(crate) fn is_said(&self) -> bool {
        self.value.is_some() || !self.scores.is_empty()
    }

    pub(crate) fn criterion(&self, seed: u64) -> Criterion {
        match self.value.unwrap_or(Value::L2) {
            Value::L1 => Criterion::L1,
            Value::L2 => Criterion::L2,
            Value::Fpgm => Criterion::GeometricMedian,
            Value::Lamp => Criterion::Lamp,
            Value::BnScale => Criterion::NormScale,
            Value::Random => Criterion::Random(seed),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Value {
    // The sum of absolute weights.
    L1,
    // The sum of squared weights.
    L2,
    // The distance to the other channels of the layer: geometric median.
    Fpgm,
    // The squared weights over those of all channels that are not smaller.
    Lamp,
    // The scale of the norms behind the channel.
    BnScale,
    // By lot, with --seed: a baseline.
    Random,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScopeFlag {
    Raw,
    PerLayer,
}

/// Another pruner's widths.
#[derive(Debug, Args)]
pub(crate) struct Align {
    /// The ONNX model that was pruned, as it was before.
    pub(crate) model: PathBuf,
    /// What it keeps (.json): numbers of channels, or lists of them, by the name of a layer, module or weight.
    #[arg(long, value_name = "FILE")]
    pub(crate) keep: PathBuf,
    /// The share of a group's kept channels that may go where that saves time.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, allow_hyphen_values = true, value_parser = loss)]
    pub(crate) max_loss: f64,
    #[command(flatten)]
    pub(crate) worth: Worth,
    /// Where to write the plan.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

/// What a plan may not do.
#[derive(Debug, Args)]
pub(crate) struct Rules {
    /// Every group keeps a multiple of N channels, or all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) multiple_of: Option<u32>,
    /// Groups that keep all channels, by the name of a layer or weight that computes them; * is any text; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) freeze: Vec<String>,
    /// Only these groups may lose channels, named in the same way.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) only: Vec<String>,
    /// Groups that keep at least so many channels, as 'conv1*=48', or so large a share of them, as 'conv1*=0.5x'.
    #[arg(long, value_name = "PATTERN=LEAST", value_parser = at_least)]
    pub(crate) at_least: Vec<(String, Least)>,
    /// The least total value that a plan may have; the dense model's is 0, all others are below.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true, value_parser = value_floor)]
    pub(crate) value_floor: Option<f64>,
}

impl From<&Rules> for Constraints {
    fn from(rules: &Rules) -> Constraints {
        let mut constraints = Constraints::default();
        constraints.freeze.clone_from(&rules.freeze);
        constraints.only.clone_from(&rules.only);
        constraints.at_least.clone_from(&rules.at_least);
        constraints.multiple_of = rules.multiple_of.map(|step| step as usize);
        constraints.value_floor = rules.value_floor;
        constraints
    }
}

fn loss(text: &str) -> Result<f64, String> {
    number(text, |v| (0.0..1.0).contains(&v), "a share from 0 to below 1")
}

fn at_least(text: &str) -> Result<(String, Least), String> {
    let (pattern, least) = text.rsplit_once('=').ok_or("expected PATTERN=LEAST, for example 'conv1*=48'")?;
    Ok((pattern.to_owned(), least.parse()?))
}

fn value_floor(text: &str) -> Result<f64, String> {
    number(text, |v| v.is_finite() && v <= 0.0, "a value of at most 0, which is that of the dense model")
}
