//! What goes with a residual branch: its nodes, their constants, and what they add to the stream, which becomes a constant.

use super::Change;
use crate::branch::{End, branches, live};
use crate::constant::Home;
use crate::graph::TensorId;
use crate::model::Model;
use netspec::{GroupId, GroupPlan, PrunePlan, TensorView};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Whether a group's branch goes with its channels. A single channel goes from beside others.
fn takes_branch(group: &GroupPlan) -> bool {
    group.keep.is_empty() && group.channels > 1
}

/// The groups whose branches go.
fn removed(plan: &PrunePlan) -> BTreeSet<GroupId> {
    plan.groups.iter().filter(|group| takes_branch(group)).map(|group| group.id).collect()
}

/// The plan without the groups whose branches go.
pub(super) fn narrowed(plan: &PrunePlan) -> PrunePlan {
    PrunePlan { groups: plan.groups.iter().filter(|group| !takes_branch(group)).cloned().collect() }
}

/// Adds the changes that take the branches of removed groups away, and leaves out those to what goes with them.
pub(super) fn remove(model: &Model, plan: &PrunePlan, changes: &mut Vec<Change>) {
    let removed = removed(plan);
    if removed.is_empty() {
        return;
    }
    let (graph, network) = (&model.graph, model.network());
    let ends: Vec<End> = branches(graph, &model.inference, &network.layers, &network.groups)
        .into_iter()
        .filter(|(group, _)| removed.contains(group))
        .flat_map(|(_, branches)| branches.ends)
        .collect();
    let constants: HashSet<TensorId> = ends.iter().map(|end| end.wired.last).collect();
    let live = live(graph, &constants);
    let is_dead = |node: &usize| !live.contains(node);
    let places: HashSet<usize> = (0..graph.nodes.len()).filter(is_dead).map(|node| graph.nodes[node].place).collect();
    for change in changes.iter_mut() {
        if let Change::Copy { readers, .. } = change {
            readers.retain(|(place, _)| !places.contains(place));
        }
    }
    let unread = unread(model, changes, &places);
    let is_moot = |change: &Change| match change {
        Change::Copy { readers, identity, .. } => {
            readers.is_empty() && identity.is_none_or(|place| places.contains(&place))
        }
        Change::Attribute { place, .. } => places.contains(place),
        _ => false,
    };
    let mut moot: HashSet<String> = unread.iter().cloned().collect();
    moot.extend(changes.iter().filter(|change| is_moot(change)).filter_map(Change::copy).map(str::to_owned));
    let computed = |id: TensorId| graph.nodes.iter().position(|node| node.outputs.contains(&Some(id)));
    moot.extend(
        graph
            .nodes
            .iter()
            .filter(|node| places.contains(&node.place))
            .flat_map(|node| node.outputs.iter().flatten().map(|&output| graph.name(output).to_owned())),
    );
    changes.retain(|change| !is_moot(change) && !change.tensor().is_some_and(|tensor| moot.contains(tensor)));
    for end in ends {
        // A branch inside of a branch that goes leaves nothing.
        let is_read = graph
            .nodes
            .iter()
            .any(|node| !places.contains(&node.place) && node.all_inputs().any(|input| input == end.wired.last));
        let Some(node) = computed(end.wired.last).filter(|_| is_read) else { continue };
        let layer = &network.layers[end.layer];
        changes.push(Change::Constant {
            node: graph.nodes[node].name.clone(),
            tensor: graph.name(end.wired.last).to_owned(),
            layer: end.layer,
            channels: layer.spec.c_out,
            keep: plan.positions(&layer.weight, end.wired.wiring.out_axis, layer.spec.c_out),
        });
    }
    let dead = graph.nodes.iter().filter(|node| places.contains(&node.place));
    changes.extend(dead.map(|node| Change::Remove { node: node.name.clone(), place: node.place }));
    changes.extend(unread.into_iter().map(|tensor| Change::Unread { tensor }));
}

/// The constants that only nodes read which go.
fn unread(model: &Model, changes: &[Change], places: &HashSet<usize>) -> Vec<String> {
    let graph = &model.graph;
    // Readers that get a copy of their own read the tensor no longer.
    let mut redirected: HashSet<(usize, usize)> = HashSet::new();
    for change in changes {
        if let Change::Copy { readers, .. } = change {
            redirected.extend(readers.iter().copied());
        }
    }
    let mut goes: HashMap<TensorId, bool> = HashMap::new();
    for node in &graph.nodes {
        let direct = node.inputs.iter().enumerate().filter_map(|(input, id)| Some((Some(input), (*id)?)));
        for (input, id) in direct.chain(node.captured.iter().map(|&id| (None, id))) {
            if !input.is_some_and(|input| redirected.contains(&(node.place, input))) {
                let goes = goes.entry(id).or_insert(true);
                *goes &= places.contains(&node.place);
            }
        }
    }
    let is_output = |name: &str| graph.outputs.iter().any(|port| port.name == name);
    let mut unread: Vec<(Home, String)> = goes
        .into_iter()
        .filter(|(_, goes)| *goes)
        .filter(|(id, _)| !is_output(graph.name(*id)))
        .filter_map(|(id, _)| Some((graph.constants.get(&id)?.home, graph.name(id).to_owned())))
        .collect();
    // In the order of the file.
    unread.sort_unstable_by_key(|(home, _)| match home {
        Home::Initializer(index) => (0, *index),
        Home::Node { node, .. } => (1, *node),
    });
    unread.into_iter().map(|(_, name)| name).collect()
}

/// What a layer without inputs computes: its bias, normalized where a normalization follows.
pub(super) fn constant(model: &Model, layer: usize) -> Vec<f32> {
    let channels = model.network().layers[layer].spec.c_out;
    let Some(wiring) = model.wiring(layer) else { return vec![0.0; channels] };
    let numbers = |name: &String| {
        let constant = model.graph.ids.get(name).and_then(|id| model.graph.constants.get(id));
        let view: Option<TensorView<'_>> = constant.and_then(|constant| constant.view());
        view.and_then(|view| view.to_f32().ok()).unwrap_or_else(|| vec![0.0; channels])
    };
    let bias = wiring.bias.as_ref().map_or_else(|| vec![0.0; channels], numbers);
    let Some(norm) = &wiring.norm else { return bias };
    let [scale, shift, mean, variance] = [&norm.scale, &norm.shift, &norm.mean, &norm.variance].map(numbers);
    (0..channels).map(|c| scale[c] * (bias[c] - mean[c]) / (variance[c] + norm.epsilon).sqrt() + shift[c]).collect()
}
