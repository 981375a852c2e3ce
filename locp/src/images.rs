//! Images and labels from `.npy` files and folders of pictures.

use crate::arrays::read_array;
use crate::model::Model;
use crate::preprocess::Preprocess;
use crate::{Error, Fault};
use netspec::{Tensor, TensorView};
use std::path::Path;

/// Images in memory: one shape, elements as f32.
#[derive(Clone, Debug)]
pub struct Images {
    shape: Vec<usize>,
    pixels: Vec<f32>,
}

impl Images {
    /// Reads a `.npy` array of shape N x channels x height x width, of bytes, f32 or f64.
    pub fn read(path: &Path) -> Result<Images, Error> {
        let (shape, pixels) = read_array(path)?;
        if shape.len() < 2 || shape[0] == 0 {
            let what = format!("its shape is {shape:?}");
            let fault = Fault::new(what, "expected N x channels x height x width with N at least 1");
            return Err(Error::Array { path: path.to_owned(), fault });
        }
        if let Some(at) = pixels.iter().position(|p| !p.is_finite()) {
            let image = at / (pixels.len() / shape[0]).max(1);
            return Err(Error::Array {
                path: path.to_owned(),
                fault: format!("image {image} holds a value that is not finite").into(),
            });
        }
        Ok(Images { shape, pixels })
    }

    /// Reads a `.npy` array, or all PNG and JPEG files below a folder, in the order of their paths and prepared as said.
    ///
    /// What comes back fits the model's first input.
    pub fn open(path: &Path, model: &Model, how: Option<&Preprocess>) -> Result<Images, Error> {
        let images = if path.is_dir() { pictures(path, model, how)? } else { Images::read(path)? };
        images.check_fit(path, model)?;
        Ok(images)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.shape[0]
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one image.
    pub fn image_shape(&self) -> &[usize] {
        &self.shape[1..]
    }

    /// The elements of all of them, image after image.
    pub fn elements(&self) -> &[f32] {
        &self.pixels
    }

    /// An error where one image is not what the model's first input takes.
    pub(crate) fn check_fit(&self, path: &Path, model: &Model) -> Result<(), Error> {
        let Some(input) = model.onnx().inputs().first() else { return Ok(()) };
        let (wanted, found) = (input.shape.get(1..).unwrap_or(&[]), self.image_shape());
        if wanted.len() == found.len() && wanted.iter().zip(found).all(|(w, f)| w.is_none_or(|w| w == *f)) {
            return Ok(());
        }
        let dims: Vec<String> = wanted.iter().map(|d| d.map_or("any".to_owned(), |d| d.to_string())).collect();
        Err(Error::ImageShape {
            path: path.to_owned(),
            found: found.to_vec(),
            input: input.name.clone(),
            expected: format!("[{}]", dims.join(", ")),
        })
    }

    /// Images `from` up to `from + n` as one batch; the last is repeated where there are no more.
    pub(crate) fn batch(&self, from: usize, n: usize) -> Tensor {
        let size = self.pixels.len() / self.len();
        let values: Vec<f32> = (from..from + n)
            .map(|i| i.min(self.len() - 1))
            .flat_map(|i| self.pixels[i * size..(i + 1) * size].iter().copied())
            .collect();
        let mut shape = self.shape.clone();
        shape[0] = n;
        TensorView::from_f32(shape, &values).expect("n images of the array's own shape were collected")
    }
}

/// The pictures below a folder.
#[cfg(feature = "pictures")]
fn pictures(folder: &Path, model: &Model, how: Option<&Preprocess>) -> Result<Images, Error> {
    let refused = |what, remedy| Error::Array { path: folder.to_owned(), fault: Fault::new(what, remedy) };
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
    Ok(Images { shape: vec![files.len(), channels, height, width], pixels })
}

#[cfg(not(feature = "pictures"))]
fn pictures(folder: &Path, _: &Model, _: Option<&Preprocess>) -> Result<Images, Error> {
    let fault = Fault::new(
        "it is a folder, and this build reads arrays alone",
        "give an array (.npy), or build with the feature `pictures`",
    );
    Err(Error::Array { path: folder.to_owned(), fault })
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
