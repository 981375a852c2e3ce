//! Operators that move data between the convolutions.

use super::epilogue::Fusion;
use crate::graph::{Graph, Node};
use crate::infer::{Inference, Value, product};
use netspec::{Operator, Width};
use std::collections::HashSet;

/// Operators that only change how a tensor is called, or nothing at all once a model is loaded.
const FREE: [&str; 8] = ["Identity", "Dropout", "Cast", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Constant"];

/// The operators with their nodes.
pub(super) fn operators(graph: &Graph, inference: &Inference, fusion: &Fusion<'_>) -> Vec<(usize, Operator)> {
    let layers: HashSet<usize> = inference.layers.iter().map(|layer| layer.node).collect();
    let moves = |(index, node): &(usize, &Node)| {
        let is_free = FREE.contains(&node.op.as_str()) || inference.folded[*index];
        !is_free && !layers.contains(index) && !fusion.is_fused(*index)
    };
    let moving = graph.nodes.iter().enumerate().filter(moves);
    moving.filter_map(|(index, node)| Some((index, operator(node, inference)?))).collect()
}

/// The cost of one node. One whose shapes are not known has none that could be stated.
fn operator(node: &Node, inference: &Inference) -> Option<Operator> {
    let id = (*node.outputs.first()?)?;
    let output = inference.value(id)?;
    let fixed = || Some((1, Width { fixed: output.dim(1)?, parts: vec![] }));
    let (axis, width) = inference.width(id).or_else(fixed)?;
    let channels = output.dim(axis).filter(|&channels| channels > 0)?;
    let inputs = node.inputs.iter().flatten().filter_map(|&id| inference.value(id));
    let images = inputs.filter(|value| !value.is_stored() && value.ints.is_none());
    let moved = images.chain([output]).map(per_image).try_fold(0usize, |sum, n| sum.checked_add(n?))?;
    Some(Operator { name: node.name.clone(), op: node.op.clone(), width, elements_per_channel: moved / channels })
}

/// Elements of one image; the first axis is the batch.
fn per_image(value: &Value) -> Option<usize> {
    product(value.dims.as_ref()?.get(1..)?)
}
