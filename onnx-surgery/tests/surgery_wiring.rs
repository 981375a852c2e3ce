//! Wirings, inner tensors as outputs, and exchanged weights, checked by running the models.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use cpu_bench::Tract;
use netspec::{Tensor, Weights as _};
use onnx_surgery::{Model, Patch, SurgeryError};
use std::collections::BTreeMap;
use std::path::Path;
use timing::ModelBackend;

const BATCH: usize = 2;

fn models() -> impl Iterator<Item = (String, Model)> {
    let hand = support::shapes().into_iter().map(|(name, bytes)| (name.to_owned(), bytes));
    let all = hand.chain(support::exported()).filter(|(name, _)| name != "unknown_op" && name != "nothing");
    all.map(|(name, bytes)| (name, Model::from_bytes(bytes).unwrap()))
}

/// These tensors, for deterministic noise.
fn observed(model: &Model, folder: &Path, tensors: &[&str]) -> Vec<Vec<f32>> {
    let path = folder.join("observing.onnx");
    std::fs::write(&path, model.observing(tensors).unwrap()).unwrap();
    let mut run = Tract::new().load(&path, &BATCH.into()).unwrap();
    let port = &model.inputs()[0];
    let shape: Vec<usize> = port.shape.iter().map(|dim| dim.unwrap_or(BATCH)).collect();
    let image = Tensor::from_f32(shape.clone(), &support::noise(shape.iter().product(), 11)).unwrap();
    run.infer(&[image]).unwrap().iter().map(|output| output.to_f32().unwrap()).collect()
}

/// The same, from a tensor of the inside.
fn observed_from(
    model: &Model,
    folder: &Path,
    (from, shape, values): (&str, Vec<usize>, &[f32]),
    tensor: &str,
) -> Vec<f32> {
    let path = folder.join("behind.onnx");
    std::fs::write(&path, model.observing_from(from, &shape, &[tensor]).unwrap()).unwrap();
    let mut run = Tract::new().load(&path, &BATCH.into()).unwrap();
    run.infer(&[Tensor::from_f32(shape, values).unwrap()]).unwrap()[0].to_f32().unwrap()
}

fn assert_close(name: &str, found: &[f32], expected: impl Iterator<Item = f32>) {
    let scale = found.iter().fold(1e-6_f32, |most, v| most.max(v.abs()));
    let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f32::max);
    assert!(off < 1e-4, "{name}: off by {off}");
}

#[test]
fn what_is_behind_a_cut_needs_nothing_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut cuts = 0;
    for (name, model) in models().filter(|(_, model)| model.inputs().len() == 1 && model.outputs().len() == 1) {
        let output = model.outputs()[0].name.clone();
        for (layer, wiring) in model.wirings().into_iter().enumerate() {
            let Some(wiring) = wiring else { continue };
            let Some(cut) = model.cut(&[&wiring.input]) else { continue };
            let spec = &model.network().layers[layer].spec;
            let whole = observed(&model, folder.path(), &[cut, &wiring.output, &output]);
            let input = [BATCH, spec.c_in, spec.height, spec.width];
            // A cut is often what the layer reads, which has a shape that is known here; of others it is asked.
            let shape = if cut == wiring.input && !wiring.channels_last { input.to_vec() } else { continue };
            for (tensor, expected) in [(&wiring.output, &whole[1]), (&output, &whole[2])] {
                let found = observed_from(&model, folder.path(), (cut, shape.clone(), &whole[0]), tensor);
                assert_close(&name, &found, expected.iter().copied());
            }
            let file = model.observing_from(cut, &shape, &[&output]).unwrap();
            assert!(
                file.len() < model.observing(&[&output]).unwrap().len(),
                "{name}: what is before {cut} is left out"
            );
            cuts += 1;
        }
        // In a network with branches some layers stand between two cuts.
        assert_eq!(model.cut(&[]), None);
    }
    assert!(cuts > 30, "{cuts}");
    // The inside of a block is behind the block's input, and the skip with it.
    let (_, resnet) = models().find(|(name, _)| name == "resnet_ts").unwrap();
    let sum = resnet.wirings().into_iter().flatten().find(|wiring| wiring.sum.is_some()).unwrap();
    let inside = resnet.cut(&[&sum.input]).unwrap();
    assert!(inside != sum.input && resnet.cut(&[&sum.sum.as_ref().unwrap().output]) == Some(&sum.sum.unwrap().output));
    assert!(matches!(resnet.observing_from("nobody", &[1], &["nobody"]), Err(SurgeryError::NoTensor { .. })));
}

