//! `verify`: two models next to each other, interleaved, so that drift cancels in their ratio.

use crate::engine::Engine;
use crate::measure::Measurer;
use crate::model::Model;
use crate::report::{Covers, Interval, VerifyReport};
use crate::{Error, Watch};
use netspec::Network;
use std::path::Path;
use timing::{Policy, stop};

/// Half-width of the ratio's interval at which sampling may stop.
const PRECISION: f64 = 0.004;
/// Pairs of runs before the interval is looked at, and at most.
const PAIRS: [usize; 2] = [30, 2000];
/// Summed time after which sampling stops, precise or not.
const LIMIT_MS: f64 = 20_000.0;

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

/// Times two model files in turns on an engine that runs whole models.
fn whole(engine: &Engine, [dense, pruned]: [&Path; 2], batch: usize, watch: &Watch<'_>) -> Result<Pair, Error> {
    let missing = || Error::NoModels { engine: engine.machine().engine.clone(), what: "timing end to end" };
    let models = engine.models().ok_or_else(missing)?;
    let (mut a, mut b) = (models.load(dense, batch)?, models.load(pruned, batch)?);
    watch.progress.begin("verify", None);
    let mut rule = stop::Relative::new(PRECISION).min_samples(PAIRS[0]).max_samples(PAIRS[1]).limit_ms(LIMIT_MS);
    let policy = Policy::warm().warm_up(5).cancel(watch.cancel.flag());
    let found = timing::compare(&mut a, &mut b, &mut rule, &policy)?;
    watch.progress.end("");
    Ok(Pair {
        dense_ns: found.a.median_ns,
        dense_interval_ns: found.a.interval_ns,
        pruned_ns: found.b.median_ns,
        pruned_interval_ns: found.b.interval_ns,
        ratio: found.ratio,
        ratio_interval: found.ratio_interval,
        samples: found.pairs,
    })
}

/// Sums the convolutions of two networks on an engine that cannot run whole models.
///
/// The interval is that of the sums' extremes: wider than needed, and never too narrow.
fn sums(measurer: &mut Measurer<'_>, [dense, pruned]: [&Network; 2]) -> Result<Pair, Error> {
    let mut sum = |network: &Network| -> Result<(f64, Interval), Error> {
        let specs: Vec<_> = network.layers.iter().map(|layer| layer.spec.clone()).collect();
        let all = measurer.latencies(&specs)?;
        let total = |pick: fn(&netspec::Measurement) -> f64| all.iter().map(pick).sum::<f64>();
        Ok((total(|m| m.median_ns), [total(|m| m.interval_ns[0]), total(|m| m.interval_ns[1])]))
    };
    let (dense_ns, dense_interval_ns) = sum(dense)?;
    let (pruned_ns, pruned_interval_ns) = sum(pruned)?;
    Ok(Pair {
        dense_ns,
        dense_interval_ns,
        pruned_ns,
        pruned_interval_ns,
        ratio: pruned_ns / dense_ns,
        ratio_interval: [pruned_interval_ns[0] / dense_interval_ns[1], pruned_interval_ns[1] / dense_interval_ns[0]],
        samples: 1,
    })
}

/// Times `pruned` against `dense` as far as the engine can: end to end, or convolution by convolution.
pub(crate) fn pair(
    engine: &Engine,
    measurer: &mut Measurer<'_>,
    [dense, pruned]: [&Model; 2],
    watch: &Watch<'_>,
) -> Result<(Pair, Covers), Error> {
    Ok(match engine.models() {
        Some(_) => {
            let paths = [dense.path(), pruned.path()];
            (whole(engine, paths, dense.batch(), watch)?, Covers::WholeModel)
        }
        None => (sums(measurer, [dense.network(), pruned.network()])?, Covers::Convolutions),
    })
}

/// Times `pruned` against `dense`; the report says whether the ratio's interval ends at or below `at_most`.
///
/// On an engine without whole models the convolutions are summed, and `covers` says so.
pub fn verify(
    engine: &Engine,
    measurer: &mut Measurer<'_>,
    [dense, pruned]: [&Model; 2],
    at_most: f64,
    watch: &Watch<'_>,
) -> Result<VerifyReport, Error> {
    let (pair, covers) = pair(engine, measurer, [dense, pruned], watch)?;
    let ms = |interval: Interval| interval.map(|ns| ns / 1e6);
    Ok(VerifyReport {
        header: engine.header("locp.verify/1"),
        dense_ms: pair.dense_ns / 1e6,
        dense_interval_ms: ms(pair.dense_interval_ns),
        pruned_ms: pair.pruned_ns / 1e6,
        pruned_interval_ms: ms(pair.pruned_interval_ns),
        ratio: pair.ratio,
        ratio_interval: pair.ratio_interval,
        at_most,
        passed: pair.ratio_interval[1] <= at_most,
        covers,
        samples: pair.samples,
    })
}
