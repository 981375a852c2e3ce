//! The whole way: steps, plan, surgery, verification.

use crate::align::align;
use crate::calib::{Calib, Damage};
use crate::counts::Counts;
use crate::explain::explain;
use crate::measure::Measurer;
use crate::model::Model;
use crate::planned::{Circumstances, Planned};
use crate::planning::Planning;
use crate::remembered::Remembered;
use crate::report::{AlignReport, ExplainReport, FrontierReport, StepsReport};
use crate::steps::steps;
use crate::sweeps::{SearchKind, SweepOptions};
use crate::{Error, Shard, Watch, engine, frontier, sizes};
use benefit::{Budget, Criterion, Exact, Limits, Magnitude, Planner, Scope, Solution, Value};
use netspec::ConvSpec;
use sharing::Store;
use stairstep::{Config, Search};
use std::fmt;
use std::sync::Arc;
use timing::{LatencySource, StopRule};

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
/// Every latency enters through the source: an engine by its name, or anything that implements [`LatencySource`].
///
/// ```
/// use locp::netspec::{ConvSpec, Measurement, Provenance};
/// use locp::{Budget, MemoryStore, Model, Pipeline, from_fn};
///
/// // A device on which channels come in blocks of eight.
/// let latency = |spec: &ConvSpec| {
///     let blocks = spec.c_in.div_ceil(8) * spec.c_out.div_ceil(8);
///     Ok(Measurement::exact((blocks * spec.height * spec.width) as f64 + 500.0, Provenance::Simulated))
/// };
/// # let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/fashion.onnx");
/// let model = Model::open(models.as_ref(), None)?;
/// let mut pipeline = Pipeline::new(from_fn(latency), MemoryStore::default());
/// let planned = pipeline.plan(&model, Budget::ratio(0.6))?;
/// assert!(planned.solution.predicted_ns <= 0.6 * planned.solution.dense_ns);
/// # Ok::<(), locp::Error>(())
/// ```
pub struct Pipeline<'a> {
    pub(crate) measurer: Measurer<'a>,
    pub(crate) planner: Box<dyn Planner + 'a>,
    value: Option<Arc<dyn Value + 'a>>,
    pub(crate) calib: Option<Calib>,
    pub(crate) options: Options,
    pub(crate) watch: Watch<'a>,
}

