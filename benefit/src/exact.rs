//! The planner that proves its plan best.

use crate::budget::Budget;
use crate::ledger::Ledger;
use crate::plan::{Infeasible, Planner, opened};
use crate::problem::Problem;
use crate::proof::{Best, Proof};
use crate::relaxation::Relaxation;
use crate::solution::{Solution, Stopped};
use crate::two_stage::TwoStage;

/// Finds the plan with the highest value of all, and proves it.
///
/// It starts from the [`TwoStage`] plan and improves it by local search from plans that Lagrangian relaxation finds.
/// The relaxation bounds all plans that have one level of one group; levels that no better plan can have are dropped,
/// which tightens the bound on what is left. Then it decides one group after another, both axes of every layer priced
/// jointly, and keeps all partial plans that may still come out better (label setting, as in Dumitrescu and Boland,
/// "Improved preprocessing, labeling and scaling algorithms for the weight-constrained shortest path problem", 2003).
/// Where these are too many, the most promising ones go on: the plan that they lead to drops more levels.
///
/// # What is guaranteed
/// - The plan holds the budget, to the tick, and its value is never below that of the two-stage plan.
/// - With [`Stopped::Optimal`] no plan within the budget has a higher value (over the same levels and cells), and
///   [`Solution::gap`] is 0. If it stopped before, [`Solution::bound`] is what it could not rule out.
/// - The same problem gives the same plan on every machine: the effort is limited by counts, not by a clock.
/// - Concats are priced by running sums of their groups' channels. If these are too many, a concat reads a group twice,
///   or a group is added to several sums ([`Stopped::TooWide`]), the plan is the two-stage plan, without a bound.
///
/// ```
/// use benefit::{Budget, Exact, Planner, Problem, Stopped};
/// let mut problem = Problem::builder();
/// let a = problem.group("a", 64).every(16).value(&[-3.0, -2.0, -0.5, 0.0]);
/// let b = problem.group("b", 64).every(16).value(&[-2.5, -2.0, -1.0, 0.0]);
/// problem.layer("conv1", 3, a, |_, c_out| c_out as f64);
/// problem.layer("conv2", a, b, |c_in, c_out| (c_in.div_ceil(32) * c_out) as f64);
/// let solution = Exact::default().plan(&problem.build()?, Budget::ratio(0.6))?;
/// assert_eq!((solution.stopped, solution.gap()), (Stopped::Optimal, Some(0.0)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Exact {
    effort: u64,
}

impl Default for Exact {
    fn default() -> Exact {
        Exact { effort: 8_000_000_000 }
    }
}

impl Exact {
    /// Sets after how many additions the proof is given up, by default 8 billion: at most about 5 seconds on one core.
    ///
    /// The best plan so far is returned then, with what is proven by then.
    pub fn effort(self, additions: u64) -> Exact {
        Exact { effort: additions }
    }

    /// The two-stage plan, improved until it is proven best or the effort is spent.
    fn solve(&self, ledger: &Ledger<'_>, budget: Budget, limit: crate::ticks::Ticks) -> Result<Solution, Infeasible> {
        let problem = ledger.problem;
        let relaxation = Relaxation::new(ledger);
        let start = TwoStage::default().certify(false).solve(ledger, budget, limit, relaxation.as_ref())?;
        let Some(relaxation) = relaxation else {
            return Ok(Solution { stopped: Stopped::TooWide, ..start });
        };
        let mut best = Best::new(ledger, limit, start.value);
        let Proof { is_complete, bound } = Proof::find(relaxation, limit, &mut best, self.effort);
        let solution = match best.levels {
            Some(levels) => Solution::new(problem, NAME, problem.chosen(levels)),
            None => start,
        };
        // What is proven never lies below what was found, whatever the order in which values were added.
        let (stopped, bound) = match is_complete {
            true => (Stopped::Optimal, solution.value),
            false => (Stopped::Effort, bound.max(solution.value)),
        };
        Ok(Solution { stopped, bound: Some(bound), ..solution })
    }
}

const NAME: &str = "exact";

impl Planner for Exact {
    fn plan(&self, problem: &Problem, budget: Budget) -> Result<Solution, Infeasible> {
        let (ledger, limit) = opened(problem, budget);
        match self.solve(&ledger, budget, limit) {
            Ok(solution) => Ok(Solution { planner: NAME.to_owned(), ..solution }),
            Err(infeasible) => Err(Infeasible { planner: NAME.to_owned(), ..infeasible }),
        }
    }
}
