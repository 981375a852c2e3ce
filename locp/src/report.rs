//! What the commands report, field by field as the schemas promise.
//!
//! New fields may appear; removing or changing one raises the number in its `schema`.
//! Times are milliseconds, intervals are `[low, high]` at 95 %.

pub use crate::modules::ModuleKeep;
use crate::{Model, Repair};
use benefit::Calibration;
use netspec::{Axis, ChannelGroup, DType, Frozen, GroupId, GroupPlan, Machine, Measurement, Provenance};
use serde::{Deserialize, Serialize};
use timing::LatencySource;

mod align;
mod apply;
mod bench;
mod damage;
mod doctor;
mod explain;
mod frontier;
mod plan;
mod table;

pub use align::{AlignReport, AlignedWidth};
pub use apply::{ApplyReport, ChangeReport};
pub use bench::{BenchReport, BenchRow, Drift};
pub use damage::{DamageGroup, DamageReport};
pub use doctor::{DoctorReport, EngineReport, LibraryReport};
pub use explain::{ExplainReport, Finding, GroupExplained, LintReport, MemberReport, StepTo};
pub use frontier::{FrontierPlan, FrontierReport};
pub use plan::{BudgetReport, ConstraintsReport, PlanReport};
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
    /// Layers in topological order.
    pub layers: Vec<LayerReport>,
    /// How many different conv specs the layers have.
    pub distinct_specs: usize,
    /// Channel groups.
    pub groups: Vec<ChannelGroup>,
    /// What cannot be pruned, and why.
    pub frozen: Vec<Frozen>,
    /// How many layers are not listed, and not counted in `macs`, because their convolution is unknown.
    pub untimed: usize,
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

/// Result of `steps`, and of `measure`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct StepsReport {
    /// Schema, engine, machine.
    #[serde(flatten)]
    pub header: Header,
    /// The model.
    pub model: ModelReport,
    /// One staircase per layer and axis.
    pub layers: Vec<StairReport>,
    /// How many measurements were made.
    pub measured: u64,
    /// How many were answered from the table.
    pub shared: u64,
    /// Time that the engine ran for, in seconds.
    pub device_seconds: f64,
}

/// One staircase.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct StairReport {
    /// The layer's name.
    pub name: String,
    /// The convolution at full width.
    pub spec: String,
    /// The axis.
    pub axis: Axis,
    /// Channels at full width.
    pub channels: usize,
    /// Multiples on which treads live, 1 if there is none.
    pub lattice: usize,
    /// Multiples that were looked at: the lattice, or a multiple of it.
    pub step: usize,
    /// Right ends of treads: the most channels for their price.
    pub edges: Vec<EdgeReport>,
    /// Ranges of widths that some larger width equals or beats.
    pub dominated: Vec<RangeReport>,
    /// All widths with a latency of their own.
    pub points: Vec<PointReport>,
    /// How many widths have a latency of their own, from this run or from the table.
    pub measured: usize,
    /// What was checked of the widths that the search did not look at.
    pub audit: AuditReport,
}

/// Random checks of widths that a search did not look at, and what they leave possible.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct AuditReport {
    /// Widths that were not looked at.
    pub unseen: usize,
    /// Those that were checked at random.
    pub audits: usize,
    /// Those of them that were cheaper than the staircase had it; their surroundings were searched then.
    pub exceptions: usize,
    /// How many of the unseen may be so at most, at 95 %; all of them where nothing was checked.
    pub at_most: usize,
}

/// An edge.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct EdgeReport {
    /// Channels.
    pub channels: usize,
    /// Latency there.
    pub latency_ms: f64,
    /// What the next edge costs more; nothing at the full width.
    pub jump_ms: Option<f64>,
    /// The probability that the jump is more than half of what counts as one, by its readings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// The neighbors that it was held against, one lattice step below and above, where these were measured.
    pub neighbors: [Option<usize>; 2],
    /// Where the engine runs another algorithm past this edge: the one here, and the one there. Such a riser is the
    /// library's choice rather than the hardware's, and may move with its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm_change: Option<[String; 2]>,
}

/// Widths from `from` to `to`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RangeReport {
    /// The smallest.
    pub from: usize,
    /// The largest.
    pub to: usize,
    /// Whether some of them were not timed: the lattice says so, not a measurement of each.
    pub inferred: bool,
}

/// A measured width.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PointReport {
    /// Channels.
    pub channels: usize,
    /// Latency there.
    pub latency_ms: f64,
    /// Its interval.
    pub interval_ms: Interval,
    /// Where it comes from.
    pub provenance: Provenance,
    /// What the engine ran, where it has a choice and says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
}

