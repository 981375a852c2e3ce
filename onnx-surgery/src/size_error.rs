//! What can be wrong with the sizes that are stated for a model's inputs.

/// A dimension of an input, and its size.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SizedAxis {
    /// The input.
    pub input: String,
    /// The axis.
    pub axis: usize,
    /// The size that is stated for it.
    pub size: usize,
}

/// Why the sizes that are stated for a model's inputs do not fit the model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SizeError {
    /// The model has no input of this name.
    #[error("the model has no input `{input}`, its inputs are {}; {NAME_ONE}", listed(inputs))]
    UnknownInput {
        /// The name.
        input: String,
        /// The model's inputs.
        inputs: Vec<String>,
    },
    /// A shape without a name, for a model of several inputs.
    #[error("a shape is stated without a name, and the model's inputs are {}; {NAME_ONE}", listed(inputs))]
    NoName {
        /// The model's inputs.
        inputs: Vec<String>,
    },
    /// Two different shapes for one input.
    #[error("two shapes are stated for the input `{input}`; {ONE_SHAPE}")]
    Twice {
        /// The input.
        input: String,
    },
    /// A shape with another number of axes.
    #[error("the input `{input}` has {axes} axes, but the stated shape has {stated}; {EVERY_AXIS}")]
    Rank {
        /// The input.
        input: String,
        /// Its axes in the file.
        axes: usize,
        /// Those of the stated shape.
        stated: usize,
    },
    /// Another size than the file fixes.
    #[error("axis {axis} of the input `{input}` has the fixed size {fixed} in the file, not {stated}; {USE_FIXED}")]
    Fixed {
        /// The input.
        input: String,
        /// The axis.
        axis: usize,
        /// The size in the file.
        fixed: usize,
        /// The size that is stated.
        stated: usize,
    },
    /// A size of 0, or more elements than any engine takes.
    #[error("the shape {dims:?} of the input `{input}` has a size of 0 or more than 2^31 elements; {IN_RANGE}")]
    OutOfRange {
        /// The input.
        input: String,
        /// The stated shape.
        dims: Vec<usize>,
    },
    /// Two sizes for dimensions of one name.
    #[error(
        "the dimension `{symbol}` has two sizes: {} on axis {} of `{}` and {} on axis {} of `{}`; {ONE_SIZE}",
        first.size, first.axis, first.input, second.size, second.axis, second.input
    )]
    Symbol {
        /// The dimension's name in the file.
        symbol: String,
        /// Where it is stated first.
        first: SizedAxis,
        /// Where it is stated otherwise.
        second: SizedAxis,
    },
    /// The batch and a shape disagree.
    #[error("the batch is stated as {batch}, but the shape of the input `{input}` states {stated}; {ONE_BATCH}")]
    Batch {
        /// The input.
        input: String,
        /// The batch in its shape.
        stated: usize,
        /// The batch.
        batch: usize,
    },
}

const NAME_ONE: &str = "name one of them";
const ONE_SHAPE: &str = "state one shape for each input";
const EVERY_AXIS: &str = "state a size for every axis, the batch included";
const USE_FIXED: &str = "state the fixed size, or export with that axis dynamic";
const IN_RANGE: &str = "state sizes of at least 1";
const ONE_SIZE: &str = "state the same size for both";
const ONE_BATCH: &str = "state the batch once, or the same in both";

impl SizeError {
    /// What to do, as the error's text ends.
    pub fn remedy(&self) -> &'static str {
        match self {
            SizeError::UnknownInput { .. } | SizeError::NoName { .. } => NAME_ONE,
            SizeError::Twice { .. } => ONE_SHAPE,
            SizeError::Rank { .. } => EVERY_AXIS,
            SizeError::Fixed { .. } => USE_FIXED,
            SizeError::OutOfRange { .. } => IN_RANGE,
            SizeError::Symbol { .. } => ONE_SIZE,
            SizeError::Batch { .. } => ONE_BATCH,
        }
    }
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