impl<'a> Pipeline<'a> {
    /// A source of latencies, the table in front of it, and the defaults: three-point search, the planner [`Exact`], the
    /// squared weights of each layer as the value of its channels.
    pub fn new(source: impl LatencySource + 'a, table: impl Store + 'a) -> Pipeline<'a> {
        Pipeline {
            measurer: Measurer::new(source, table),
            planner: Box::new(Exact::default()),
            value: None,
            calib: None,
            options: Options::default(),
            watch: Watch::default(),
        }
    }

    /// Sets what may change, and how finely it is looked at.
    pub fn options(mut self, options: Options) -> Pipeline<'a> {
        self.measurer = self.measurer.seed(options.seed);
        self.options = options;
        self
    }

    /// Sets what long work reports to, and what can stop it.
    pub fn watch(mut self, watch: Watch<'a>) -> Pipeline<'a> {
        self.measurer = self.measurer.cancel(&watch.cancel);
        self.watch = watch;
        self
    }

    /// Sets how the steps of each line of widths are searched; see [`SearchKind::own`].
    pub fn search<S: Search + 'static>(mut self, make: impl Fn(&Config) -> S + Send + Sync + 'static) -> Pipeline<'a> {
        self.options.sweeps.search = SearchKind::own(make);
        self
    }

    /// Sets when the readings of one convolution suffice.
    pub fn stop_rule(mut self, rule: impl StopRule + Clone + Send + Sync + 'static) -> Pipeline<'a> {
        self.measurer = self.measurer.stop_rule(rule);
        self
    }

    /// Sets the planner.
    pub fn planner(mut self, planner: impl Planner + 'a) -> Pipeline<'a> {
        self.planner = Box::new(planner);
        self
    }

    /// Sets the value of channels, for the groups of the model that is planned for.
    pub fn value(mut self, value: impl Value + 'a) -> Pipeline<'a> {
        self.value = Some(Arc::new(value));
        self
    }

    /// Sets images without labels: [`run`](Self::run) reconstructs the weights that remain from what the model computed
    /// on them, and unless a value is given, plans go by the damage to the model's outputs on them.
    ///
    /// Where the source runs no whole models, tract runs them in its place.
    pub fn calib(mut self, calib: Calib) -> Pipeline<'a> {
        self.calib = Some(calib);
        self
    }

    /// Returns the measuring end, with its counts.
    pub fn measurer(&mut self) -> &mut Measurer<'a> {
        &mut self.measurer
    }

    /// Fills the table with what a plan may need, or with the part of it that `shard` names.
    pub fn measure(&mut self, model: &Model, shard: Option<Shard>) -> Result<StepsReport, Error> {
        sizes::check_timed(model)?;
        let specs = model.network().specs();
        let specs = shard.map_or(specs.clone(), |shard| shard.of(specs, ConvSpec::macs));
        self.measurer.get(&specs)?;
        let options = SweepOptions { shard, ..self.options.sweeps.clone() };
        steps(model, None, &mut self.measurer, &options, self.watch.progress)
    }

    /// Searches the staircases of all layers that pruning could change, or of the one named, each distinct one once.
    pub fn steps(&mut self, model: &Model, layer: Option<&str>) -> Result<StepsReport, Error> {
        sizes::check_timed(model)?;
        steps(model, layer, &mut self.measurer, &self.options.sweeps, self.watch.progress)
    }

    /// Explains every group of the model, or those of which the layer named is a member: what pruning it saves, and how
    /// far it can grow for nothing.
    pub fn explain(&mut self, model: &Model, layer: Option<&str>) -> Result<ExplainReport, Error> {
        sizes::check_timed(model)?;
        explain(model, layer, &mut self.measurer, &self.options.sweeps, self.watch.progress)
    }

    /// Moves every width of `counts` to one next to it that pays; at most the share `max_loss` of a group's channels is
    /// given up for it. See [`Pipeline::value`] for which channels stay.
    pub fn align(&mut self, model: &Model, counts: &Counts, max_loss: f64) -> Result<AlignReport, Error> {
        let value = self.value_of(model)?;
        align(model, counts, &value, max_loss, &mut self.measurer, &self.watch)
    }

    /// Steps and plan, without surgery.
    pub fn plan(&mut self, model: &Model, budget: Budget) -> Result<Planned, Error> {
        let value = self.value_of(model)?;
        let mut planning = self.state(model, &value)?;
        let limit_ns = budget.limit_ns(planning.dense_ns);
        planning.aim_at(limit_ns)?;
        self.solve(&mut planning, &value, budget, limit_ns)?.within(limit_ns)
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
            planning.aim_at(limit_ns)?;
            match self.solve(&mut planning, &value, budget, limit_ns).and_then(|planned| planned.within(limit_ns)) {
                Ok(planned) => plans.push((share, planned)),
                Err(why) if why.is_an_answer() && !plans.is_empty() => {
                    ends = Some(why.to_string());
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let header = self.measurer.header("locp.frontier/1");
        let nothing = || Error::NotFaster { why: "no latency was asked for".to_owned(), remedy: "ask for some" };
        frontier::report(header, &plans, ends, &mut self.measurer).ok_or_else(nothing)
    }

    /// What removing channels of the model is taken to lose.
    pub(crate) fn value_of<'v>(&mut self, model: &'v Model) -> Result<Remembered<'v>, Error>
    where
        'a: 'v,
    {
        let value: Box<dyn Value + 'v> = match (&self.value, &self.calib) {
            (Some(value), _) => Box::new(Arc::clone(value)),
            (None, Some(calib)) => {
                let prune_residual = self.options.limits.get_prune_residual();
                let models = engine::runner(self.measurer.source(), "calibration")?;
                Box::new(Damage::new(&*models, model, calib, prune_residual, &self.watch)?)
            }
            (None, None) => {
                Box::new(Magnitude::new(model.network(), model.onnx(), Criterion::default(), Scope::default()))
            }
        };
        Ok(Remembered::new(value, model.network().groups.len()))
    }

    /// Measures the dense network and its staircases, and states the problem.
    pub(crate) fn state<'m>(&mut self, model: &'m Model, value: &dyn Value) -> Result<Planning<'m>, Error> {
        let Options { limits, sweeps, .. } = &self.options;
        Planning::new(model, &mut self.measurer, value, limits, sweeps, &self.watch)
    }

    /// `budget` is what was asked for, `limit_ns` what this attempt aims at.
    pub(crate) fn solve(
        &mut self,
        planning: &mut Planning<'_>,
        value: &dyn Value,
        budget: Budget,
        limit_ns: f64,
    ) -> Result<Planned, Error> {
        let solution = planning.solve(&*self.planner, limit_ns, &mut self.measurer, self.watch.progress)?;
        self.planned(planning, value, budget, limit_ns, solution)
    }

    /// A planner's solution as a plan, if it is worth as much as was asked for.
    pub(crate) fn planned(
        &mut self,
        planning: &Planning<'_>,
        value: &dyn Value,
        budget: Budget,
        limit_ns: f64,
        solution: Solution,
    ) -> Result<Planned, Error> {
        let floor = planning.model.constraints().value_floor;
        if let Some(floor) = floor.filter(|floor| solution.value < *floor) {
            let (limit_ms, value, bound) = (limit_ns / 1e6, solution.value, solution.bound);
            return Err(Error::Floor { limit_ms, value, floor, bound });
        }
        let header = self.measurer.header("locp.plan/1");
        let covers = self.measurer.covers();
        Planned::new(planning, solution, Circumstances { header, covers, budget, limits: &self.options.limits, value })
    }
}

impl fmt::Debug for Pipeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("measurer", &self.measurer)
            .field("options", &self.options)
            .field("calib", &self.calib)
            .finish_non_exhaustive()
    }
}
