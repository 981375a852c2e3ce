//! What a planner answers.

use crate::choice::Levels;
use crate::problem::Problem;
use crate::value::{Value, ValueError, ValueKind};
use netspec::{GroupId, GroupPlan, Network, PrunePlan};
use std::fmt;

/// Why a step was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum StepKind {
    /// It saved most time per value lost.
    Benefit,
    /// No group saved anything alone; two neighbors did together.
    Together,
    /// The fastest plan of all, where no step saved anything.
    Fastest,
    /// The budget left room for a better level, or a level was free.
    Refine,
    /// One group gave up time that another used better.
    Swap,
}

/// One change of one group.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Step {
    /// Why.
    pub kind: StepKind,
    /// The group.
    pub group: GroupId,
    /// Its channels before.
    pub from: usize,
    /// Its channels after.
    pub to: usize,
    /// Time saved in the whole network in nanoseconds; negative where time was given back.
    pub saved_ns: f64,
    /// Value lost; negative where value was won back.
    pub lost: f64,
}

/// Why a planner stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Stopped {
    /// Its rule was carried out; whether a better plan exists is for the bound to say.
    #[default]
    Rule,
    /// No plan within the budget has a higher value.
    Optimal,
    /// Its effort was spent before a proof was found.
    Effort,
    /// A concat joins too many groups, or one of them twice, for a proof.
    TooWide,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stopped::Rule => "rule",
            Stopped::Optimal => "optimal",
            Stopped::Effort => "effort",
            Stopped::TooWide => "too-wide",
        })
    }
}

/// A level for every group, and what is known about the choice.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Solution {
    /// The planner that found it.
    pub planner: String,
    /// The chosen level of every group.
    pub levels: Levels,
    /// Channels of every group.
    pub widths: Vec<usize>,
    /// Predicted latency in nanoseconds.
    pub predicted_ns: f64,
    /// The dense network's predicted latency in nanoseconds.
    pub dense_ns: f64,
    /// How many of the cells that it uses are estimates.
    pub estimated: usize,
    /// Its value.
    pub value: f64,
    /// The dense network's value: 0.
    pub dense_value: f64,
    /// A proven upper bound on the value of every plan within the budget, over the same levels and cells.
    pub bound: Option<f64>,
    /// What the values mean.
    pub value_kind: ValueKind,
    /// The steps that led to it from the dense network, in order; empty if the planner takes none.
    pub steps: Vec<Step>,
    /// Why the planner stopped.
    pub stopped: Stopped,
}

impl Solution {
    /// The solution that takes these levels, without a bound or a history.
    ///
    /// # Panics
    /// If the levels belong to a problem with other group or level counts.
    pub fn new(problem: &Problem, planner: &str, levels: Levels) -> Solution {
        let cost = problem.cost(&levels);
        Solution {
            planner: planner.to_owned(),
            widths: problem.widths(&levels),
            predicted_ns: cost.ns,
            dense_ns: problem.dense_ns(),
            estimated: cost.estimated,
            value: problem.value(&levels),
            dense_value: 0.0,
            bound: None,
            value_kind: problem.value_kind(),
            steps: Vec::new(),
            stopped: Stopped::default(),
            levels,
        }
    }

    /// Adds a proven bound.
    pub fn with_bound(self, bound: Option<f64>) -> Solution {
        Solution { bound, ..self }
    }

    /// Predicted latency as a share of the dense network's.
    pub fn ratio(&self) -> f64 {
        if self.dense_ns > 0.0 { self.predicted_ns / self.dense_ns } else { 1.0 }
    }

    /// The share of the loss that a perfect plan could still save: (bound - value) / (dense value - value).
    /// 0 if nothing is lost; `None` if no bound was proven.
    pub fn gap(&self) -> Option<f64> {
        let loss = self.dense_value - self.value;
        self.bound.map(|bound| if loss > 0.0 { ((bound - self.value) / loss).max(0.0) } else { 0.0 })
    }

    /// The channels that each narrowed group keeps: those that the value's curve removes last.
    ///
    /// `network` and `value` are those of the problem; a group with other channels is an error.
    pub fn to_plan(&self, network: &Network, value: &dyn Value) -> Result<PrunePlan, ValueError> {
        if self.widths.len() != network.groups.len() {
            return Err(ValueError::UnknownGroup { group: self.widths.len(), groups: network.groups.len() });
        }
        let mut plan = PrunePlan::default();
        for (group, &width) in network.groups.iter().zip(&self.widths).filter(|(group, width)| **width < group.channels)
        {
            let curve = value.curve(group.id)?;
            if curve.channels() != group.channels {
                let (expected, found) = (group.channels, curve.channels());
                return Err(ValueError::Channels { group: group.name.clone(), expected, found });
            }
            plan.groups.push(GroupPlan::new(group, curve.keep(width)));
        }
        Ok(plan)
    }
}
