//! The whole way: steps, plan, surgery, verification.

use crate::aim::{ATTEMPTS, Aim, Verdict};
use crate::apply::carried_out;
use crate::calib::{self, Calib, Damage, Repair};
use crate::engine::Engine;
use crate::measure::Measurer;
use crate::model::Model;
use crate::planning::Planning;
use crate::remembered::Remembered;
use crate::report::{BudgetReport, ConstraintsReport, FrontierReport, PlanReport};
use crate::sweeps::SweepOptions;
use crate::whole::{self, Pair};
use crate::{Error, Watch, frontier, holds};
use benefit::{Budget, Calibration, Criterion, Limits, Magnitude, Planner, Problem, Scope, Solution, TwoStage, Value};
use netspec::{GroupPlan, PrunePlan};
use sharing::Store;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use timing::ModelBackend;

/// What a pipeline may change, and how finely it looks.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// How far the network may be pruned.
    pub limits: Limits,
    /// What is swept.
    pub sweeps: SweepOptions,
    /// Seed of every random choice.
    pub seed: u64,
}

/// Steps, plan, surgery and verification, with every stage replaceable.
///
/// ```no_run
/// use benefit::Budget;
/// use locp::{Engine, Model, Pipeline};
///
/// let engine = Engine::named("tract", 1, 0)?;
/// let model = Model::open("model.onnx".as_ref(), None)?;
/// let mut pipeline = Pipeline::new(&engine, Box::new(sharing::MemoryStore::new(sharing::TableKind::Live)))?;
/// let pruned = pipeline.run(&model, Budget::ratio(0.6))?;
/// println!("{:.3}x of today's latency", pruned.ratio());
/// pruned.write("pruned.onnx".as_ref())?;
/// # Ok::<(), locp::Error>(())
/// ```
pub struct Pipeline<'a> {
    engine: &'a Engine,
    measurer: Measurer<'a>,
    planner: Box<dyn Planner + 'a>,
    value: Option<Arc<dyn Value + 'a>>,
    calib: Option<Calib>,
    options: Options,
    watch: Watch<'a>,
}

/// A plan with its prediction.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What every group keeps.
    pub plan: PrunePlan,
    /// The planner's answer.
    pub solution: Solution,
    /// The plan as it is reported and written.
    pub report: PlanReport,
    /// The problem as it stood at the end, with all cells that were measured for it: for a bug report, or for another
    /// planner.
    pub problem: Problem,
}

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

impl<'a> Pipeline<'a> {
    /// An engine, the table behind it, and the defaults: the two-stage planner, nobody who listens.
    pub fn new(engine: &'a Engine, table: Box<dyn Store>) -> Result<Pipeline<'a>, Error> {
        Pipeline::with(engine, table, Options::default(), Watch::default())
    }

    /// The same with everything said.
    pub fn with(
        engine: &'a Engine,
        table: Box<dyn Store>,
        options: Options,
        watch: Watch<'a>,
    ) -> Result<Pipeline<'a>, Error> {
        let measurer = Measurer::new(engine, table, &watch.cancel, options.seed)?;
        Ok(Pipeline {
            engine,
            measurer,
            planner: Box::new(TwoStage::default()),
            value: None,
            calib: None,
            options,
            watch,
        })
    }

    /// Another planner.
    pub fn planner(mut self, planner: impl Planner + 'a) -> Pipeline<'a> {
        self.planner = Box::new(planner);
        self
    }

    /// Another value, for the groups of the model that is planned for; by default the squares of its weights, per layer.
    pub fn value(mut self, value: impl Value + 'a) -> Pipeline<'a> {
        self.value = Some(Arc::new(value));
        self
    }

    /// Images without labels: [`run`](Self::run) fits what remains of the model to what it computed on them, and
    /// unless another value is given, plans go by the damage to the model's outputs on them.
    ///
    /// Where the engine runs no whole models, tract runs them in its place.
    pub fn calib(mut self, calib: Calib) -> Pipeline<'a> {
        self.calib = Some(calib);
        self
    }

    /// The measuring end, with its counts.
    pub fn measurer(&mut self) -> &mut Measurer<'a> {
        &mut self.measurer
    }

    /// Steps and plan, without surgery.
    pub fn plan(&mut self, model: &Model, budget: Budget) -> Result<Planned, Error> {
        let value = self.value_of(model)?;
        let mut planning = self.state(model, &value)?;
        let limit_ns = budget.limit_ns(planning.dense_ns);
        held(self.solve(&mut planning, &value, budget, limit_ns)?, limit_ns)
    }

