//! The kit's model: its file, images for it, and what it computes.

use netspec::{Tensor, TensorError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Conv 3x3 with bias and ReLU, made by `tools/python/make_conformance_model.py`.
const MODEL: &[u8] = include_bytes!("conv_relu.onnx");

/// Height and width of an image, which has one channel.
const SIZE: usize = 8;

/// Output channels.
const OUTPUTS: usize = 2;

fn weight(output: usize, place: usize) -> f64 {
    (((5 * place + 3 * output) % 7) as f64 - 3.0) / 8.0
}

fn bias(output: usize) -> f64 {
    (1.0 - 2.0 * output as f64) / 8.0
}

/// One pixel of an image, between -1 and 1; every image has other ones.
fn pixel(image: usize, row: usize, column: usize) -> f32 {
    ((37 * (image * SIZE * SIZE + row * SIZE + column)) % 101) as f32 / 50.0 - 1.0
}

/// A batch of images.
pub(super) fn images(batch: usize) -> Result<Tensor, TensorError> {
    let at = |i: usize| pixel(i / (SIZE * SIZE), i / SIZE % SIZE, i % SIZE);
    let pixels: Vec<f32> = (0..batch * SIZE * SIZE).map(at).collect();
    Tensor::from_f32(vec![batch, 1, SIZE, SIZE], &pixels)
}

/// The shape of what the model answers to a batch.
pub(super) fn shape(batch: usize) -> [usize; 4] {
    [batch, OUTPUTS, SIZE, SIZE]
}

/// What the model answers to [`images`], computed in f64.
pub(super) fn outputs(batch: usize) -> Vec<f64> {
    let at = |i: usize| {
        let (image, output) = (i / (OUTPUTS * SIZE * SIZE), i / (SIZE * SIZE) % OUTPUTS);
        one_output(image, output, i / SIZE % SIZE, i % SIZE)
    };
    (0..batch * OUTPUTS * SIZE * SIZE).map(at).collect()
}

fn one_output(image: usize, output: usize, row: usize, column: usize) -> f64 {
    let mut sum = bias(output);
    for place in 0..9 {
        // The padding of one row and column makes the kernel's center its origin.
        let (y, x) = (row + place / 3, column + place % 3);
        if (1..=SIZE).contains(&y) && (1..=SIZE).contains(&x) {
            sum += weight(output, place) * f64::from(pixel(image, y - 1, x - 1));
        }
    }
    sum.max(0.0)
}

/// A folder with the model and a file that is not a model, removed when dropped.
pub(super) struct Files(PathBuf);

impl Files {
    pub(super) fn write() -> std::io::Result<Files> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let files = Files(std::env::temp_dir().join(format!("timing-conformance-{}-{count}", std::process::id())));
        std::fs::create_dir_all(&files.0)?;
        std::fs::write(files.model(), MODEL)?;
        std::fs::write(files.garbage(), "this is a sentence and not a model")?;
        Ok(files)
    }

    pub(super) fn model(&self) -> PathBuf {
        self.0.join("conv_relu.onnx")
    }

    pub(super) fn garbage(&self) -> PathBuf {
        self.0.join("garbage.onnx")
    }

    pub(super) fn missing(&self) -> PathBuf {
        self.0.join("missing.onnx")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // Only a leftover in the folder for temporary files.
        _ = std::fs::remove_dir_all(Path::new(&self.0));
    }
}
