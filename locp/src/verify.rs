//! `verify`: two models next to each other, as far as the engine can run them.

use crate::measure::fresh_rule;
use crate::model::Model;
use crate::report::{Covers, NotCovered, VerifyReport};
use crate::whole::{self, in_ms};
use crate::{Error, Watch, engine};
use netspec::Network;
use timing::{LatencySource, Policy, Sampling};

/// The convolutions of a network one by one, summed in nanoseconds, all measured now.
fn parts_ns(source: &mut dyn LatencySource, network: &Network, watch: &Watch<'_>) -> Result<f64, Error> {
    let how = Sampling::new(Policy::network().warm_up(2).cancel(watch.cancel.flag()), fresh_rule());
    let mut sum_ns = 0.0;
    for answer in source.latencies(&network.specs(), &how) {
        sum_ns += answer?.median_ns;
    }
    Ok(sum_ns)
}

/// Times `pruned` against `dense`; the report says whether the ratio's interval ends at or below `at_most`.
///
/// On a source without whole models the convolutions run in their order, `covers` says so, and their sum one by one
/// stands next to it.
pub fn verify(
    source: &mut dyn LatencySource,
    models: [&Model; 2],
    at_most: f64,
    watch: &Watch<'_>,
) -> Result<VerifyReport, Error> {
    check_related(models)?;
    models.iter().try_for_each(|model| engine::check_model(source, model))?;
    let pair = whole::compare(source, models, watch)?;
    let covers = engine::covers(source);
    let parts_ms = match covers {
        Covers::WholeModel => None,
        Covers::Convolutions => {
            let mut ms = |model: &Model| parts_ns(source, model.network(), watch).map(|ns| ns / 1e6);
            Some([ms(models[0])?, ms(models[1])?])
        }
    };
    Ok(VerifyReport {
        header: engine::header(source, "locp.verify/1"),
        dense_ms: pair.dense_ns / 1e6,
        dense_interval_ms: in_ms(pair.dense_interval_ns),
        pruned_ms: pair.pruned_ns / 1e6,
        pruned_interval_ms: in_ms(pair.pruned_interval_ns),
        ratio: pair.ratio,
        ratio_interval: pair.ratio_interval,
        at_most,
        passed: pair.ratio_interval[1] <= at_most,
        covers,
        not_covered: NotCovered::of(models[0].network(), covers),
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
