//! Shapes that a file states.

use super::{number, text_of};
use crate::rope::Rope;
use crate::wire::{Change, WireError, length_field, number_field, rewrite};
use bytes::Bytes;
use std::collections::HashMap;

/// What a file states of a tensor of an element type, by ONNX's number; without a shape, that is left open.
pub(crate) fn tensor(name: &str, element: i64, shape: Option<Rope>) -> Rope {
    let mut tensor = number_field(number::TENSOR_TYPE_ELEMENT, element);
    if let Some(shape) = shape {
        tensor.append(length_field(number::TENSOR_TYPE_SHAPE, shape));
    }
    let mut value = length_field(number::VALUE_NAME, name.as_bytes().to_vec().into());
    value.append(length_field(number::VALUE_TYPE, length_field(number::TYPE_TENSOR, tensor)));
    value
}

/// A shape of known lengths.
pub(crate) fn shape(dims: &[usize]) -> Rope {
    let mut shape = Rope::default();
    for &dim in dims {
        shape.append(length_field(number::SHAPE_DIM, number_field(number::DIM_VALUE, dim as i64)));
    }
    shape
}

/// A stated shape with new lengths, if there are any for its name.
pub(super) fn splice(value: &Bytes, stated: &HashMap<String, Vec<(usize, usize)>>) -> Result<Option<Rope>, WireError> {
    let name = text_of(value, number::VALUE_NAME)?.and_then(|name| std::str::from_utf8(name).ok());
    let Some(axes) = name.and_then(|name| stated.get(name)) else { return Ok(None) };
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
