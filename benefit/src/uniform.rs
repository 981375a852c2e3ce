//! The uniform baseline.

use crate::budget::Budget;
use crate::descent::{Step, descend};
use crate::plan::{Infeasible, Planner};
use crate::problem::Problem;
use crate::solution::Solution;

/// Keeps the same share of channels everywhere: the largest share that fits.
///
/// Every group takes its widest level that is at most that share of its channels, or its narrowest level where
/// there is none. The share runs through all values at which some group changes, so the result is the best that
/// one common share can do; yet it moves in coarse jumps, since groups of equal size all change at once.
/// Compare other plans with it at the latency that it reaches, not at the budget.
///
/// ```
/// use benefit::{Budget, Planner, Problem, Uniform};
/// let mut problem = Problem::builder();
/// let a = problem.group("a", 64).every(16).value(&[-3.0, -2.0, -1.0, 0.0]);
/// let b = problem.group("b", 32).every(16).value(&[-1.0, 0.0]);
/// problem.layer("conv1", 3, a, |_, c_out| c_out as f64);
/// problem.layer("conv2", a, b, |c_in, c_out| (c_in + c_out) as f64);
/// let solution = Uniform.plan(&problem.build()?, Budget::ratio(0.6))?;
/// assert_eq!(solution.widths, [32, 16]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uniform;

const NAME: &str = "uniform";

impl Planner for Uniform {
    fn plan(&self, problem: &Problem, budget: Budget) -> Result<Solution, Infeasible> {
        // All points at which lowering the share takes a group from one level to the next narrower one.
        let mut steps = Vec::new();
        for (group, choice) in problem.groups().iter().enumerate() {
            let share = |level: usize| choice.levels[level] as f64 / choice.channels as f64;
            // No share is none: branches stay.
            let wider = choice.narrowest() + 1..choice.levels.len();
            steps.extend(wider.map(|level| Step { at: -share(level), group, level: level - 1 }));
        }
        descend(problem, NAME, budget, steps)
    }
}
