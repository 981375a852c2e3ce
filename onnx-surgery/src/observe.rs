//! A model whose outputs are tensors from its inside.

use crate::constant::Home;
use crate::error::SurgeryError;
use crate::graph::TensorId;
use crate::model::Model;
use crate::patch::Patch;
use crate::rope::Rope;
use crate::splice::{number, stated};
use crate::walk::Kind;
use crate::wire::{Change, WireError, length_field, rewrite};
use bytes::Bytes;
use std::collections::HashSet;

/// ONNX's number of f32.
const F32: i64 = 1;

impl Model {
    /// The model in memory, with these f32 tensors as its outputs, in this order, and no others.
    ///
    /// Nodes that do not lead to them are left out. Shapes are left open.
    ///
    /// # Errors
    /// The model has no tensor of such a name ([`SurgeryError::NoTensor`]).
    pub fn observing(&self, tensors: &[&str]) -> Result<Vec<u8>, SurgeryError> {
        let computed = |name: &str| self.graph.ids.get(name).is_some_and(|id| !self.graph.constants.contains_key(id));
        if let Some(missing) = tensors.iter().find(|name| !computed(name)) {
            return Err(SurgeryError::NoTensor { tensor: (*missing).to_owned() });
        }
        let bytes = Bytes::from(Patch::nothing(self).to_bytes());
        let needed = self.needed(tensors);
        let rope = with_outputs(&bytes, tensors, &needed).expect("the bytes were decoded when the model was opened");
        Ok(rope.to_vec())
    }

    /// The places in the file of the nodes that lead to these tensors.
    fn needed(&self, tensors: &[&str]) -> HashSet<usize> {
        let mut wanted: HashSet<TensorId> =
            tensors.iter().filter_map(|name| self.graph.ids.get(*name)).copied().collect();
        let mut needed = HashSet::new();
        for node in self.graph.nodes.iter().rev() {
            if node.outputs.iter().flatten().any(|output| wanted.contains(output)) {
                wanted.extend(node.all_inputs());
                needed.insert(node.place);
            }
        }
        // A constant that a node holds is that node's.
        needed.extend(wanted.iter().filter_map(|id| match self.graph.constants.get(id)?.home {
            Home::Node { node, .. } => Some(node),
            Home::Initializer(_) => None,
        }));
        needed
    }
}

fn with_outputs(model: &Bytes, tensors: &[&str], needed: &HashSet<usize>) -> Result<Rope, WireError> {
    rewrite(model, |field, payload| {
        if Kind::Model.inner(field.number) != Some(Kind::Graph) || !field.has_length {
            return Ok(Change::Keep);
        }
        let mut places = 0..;
        let mut graph = rewrite(&payload, |field, _| {
            let is_idle = field.number == number::GRAPH_NODE && !places.next().is_some_and(|at| needed.contains(&at));
            Ok(if is_idle || field.number == number::GRAPH_OUTPUT { Change::Drop } else { Change::Keep })
        })?;
        for tensor in tensors {
            graph.append(length_field(number::GRAPH_OUTPUT, stated::tensor(tensor, F32, None)));
        }
        Ok(Change::Replace(length_field(field.number, graph)))
    })
}
