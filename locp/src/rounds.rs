//! From a problem to a plan that rests on measurements: solved on estimates, measured where the plan stands, solved again.

use crate::holds;
use crate::measure::Measurer;
use crate::planning::{Effort, Planning};
use crate::{Error, Progress};
use benefit::{Budget, Infeasible, Levels, Planner, Solution, Stopped};

/// By what share of the loss a plan must be better, over cells measured afresh, than the one they were measured for.
const CHASED: f64 = 0.005;
/// How often a plan may be measured and solved again before less is asked for.
const ROUNDS: usize = 30;
/// Rounds that follow with a lower and lower aim, and by how much it falls at most in each.
const LOWER_ROUNDS: usize = 10;
const LOWER: f64 = 0.97;

/// The plans on the way to one that holds its limit, in the problem's nanoseconds.
struct Rounds {
    limit_ns: f64,
    /// What the planner is asked for. It finds what estimates promise too much for, again and again: in the end it is
    /// asked for a little less.
    aim_ns: f64,
    /// Plans that were measured and turned down.
    earlier: Vec<Solution>,
    /// The answer to the next question, where it is known by now.
    next: Option<Solution>,
}

/// A plan that was made in one round.
struct Proposal {
    solution: Solution,
    /// There will be no other.
    is_last: bool,
    /// The planner was asked for less than the limit.
    is_lower: bool,
}

