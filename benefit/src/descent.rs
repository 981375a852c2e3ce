//! What the baselines share: narrowing by one threshold that falls on all groups alike.

use crate::budget::Budget;
use crate::plan::{Infeasible, opened};
use crate::problem::Problem;
use crate::solution::Solution;

/// A group's step to a narrower level, taken once the threshold has come to `at`.
pub(crate) struct Step {
    pub(crate) at: f64,
    pub(crate) group: usize,
    pub(crate) level: usize,
}

/// Takes steps from the lowest threshold up, all of one threshold together, until the budget holds.
///
/// Of one group they come in the order in which they are taken.
pub(crate) fn descend(
    problem: &Problem,
    planner: &str,
    budget: Budget,
    mut steps: Vec<Step>,
) -> Result<Solution, Infeasible> {
    let (ledger, limit) = opened(problem, budget);
    // Sorting is stable, so a group's own steps stay in their order.
    steps.sort_by(|a, b| a.at.total_cmp(&b.at));
    let mut levels = problem.full_levels();
    let mut fastest = (ledger.total(&levels), levels.clone());
    let mut steps = steps.into_iter().peekable();
    loop {
        let cost = ledger.total(&levels);
        if cost <= limit {
            return Ok(Solution::new(problem, planner, problem.chosen(levels)));
        }
        if cost < fastest.0 {
            fastest = (cost, levels.clone());
        }
        let Some(step) = steps.next() else {
            return Err(Infeasible::new(problem, planner, budget, &problem.chosen(fastest.1)));
        };
        levels[step.group] = step.level;
        while let Some(step) = steps.next_if(|next| next.at == step.at) {
            levels[step.group] = step.level;
        }
    }
}
