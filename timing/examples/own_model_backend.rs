//! A model engine of one's own: it "loads" a file by hashing it, and answers the hash.
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use netspec::{CacheState, InputSizes, Tensor, TensorView};
use std::path::Path;
use std::time::Instant;
use timing::{ModelBackend, ModelRun, Policy, Prepared, Reading, TimingError, measure, stop};

/// Runs a model by adding up its bytes.
struct AddsUp;

struct Bytes(Vec<u8>, usize);

impl ModelBackend for AddsUp {
    fn load(&self, onnx: &Path, sizes: &InputSizes) -> Result<Box<dyn ModelRun>, TimingError> {
        let failed = |error: std::io::Error| TimingError::Model { path: onnx.to_owned(), reason: error.to_string() };
        Ok(Box::new(Bytes(std::fs::read(onnx).map_err(failed)?, sizes.batch.unwrap_or(1))))
    }
}

impl Bytes {
    fn sum(&self) -> u64 {
        self.0.iter().map(|&byte| u64::from(byte)).sum()
    }
}

impl Prepared for Bytes {
    fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
        let start = Instant::now();
        std::hint::black_box(std::hint::black_box(&*self).sum());
        Ok(Reading::new(start.elapsed().as_nanos() as f64))
    }
}

impl ModelRun for Bytes {
    fn infer(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, TimingError> {
        if inputs.first().and_then(|input| input.shape.first()) != Some(&self.1) {
            let reason = format!("it takes batches of {}", self.1);
            return Err(TimingError::Input { index: 0, reason });
        }
        let answer = Tensor::from_f32(vec![self.1], &vec![self.sum() as f32; self.1]);
        Ok(vec![answer.map_err(|error| TimingError::run("the sum", error))?])
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/own_model_backend.rs");
    let mut model = AddsUp.load(&path, &2.into())?;
    let images = Tensor::from_f32(vec![2, 3], &[0.0; 6])?;
    println!("{:?}", model.infer(&[images])?[0].to_f32()?);
    let m = measure(&mut model, &mut stop::Relative::new(0.02), &Policy::warm())?;
    println!("{:.2} us, {} samples", m.median_ns / 1e3, m.samples);
    Ok(())
}
