//! From staircases to a plan: the pruning problem, solved on estimates, measured where the plan stands, solved again.

use crate::engine::Engine;
use crate::holds;
use crate::measure::Measurer;
use crate::model::Model;
use crate::report::{Axis, Covers};
use crate::sweeps::{Line, SweepOptions, Sweeps};
use crate::whole;
use crate::{Error, Progress, Watch};
use benefit::{
    Budget, Calibration, CellUse, Knot, LevelRule, Limits, Planner, Problem, ProblemBuilder, Reading, Solution,
    Stopped, Value,
};
use netspec::{ConvSpec, Measurement, Network, StopReason};
use std::collections::HashSet;

/// By what share of the loss a plan must be better, over cells measured afresh, than the one they were measured for.
const CHASED: f64 = 0.005;
/// How often a plan may be measured and solved again before less is asked for.
const ROUNDS: usize = 30;
/// Rounds that follow with a lower and lower aim, and by how much it falls at most in each.
const LOWER_ROUNDS: usize = 10;
const LOWER: f64 = 0.97;

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
    /// What a nanosecond of the problem is in `dense_ns`: 1 where the table is of the same hour.
    scale: f64,
    /// What takes a nanosecond in the table takes so long now: its cells may be from a quieter or busier hour.
    drift: f64,
    /// Runs of the whole model, in the problem's nanoseconds, and what they say of sum and whole.
    readings: Vec<Reading>,
    pub(crate) calibration: Calibration,
    /// What the last plan took.
    pub(crate) effort: Effort,
    /// What was measured afresh: once each, or a plan could flip between two readings of one cell for ever.
    fresh: HashSet<ConvSpec>,
}

