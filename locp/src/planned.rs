//! A plan with its prediction, and its report.

use crate::model::Model;
use crate::planning::Planning;
use crate::report::{BudgetReport, ConstraintsReport, Covers, Header, NotCovered, PlanReport};
use crate::{Error, modules};
use benefit::{Budget, Limits, Problem, Solution, Value};
use netspec::{GroupPlan, PrunePlan};

/// A plan with its prediction.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What every group keeps.
    pub plan: PrunePlan,
    /// The planner's answer.
    pub solution: Solution,
    /// The plan as it is reported and written.
    pub report: PlanReport,
    /// The problem as it stood at the end, with all cells that were measured for it: for a bug report, or for another
    /// planner.
    pub problem: Problem,
}

/// What a report says of the circumstances of a plan.
pub(crate) struct Circumstances<'a> {
    pub(crate) header: Header,
    pub(crate) covers: Covers,
    /// What was asked for.
    pub(crate) budget: Budget,
    pub(crate) limits: &'a Limits,
    pub(crate) value: &'a dyn Value,
}

impl Planned {
    /// Turns a planner's solution into a plan of the model's channels.
    pub(crate) fn new(planning: &Planning<'_>, solution: Solution, of: Circumstances<'_>) -> Result<Planned, Error> {
        let model = planning.model;
        let plan = solution.to_plan(model.network(), of.value)?;
        // Surgery knows the file's own constraints, not those that were added for this run.
        plan.validate(model.network()).map_err(onnx_surgery::SurgeryError::from)?;
        let report = report(planning, &solution, &plan, of);
        Ok(Planned { plan, solution, report, problem: planning.problem.clone() })
    }

    /// Returns the plan if it is predicted to hold its limit; where a whole model is timed, that has the last word
    /// instead.
    pub(crate) fn within(self, limit_ns: f64) -> Result<Planned, Error> {
        let over = self.solution.predicted_ns / limit_ns;
        if over <= 1.0 + 1e-9 {
            return Ok(self);
        }
        let rounds = self.report.plan_rounds;
        Err(Error::NotFaster {
            why: format!("{rounds} plans were made and measured, and the last one takes {over:.3}x of the budget"),
            remedy: "measure on a quieter machine, or ask for a higher latency",
        })
    }
}

fn report(planning: &Planning<'_>, solution: &Solution, plan: &PrunePlan, of: Circumstances<'_>) -> PlanReport {
    let Circumstances { header, covers, budget, limits, value } = of;
    let model: &Model = planning.model;
    let prunable = model.network().groups.iter().filter(|group| group.frozen.is_none());
    let groups = prunable
        .map(|group| {
            let narrowed = plan.groups.iter().find(|narrowed| narrowed.id == group.id);
            narrowed.cloned().unwrap_or_else(|| GroupPlan::new(group, (0..group.channels).collect()))
        })
        .collect();
    let groups = PrunePlan { groups };
    let modules = modules::modules(&groups, model.network());
    PlanReport {
        header,
        model: model.report(),
        batch: model.batch(),
        dtype: model.dtype(),
        budget: BudgetReport {
            ratio: if let Budget::Ratio(ratio) = budget { Some(ratio) } else { None },
            ms: budget.limit_ns(planning.dense_ns) / 1e6,
        },
        dense_ms: planning.dense_ns / 1e6,
        covers,
        not_covered: NotCovered::of(model.network(), covers),
        predicted_ms: solution.predicted_ns / 1e6,
        planner: solution.planner.clone(),
        value_kind: solution.value_kind.to_string(),
        value_name: value.name(),
        constraints: ConstraintsReport::new(limits, model.constraints()),
        value: solution.value,
        bound: solution.bound,
        dense_value: solution.dense_value,
        gap: solution.gap(),
        stopped: solution.stopped.to_string(),
        cells_estimated: solution.estimated,
        estimate_error: planning.problem.estimate_error(),
        plan_rounds: planning.effort.rounds,
        cells_measured: planning.effort.measured,
        cells_afresh: planning.effort.afresh,
        groups: groups.groups,
        modules: modules.named,
        modules_unnamed: modules.unnamed,
    }
}
