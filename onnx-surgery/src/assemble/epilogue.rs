//! What engines do to a convolution's result before they store it.
//!
//! Behind a convolution come, each at most as far as the one before has a single reader: operators with
//! constants per channel (a BatchNormalization or a bias, folded into the weights), the addition of another
//! tensor of the same shape, and an activation. An addition is fused into the later of its two convolutions,
//! for only then is the other operand there already.

use crate::graph::{Graph, Node, TensorId};
use crate::infer::{Inference, Value};
use netspec::{Activation, Epilogue};
use std::collections::{HashMap, HashSet};

pub(super) struct Fusion<'a> {
    graph: &'a Graph,
    inference: &'a Inference,
    consumers: HashMap<TensorId, Vec<usize>>,
    outputs: HashSet<TensorId>,
    /// The node of the layer that each node is fused into.
    fused: Vec<Option<usize>>,
}

impl<'a> Fusion<'a> {
    pub(super) fn new(graph: &'a Graph, inference: &'a Inference) -> Fusion<'a> {
        let outputs = graph.outputs.iter().filter_map(|port| graph.ids.get(&port.name).copied()).collect();
        Fusion { graph, inference, consumers: graph.consumers(), outputs, fused: vec![None; graph.nodes.len()] }
    }

    /// Whether the node is part of a convolution's epilogue.
    pub(super) fn is_fused(&self, node: usize) -> bool {
        self.fused[node].is_some()
    }

    /// The node of the layer into which a node is fused.
    pub(super) fn fused_into(&self, node: usize) -> Option<usize> {
        self.fused[node]
    }

    /// Finds what follows the layer at `node`, and marks it as fused.
    pub(super) fn fuse(&mut self, node: usize, epilogue: &mut Epilogue) {
        let mut at = node;
        while let Some(next) = self.only_reader(at) {
            let follows = &self.graph.nodes[next];
            match follows.op.as_str() {
                "BatchNormalization" => epilogue.bias = true,
                "Add" | "Sub" if self.adds_constant(follows) => epilogue.bias = true,
                "Mul" | "Div" if self.adds_constant(follows) => (),
                "Identity" | "Dropout" | "Cast" => (),
                _ => break,
            }
            self.fused[next] = Some(node);
            at = next;
        }
        if let Some(next) = self.only_reader(at).filter(|&next| self.inference.is_residual(&self.graph.nodes[next])) {
            epilogue.residual = true;
            self.fused[next] = Some(node);
            at = next;
        }
        self.activation(node, at, epilogue);
    }

    /// The one node that reads the only output of `node`.
    fn only_reader(&self, node: usize) -> Option<usize> {
        match self.readers(node)?[..] {
            [reader] if !self.is_fused(reader) => Some(reader),
            _ => None,
        }
    }

    fn readers(&self, node: usize) -> Option<&[usize]> {
        let output = (*self.graph.nodes[node].outputs.first()?)?;
        if self.outputs.contains(&output) {
            return None;
        }
        self.consumers.get(&output).map(Vec::as_slice)
    }

    fn value(&self, node: &Node, input: usize) -> Option<&Value> {
        self.inference.value((*node.inputs.get(input)?)?)
    }

    /// One operand stands in the file and has an element per channel, or a single one.
    fn adds_constant(&self, node: &Node) -> bool {
        let small = |value: &Value| {
            let dims = value.dims.iter().flatten().flatten();
            value.is_stored() && dims.filter(|&&d| d != 1).count() <= 1
        };
        (0..2).any(|i| self.value(node, i).is_some_and(small))
    }

    fn activation(&mut self, layer: usize, at: usize, epilogue: &mut Epilogue) {
        let Some(readers) = self.readers(at) else { return };
        let (activation, nodes) = match *readers {
            [one] => (self.plain(&self.graph.nodes[one]), vec![one]),
            // x * sigmoid(x), and the same with the hard sigmoid of HardSwish.
            [one, two] => match self.gated(one, two).or_else(|| self.gated(two, one)) {
                Some(activation) => (activation, vec![one, two]),
                None => return,
            },
            _ => return,
        };
        if activation != Activation::None && nodes.iter().all(|&node| !self.is_fused(node)) {
            epilogue.activation = activation;
            nodes.into_iter().for_each(|node| self.fused[node] = Some(layer));
        }
    }

    fn plain(&self, node: &Node) -> Activation {
        match node.op.as_str() {
            "Relu" => Activation::Relu,
            "Sigmoid" => Activation::Sigmoid,
            "HardSwish" => Activation::HardSwish,
            "Clip" if self.bound(node, 1, "min") == Some(0.0) && self.bound(node, 2, "max") == Some(6.0) => {
                Activation::Relu6
            }
            _ => Activation::None,
        }
    }

    /// A bound of Clip: an input in newer operator sets, an attribute in older ones.
    fn bound(&self, node: &Node, input: usize, attribute: &str) -> Option<f32> {
        match self.value(node, input).map(|value| &value.kind) {
            Some(crate::infer::Kind::Stored(stored)) => {
                self.graph.constants.get(&self.inference.root(stored.name))?.scalar()
            }
            Some(_) => None,
            None => node.has(attribute).then(|| node.float(attribute, 0.0)),
        }
    }

    fn gated(&self, gate: usize, product: usize) -> Option<Activation> {
        let (gate_node, product_node) = (&self.graph.nodes[gate], &self.graph.nodes[product]);
        let reads = |output: &TensorId| product_node.inputs.contains(&Some(*output));
        let is_gated = product_node.op == "Mul"
            && gate_node.outputs.first()?.as_ref().is_some_and(reads)
            && self.readers(gate) == Some(&[product]);
        match gate_node.op.as_str() {
            "Sigmoid" if is_gated => Some(Activation::Silu),
            "HardSigmoid" if is_gated && (gate_node.float("alpha", 0.2) - 1.0 / 6.0).abs() < 1e-4 => {
                Some(Activation::HardSwish)
            }
            _ => None,
        }
    }
}
