//! The knapsack baseline: every layer priced with its input channels as they are.

use crate::budget::Budget;
use crate::labels;
use crate::ledger::Ledger;
use crate::model::Model;
use crate::plan::{Infeasible, Planner, opened};
use crate::problem::Problem;
use crate::relaxation::Relaxation;
use crate::solution::Solution;
use crate::ticks::Ticks;

/// Chooses output channels by a knapsack in which every layer's input channels stay as they are, and does so again with
/// the new ones, the budget tightening from round to round.
///
/// The way of latency-aware pruners that price layers one by one (Shen et al., "Structural Pruning via Latency-Saliency
/// Knapsack", 2022, describe it with 30 rounds). Each round's knapsack is solved as [`Exact`](crate::Exact) solves a
/// problem; what the rounds cannot see is what a narrower group saves in the layers that read it. A channel that is gone
/// stays gone, so that where latency is not monotone it may reach less than other planners.
///
/// ```
/// use benefit::{Budget, Knapsack, Planner, Problem};
/// let mut problem = Problem::builder();
/// let a = problem.group("a", 64).every(16).value(&[-9.0, -4.0, -1.0, 0.0]);
/// let b = problem.group("b", 64).every(16).value(&[-9.0, -4.0, -1.0, 0.0]);
/// problem.layer("conv1", 3, a, |_, c_out| c_out as f64);
/// problem.layer("conv2", a, b, |c_in, c_out| (c_in * c_out) as f64 / 16.0);
/// let solution = Knapsack::default().plan(&problem.build()?, Budget::ratio(0.6))?;
/// assert!(solution.ratio() <= 0.6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knapsack {
    rounds: usize,
}

impl Default for Knapsack {
    fn default() -> Knapsack {
        Knapsack { rounds: 30 }
    }
}

impl Knapsack {
    /// The budget falls from the dense network's latency to its own in this many rounds, at least one; by default 30.
    pub fn rounds(self, rounds: usize) -> Knapsack {
        Knapsack { rounds: rounds.max(1) }
    }
}

const NAME: &str = "knapsack";
/// Partial choices that are kept after each group.
const LABELS: usize = 2_000;

impl Planner for Knapsack {
    fn plan(&self, problem: &Problem, budget: Budget) -> Result<Solution, Infeasible> {
        let (ledger, limit) = opened(problem, budget);
        let mut levels = problem.full_levels();
        let mut cost = ledger.total(&levels);
        let dense = cost;
        let mut round = 0;
        // Latency that rises where channels are removed may take a few rounds more.
        while cost > limit && round < 2 * self.rounds {
            round += 1;
            let share = round.min(self.rounds) as Ticks;
            let limit_now = dense - (dense - limit) * share / self.rounds as Ticks;
            if cost <= limit_now {
                continue;
            }
            let Some(next) = choose(&ledger, &levels, limit_now) else { break };
            levels = next;
            cost = ledger.total(&levels);
        }
        if cost <= limit {
            Ok(Solution::new(problem, NAME, problem.chosen(levels)))
        } else {
            Err(Infeasible::new(problem, NAME, budget, &problem.chosen(levels)))
        }
    }
}

/// The best levels, none wider than now, where every layer's input channels stay as they are. Where none hold the limit
/// so, those that save half of what can be saved: what they save elsewhere, the next round sees.
fn choose(ledger: &Ledger<'_>, now: &[usize], limit: Ticks) -> Option<Vec<usize>> {
    let relaxation = Relaxation::of(linear(ledger, now))?;
    let feasible = relaxation.cheapest();
    let least = relaxation.model.total(&feasible);
    let limit = if limit < least { least + (ledger.total(now) - least).max(0) / 2 } else { limit };
    let Some(bound) = relaxation.bound(limit) else { return Some(feasible) };
    let known = relaxation.model.value(&feasible);
    let prices = [1.0, 0.85, 1.2].map(|multiple| multiple * bound.price);
    Some(labels::search(&relaxation, limit, known, prices, LABELS).levels.unwrap_or(feasible))
}

/// The problem with every layer's input channels as they are, so that each group has costs of its own.
fn linear(ledger: &Ledger<'_>, now: &[usize]) -> Model {
    let problem = ledger.problem;
    let mut model = Model::bare(ledger);
    for (g, costs) in model.unary.iter_mut().enumerate() {
        costs.truncate(now[g] + 1);
        for (level, cost) in costs.iter_mut().enumerate() {
            *cost = problem.operator_ticks(netspec::GroupId(g), problem.groups()[g].levels[level]);
        }
        model.values[g].truncate(now[g] + 1);
        model.sizes[g] = now[g] + 1;
    }
    model.constant = problem.constant_ticks();
    for (layer, cost) in problem.layers().iter().enumerate() {
        let writes: Vec<usize> = cost.outputs().parts.iter().map(|part| part.group.0).collect();
        match writes.as_slice() {
            // What several groups write together, or none of them, stays as it is.
            [g] => {
                let is_coupled = cost.is_coupled();
                let c_in = cost.inputs().at(|group| problem.width_of(now, group));
                for (level, sum) in model.unary[*g].iter_mut().enumerate() {
                    let mut levels = now.to_vec();
                    levels[*g] = level;
                    let c_out = cost.outputs().at(|group| problem.width_of(&levels, group));
                    let reads =
                        if is_coupled { cost.inputs().at(|group| problem.width_of(&levels, group)) } else { c_in };
                    // A layer that reads what it writes has no price for its old input and its new output.
                    *sum +=
                        problem.cell_ticks(layer, reads, c_out).unwrap_or_else(|| problem.layer_ticks(layer, &levels));
                }
            }
            _ => model.constant += problem.layer_ticks(layer, now),
        }
    }
    model
}
