//! `verify`: two models next to each other, as far as the engine can run them.

use crate::engine::Engine;
use crate::measure::Measurer;
use crate::model::Model;
use crate::report::{Covers, Interval, VerifyReport};
use crate::whole::{self, Pair};
use crate::{Error, Watch};
use netspec::{Measurement, Network};

/// Times end to end, or convolution by convolution.
///
/// `measurer` is asked for only where the engine cannot run whole models.
pub(crate) fn pair<'e>(
    engine: &'e Engine,
    measurer: impl FnOnce() -> Result<Measurer<'e>, Error>,
    [dense, pruned]: [&Model; 2],
    watch: &Watch<'_>,
) -> Result<(Pair, Covers), Error> {
    Ok(match engine.models() {
        Some(_) => (whole::compare(engine, [dense.path(), pruned.path()], dense.batch(), watch)?, Covers::WholeModel),
        None => (sums(&mut measurer()?, [dense.network(), pruned.network()])?, Covers::Convolutions),
    })
}

/// Sums the convolutions of two networks, all measured now.
///
/// The interval is that of the sums' extremes: wider than needed, and never too narrow.
pub(crate) fn sums(measurer: &mut Measurer<'_>, networks: [&Network; 2]) -> Result<Pair, Error> {
    let specs = networks.map(|network| network.layers.iter().map(|layer| layer.spec.clone()));
    let dense_layers = networks[0].layers.len();
    let all = measurer.fresh(&specs.into_iter().flatten().collect::<Vec<_>>())?;
    let (dense, pruned) = all.split_at(dense_layers);
    let sum = |side: &[Measurement]| {
        let total = |pick: fn(&Measurement) -> f64| side.iter().map(pick).sum::<f64>();
        (total(|m| m.median_ns), [total(|m| m.interval_ns[0]), total(|m| m.interval_ns[1])])
    };
    let ((dense_ns, dense_interval_ns), (pruned_ns, pruned_interval_ns)) = (sum(dense), sum(pruned));
    Ok(Pair {
        dense_ns,
        dense_interval_ns,
        pruned_ns,
        pruned_interval_ns,
        ratio: pruned_ns / dense_ns,
        ratio_interval: [pruned_interval_ns[0] / dense_interval_ns[1], pruned_interval_ns[1] / dense_interval_ns[0]],
        samples: all.iter().map(|m| m.samples).min().unwrap_or(0),
    })
}

/// Times `pruned` against `dense`; the report says whether the ratio's interval ends at or below `at_most`.
///
/// On an engine without whole models the convolutions are summed, and `covers` says so; `measurer` is asked for only
/// then.
pub fn verify<'e>(
    engine: &'e Engine,
    measurer: impl FnOnce() -> Result<Measurer<'e>, Error>,
    models: [&Model; 2],
    at_most: f64,
    watch: &Watch<'_>,
) -> Result<VerifyReport, Error> {
    check_related(models)?;
    models.iter().try_for_each(|model| engine.check_timed(model))?;
    let (pair, covers) = pair(engine, measurer, models, watch)?;
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

/// Pruning keeps what a model takes and gives, so models that differ there were never one.
fn check_related([a, b]: [&Model; 2]) -> Result<(), Error> {
    let sides = [("inputs", a.onnx().inputs(), b.onnx().inputs()), ("outputs", a.onnx().outputs(), b.onnx().outputs())];
    for (side, of_a, of_b) in sides {
        let shapes = |ports: &[onnx_surgery::Port]| -> Vec<Vec<Option<usize>>> {
            // The batch may be fixed in one of them.
            ports.iter().map(|port| port.shape.iter().skip(1).copied().collect()).collect()
        };
        let (of_a, of_b) = (shapes(of_a), shapes(of_b));
        let fits = |(a, b): (&Vec<Option<usize>>, &Vec<Option<usize>>)| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || a.is_none() || b.is_none())
        };
        if of_a.len() != of_b.len() || !of_a.iter().zip(&of_b).all(fits) {
            let what = format!("their {side} differ in number or shape");
            return Err(Error::Unrelated { a: a.path().to_owned(), b: b.path().to_owned(), what });
        }
    }
    Ok(())
}
