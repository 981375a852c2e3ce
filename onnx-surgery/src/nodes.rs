//! The nodes of a model, by the names that engines keep, and what they are in its network.

use crate::assemble;
use crate::model::Model;

/// A part of a [`Network`](netspec::Network).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NetworkPart {
    /// The layer of this index, or what is fused into it.
    Layer(usize),
    /// The operator of this index.
    Operator(usize),
}

/// A node of the model's graph.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeNames {
    /// The node's name, or its first output's if it has none.
    pub name: String,
    /// The names of its outputs.
    pub outputs: Vec<String>,
    /// What it belongs to; `None` if it is not part of the network: it only changes how a tensor is called, or its shapes are
    /// not known.
    pub part: Option<NetworkPart>,
}

impl Model {
    /// Returns the nodes of the graph, in their order.
    pub fn nodes(&self) -> Vec<NodeNames> {
        let parts = assemble::parts(&self.graph, &self.inference);
        let node = |(node, part): (&crate::graph::Node, _)| NodeNames {
            name: node.name.clone(),
            outputs: node.outputs.iter().flatten().map(|&id| self.graph.name(id).to_owned()).collect(),
            part,
        };
        self.graph.nodes.iter().zip(parts).map(node).collect()
    }
}
