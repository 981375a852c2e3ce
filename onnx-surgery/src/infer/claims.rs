//! Whether every reader of a constant agrees to what happens to it.
//!
//! A rule claims the axes that it knows to follow channels. A constant is read by other nodes, too, at times
//! (shared weights); an axis that some reader did not claim must not change, and so freezes its channels.

use super::{Count, CountAt};
use crate::dependency::{Dependencies, Reason};
use crate::graph::{Graph, TensorId};
use netspec::Frozen;
use std::collections::HashMap;

/// One reading of a constant.
struct Reading {
    by: Reader,
    /// Axes that the reader claims to follow channels.
    axes: Vec<usize>,
}

#[derive(Clone, Copy)]
enum Reader {
    /// The node at this index.
    Node(usize),
    /// Anything else, with the reason ready.
    Other(Reason),
}

#[derive(Default)]
pub(super) struct Claims {
    /// Claims of the node that the walk is at.
    current: Vec<(TensorId, usize)>,
    readings: HashMap<TensorId, Vec<Reading>>,
    /// Elements of shape constants that also serve something else.
    exposed: HashMap<(TensorId, usize), Reason>,
}

impl Claims {
    pub(super) fn claim(&mut self, constant: TensorId, axis: usize) {
        self.current.push((constant, axis));
    }

    pub(super) fn read(&mut self, constant: TensorId, node: usize) {
        let axes = self.current.iter().filter(|(id, _)| *id == constant).map(|(_, axis)| *axis).collect();
        self.readings.entry(constant).or_default().push(Reading { by: Reader::Node(node), axes });
    }

    pub(super) fn read_whole(&mut self, constant: TensorId, reason: Reason) {
        self.readings.entry(constant).or_default().push(Reading { by: Reader::Other(reason), axes: vec![] });
    }

    /// Forgets the claims of the node that the walk is at.
    pub(super) fn end_node(&mut self) {
        self.current.clear();
    }

    pub(super) fn expose(&mut self, constant: TensorId, element: usize, reason: Reason) {
        self.exposed.entry((constant, element)).or_insert(reason);
    }

    /// Freezes whatever two readers disagree about.
    pub(super) fn settle(&self, graph: &Graph, deps: &mut Dependencies, counts: &[Count]) {
        let mut constants: Vec<_> = self.readings.iter().collect();
        // Hash order would make the reported reasons differ between runs.
        constants.sort_unstable_by_key(|(id, _)| **id);
        for (&id, readings) in constants {
            for (axis, labels) in deps.members_of(graph.name(id)) {
                let Some(reading) = readings.iter().find(|reading| !reading.axes.contains(&axis)) else { continue };
                let reason = match reading.by {
                    Reader::Other(reason) => reason,
                    Reader::Node(node) => {
                        let node = &graph.nodes[node];
                        let reason = format!("reads `{}`, a weight of other layers, in another way", graph.name(id));
                        deps.reason(Frozen { node: node.name.clone(), op: node.op.clone(), reason })
                    }
                };
                deps.freeze(&labels, reason);
            }
        }
        let mut first: HashMap<CountAt, &Count> = HashMap::new();
        for count in counts {
            let CountAt::Element(id, element) = count.at else { continue };
            if let Some(&reason) = self.exposed.get(&(id, element)) {
                deps.freeze(&count.labels, reason);
            }
            // One number that counts the channels of two tensors: both must change alike.
            let before = *first.entry(count.at).or_insert(count);
            let node = graph.name(id).to_owned();
            let reason = "is a shape that counts different channels".to_owned();
            let reason = deps.reason(Frozen { node, op: "Constant".to_owned(), reason });
            if deps.unite(&before.labels, &count.labels, reason).is_err() {
                deps.freeze(&before.labels, reason);
                deps.freeze(&count.labels, reason);
            }
        }
    }
}
