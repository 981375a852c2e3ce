//! `steps` and `measure`: the staircases of a model, and nothing else.

use crate::engine::Engine;
use crate::measure::Measurer;
use crate::model::Model;
use crate::report::{EdgeReport, PointReport, RangeReport, StairReport, StepsReport};
use crate::sweeps::{Line, SweepOptions, Sweeps, Swept};
use crate::{Error, Progress};

/// Searches the staircases of all layers that pruning could change, each distinct one once.
pub fn steps(
    model: &Model,
    engine: &Engine,
    measurer: &mut Measurer<'_>,
    options: &SweepOptions,
    progress: &dyn Progress,
) -> Result<StepsReport, Error> {
    let network = model.network();
    let sweeps = Sweeps::search(network, measurer, options, progress)?;
    let mut layers = Vec::new();
    for layer in &network.layers {
        for line in Line::of(layer, network, options.residual) {
            if let Some(swept) = sweeps.get(&line) {
                layers.push(stair_report(&layer.name, &line, swept));
            }
        }
    }
    match (&options.layer, layers.is_empty()) {
        (Some(name), true) => return Err(Error::NoLayer { name: name.clone() }),
        (None, true) => {
            let why = "no layer follows a group that may lose channels; `locp inspect` lists the groups".to_owned();
            return Err(Error::NothingToPrune { path: model.path().to_owned(), why });
        }
        _ => {}
    }
    Ok(StepsReport {
        header: engine.header("locp.steps/1"),
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
        channels: line.channels(edge.channels),
        latency_ms: ms(edge.latency_ns),
        jump_ms: ms(edge.jump_ns.unwrap_or(0.0)),
    });
    let dominated = swept
        .stairs
        .dominated()
        .iter()
        .map(|&(from, to)| RangeReport { from: line.channels(from), to: line.channels(to) });
    let points =
        swept.points.iter().map(|(channels, m)| PointReport { channels: *channels, latency_ms: ms(m.median_ns) });
    StairReport {
        name: name.to_owned(),
        spec: line.spec.to_string(),
        axis: line.axis,
        channels: line.full(),
        lattice: line.unit() * swept.lattice,
        edges: edges.collect(),
        dominated: dominated.collect(),
        points: points.collect(),
        measured: swept.points.len(),
    }
}
