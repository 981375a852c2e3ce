//! `steps` and `measure`: the staircases of a model, and nothing else.

use crate::line::{Index, Line};
use crate::measure::Measurer;
use crate::model::Model;
use crate::report::{AuditReport, EdgeReport, PointReport, RangeReport, StairReport, StepsReport};
use crate::sweeps::{SweepOptions, Sweeps, Swept};
use crate::{Error, Progress};
use netspec::Measurement;

/// Searches the staircases of all layers that pruning could change, or of the one named, each distinct one once.
pub(crate) fn steps(
    model: &Model,
    layer: Option<&str>,
    measurer: &mut Measurer<'_>,
    options: &SweepOptions,
    progress: &dyn Progress,
) -> Result<StepsReport, Error> {
    let network = model.network();
    let sweeps = Sweeps::search(network, layer, measurer, options, progress)?;
    let mut layers = Vec::new();
    for layer in network.layers.iter().filter(|candidate| layer.is_none_or(|name| candidate.name == name)) {
        for line in Line::of(layer, network, options.residual) {
            layers.extend(sweeps.get(&line).map(|swept| stair_report(&layer.name, &line, swept)));
        }
    }
    match (layer, layers.is_empty()) {
        (Some(name), true) => return Err(Error::NoLayer { name: name.to_owned() }),
        (None, true) => {
            let why = "no layer follows a group that may lose channels".to_owned();
            return Err(Error::NothingToPrune { path: model.path().to_owned(), why });
        }
        _ => {}
    }
    Ok(StepsReport {
        header: measurer.header("locp.steps/1"),
        model: model.report(),
        layers,
        measured: measurer.measured(),
        shared: measurer.shared(),
        device_seconds: measurer.device_seconds(),
    })
}

fn stair_report(name: &str, line: &Line, swept: &Swept) -> StairReport {
    let ms = |ns: f64| ns / 1e6;
    let edges = swept.stairs.edges().iter().map(|edge| EdgeReport {
        channels: line.channels(Index(edge.channels)),
        latency_ms: ms(edge.latency_ns),
        jump_ms: edge.jump_ns.map(ms),
        is_step: edge.is_step,
        confidence: edge.confidence,
        neighbors: [edge.below, edge.above].map(|point| point.map(|point| line.channels(Index(point.channels)))),
        algorithm_change: algorithm_change(&swept.points, line.channels(Index(edge.channels))),
    });
    let dominated = swept.stairs.dominated().iter().map(|&(from, to)| {
        let probed = swept.stairs.probed().iter().filter(|p| (from..=to).contains(&p.channels)).count();
        let inferred = probed * line.unit() < line.channels(Index(to)) + line.unit() - line.channels(Index(from));
        RangeReport { from: line.channels(Index(from)), to: line.channels(Index(to)), inferred }
    });
    let points = swept.points.iter().map(|(channels, m)| PointReport {
        channels: *channels,
        latency_ms: ms(m.median_ns),
        interval_ms: m.interval_ns.map(ms),
        provenance: m.provenance,
        algorithm: m.algorithm.clone(),
    });
    let missed = swept.stairs.missed();
    StairReport {
        name: name.to_owned(),
        spec: line.spec.to_string(),
        axis: line.axis,
        channels: line.full(),
        granularity: line.unit() * swept.granularity.step,
        offset: line.unit() * swept.granularity.offset,
        step: line.unit() * swept.step,
        edges: edges.collect(),
        dominated: dominated.collect(),
        points: points.collect(),
        measured: swept.points.len(),
        audit: AuditReport {
            unseen: missed.unseen,
            audits: missed.audits,
            exceptions: missed.exceptions,
            at_most: missed.at_most,
        },
    }
}

/// The algorithms at an edge and at the next width that was measured, where they are two.
fn algorithm_change(points: &[(usize, Measurement)], edge: usize) -> Option<[String; 2]> {
    let at = points.iter().position(|(channels, _)| *channels == edge)?;
    let of = |at: usize| points.get(at).and_then(|(_, m)| m.algorithm.clone());
    let (here, past) = (of(at)?, of(at + 1)?);
    (here != past).then_some([here, past])
}

#[cfg(test)]
mod tests {
    use super::algorithm_change;
    use netspec::{Measurement, Provenance};

    #[test]
    fn a_riser_where_the_algorithm_changes_is_told_from_others() {
        let at = |channels, algorithm: Option<&str>| {
            let m = Measurement::exact(1.0, Provenance::Measured);
            (channels, Measurement { algorithm: algorithm.map(str::to_owned), ..m })
        };
        let points = [at(8, Some("eng1")), at(16, Some("eng1")), at(24, Some("eng2")), at(32, None)];
        assert_eq!(algorithm_change(&points, 8), None);
        assert_eq!(algorithm_change(&points, 16), Some(["eng1".to_owned(), "eng2".to_owned()]));
        // Nothing is said where the engine does not say, past the last width, or between measured ones.
        for silent in [24, 32, 12] {
            assert_eq!(algorithm_change(&points, silent), None, "{silent}");
        }
    }
}
