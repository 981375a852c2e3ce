//! Writes a model with a few changes, copying every other byte of its file.
//!
//! The walk goes from the model to the graph, its nodes, initializers and stated shapes. A message with a change
//! inside is copied field by field and gets a new length, as do the messages around it; all others are copied whole.

use crate::constant::Home;
use crate::patch::Cut;
use crate::rope::Rope;
use crate::wire::{Change, WireError, fields, length_field, number_field, put_varint, rewrite};
use bytes::Bytes;
use netspec::ElementType;
use std::collections::HashMap;

/// Field numbers.
mod number {
    pub(super) const MODEL_GRAPH: u64 = 7;
    pub(super) const GRAPH_NODE: u64 = 1;
    pub(super) const GRAPH_INITIALIZER: u64 = 5;
    pub(super) const GRAPH_INPUT: u64 = 11;
    pub(super) const GRAPH_VALUE_INFO: u64 = 13;
    pub(super) const NODE_ATTRIBUTE: u64 = 5;
    pub(super) const ATTRIBUTE_NAME: u64 = 1;
    pub(super) const ATTRIBUTE_INT: u64 = 3;
    pub(super) const ATTRIBUTE_TENSOR: u64 = 5;
    pub(super) const ATTRIBUTE_FLOATS: u64 = 7;
    pub(super) const ATTRIBUTE_INTS: u64 = 8;
    pub(super) const TENSOR_DIMS: u64 = 1;
    pub(super) const TENSOR_RAW: u64 = 9;
    /// The typed fields of a tensor's elements, and the raw one.
    pub(super) const TENSOR_DATA: [u64; 6] = [4, 5, 7, 9, 10, 11];
    pub(super) const VALUE_NAME: u64 = 1;
    pub(super) const VALUE_TYPE: u64 = 2;
    pub(super) const TYPE_TENSOR: u64 = 1;
    pub(super) const TENSOR_TYPE_SHAPE: u64 = 2;
    pub(super) const SHAPE_DIM: u64 = 1;
    pub(super) const DIM_VALUE: u64 = 1;
}

/// A constant's new dims and elements.
pub(crate) struct TensorEdit {
    pub(crate) dims: Vec<usize>,
    pub(crate) data: Cut,
    pub(crate) element: Option<ElementType>,
}

/// What changes in a file.
#[derive(Default)]
pub(crate) struct Edits {
    pub(crate) constants: HashMap<Home, TensorEdit>,
    /// The attribute `group` of the node at an index.
    pub(crate) groups: HashMap<usize, usize>,
    /// Axes and new lengths of the shapes that are stated for a name.
    pub(crate) stated: HashMap<String, Vec<(usize, usize)>>,
}

/// The file with the edits, as pieces to be written.
pub(crate) fn splice(model: &Bytes, edits: &Edits) -> Result<Rope, WireError> {
    nested(model, number::MODEL_GRAPH, |graph| splice_graph(graph, edits))
}

/// Rewrites every sub-message with this field number.
fn nested(
    message: &Bytes,
    number: u64,
    mut inside: impl FnMut(&Bytes) -> Result<Rope, WireError>,
) -> Result<Rope, WireError> {
    rewrite(message, |field, payload| {
        if field.number != number || !field.has_length {
            return Ok(Change::Keep);
        }
        Ok(Change::Replace(length_field(number, inside(&payload)?)))
    })
}

fn splice_graph(graph: &Bytes, edits: &Edits) -> Result<Rope, WireError> {
    let nodes_with_constants: HashMap<usize, usize> = edits
        .constants
        .keys()
        .filter_map(|home| if let Home::Node { node, attribute } = home { Some((*node, *attribute)) } else { None })
        .collect();
    let (mut nodes, mut initializers) = (0.., 0..);
    rewrite(graph, |field, payload| {
        let changed = match field.number {
            number::GRAPH_NODE => nodes.next().and_then(|node: usize| {
                let group = edits.groups.get(&node).map(|&group| splice_group(&payload, group));
                let constant = nodes_with_constants.get(&node).and_then(|&attribute| {
                    let edit = edits.constants.get(&Home::Node { node, attribute })?;
                    Some(splice_attribute(&payload, attribute, edit))
                });
                group.or(constant)
            }),
            number::GRAPH_INITIALIZER => initializers.next().and_then(|i: usize| {
                edits.constants.get(&Home::Initializer(i)).map(|edit| splice_tensor(&payload, edit))
            }),
            number::GRAPH_VALUE_INFO | number::GRAPH_INPUT => splice_stated(&payload, edits).transpose(),
            _ => None,
        };
        Ok(changed.transpose()?.map_or(Change::Keep, |rope| Change::Replace(length_field(field.number, rope))))
    })
}

