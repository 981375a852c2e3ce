//! The two-stage planner.

use crate::budget::Budget;
use crate::ledger::Ledger;
use crate::plan::{Infeasible, Planner, opened};
use crate::problem::Problem;
use crate::refine;
use crate::relaxation::Relaxation;
use crate::solution::{Solution, StepKind};
use crate::stage_one;
use crate::state::State;
use crate::ticks::Ticks;

/// Takes the step with the best benefit until the budget holds. [`Exact`](crate::Exact) starts from its plan.
///
/// Stage one judges each group alone, the others dense, and keeps the upper hull of its value over the time that it saves.
/// Stage two prices a step in the whole network as it stands: the consumers' c_in falls, coupled members move
/// together, a cell is priced jointly, operators move fewer elements. It takes the step with the most time saved
/// per value lost, prices the neighborhood anew, and repeats. Steps may jump over levels, and only levels on stage
/// one's hulls are offered; where those do not suffice, all levels are, then pairs of neighboring groups.
/// A last pass over all levels gives channels back where the budget leaves room, undoes steps, and swaps time
/// between groups, as long as the value rises (or stays, and time falls). All of stage two is done a second time
/// with every level on offer, for a level off its hull may pay by what it saves in the consumers; the better of the
/// two plans is returned.
///
/// # What is guaranteed
/// - The solution's predicted latency is within the budget, to the tick.
/// - [`Infeasible`] with `is_proven` means that no choice of levels fits. It is proven wherever the layers' tables
///   can be joined one group after another: chains, residual and depthwise networks, concats by the running sums of
///   their groups' channels. Where these are too many, or a concat reads a group twice, the answer is the best of several
///   descents, and `is_proven` is false.
/// - [`Solution::bound`] is a proven upper bound by Lagrangian relaxation, under the same condition.
/// - The plan itself is not proven to be the best: [`Solution::gap`] tells how far it can be from that.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoStage {
    lookups: u64,
    certify: bool,
}

impl Default for TwoStage {
    fn default() -> TwoStage {
        TwoStage { lookups: 30_000_000, certify: true }
    }
}

impl TwoStage {
    /// Local search ends after this many cost lookups, by default 30 million.
    pub fn lookups(self, lookups: u64) -> TwoStage {
        TwoStage { lookups, ..self }
    }

    /// Whether to prove a bound, which can take longer than the plan; on by default.
    pub fn certify(self, certify: bool) -> TwoStage {
        TwoStage { certify, ..self }
    }
}

const NAME: &str = "two-stage";

impl Planner for TwoStage {
    fn plan(&self, problem: &Problem, budget: Budget) -> Result<Solution, Infeasible> {
        let (ledger, limit) = opened(problem, budget);
        self.solve(&ledger, budget, limit, Relaxation::new(&ledger).as_ref())
    }
}

impl TwoStage {
    /// The plan by costs that are opened already, and their relaxation, where there is one.
    pub(crate) fn solve(
        &self,
        ledger: &Ledger<'_>,
        budget: Budget,
        limit: Ticks,
        exact: Option<&Relaxation>,
    ) -> Result<Solution, Infeasible> {
        let problem = ledger.problem;
        let all: Vec<Vec<usize>> = problem.groups().iter().map(|group| (0..group.levels.len()).collect()).collect();
        let hulls: Vec<Vec<usize>> =
            stage_one::hulls(problem).iter().map(|hull| hull.iter().map(|offer| offer.level).collect()).collect();

        let dense = || State::new(ledger, problem.full_levels(), self.lookups);
        let mut best = dense();
        descend(&mut best, &hulls, limit);
        if let Err(fastest) = reach(&mut best, &all, exact, limit) {
            return Err(Infeasible::new(problem, NAME, budget, &problem.chosen(fastest)).proven(exact.is_some()));
        }
        refine::refine(&mut best, limit);

        let mut rival = dense();
        descend(&mut rival, &all, limit);
        if rival.cost <= limit {
            refine::refine(&mut rival, limit);
            if problem.value_at(&rival.levels) > problem.value_at(&best.levels) {
                best = rival;
            }
        }
        let bound = exact.filter(|_| self.certify).and_then(|exact| exact.bound(limit)).map(|bound| bound.value);
        let solution = Solution::new(problem, NAME, problem.chosen(best.levels)).with_bound(bound);
        Ok(Solution { steps: best.steps, ..solution })
    }
}

