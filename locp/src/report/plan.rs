//! What `plan` reports.

use super::{Covers, Header, ModelReport, NotCovered};
use crate::Constraints;
use crate::modules::ModuleKeep;
use benefit::Limits;
use netspec::{DType, GroupPlan};
use serde::Serialize;
use std::collections::BTreeMap;

/// A budget as it was asked for and what it comes to.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct BudgetReport {
    /// The ratio, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// Milliseconds.
    pub ms: f64,
}

/// Result of `plan`: what `plan.json` holds.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PlanReport {
    /// Schema, engine, machine.
    #[serde(flatten)]
    pub header: Header,
    /// The model.
    pub model: ModelReport,
    /// Images per run.
    pub batch: usize,
    /// The data type that the network is timed in.
    pub dtype: DType,
    /// The budget.
    pub budget: BudgetReport,
    /// Latency of the dense model.
    pub dense_ms: f64,
    /// What `dense_ms` and `predicted_ms` cover.
    pub covers: Covers,
    /// Layers that these times leave out, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_covered: Option<NotCovered>,
    /// Predicted latency of the pruned model.
    pub predicted_ms: f64,
    /// The planner's name.
    pub planner: String,
    /// What the value is: `magnitude`, `damage`, `file` or `random`.
    pub value_kind: String,
    /// How it was computed: `l2, per layer`.
    pub value_name: String,
    /// What the plan was not allowed to do.
    pub constraints: ConstraintsReport,
    /// Minus the predicted damage.
    pub value: f64,
    /// The best value that any plan could have, where the planner proves one.
    pub bound: Option<f64>,
    /// The value of the dense model.
    pub dense_value: f64,
    /// Share of the loss that a perfect plan could still save, where there is a bound.
    pub gap: Option<f64>,
    /// Why the planner stopped: `rule`, `optimal`, `effort` or `too-wide`.
    pub stopped: String,
    /// Cells of the final plan that were estimated, not measured.
    pub cells_estimated: usize,
    /// Relative standard error of estimated cells, from those that were measured after they were estimated.
    pub estimate_error: Option<f64>,
    /// Times that the problem was solved, each time with what the last plan's cells taught.
    pub plan_rounds: usize,
    /// Estimated cells of plans on the way that were then measured, or found in the table.
    pub cells_measured: usize,
    /// Cells of plans that were measured once more before they were believed.
    pub cells_afresh: usize,
    /// What each group keeps.
    pub groups: Vec<GroupPlan>,
    /// The same for each module that computes channels of these groups, where the export kept its name: for pruners
    /// that work on modules.
    pub modules: BTreeMap<String, ModuleKeep>,
    /// Weights of such modules whose names the export did not keep.
    pub modules_unnamed: Vec<String>,
}

/// The constraints that a plan was made under.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ConstraintsReport {
    /// Least share of its channels that a group keeps.
    pub min_share: f64,
    /// Whether residual streams were open.
    pub prune_residual: bool,
    /// Whether residual branches could go as a whole.
    pub remove_branches: bool,
    /// By name, and for all groups.
    #[serde(flatten)]
    pub named: Constraints,
}

impl ConstraintsReport {
    pub(crate) fn new(limits: &Limits, named: &Constraints) -> ConstraintsReport {
        ConstraintsReport {
            min_share: limits.get_min_share(),
            prune_residual: limits.get_prune_residual(),
            remove_branches: limits.get_remove_branches(),
            named: named.clone(),
        }
    }
}
