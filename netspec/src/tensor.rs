//! Tensors as bytes with a type and a shape; no array library in any signature.

use crate::half::{bf16_to_f32, f16_to_f32, f32_to_bf16, f32_to_f16};
use std::borrow::Cow;
use std::fmt;

/// Element type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ElementType {
    /// 32-bit IEEE floating point.
    F32,
    /// 64-bit IEEE floating point.
    F64,
    /// 16-bit IEEE floating point.
    F16,
    /// 16-bit floating point with an 8-bit exponent.
    Bf16,
    /// Unsigned bytes.
    U8,
    /// Signed bytes.
    I8,
    /// 16-bit signed integers.
    I16,
    /// 16-bit unsigned integers.
    U16,
    /// 32-bit signed integers.
    I32,
    /// 32-bit unsigned integers.
    U32,
    /// 64-bit signed integers.
    I64,
    /// 64-bit unsigned integers.
    U64,
    /// One byte each, 0 or 1.
    Bool,
}

impl ElementType {
    /// Bytes that one element takes.
    pub fn bytes(self) -> usize {
        match self {
            ElementType::F64 | ElementType::I64 | ElementType::U64 => 8,
            ElementType::F32 | ElementType::I32 | ElementType::U32 => 4,
            ElementType::F16 | ElementType::Bf16 | ElementType::I16 | ElementType::U16 => 2,
            ElementType::U8 | ElementType::I8 | ElementType::Bool => 1,
        }
    }

    /// Returns `values` as little-endian bytes of this type, rounded to the nearest number of it; `None` if it is not a
    /// floating-point type.
    pub fn encode(self, values: &[f32]) -> Option<Vec<u8>> {
        Some(match self {
            ElementType::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            ElementType::F64 => values.iter().flat_map(|&v| f64::from(v).to_le_bytes()).collect(),
            ElementType::F16 => values.iter().flat_map(|&v| f32_to_f16(v).to_le_bytes()).collect(),
            ElementType::Bf16 => values.iter().flat_map(|&v| f32_to_bf16(v).to_le_bytes()).collect(),
            _ => return None,
        })
    }
}

/// A borrowed (or, where it had to be converted, owned) tensor: little-endian elements in C order.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorView<'a> {
    /// Element type.
    pub element: ElementType,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Little-endian elements in C order.
    pub bytes: Cow<'a, [u8]>,
}

/// A tensor that owns its elements.
pub type Tensor = TensorView<'static>;

/// Why a tensor cannot be read as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TensorError {
    /// Elements and shape do not fit.
    Length {
        /// Bytes there are.
        bytes: usize,
        /// Bytes that shape and type ask for, if that many can be counted.
        expected: Option<usize>,
    },
    /// The elements are of another type.
    Element {
        /// The type they have.
        element: ElementType,
    },
}

impl fmt::Display for TensorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TensorError::Length { bytes, expected: Some(expected) } => {
                write!(f, "the tensor holds {bytes} bytes where its shape asks for {expected}")
            }
            TensorError::Length { bytes, expected: None } => {
                write!(f, "the tensor holds {bytes} bytes and its shape overflows")
            }
            TensorError::Element { element } => write!(f, "elements of type {element:?} cannot be read as numbers"),
        }
    }
}

impl std::error::Error for TensorError {}

