//! `inspect`: what a model is made of, as pruning sees it.

use crate::model::Model;
use crate::report::{InspectReport, LayerReport};
use netspec::{Network, Width};
use std::collections::HashSet;

/// Layers, channel groups, and what cannot be pruned and why.
pub fn inspect(model: &Model) -> InspectReport {
    let network = model.network();
    let groups_of = |width: &Width| width.parts.iter().map(|part| part.group).collect();
    let layers: Vec<LayerReport> = network
        .layers
        .iter()
        .map(|layer| LayerReport {
            name: layer.name.clone(),
            weight: layer.weight.clone(),
            spec: layer.spec.to_string(),
            inputs: groups_of(&layer.inputs),
            outputs: groups_of(&layer.outputs),
        })
        .collect();
    InspectReport {
        schema: "locp.inspect/1",
        model: model.report(),
        parameters: network.parameters,
        macs: network.layers.iter().map(|layer| layer.spec.macs()).sum(),
        batch: model.batch(),
        distinct_specs: distinct_specs(network),
        layers,
        groups: network.groups.clone(),
        untimed: network.untimed.len(),
        frozen: network.frozen.clone(),
    }
}

fn distinct_specs(network: &Network) -> usize {
    network.layers.iter().map(|layer| &layer.spec).collect::<HashSet<_>>().len()
}