/// Result of `prune`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PruneReport {
    /// All of the plan.
    #[serde(flatten)]
    pub plan: PlanReport,
    /// Where the pruned model was written.
    pub output: String,
    /// Latency of the dense model, measured next to the pruned one.
    pub measured_dense_ms: f64,
    /// Its interval.
    pub measured_dense_interval_ms: Interval,
    /// Latency of the pruned model.
    pub measured_pruned_ms: f64,
    /// Its interval.
    pub measured_pruned_interval_ms: Interval,
    /// Pruned over dense.
    pub ratio: f64,
    /// Its interval.
    pub ratio_interval: Interval,
    /// Elements of all weights before.
    pub params_before: usize,
    /// And after.
    pub params_after: usize,
    /// Channels over all prunable groups before.
    pub channels_before: usize,
    /// And after.
    pub channels_after: usize,
    /// The number of plans that were timed as whole models.
    pub rounds: usize,
    /// Why more than 3 % of the budget is left, if that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below_budget: Option<String>,
    /// How the sum of the layers and the whole model differ: coefficients fitted to the whole models that were timed.
    pub calibration: Calibration,
    /// What calibration images repaired, where there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair: Option<Repair>,
    /// Measurements made in this run.
    pub measurements_new: u64,
    /// Measurements that the table answered.
    pub measurements_shared: u64,
    /// Time that the engine ran convolutions for, in seconds.
    pub device_seconds: f64,
    /// Top-1 and top-5 of the dense model, where images were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy_before: Option<Accuracy>,
    /// The same of the pruned one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy_after: Option<Accuracy>,
    /// How far the pruned model does what the dense one does, where images were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
}

/// Result of `verify`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Schema, engine, machine.
    #[serde(flatten)]
    pub header: Header,
    /// Latency of the dense model.
    pub dense_ms: f64,
    /// Its interval.
    pub dense_interval_ms: Interval,
    /// Latency of the pruned model.
    pub pruned_ms: f64,
    /// Its interval.
    pub pruned_interval_ms: Interval,
    /// Pruned over dense.
    pub ratio: f64,
    /// Its interval.
    pub ratio_interval: Interval,
    /// The line that the interval's upper end must not cross.
    pub at_most: f64,
    /// Whether it does not.
    pub passed: bool,
    /// What the times cover.
    pub covers: Covers,
    /// The data type that the networks are timed in.
    pub dtype: DType,
    /// Where not the whole model is covered: the convolutions timed one by one and summed, of the dense and of the
    /// pruned one. The difference to the times above is what lies between them, and what they leave in the caches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts_ms: Option<[f64; 2]>,
    /// Interleaved pairs of runs.
    pub samples: u32,
}

/// Share of right answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Accuracy {
    /// Images.
    pub n: usize,
    /// Share whose label is the highest output.
    pub top1: f64,
    /// Its Wilson interval.
    pub top1_interval: Interval,
    /// Share whose label is among the five highest outputs.
    pub top5: f64,
}

/// How far a model does what the dense one does on the same images, without labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Agreement {
    /// Images.
    pub n: usize,
    /// Of a classifier: the dense model's highest class taken for the label, the share of images where this model has it
    /// highest, and among its five highest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Accuracy>,
    /// Output by output, in the model's order.
    pub outputs: Vec<OutputError>,
}

/// One output's distance from the dense model's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OutputError {
    /// The output.
    pub name: String,
    /// |y - dense| / |dense|, Euclidean norms over all images and elements.
    pub relative_error: f64,
    /// The image that differs most, by its position.
    pub worst_image: Option<usize>,
    /// The same quotient for it alone.
    pub worst_relative_error: Option<f64>,
}

/// Result of `accuracy`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AccuracyReport {
    /// Schema, engine, machine.
    #[serde(flatten)]
    pub header: Header,
    /// The model.
    pub model: ModelReport,
    /// The shares, where there are labels.
    #[serde(flatten)]
    pub accuracy: Option<Accuracy>,
    /// How far the model does what another one does, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
}

impl AccuracyReport {
    /// The accuracy of a model, and how far it does what another one does, on an engine.
    pub fn new(
        source: &dyn LatencySource,
        model: &Model,
        accuracy: Option<Accuracy>,
        agreement: Option<Agreement>,
    ) -> AccuracyReport {
        let header = crate::engine::header(source, "locp.accuracy/1");
        AccuracyReport { header, model: model.report(), accuracy, agreement }
    }
}

/// A failure.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ErrorReport {
    /// The schema's name and version.
    pub schema: Schema,
    /// A stable word for programs.
    pub kind: String,
    /// What happened, naming the thing.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// Present and true where the engine's figures, if the message holds any, come from an analytic model of a device.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
    /// Present and true where they come from a recorded table.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recorded: bool,
}

impl ErrorReport {
    /// A failure by its word for programs, what happened, and what to do about it.
    pub fn new(kind: &str, message: String, remedy: &str) -> ErrorReport {
        let (kind, remedy) = (kind.to_owned(), remedy.to_owned());
        ErrorReport { schema: "locp.error/1", kind, message, remedy, simulated: false, recorded: false }
    }
}

/// The parts of a plan file that `apply` reads.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PlanFile {
    pub(crate) schema: String,
    pub(crate) model: ModelReport,
    pub(crate) groups: Vec<GroupPlan>,
}
