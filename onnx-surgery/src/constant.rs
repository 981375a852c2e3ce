//! A tensor whose elements are in the file: an initializer, or a Constant node's value.

use crate::error::ModelError;
use crate::packed::{Packed, TensorProto};
use crate::proto::AttributeProto;
use bytes::Bytes;
use netspec::{ElementType, TensorError, TensorView};
use std::borrow::Cow;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// ONNX's number for data that lies in another file.
pub(crate) const EXTERNAL: i32 = 1;

/// No axis may be longer; it keeps products of two dims from overflowing.
pub(crate) const MAX_DIM: usize = 1 << 31;

/// No tensor may have more axes: ranks are copied with every shape, and no runtime takes as many.
pub(crate) const MAX_RANK: usize = 64;

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
    pub(crate) data: Data,
}

/// A constant's elements as bytes.
///
/// Those in typed fields are converted when they are first read, which for most constants is never.
#[derive(Clone)]
pub(crate) struct Data(Source);

#[derive(Clone)]
enum Source {
    Raw(Bytes),
    Typed(Arc<Typed>),
}

struct Typed {
    packed: Packed,
    element: ElementType,
    raw: OnceLock<Bytes>,
}

impl Data {
    pub(crate) fn bytes(&self) -> &Bytes {
        match &self.0 {
            Source::Raw(bytes) => bytes,
            Source::Typed(typed) => typed.raw.get_or_init(|| typed.packed.to_raw(typed.element)),
        }
    }
}

impl Deref for Data {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes()
    }
}

impl From<Bytes> for Data {
    fn from(bytes: Bytes) -> Data {
        Data(Source::Raw(bytes))
    }
}

impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Data {
        Bytes::from(bytes).into()
    }
}

impl Constant {
    pub(crate) fn from_tensor(tensor: &TensorProto, name: &str, home: Home) -> Result<Constant, ModelError> {
        let fail = |why: String| ModelError::Tensor { tensor: name.to_owned(), why };
        // `external::open` has put the data of every such tensor that it knows in `raw_data`.
        if tensor.data_location == EXTERNAL && tensor.raw_data.is_none() {
            return Err(fail("it keeps its data outside the file, where such a tensor is not looked for".to_owned()));
        }
        if tensor.dims.len() > MAX_RANK {
            return Err(fail(too_many_axes(tensor.dims.len())));
        }
        let dims = tensor
            .dims
            .iter()
            .map(|&d| usize::try_from(d).ok().filter(|&d| d < MAX_DIM))
            .collect::<Option<Vec<usize>>>()
            .ok_or_else(|| fail(format!("its dims {:?} are out of range", tensor.dims)))?;
        let element = element_type(tensor.data_type);
        let Ok(known) = element else {
            let data = tensor.raw_data.clone().unwrap_or_default().into();
            return Ok(Constant { dims, element, home, data });
        };
        let (data, bytes) = match (&tensor.raw_data, tensor.typed(known)) {
            (Some(raw), _) => (raw.clone().into(), raw.len()),
            (None, Some(packed)) => {
                let count = packed.count(known).ok_or_else(|| fail("its elements cannot be read".to_owned()))?;
                (typed_data(packed, known), count.saturating_mul(known.bytes()))
            }
            (None, None) => (Bytes::new().into(), 0),
        };
        let expected = bytes_of(&dims, known);
        if expected != Some(bytes) {
            return Err(fail(TensorError::Length { bytes, expected }.to_string()));
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
        self.element.map_or(0, |_| self.dims.iter().product())
    }

    /// Whether its elements are floating-point numbers.
    pub(crate) fn is_floating(&self) -> bool {
        matches!(self.element, Ok(ElementType::F32 | ElementType::F64 | ElementType::F16 | ElementType::Bf16))
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

/// Says that a shape has more than [`MAX_RANK`] axes.
pub(crate) fn too_many_axes(rank: usize) -> String {
    format!("its shape has {rank} axes, more than {MAX_RANK}")
}

/// The element type behind ONNX's number.
pub(crate) fn element_type(number: i32) -> Result<ElementType, i32> {
    Ok(match number {
        1 => ElementType::F32,
        2 => ElementType::U8,
        3 => ElementType::I8,
        4 => ElementType::U16,
        5 => ElementType::I16,
        6 => ElementType::I32,
        7 => ElementType::I64,
        9 => ElementType::Bool,
        10 => ElementType::F16,
        11 => ElementType::F64,
        12 => ElementType::U32,
        13 => ElementType::U64,
        16 => ElementType::Bf16,
        other => return Err(other),
    })
}

/// ONNX's number of an element type that surgery knows.
pub(crate) fn number_of(element: ElementType) -> Option<i32> {
    (1..=16).find(|&number| element_type(number) == Ok(element))
}

/// Bytes that elements of a type take in this shape, if that many can be counted.
pub(crate) fn bytes_of(dims: &[usize], element: ElementType) -> Option<usize> {
    dims.iter().try_fold(element.bytes(), |n, &dim| n.checked_mul(dim))
}

fn typed_data(packed: &Packed, element: ElementType) -> Data {
    Data(Source::Typed(Arc::new(Typed { packed: packed.clone(), element, raw: OnceLock::new() })))
}
