//! How layers are wired: the tensors around each one, for whoever looks at activations or exchanges weights.

use crate::graph::{Graph, Node, TensorId};
use crate::infer::Inference;
use crate::model::Model;
use netspec::ElementType;
use std::collections::HashMap;

/// The tensors around a layer, by name.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Wiring {
    /// What the layer reads.
    pub input: String,
    /// What it computes, before whatever follows.
    pub output: String,
    /// The weight's axis of output channels: 0 for a convolution, 1 for a matrix that is not transposed.
    pub out_axis: usize,
    /// Whether channels are the last axis of input and output, as in a fully connected layer, and not the second.
    pub channels_last: bool,
    /// Its bias, if it has one: f32, one element per output channel, and no other node's.
    pub bias: Option<String>,
    /// The normalization that alone reads the output.
    pub norm: Option<Norm>,
    /// The addition that alone reads the output, or what the normalization makes of it, where that goes into a residual
    /// stream.
    pub sum: Option<Sum>,
}

/// A BatchNormalization in inference mode: `scale (x - mean) / sqrt(variance + epsilon) + shift`, channel by channel.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Norm {
    /// The tensor of scales.
    pub scale: String,
    /// Of what is added at last.
    pub shift: String,
    /// Of means: no other node's, so that it can be exchanged.
    pub mean: String,
    /// Of variances.
    pub variance: String,
    /// What is added to them.
    pub epsilon: f32,
}

/// An addition of two tensors of one shape.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sum {
    /// The branch's end: the layer's output, or what the normalization makes of it. Where the branch was removed, it is a
    /// constant of one number per channel.
    pub term: String,
    /// What is added to the layer's output.
    pub other: String,
    /// The sum.
    pub output: String,
}

impl Model {
    /// How a layer of the network is wired, by its index; nothing where its weights cannot be exchanged by themselves:
    /// they or the bias are not f32, not in the file as the layer reads them, or read by another node too, or the layer
    /// is no convolution and no plain matrix product.
    pub fn wiring(&self, layer: usize) -> Option<Wiring> {
        Wires::new(&self.graph, &self.inference).wired(layer).map(|wired| wired.wiring)
    }

    /// [`wiring`](Self::wiring) for every layer.
    pub fn wirings(&self) -> Vec<Option<Wiring>> {
        let wires = Wires::new(&self.graph, &self.inference);
        (0..self.network().layers.len()).map(|layer| wires.wired(layer).map(|wired| wired.wiring)).collect()
    }
}

/// A graph with the readers of every tensor.
pub(crate) struct Wires<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) inference: &'a Inference,
    pub(crate) readers: HashMap<TensorId, Vec<usize>>,
}

/// A layer's wiring, and where its branch ends.
pub(crate) struct Wired {
    pub(crate) wiring: Wiring,
    /// What the layer computes, or its normalization.
    pub(crate) last: TensorId,
    /// The index of the node that adds it to a residual stream.
    pub(crate) sum: Option<usize>,
}

impl<'a> Wires<'a> {
    pub(crate) fn new(graph: &'a Graph, inference: &'a Inference) -> Wires<'a> {
        Wires { graph, inference, readers: graph.consumers() }
    }

    pub(crate) fn wired(&self, layer: usize) -> Option<Wired> {
        let graph = self.graph;
        let draft = self.inference.layers.get(layer)?;
        let node = &graph.nodes[draft.node];
        let (out_axis, channels_last) = match node.op.as_str() {
            "Conv" => (0, false),
            "MatMul" => (1, true),
            "Gemm" if [node.float("alpha", 1.0), node.float("beta", 1.0)] == [1.0, 1.0] => {
                (usize::from(node.int("transB", 0) == 0), true)
            }
            _ => return None,
        };
        let (weight, output) = (input(node, 1)?, (*node.outputs.first()?)?);
        let is_own = |id: TensorId| {
            self.readers.get(&id).map(Vec::len) == Some(1)
                && graph.constants.get(&id).is_some_and(|c| c.element == Ok(ElementType::F32))
        };
        if !is_own(weight) {
            return None;
        }
        let bias = input(node, 2);
        if bias.is_some_and(|id| !is_own(id) || graph.constants[&id].elements() != draft.spec.c_out) {
            return None;
        }
        let name = |id: TensorId| graph.name(id).to_owned();
        let normed = self.norm(output, draft.spec.c_out);
        let (norm, last) = normed.map_or((None, output), |(norm, output)| (Some(norm), output));
        let sum = self.sum(last);
        let wiring = Wiring {
            input: name(input(node, 0)?),
            output: name(output),
            out_axis,
            channels_last,
            bias: bias.map(name),
            norm,
            sum: sum.and_then(|sum| self.terms(sum, last)),
        };
        Some(Wired { wiring, last, sum })
    }

    /// The normalization of a layer's output, and what that computes.
    fn norm(&self, output: TensorId, channels: usize) -> Option<(Norm, TensorId)> {
        let graph = self.graph;
        let [reader] = self.readers.get(&output)?[..] else { return None };
        let node = &graph.nodes[reader];
        let is_inference = node.op == "BatchNormalization" && node.int("training_mode", 0) == 0;
        if !is_inference || self.is_output(output) || input(node, 0) != Some(output) {
            return None;
        }
        let numbers = |index: usize| {
            let id = input(node, index)?;
            let constant = graph.constants.get(&id)?;
            let is_so = constant.element == Ok(ElementType::F32) && constant.elements() == channels;
            is_so.then(|| graph.name(id).to_owned())
        };
        let is_own = self.readers.get(&input(node, 3)?).map(Vec::len) == Some(1);
        let norm = Norm {
            scale: numbers(1)?,
            shift: numbers(2)?,
            mean: numbers(3)?,
            variance: numbers(4)?,
            epsilon: node.float("epsilon", 1e-5),
        };
        is_own.then_some((norm, (*node.outputs.first()?)?))
    }

    fn is_output(&self, tensor: TensorId) -> bool {
        self.graph.outputs.iter().any(|output| output.name == self.graph.name(tensor))
    }

    /// The index of the node that alone reads a tensor and adds it to a residual stream.
    fn sum(&self, output: TensorId) -> Option<usize> {
        let [reader] = self.readers.get(&output)?[..] else { return None };
        let is_sum = self.inference.is_residual(&self.graph.nodes[reader]) && !self.is_output(output);
        is_sum.then_some(reader)
    }

    fn terms(&self, sum: usize, output: TensorId) -> Option<Sum> {
        let (graph, node) = (self.graph, &self.graph.nodes[sum]);
        let (a, b) = (input(node, 0)?, input(node, 1)?);
        let other = if a == output { b } else { a };
        let name = |id: TensorId| graph.name(id).to_owned();
        Some(Sum { term: name(output), other: name(other), output: name((*node.outputs.first()?)?) })
    }
}

fn input(node: &Node, index: usize) -> Option<TensorId> {
    node.inputs.get(index).copied().flatten()
}
