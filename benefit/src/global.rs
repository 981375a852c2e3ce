//! The global-threshold baseline.

use crate::budget::Budget;
use crate::descent::{Step, descend};
use crate::plan::{Infeasible, Planner};
use crate::problem::{Group, Problem};
use crate::solution::Solution;

/// Removes the channels that are worth least, wherever they are, until the budget holds: one threshold over all groups.
///
/// What most pruners do, and what knows nothing of latency: a channel of a layer that takes no time is removed like any
/// other. The threshold is the value that a channel costs; a group takes the levels at which that changes, on the upper
/// hull of its values over its channels, cheapest steps first in the whole network.
///
/// ```
/// use benefit::{Budget, Global, Planner, Problem};
/// let mut problem = Problem::builder();
/// // A channel of `b` is worth little at first.
/// let a = problem.group("a", 64).every(16).value(&[-12.0, -6.5, -3.0, 0.0]);
/// let b = problem.group("b", 64).every(16).value(&[-9.0, -1.0, -0.5, 0.0]);
/// problem.layer("conv1", 3, a, |_, c_out| 10.0 * c_out as f64);
/// problem.layer("conv2", 3, b, |_, c_out| c_out as f64);
/// // All of `b` that is worth little goes first, though it saves hardly anything.
/// assert_eq!(Global.plan(&problem.build()?, Budget::ratio(0.7))?.widths, [32, 32]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Global;

const NAME: &str = "global";

impl Planner for Global {
    fn plan(&self, problem: &Problem, budget: Budget) -> Result<Solution, Infeasible> {
        let steps = problem.groups().iter().enumerate().flat_map(|(g, group)| steps(g, group)).collect();
        descend(problem, NAME, budget, steps)
    }
}

/// The steps along the upper hull of value over channels, from the full width down: their prices rise.
fn steps(g: usize, group: &Group) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut at = group.full();
    // Branches stay: a threshold on channels knows none.
    let least = group.narrowest();
    while at > least {
        let price =
            |level: usize| (group.value[at] - group.value[level]) / (group.levels[at] - group.levels[level]) as f64;
        let cheapest = (least..at).min_by(|&a, &b| price(a).total_cmp(&price(b)).then(a.cmp(&b)));
        let Some(level) = cheapest else { break };
        steps.push(Step { at: price(level), group: g, level });
        at = level;
    }
    steps
}
