//! The planner that proves its plan best.

use crate::budget::Budget;
use crate::labels::{self, Effort, End};
use crate::lagrange::Relaxation;
use crate::plan::{Infeasible, Planner, opened};
use crate::problem::Problem;
use crate::solution::{Solution, Stopped};
use crate::two_stage::TwoStage;
use std::time::{Duration, Instant};

/// Finds the plan with the highest value of all, and proves it.
///
/// It starts from the [`TwoStage`] plan and the price of a nanosecond at which Lagrangian relaxation bounds every plan
/// lowest. Then it decides one group after another, both axes of every layer priced jointly, and keeps all partial
/// plans that may still come out better (label setting, as in Dumitrescu and Boland, "Improved preprocessing, labeling
/// and scaling algorithms for the weight-constrained shortest path problem", 2003): the bound on what is left comes
/// from eliminating the undecided groups at that price, exactly, so that few survive.
///
/// # What is guaranteed
/// - The plan holds the budget, to the tick, and is never worth less than the two-stage plan.
/// - With [`Stopped::Optimal`] no plan within the budget is worth more (over the same levels and cells), and
///   [`Solution::gap`] is 0. Where it stopped before, [`Solution::bound`] is what it could not rule out.
/// - Without a time limit the same problem gives the same plan on every machine.
/// - Concats are priced by running sums of their groups' channels. Where these are too many, a concat reads a group twice,
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
    labels: usize,
    seconds: Option<f64>,
}

impl Default for Exact {
    fn default() -> Exact {
        Exact { labels: 500, seconds: None }
    }
}

impl Exact {
    /// At most `labels` partial plans are kept after each group, by default 500; more, by a fixed rule, if that costs
    /// little.
    pub fn labels(self, labels: usize) -> Exact {
        Exact { labels: labels.max(1), ..self }
    }

    /// After about this many seconds the best plan so far is returned with what is proven by then; by default there is
    /// no limit.
    pub fn seconds(self, seconds: f64) -> Exact {
        Exact { seconds: Some(seconds), ..self }
    }
}

const NAME: &str = "exact";

/// By how much more partial plans are kept where too many were left, and how many may be looked at for it in all.
const MORE: usize = 4;
const TRIED: usize = 4_000_000;

/// Prices at which completions are bounded, as multiples of the one that bounds all plans lowest: each is lowest for
/// other partial plans.
const PRICES: [f64; 3] = [1.0, 0.85, 1.2];

impl Planner for Exact {
    fn plan(&self, problem: &Problem, budget: Budget) -> Result<Solution, Infeasible> {
        let started = Instant::now();
        let late = self.seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok());
        let named = |infeasible: Infeasible| Infeasible { planner: NAME.to_owned(), ..infeasible };
        let (ledger, limit) = opened(problem, budget);
        let relaxation = Relaxation::new(&ledger);
        let start =
            TwoStage::default().certify(false).solve(&ledger, budget, limit, relaxation.as_ref()).map_err(named)?;
        let start = Solution { planner: NAME.to_owned(), ..start };
        let Some(relaxation) = relaxation else {
            return Ok(Solution { stopped: Stopped::TooWide, ..start });
        };
        let Some(bound) = relaxation.bound(limit) else { return Ok(start) };
        if bound.value <= start.value {
            let bound = Some(start.value);
            return Ok(Solution { stopped: Stopped::Optimal, bound, ..start });
        }
        let prices = PRICES.map(|multiple| multiple * bound.price);
        let is_late = || late.is_some_and(|late| started.elapsed() >= late);
        let mut known = start.value;
        let mut levels = None;
        let (mut labels, mut tried) = (self.labels, 0);
        let found = loop {
            let mut found = labels::search(&relaxation, limit, known, &prices, Effort { labels, is_late: &is_late });
            if let Some(better) = found.levels.take() {
                known = problem.value_at(&better);
                levels = Some(better);
            }
            tried += found.tried;
            // Where networks are small, more partial plans cost next to nothing.
            if found.end != End::Crowded || tried * MORE > TRIED {
                break found;
            }
            labels *= MORE;
        };
        let stopped = match found.end {
            End::Complete => Stopped::Optimal,
            End::Crowded => Stopped::Labels,
            End::Late => Stopped::Time,
        };
        let solution = match levels {
            Some(levels) => Solution::new(problem, NAME, problem.chosen(levels)),
            None => start,
        };
        // What is proven never lies below what was found, whatever the order in which values were added.
        let bound = if stopped == Stopped::Optimal { solution.value } else { found.bound.min(bound.value) };
        Ok(Solution { stopped, bound: Some(bound.max(solution.value)), ..solution })
    }
}