#[test]
fn a_layer_twice_as_strong_computes_twice_as_much() {
    let folder = tempfile::tempdir().unwrap();
    let (mut wired, mut sums, mut normed) = (0, 0, 0);
    for (name, model) in models() {
        if model.inputs().len() != 1 {
            continue;
        }
        for (layer, wiring) in model.wirings().into_iter().enumerate() {
            let Some(wiring) = wiring else { continue };
            let weight = model.network().layers[layer].weight.clone();
            let spec = &model.network().layers[layer].spec;
            assert_eq!(model.get(&weight).unwrap().shape[wiring.out_axis], spec.c_out, "{name}: {weight}");
            let doubled = |tensor: &String| {
                let values = model.get(tensor).unwrap().to_f32().unwrap();
                (tensor.clone(), values.iter().map(|v| 2.0 * v).collect())
            };
            let values: BTreeMap<String, Vec<f32>> = [&weight].into_iter().chain(&wiring.bias).map(doubled).collect();
            let stronger = Model::from_bytes(Patch::exchange(&model, values).unwrap().to_bytes()).unwrap();
            assert_eq!(stronger.network(), model.network());
            let before = observed(&model, folder.path(), &[&wiring.output]);
            let after = observed(&stronger, folder.path(), &[&wiring.output]);
            assert_eq!(before[0].len(), BATCH * spec.c_out * spec.out_hw().iter().product::<usize>());
            assert_close(&name, &after[0], before[0].iter().map(|v| 2.0 * v));
            // What is behind the output: its normalization, channel by channel.
            let affine = wiring.norm.as_ref().map(|norm| {
                let of = |tensor: &String| model.get(tensor).unwrap().to_f32().unwrap();
                let [scale, shift, mean, variance] = [&norm.scale, &norm.shift, &norm.mean, &norm.variance].map(of);
                let factor = |c: usize| scale[c] / (variance[c] + norm.epsilon).sqrt();
                (0..spec.c_out).map(|c| [factor(c), shift[c] - mean[c] * factor(c)]).collect::<Vec<_>>()
            });
            if let Some(sum) = &wiring.sum {
                let all = observed(&model, folder.path(), &[&wiring.output, &sum.other, &sum.output]);
                let pixels = spec.out_hw().iter().product::<usize>();
                let behind = |(at, value): (usize, &f32)| {
                    let affine = affine.as_ref().map_or([1.0, 0.0], |of| of[at / pixels % spec.c_out]);
                    affine[0] * value + affine[1]
                };
                assert_close(&name, &all[2], all[0].iter().enumerate().map(behind).zip(&all[1]).map(|(a, b)| a + b));
                sums += 1;
                normed += usize::from(affine.is_some());
            }
            wired += 1;
        }
    }
    assert!(wired > 30 && sums > 3 && normed > 1, "{wired} layers, {sums} sums, {normed} of them normalized");
}

#[test]
fn only_what_leads_to_the_outputs_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (_, model) = models().find(|(name, _)| name.starts_with("mobilenet")).unwrap();
    let wirings = model.wirings();
    let second = wirings[1].as_ref().unwrap();
    let small = Model::from_bytes(model.observing(&[&second.output]).unwrap()).unwrap();
    assert_eq!(small.network().layers.len(), 2);
    assert_eq!(observed(&small, folder.path(), &[&second.output]), observed(&model, folder.path(), &[&second.output]));
}

#[test]
fn what_is_not_there_is_named() {
    let (_, model) = models().next().unwrap();
    let weight = model.network().layers[0].weight.clone();
    let error = model.observing(&["nowhere"]).unwrap_err();
    assert!(matches!(error, SurgeryError::NoTensor { tensor } if tensor == "nowhere"));
    // A weight is no node's result.
    assert!(matches!(model.observing(&[&weight]), Err(SurgeryError::NoTensor { .. })));
    let exchange = |name: &str, n: usize| {
        Patch::exchange(&model, BTreeMap::from([(name.to_owned(), vec![0.0; n])])).err().unwrap().to_string()
    };
    assert!(exchange(&weight, 1).contains("of ") && exchange(&weight, 1).contains("1 numbers"));
    assert!(exchange("nowhere", 1).contains("no constant of the model"));
}
