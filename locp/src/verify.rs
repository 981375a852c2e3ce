//! `verify`: two models next to each other, as far as the engine can run them.

use crate::engine::Engine;
use crate::measure::Measurer;
use crate::model::Model;
use crate::report::{Covers, VerifyReport};
use crate::whole::{self, in_ms};
use crate::{Error, Watch};
use netspec::Network;

/// The convolutions of a network one by one, summed in nanoseconds, all measured now.
fn parts_ns(measurer: &mut Measurer<'_>, network: &Network) -> Result<f64, Error> {
    Ok(measurer.fresh(&network.specs())?.iter().map(|m| m.median_ns).sum())
}

/// Times `pruned` against `dense`; the report says whether the ratio's interval ends at or below `at_most`.
///
/// On an engine without whole models the convolutions run in their order, `covers` says so, and their sum one by one
/// stands next to it; `measurer` is asked for only then.
pub fn verify<'e>(
    engine: &'e Engine,
    measurer: impl FnOnce() -> Result<Measurer<'e>, Error>,
    models: [&Model; 2],
    at_most: f64,
    watch: &Watch<'_>,
) -> Result<VerifyReport, Error> {
    check_related(models)?;
    models.iter().try_for_each(|model| engine.check_model(model))?;
    let pair = whole::compare(engine, models, watch)?;
    let parts_ms = match engine.covers() {
        Covers::WholeModel => None,
        Covers::Convolutions => {
            let mut measurer = measurer()?;
            let mut ms = |model: &Model| parts_ns(&mut measurer, model.network()).map(|ns| ns / 1e6);
            Some([ms(models[0])?, ms(models[1])?])
        }
    };
    Ok(VerifyReport {
        header: engine.header("locp.verify/1"),
        dense_ms: pair.dense_ns / 1e6,
        dense_interval_ms: in_ms(pair.dense_interval_ns),
        pruned_ms: pair.pruned_ns / 1e6,
        pruned_interval_ms: in_ms(pair.pruned_interval_ns),
        ratio: pair.ratio,
        ratio_interval: pair.ratio_interval,
        at_most,
        passed: pair.ratio_interval[1] <= at_most,
        covers: engine.covers(),
        dtype: models[0].dtype(),
        parts_ms,
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
