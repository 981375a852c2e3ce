//! Between this project's tensors and tract's.

use netspec::{ElementType, Tensor, TensorView};
use tract_onnx::prelude::{DatumType, TValue, Tensor as TractTensor, TractResult};

/// A tensor of tract's from a view that must have the type and shape of `like`.
pub(crate) fn to_tract(view: &TensorView<'_>, like: &TractTensor) -> Result<TValue, String> {
    let found = (element_of(like.datum_type()), like.shape());
    if (Some(view.element), view.shape.as_slice()) != found {
        return Err(format!(
            "it is {:?} of shape {:?}, the model takes {:?} of shape {:?}",
            view.element,
            view.shape,
            like.datum_type(),
            like.shape()
        ));
    }
    decode(view).map(TValue::from).map_err(|error| format!("{error:#}"))
}

fn decode(view: &TensorView<'_>) -> TractResult<TractTensor> {
    fn numbers<const N: usize, T>(bytes: &[u8], from: fn([u8; N]) -> T) -> Vec<T> {
        bytes.as_chunks::<N>().0.iter().map(|&chunk| from(chunk)).collect()
    }
    let (shape, bytes) = (view.shape.as_slice(), &*view.bytes);
    match view.element {
        ElementType::F32 => TractTensor::from_shape(shape, &numbers(bytes, f32::from_le_bytes)),
        ElementType::F64 => TractTensor::from_shape(shape, &numbers(bytes, f64::from_le_bytes)),
        ElementType::I32 => TractTensor::from_shape(shape, &numbers(bytes, i32::from_le_bytes)),
        ElementType::I64 => TractTensor::from_shape(shape, &numbers(bytes, i64::from_le_bytes)),
        ElementType::I8 => TractTensor::from_shape(shape, &numbers(bytes, i8::from_le_bytes)),
        ElementType::U8 => TractTensor::from_shape(shape, bytes),
        ElementType::Bool => TractTensor::from_shape(shape, &bytes.iter().map(|&b| b != 0).collect::<Vec<bool>>()),
        other => tract_onnx::prelude::tract_data::internal::bail!("inputs of type {other:?} are not handled"),
    }
}

/// A tensor of this project's with the same elements.
pub(crate) fn from_tract(tensor: &TractTensor) -> Result<Tensor, String> {
    let element = element_of(tensor.datum_type())
        .ok_or_else(|| format!("an output has elements of type {:?}, which is not handled", tensor.datum_type()))?;
    // tract's elements lie in C order, and in memory order: little-endian wherever this project is built.
    TensorView::new(element, tensor.shape().to_vec(), tensor.as_bytes().to_vec().into()).map_err(|e| e.to_string())
}

fn element_of(datum: DatumType) -> Option<ElementType> {
    Some(match datum {
        DatumType::F32 => ElementType::F32,
        DatumType::F64 => ElementType::F64,
        DatumType::I32 => ElementType::I32,
        DatumType::I64 => ElementType::I64,
        DatumType::I8 => ElementType::I8,
        DatumType::U8 => ElementType::U8,
        DatumType::Bool => ElementType::Bool,
        _ => return None,
    })
}
