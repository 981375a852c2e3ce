//! A network's pruning problem: from staircases, kept up to date by what is measured.

use crate::apply::carried_out;
use crate::engine;
use crate::line::Line;
use crate::measure::Measurer;
use crate::model::Model;
use crate::probes;
use crate::profile::{Names, PartTimes};
use crate::report::Covers;
use crate::sweeps::{SweepOptions, Sweeps};
use crate::whole;
use crate::{Error, Watch};
use benefit::{
    Assumptions, CellUse, Knot, LatencyFit, LevelRule, Levels, Limits, Problem, ProblemBuilder, Profile, Reading,
    Solution, Value,
};
use netspec::{Axis, ConvSpec, Measurement, Network, StopReason};
use std::collections::HashSet;

/// By how much a fit by profiles may miss whole runs more than one without.
const PROFILED: f64 = 0.002;

/// What a plan took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Effort {
    /// Times that the problem was solved.
    pub(crate) rounds: usize,
    /// Cells that were estimates and were asked for.
    pub(crate) measured: usize,
    /// Cells of proposed plans that were measured once more.
    pub(crate) afresh: usize,
}

/// A network's pruning problem and what it was made from.
pub(crate) struct Planning<'a> {
    pub(crate) model: &'a Model,
    pub(crate) problem: Problem,
    /// Latency of the dense network in nanoseconds, measured.
    pub(crate) dense_ns: f64,
    /// What takes a nanosecond in the table takes so long now: its cells may be from a quieter or busier hour. The
    /// problem is in the table's nanoseconds, `dense_ns` in those of now.
    pub(crate) drift: f64,
    /// Runs of the whole model, in the problem's nanoseconds, and what they say of sum and whole.
    readings: Vec<Reading>,
    /// What layers and operators took in some of these runs.
    profiles: Vec<Profile>,
    pub(crate) names: Names,
    assumed: Assumptions,
    pub(crate) latency_fit: LatencyFit,
    /// The narrowest network, if it was timed.
    pub(crate) narrowest: Option<Reading>,
    /// What the last plan took.
    pub(crate) effort: Effort,
    /// What was measured afresh: once each, or a plan could flip between two readings of one cell for ever.
    pub(crate) fresh: HashSet<ConvSpec>,
}

