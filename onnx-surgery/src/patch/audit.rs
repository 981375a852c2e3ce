//! Whether a patched graph would run: its shapes are inferred afresh and compared with what the plan predicts.

use super::build::kept;
use super::{Change, Patch};
use crate::constant::Constant;
use crate::error::SurgeryError;
use crate::graph::{Dims, Graph, TensorId};
use crate::infer::{Inference, infer};
use netspec::{ElementType, PrunePlan};
use std::collections::{HashMap, HashSet};

impl Patch<'_> {
    /// Walks the patched graph. Every activation must have the shape that the plan predicts for it, inputs and
    /// outputs their old one; a consumer that was forgotten does not fit its input any more and is found here.
    pub(super) fn audit(&self, plan: &PrunePlan) -> Result<(), SurgeryError> {
        let fail = |why: String| SurgeryError::Audit { why };
        let patched = self.patched_graph();
        let after = infer(&patched, patched.surgery_batch()).map_err(|error| fail(error.to_string()))?;
        let kept = kept(self.model, plan);
        let computed: HashSet<TensorId> =
            patched.nodes.iter().flat_map(|node| &node.outputs).flatten().copied().collect();
        let is_gone = |id: &TensorId| {
            !computed.contains(id) && !self.model.graph.inputs.iter().any(|port| port.name == patched.name(*id))
        };
        for index in 0..patched.names.len() {
            let id = TensorId(index as u32);
            if is_gone(&id) {
                continue;
            }
            let Some(before) = self.model.inference.value(id).filter(|value| !value.is_stored()) else { continue };
            let expected = expected(&self.model.inference, id, before.dims.clone(), &kept);
            let found = after.value(id).and_then(|value| value.dims.clone());
            if expected != found {
                let name = patched.name(id);
                return Err(fail(format!("`{name}` would have the shape {found:?} where {expected:?} is expected")));
            }
        }
        Ok(())
    }

    /// The graph with the changes applied to shapes and numbers. Weights keep their old data, which no shape reads.
    fn patched_graph(&self) -> Graph {
        let mut graph = self.model.graph.clone();
        let index_of: HashMap<usize, usize> =
            graph.nodes.iter().enumerate().map(|(index, node)| (node.place, index)).collect();
        let mut dropped = HashSet::new();
        for change in &self.changes {
            match change {
                Change::Copy { tensor, copy, readers, identity } => {
                    // A copy is one of the tensor as it was.
                    let source = self.model.graph.constants[&self.model.graph.ids[tensor]].clone();
                    let id = graph.id(copy);
                    graph.constants.insert(id, source);
                    for (place, input) in readers {
                        graph.nodes[index_of[place]].inputs[*input] = Some(id);
                    }
                    dropped.extend(*identity);
                }
                Change::Attribute { place, name, element, after, .. } => {
                    let node = &mut graph.nodes[index_of[place]];
                    for attribute in node.attributes.iter_mut().filter(|a| a.name == *name) {
                        match element {
                            Some(i) => attribute.ints[*i] = *after,
                            None => attribute.i = *after,
                        }
                    }
                }
                Change::Shrink { tensor, axis, removed, .. } => {
                    if let Some(constant) = graph.constants.get_mut(&graph.ids[tensor]) {
                        constant.dims[*axis] -= removed.len();
                    }
                }
                Change::Number { tensor, index, after, .. } => {
                    if let Some(constant) = graph.constants.get_mut(&graph.ids[tensor]) {
                        constant.data = with_number(constant.element, &constant.data, *index, *after).into();
                    }
                }
                Change::Positions { tensor, after, .. } => {
                    if let Some(constant) = graph.constants.get_mut(&graph.ids[tensor]) {
                        constant.dims = vec![after.len()];
                        constant.data = integers(constant.element, after).into();
                    }
                }
                Change::Constant { tensor, layer, keep, .. } => {
                    let id = graph.ids[tensor];
                    // Of the weight it has all but the shape, and elements that nothing looks at.
                    let source = graph.constants[&graph.ids[&self.model.network().layers[*layer].weight]].clone();
                    let dims = self.constant_dims(*layer, tensor, keep.len());
                    graph.constants.insert(id, Constant { dims, ..source });
                }
                Change::Remove { place, .. } => {
                    dropped.insert(*place);
                }
                Change::Unread { .. } | Change::Zero { .. } | Change::Stated { .. } => (),
            }
        }
        graph.nodes.retain(|node| !dropped.contains(&node.place));
        graph
    }
}

fn expected(before: &Inference, id: TensorId, dims: Option<Dims>, kept: &[usize]) -> Option<Dims> {
    let mut dims = dims?;
    if let Some((axis, width)) = before.width(id) {
        dims[axis] = Some(width.at(|group| kept[group.0]));
    }
    Some(dims)
}

/// A constant's data with one integer replaced.
pub(super) fn with_number(element: Result<ElementType, i32>, data: &[u8], index: usize, number: i64) -> Vec<u8> {
    let new = integers(element, &[number]);
    let mut data = data.to_vec();
    data[index * new.len()..(index + 1) * new.len()].copy_from_slice(&new);
    data
}

/// Integers as a constant of this type has them.
pub(super) fn integers(element: Result<ElementType, i32>, numbers: &[i64]) -> Vec<u8> {
    let bytes = element.map_or(8, ElementType::bytes);
    numbers.iter().flat_map(|number| number.to_le_bytes().into_iter().take(bytes)).collect()
}
