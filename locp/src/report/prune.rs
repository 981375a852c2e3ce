//! What `prune` and `verify` report.

use super::{Accuracy, Agreement, Covers, Header, Interval, NotCovered, PlanReport};
use crate::Repair;
use benefit::LatencyFit;
use netspec::DType;
use serde::Serialize;

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
    /// What was predicted of each of them and what it took, in their order.
    pub timed: Vec<TimedPlan>,
    /// Why more than 3 % of the budget is left, if that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below_budget: Option<String>,
    /// How the sum of the layers and the whole model differ: coefficients fitted to the whole models that were timed.
    pub latency_fit: LatencyFit,
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

/// A plan that was timed as a whole model: shares of the dense latency.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TimedPlan {
    /// What was predicted before it was timed.
    pub predicted_ratio: f64,
    /// What it took.
    pub ratio: f64,
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
    /// Layers that these times leave out, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_covered: Option<NotCovered>,
    /// The data type that the networks are timed in.
    pub dtype: DType,
    /// Where not the whole model is covered: the convolutions timed one by one and summed, of the dense and of the
    /// pruned one. The difference to the times above is what lies between them, and what they leave in the caches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts_ms: Option<[f64; 2]>,
    /// Interleaved pairs of runs.
    pub samples: u32,
}
