//! A tensor whose elements are in the file: an initializer, or a Constant node's value.

use crate::error::ModelError;
use crate::proto::{AttributeProto, TensorProto};
use bytes::Bytes;
use netspec::{ElementType, TensorView};
use std::borrow::Cow;

/// ONNX's number for data that lies in another file.
const EXTERNAL: i32 = 1;

/// No axis may be longer; it keeps products of two dims from overflowing.
pub(crate) const MAX_DIM: usize = 1 << 31;

/// Where in the file a constant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Home {
    /// In the graph's list of initializers, at this index.
    Initializer(usize),
    /// In the node at this index of the file's list, in the attribute at this index.
    Node { node: usize, attribute: usize },
}

/// A tensor whose elements are in the file.
#[derive(Clone)]
pub(crate) struct Constant {
    pub(crate) dims: Vec<usize>,
    /// The element type, or ONNX's number for one that surgery does not know.
    pub(crate) element: Result<ElementType, i32>,
    pub(crate) home: Home,
    /// Little-endian elements in C order.
    pub(crate) data: Bytes,
}

impl Constant {
    pub(crate) fn from_tensor(tensor: &TensorProto, name: &str, home: Home) -> Result<Constant, ModelError> {
        let fail = |why: String| ModelError::Tensor { tensor: name.to_owned(), why };
        if tensor.data_location == EXTERNAL {
            return Err(ModelError::ExternalData { tensor: name.to_owned() });
        }
        let dims = tensor
            .dims
            .iter()
            .map(|&d| usize::try_from(d).ok().filter(|&d| d < MAX_DIM))
            .collect::<Option<Vec<usize>>>()
            .ok_or_else(|| fail(format!("its dims {:?} are out of range", tensor.dims)))?;
        let element = element_type(tensor.data_type);
        let data = match (&tensor.raw_data, element) {
            (Some(raw), _) => raw.clone(),
            (None, Ok(element)) => typed_data(tensor, element),
            (None, Err(_)) => Bytes::new(),
        };
        if let Ok(element) = element {
            TensorView::new(element, dims.clone(), Cow::Borrowed(&data)).map_err(|e| fail(e.to_string()))?;
        }
        Ok(Constant { dims, element, home, data })
    }

    /// The value of a Constant node, or nothing for strings and sparse tensors.
    pub(crate) fn from_attribute(a: &AttributeProto, name: &str, home: Home) -> Result<Option<Constant>, ModelError> {
        let list = |element, n, data: Vec<u8>| {
            Ok(Some(Constant { dims: Vec::from_iter(n), element: Ok(element), home, data: data.into() }))
        };
        match (a.name.as_str(), &a.t) {
            ("value", Some(tensor)) => Constant::from_tensor(tensor, name, home).map(Some),
            ("value_float", _) => list(ElementType::F32, None, a.f.to_le_bytes().into()),
            ("value_floats", _) => {
                list(ElementType::F32, Some(a.floats.len()), a.floats.iter().flat_map(|v| v.to_le_bytes()).collect())
            }
            ("value_int", _) => list(ElementType::I64, None, a.i.to_le_bytes().into()),
            ("value_ints", _) => {
                list(ElementType::I64, Some(a.ints.len()), a.ints.iter().flat_map(|v| v.to_le_bytes()).collect())
            }
            _ => Ok(None),
        }
    }

    pub(crate) fn view(&self) -> Option<TensorView<'_>> {
        TensorView::new(self.element.ok()?, self.dims.clone(), Cow::Borrowed(&self.data)).ok()
    }

    pub(crate) fn elements(&self) -> usize {
        self.element.map_or(0, |element| self.data.len() / element.bytes())
    }

    /// The only element as a number, if there is just one.
    pub(crate) fn scalar(&self) -> Option<f32> {
        if self.elements() != 1 {
            return None;
        }
        self.view()?.to_f32().ok()?.first().copied()
    }

    /// A short list of integers: a shape, axes, bounds.
    pub(crate) fn integers(&self) -> Option<Vec<i64>> {
        let is_short = self.dims.len() <= 1 && self.elements() <= 64;
        let is_whole = matches!(self.element, Ok(ElementType::I64 | ElementType::I32));
        if is_short && is_whole { self.view()?.to_i64().ok() } else { None }
    }
}

/// The element type behind ONNX's number.
pub(crate) fn element_type(number: i32) -> Result<ElementType, i32> {
    Ok(match number {
        1 => ElementType::F32,
        2 => ElementType::U8,
        3 => ElementType::I8,
        6 => ElementType::I32,
        7 => ElementType::I64,
        9 => ElementType::Bool,
        10 => ElementType::F16,
        11 => ElementType::F64,
        16 => ElementType::Bf16,
        other => return Err(other),
    })
}

/// Elements of the typed fields, in the form that `raw_data` has.
fn typed_data(tensor: &TensorProto, element: ElementType) -> Bytes {
    let int32 = &tensor.int32_data;
    let bytes: Vec<u8> = match element {
        ElementType::F32 => tensor.float_data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        ElementType::F64 => tensor.double_data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        ElementType::I64 => tensor.int64_data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        ElementType::I32 => int32.iter().flat_map(|v| v.to_le_bytes()).collect(),
        // The narrow types share one field, an element per entry.
        ElementType::F16 | ElementType::Bf16 => int32.iter().flat_map(|v| (*v as u16).to_le_bytes()).collect(),
        _ => int32.iter().map(|v| *v as u8).collect(),
    };
    bytes.into()
}