    /// Steps once, then a plan for each share of the dense latency, the largest first, each on measured cells; without
    /// surgery.
    ///
    /// It ends at the first share that cannot be reached, and says why; where that is the first one, that is the error.
    pub fn frontier(&mut self, model: &Model, shares: &[f64]) -> Result<FrontierReport, Error> {
        let value = self.value_of(model)?;
        let mut planning = self.state(model, &value)?;
        let mut shares: Vec<f64> = shares.to_vec();
        shares.sort_by(|a, b| b.total_cmp(a));
        let mut plans = Vec::new();
        let mut ends = None;
        for share in shares {
            let budget = Budget::ratio(share);
            let limit_ns = budget.limit_ns(planning.dense_ns);
            match self.solve(&mut planning, &value, budget, limit_ns).and_then(|planned| held(planned, limit_ns)) {
                Ok(planned) => plans.push((share, planned)),
                Err(why) if why.is_an_answer() && !plans.is_empty() => {
                    ends = Some(why.to_string());
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let header = self.engine.header("locp.frontier/1");
        let nothing = || Error::NotFaster { why: "no latency was asked for".to_owned(), remedy: "ask for some" };
        frontier::report(header, &plans, ends, &self.measurer).ok_or_else(nothing)
    }

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
            best.repair(model, &*self.engine.runner(), calib, &self.watch)?;
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
        let pair = whole::compare(self.engine, [model, &smaller], &self.watch)?;
        let parameters = [model, &smaller].map(|m| m.network().parameters);
        let path = smaller.path().to_owned();
        Ok(Pruned { planned, rounds, calibration, repair: None, pair, folder, path, parameters })
    }

    /// What removing channels of the model is taken to lose.
    fn value_of<'v>(&self, model: &'v Model) -> Result<Remembered<'v>, Error>
    where
        'a: 'v,
    {
        let value: Box<dyn Value + 'v> = match (&self.value, &self.calib) {
            (Some(value), _) => Box::new(Arc::clone(value)),
            (None, Some(calib)) => {
                let prune_residual = self.options.limits.get_prune_residual();
                Box::new(Damage::new(&*self.engine.runner(), model, calib, prune_residual, &self.watch)?)
            }
            (None, None) => {
                Box::new(Magnitude::new(model.network(), model.onnx(), Criterion::default(), Scope::default()))
            }
        };
        Ok(Remembered::new(value, model.network().groups.len()))
    }

    fn state<'m>(&mut self, model: &'m Model, value: &dyn Value) -> Result<Planning<'m>, Error> {
        let Options { limits, sweeps, .. } = &self.options;
        Planning::new(model, self.engine, &mut self.measurer, value, limits, sweeps, &self.watch)
    }

    /// `budget` is what was asked for, `limit_ns` what this attempt aims at.
    fn solve(
        &mut self,
        planning: &mut Planning<'_>,
        value: &dyn Value,
        budget: Budget,
        limit_ns: f64,
    ) -> Result<Planned, Error> {
        let solution = planning.solve(&*self.planner, limit_ns, &mut self.measurer, self.watch.progress)?;
        let model = planning.model;
        let floor = model.constraints().value_floor;
        if let Some(floor) = floor.filter(|floor| solution.value < *floor) {
            let (limit_ms, value, bound) = (limit_ns / 1e6, solution.value, solution.bound);
            return Err(Error::Floor { limit_ms, value, floor, bound });
        }
        let plan = solution.to_plan(model.network(), value)?;
        // Surgery knows the file's own constraints, not those that were added for this run.
        plan.validate(model.network()).map_err(onnx_surgery::SurgeryError::from)?;
        let prunable = model.network().groups.iter().filter(|group| group.frozen.is_none());
        let groups = prunable
            .map(|group| {
                let narrowed = plan.groups.iter().find(|narrowed| narrowed.id == group.id);
                narrowed.cloned().unwrap_or_else(|| GroupPlan::new(group, (0..group.channels).collect()))
            })
            .collect();
        let groups = PrunePlan { groups };
        let modules = groups.modules(model.network());
        let report = PlanReport {
            header: self.engine.header("locp.plan/1"),
            model: model.report(),
            batch: model.batch(),
            dtype: model.dtype(),
            budget: BudgetReport {
                ratio: if let Budget::Ratio(ratio) = budget { Some(ratio) } else { None },
                ms: budget.limit_ns(planning.dense_ns) / 1e6,
            },
            dense_ms: planning.dense_ns / 1e6,
            covers: self.engine.covers(),
            predicted_ms: solution.predicted_ns / 1e6,
            planner: solution.planner.clone(),
            value_kind: solution.value_kind.to_string(),
            value_name: value.name(),
            constraints: ConstraintsReport::new(&self.options.limits, model.constraints()),
            value: solution.value,
            bound: solution.bound,
            dense_value: solution.dense_value,
            gap: solution.gap(),
            stopped: solution.stopped.to_string(),
            cells_estimated: solution.estimated,
            estimate_error: planning.problem.estimate_error(),
            plan_rounds: planning.effort.rounds,
            cells_measured: planning.effort.measured,
            cells_afresh: planning.effort.afresh,
            groups: groups.groups,
            modules: modules.named,
            modules_unnamed: modules.unnamed,
        };
        Ok(Planned { plan, solution, report, problem: planning.problem.clone() })
    }
}

/// The plan, if it is predicted to hold its limit; where a whole model is timed, that has the last word instead.
fn held(planned: Planned, limit_ns: f64) -> Result<Planned, Error> {
    let over = planned.solution.predicted_ns / limit_ns;
    if over <= 1.0 + 1e-9 {
        return Ok(planned);
    }
    let rounds = planned.report.plan_rounds;
    Err(Error::NotFaster {
        why: format!("{rounds} plans were made and measured, and the last one takes {over:.3}x of the budget"),
        remedy: "measure on a quieter machine, or ask for a higher latency",
    })
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
