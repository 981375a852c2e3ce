//! The plans that were timed as whole models, and which of them is taken.

use crate::aim::{ATTEMPTS, Aim, Bracket, Point, Verdict};
use crate::model::Model;
use crate::planned::Planned;
use crate::planning::Planning;
use crate::profile::PartTimes;
use crate::report::TimedPlan;
use crate::run::Pruned;
use crate::{Error, holds};
use benefit::Budget;

/// A plan that was timed.
struct Attempt {
    pruned: Pruned,
    achieved_ns: f64,
    verdict: Verdict,
}

impl Attempt {
    fn value(&self) -> f64 {
        self.pruned.planned.solution.value
    }
}

/// All plans that were timed for one budget.
pub(crate) struct Attempts {
    pub(crate) budget: Budget,
    dense_ns: f64,
    aim: Aim,
    timed: Vec<Attempt>,
}

impl Attempts {
    pub(crate) fn new(budget: Budget, dense_ns: f64) -> Attempts {
        Attempts { budget, dense_ns, aim: Aim::new(budget.limit_ns(dense_ns)), timed: Vec::new() }
    }

    pub(crate) fn is_first(&self) -> bool {
        self.timed.is_empty()
    }

    /// Whether a plan that was timed holds the budget.
    pub(crate) fn is_met(&self) -> bool {
        self.timed.iter().any(|attempt| attempt.verdict.is_within())
    }

    fn is_over(&self) -> bool {
        self.timed.len() >= ATTEMPTS || self.timed.last().is_some_and(|last| last.verdict == Verdict::Close)
    }

    /// Returns where to look for the next plan, by what `planning` has learned; `None` if no other is to be timed.
    pub(crate) fn bracket(&self, planning: &Planning<'_>) -> Option<Bracket> {
        if self.is_over() {
            return None;
        }
        let dense_ns = planning.predicted_ns(&planning.problem.dense());
        let point = |attempt: &Attempt| Point {
            predicted_ns: planning.predicted_ns(&attempt.pruned.planned.solution.levels),
            achieved_ns: attempt.achieved_ns,
            is_within: attempt.verdict.is_within(),
        };
        Some(self.aim.bracket(dense_ns, &self.timed.iter().map(point).collect::<Vec<_>>()))
    }

    /// Returns whether a plan holds the budget, if that is known without timing it: it was timed before, or it changes
    /// nothing.
    pub(crate) fn known(&self, planned: &Planned) -> Option<bool> {
        let timed = self.timed.iter().find(|attempt| attempt.pruned.planned.plan == planned.plan);
        match timed {
            Some(attempt) => Some(attempt.verdict.is_within()),
            // Of the first plan the user is told that the model holds the budget as it is.
            None => (planned.plan.groups.is_empty() && !self.is_first()).then_some(false),
        }
    }

    /// Judges a plan by its time, and lets `planning` learn from it.
    pub(crate) fn add(
        &mut self,
        mut pruned: Pruned,
        parts: Option<PartTimes>,
        planning: &mut Planning<'_>,
    ) -> Result<(), Error> {
        let achieved_ns = match self.budget {
            Budget::Ns(_) => pruned.pair.pruned_ns,
            // Of the latency that the budget was computed from; the ratio itself is free of drift.
            _ => pruned.pair.ratio * self.dense_ns,
        };
        let verdict = if pruned.pair.ratio_interval[1] < 1.0 { self.aim.judge(achieved_ns) } else { Verdict::Slow };
        planning.learn(&pruned.planned.solution.levels, achieved_ns, parts)?;
        pruned.latency_fit = planning.latency_fit;
        pruned.rounds = self.timed.len() + 1;
        self.timed.push(Attempt { pruned, achieved_ns, verdict });
        Ok(())
    }

    /// Returns the plan within the budget that has the highest value. A plan that misses the budget by what noise explains
    /// is returned only if no plan is within it.
    pub(crate) fn best(mut self, model: &Model) -> Result<Pruned, Error> {
        let candidates = self.timed.iter().enumerate().filter(|(_, attempt)| attempt.verdict != Verdict::Slow);
        let best = candidates.max_by(|(_, a), (_, b)| {
            a.verdict.is_within().cmp(&b.verdict.is_within()).then(a.value().total_cmp(&b.value()))
        });
        let Some((best, _)) = best else { return Err(self.refuted(model)) };
        let below_budget = self.below_budget(&self.timed[best]);
        let timed = self.timed.iter().map(|Attempt { pruned, achieved_ns, .. }| TimedPlan {
            predicted_ratio: pruned.planned.solution.ratio(),
            ratio: achieved_ns / self.dense_ns,
        });
        let timed = timed.collect();
        let mut pruned = self.timed.swap_remove(best).pruned;
        pruned.timed = timed;
        pruned.below_budget = below_budget;
        Ok(pruned)
    }

    /// Says why a plan leaves more of the budget than timing explains; `None` if it does not.
    fn below_budget(&self, best: &Attempt) -> Option<String> {
        if best.verdict != Verdict::Fast {
            return None;
        }
        let left = 100.0 * (1.0 - self.aim.used(best.achieved_ns));
        let time = |ns: f64| match self.budget {
            Budget::Ns(_) => format!("{:.4} ms", ns / 1e6),
            _ => format!("{:.3}x", ns / self.dense_ns),
        };
        let slower = || self.timed.iter().filter(|attempt| attempt.achieved_ns > best.achieved_ns);
        let least = |a: &&Attempt, b: &&Attempt| a.achieved_ns.total_cmp(&b.achieved_ns);
        let wider = slower().filter(|attempt| attempt.value() >= best.value()).min_by(least);
        let why = match (wider, slower().min_by(least)) {
            (Some(wider), _) if self.is_over() => {
                format!(
                    "{} plans were timed, and the next wider one takes {}",
                    self.timed.len(),
                    time(wider.achieved_ns)
                )
            }
            (Some(wider), _) => format!("the next wider plan takes {}", time(wider.achieved_ns)),
            (None, Some(other)) => format!("the plan that takes {} has a lower value", time(other.achieved_ns)),
            (None, None) => "no wider plan was found".to_owned(),
        };
        Some(format!("{left:.1} % of the budget is left: {why}"))
    }

    /// Says why no plan was taken: the last one that was timed shows it.
    fn refuted(&self, model: &Model) -> Error {
        let Some(Attempt { pruned, .. }) = self.timed.last() else {
            return Error::NotFaster { why: "no plan was timed".to_owned(), remedy: "ask for a higher latency" };
        };
        let (pair, Planned { problem, solution, .. }) = (pruned.pair, &pruned.planned);
        let slowest = holds::slowest(model.network(), problem, &solution.levels);
        let [low, high] = pair.ratio_interval;
        let measured = format!("{:.3}x [{low:.3}, {high:.3}] of the dense model's latency", pair.ratio);
        if high >= 1.0 {
            return Error::NotFaster {
                why: format!("the pruned model is not faster: {measured}; most of its time goes to {slowest}"),
                remedy: "ask for a lower latency, or leave this model as it is",
            };
        }
        Error::NotFaster {
            why: format!(
                "the plans came to {measured}, over the budget of {}; most of it goes to {slowest}",
                self.budget
            ),
            remedy: "ask for a higher latency, or run on a quieter machine",
        }
    }
}
