//! What a plan costs to get: measurements and device seconds from nothing to a plan, by four ways of getting there.
//!
//! ```text
//! adaptation FIRST.onnx [SECOND.onnx ...] [--engine NAME] [--ratio 0.6] [--then 0.8] [--seed N]
//! ```
//!
//! - *three points*: LOCP's own way, and *grid of the lattice*: the same with every lattice point of both axes.
//! - *greedy, lazy*: narrows the group that saves most time for the value it loses, by one, two or four steps of eight
//!   channels, until the budget holds, and measures the cells that it looks at and no others.
//! - *grid of 8, two axes*: the greedy plan, had every cell of a grid of 8 by 8 been measured beforehand, as tables of
//!   latencies are usually filled. The cells are counted; what they take is estimated from three of each layer.
//!
//! Every way begins with an empty table, on the same engine in the same run, one after the other. A plan's latency is the
//! sum of its convolutions, all plans' cells measured afresh together in the end. For LOCP's way it goes on with a second
//! budget on the same table, and with the other models on it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints its result")]
use benefit::{Budget, Criterion, Magnitude, Scope, Value as _, ValueCurve};
use locp::netspec::{ConvSpec, GroupId, Network};
use locp::{Cancel, Engine, Measurer, Model, Options, Pipeline, SearchKind, Watch};
use sharing::{MemoryStore, Store, TableKind};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Channels of a step of the greedy planner, and how many steps it takes at once.
const STEP: usize = 8;
const STRIDES: [usize; 3] = [1, 2, 4];
/// The share that every group keeps at least, as in the pipeline.
const LEAST: f64 = 0.25;

/// A plan and what it took.
struct Row {
    way: String,
    widths: Vec<usize>,
    measurements: u64,
    shared: u64,
    seconds: f64,
}

fn table() -> Box<dyn Store> {
    Box::new(MemoryStore::new(TableKind::Live))
}

fn cells(network: &Network, widths: &[usize]) -> Vec<ConvSpec> {
    network.layers.iter().map(|layer| layer.spec_at(|group| widths[group.0])).collect()
}

/// The pipeline's plan, and what it was to get it since the counts that are given.
fn planned(pipeline: &mut Pipeline<'_>, model: &Model, ratio: f64, way: &str) -> Result<Row> {
    let before = (pipeline.measurer().measured(), pipeline.measurer().shared(), pipeline.measurer().device_seconds());
    let planned = pipeline.plan(model, Budget::ratio(ratio))?;
    let measurer = pipeline.measurer();
    Ok(Row {
        way: way.to_owned(),
        widths: planned.solution.widths,
        measurements: measurer.measured() - before.0,
        shared: measurer.shared() - before.1,
        seconds: measurer.device_seconds() - before.2,
    })
}

/// Narrows groups one after the other until the convolutions' sum holds the budget.
fn greedy(
    network: &Network,
    curves: &BTreeMap<usize, ValueCurve>,
    measurer: &mut Measurer<'_>,
    ratio: f64,
) -> Result<Row> {
    let mut widths: Vec<usize> = network.groups.iter().map(|group| group.channels).collect();
    let mut known: BTreeMap<ConvSpec, f64> = BTreeMap::new();
    let mut sums = |measurer: &mut Measurer<'_>, plans: &[Vec<usize>]| -> Result<Vec<f64>> {
        let wanted: BTreeSet<ConvSpec> = plans.iter().flat_map(|widths| cells(network, widths)).collect();
        let new: Vec<ConvSpec> = wanted.into_iter().filter(|spec| !known.contains_key(spec)).collect();
        let medians = measurer.latencies(&new)?.into_iter().map(|m| m.median_ns);
        known.extend(new.into_iter().zip(medians));
        Ok(plans.iter().map(|widths| cells(network, widths).iter().map(|spec| known[spec]).sum()).collect())
    };
    let mut now = sums(measurer, std::slice::from_ref(&widths))?[0];
    let limit = ratio * now;
    while now > limit {
        let narrower = curves.keys().flat_map(|&group| {
            let (width, full) = (widths[group], network.groups[group].channels);
            let least = ((LEAST * full as f64).ceil() as usize).max(1);
            let below = STRIDES.map(|stride| width.saturating_sub(STEP * stride) / STEP * STEP);
            below.into_iter().filter(move |&to| to >= least && to < width).map(move |to| (group, to))
        });
        let moves: Vec<(usize, usize)> = narrower.collect();
        let plans: Vec<Vec<usize>> = moves
            .iter()
            .map(|&(group, to)| {
                let mut plan = widths.clone();
                plan[group] = to;
                plan
            })
            .collect();
        let costs = sums(measurer, &plans)?;
        let pays = |i: usize| {
            let (group, to) = moves[i];
            let lost = curves[&group].value(widths[group]) - curves[&group].value(to);
            (now - costs[i]) / lost.max(1e-12)
        };
        let best = (0..moves.len()).filter(|&i| costs[i] < now).max_by(|&a, &b| pays(a).total_cmp(&pays(b)));
        let Some(best) = best else { return Err("no step of the greedy planner saves anything".into()) };
        widths.clone_from(&plans[best]);
        now = costs[best];
    }
    Ok(Row {
        way: "greedy, lazy".to_owned(),
        widths,
        measurements: measurer.measured(),
        shared: measurer.shared(),
        seconds: measurer.device_seconds(),
    })
}