impl<'a> Planning<'a> {
    /// Measures the dense network and its staircases, and states the problem.
    pub(crate) fn new(
        model: &'a Model,
        engine: &Engine,
        measurer: &mut Measurer<'_>,
        value: &dyn Value,
        limits: &Limits,
        options: &SweepOptions,
        watch: &Watch<'_>,
    ) -> Result<Planning<'a>, Error> {
        let network = model.network();
        check_prunable(model, limits)?;
        engine.check_model(model)?;
        if let ([first, ..], true) = (model.network().untimed.as_slice(), model.network().layers.is_empty()) {
            let (first, reason) = (first.node.clone(), first.reason.clone());
            return Err(Error::NothingTimed { path: model.path().to_owned(), first, reason });
        }
        let sweeps = Sweeps::search(network, None, measurer, options, watch.progress)?;
        let mut builder = ProblemBuilder::from_network(network, limits, value)?;
        for (i, layer) in network.layers.iter().enumerate() {
            let lines = Line::of(layer, network, options.residual);
            for line in &lines {
                let swept = sweeps.get(line).expect("every line of the network was searched");
                builder.sweep(i, problem_axis(line.axis), swept.knots());
            }
            // A layer without a line never changes, or only on an axis that no line prices: its one known width.
            if !lines.iter().any(|line| line.axis == Axis::COut) {
                let m = measurer.latencies(std::slice::from_ref(&layer.spec))?.swap_remove(0);
                let knot = Knot { channels: layer.spec.c_out, ns: m.median_ns, provenance: m.provenance };
                builder.sweep(i, benefit::Axis::COut, vec![knot]);
            }
        }
        builder.levels_from_sweeps(&LevelRule::default().tolerance(options.tolerance / 3.0));
        let mut problem = builder.build()?;
        let table_ns = problem.dense_ns();
        if engine.covers() == Covers::WholeModel {
            problem.assume_ns_per_element(problem.dense_ns() / moved_elements(network))?;
        }
        let [dense_ns, parts_ns] = whole::with_parts(engine, model, watch)?;
        let drift = parts_ns / table_ns;
        let dense = Reading { levels: problem.dense(), ns: dense_ns / drift };
        let readings = vec![dense];
        let calibration = benefit::calibrate(&problem, &readings)?;
        problem.apply(&calibration)?;
        let scale = dense_ns / problem.dense_ns();
        remember(&mut problem, network, measurer)?;
        let (effort, fresh) = (Effort::default(), HashSet::new());
        Ok(Planning { model, problem, dense_ns, scale, drift, readings, calibration, effort, fresh })
    }

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
        let limit_ns = limit_ns / self.scale;
        self.effort = Effort::default();
        let mut earlier: Vec<Solution> = Vec::new();
        // A planner finds what estimates promise too much for, again and again: in the end it is asked for a little less.
        let mut aim_ns = limit_ns;
        loop {
            self.effort.rounds += 1;
            let rounds = self.effort.rounds;
            let is_lower = aim_ns < limit_ns;
            let (mut solution, is_out) = match (planner.plan(&self.problem, Budget::ns(aim_ns)), earlier.last()) {
                (Ok(solution), _) => (solution, false),
                (Err(_), Some(last)) if is_lower => (last.clone(), true),
                (Err(infeasible), _) => {
                    return Err(holds::explained(infeasible, self.model.network(), &self.problem).into());
                }
            };
            progress.advance(1);
            let estimated = self.problem.unmeasured_cells(&solution.levels);
            let is_last = is_out || rounds >= ROUNDS + LOWER_ROUNDS;
            if !estimated.is_empty() {
                self.effort.measured += estimated.len();
                self.measure(&estimated, 1.0, |specs| measurer.latencies(specs))?;
                self.problem.refit();
            }
            if rounds >= ROUNDS {
                aim_ns *= (limit_ns / self.problem.cost(&solution.levels).ns).clamp(LOWER, 1.0);
            }
            if !estimated.is_empty() && !is_last {
                earlier.push(solution);
                continue;
            }
            let mut cells = self.problem.cells(&solution.levels);
            cells.retain(|cell| self.fresh.insert(self.spec(cell.layer, cell.c_in, cell.c_out)));
            self.effort.afresh += cells.len();
            self.measure(&cells, self.drift, |specs| measurer.fresh(specs))?;
            let mut cost = self.problem.cost(&solution.levels);
            if cost.ns > limit_ns && is_last {
                // The planner was led on by estimates to the end; what it proposed before rests on measured cells by now.
                if let Some(best) = self.best_of(&earlier, limit_ns) {
                    solution = best;
                }
                cost = self.problem.cost(&solution.levels);
            }
            if cost.ns <= limit_ns || is_last {
                // What was proven, was proven over cells that are known better by now.
                let again = planner.plan(&self.problem, Budget::ns(limit_ns)).ok();
                let is_beaten = |again: &Solution| again.value - solution.value > CHASED * -again.value;
                if !is_last && !is_lower && again.as_ref().is_some_and(is_beaten) {
                    earlier.push(solution);
                    continue;
                }
                solution = certified(solution, again.filter(|_| cost.ns <= limit_ns));
                solution.predicted_ns = cost.ns * self.scale;
                solution.dense_ns = self.dense_ns;
                solution.estimated = cost.estimated;
                let groups = self.model.network().groups.iter().zip(&solution.widths);
                let narrowed = groups.filter(|(group, width)| **width < group.channels).count();
                progress.end(&format!("{narrowed} groups narrowed, predicted {:.3}x", solution.ratio()));
                return Ok(solution);
            }
            earlier.push(solution);
        }
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

    /// Takes a run of the whole model, in the time of `dense_ns`, into account: how sum and whole differ is told by all
    /// runs so far. What the problem predicts for these levels by then comes back.
    pub(crate) fn learn(&mut self, levels: &[usize], achieved_ns: f64) -> Result<f64, Error> {
        self.readings.push(Reading { levels: levels.to_vec(), ns: achieved_ns / self.scale });
        self.calibration = benefit::calibrate(&self.problem, &self.readings)?;
        self.problem.apply(&self.calibration)?;
        Ok(self.problem.cost(levels).ns * self.scale)
    }

    /// Asks for cells, whose nanoseconds are `drift` of the table's.
    fn measure(
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

    fn spec(&self, layer: usize, c_in: usize, c_out: usize) -> ConvSpec {
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
            if c_in == layer.spec.c_in || c_out == layer.spec.c_out {
                continue;
            }
            let known = measurer.entry(&layer.spec.with_channels(c_in, c_out))?;
            if let Some(m) = known.filter(|m| m.stop != StopReason::Decided) {
                problem.set_cell(index, c_in, c_out, m.median_ns, m.provenance)?;
            }
        }
    }
    problem.refit();
    Ok(())
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

fn problem_axis(axis: Axis) -> benefit::Axis {
    match axis {
        Axis::CIn => benefit::Axis::CIn,
        Axis::COut => benefit::Axis::COut,
    }
}

/// Says why nothing can be pruned before anything is measured.
fn check_prunable(model: &Model, limits: &Limits) -> Result<(), Error> {
    let network: &Network = model.network();
    let nothing = |why: String| Err(Error::NothingToPrune { path: model.path().to_owned(), why });
    let open = network.groups.iter().filter(|g| g.frozen.is_none() && g.channels > 1);
    if open.clone().any(|g| limits.prune_residual || !g.residual) {
        return Ok(());
    }
    if open.count() > 0 {
        return nothing(
            "all its groups are residual streams, which stay as they are; --prune-residual opens them".into(),
        );
    }
    let reasons = network.groups.iter().filter_map(|g| g.frozen.clone());
    let reason = reasons.chain(network.frozen.iter().map(|f| f.reason.clone())).next();
    nothing(format!("{}; `locp inspect` lists every group", reason.unwrap_or_else(|| "it has no channel group".into())))
}
