//! The main loop: plan, prune, time, aim again, or refuse.

use crate::apply::carried_out;
use crate::attempts::Attempts;
use crate::calib::{self, Calib, Repair};
use crate::model::Model;
use crate::pipeline::Pipeline;
use crate::planned::Planned;
use crate::planning::Planning;
use crate::profile::PartTimes;
use crate::report::TimedPlan;
use crate::whole::{self, Pair};
use crate::{Error, Watch, engine};
use benefit::{Budget, LatencyFit, Value};
use std::path::{Path, PathBuf};
use timing::ModelBackend;

/// A pruned model that was proven faster, not yet written.
#[derive(Debug)]
pub struct Pruned {
    /// The plan that was carried out.
    pub planned: Planned,
    /// The number of plans that were timed.
    pub rounds: usize,
    /// What was predicted of each plan that was timed for this budget and what it took, in their order.
    pub timed: Vec<TimedPlan>,
    /// How the sum of the layers and the whole model differ, by all plans that were timed until this one.
    pub latency_fit: LatencyFit,
    /// Why more than 3 % of the budget is left; `None` if it is used.
    pub below_budget: Option<String>,
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
        let pruned = Model::open(&self.path, dense.sizes().clone())?;
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
    /// A plan that turns out too slow, or faster than the budget allows, is made again with what was learned; of those
    /// within the budget the one with the highest value is returned. If more than 3 % of the budget is left,
    /// [`Pruned::below_budget`] says why.
    pub fn run(&mut self, model: &Model, budget: Budget) -> Result<Pruned, Error> {
        let value = self.value_of(model)?;
        let mut planning = self.state(model, &value)?;
        planning.aim_at(budget.limit_ns(planning.dense_ns))?;
        let mut attempts = Attempts::new(budget, planning.dense_ns);
        while let Some(planned) = self.next_plan(&mut planning, &value, &mut attempts)? {
            let (pruned, parts) = self.carry_out(model, planned, &planning)?;
            attempts.add(pruned, parts, &mut planning)?;
        }
        let mut best = attempts.best(model)?;
        if let Some(calib) = &self.calib {
            let models = engine::runner(self.measurer.source(), "calibration")?;
            best.repair(model, &*models, calib, &self.watch)?;
        }
        Ok(best)
    }

    /// Returns the next plan to be timed; `None` if there is none that was not timed yet, or none is needed.
    fn next_plan(
        &mut self,
        planning: &mut Planning<'_>,
        value: &dyn Value,
        attempts: &mut Attempts,
    ) -> Result<Option<Planned>, Error> {
        let mut next = attempts.bracket(planning);
        while let Some(bracket) = next {
            let planned = match self.solve(planning, value, attempts.budget, bracket.limit_ns) {
                // The first limit is the user's own; a later one is ours, and its failure says nothing to them.
                Err(why) if why.is_an_answer() && !attempts.is_first() => break,
                planned => planned?,
            };
            // Timing a plan again until it happens to pass would prove nothing: the limit moves on instead.
            next = match attempts.known(&planned) {
                None => return Ok(Some(planned)),
                Some(true) => bracket.raised(),
                Some(false) => bracket.lowered(),
            };
        }
        self.narrowest_plan(planning, value, attempts)
    }

    /// Returns the narrowest network, if no plan holds the budget and it is known to; `None` if it was timed as a plan.
    fn narrowest_plan(
        &mut self,
        planning: &Planning<'_>,
        value: &dyn Value,
        attempts: &Attempts,
    ) -> Result<Option<Planned>, Error> {
        let limit_ns = attempts.budget.limit_ns(planning.dense_ns);
        let Some(solution) = planning.narrowest_within(limit_ns).filter(|_| !attempts.is_met()) else {
            return Ok(None);
        };
        let planned = self.planned(planning, value, attempts.budget, limit_ns, solution)?;
        Ok(attempts.known(&planned).is_none().then_some(planned))
    }

    /// Surgery and verification of one plan, and what its parts take, as shares of the dense latency.
    fn carry_out(
        &mut self,
        model: &Model,
        planned: Planned,
        planning: &Planning<'_>,
    ) -> Result<(Pruned, Option<PartTimes>), Error> {
        if planned.plan.groups.is_empty() {
            return Err(Error::NotFaster {
                why: format!("the model takes {:.4} ms, which holds the budget as it is", planned.report.dense_ms),
                remedy: "ask for a lower latency",
            });
        }
        let (folder, smaller) = carried_out(model, &planned.plan)?;
        let pair = whole::compare(self.measurer.source(), [model, &smaller], &self.watch)?;
        let parts = planning.names.profile(self.measurer.source(), &smaller)?;
        let parts = parts.map(|parts| parts.scaled(1.0 / pair.dense_ns));
        let parameters = [model, &smaller].map(|m| m.network().parameters);
        let path = smaller.path().to_owned();
        let (latency_fit, repair, below_budget) = (planning.latency_fit, None, None);
        let pruned = Pruned {
            planned,
            rounds: 0,
            timed: Vec::new(),
            latency_fit,
            below_budget,
            repair,
            pair,
            folder,
            path,
            parameters,
        };
        Ok((pruned, parts))
    }
}