/// How many cells a grid of 8 by 8 has over both axes of all distinct layers, and what they would take.
fn full_grid(
    network: &Network,
    free: &BTreeMap<usize, ValueCurve>,
    measurer: &mut Measurer<'_>,
    of: &Row,
) -> Result<Row> {
    let distinct: BTreeSet<(ConvSpec, bool, bool)> = network
        .layers
        .iter()
        .map(|layer| {
            let moves = |width: &locp::netspec::Width| width.parts.iter().any(|part| free.contains_key(&part.group.0));
            (layer.spec.clone(), moves(&layer.inputs), moves(&layer.outputs))
        })
        .collect();
    let steps = |full: usize, moves: bool| -> Vec<usize> {
        let from = ((LEAST * full as f64).ceil() as usize).div_ceil(STEP) * STEP;
        if moves { (from..=full).step_by(STEP).collect() } else { vec![full] }
    };
    let mut rng = stats::Rng::new(8);
    let (mut count, mut seconds) = (0, 0.0);
    for (spec, ins, outs) in distinct {
        let (ins, outs) = (steps(spec.c_in, ins), steps(spec.c_out, outs));
        let all = if spec.groups > 1 { outs.len() } else { ins.len() * outs.len() };
        let some: Vec<ConvSpec> = (0..3)
            .map(|_| {
                let c_out = outs[rng.below(outs.len())];
                let c_in = if spec.groups > 1 { c_out } else { ins[rng.below(ins.len())] };
                spec.with_channels(c_in, c_out)
            })
            .collect();
        let distinct = some.iter().collect::<BTreeSet<_>>().len();
        let before = (measurer.device_seconds(), measurer.measured());
        measurer.latencies(&some)?;
        let taken = (measurer.measured() - before.1).max(1).min(distinct as u64);
        seconds += all as f64 * (measurer.device_seconds() - before.0) / taken as f64;
        count += all as u64;
    }
    Ok(Row {
        way: "grid of 8, two axes (counted)".into(),
        widths: of.widths.clone(),
        measurements: count,
        shared: 0,
        seconds,
    })
}

fn main() -> Result<()> {
    let mut files = Vec::new();
    let (mut name, mut ratio, mut then, mut seed) = ("tract".to_owned(), 0.6, 0.8, 0);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} takes a value"));
        match arg.as_str() {
            "--engine" => name = value()?,
            "--ratio" => ratio = value()?.parse()?,
            "--then" => then = value()?.parse()?,
            "--seed" => seed = value()?.parse()?,
            _ => files.push(arg),
        }
    }
    let Some((first, others)) = files.split_first() else {
        println!("usage: adaptation FIRST.onnx [SECOND.onnx ...] [--engine NAME] [--ratio R] [--then R] [--seed N]");
        return Ok(());
    };
    let engine = Engine::named(&name, 1, seed)?;
    let model = Model::open(Path::new(first), None)?;
    let network = model.network();
    let value = Magnitude::new(network, model.onnx(), Criterion::default(), Scope::default());
    let curves: BTreeMap<usize, ValueCurve> = network
        .groups
        .iter()
        .filter(|group| group.frozen.is_none() && !group.residual)
        .map(|group| Ok((group.id.0, value.curve(GroupId(group.id.0))?)))
        .collect::<Result<_>>()?;
    println!(
        "engine {}, {first}: {} layers, {} groups to narrow\n",
        engine.machine(),
        network.layers.len(),
        curves.len()
    );

    let mut rows = Vec::new();
    let mut options = Options::default();
    options.seed = seed;
    let mut own = Pipeline::with(&engine, table(), options.clone(), Watch::default())?;
    rows.push(planned(&mut own, &model, ratio, "three points")?);
    eprintln!("three points: {:.1} s", rows[0].seconds);
    options.sweeps.search = SearchKind::Grid;
    let mut grid = Pipeline::with(&engine, table(), options, Watch::default())?;
    rows.push(planned(&mut grid, &model, ratio, "grid of the lattice")?);
    eprintln!("grid of the lattice: {:.1} s", rows[1].seconds);
    let mut lazy = Measurer::new(&engine, table(), &Cancel::new(), seed)?;
    rows.push(greedy(network, &curves, &mut lazy, ratio)?);
    eprintln!("greedy: {:.1} s", rows[2].seconds);
    let mut sampled = Measurer::new(&engine, table(), &Cancel::new(), seed)?;
    let full = full_grid(network, &curves, &mut sampled, &rows[2])?;
    rows.push(full);

    let dense: Vec<usize> = network.groups.iter().map(|group| group.channels).collect();
    let all: BTreeSet<ConvSpec> =
        rows.iter().map(|row| &row.widths).chain([&dense]).flat_map(|widths| cells(network, widths)).collect();
    let all: Vec<ConvSpec> = all.into_iter().collect();
    let fresh: BTreeMap<&ConvSpec, f64> = all.iter().zip(sampled.fresh(&all)?.iter().map(|m| m.median_ns)).collect();
    let sum = |widths: &[usize]| cells(network, widths).iter().map(|spec| fresh[spec]).sum::<f64>();
    println!("| way to {ratio}x | new measurements | device seconds | afresh | value lost |");
    println!("|---|---|---|---|---|");
    for row in &rows {
        let lost: f64 = curves.iter().map(|(&group, curve)| -curve.value(row.widths[group])).sum();
        println!(
            "| {} | {} | {:.1} | {:.3}x | {lost:.3} |",
            row.way,
            row.measurements,
            row.seconds,
            sum(&row.widths) / sum(&dense)
        );
    }

    println!("\n| then, on the table of three points | new measurements | shared | device seconds |");
    println!("|---|---|---|---|");
    let print = |what: &str, row: &Row| {
        println!("| {what} | {} | {} | {:.1} |", row.measurements, row.shared, row.seconds);
    };
    let again = planned(&mut own, &model, then, "again")?;
    print(&format!("{first} at {then}x"), &again);
    for file in others {
        let other = Model::open(Path::new(file), None)?;
        print(&format!("{file} at {ratio}x"), &planned(&mut own, &other, ratio, "other")?);
    }
    Ok(())
}
