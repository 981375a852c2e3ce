//! Residual branches that may go as a whole: where the inside of one has no channels, what it adds is a constant.

use crate::graph::{Graph, TensorId};
use crate::infer::Inference;
use crate::wiring::{Wired, Wires};
use netspec::{ChannelGroup, GroupId, Layer};
use std::collections::{BTreeMap, HashSet};

/// Where a branch ends: the layer that reads its inside, and what stands between that and the stream.
pub(crate) struct End {
    /// The layer's index.
    pub(crate) layer: usize,
    pub(crate) wired: Wired,
    /// The index of the addition.
    sum: usize,
}

/// The branches that a group is the inside of.
pub(crate) struct Branches {
    pub(crate) ends: Vec<End>,
    /// The layers that lead to nothing without it, by their indices.
    pub(crate) idle: Vec<usize>,
}

/// The branches that each group is the inside of; groups that cannot go are not listed.
///
/// A group is the inside of a branch where every layer that reads it by weights either ends in a residual addition, and
/// reads nothing else, or leads to nothing but its own channels (as the squeeze of a squeeze-and-excitation). Without it
/// an addition must keep one operand that is no constant, so that of two branches that are added up only the first may go.
pub(crate) fn branches(
    graph: &Graph,
    inference: &Inference,
    layers: &[Layer],
    groups: &[ChannelGroup],
) -> BTreeMap<GroupId, Branches> {
    let wires = Wires::new(graph, inference);
    let mut branches = BTreeMap::new();
    let mut taken: HashSet<usize> = HashSet::new();
    for group in groups.iter().filter(|group| group.frozen.is_none()) {
        let is_inside = |layer: &Layer| {
            layer.inputs.fixed == 0
                && !layer.inputs.parts.is_empty()
                && !layer.outputs.follows(group.id)
                && layer.inputs.parts.iter().all(|part| part.group == group.id)
        };
        let inside = (0..layers.len()).filter(|&layer| is_inside(&layers[layer]));
        let ends: Vec<End> = inside
            .filter_map(|layer| {
                let wired = wires.wired(layer)?;
                Some(End { layer, sum: wired.sum?, wired })
            })
            .collect();
        let sums: HashSet<usize> = ends.iter().map(|end| end.sum).collect();
        if ends.is_empty() || sums.len() < ends.len() || !sums.is_disjoint(&taken) {
            continue;
        }
        if let Some(idle) = idle(group.id, &wires, &ends) {
            taken.extend(sums);
            branches.insert(group.id, Branches { ends, idle });
        }
    }
    branches
}

/// The layers that lead to nothing once what a group's branches end in are constants; nothing where some of the group is
/// left.
fn idle(group: GroupId, wires: &Wires<'_>, ends: &[End]) -> Option<Vec<usize>> {
    let constants: HashSet<TensorId> = ends.iter().map(|end| end.wired.last).collect();
    let live = live(wires.graph, &constants);
    let carries = |id: &TensorId| {
        let layout = wires.inference.value(*id).and_then(|value| value.layout());
        layout.is_some_and(|layout| wires.inference.grouping.has(layout.labels(), group))
    };
    let alive = wires.graph.nodes.iter().enumerate().filter(|(index, _)| live.contains(index));
    let is_gone = ends.iter().all(|end| live.contains(&end.sum))
        && !alive.flat_map(|(_, node)| node.outputs.iter().flatten()).any(carries);
    let layers = wires.inference.layers.iter().enumerate();
    is_gone.then(|| layers.filter(|(_, layer)| !live.contains(&layer.node)).map(|(index, _)| index).collect())
}

/// Indices of the nodes that lead to an output where some tensors are constants.
pub(crate) fn live(graph: &Graph, constants: &HashSet<TensorId>) -> HashSet<usize> {
    let mut wanted: HashSet<TensorId> =
        graph.outputs.iter().filter_map(|port| graph.ids.get(&port.name)).copied().collect();
    graph.leading_to(&mut wanted, constants)
}
