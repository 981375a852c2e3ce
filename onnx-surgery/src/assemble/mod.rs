//! From what inference found to a `netspec::Network`.

mod epilogue;
mod operators;

use crate::branch::{Branches, branches};
use crate::graph::Graph;
use crate::infer::Inference;
use crate::nodes::NetworkPart;
use epilogue::Fusion;
use netspec::{Layer, Network, Width};

/// The network as pruning sees it.
pub(crate) fn network(graph: &Graph, inference: &Inference) -> Network {
    let mut fusion = Fusion::new(graph, inference);
    let mut layers = Vec::with_capacity(inference.layers.len());
    // Backwards: where two convolutions are added, the later one has the sum to store.
    for draft in inference.layers.iter().rev() {
        let mut spec = draft.spec.clone();
        fusion.fuse(draft.node, &mut spec.epilogue);
        let width = |labels: &Option<_>, channels| {
            labels.as_ref().map_or(Width::from(channels), |l| inference.grouping.width(l))
        };
        let (inputs, outputs) = (width(&draft.inputs, spec.c_in), width(&draft.outputs, spec.c_out));
        layers.push(Layer::new(&graph.nodes[draft.node].name, graph.name(draft.weight), spec, inputs, outputs));
    }
    layers.reverse();
    let mut groups = inference.grouping.groups.clone();
    for (group, Branches { idle, .. }) in branches(graph, inference, &layers, &groups) {
        groups[group.0].removable = true;
        for index in idle {
            let layer = &mut layers[index];
            // One that reads or computes nothing but the group's channels has none then.
            let is_of = |width: &Width| width.fixed == 0 && width.parts.iter().all(|part| part.group == group);
            if !is_of(&layer.inputs) && !is_of(&layer.outputs) {
                layer.gone_with.push(group);
            }
        }
    }
    let mut network = Network::default();
    (network.layers, network.groups) = (layers, groups);
    network.operators = operators::operators(graph, inference, &fusion).into_iter().map(|(_, op)| op).collect();
    network.frozen = inference.grouping.frozen.clone();
    network.untimed = inference.unmeasurable.clone();
    network.parameters = parameters(graph);
    network
}

/// What part of the network each node of the graph belongs to, if any.
pub(crate) fn parts(graph: &Graph, inference: &Inference) -> Vec<Option<NetworkPart>> {
    let mut fusion = Fusion::new(graph, inference);
    let mut parts = vec![None; graph.nodes.len()];
    // Backwards, as in `network`.
    for (index, draft) in inference.layers.iter().enumerate().rev() {
        parts[draft.node] = Some(NetworkPart::Layer(index));
        fusion.fuse(draft.node, &mut draft.spec.epilogue.clone());
    }
    for (index, (node, _)) in operators::operators(graph, inference, &fusion).into_iter().enumerate() {
        parts[node] = Some(NetworkPart::Operator(index));
    }
    for node in 0..parts.len() {
        if let Some(layer) = fusion.fused_into(node) {
            parts[node] = parts[layer];
        }
    }
    parts
}

/// Elements of all floating-point constants, scalars aside.
fn parameters(graph: &Graph) -> usize {
    let weights = graph.constants.values().filter(|c| c.is_floating());
    weights.filter(|c| !c.dims.is_empty()).map(|c| c.elements()).sum()
}