impl<'a> TensorView<'a> {
    /// Puts elements and shape together; they must fit.
    pub fn new(element: ElementType, shape: Vec<usize>, bytes: Cow<'a, [u8]>) -> Result<TensorView<'a>, TensorError> {
        let expected = shape.iter().try_fold(element.bytes(), |n, &d| n.checked_mul(d));
        if expected != Some(bytes.len()) {
            return Err(TensorError::Length { bytes: bytes.len(), expected });
        }
        Ok(TensorView { element, shape, bytes })
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.element.bytes()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the elements as f32, rounded where f32 cannot represent them.
    pub fn to_f32(&self) -> Result<Vec<f32>, TensorError> {
        let bytes = &self.bytes;
        Ok(match self.element {
            ElementType::F32 => chunks(bytes).map(f32::from_le_bytes).collect(),
            ElementType::F64 => chunks(bytes).map(|b| f64::from_le_bytes(b) as f32).collect(),
            ElementType::I32 => chunks(bytes).map(|b| i32::from_le_bytes(b) as f32).collect(),
            ElementType::I64 => chunks(bytes).map(|b| i64::from_le_bytes(b) as f32).collect(),
            ElementType::I16 => chunks(bytes).map(|b| f32::from(i16::from_le_bytes(b))).collect(),
            ElementType::U16 => chunks(bytes).map(|b| f32::from(u16::from_le_bytes(b))).collect(),
            ElementType::U32 => chunks(bytes).map(|b| u32::from_le_bytes(b) as f32).collect(),
            ElementType::U64 => chunks(bytes).map(|b| u64::from_le_bytes(b) as f32).collect(),
            ElementType::U8 | ElementType::Bool => bytes.iter().map(|&b| f32::from(b)).collect(),
            ElementType::I8 => bytes.iter().map(|&b| f32::from(b as i8)).collect(),
            ElementType::F16 => chunks(bytes).map(|b| f16_to_f32(u16::from_le_bytes(b))).collect(),
            ElementType::Bf16 => chunks(bytes).map(|b| bf16_to_f32(u16::from_le_bytes(b))).collect(),
        })
    }

    /// The elements as i64, from the integer types; of the unsigned 64-bit ones, those that fit.
    pub fn to_i64(&self) -> Result<Vec<i64>, TensorError> {
        let bytes = &self.bytes;
        Ok(match self.element {
            ElementType::I64 => chunks(bytes).map(i64::from_le_bytes).collect(),
            ElementType::I32 => chunks(bytes).map(|b| i64::from(i32::from_le_bytes(b))).collect(),
            ElementType::I16 => chunks(bytes).map(|b| i64::from(i16::from_le_bytes(b))).collect(),
            ElementType::U16 => chunks(bytes).map(|b| i64::from(u16::from_le_bytes(b))).collect(),
            ElementType::U32 => chunks(bytes).map(|b| i64::from(u32::from_le_bytes(b))).collect(),
            ElementType::U64 => {
                let fitting = chunks(bytes).map(|b| i64::try_from(u64::from_le_bytes(b)).ok()).collect::<Option<_>>();
                fitting.ok_or(TensorError::Element { element: self.element })?
            }
            ElementType::U8 | ElementType::Bool => bytes.iter().map(|&b| i64::from(b)).collect(),
            ElementType::I8 => bytes.iter().map(|&b| i64::from(b as i8)).collect(),
            _ => return Err(TensorError::Element { element: self.element }),
        })
    }
}

impl Tensor {
    /// A tensor of f32 values; `shape` must hold as many.
    pub fn from_f32(shape: Vec<usize>, values: &[f32]) -> Result<Tensor, TensorError> {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        TensorView::new(ElementType::F32, shape, Cow::Owned(bytes))
    }
}

fn chunks<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.as_chunks::<N>().0.iter().copied()
}

/// A network's weights by name, readable from several threads.
///
/// # A second, silly implementation
/// ```
/// use netspec::{ElementType, TensorView, Weights};
/// /// Every weight is a single 1.
/// struct Ones;
/// impl Weights for Ones {
///     fn get(&self, _: &str) -> Option<TensorView<'_>> {
///         TensorView::from_f32(vec![1], &[1.0]).ok()
///     }
/// }
/// assert_eq!(Ones.get("conv1.weight").unwrap().to_f32().unwrap(), [1.0]);
/// ```
pub trait Weights: Send + Sync {
    /// The weight of this name, if there is one.
    fn get(&self, tensor: &str) -> Option<TensorView<'_>>;
}
