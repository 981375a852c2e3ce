//! What one of a model's inputs takes, for all images.

use crate::arrays::Array;
use netspec::{ElementType, Tensor, TensorView};
use onnx_surgery::Port;

/// An array with what an input takes.
#[derive(Clone, Debug)]
pub(super) struct Input {
    /// The input's name; `None` for the only one.
    pub(super) name: Option<String>,
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
    /// The type that the model takes.
    element: ElementType,
    /// Whether the first axis counts images; else every run takes the whole array.
    pub(super) is_per_image: bool,
}

impl Input {
    /// Images as f32, for the only input.
    pub(super) fn new((shape, values): Array) -> Input {
        Input { name: None, shape, values, element: ElementType::F32, is_per_image: true }
    }

    /// The same for an input of several, in runs of `batch` images: one that is fixed to another number takes the whole
    /// array.
    pub(super) fn of(self, port: &Port, batch: usize) -> Input {
        let is_per_image = port.shape.first().is_some_and(|first| first.is_none_or(|first| first == batch));
        Input { name: Some(port.name.clone()), is_per_image, ..self }
    }

    /// Takes the element type of the model's input. Returns the first value that this type does not have as an error.
    pub(super) fn typed(self, port: &Port) -> Result<Input, String> {
        let [low, high] = match port.element {
            Some(ElementType::U8) => [0.0, 255.0],
            Some(ElementType::I8) => [-128.0, 127.0],
            Some(ElementType::I32 | ElementType::I64) => [-16_777_216.0, 16_777_216.0],
            // An engine says what it does not take.
            _ => return Ok(self),
        };
        let is_one = |value: &f32| value.fract() == 0.0 && (low..=high).contains(value);
        match self.values.iter().find(|value| !is_one(value)) {
            Some(value) => Err(format!(
                "it holds {value}, and the model's input `{}` takes whole numbers from {low} to {high}",
                port.name
            )),
            None => Ok(Input { element: port.element.unwrap_or(self.element), ..self }),
        }
    }

    /// The dims of one image.
    pub(super) fn of_one(&self) -> &[usize] {
        self.shape.get(usize::from(self.is_per_image)..).unwrap_or_default()
    }

    /// The dims of what a run of `batch` images takes.
    pub(super) fn shape_of(&self, batch: usize) -> Vec<usize> {
        let images = self.is_per_image.then_some(batch);
        images.into_iter().chain(self.of_one().iter().copied()).collect()
    }

    /// Whether one image is what an input takes.
    pub(super) fn fits(&self, port: &Port) -> bool {
        let (wanted, found) = (self.wanted(port), self.of_one());
        wanted.len() == found.len() && wanted.iter().zip(found).all(|(w, f)| w.is_none_or(|w| w == *f))
    }

    /// The dims of one image as an input takes it.
    pub(super) fn wanted<'p>(&self, port: &'p Port) -> &'p [Option<usize>] {
        port.shape.get(usize::from(self.is_per_image)..).unwrap_or_default()
    }

    /// Images `from` up to `from + n`; the last one is repeated if there are no more.
    pub(super) fn batch(&self, from: usize, n: usize) -> Tensor {
        let bytes: Vec<u8> = if self.is_per_image {
            let (last, size) = (self.shape[0] - 1, self.of_one().iter().product::<usize>());
            let images = (from..from + n).map(|image| image.min(last));
            images.flat_map(|image| self.bytes(&self.values[image * size..(image + 1) * size])).collect()
        } else {
            self.bytes(&self.values).collect()
        };
        TensorView::new(self.element, self.shape_of(n), bytes.into()).expect("images of the array's own shape")
    }

    /// Values as little-endian elements.
    fn bytes<'v>(&self, values: &'v [f32]) -> Box<dyn Iterator<Item = u8> + 'v> {
        match self.element {
            ElementType::U8 => Box::new(values.iter().map(|&value| value as u8)),
            ElementType::I8 => Box::new(values.iter().flat_map(|&value| (value as i8).to_le_bytes())),
            ElementType::I32 => Box::new(values.iter().flat_map(|&value| (value as i32).to_le_bytes())),
            ElementType::I64 => Box::new(values.iter().flat_map(|&value| (value as i64).to_le_bytes())),
            _ => Box::new(values.iter().flat_map(|&value| value.to_le_bytes())),
        }
    }
}
