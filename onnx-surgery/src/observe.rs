//! A model whose outputs are tensors from its inside.

use crate::error::SurgeryError;
use crate::model::Model;
use crate::patch::Patch;
use crate::rope::Rope;
use crate::splice::number;
use crate::walk::Kind;
use crate::wire::{Change, WireError, length_field, number_field, rewrite};
use bytes::Bytes;

/// ONNX's number of f32.
const F32: i64 = 1;

impl Model {
    /// The model in memory, with these f32 tensors as its outputs, in this order, and no others.
    ///
    /// An engine that runs it computes what leads to them, and nothing else. Shapes are left open.
    ///
    /// # Errors
    /// The model has no tensor of such a name ([`SurgeryError::NoTensor`]).
    pub fn observing(&self, tensors: &[&str]) -> Result<Vec<u8>, SurgeryError> {
        let computed = |name: &str| self.graph.ids.get(name).is_some_and(|id| !self.graph.constants.contains_key(id));
        if let Some(missing) = tensors.iter().find(|name| !computed(name)) {
            return Err(SurgeryError::NoTensor { tensor: (*missing).to_owned() });
        }
        let bytes = Bytes::from(Patch::nothing(self).to_bytes());
        let rope = with_outputs(&bytes, tensors).expect("the bytes were decoded when the model was opened");
        Ok(rope.to_vec())
    }
}

fn with_outputs(model: &Bytes, tensors: &[&str]) -> Result<Rope, WireError> {
    rewrite(model, |field, payload| {
        if Kind::Model.inner(field.number) != Some(Kind::Graph) || !field.has_length {
            return Ok(Change::Keep);
        }
        let mut graph = rewrite(&payload, |field, _| {
            Ok(if field.number == number::GRAPH_OUTPUT { Change::Drop } else { Change::Keep })
        })?;
        for tensor in tensors {
            let kind = length_field(number::TYPE_TENSOR, number_field(number::TENSOR_TYPE_ELEMENT, F32));
            let mut value = length_field(number::VALUE_NAME, tensor.as_bytes().to_vec().into());
            value.append(length_field(number::VALUE_TYPE, kind));
            graph.append(length_field(number::GRAPH_OUTPUT, value));
        }
        Ok(Change::Replace(length_field(field.number, graph)))
    })
}