/// Brings a choice within the limit if stage one's hulls did not, or returns the fastest choice if that exceeds the limit
/// too.
fn reach(
    state: &mut State<'_, '_>,
    all: &[Vec<usize>],
    exact: Option<&Relaxation>,
    limit: Ticks,
) -> Result<(), Vec<usize>> {
    if state.cost <= limit {
        return Ok(());
    }
    let within = exact.map(|exact| exact.within(limit).ok_or_else(|| exact.cheapest())).transpose()?;
    while state.cost > limit {
        descend(state, all, limit);
        if state.cost > limit && !step_together(state) {
            break;
        }
    }
    if state.cost <= limit {
        return Ok(());
    }
    let fastest = within.unwrap_or_else(|| refine::fastest(state));
    if state.ledger.total(&fastest) > limit {
        return Err(fastest);
    }
    for (g, level) in fastest.into_iter().enumerate() {
        if level != state.levels[g] {
            let total = state.totals(g)[level];
            state.set(StepKind::Fastest, g, level, total);
        }
    }
    Ok(())
}

/// A step down: its level, what it saves and what it loses.
#[derive(Clone, Copy)]
struct Down {
    level: usize,
    saved: Ticks,
    lost: f64,
}

impl Down {
    /// Time saved per value lost; a step that loses nothing comes before all others.
    fn benefit(&self) -> f64 {
        if self.lost > 0.0 { self.saved as f64 / self.lost } else { f64::INFINITY }
    }

    /// Better benefit, then more time saved.
    fn is_better(&self, other: &Down) -> bool {
        let order = self.benefit().total_cmp(&other.benefit()).then(self.saved.cmp(&other.saved));
        order.is_gt()
    }
}

/// Takes the best benefit among the offered levels until the budget holds or nothing saves time.
fn descend(state: &mut State<'_, '_>, offered: &[Vec<usize>], limit: Ticks) {
    let mut best: Vec<Option<Down>> = (0..offered.len()).map(|g| best_down(state, g, &offered[g])).collect();
    while state.cost > limit {
        let mut choice: Option<(usize, Down)> = None;
        for (g, down) in best.iter().enumerate() {
            if let Some(down) = down
                && choice.is_none_or(|(_, chosen)| down.is_better(&chosen))
            {
                choice = Some((g, *down));
            }
        }
        let Some((g, down)) = choice else { return };
        state.set(StepKind::Benefit, g, down.level, state.cost - down.saved);
        best[g] = best_down(state, g, &offered[g]);
        for &h in &state.ledger.neighbors[g] {
            best[h] = best_down(state, h, &offered[h]);
        }
    }
}

/// A group's narrower level with the best benefit in the network as it stands.
fn best_down(state: &mut State<'_, '_>, g: usize, offered: &[usize]) -> Option<Down> {
    let (current, cost) = (state.levels[g], state.cost);
    if offered.len() < 2 {
        return None;
    }
    let totals = state.totals(g);
    let downs = offered.iter().filter(|&&level| level < current).map(|&level| Down {
        level,
        saved: cost - totals[level],
        lost: state.value_now(g) - state.value(g, level),
    });
    downs.filter(|down| down.saved > 0).fold(None, |best, down| match best {
        Some(best) if !down.is_better(&best) => Some(best),
        _ => Some(down),
    })
}

/// Moves the two neighboring groups that save most per value lost together, or tells that none save anything.
fn step_together(state: &mut State<'_, '_>) -> bool {
    let mut best: Option<(Down, [usize; 3])> = None;
    for g in 0..state.levels.len() {
        let ledger = state.ledger;
        for &h in ledger.neighbors[g].iter().filter(|&&h| h > g) {
            let (cost, now) = (state.cost, state.value_now(g) + state.value_now(h));
            let groups = state.groups();
            state.pairs(g, h, |own, other, total| {
                let lost = now - groups[g].value[own] - groups[h].value[other];
                let down = Down { level: own, saved: cost - total, lost };
                if down.saved > 0 && best.is_none_or(|(best, _)| down.is_better(&best)) {
                    best = Some((down, [g, h, other]));
                }
            });
        }
    }
    let Some((down, [g, h, other])) = best else { return false };
    let total = state.cost - down.saved;
    state.set_both(StepKind::Together, (g, down.level), (h, other), total);
    true
}