impl Planning<'_> {
    /// A plan that is predicted to take at most `limit_ns`, in the time of `dense_ns`.
    ///
    /// It is made on estimates, measured where it stands, and made again, until it rests on measured cells. Then all
    /// its cells are measured afresh, each once, for chosen readings are optimistic: what looks fast by chance is chosen more
    /// often. A plan that still holds the limit is returned; else the next one is made with what was learned. After the
    /// last round a plan may be predicted to take longer than the limit.
    pub(crate) fn solve(
        &mut self,
        planner: &dyn Planner,
        limit_ns: f64,
        measurer: &mut Measurer<'_>,
        progress: &dyn Progress,
    ) -> Result<Solution, Error> {
        progress.begin("plan", None);
        self.effort = Effort::default();
        let limit_ns = limit_ns / self.drift;
        let mut rounds = Rounds { limit_ns, aim_ns: limit_ns, earlier: Vec::new(), next: None };
        loop {
            let proposal = self.propose(planner, &mut rounds)?;
            progress.advance(1);
            let was_estimated = self.measure_estimates(&proposal.solution.levels, measurer)?;
            if self.effort.rounds >= ROUNDS {
                let cost_ns = self.problem.cost(&proposal.solution.levels).ns;
                rounds.aim_ns *= (limit_ns / cost_ns).clamp(LOWER, 1.0);
            }
            if was_estimated && !proposal.is_last {
                rounds.earlier.push(proposal.solution);
                continue;
            }
            self.measure_afresh(&proposal.solution.levels, measurer)?;
            if let Some(solution) = self.judged(planner, proposal, &mut rounds) {
                let groups = self.model.network().groups.iter().zip(&solution.widths);
                let narrowed = groups.filter(|(group, width)| **width < group.channels).count();
                progress.end(&format!("{narrowed} groups narrowed, predicted {:.3}x", solution.ratio()));
                return Ok(solution);
            }
        }
    }

    /// The next plan, on what is known so far.
    fn propose(&mut self, planner: &dyn Planner, rounds: &mut Rounds) -> Result<Proposal, Error> {
        self.effort.rounds += 1;
        let is_lower = rounds.aim_ns < rounds.limit_ns;
        let is_last = self.effort.rounds >= ROUNDS + LOWER_ROUNDS;
        if let Some(solution) = rounds.next.take().filter(|_| !is_lower) {
            return Ok(Proposal { solution, is_last, is_lower });
        }
        match (planner.plan(&self.problem, Budget::ns(rounds.aim_ns)), rounds.earlier.last()) {
            (Ok(solution), _) => Ok(Proposal { solution, is_last, is_lower }),
            (Err(_), Some(last)) if is_lower => Ok(Proposal { solution: last.clone(), is_last: true, is_lower }),
            (Err(infeasible), _) => {
                // What was timed is known better than what is predicted.
                let timed = self.narrowest_within(rounds.limit_ns * self.drift);
                let Some(solution) = timed else { return Err(self.no_plan(infeasible).into()) };
                Ok(Proposal { solution, is_last: true, is_lower })
            }
        }
    }

    /// Says that there is no plan: what holds the layers, and what the narrowest network took.
    fn no_plan(&self, infeasible: Infeasible) -> Infeasible {
        let mut why = holds::explained(infeasible, self.model.network(), &self.problem);
        why.narrowest_ratio = self.narrowest.as_ref().map(|narrowest| narrowest.ns * self.drift / self.dense_ns);
        why
    }

    /// Measures the cells of a plan that are estimates, and says whether there were any.
    fn measure_estimates(&mut self, levels: &Levels, measurer: &mut Measurer<'_>) -> Result<bool, Error> {
        let estimated = self.problem.unmeasured_cells(levels);
        if estimated.is_empty() {
            return Ok(false);
        }
        self.effort.measured += estimated.len();
        self.measure(&estimated, 1.0, |specs| measurer.get(specs))?;
        self.problem.refit();
        Ok(true)
    }

    /// Measures the cells of a plan once more, those that were not before.
    fn measure_afresh(&mut self, levels: &Levels, measurer: &mut Measurer<'_>) -> Result<(), Error> {
        let mut cells = self.problem.cells(levels);
        cells.retain(|cell| cell.runs() && self.fresh.insert(self.spec(cell.layer, cell.c_in, cell.c_out)));
        self.effort.afresh += cells.len();
        self.measure(&cells, self.drift, |specs| measurer.fresh(specs))
    }

    /// The plan, if it holds the limit over cells that were measured afresh and no other is worth much more; with its
    /// proof. The last one is returned in any case, or an earlier one that holds the limit.
    fn judged(&self, planner: &dyn Planner, proposal: Proposal, rounds: &mut Rounds) -> Option<Solution> {
        let Proposal { mut solution, is_last, is_lower } = proposal;
        let limit_ns = rounds.limit_ns;
        let mut cost = self.problem.cost(&solution.levels);
        if cost.ns > limit_ns {
            if !is_last {
                rounds.earlier.push(solution);
                return None;
            }
            // The planner was led on by estimates to the end; what it proposed before rests on measured cells by now.
            solution = self.best_of(&rounds.earlier, limit_ns).unwrap_or(solution);
            cost = self.problem.cost(&solution.levels);
        }
        // What was proven, was proven over cells that are known better by now.
        let again = planner.plan(&self.problem, Budget::ns(limit_ns)).ok();
        let is_beaten = |again: &Solution| again.value - solution.value > CHASED * -again.value;
        if !is_last && !is_lower && again.as_ref().is_some_and(is_beaten) {
            rounds.earlier.push(solution);
            rounds.next = again;
            return None;
        }
        solution = certified(solution, again.filter(|_| cost.ns <= limit_ns));
        let timed = self.narrowest.as_ref().filter(|narrowest| narrowest.levels == solution.levels);
        solution.predicted_ns = timed.map_or(cost.ns, |narrowest| narrowest.ns) * self.drift;
        solution.dense_ns = self.dense_ns;
        solution.estimated = cost.estimated;
        Some(solution)
    }

    /// Of these plans the best that holds the limit by what is known now; one on estimates only where there is no other.
    fn best_of(&self, plans: &[Solution], limit_ns: f64) -> Option<Solution> {
        let costs = plans.iter().map(|plan| (plan, self.problem.cost(&plan.levels)));
        let fitting = costs.filter(|(_, cost)| cost.ns <= limit_ns);
        let best = fitting.max_by(|(a, of_a), (b, of_b)| {
            (of_a.estimated == 0).cmp(&(of_b.estimated == 0)).then(a.value.total_cmp(&b.value))
        });
        best.map(|(plan, _)| plan.clone())
    }
}

/// A plan with what is proven of it by another answer to the same question, if there is one.
fn certified(solution: Solution, again: Option<Solution>) -> Solution {
    let bound = again.as_ref().and_then(|again| again.bound);
    let stopped = match again {
        Some(again) if again.levels == solution.levels => again.stopped,
        _ => Stopped::Rule,
    };
    let mut certified = solution.with_bound(bound);
    certified.stopped = stopped;
    certified
}
