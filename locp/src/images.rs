//! Images and labels from `.npy` files, `.npz` archives and folders.

mod input;

use crate::arrays::{read_archive, read_array};
use crate::model::Model;
use crate::preprocess::Preprocess;
use crate::{Error, Fault};
use input::Input;
use netspec::{InputShape, InputSizes, Tensor};
use onnx_surgery::Port;
use std::path::Path;

/// Images in memory: what each input of a model takes, for all of them.
#[derive(Clone, Debug)]
pub struct Images {
    /// One for each input of the model, in their order.
    inputs: Vec<Input>,
}

impl Images {
    /// Reads a `.npy` array of shape N x channels x height x width, of bytes, f32 or f64.
    pub fn read(path: &Path) -> Result<Images, Error> {
        let input = Input::new(read_array(path)?);
        if input.shape.len() < 2 || input.shape[0] == 0 {
            let what = format!("its shape is {:?}", input.shape);
            return Err(fault(path, what, "expected N x channels x height x width with N at least 1"));
        }
        check_finite(path, &input)?;
        Ok(Images { inputs: vec![input] })
    }

    /// Reads what the model takes, and gives it the element types that the model takes.
    ///
    /// For one input that is a `.npy` array, or all PNG and JPEG files below a folder, in the order of their paths and
    /// prepared as said. For several it is a `.npz` archive, or a folder of `.npy` files, with an array of the name of each.
    pub fn open(path: &Path, model: &Model, how: Option<&Preprocess>) -> Result<Images, Error> {
        let ports = model.onnx().inputs();
        let images = match (ports, path.is_dir()) {
            ([_], true) => pictures(path, model, how)?,
            ([_], false) => Images::read(path)?,
            (_, is_folder) => Images { inputs: named(path, is_folder, ports, model.batch())? },
        };
        images.check_fit(path, model)?;
        let typed = images.inputs.into_iter().zip(ports).map(|(input, port)| input.typed(port));
        let inputs = typed.collect::<Result<_, _>>().map_err(|what| fault(path, what, "give what the model takes"))?;
        Ok(Images { inputs })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.inputs.iter().find(|input| input.is_per_image).map_or(1, |input| input.shape[0])
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one image, of the first input.
    pub fn image_shape(&self) -> &[usize] {
        self.inputs.first().map_or(&[], Input::of_one)
    }

    /// The elements of all of them, image after image, of the first input.
    pub fn elements(&self) -> &[f32] {
        self.inputs.first().map_or(&[], |input| &input.values)
    }

    /// The sizes of the model's inputs in runs of `batch` images.
    pub(crate) fn sizes(&self, batch: usize) -> InputSizes {
        let shape = |input: &Input| InputShape { name: input.name.clone(), dims: input.shape_of(batch) };
        InputSizes::new(self.inputs.iter().map(shape)).batch(batch)
    }

    /// Returns an error if one image is not what the model takes.
    pub(crate) fn check_fit(&self, path: &Path, model: &Model) -> Result<(), Error> {
        let mut pairs = self.inputs.iter().zip(model.onnx().inputs());
        let Some((input, port)) = pairs.find(|(input, port)| !input.fits(port)) else { return Ok(()) };
        let dims: Vec<String> =
            input.wanted(port).iter().map(|d| d.map_or("any".to_owned(), |d| d.to_string())).collect();
        Err(Error::ImageShape {
            path: path.to_owned(),
            found: input.of_one().to_vec(),
            input: port.name.clone(),
            expected: format!("[{}]", dims.join(", ")),
        })
    }

    /// Images `from` up to `from + n` as one batch, for each input; the last one is repeated if there are no more.
    pub(crate) fn batch(&self, from: usize, n: usize) -> Vec<Tensor> {
        self.inputs.iter().map(|input| input.batch(from, n)).collect()
    }
}

fn fault(path: &Path, what: impl Into<String>, remedy: &'static str) -> Error {
    Error::Array { path: path.to_owned(), fault: Fault::new(what, remedy) }
}

fn check_finite(path: &Path, input: &Input) -> Result<(), Error> {
    let Some(at) = input.values.iter().position(|value| !value.is_finite()) else { return Ok(()) };
    let image = at / input.of_one().iter().product::<usize>().max(1);
    let what = format!("image {image} holds a value that is not finite");
    Err(Error::Array { path: path.to_owned(), fault: what.into() })
}

/// Arrays by the names of a model's inputs, from an archive or a folder.
fn named(path: &Path, is_folder: bool, ports: &[Port], batch: usize) -> Result<Vec<Input>, Error> {
    const REMEDY: &str = "give a .npz archive, or a folder of .npy files, with an array of the name of each input";
    let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
    if !is_folder && path.extension().is_none_or(|extension| extension != "npz") {
        let what = format!("it is one array, and the model's inputs are {}", names.join(", "));
        return Err(fault(path, what, REMEDY));
    }
    let mut arrays = if is_folder { Vec::new() } else { read_archive(path)? };
    let mut inputs: Vec<Input> = Vec::new();
    for port in ports {
        let array = if is_folder {
            read_array(&path.join(format!("{}.npy", port.name)))?
        } else {
            let place = arrays.iter().position(|(name, _)| *name == port.name);
            let missing = || fault(path, format!("it has no array for the model's input `{}`", port.name), REMEDY);
            arrays.swap_remove(place.ok_or_else(missing)?).1
        };
        let input = Input::new(array).of(port, batch);
        check_finite(path, &input)?;
        inputs.push(input);
    }
    let mut counts = inputs.iter().filter(|input| input.is_per_image).map(|input| input.shape.first());
    let first = counts.next().flatten();
    if first == Some(&0) || counts.any(|count| count != first) {
        return Err(fault(path, "its arrays are of different numbers of images, or of none", REMEDY));
    }
    Ok(inputs)
}

/// The pictures below a folder.
#[cfg(feature = "pictures")]
fn pictures(folder: &Path, model: &Model, how: Option<&Preprocess>) -> Result<Images, Error> {
    crate::sizes::check(model)?;
    let refused = |what, remedy| fault(folder, what, remedy);
    let how = how.ok_or_else(|| Error::NoPreprocess { path: folder.to_owned() })?;
    let shape: Vec<Option<usize>> = model.onnx().inputs().first().map_or(vec![], |port| port.shape.clone());
    let [_, Some(channels @ (1 | 3)), Some(height), Some(width)] = shape[..] else {
        return Err(refused("pictures need an input of N x 1 or 3 channels x height x width", "give an array (.npy)"));
    };
    if let Some(numbers) = [&how.mean, &how.std].into_iter().find(|all| ![1, channels].contains(&all.len())) {
        return Err(Error::Preprocess {
            text: format!("{numbers:?}"),
            why: format!("the model takes {channels} channels"),
        });
    }
    let files = crate::pictures::list(folder, how.count).map_err(|e| Error::read(folder, e))?;
    if files.is_empty() {
        return Err(refused("it holds no .png, .jpg or .jpeg file", "name another folder or an array (.npy)"));
    }
    let mut pixels = Vec::new();
    for path in &files {
        let values = crate::pictures::read(path, [channels, height, width], how);
        pixels.extend(values.map_err(|what| Error::Picture { path: path.clone(), what })?);
    }
    Ok(Images { inputs: vec![Input::new((vec![files.len(), channels, height, width], pixels))] })
}

#[cfg(not(feature = "pictures"))]
fn pictures(folder: &Path, _: &Model, _: Option<&Preprocess>) -> Result<Images, Error> {
    let what = "it is a folder, and this build reads arrays alone";
    Err(fault(folder, what, "give an array (.npy), or build with the feature `pictures`"))
}

/// Reads a `.npy` array of class indices.
pub fn read_labels(path: &Path) -> Result<Vec<usize>, Error> {
    let (shape, values) = read_array(path)?;
    if shape.iter().filter(|&&d| d != 1).count() > 1 {
        return Err(Error::Array {
            path: path.to_owned(),
            fault: Fault::new(format!("its shape is {shape:?}"), "expected one label per image"),
        });
    }
    values
        .iter()
        .enumerate()
        .map(|(i, &v)| {
            if v >= 0.0 && v.fract() == 0.0 {
                Ok(v as usize)
            } else {
                let what = format!("label {i} is {v}, which is not a class index");
                Err(Error::Array { path: path.to_owned(), fault: what.into() })
            }
        })
        .collect()
}
