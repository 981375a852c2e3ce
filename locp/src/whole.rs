//! Whole models on the device: one next to its parts, and one next to another.

use crate::engine::Engine;
use crate::report::Interval;
use crate::{Error, Watch};
use netspec::{ConvSpec, Network};
use stats::median;
use std::path::Path;
use std::time::Duration;
use timing::{ModelBackend, ModelRun, Policy, Prepared, stop};

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

fn models<'e>(engine: &'e Engine, what: &'static str) -> Result<&'e dyn ModelBackend, Error> {
    engine.models().ok_or_else(|| Error::NoModels { engine: engine.machine().engine.clone(), what })
}

/// Times two model files in turns, in blocks that load both anew, the other one first each time.
pub(crate) fn compare(
    engine: &Engine,
    [dense, pruned]: [&Path; 2],
    batch: usize,
    watch: &Watch<'_>,
) -> Result<Pair, Error> {
    let models = models(engine, "timing end to end")?;
    watch.progress.begin("verify", Some(u64::from(BLOCKS)));
    let mut blocks = Vec::new();
    let mut samples = 0;
    for block in 0..BLOCKS {
        let (mut a, mut b);
        if block % 2 == 0 {
            a = models.load(dense, batch)?;
            b = models.load(pruned, batch)?;
        } else {
            b = models.load(pruned, batch)?;
            a = models.load(dense, batch)?;
        }
        let policy = Policy::warm().warm_up(3).seed(u64::from(block)).cancel(watch.cancel.flag());
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
fn pairs_per_block(runs: &mut [&mut Box<dyn ModelRun>; 2], policy: &Policy) -> Result<u32, Error> {
    let mut pair_ns = 0.0;
    for run in runs {
        pair_ns += timing::measure(*run, &mut stop::Count::new(3), policy)?.median_ns;
    }
    let fit = BLOCK_TIME.as_nanos() as f64 / pair_ns;
    Ok((fit as u32).clamp(PAIRS[0], PAIRS[1]))
}

/// The whole model's latency, and that of its convolutions alone, in nanoseconds.
///
/// All of them take turns, so that a busy neighbor slows the whole and its parts alike: what counts is their ratio.
pub(crate) fn with_parts(
    engine: &Engine,
    model: &Path,
    network: &Network,
    watch: &Watch<'_>,
) -> Result<[f64; 2], Error> {
    let batch = network.layers.first().map_or(1, |layer| layer.spec.batch);
    let whole = models(engine, "timing end to end")?.load(model, batch)?;
    let mut specs: Vec<&ConvSpec> = network.layers.iter().map(|layer| &layer.spec).collect();
    specs.sort();
    specs.dedup();
    let mut all: Vec<Box<dyn Prepared + Send>> = vec![Box::new(whole)];
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
