//! What inference knows about a tensor.

use crate::dependency::{Labels, Reason};
use crate::graph::{Dims, TensorId};

/// What inference knows about a tensor.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    /// Its dims; nothing where even their number is unknown.
    pub(crate) dims: Option<Dims>,
    /// Its elements, where it is a short list of integers whose origin is understood: a shape, mostly.
    pub(crate) ints: Option<Vec<Int>>,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Its elements are in the file. Several names (through Identity) may lead to one constant.
    Constant(TensorId),
    /// An axis of it carries channels.
    Channels { axis: usize, labels: Labels },
    /// Nothing in it can lose channels, and why.
    Fixed(Reason),
}

/// An integer inside a shape.
#[derive(Clone, Debug)]
pub(crate) struct Int {
    /// Nothing where a dynamic dim flows in.
    pub(crate) value: Option<i64>,
    pub(crate) origin: Origin,
}

/// Where an integer comes from: what must happen to it when channels go.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// It stands in the file, at this index of a constant, and has to be rewritten.
    Written(TensorId, usize),
    /// It is read at run time from an axis with these labels, and follows by itself.
    Follows(Labels),
    /// It never changes.
    Free,
}

impl Value {
    pub(crate) fn rank(&self) -> Option<usize> {
        self.dims.as_ref().map(Vec::len)
    }

    pub(crate) fn dim(&self, axis: usize) -> Option<usize> {
        self.dims.as_ref().and_then(|dims| dims.get(axis).copied().flatten())
    }

    /// The channel axis and its labels.
    pub(crate) fn channels(&self) -> Option<(usize, &Labels)> {
        match &self.kind {
            Kind::Channels { axis, labels } => Some((*axis, labels)),
            _ => None,
        }
    }

    pub(crate) fn is_constant(&self) -> bool {
        matches!(self.kind, Kind::Constant(_))
    }

    /// The same channels on another shape.
    pub(crate) fn with_dims(&self, dims: Option<Dims>) -> Value {
        Value { dims, ints: None, kind: self.kind.clone() }
    }
}

/// The product of known dims, unless it overflows.
pub(crate) fn product(dims: &[Option<usize>]) -> Option<usize> {
    dims.iter().try_fold(1usize, |n, d| n.checked_mul((*d)?))
}
