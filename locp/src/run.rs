//! The main loop: plan, prune, time, aim again, or refuse.

use crate::aim::{ATTEMPTS, Aim, Verdict};
use crate::apply::carried_out;
use crate::calib::{self, Calib, Repair};
use crate::model::Model;
use crate::pipeline::Pipeline;
use crate::planned::Planned;
use crate::whole::{self, Pair};
use crate::{Error, Watch, engine, holds};
use benefit::{Budget, Calibration};
use std::path::{Path, PathBuf};
use timing::ModelBackend;

/// A pruned model that was proven faster, not yet written.
#[derive(Debug)]
pub struct Pruned {
    /// The plan that was carried out.
    pub planned: Planned,
    /// Plans that were timed.
    pub rounds: usize,
    /// How the sum of the layers and the whole model differ, by all plans that were timed until this one.
    pub calibration: Calibration,
    /// What calibration images repaired, if there were any.
    pub repair: Option<Repair>,
    pub(crate) pair: Pair,
    /// Holds the model's files until they are written for good.
    folder: tempfile::TempDir,
    path: PathBuf,
    parameters: [usize; 2],
}

impl Pruned {
    /// The pruned model's latency as a share of the dense one's, measured.
    pub fn ratio(&self) -> f64 {
        self.pair.ratio
    }

    /// Writes the pruned model, all or nothing; where the original keeps data in other files, `<output>.data`, too.
    ///
    /// What was timed is what is written, with other weights where it was repaired: a copy, piece by piece, of
    /// [`path`](Self::path).
    pub fn write(&self, output: &Path) -> Result<(), Error> {
        Ok(onnx_surgery::Model::open(self.path())?.write(output)?)
    }

    /// Elements of all weights before and after.
    pub fn parameters(&self) -> [usize; 2] {
        self.parameters
    }

    /// Gives it weights that are fitted to the dense model; its shapes, and so its latency, stay.
    fn repair(
        &mut self,
        dense: &Model,
        models: &dyn ModelBackend,
        calib: &Calib,
        watch: &Watch<'_>,
    ) -> Result<(), Error> {
        let pruned = Model::open(&self.path, Some(dense.batch()))?;
        let repair = calib::repair(models, [dense, &pruned], &self.planned.plan, calib, watch)?;
        let path = self.folder.path().join("repaired.onnx");
        repair.write(&pruned, &path)?;
        (self.path, self.repair) = (path, Some(repair));
        Ok(())
    }

    /// The pruned model as a temporary file, for as long as this value lives.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Pipeline<'_> {
    /// Steps, plan, surgery and verification. What comes back is faster, and within 2 % of the budget or below it,
    /// as measured.
    ///
    /// A plan that turns out too slow, or faster than was asked for, is made again with what was learned; of those
    /// within the budget the one with the highest value is returned.
    pub fn run(&mut self, model: &Model, budget: Budget) -> Result<Pruned, Error> {
        let value = self.value_of(model)?;
        let mut planning = self.state(model, &value)?;
        let mut aim = Aim::new(budget.limit_ns(planning.dense_ns));
        let mut timed: Vec<(Verdict, Pruned)> = Vec::new();
        for round in 1..=ATTEMPTS {
            let planned = match self.solve(&mut planning, &value, budget, aim.limit_ns) {
                // The first limit is the user's own; a later one is ours, and its failure says nothing to them.
                Err(why) if why.is_an_answer() && !timed.is_empty() => break,
                planned => planned?,
            };
            let is_known = timed.iter().any(|(_, earlier)| earlier.planned.plan == planned.plan);
            // Timing a plan again until it happens to pass would prove nothing.
            if is_known || (planned.plan.groups.is_empty() && !timed.is_empty()) {
                break;
            }
            let mut pruned = self.carry_out(model, planned, round, planning.calibration)?;
            let achieved_ns = match budget {
                Budget::Ns(_) => pruned.pair.pruned_ns,
                // Of the latency that the budget was computed from; the ratio itself is free of drift.
                _ => pruned.pair.ratio * planning.dense_ns,
            };
            let verdict = if pruned.pair.ratio_interval[1] < 1.0 { aim.judge(achieved_ns) } else { Verdict::Slow };
            let predicted_ns = planning.learn(&pruned.planned.solution.levels, achieved_ns)?;
            aim.correct(predicted_ns, achieved_ns);
            pruned.calibration = planning.calibration;
            timed.push((verdict, pruned));
            if verdict == Verdict::Close {
                break;
            }
        }
        let mut best = best(timed, budget, model)?;
        if let Some(calib) = &self.calib {
            let models = engine::runner(self.measurer.source(), "calibration")?;
            best.repair(model, &*models, calib, &self.watch)?;
        }
        Ok(best)
    }

    /// Surgery and verification of one plan.
    fn carry_out(
        &mut self,
        model: &Model,
        planned: Planned,
        rounds: usize,
        calibration: Calibration,
    ) -> Result<Pruned, Error> {
        if planned.plan.groups.is_empty() {
            return Err(Error::NotFaster {
                why: format!("the model takes {:.4} ms, which holds the budget as it is", planned.report.dense_ms),
                remedy: "ask for a lower latency",
            });
        }
        let (folder, smaller) = carried_out(model, &planned.plan)?;
        let pair = whole::compare(self.measurer.source(), [model, &smaller], &self.watch)?;
        let parameters = [model, &smaller].map(|m| m.network().parameters);
        let path = smaller.path().to_owned();
        Ok(Pruned { planned, rounds, calibration, repair: None, pair, folder, path, parameters })
    }
}

/// Of the plans within the budget the one with the highest value; of those that miss it by what noise explains, one
/// only where there is no other.
fn best(timed: Vec<(Verdict, Pruned)>, budget: Budget, model: &Model) -> Result<Pruned, Error> {
    let last = timed.last().map(|(_, pruned)| {
        let Planned { problem, solution, .. } = &pruned.planned;
        (pruned.pair, holds::slowest(model.network(), problem, &solution.levels))
    });
    let rank = |verdict: Verdict| usize::from(matches!(verdict, Verdict::Fast | Verdict::Close));
    let candidates = timed.into_iter().filter(|(verdict, _)| *verdict != Verdict::Slow);
    let best = candidates.max_by(|(a, first), (b, second)| {
        let values = (first.planned.solution.value, second.planned.solution.value);
        rank(*a).cmp(&rank(*b)).then(values.0.total_cmp(&values.1))
    });
    best.map(|(_, pruned)| pruned).ok_or_else(|| refuted(last, budget))
}

/// Why no plan was taken: the last one that was timed tells.
fn refuted(last: Option<(Pair, String)>, budget: Budget) -> Error {
    let Some((pair, slowest)) = last else {
        return Error::NotFaster { why: "no plan was timed".to_owned(), remedy: "ask for a higher latency" };
    };
    let [low, high] = pair.ratio_interval;
    let measured = format!("{:.3}x [{low:.3}, {high:.3}] of the dense model's latency", pair.ratio);
    if high >= 1.0 {
        return Error::NotFaster {
            why: format!("the pruned model is not faster: {measured}; most of its time goes to {slowest}"),
            remedy: "ask for a lower latency, or leave this model as it is",
        };
    }
    Error::NotFaster {
        why: format!("the plans came to {measured}, over the budget of {budget}; most of it goes to {slowest}"),
        remedy: "ask for a higher latency, or run on a quieter machine",
    }
}
