//! Images and labels from `.npy` files.

use crate::Error;
use netspec::{Tensor, TensorView};
use npyz::{NpyFile, TypeStr};
use std::fs::File;
use std::io::{BufReader, Read};
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
            let what = format!("its shape is {shape:?}; expected N x channels x height x width with N at least 1");
            return Err(Error::Array { path: path.to_owned(), what });
        }
        if let Some(at) = pixels.iter().position(|p| !p.is_finite()) {
            let image = at / (pixels.len() / shape[0]).max(1);
            return Err(Error::Array {
                path: path.to_owned(),
                what: format!("image {image} holds a value that is not finite"),
            });
        }
        Ok(Images { shape, pixels })
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

/// Reads a `.npy` array of class indices.
pub fn read_labels(path: &Path) -> Result<Vec<usize>, Error> {
    let (shape, values) = read_array(path)?;
    if shape.iter().filter(|&&d| d != 1).count() > 1 {
        return Err(Error::Array {
            path: path.to_owned(),
            what: format!("its shape is {shape:?}; expected one label per image"),
        });
    }
    values
        .iter()
        .enumerate()
        .map(|(i, &v)| {
            if v >= 0.0 && v.fract() == 0.0 {
                Ok(v as usize)
            } else {
                Err(Error::Array { path: path.to_owned(), what: format!("label {i} is {v}, which is no class index") })
            }
        })
        .collect()
}

fn read_array(path: &Path) -> Result<(Vec<usize>, Vec<f32>), Error> {
    let bad = |what: String| Error::Array { path: path.to_owned(), what };
    let file = File::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let length = file.metadata().map_err(|source| Error::Read { path: path.to_owned(), source })?.len();
    let npy = NpyFile::new(BufReader::new(file)).map_err(|e| bad(format!("it is no .npy array ({e})")))?;
    let shape: Vec<usize> = npy.shape().iter().map(|&d| d as usize).collect();
    if npy.order() != npyz::Order::C {
        return Err(bad("its elements are in Fortran order; save it with numpy.ascontiguousarray".into()));
    }
    let npyz::DType::Plain(element) = npy.dtype() else {
        return Err(bad("it is a structured array; expected plain numbers".into()));
    };
    // A header may promise more elements than the file holds; nothing is allocated before that is known.
    let count = shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d as u64));
    let needed = count.and_then(|n| n.checked_mul(element.size_field()));
    if needed.is_none_or(|needed| needed > length) {
        return Err(bad(format!("it is truncated: the header promises {shape:?}, the file has {length} bytes")));
    }
    let values = read_values(npy, &element).ok_or_else(|| {
        bad(format!("its elements are {element}; expected unsigned bytes, 32- or 64-bit integers, f32 or f64"))
    })?;
    Ok((shape, values.map_err(|e| bad(format!("it cannot be read ({e})")))?))
}

fn read_values<R: Read>(npy: NpyFile<R>, element: &TypeStr) -> Option<std::io::Result<Vec<f32>>> {
    fn all<T: npyz::Deserialize, R: Read>(npy: NpyFile<R>, f: fn(T) -> f32) -> std::io::Result<Vec<f32>> {
        npy.data::<T>().map_err(std::io::Error::other)?.map(|v| v.map(f)).collect()
    }
    Some(match element.to_string().trim_start_matches(['<', '|', '=']) {
        "f4" => all::<f32, R>(npy, |v| v),
        "f8" => all::<f64, R>(npy, |v| v as f32),
        "u1" => all::<u8, R>(npy, f32::from),
        "i4" => all::<i32, R>(npy, |v| v as f32),
        "i8" => all::<i64, R>(npy, |v| v as f32),
        _ => return None,
    })
}
