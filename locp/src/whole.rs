//! Whole networks on the device: one next to its parts, and one next to another.
//!
//! An engine that runs whole models runs the model itself. Any other runs the network's convolutions in their order,
//! as one thing where it can; what such a time covers is in every report.

use crate::engine::Engine;
use crate::model::Model;
use crate::report::{Covers, Interval};
use crate::{Error, Watch};
use netspec::ConvSpec;
use stats::median;
use std::time::Duration;
use timing::{Policy, Prepared, stop};

/// Times that both models of a comparison are loaded anew.
///
/// Where memory is placed shifts a model's latency by a percent or two for as long as it is loaded, which no number
/// of runs averages out. The extremes of six blocks are a 97 % interval of their median (1 - 2 / 2^6).
const BLOCKS: u32 = 6;

/// Pairs of runs in a block, at least and at most, and the time that one block may take between the two.
const PAIRS: [u32; 2] = [5, 150];
const BLOCK_TIME: Duration = Duration::from_millis(1500);

/// Two whole-network latencies and their ratio.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) dense_ns: f64,
    pub(crate) dense_interval_ns: Interval,
    pub(crate) pruned_ns: f64,
    pub(crate) pruned_interval_ns: Interval,
    pub(crate) ratio: f64,
    pub(crate) ratio_interval: Interval,
    pub(crate) samples: u32,
}

/// An interval of nanoseconds in milliseconds.
pub(crate) fn in_ms(interval_ns: Interval) -> Interval {
    interval_ns.map(|ns| ns / 1e6)
}

/// The network as the engine runs it.
fn load(engine: &Engine, model: &Model) -> Result<Box<dyn Prepared + Send>, Error> {
    match engine.models() {
        Some(models) => Ok(Box::new(models.load(model.path(), model.batch())?)),
        None => Ok(engine.backend().chain(&model.network().specs())?),
    }
}

/// What a network finds in the caches is what its own last run left there; where an engine runs the layers one by one,
/// each of them finds its weights cold.
fn policy(engine: &Engine) -> Policy {
    match engine.covers() {
        Covers::WholeModel => Policy::warm(),
        Covers::Convolutions => Policy::network(),
    }
}

/// Times two networks in turns, in blocks that load both anew, the other one first each time.
pub(crate) fn compare(engine: &Engine, [dense, pruned]: [&Model; 2], watch: &Watch<'_>) -> Result<Pair, Error> {
    watch.progress.begin("verify", Some(u64::from(BLOCKS)));
    let mut blocks = Vec::new();
    let mut samples = 0;
    for block in 0..BLOCKS {
        let (mut a, mut b);
        if block % 2 == 0 {
            a = load(engine, dense)?;
            b = load(engine, pruned)?;
        } else {
            b = load(engine, pruned)?;
            a = load(engine, dense)?;
        }
        let policy = policy(engine).warm_up(3).seed(u64::from(block)).cancel(watch.cancel.flag());
        let pairs = pairs_per_block(&mut [&mut a, &mut b], &policy)?;
        blocks.push(timing::compare(&mut a, &mut b, &mut stop::Count::new(pairs), &policy)?);
        samples += pairs;
        watch.progress.advance(1);
    }
    watch.progress.end("");
    let over = |pick: fn(&timing::Comparison) -> f64| -> (f64, Interval) {
        let values: Vec<f64> = blocks.iter().map(pick).collect();
        let extremes = values.iter().fold([f64::INFINITY, 0.0], |[low, high]: Interval, &v| [low.min(v), high.max(v)]);
        (median(&values).expect("there is at least one block"), extremes)
    };
    let (ratio, ratio_interval) = over(|block| block.ratio);
    let (dense_ns, dense_interval_ns) = over(|block| block.a.median_ns);
    let (pruned_ns, pruned_interval_ns) = over(|block| block.b.median_ns);
    Ok(Pair { dense_ns, dense_interval_ns, pruned_ns, pruned_interval_ns, ratio, ratio_interval, samples })
}

/// As many pairs as the block's time allows. Their number is fixed before they are taken: a comparison that stops
/// when it looks settled stops too often where it happens to look good.
fn pairs_per_block(runs: &mut [&mut Box<dyn Prepared + Send>; 2], policy: &Policy) -> Result<u32, Error> {
    let mut pair_ns = 0.0;
    for run in runs {
        pair_ns += timing::measure(*run, &mut stop::Count::new(3), policy)?.median_ns;
    }
    let fit = BLOCK_TIME.as_nanos() as f64 / pair_ns;
    Ok((fit as u32).clamp(PAIRS[0], PAIRS[1]))
}

/// The whole network's latency, and that of its convolutions one by one, in nanoseconds.
///
/// All of them take turns, so that a busy neighbor slows the whole and its parts alike: what counts is their ratio.
pub(crate) fn with_parts(engine: &Engine, model: &Model, watch: &Watch<'_>) -> Result<[f64; 2], Error> {
    let network = model.network();
    let whole = load(engine, model)?;
    let mut specs: Vec<&ConvSpec> = network.layers.iter().map(|layer| &layer.spec).collect();
    specs.sort();
    specs.dedup();
    let mut all: Vec<Box<dyn Prepared + Send>> = vec![whole];
    for spec in &specs {
        all.push(engine.backend().prepare(spec)?);
    }
    watch.progress.begin("whole", None);
    let rule = stop::Relative::new(0.005).min_samples(15).max_samples(200).limit_ms(4000.0);
    // Each finds its weights cold, as the layers of a network do; the whole model does not care.
    let policy = Policy::network().warm_up(2).cancel(watch.cancel.flag());
    let medians = timing::interleave(&mut all, &rule, &policy)
        .into_iter()
        .map(|samples| Ok(samples?.measurement().median_ns))
        .collect::<Result<Vec<f64>, Error>>()?;
    watch.progress.end("");
    let of = |spec: &ConvSpec| {
        let place = specs.binary_search(&spec).expect("every layer's spec was put among the distinct ones");
        medians[place + 1]
    };
    Ok([medians[0], network.layers.iter().map(|layer| of(&layer.spec)).sum()])
}
