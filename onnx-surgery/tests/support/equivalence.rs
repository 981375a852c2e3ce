//! What a pruned model computes, against the dense one with the same channels disconnected.
#![allow(dead_code)] // Every test binary uses another part of it.

use crate::support::noise;
use cpu_bench::Tract;
use netspec::{ChannelGroup, GroupPlan, PrunePlan, Tensor};
use onnx_surgery::{Model, Patch};
use std::path::Path;
use timing::ModelBackend;

const BATCH: usize = 2;

/// The model's outputs for deterministic noise, as one list.
pub(crate) fn infer(path: &Path, model: &Model) -> Vec<f32> {
    let mut run = Tract::new().load(path, &BATCH.into()).expect("tract loads what surgery writes");
    let inputs: Vec<Tensor> = model
        .inputs()
        .iter()
        .map(|port| {
            let shape: Vec<usize> = port.shape.iter().map(|dim| dim.unwrap_or(BATCH)).collect();
            let noise: Vec<f32> = noise(shape.iter().product(), 11).iter().map(|v| 3.0 * v).collect();
            Tensor::from_f32(shape, &noise).expect("as many as the shape asks for")
        })
        .collect();
    let outputs = run.infer(&inputs).expect("tract runs what surgery writes");
    outputs.iter().flat_map(|output| output.to_f32().expect("f32")).collect()
}

/// What pruning computes equals what disconnecting computes. Answers whether it differs from the dense outputs.
#[track_caller]
pub(crate) fn check(name: &str, model: &Model, plan: &PrunePlan, dense: &[f32]) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (pruned, disconnected) = (folder.path().join("pruned.onnx"), folder.path().join("disconnected.onnx"));
    let patch = Patch::build(model, plan).expect(name);
    patch.write(&pruned).expect(name);
    Patch::disconnect(model, plan).and_then(|patch| patch.write(&disconnected)).expect(name);
    let (found, expected) = (infer(&pruned, model), infer(&disconnected, model));
    assert_eq!(found.len(), expected.len(), "{name}: outputs keep their shape");
    let scale = expected.iter().fold(0f32, |max, v| max.max(v.abs()));
    assert!(scale > 1e-2, "{name}: outputs that vanish would prove nothing");
    let error = found.iter().zip(&expected).fold(0f32, |max, (a, b)| max.max((a - b).abs())) / scale;
    assert!(error < 1e-4, "{name}: relative error {error}\n{patch}");
    // Pruned groups have the planned widths, and all others what they had.
    let after = Model::open(&pruned).expect("what surgery writes can be opened again");
    let kept: Vec<usize> = model.network().groups.iter().map(|group| plan.kept(group)).collect();
    assert_eq!(after.network().parameters, patch.parameters(), "{name}: {patch}");
    let mut left = after.network().layers.iter().peekable();
    for before in &model.network().layers {
        let Some(after) = left.next_if(|after| after.name == before.name) else {
            let spec = before.spec_at(|group| kept[group.0]);
            let goes = spec.c_in == 0 || spec.c_out == 0 || before.gone_with.iter().any(|group| kept[group.0] == 0);
            assert!(goes, "{name}: {} is gone", before.name);
            continue;
        };
        assert!(before.gone_with.iter().all(|group| kept[group.0] > 0), "{name}: {} is idle", before.name);
        let (expected, mut found) = (before.spec_at(|group| kept[group.0]), after.spec.clone());
        if kept.contains(&0) {
            // What a branch was added to is added to a constant now, and no longer by a convolution.
            found.epilogue = expected.epilogue;
        }
        assert_eq!(expected, found, "{name}: {}", before.name);
        assert!(found.c_in > 0 && found.c_out > 0, "{name}: {} computes nothing", before.name);
    }
    assert_eq!(left.next(), None, "{name}: layers keep their order");
    expected != dense
}

/// At least one channel, and not all; of a single one none.
pub(crate) fn kept(channels: usize, seed: u64) -> Vec<usize> {
    if channels == 1 {
        return vec![];
    }
    let noise = noise(channels, seed);
    let keep: Vec<usize> = (0..channels).filter(|&c| noise[c] > 0.0).collect();
    if keep.is_empty() || keep.len() == channels { vec![seed as usize % channels] } else { keep }
}

/// Every group of a model that can be pruned, alone, and all of them together: pruning equals disconnecting.
#[track_caller]
pub(crate) fn check_all(name: &str, bytes: Vec<u8>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("dense.onnx");
    std::fs::write(&path, &bytes).expect(name);
    let model = Model::from_bytes(bytes).expect(name);
    let dense = infer(&path, &model);
    let free: Vec<_> = model.network().groups.iter().filter(|group| group.frozen.is_none()).collect();
    let narrow = |i: usize, group: &ChannelGroup| GroupPlan::new(group, kept(group.channels, 3 + i as u64));
    let mut plans: Vec<PrunePlan> =
        free.iter().enumerate().map(|(i, group)| PrunePlan { groups: vec![narrow(i, group)] }).collect();
    plans.push(PrunePlan { groups: free.iter().enumerate().map(|(i, group)| narrow(i, group)).collect() });
    for plan in plans.iter().filter(|plan| !plan.groups.is_empty()) {
        assert!(check(name, &model, plan, &dense), "{name}: the removed channels mattered");
    }
}
