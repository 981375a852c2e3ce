//! `inspect`: what a model is made of, as pruning sees it.

use crate::model::Model;
use crate::report::{InputReport, InspectReport, LayerReport, Prunable};
use crate::sizes;
use netspec::{ChannelGroup, Layer, Network, Width};
use onnx_surgery::Port;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

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
        prunable: prunable(network),
        batch: model.batch(),
        inputs: inputs(model),
        distinct_specs: distinct_specs(network),
        layers,
        groups: network.groups.clone(),
        untimed: network.untimed.clone(),
        frozen: network.frozen.clone(),
    }
}

/// Channels of a layer that stay because no group has them.
const FIXED: &str = "they do not belong to a group: an operator between the layers is not followed";

fn prunable(network: &Network) -> Prunable {
    let is_free = |width: &Width| width.parts.iter().any(|part| network.groups[part.group.0].frozen.is_none());
    let (mut free, mut all) = (0, 0);
    let mut kept: BTreeMap<&str, usize> = BTreeMap::new();
    for layer in &network.layers {
        all += layer.spec.c_out;
        let mut left = layer.spec.c_out;
        for part in &layer.outputs.parts {
            let group = &network.groups[part.group.0];
            let channels = (part.repeat * group.channels).min(left);
            left -= channels;
            match &group.frozen {
                None => free += channels,
                Some(reason) => *kept.entry(reason).or_default() += channels,
            }
        }
        if left > 0 {
            *kept.entry(FIXED).or_default() += left;
        }
    }
    if network.layers.is_empty() {
        // No layer can be timed alone: the groups are all that is known of channels.
        let channels = |is_counted: fn(&ChannelGroup) -> bool| -> usize {
            network.groups.iter().filter(|group| is_counted(group)).map(|group| group.channels).sum()
        };
        (free, all) = (channels(|group| group.frozen.is_none()), channels(|_| true));
    }
    let touched = network.layers.iter().filter(|layer| is_free(&layer.inputs) || is_free(&layer.outputs));
    let macs = |layers: &mut dyn Iterator<Item = &Layer>| layers.map(|layer| layer.spec.macs() as f64).sum::<f64>();
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let mut reasons: Vec<(String, usize)> = kept.into_iter().map(|(reason, n)| (reason.to_owned(), n)).collect();
    reasons.sort_by_key(|(_, channels)| Reverse(*channels));
    reasons.truncate(3);
    Prunable {
        channels: share(free as f64, all as f64),
        macs: share(macs(&mut touched.into_iter()), macs(&mut network.layers.iter())),
        reasons,
    }
}

fn inputs(model: &Model) -> Vec<InputReport> {
    let (ports, free) = (model.onnx().inputs(), sizes::free(model));
    let report = |(input, port): (usize, &Port)| InputReport {
        name: port.name.clone(),
        shape: model.onnx().input_dims(input).unwrap_or_default(),
        likely: free.iter().find(|free| free.name == port.name).map(|free| free.likely.to_string()),
    };
    ports.iter().enumerate().map(report).collect()
}

fn distinct_specs(network: &Network) -> usize {
    network.layers.iter().map(|layer| &layer.spec).collect::<HashSet<_>>().len()
}
