//! What inference knows about a tensor.

use crate::dependency::{Extent, Layout, Reason};
use crate::graph::{Dims, TensorId};
use netspec::ElementType;

/// What inference knows about a tensor.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    /// Its dims; nothing where even their number is unknown.
    pub(crate) dims: Option<Dims>,
    /// Its elements in C order, where it is a short list of integers whose origin is understood: a shape, mostly.
    pub(crate) ints: Option<Vec<Int>>,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// It is made of a constant, element by element.
    Stored(Stored),
    /// Some of its axes carry channels.
    Channels(Layout),
    /// Nothing in it can lose channels, and why.
    Fixed(Reason),
}

/// A constant as a node sees it, at times through operators that only turn it around.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// The name by which it is read: the constant's own, or that of an Identity behind it.
    pub(crate) name: TensorId,
    /// Which of the constant's axes each axis is; nothing for a new axis of one element.
    pub(crate) axes: Vec<Option<usize>>,
    /// The element type that arrives, or ONNX's number for one that surgery does not know.
    pub(crate) element: Result<ElementType, i32>,
    /// The first node on the way from the constant to the reader, if there is one.
    pub(crate) via: Option<Reader>,
    /// Numbers on the way that are the lengths of the constant's axes.
    pub(crate) lengths: Vec<(usize, Int)>,
}

/// A node's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Reader {
    /// The node's index in the graph.
    pub(crate) node: usize,
    pub(crate) input: usize,
}

/// An integer inside a shape.
#[derive(Clone, Debug)]
pub(crate) struct Int {
    /// Nothing where a dynamic dim flows in, or where it is a fraction.
    pub(crate) value: Option<i64>,
    /// What it is instead, as long as shapes are computed with fractions.
    pub(crate) real: Option<f32>,
    pub(crate) origin: Origin,
}

/// Where an integer comes from: what must happen to it when channels go.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// It stands in the file and has to be rewritten.
    Written(Written),
    /// It is computed at run time from the length of an axis, and follows by itself.
    Follows(Follows),
    /// It never changes.
    Free,
}

/// An element of a constant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Written {
    /// The name by which the constant is read.
    pub(crate) name: TensorId,
    pub(crate) element: usize,
    /// Who reads it; nothing until a node has.
    pub(crate) reader: Option<Reader>,
}

/// A length times `times`, plus `plus`, divided by `by` and rounded down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Follows {
    pub(crate) extent: Extent,
    pub(crate) times: usize,
    /// Less than `by`: what is added to make a division round up.
    pub(crate) plus: usize,
    pub(crate) by: usize,
}

impl Follows {
    /// The length itself.
    pub(crate) fn exactly(extent: Extent) -> Follows {
        Follows { extent, times: 1, plus: 0, by: 1 }
    }
}

impl Int {
    pub(crate) fn free(value: Option<i64>) -> Int {
        Int { value, real: None, origin: Origin::Free }
    }

    pub(crate) fn fraction(real: f32) -> Int {
        Int { value: None, real: Some(real), origin: Origin::Free }
    }

    /// Its value as a fraction.
    pub(crate) fn to_real(&self) -> Option<f32> {
        self.real.or(self.value.map(|value| value as f32))
    }
}

impl Value {
    pub(crate) fn rank(&self) -> Option<usize> {
        self.dims.as_ref().map(Vec::len)
    }

    pub(crate) fn dim(&self, axis: usize) -> Option<usize> {
        self.dims.as_ref().and_then(|dims| dims.get(axis).copied().flatten())
    }

    /// Where its channels are, if it has any.
    pub(crate) fn layout(&self) -> Option<&Layout> {
        match &self.kind {
            Kind::Channels(layout) => Some(layout),
            _ => None,
        }
    }

    /// Whether an axis of it carries channels.
    pub(crate) fn carries(&self, axis: usize) -> bool {
        self.layout().is_some_and(|layout| layout.carries(axis))
    }

    pub(crate) fn is_stored(&self) -> bool {
        matches!(self.kind, Kind::Stored(_))
    }
}

/// The product of known dims, unless it overflows.
pub(crate) fn product(dims: &[Option<usize>]) -> Option<usize> {
    dims.iter().try_fold(1usize, |n, d| n.checked_mul((*d)?))
}
