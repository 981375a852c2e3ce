//! Topological order.

use super::{Node, TensorId};
use crate::error::ModelError;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Nodes such that each one stands behind all that it reads from; a list that is in order stays as it is.
pub(super) fn sort(nodes: Vec<Node>) -> Result<Vec<Node>, ModelError> {
    let mut made_by: HashMap<TensorId, usize> = HashMap::new();
    for (i, node) in nodes.iter().enumerate() {
        node.outputs.iter().flatten().for_each(|&output| made_by.extend([(output, i)]));
    }
    let mut followers = vec![vec![]; nodes.len()];
    let mut waits_for = vec![0usize; nodes.len()];
    for (i, node) in nodes.iter().enumerate() {
        for &before in node.all_inputs().filter_map(|input| made_by.get(&input)) {
            followers[before].push(i);
            waits_for[i] += 1;
        }
    }
    let mut ready: BinaryHeap<Reverse<usize>> = (0..nodes.len()).filter(|&i| waits_for[i] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(Reverse(i)) = ready.pop() {
        order.push(i);
        for &next in &followers[i] {
            waits_for[next] -= 1;
            if waits_for[next] == 0 {
                ready.push(Reverse(next));
            }
        }
    }
    if let Some(stuck) = waits_for.iter().position(|&n| n > 0) {
        return Err(ModelError::Cycle { node: nodes[stuck].name.clone(), op: nodes[stuck].op.clone() });
    }
    let mut slots: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|i| slots[i].take()).collect())
}
