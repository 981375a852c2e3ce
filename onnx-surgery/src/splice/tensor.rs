//! Tensors: new dims, elements, names and places of their data.

use super::data::entries;
use super::{Added, Placement, Splicer, TensorEdit, nth, number, stated, text_of};
use crate::constant::{Home, number_of};
use crate::rope::Rope;
use crate::walk::place_in;
use crate::wire::{Change, WireError, fields, length_field, number_field, rewrite, varint};
use bytes::Bytes;

impl Splicer<'_> {
    /// A tensor with an edit's dims and elements, and under another name, if there are any.
    ///
    /// Elements become raw bytes, whichever field they were in; those outside the file stay outside unless all come in.
    pub(super) fn tensor(
        &mut self,
        tensor: &Bytes,
        edit: Option<&TensorEdit>,
        name: Option<&str>,
    ) -> Result<Rope, WireError> {
        let outside = self.external.data(place_in(self.file, tensor));
        let is_outside = outside.is_some();
        let mut elements = match (edit, outside, self.placement) {
            (None, None, _) => None,
            (Some(edit), Some(_), Placement::Beside(location)) => {
                Some(entries(location, self.data.push(edit.data.clone())))
            }
            (None, Some(data), Placement::Beside(location)) => Some(entries(location, self.data.copy(data.clone()))),
            (Some(edit), _, _) => Some(length_field(number::TENSOR_RAW, edit.data.clone())),
            (None, Some(data), Placement::Inside) => Some(length_field(number::TENSOR_RAW, data.clone().into())),
        };
        let has_elements = elements.is_some();
        let drops_location = is_outside && matches!(self.placement, Placement::Inside);
        let mut dims = edit.map(|edit| dims(&edit.dims));
        let mut new_name = name.map(|name| length_field(number::TENSOR_NAME, name.as_bytes().to_vec().into()));
        let mut rope = rewrite(tensor, |field, _| {
            let number = field.number;
            Ok(if number == number::TENSOR_DIMS && edit.is_some() {
                dims.take().map_or(Change::Drop, Change::Replace)
            } else if number == number::TENSOR_NAME && name.is_some() {
                new_name.take().map_or(Change::Drop, Change::Replace)
            } else if has_elements && (number::TENSOR_DATA.contains(&number) || number == number::TENSOR_EXTERNAL) {
                elements.take().map_or(Change::Drop, Change::Replace)
            } else if number == number::TENSOR_LOCATION && drops_location {
                Change::Drop
            } else {
                Change::Keep
            })
        })?;
        // What stood nowhere goes to the end; an empty list is written as nothing.
        [dims, new_name, elements].into_iter().flatten().for_each(|field| rope.append(field));
        Ok(rope)
    }

    /// The fields of the new initializers.
    pub(super) fn added(&mut self, graph: &Bytes) -> Result<Rope, WireError> {
        let mut rope = Rope::default();
        for added in &self.edits.added {
            let tensor = match source(graph, added.from)? {
                Some(tensor) => self.tensor(&tensor, Some(&added.edit), Some(&added.name))?,
                None => from_list(added)?,
            };
            rope.append(length_field(number::GRAPH_INITIALIZER, tensor));
        }
        Ok(rope)
    }

    /// The new initializers as inputs.
    pub(super) fn listed(&self, graph: &Bytes) -> Result<Rope, WireError> {
        let mut rope = Rope::default();
        for added in &self.edits.added {
            let element = match source(graph, added.from)? {
                Some(tensor) => number_of_last(&tensor, number::TENSOR_TYPE)?.unwrap_or(0),
                None => list_type(added)?,
            };
            let shape = Some(stated::shape(&added.edit.dims));
            rope.append(length_field(number::GRAPH_INPUT, stated::tensor(&added.name, element, shape)));
        }
        Ok(rope)
    }
}

/// A list of dims, one per field as ONNX's own writers do it.
fn dims(dims: &[usize]) -> Rope {
    let mut rope = Rope::default();
    dims.iter().for_each(|&dim| rope.append(number_field(number::TENSOR_DIMS, dim as i64)));
    rope
}

/// The tensor at a place; nothing where a Constant node has a list or a number instead.
fn source(graph: &Bytes, home: Home) -> Result<Option<Bytes>, WireError> {
    match home {
        Home::Initializer(index) => nth(graph, number::GRAPH_INITIALIZER, index).map(Some),
        Home::Node { node, attribute } => {
            let attribute = nth(&nth(graph, number::GRAPH_NODE, node)?, number::NODE_ATTRIBUTE, attribute)?;
            let has_tensor = text_of(&attribute, number::ATTRIBUTE_TENSOR)?.is_some();
            if has_tensor { nth(&attribute, number::ATTRIBUTE_TENSOR, 0).map(Some) } else { Ok(None) }
        }
    }
}

/// A tensor for what was a list or a number.
fn from_list(added: &Added) -> Result<Rope, WireError> {
    Ok(message(&added.name, &added.edit.dims, list_type(added)?, added.edit.data.clone()))
}

/// A tensor with its elements as raw data; `element` is ONNX's number of their type.
pub(crate) fn message(name: &str, shape: &[usize], element: i64, data: Rope) -> Rope {
    let mut rope = dims(shape);
    rope.append(number_field(number::TENSOR_TYPE, element));
    rope.append(length_field(number::TENSOR_NAME, name.as_bytes().to_vec().into()));
    rope.append(length_field(number::TENSOR_RAW, data));
    rope
}

fn list_type(added: &Added) -> Result<i64, WireError> {
    added.edit.element.and_then(number_of).map(i64::from).ok_or(WireError::Malformed)
}

fn number_of_last(message: &Bytes, number: u64) -> Result<Option<i64>, WireError> {
    let mut found = None;
    for field in fields(message) {
        let field = field?;
        if field.number == number && !field.has_length {
            found = Some(varint(message, field.payload)?.0 as i64);
        }
    }
    Ok(found)
}
