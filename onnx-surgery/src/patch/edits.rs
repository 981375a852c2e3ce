//! From changes to edits of the file.

use super::audit::{integers, with_number};
use super::gone::constant;
use super::{AxisCut, Change, Cut, Patch};
use crate::constant::{Constant, Home};
use crate::graph::TensorId;
use crate::splice::{Added, AttributeEdit, Edits, TensorEdit};
use bytes::Bytes;
use netspec::ElementType;
use std::collections::BTreeMap;

/// What happens to one constant.
#[derive(Default)]
struct Fate {
    cuts: Vec<AxisCut>,
    numbers: Vec<(usize, i64)>,
    positions: Option<Vec<i64>>,
}

impl Patch<'_> {
    pub(super) fn edits(&self) -> Edits {
        let model = self.model;
        // The constant behind every name that changes, and the names that are copies.
        let mut fates: BTreeMap<&str, Fate> = BTreeMap::new();
        let mut copies: BTreeMap<&str, &str> = BTreeMap::new();
        let mut edits = Edits::default();
        for change in &self.changes {
            match change {
                Change::Shrink { tensor, axis, removed: positions, .. }
                | Change::Zero { tensor, axis, zeroed: positions, .. } => {
                    let zeroes = matches!(change, Change::Zero { .. });
                    let cut = AxisCut { axis: *axis, positions: positions.clone(), zeroes };
                    fates.entry(tensor).or_default().cuts.push(cut);
                }
                Change::Number { tensor, index, after, .. } => {
                    fates.entry(tensor).or_default().numbers.push((*index, *after));
                }
                Change::Positions { tensor, after, .. } => {
                    fates.entry(tensor).or_default().positions = Some(after.clone());
                }
                Change::Copy { tensor, copy, readers, identity } => {
                    copies.insert(copy, tensor);
                    fates.entry(copy).or_default();
                    edits.dropped.extend(identity);
                    edits.inputs.extend(readers.iter().map(|reader| (*reader, copy.clone())));
                }
                Change::Attribute { place, name, element, after, .. } => {
                    let edit = AttributeEdit { name: name.clone(), element: *element, value: *after };
                    edits.attributes.entry(*place).or_default().push(edit);
                }
                Change::Stated { tensor, axis, after, .. } => {
                    edits.stated.entry(tensor.clone()).or_default().push((*axis, *after));
                }
                Change::Constant { tensor, layer, keep, .. } => {
                    let all = constant(model, *layer);
                    let data: Vec<u8> = keep.iter().flat_map(|&channel| all[channel].to_le_bytes()).collect();
                    let dims = self.constant_dims(*layer, tensor, keep.len());
                    let edit = TensorEdit { dims, data: data.into(), element: Some(ElementType::F32) };
                    let weight = &model.network().layers[*layer].weight;
                    let from = model.graph.constants[&model.graph.ids[weight]].home;
                    edits.added.push(Added { from, name: tensor.clone(), edit });
                }
                Change::Remove { place, .. } => {
                    edits.dropped.insert(*place);
                    let node = model.graph.nodes.iter().find(|node| node.place == *place);
                    let outputs = node.into_iter().flat_map(|node| node.outputs.iter().flatten());
                    edits.gone.extend(outputs.map(|&output| model.graph.name(output).to_owned()));
                }
                Change::Unread { tensor } => {
                    edits.gone.insert(tensor.clone());
                    if let Home::Node { node, .. } = model.graph.constants[&model.graph.ids[tensor]].home {
                        edits.dropped.insert(node);
                    }
                }
            }
        }
        for (name, fate) in fates {
            let source = copies.get(name).copied().unwrap_or(name);
            let constant = &model.graph.constants[&model.graph.ids[source]];
            let edit = tensor_edit(constant, &fate);
            if copies.contains_key(name) {
                edits.added.push(Added { from: constant.home, name: name.to_owned(), edit });
            } else {
                edits.constants.insert(constant.home, edit);
            }
        }
        for (name, values) in &self.values {
            let constant = &model.graph.constants[&model.graph.ids[name]];
            let data = constant.element.ok().and_then(|element| element.encode(values));
            let data = Bytes::from(data.expect("`exchange` takes floating-point constants only"));
            let edit = TensorEdit { dims: constant.dims.clone(), data: data.into(), element: constant.element.ok() };
            edits.constants.insert(constant.home, edit);
        }
        edits
    }

    /// The shape of a constant that is added in the place of a layer's output: one where that has not its channels.
    pub(super) fn constant_dims(&self, layer: usize, tensor: &str, channels: usize) -> Vec<usize> {
        let value = self.model.inference.value(self.model.graph.ids[tensor]);
        let rank = value.and_then(|value| value.rank()).unwrap_or(4);
        let is_last = self.model.wiring(layer).is_some_and(|wiring| wiring.channels_last);
        let mut dims = vec![1; rank];
        dims[if is_last { rank - 1 } else { 1 }] = channels;
        dims
    }

    /// Elements of all weights of the patched model, as [`netspec::Network::parameters`] counts them.
    ///
    /// Nothing is built for it.
    pub fn parameters(&self) -> usize {
        let edits = self.edits();
        let graph = &self.model.graph;
        let is_gone = |(id, constant): &(&TensorId, &Constant)| match constant.home {
            Home::Node { node, .. } => edits.dropped.contains(&node),
            Home::Initializer(_) => edits.gone.contains(graph.name(**id)),
        };
        let count = |(_, constant): (&TensorId, &Constant)| match edits.constants.get(&constant.home) {
            Some(edit) => counted(constant.element, &edit.dims),
            None => counted(constant.element, &constant.dims),
        };
        let kept: usize = graph.constants.iter().filter(|constant| !is_gone(constant)).map(count).sum();
        let added = edits.added.iter().map(|added| counted(added.edit.element.ok_or(0), &added.edit.dims));
        kept + added.sum::<usize>()
    }
}

/// The elements of a constant of this type and shape, if it counts as a weight.
fn counted(element: Result<ElementType, i32>, dims: &[usize]) -> usize {
    use ElementType::{Bf16, F16, F32, F64};
    let is_weight = matches!(element, Ok(F32 | F64 | F16 | Bf16)) && !dims.is_empty();
    if is_weight { dims.iter().product() } else { 0 }
}

fn tensor_edit(constant: &Constant, fate: &Fate) -> TensorEdit {
    let mut data = constant.data.bytes().clone();
    for &(index, number) in &fate.numbers {
        data = Bytes::from(with_number(constant.element, &data, index, number));
    }
    if let Some(positions) = &fate.positions {
        let data = Bytes::from(integers(constant.element, positions));
        let data = Cut::new(data, constant.element.map_or(1, ElementType::bytes), &[positions.len()], &[]).into();
        return TensorEdit { dims: vec![positions.len()], data, element: constant.element.ok() };
    }
    let mut dims = constant.dims.clone();
    for cut in fate.cuts.iter().filter(|cut| !cut.zeroes) {
        dims[cut.axis] -= cut.positions.len();
    }
    // Constants that follow channels have a known type: rules read no others.
    let bytes = constant.element.map_or(1, |element| element.bytes());
    let data = Cut::new(data, bytes, &constant.dims, &fate.cuts).into();
    TensorEdit { dims, data, element: constant.element.ok() }
}
