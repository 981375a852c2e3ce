//! The sizes that a model's inputs have in a run.

use crate::WordError;
use std::fmt;
use std::str::FromStr;

/// Sizes of a model's inputs, for the dimensions that its file leaves free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InputSizes {
    /// Images per run. If `None`, as many as `shapes` state or the file fixes, or one.
    pub batch: Option<usize>,
    /// Whole shapes of inputs.
    pub shapes: Vec<InputShape>,
}

impl InputSizes {
    /// Inputs of these shapes, named or not.
    pub fn new(shapes: impl IntoIterator<Item = InputShape>) -> InputSizes {
        InputSizes { batch: None, shapes: shapes.into_iter().collect() }
    }

    /// The same for runs of `batch` images.
    pub fn batch(self, batch: usize) -> InputSizes {
        InputSizes { batch: Some(batch), ..self }
    }

    /// Returns the shape that is stated for the input `name` of a model with `inputs` inputs; a shape without a name is
    /// that of the only input.
    pub fn of(&self, name: &str, inputs: usize) -> Option<&[usize]> {
        let is_of = |shape: &&InputShape| shape.name.as_deref().map_or(inputs == 1, |own| own == name);
        self.shapes.iter().find(is_of).map(|shape| shape.dims.as_slice())
    }
}

/// A batch alone, or nothing stated.
impl From<Option<usize>> for InputSizes {
    fn from(batch: Option<usize>) -> InputSizes {
        InputSizes { batch, shapes: Vec::new() }
    }
}

/// A batch alone.
impl From<usize> for InputSizes {
    fn from(batch: usize) -> InputSizes {
        Some(batch).into()
    }
}

/// The shape of one of a model's inputs, batch included.
///
/// ```
/// use netspec::InputShape;
///
/// let shape: InputShape = "images=1x3x640x640".parse()?;
/// assert_eq!((shape.name.as_deref(), &shape.dims[..]), (Some("images"), &[1, 3, 640, 640][..]));
/// assert_eq!(shape.to_string(), "images=1x3x640x640");
/// # Ok::<(), netspec::WordError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputShape {
    /// The input's name; `None` for the only input.
    pub name: Option<String>,
    /// The dimensions, outermost first.
    pub dims: Vec<usize>,
}

impl InputShape {
    /// The shape of the input `name`.
    pub fn named(name: &str, dims: Vec<usize>) -> InputShape {
        InputShape { name: Some(name.to_owned()), dims }
    }
}

impl fmt::Display for InputShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}=")?;
        }
        let dims: Vec<String> = self.dims.iter().map(usize::to_string).collect();
        f.write_str(&dims.join("x"))
    }
}

/// Reads the form that `Display` writes. A name may contain `=`: the last one ends it.
impl FromStr for InputShape {
    type Err = WordError;
    fn from_str(text: &str) -> Result<InputShape, WordError> {
        let (name, dims) = text.rsplit_once('=').map_or((None, text), |(name, dims)| (Some(name), dims));
        let dims: Option<Vec<usize>> = dims.split('x').map(|dim| dim.parse().ok().filter(|&dim| dim > 0)).collect();
        match dims {
            Some(dims) if name != Some("") => Ok(InputShape { name: name.map(str::to_owned), dims }),
            _ => Err(WordError { word: text.to_owned(), expected: "1x3x640x640 (with the batch), NAME=1x3x640x640" }),
        }
    }
}
