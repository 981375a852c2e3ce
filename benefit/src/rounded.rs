//! Rounding for planners that know no staircase.

use crate::budget::Budget;
use crate::choice::Levels;
use crate::plan::{Infeasible, Planner};
use crate::problem::{Group, Problem};
use crate::solution::Solution;

/// Widths that pruners round to, 1 being none.
const STEPS: [usize; 4] = [1, 8, 16, 32];

/// Another planner with its best rounding: it plans four times, with all levels and with the multiples of 8, 16 and 32
/// alone, and the plan that is worth most is taken.
///
/// What a careful user of a pruner without latency would try. A group without such a multiple keeps the levels it has.
///
/// ```
/// use benefit::{Budget, Global, Planner, Problem, Rounded};
/// let mut problem = Problem::builder();
/// let a = problem.group("a", 64).levels(&[32, 40, 48, 56, 64]).value(&[-8.0, -6.0, -4.0, -1.0, 0.0]);
/// // Steps of 32: the threshold stops at 40 channels, which cost as much as 64.
/// problem.layer("conv1", 3, a, |_, c_out| c_out.div_ceil(32) as f64);
/// let solution = Rounded::new(Global).plan(&problem.build()?, Budget::ratio(0.5))?;
/// assert_eq!(solution.widths, [32]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounded<P>(P);

impl<P: Planner> Rounded<P> {
    /// Rounds the plans of `planner`.
    pub fn new(planner: P) -> Rounded<P> {
        Rounded(planner)
    }

    fn at(&self, problem: &Problem, step: usize, budget: Budget) -> Result<Solution, Infeasible> {
        // A share of the dense latency is one of the whole problem's, whatever levels are left.
        let budget = Budget::ns(budget.limit_ns(problem.dense_ns()));
        let solution = self.0.plan(&problem.rounded(step), budget)?;
        let levels = problem.levels_of(&solution.widths).expect("rounding only leaves out levels");
        let name = match step {
            1 => solution.planner.clone(),
            _ => format!("{}, rounded to {step}", solution.planner),
        };
        let rounded = Solution::new(problem, &name, levels);
        Ok(Solution { steps: solution.steps, stopped: solution.stopped, ..rounded })
    }
}

impl<P: Planner> Planner for Rounded<P> {
    fn plan(&self, problem: &Problem, budget: Budget) -> Result<Solution, Infeasible> {
        let mut best: Option<Solution> = None;
        let mut infeasible: Option<Infeasible> = None;
        for step in STEPS {
            match self.at(problem, step, budget) {
                Ok(solution) => {
                    if best.as_ref().is_none_or(|best| solution.value > best.value) {
                        best = Some(solution);
                    }
                }
                Err(why) => {
                    if infeasible.as_ref().is_none_or(|known| why.best_ns < known.best_ns) {
                        infeasible = Some(why);
                    }
                }
            }
        }
        best.ok_or_else(|| infeasible.expect("where no step has a plan, each says why"))
    }
}

impl Problem {
    /// The levels of these widths, or `None` if a width is not a level of its group.
    fn levels_of(&self, widths: &[usize]) -> Option<Levels> {
        let indices = self.groups.iter().zip(widths).map(|(group, width)| group.levels.binary_search(width).ok());
        self.levels(&indices.collect::<Option<Vec<_>>>()?).ok()
    }

    /// The same problem with the levels that are multiples of a step, and the full widths.
    fn rounded(&self, step: usize) -> Problem {
        let mut rounded = self.clone();
        for group in &mut rounded.groups {
            let full = group.full();
            let stays = |level: usize| level == full || group.levels[level].is_multiple_of(step);
            let kept: Vec<usize> = (0..group.levels.len()).filter(|&level| stays(level)).collect();
            if kept.len() > 1 {
                let Group { levels, value, .. } = &*group;
                let (levels, value) = kept.iter().map(|&level| (levels[level], value[level])).unzip();
                (group.levels, group.value) = (levels, value);
            }
        }
        rounded
    }
}
