//! Nodes: inputs' names, attributes' numbers, and the values of Constant nodes.

use super::{AttributeEdit, Splicer, TensorEdit, number, text_of};
use crate::constant::Home;
use crate::rope::Rope;
use crate::walk::Kind;
use crate::wire::{Change, Field, WireError, length_field, number_field, put_varint, rewrite, varint};
use bytes::Bytes;
use netspec::ElementType;

impl Splicer<'_> {
    pub(super) fn node(&mut self, place: usize, field: &Field, node: &Bytes) -> Result<Change, WireError> {
        let edits = self.edits;
        if !self.edited.contains(&place) {
            return self.inside(Kind::Node, field, node);
        }
        let numbers = edits.attributes.get(&place).map_or(&[][..], Vec::as_slice);
        let (mut inputs, mut attributes) = (0.., 0..);
        let mut is_done = vec![false; numbers.len()];
        let rope = rewrite(node, |field, payload| match field.number {
            number::NODE_INPUT => {
                let name = inputs.next().and_then(|index: usize| edits.inputs.get(&(place, index)));
                Ok(name.map_or(Change::Keep, |name| {
                    Change::Replace(length_field(field.number, name.as_bytes().to_vec().into()))
                }))
            }
            number::NODE_ATTRIBUTE => {
                let attribute = attributes.next().unwrap_or(usize::MAX);
                if let Some(edit) = edits.constants.get(&Home::Node { node: place, attribute }) {
                    return Ok(Change::Replace(length_field(field.number, self.value(&payload, edit)?)));
                }
                let name = text_of(&payload, number::ATTRIBUTE_NAME)?.unwrap_or_default();
                let meant: Vec<usize> =
                    (0..numbers.len()).filter(|&i| numbers[i].name.as_bytes() == name && !is_done[i]).collect();
                if meant.is_empty() {
                    return self.inside(Kind::Attribute, field, &payload);
                }
                meant.iter().for_each(|&i| is_done[i] = true);
                let meant: Vec<&AttributeEdit> = meant.into_iter().map(|i| &numbers[i]).collect();
                Ok(Change::Replace(length_field(field.number, numbers_in(&payload, &meant)?)))
            }
            _ => Ok(Change::Keep),
        })?;
        if is_done.contains(&false) {
            return Err(WireError::Malformed);
        }
        Ok(Change::Replace(length_field(field.number, rope)))
    }

    /// A Constant node's value: a tensor, a list, or a number.
    fn value(&mut self, attribute: &Bytes, edit: &TensorEdit) -> Result<Rope, WireError> {
        // The attribute's name says which field counts; others may be there and mean nothing.
        let meant = match text_of(attribute, number::ATTRIBUTE_NAME)?.unwrap_or_default() {
            b"value_floats" => number::ATTRIBUTE_FLOATS,
            b"value_ints" => number::ATTRIBUTE_INTS,
            b"value_int" => number::ATTRIBUTE_INT,
            _ => number::ATTRIBUTE_TENSOR,
        };
        let mut is_written = false;
        rewrite(attribute, |field, payload| {
            if field.number != meant {
                return Ok(Change::Keep);
            }
            if meant == number::ATTRIBUTE_TENSOR {
                return Ok(Change::Replace(length_field(field.number, self.tensor(&payload, Some(edit), None)?)));
            }
            let is_first = !std::mem::replace(&mut is_written, true);
            Ok(if is_first { Change::Replace(list(field.number, edit)) } else { Change::Drop })
        })
    }
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
    out.into()
}

/// An attribute with new numbers in its integer or its list of integers.
fn numbers_in(attribute: &Bytes, edits: &[&AttributeEdit]) -> Result<Rope, WireError> {
    let mut single = edits.iter().rev().find(|edit| edit.element.is_none()).map(|edit| edit.value);
    let replaces_single = single.is_some();
    let of = |index: usize| edits.iter().rev().find(|edit| edit.element == Some(index)).map(|edit| edit.value);
    let mut seen = 0;
    let mut rope = rewrite(attribute, |field, payload| match field.number {
        number::ATTRIBUTE_INT if replaces_single => {
            let new = single.take().map(|value| number_field(field.number, value));
            Ok(new.map_or(Change::Drop, Change::Replace))
        }
        // Packed into one field, or one element per field; a list may come in several pieces of both.
        number::ATTRIBUTE_INTS if field.has_length => {
            let (mut out, mut at) = (Vec::new(), 0);
            while at < payload.len() {
                let (old, next) = varint(&payload, at)?;
                put_varint(&mut out, of(seen).map_or(old, |new| new as u64));
                (seen, at) = (seen + 1, next);
            }
            Ok(Change::Replace(length_field(field.number, out.into())))
        }
        number::ATTRIBUTE_INTS => {
            seen += 1;
            Ok(of(seen - 1).map_or(Change::Keep, |new| Change::Replace(number_field(field.number, new))))
        }
        _ => Ok(Change::Keep),
    })?;
    if edits.iter().any(|edit| edit.element.is_some_and(|element| element >= seen)) {
        return Err(WireError::Malformed);
    }
    // Some writers leave a zero out.
    if let Some(value) = single {
        rope.append(number_field(number::ATTRIBUTE_INT, value));
    }
    Ok(rope)
}