impl<'a> Planning<'a> {
    /// Measures the dense network and its staircases, and states the problem.
    pub(crate) fn new(
        model: &'a Model,
        measurer: &mut Measurer<'_>,
        value: &dyn Value,
        limits: &Limits,
        options: &SweepOptions,
        watch: &Watch<'_>,
    ) -> Result<Planning<'a>, Error> {
        let network = model.network();
        check_prunable(model, limits)?;
        engine::check_model(measurer.source(), model)?;
        // Before anything is measured: it reads the weights.
        let mut builder = ProblemBuilder::from_network(network, limits, value)?;
        let sweeps = Sweeps::search(network, None, measurer, options, watch.progress)?;
        for (i, layer) in network.layers.iter().enumerate() {
            let lines = Line::of(layer, network, options.residual);
            for line in &lines {
                let swept = sweeps.get(line).expect("every line of the network was searched");
                builder.sweep(i, line.axis, swept.knots.clone());
            }
            // A layer without a line never changes, or only on an axis that no line prices: its one known width.
            if !lines.iter().any(|line| line.axis == Axis::COut) {
                let m = measurer.get(std::slice::from_ref(&layer.spec))?.swap_remove(0);
                let knot = Knot { channels: layer.spec.c_out, ns: m.median_ns, provenance: m.provenance };
                builder.sweep(i, Axis::COut, vec![knot]);
            }
        }
        builder.levels_from_sweeps(&LevelRule::default().tolerance(options.tolerance / 3.0));
        let mut problem = builder.build()?;
        remember(&mut problem, network, measurer)?;
        let table_ns: f64 = problem.cells(&problem.dense()).iter().map(|used| used.cell.ns).sum();
        let [dense_ns, parts_ns] = whole::with_parts(measurer.source(), model, watch)?;
        let drift = if table_ns > 0.0 { parts_ns / table_ns } else { 1.0 };
        // Without whole models nothing runs but convolutions, and without convolutions nothing but operators.
        let most_ns_per_element = match measurer.covers() {
            Covers::WholeModel if network.layers.is_empty() => f64::INFINITY,
            Covers::WholeModel => table_ns / moved_elements(network),
            Covers::Convolutions => 0.0,
        };
        let assumed = Assumptions { most_ns_per_element, near_ns: None };
        let readings = vec![Reading { levels: problem.dense(), ns: dense_ns / drift }];
        let latency_fit = benefit::fit_latency(&problem, &readings, assumed)?;
        let (effort, fresh, narrowest) = (Effort::default(), HashSet::new(), None);
        let (profiles, names) = (Vec::new(), Names::new(model));
        let mut planning = Planning {
            model,
            problem,
            dense_ns,
            drift,
            readings,
            profiles,
            names,
            assumed,
            latency_fit,
            narrowest,
            effort,
            fresh,
        };
        if measurer.covers() == Covers::WholeModel {
            planning.probe(measurer, value, watch)?;
        }
        planning.fit()?;
        Ok(planning)
    }

    /// Times the narrowest network and some in between, and measures their layers.
    fn probe(&mut self, measurer: &mut Measurer<'_>, value: &dyn Value, watch: &Watch<'_>) -> Result<(), Error> {
        let probes = probes::levels(&self.problem);
        watch.progress.begin("probes", None);
        let mut networks = Vec::new();
        for levels in &probes {
            let cells = self.problem.unmeasured_cells(levels);
            // They are measured now, whenever the rest of the table was.
            self.measure(&cells, self.drift, |specs| measurer.get(specs))?;
            let plan = Solution::new(&self.problem, "probe", levels.clone()).to_plan(self.model.network(), value)?;
            networks.push(carried_out(self.model, &plan)?);
        }
        self.problem.refit();
        let models: Vec<&Model> = std::iter::once(self.model).chain(networks.iter().map(|(_, model)| model)).collect();
        let probed = probes::take(measurer.source(), &models, &self.names, watch)?;
        watch.progress.end("");
        let dense = self.readings[0].clone();
        for (index, (levels, probed)) in std::iter::once(dense.levels).chain(probes).zip(probed).enumerate() {
            self.add_profile(&levels, probed.parts);
            // The dense model's own latency is known.
            if index > 0 {
                self.readings.push(Reading { levels, ns: probed.ratio * dense.ns });
            }
        }
        self.narrowest = self.readings.get(1).cloned();
        Ok(())
    }

    /// Takes over what parts of a whole model took, as shares of the dense latency.
    fn add_profile(&mut self, levels: &Levels, parts: Option<PartTimes>) {
        let Some(parts) = parts else { return };
        let PartTimes { layers, operators } = parts.scaled(self.readings[0].ns);
        self.profiles.push(Profile { levels: levels.clone(), layers, operators });
    }

    /// Makes predictions best around a latency, in the time of `dense_ns`.
    pub(crate) fn aim_at(&mut self, limit_ns: f64) -> Result<(), Error> {
        self.assumed.near_ns = Some(limit_ns / self.drift);
        self.fit()
    }

    /// Takes a run of the whole model, in the time of `dense_ns`, into account: all runs so far show how sum and whole
    /// differ.
    ///
    /// `parts` are what its parts took, as shares of the dense latency.
    pub(crate) fn learn(&mut self, levels: &Levels, achieved_ns: f64, parts: Option<PartTimes>) -> Result<(), Error> {
        self.add_profile(levels, parts);
        self.readings.push(Reading { levels: levels.clone(), ns: achieved_ns / self.drift });
        self.fit()
    }

    /// Relates the sum of the parts and the whole model, by the profiles if that explains the whole runs about as well as
    /// the runs alone: in models of a few microseconds per node a profiler times itself.
    fn fit(&mut self) -> Result<(), Error> {
        self.problem.forget_profiles();
        self.latency_fit = benefit::fit_latency(&self.problem, &self.readings, self.assumed)?;
        if !self.profiles.is_empty() {
            let mut profiled = self.problem.clone();
            profiled.fit_profiles(&self.profiles);
            let fit = benefit::fit_latency(&profiled, &self.readings, self.assumed)?;
            if fit.residual <= self.latency_fit.residual + PROFILED {
                (self.problem, self.latency_fit) = (profiled, fit);
            }
        }
        Ok(self.problem.apply(&self.latency_fit)?)
    }

    /// Returns the narrowest network as a plan, if it was timed and takes at most `limit_ns`, in the time of `dense_ns`.
    pub(crate) fn narrowest_within(&self, limit_ns: f64) -> Option<Solution> {
        let narrowest = self.narrowest.as_ref().filter(|narrowest| narrowest.ns * self.drift <= limit_ns)?;
        let mut solution = Solution::new(&self.problem, "narrowest", narrowest.levels.clone());
        (solution.predicted_ns, solution.dense_ns) = (narrowest.ns * self.drift, self.dense_ns);
        Some(solution)
    }

    /// Returns what is predicted for `levels` by now, in the time of `dense_ns`.
    pub(crate) fn predicted_ns(&self, levels: &Levels) -> f64 {
        self.problem.cost(levels).ns * self.drift
    }

    /// Asks for cells, whose nanoseconds are `drift` of the table's.
    pub(crate) fn measure(
        &mut self,
        cells: &[CellUse],
        drift: f64,
        ask: impl FnOnce(&[ConvSpec]) -> Result<Vec<Measurement>, Error>,
    ) -> Result<(), Error> {
        let specs: Vec<ConvSpec> = cells.iter().map(|c| self.spec(c.layer, c.c_in, c.c_out)).collect();
        for (cell, m) in cells.iter().zip(ask(&specs)?) {
            self.problem.set_cell(cell.layer, cell.c_in, cell.c_out, m.median_ns / drift, m.provenance)?;
        }
        Ok(())
    }

    pub(crate) fn spec(&self, layer: usize, c_in: usize, c_out: usize) -> ConvSpec {
        self.model.network().layers[layer].spec.with_channels(c_in, c_out)
    }
}

