//! Inputs whose size nothing states.

use crate::Error;
use crate::model::Model;
use netspec::InputShape;

/// The side of an image that is guessed.
const GUESS: usize = 224;

/// An input with free dimensions, and a shape that may be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FreeInput {
    /// The input's name.
    pub name: String,
    /// Its free dimensions: `height`, `width`, `channels`, or `axis 2`; empty if the number of its axes is not known.
    pub axes: Vec<String>,
    /// A shape to state: by the file's metadata if it says how large images are, else a guess.
    pub likely: InputShape,
    /// The height and width that the file's metadata states, if `likely` has them from there.
    pub from_metadata: Option<[usize; 2]>,
}

/// Returns the inputs of a model that have free dimensions.
pub(crate) fn free(model: &Model) -> Vec<FreeInput> {
    (0..model.onnx().inputs().len()).filter_map(|input| free_input(model.onnx(), input)).collect()
}

/// Checks that all inputs of a model have known sizes.
pub(crate) fn check(model: &Model) -> Result<(), Error> {
    match free(model) {
        inputs if inputs.is_empty() => Ok(()),
        inputs => Err(Error::FreeSizes { path: model.path().to_owned(), inputs }),
    }
}

/// Checks the same if there are layers that cannot be timed, maybe for that reason.
pub(crate) fn check_timed(model: &Model) -> Result<(), Error> {
    if model.network().untimed.is_empty() { Ok(()) } else { check(model) }
}

fn free_input(onnx: &onnx_surgery::Model, input: usize) -> Option<FreeInput> {
    let (name, batch) = (&onnx.inputs()[input].name, onnx.batch());
    let stated = onnx.metadata("imgsz").and_then(image_size);
    let [height, width] = stated.unwrap_or([GUESS; 2]);
    let (axes, likely): (Vec<String>, Vec<usize>) = match onnx.input_dims(input) {
        None => (vec![], vec![batch, 3, height, width]),
        Some(dims) if !dims.contains(&None) => return None,
        Some(dims) => {
            let names = image_axes(&dims);
            let name = |axis: usize| names.map_or("", |names| names[axis]);
            let guess = |axis: usize| match name(axis) {
                "channels" => 3,
                "height" => height,
                "width" => width,
                _ if axis == 0 => 1,
                _ => GUESS,
            };
            let label = |axis: usize| match name(axis) {
                "" => format!("axis {axis}"),
                name => name.to_owned(),
            };
            let free = (0..dims.len()).filter(|&axis| dims[axis].is_none());
            let likely = dims.iter().enumerate().map(|(axis, dim)| dim.unwrap_or_else(|| guess(axis)));
            (free.map(label).collect(), likely.collect())
        }
    };
    let likely = InputShape::named(name, likely);
    let has_image = axes.is_empty() || axes.iter().any(|axis| axis == "height" || axis == "width");
    let from_metadata = stated.filter(|_| has_image);
    Some(FreeInput { name: name.clone(), axes, likely, from_metadata })
}

/// What the axes of an input of images are, if it is one: channels behind the image if they are known to be there.
fn image_axes(dims: &[Option<usize>]) -> Option<[&'static str; 4]> {
    match dims {
        [_, _, _, Some(1 | 3 | 4)] if !matches!(dims[1], Some(1 | 3 | 4)) => Some(["", "height", "width", "channels"]),
        [_, _, _, _] => Some(["", "channels", "height", "width"]),
        _ => None,
    }
}

/// Reads the size of images as exporters of detectors note it: `[640, 640]`, height first, or `640`.
fn image_size(text: &str) -> Option<[usize; 2]> {
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty()).map(str::parse);
    match numbers.collect::<Result<Vec<usize>, _>>().ok()?[..] {
        [side] if side > 0 => Some([side; 2]),
        [height, width] if height > 0 && width > 0 => Some([height, width]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{image_axes, image_size};

    #[test]
    fn sizes_of_images_are_read_as_exporters_write_them() {
        assert_eq!(image_size("[640, 480]"), Some([640, 480]));
        assert_eq!(image_size("320"), Some([320, 320]));
        for other in ["", "[]", "[0, 640]", "[1, 3, 640, 640]", "99999999999999999999"] {
            assert_eq!(image_size(other), None, "{other}");
        }
    }

    #[test]
    fn channels_are_in_front_unless_they_are_known_behind() {
        let of = |dims: [Option<usize>; 4]| image_axes(&dims).map(|axes| axes[1]);
        assert_eq!(of([Some(1), Some(3), None, None]), Some("channels"));
        assert_eq!(of([Some(1), None, None, None]), Some("channels"));
        assert_eq!(of([Some(1), None, None, Some(3)]), Some("height"));
        assert_eq!(of([Some(1), Some(16), None, None]), Some("channels"));
        assert_eq!(image_axes(&[Some(1), None]), None);
    }
}
