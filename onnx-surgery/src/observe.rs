//! A model whose outputs, and if need be its input, are tensors from its inside.

use crate::constant::{Home, number_of};
use crate::error::SurgeryError;
use crate::graph::TensorId;
use crate::model::Model;
use crate::patch::Patch;
use crate::rope::Rope;
use crate::splice::{number, stated, text_of};
use crate::walk::Kind;
use crate::wire::{Change, WireError, length_field, rewrite};
use bytes::Bytes;
use netspec::Weights as _;
use std::collections::{HashMap, HashSet};

/// ONNX's number of f32.
const F32: i64 = 1;

impl Model {
    /// The model in memory, with these tensors as its outputs, in this order, and no others. They are taken to have the
    /// element type of the first layer's weights.
    ///
    /// Nodes that do not lead to them are left out. Shapes are left open.
    ///
    /// # Errors
    /// The model has no tensor of such a name ([`SurgeryError::NoTensor`]).
    pub fn observing(&self, tensors: &[&str]) -> Result<Vec<u8>, SurgeryError> {
        self.observed(None, tensors)
    }

    /// The same with a tensor from the inside, of this shape, as the only input: what leads to it is left out.
    ///
    /// [`cut`](Self::cut) tells from which tensor alone others can be computed; a runtime refuses what cannot.
    ///
    /// # Errors
    /// As [`observing`](Self::observing).
    pub fn observing_from(&self, from: &str, shape: &[usize], tensors: &[&str]) -> Result<Vec<u8>, SurgeryError> {
        self.observed(Some((from, shape)), tensors)
    }

    /// The last tensor from which alone, and constants, all of these can be computed: it is one of them or stands before
    /// them, and nothing else that is computed before it is read behind it. Nothing where only the inputs are such.
    pub fn cut(&self, tensors: &[&str]) -> Option<&str> {
        let graph = &self.graph;
        let place_of = |id: TensorId| graph.nodes.iter().position(|node| node.outputs.contains(&Some(id)));
        let wanted = tensors.iter().map(|tensor| place_of(*graph.ids.get(*tensor)?));
        let first = wanted.collect::<Option<Vec<usize>>>()?.into_iter().min()?;
        // Until which node each tensor is read; what the model gives back, for ever.
        let mut last: HashMap<TensorId, usize> = HashMap::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            last.extend(node.all_inputs().map(|input| (input, index)));
        }
        last.extend(graph.outputs.iter().filter_map(|port| Some((*graph.ids.get(&port.name)?, usize::MAX))));
        let inputs = graph.inputs.iter().filter_map(|port| graph.ids.get(&port.name).copied());
        let mut live: HashSet<TensorId> = inputs.collect();
        let mut cut = None;
        for (index, node) in graph.nodes.iter().enumerate().take(first + 1) {
            live.extend(node.outputs.iter().flatten().filter(|output| last.contains_key(output)));
            live.retain(|tensor| last.get(tensor).is_some_and(|&read| read > index));
            if let ([Some(output)], true) = (&node.outputs[..], live.len() == 1)
                && live.contains(output)
            {
                cut = Some(graph.name(*output));
            }
        }
        cut
    }

    fn observed(&self, from: Option<(&str, &[usize])>, tensors: &[&str]) -> Result<Vec<u8>, SurgeryError> {
        let computed = |name: &str| self.graph.ids.get(name).is_some_and(|id| !self.graph.constants.contains_key(id));
        if let Some(missing) = tensors.iter().copied().chain(from.map(|(name, _)| name)).find(|name| !computed(name)) {
            return Err(SurgeryError::NoTensor { tensor: missing.to_owned() });
        }
        let bytes = Bytes::from(Patch::nothing(self).to_bytes());
        let needed = self.needed(from.map(|(name, _)| name), tensors);
        let weight = self.network().layers.first().and_then(|layer| self.get(&layer.weight));
        let element = weight.and_then(|weight| number_of(weight.element)).map_or(F32, i64::from);
        let observed = Observed { model: self, from, tensors, needed, element };
        let rope = observed.rewritten(&bytes).expect("the bytes were decoded when the model was opened");
        Ok(rope.to_vec())
    }

    /// The places in the file of the nodes that lead to these tensors, not beyond a tensor that is given.
    fn needed(&self, given: Option<&str>, tensors: &[&str]) -> HashSet<usize> {
        let id = |name: &str| self.graph.ids.get(name).copied();
        let given: HashSet<TensorId> = given.and_then(id).into_iter().collect();
        let mut wanted: HashSet<TensorId> = tensors.iter().filter_map(|name| id(name)).collect();
        wanted.retain(|tensor| !given.contains(tensor));
        let leading = self.graph.leading_to(&mut wanted, &given);
        let mut needed: HashSet<usize> = leading.into_iter().map(|index| self.graph.nodes[index].place).collect();
        // A constant that a node holds is that node's.
        needed.extend(wanted.iter().filter_map(|id| match self.graph.constants.get(id)?.home {
            Home::Node { node, .. } => Some(node),
            Home::Initializer(_) => None,
        }));
        needed
    }
}

/// What is made of a model's file.
struct Observed<'a> {
    model: &'a Model,
    from: Option<(&'a str, &'a [usize])>,
    tensors: &'a [&'a str],
    /// Places of the nodes that stay.
    needed: HashSet<usize>,
    /// ONNX's number of the tensors' element type.
    element: i64,
}

impl Observed<'_> {
    fn rewritten(&self, model: &Bytes) -> Result<Rope, WireError> {
        rewrite(model, |field, payload| {
            if Kind::Model.inner(field.number) != Some(Kind::Graph) || !field.has_length {
                return Ok(Change::Keep);
            }
            let mut places = 0..;
            let mut graph = rewrite(&payload, |field, value| {
                let goes = match field.number {
                    number::GRAPH_NODE => !places.next().is_some_and(|at| self.needed.contains(&at)),
                    number::GRAPH_OUTPUT => true,
                    number::GRAPH_INPUT | number::GRAPH_VALUE_INFO => self.is_replaced(&value)?,
                    _ => false,
                };
                Ok(if goes { Change::Drop } else { Change::Keep })
            })?;
            if let Some((name, shape)) = self.from {
                graph.append(length_field(
                    number::GRAPH_INPUT,
                    stated::tensor(name, self.element, Some(stated::shape(shape))),
                ));
            }
            for tensor in self.tensors {
                graph.append(length_field(number::GRAPH_OUTPUT, stated::tensor(tensor, self.element, None)));
            }
            Ok(Change::Replace(length_field(field.number, graph)))
        })
    }

    /// Whether what a file states of a tensor is of one in whose place another input comes: the model's own inputs (old
    /// files list initializers with them), and that tensor itself.
    fn is_replaced(&self, value: &Bytes) -> Result<bool, WireError> {
        let Some((from, _)) = self.from else { return Ok(false) };
        let name = text_of(value, number::VALUE_NAME)?.and_then(|name| std::str::from_utf8(name).ok());
        let is_input = |name: &str| self.model.graph.inputs.iter().any(|port| port.name == name);
        Ok(name.is_some_and(|name| name == from || is_input(name)))
    }
}
