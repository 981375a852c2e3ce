//! Models whose inputs have free dimensions or hold bytes, on both engines.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../../onnx-surgery/tests/support/onnx.rs"]
mod onnx;
#[path = "common/onnxruntime.rs"]
mod onnxruntime;

use cpu_bench::Tract;
use netspec::{CacheState, ElementType, InputShape, InputSizes, Tensor};
use onnx::{Attr, F32, Onnx, U8, value};
use onnxruntime::runtime;
use timing::{ModelBackend, ModelRun, Prepared, TimingError};

/// An image of bytes and any size, and weights for its three planes.
fn model() -> Vec<u8> {
    Onnx::default()
        .input(value("pixels", U8, &["N", "3", "H", "W"]))
        .input(value("weights", F32, &["K", "1", "1"]))
        .node("Cast", "float", &["pixels"], &[("to", Attr::Int(1))])
        .node("Mul", "weighted", &["float", "weights"], &[])
        .node("GlobalAveragePool", "pooled", &["weighted"], &[])
        .node("Flatten", "flat", &["pooled"], &[])
        .fc("logits", "flat", 3, 5)
        .output("logits", &[0, 5])
        .bytes()
}

fn sizes(shapes: &[&str]) -> InputSizes {
    InputSizes::new(shapes.iter().map(|shape| shape.parse::<InputShape>().unwrap()))
}

fn answer(engine: &dyn ModelBackend) -> Vec<f32> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, model()).unwrap();
    let mut run = engine.load(&path, &sizes(&["weights=3x1x1", "pixels=2x3x4x5"])).unwrap();
    assert!(run.run(CacheState::Warm).unwrap().ns > 0.0);
    let pixels: Vec<u8> = (0..120).map(|i| 7 * i % 251).map(|v: u32| v as u8).collect();
    let pixels = Tensor::new(ElementType::U8, vec![2, 3, 4, 5], pixels.into()).unwrap();
    let weights = Tensor::from_f32(vec![3, 1, 1], &[1.0, 0.5, 0.25]).unwrap();
    let answer = run.infer(&[pixels, weights]).unwrap()[0].to_f32().unwrap();

    let refused = |shapes: &[&str], said: &str| match engine.load(&path, &sizes(shapes)).map(|_| ()) {
        Err(TimingError::Model { reason, .. }) => assert!(reason.contains(said), "{reason}"),
        other => panic!("{shapes:?}: {other:?}"),
    };
    refused(&["weights=3x1x1"], "axis 2 of the input `pixels` is dynamic");
    refused(&["weights=3x1x1", "pixels=2x4x4x5"], "axis 1 of the input `pixels` is fixed to 3, and 4 is stated");
    refused(&["weights=3x1", "pixels=2x3x4x5"], "the input `weights` has 3 axes, and a shape of 2");
    answer
}

#[test]
fn stated_sizes_are_those_of_the_run() {
    let tract = answer(&Tract::new());
    assert!(tract.len() == 10 && tract[0] != tract[5], "{tract:?}");
    let Some(runtime) = runtime() else { return };
    let other = answer(&runtime);
    assert!(tract.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-2), "{tract:?}\n{other:?}");
}
