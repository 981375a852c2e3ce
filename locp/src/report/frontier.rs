//! What `frontier` reports.

use super::{Covers, Header, ModelReport};
use netspec::DType;
use serde::Serialize;
use std::collections::BTreeMap;

/// Result of `frontier`: a plan for each of several budgets, with what is proven of it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FrontierReport {
    /// Schema, engine, machine.
    #[serde(flatten)]
    pub header: Header,
    /// The model.
    pub model: ModelReport,
    /// Images per run.
    pub batch: usize,
    /// The data type that the network is timed in.
    pub dtype: DType,
    /// Latency of the dense model.
    pub dense_ms: f64,
    /// What latencies cover.
    pub covers: Covers,
    /// The planner's name.
    pub planner: String,
    /// What the value is: `magnitude`, `damage`, `file` or `random`.
    pub value_kind: String,
    /// How it was computed: `l2, per layer`.
    pub value_name: String,
    /// The plans, from the highest latency to the lowest.
    pub plans: Vec<FrontierPlan>,
    /// Why lower latencies have no plan, where one was asked for that cannot be reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<String>,
    /// How many measurements were made.
    pub measured: u64,
    /// How many were answered from the table.
    pub shared: u64,
    /// Time that the engine ran for, in seconds.
    pub device_seconds: f64,
}

/// One plan of a frontier.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FrontierPlan {
    /// The latency that was asked for, as a share of the dense model's.
    pub asked: f64,
    /// The predicted one.
    pub ratio: f64,
    /// The same in milliseconds.
    pub predicted_ms: f64,
    /// Minus the predicted damage.
    pub value: f64,
    /// The best value that any plan could have, where the planner proves one.
    pub bound: Option<f64>,
    /// Share of the loss that a perfect plan could still save, where there is a bound.
    pub gap: Option<f64>,
    /// Why the planner stopped.
    pub stopped: String,
    /// Cells that were estimated, not measured.
    pub cells_estimated: usize,
    /// Channels that each narrowed group keeps, by the name of its first producer.
    pub keep: BTreeMap<String, usize>,
}
