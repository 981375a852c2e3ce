//! Whole models: the small committed topologies load, run and answer; files that are cut off are errors.
#![allow(clippy::unwrap_used)]

use cpu_bench::Tract;
use netspec::{CacheState, Tensor};
use std::path::{Path, PathBuf};
use timing::{ModelBackend, ModelRun, Prepared as _, Rng, TimingError};

fn models() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found: Vec<PathBuf> = [root.join("onnx-surgery/tests/models"), root.join("models")]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "onnx") && !path.ends_with("unknown_op.onnx"))
        .collect();
    found.sort();
    found
}

/// Asks with a shape that cannot fit, and reads the wanted one from the refusal.
fn input_shape(model: &mut dyn ModelRun) -> Vec<usize> {
    let error = model.infer(&[Tensor::from_f32(vec![0], &[]).unwrap()]).unwrap_err().to_string();
    let list = error.rsplit('[').next().unwrap().trim_end_matches(']');
    list.split(", ").map(|n| n.parse().unwrap()).collect()
}

fn noise(shape: &[usize], seed: u64) -> Tensor {
    let mut rng = Rng::new(seed);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.normal() as f32).collect();
    Tensor::from_f32(shape.to_vec(), &values).unwrap()
}

#[test]
fn every_committed_model_runs() {
    let models = models();
    assert!(models.len() >= 5, "the small topologies are committed: {models:?}");
    for path in models {
        let mut model = Tract::new().load(&path, &1.into()).unwrap_or_else(|error| panic!("{error}"));
        let shape = input_shape(&mut *model);
        let outputs = model.infer(&[noise(&shape, 1)]).unwrap();
        let first = outputs[0].to_f32().unwrap();
        assert!(first.iter().all(|y| y.is_finite()), "{}", path.display());
        assert!(first.iter().any(|&y| y != first[0]), "{}: all outputs are {}", path.display(), first[0]);
        assert!(model.run(CacheState::Network).unwrap().ns > 0.0);
    }
}

#[test]
fn images_of_a_batch_do_not_mix() {
    let mut compared = 0;
    for path in models() {
        // Static exports are fixed to the batch they were traced with; the others take any.
        let Ok(mut three) = Tract::new().load(&path, &3.into()) else { continue };
        let shape = input_shape(&mut *three);
        assert_eq!(shape[0], 3);
        let batch = noise(&shape, 2);
        let Ok(together) = three.infer(std::slice::from_ref(&batch)) else { continue };
        let together = together[0].to_f32().unwrap();
        let mut one = Tract::new().load(&path, &1.into()).unwrap();
        let per_image = batch.len() / 3;
        let mut alone = Vec::new();
        for image in batch.to_f32().unwrap().chunks(per_image) {
            let mut shape = shape.clone();
            shape[0] = 1;
            alone.extend(one.infer(&[Tensor::from_f32(shape, image).unwrap()]).unwrap()[0].to_f32().unwrap());
        }
        assert_eq!(together.len(), alone.len(), "{}", path.display());
        let scale = alone.iter().fold(1e-6, |m: f32, y| m.max(y.abs()));
        let worst = together.iter().zip(&alone).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f32::max);
        assert!(worst < 1e-4, "{}: batched and single outputs differ by {worst}", path.display());
        compared += 1;
    }
    assert!(compared >= 3, "only {compared} models take a batch of three");
}

#[test]
fn files_that_are_cut_off_are_errors_that_name_the_file() {
    let folder = std::env::temp_dir().join(format!("cpu_bench_broken_{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let check = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        match Tract::new().load(&path, &1.into()).map(|_| ()) {
            Err(TimingError::Model { path: named, .. }) => assert_eq!(named, path),
            other => panic!("{name}: {other:?}"),
        }
    };
    check("empty.onnx", b"");
    let whole = std::fs::read(&models()[0]).unwrap();
    for share in [1, 3, 7, 9] {
        check(&format!("cut{share}.onnx"), &whole[..whole.len() * share / 10]);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