/// Elements that the convolutions read and write.
///
/// What operators pay per element is at most what convolutions do, who compute on theirs. Without that assumption a
/// pooling layer of a few elements would get the blame for all that the sum of the layers lacks.
fn moved_elements(network: &Network) -> f64 {
    let moved = network.layers.iter().map(|layer| layer.spec.elements()).map(|[read, _, written]| read + written);
    moved.sum::<usize>().max(1) as f64
}

/// Takes over what the table has of cells off the sweeps, from earlier plans.
fn remember(problem: &mut Problem, network: &Network, measurer: &Measurer<'_>) -> Result<(), Error> {
    for (index, layer) in network.layers.iter().enumerate() {
        // A concat can come to more widths than anyone has measured, and a grouped layer's one sweep has all of its.
        let is_concat = layer.inputs.parts.len() > 1 || layer.outputs.parts.len() > 1;
        if is_concat || layer.spec.groups > 1 {
            continue;
        }
        for (c_in, c_out) in problem.reachable(index) {
            let is_swept = c_in == layer.spec.c_in || c_out == layer.spec.c_out;
            if is_swept || c_in == 0 || c_out == 0 {
                continue;
            }
            let known = measurer.known(&layer.spec.with_channels(c_in, c_out))?;
            if let Some(m) = known.filter(|m| m.stop != StopReason::Decided) {
                problem.set_cell(index, c_in, c_out, m.median_ns, m.provenance)?;
            }
        }
    }
    problem.refit();
    Ok(())
}

/// Says why nothing can be pruned before anything is measured.
fn check_prunable(model: &Model, limits: &Limits) -> Result<(), Error> {
    let network: &Network = model.network();
    let open = network.groups.iter().filter(|g| g.frozen.is_none() && g.channels > 1);
    if open.clone().any(|g| limits.get_prune_residual() || !g.residual) {
        return Ok(());
    }
    if open.count() > 0 {
        return Err(Error::OnlyResidual { path: model.path().to_owned() });
    }
    let reasons = network.groups.iter().filter_map(|g| g.frozen.clone());
    let reason = reasons.chain(network.frozen.iter().map(|f| f.reason.clone())).next();
    let of_file = model.onnx().unprunable().map(|node| format!("`{}` ({}) {}", node.node, node.op, node.reason));
    let why = of_file.or(reason).unwrap_or_else(|| "it has no channel group".to_owned());
    Err(Error::NothingToPrune { path: model.path().to_owned(), why })
}