fn splice_group(node: &Bytes, group: usize) -> Result<Rope, WireError> {
    rewrite(node, |field, payload| {
        if field.number != number::NODE_ATTRIBUTE || text_of(&payload, number::ATTRIBUTE_NAME)? != Some(b"group") {
            return Ok(Change::Keep);
        }
        let attribute = rewrite(&payload, |field, _| {
            let is_value = field.number == number::ATTRIBUTE_INT;
            Ok(if is_value { Change::Replace(number_field(field.number, group as i64)) } else { Change::Keep })
        })?;
        Ok(Change::Replace(length_field(field.number, attribute)))
    })
}

/// The last text with this field number in a message.
fn text_of(message: &Bytes, number: u64) -> Result<Option<&[u8]>, WireError> {
    let mut found = None;
    for field in fields(message) {
        let field = field?;
        if field.number == number && field.has_length {
            found = Some(&message[field.payload..field.end]);
        }
    }
    Ok(found)
}

fn splice_attribute(node: &Bytes, index: usize, edit: &TensorEdit) -> Result<Rope, WireError> {
    let mut attributes = 0..;
    rewrite(node, |field, payload| {
        if field.number != number::NODE_ATTRIBUTE || attributes.next() != Some(index) {
            return Ok(Change::Keep);
        }
        let mut is_written = false;
        let attribute = rewrite(&payload, |field, payload| {
            Ok(match field.number {
                number::ATTRIBUTE_TENSOR => Change::Replace(length_field(field.number, splice_tensor(&payload, edit)?)),
                // A list or a single number instead of a tensor.
                number::ATTRIBUTE_FLOATS | number::ATTRIBUTE_INTS | number::ATTRIBUTE_INT => {
                    let is_first = !std::mem::replace(&mut is_written, true);
                    if is_first { Change::Replace(list(field.number, edit)) } else { Change::Drop }
                }
                _ => Change::Keep,
            })
        })?;
        Ok(Change::Replace(length_field(field.number, attribute)))
    })
}

/// A list in an attribute, an element per field as ONNX's own writers do it.
fn list(number: u64, edit: &TensorEdit) -> Rope {
    let mut out = Vec::new();
    let data = edit.data.to_vec();
    if edit.element == Some(ElementType::F32) {
        for element in data.chunks_exact(4) {
            put_varint(&mut out, number << 3 | 5);
            out.extend_from_slice(element);
        }
    } else {
        for element in data.as_chunks::<8>().0 {
            put_varint(&mut out, number << 3);
            put_varint(&mut out, u64::from_le_bytes(*element));
        }
    }
    Rope::from_owned(out)
}

/// New dims and elements; the latter as raw bytes, whichever field they were in.
fn splice_tensor(tensor: &Bytes, edit: &TensorEdit) -> Result<Rope, WireError> {
    let (mut has_dims, mut has_data) = (false, false);
    rewrite(tensor, |field, _| {
        if field.number == number::TENSOR_DIMS {
            if std::mem::replace(&mut has_dims, true) {
                return Ok(Change::Drop);
            }
            let mut dims = Rope::default();
            edit.dims.iter().for_each(|&dim| dims.append(number_field(number::TENSOR_DIMS, dim as i64)));
            return Ok(Change::Replace(dims));
        }
        if number::TENSOR_DATA.contains(&field.number) {
            if std::mem::replace(&mut has_data, true) {
                return Ok(Change::Drop);
            }
            return Ok(Change::Replace(length_field(number::TENSOR_RAW, Rope::from_cut(edit.data.clone()))));
        }
        Ok(Change::Keep)
    })
}

/// A stated shape with new lengths, if there are any for its name.
fn splice_stated(value: &Bytes, edits: &Edits) -> Result<Option<Rope>, WireError> {
    let name = text_of(value, number::VALUE_NAME)?.and_then(|name| std::str::from_utf8(name).ok());
    let Some(axes) = name.and_then(|name| edits.stated.get(name)) else { return Ok(None) };
    let in_shape = |shape: &Bytes| {
        let mut dims = 0..;
        rewrite(shape, |field, payload| {
            let axis = if field.number == number::SHAPE_DIM { dims.next() } else { None };
            let Some((_, length)) = axes.iter().find(|(changed, _)| Some(*changed) == axis) else {
                return Ok(Change::Keep);
            };
            let dim = rewrite(&payload, |field, _| {
                let is_value = field.number == number::DIM_VALUE;
                Ok(if is_value { Change::Replace(number_field(field.number, *length as i64)) } else { Change::Keep })
            })?;
            Ok(Change::Replace(length_field(field.number, dim)))
        })
    };
    let rope = nested(value, number::VALUE_TYPE, |t| {
        nested(t, number::TYPE_TENSOR, |tensor| nested(tensor, number::TENSOR_TYPE_SHAPE, in_shape))
    })?;
    Ok(Some(rope))
}
