//! The graph that rules walk: nodes in topological order, tensors by number, constants with their data.

mod build;
mod order;
mod sizes;

use crate::constant::Constant;
use crate::packed::TensorProto;
use crate::proto::{AttributeProto, EntryProto};
use netspec::ElementType;
use std::collections::{HashMap, HashSet};

/// A tensor's number: activations, constants, inputs and outputs alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TensorId(pub(crate) u32);

/// Dims as a file states them: unknown ones are nothing.
pub(crate) type Dims = Vec<Option<usize>>;

/// A model's input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Port {
    /// Its name in the model.
    pub name: String,
    /// Its dims, outermost first, as the file fixes them or as they were stated when the model was opened; others, the
    /// batch among them, are `None`. Empty if neither states a shape.
    pub shape: Vec<Option<usize>>,
    /// Its element type, if it is one that surgery knows.
    pub element: Option<ElementType>,
}

#[derive(Clone)]
pub(crate) struct Node {
    /// The node's name, or its first output's where it has none.
    pub(crate) name: String,
    pub(crate) op: String,
    /// The domain of the operator.
    pub(crate) domain: String,
    /// Inputs in order; one that is left out is nothing.
    pub(crate) inputs: Vec<Option<TensorId>>,
    pub(crate) outputs: Vec<Option<TensorId>>,
    /// Tensors that the node's inner graphs read.
    pub(crate) captured: Vec<TensorId>,
    pub(crate) attributes: Vec<AttributeProto>,
    /// Its index in the file.
    pub(crate) place: usize,
}

impl Node {
    fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.attributes.iter().find(|a| a.name == name)
    }

    /// Whether the operator is one of ONNX's own, and not of some other domain.
    pub(crate) fn is_standard(&self) -> bool {
        matches!(self.domain.as_str(), "" | "ai.onnx")
    }

    pub(crate) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |a| a.i)
    }

    pub(crate) fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |a| a.f)
    }

    pub(crate) fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }

    pub(crate) fn floats(&self, name: &str) -> Option<&[f32]> {
        self.attribute(name).map(|a| a.floats.as_slice())
    }

    pub(crate) fn tensor(&self, name: &str) -> Option<&TensorProto> {
        self.attribute(name).and_then(|a| a.t.as_deref())
    }

    /// A text attribute; one that is no text reads as empty.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.attribute(name).and_then(|a| std::str::from_utf8(&a.s).ok()).unwrap_or("")
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    pub(crate) fn all_inputs(&self) -> impl Iterator<Item = TensorId> + '_ {
        self.inputs.iter().flatten().chain(&self.captured).copied()
    }
}

#[derive(Clone)]
pub(crate) struct Graph {
    /// In topological order; the file's own order wherever that is one.
    pub(crate) nodes: Vec<Node>,
    pub(crate) names: Vec<String>,
    pub(crate) ids: HashMap<String, TensorId>,
    pub(crate) constants: HashMap<TensorId, Constant>,
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
    /// Images per run: as the file fixes or the user states, or 1.
    pub(crate) batch: usize,
    /// The inputs' dims as the file states them, if it does.
    pub(crate) input_dims: Vec<Option<Vec<StatedDim>>>,
    /// The inputs whose first dim is the batch, if the file leaves it free.
    pub(crate) is_batched: Vec<bool>,
    /// Names of symbolic dims that are the batch.
    pub(crate) batch_names: HashSet<String>,
    /// Sizes of other symbolic dims, as they were stated.
    pub(crate) sizes: HashMap<String, usize>,
    /// Shapes that the file states, with the names of symbolic dims.
    pub(crate) stated: HashMap<TensorId, Vec<StatedDim>>,
    /// Names inside of inner graphs, which no new tensor may have.
    pub(crate) inner_names: HashSet<String>,
    /// The file's metadata.
    pub(crate) metadata: Vec<EntryProto>,
    /// The version of ONNX's own operators.
    pub(crate) opset: i64,
    /// Elements that the file's bytes could hold at most: a bound for what shapes may ask.
    pub(crate) file_bytes: usize,
}

/// A dim as the file states it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum StatedDim {
    Is(usize),
    Named(String),
    Unknown,
}

impl Graph {
    pub(crate) fn name(&self, id: TensorId) -> &str {
        &self.names[id.0 as usize]
    }

    /// The number of a tensor's name, a new one if need be.
    pub(crate) fn id(&mut self, name: &str) -> TensorId {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let id = TensorId(self.names.len() as u32);
        self.names.push(name.to_owned());
        self.ids.insert(name.to_owned(), id);
        id
    }

    /// Whether a tensor has this name, here or in an inner graph.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.ids.contains_key(name) || self.inner_names.contains(name)
    }

    /// Whether the batch may be of any size.
    pub(crate) fn has_any_batch(&self) -> bool {
        self.lead().is_some_and(|lead| self.is_batch(lead))
    }

    /// The batch at which surgery looks at the model: the groups are the same at any other.
    pub(crate) fn surgery_batch(&self) -> usize {
        if self.has_any_batch() { 1 } else { self.batch }
    }

    /// The shape that the file states for a tensor, at a batch size.
    pub(crate) fn stated_dims(&self, id: TensorId, batch: usize) -> Option<Dims> {
        let dims = self.stated.get(&id)?.iter().map(|dim| match dim {
            StatedDim::Is(n) => Some(*n),
            StatedDim::Named(name) if self.batch_names.contains(name) => Some(batch),
            StatedDim::Named(name) => self.sizes.get(name).copied(),
            StatedDim::Unknown => None,
        });
        Some(dims.collect())
    }

    /// Indices of the nodes that lead to the `wanted` tensors where the `given` ones need not be computed. All that those
    /// nodes read and is not given is wanted, too, in the end.
    pub(crate) fn leading_to(&self, wanted: &mut HashSet<TensorId>, given: &HashSet<TensorId>) -> HashSet<usize> {
        let mut leading = HashSet::new();
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if node.outputs.iter().flatten().any(|output| wanted.contains(output)) {
                wanted.extend(node.all_inputs().filter(|input| !given.contains(input)));
                leading.insert(index);
            }
        }
        leading
    }

    /// Indices of the nodes that read each tensor; a node that reads it twice stands there twice.
    pub(crate) fn consumers(&self) -> HashMap<TensorId, Vec<usize>> {
        let mut consumers: HashMap<TensorId, Vec<usize>> = HashMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            node.all_inputs().for_each(|input| consumers.entry(input).or_default().push(index));
        }
        consumers
    }
}
