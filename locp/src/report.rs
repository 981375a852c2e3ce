//! What the commands report, field by field as the schemas promise.
//!
//! New fields may appear; removing or changing one raises the number in its `schema`.
//! Times are milliseconds, intervals are `[low, high]` at 95 %.

pub use crate::modules::ModuleKeep;
use netspec::{ChannelGroup, Frozen, GroupId, GroupPlan, Machine, Measurement, Network, Untimed};
use serde::{Deserialize, Serialize};

mod accuracy;
mod align;
mod apply;
mod bench;
mod damage;
mod doctor;
mod explain;
mod failure;
mod frontier;
mod plan;
mod prune;
mod steps;
mod table;

pub use accuracy::{Accuracy, AccuracyReport, Agreement, OutputError};
pub use align::{AlignReport, AlignedWidth};
pub use apply::{ApplyReport, ChangeReport};
pub use bench::{BenchReport, BenchRow, Drift};
pub use damage::{DamageGroup, DamageReport};
pub use doctor::{DoctorReport, EngineReport, LibraryReport};
pub use explain::{ExplainReport, Finding, GroupExplained, LintReport, MemberReport, StepTo};
pub use failure::ErrorReport;
pub use frontier::{FrontierPlan, FrontierReport};
pub use plan::{BudgetReport, ConstraintsReport, PlanReport};
pub use prune::{PruneReport, TimedPlan, VerifyReport};
pub use steps::{AuditReport, EdgeReport, PointReport, RangeReport, StairReport, StepsReport};
pub use table::{DiffReport, DiffRow, MachineCount, RiserReport, SetAsideReport, TableReport, TransferReport};

/// The schema's name and version, for example `locp.plan/1`.
pub type Schema = &'static str;

/// An interval `[low, high]` at 95 %.
pub type Interval = [f64; 2];

/// What a figure is true for: the start of every result.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Header {
    /// The schema's name and version.
    pub schema: Schema,
    /// The engine as `--engine` takes it.
    pub engine: String,
    /// The machine, with its short id.
    pub machine: MachineReport,
    /// Present and true where figures come from an analytic model of a device.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
    /// Present and true where figures come from a recorded table.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recorded: bool,
}

/// A machine and its id.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct MachineReport {
    /// A short name: engine and hash of all fields.
    pub id: String,
    /// The fields.
    #[serde(flatten)]
    pub machine: Machine,
}

impl From<&Machine> for MachineReport {
    fn from(machine: &Machine) -> MachineReport {
        MachineReport { id: machine.id(), machine: machine.clone() }
    }
}

/// What a whole-network time covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Covers {
    /// Everything, run end to end on the engine.
    WholeModel,
    /// The convolutions and fully connected layers only, one after the other.
    Convolutions,
}

/// Layers that a time of all convolutions leaves out, because they cannot be timed alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NotCovered {
    /// How many.
    pub layers: usize,
    /// Their share of the multiply-accumulate operations of all layers, if their sizes are known.
    pub macs_share: Option<f64>,
}

impl NotCovered {
    /// What a time that covers `covers` leaves out of a network; `None` if it leaves out nothing.
    pub(crate) fn of(network: &Network, covers: Covers) -> Option<NotCovered> {
        if covers == Covers::WholeModel || network.untimed.is_empty() {
            return None;
        }
        let untimed: Option<u64> = network.untimed.iter().map(|layer| layer.macs).sum();
        let timed: u64 = network.layers.iter().map(|layer| layer.spec.macs()).sum();
        let share = untimed.map(|untimed| untimed as f64 / (untimed + timed).max(1) as f64);
        Some(NotCovered { layers: network.untimed.len(), macs_share: share })
    }
}

/// A latency with its interval.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct Latency {
    /// Median in milliseconds.
    pub ms: f64,
    /// 95 % interval in milliseconds.
    pub interval_ms: Interval,
}

impl From<&Measurement> for Latency {
    fn from(m: &Measurement) -> Latency {
        Latency { ms: m.median_ns / 1e6, interval_ms: m.interval_ns.map(|ns| ns / 1e6) }
    }
}

/// The model that a result is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelReport {
    /// The path as it was given.
    pub path: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

/// Result of `inspect`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct InspectReport {
    /// The schema's name and version.
    pub schema: Schema,
    /// The model.
    pub model: ModelReport,
    /// Elements of all weights.
    pub parameters: usize,
    /// Multiply-accumulates of all layers at this batch.
    pub macs: u64,
    /// Images per run.
    pub batch: usize,
    /// How much of the network can be pruned.
    pub prunable: Prunable,
    /// The model's inputs.
    pub inputs: Vec<InputReport>,
    /// Layers in topological order.
    pub layers: Vec<LayerReport>,
    /// How many different conv specs the layers have.
    pub distinct_specs: usize,
    /// Channel groups.
    pub groups: Vec<ChannelGroup>,
    /// What cannot be pruned, and why.
    pub frozen: Vec<Frozen>,
    /// Layers that are not listed, and not counted in `macs`, because they cannot be timed alone.
    pub untimed: Vec<Untimed>,
}

/// How much of a network can be pruned, and what keeps most of the rest.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Prunable {
    /// The share of the layers' output channels that may be removed.
    pub channels: f64,
    /// The share of the multiply-accumulate operations of layers that read or write such channels.
    pub macs: f64,
    /// What keeps most of the other channels, and how many each, at most three.
    pub reasons: Vec<(String, usize)>,
}

/// A model's input.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct InputReport {
    /// Its name.
    pub name: String,
    /// Its dimensions at this batch, `None` for free ones; empty if their number is not known.
    pub shape: Vec<Option<usize>>,
    /// If dimensions are free, a shape to state, as the file's metadata says or guessed.
    pub likely: Option<String>,
}

/// A layer.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LayerReport {
    /// The node's name.
    pub name: String,
    /// The weight's name.
    pub weight: String,
    /// The convolution, in canonical text.
    pub spec: String,
    /// Groups that its input channels follow.
    pub inputs: Vec<GroupId>,
    /// Groups that its output channels follow.
    pub outputs: Vec<GroupId>,
}

/// The parts of a plan file that `apply` reads.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PlanFile {
    pub(crate) schema: String,
    pub(crate) model: ModelReport,
    pub(crate) groups: Vec<GroupPlan>,
}
