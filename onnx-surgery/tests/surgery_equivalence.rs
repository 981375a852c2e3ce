//! Pruned networks compute what the original computes with the same channels disconnected.

mod support;

use cpu_bench::Tract;
use netspec::{GroupPlan, PrunePlan, Tensor};
use onnx_surgery::{Model, Patch};
use proptest::test_runner::{Config, TestRunner};
use std::path::Path;
use timing::ModelBackend;

const BATCH: usize = 2;

/// The model's outputs for deterministic noise, as one list.
fn infer(path: &Path, model: &Model) -> Vec<f32> {
    let mut run = Tract::new().load(path, &BATCH.into()).expect("tract loads what surgery writes");
    let inputs: Vec<Tensor> = model
        .inputs()
        .iter()
        .map(|port| {
            let shape: Vec<usize> = port.shape.iter().map(|dim| dim.unwrap_or(BATCH)).collect();
            let noise: Vec<f32> = support::noise(shape.iter().product(), 11).iter().map(|v| 3.0 * v).collect();
            Tensor::from_f32(shape, &noise).expect("as many as the shape asks for")
        })
        .collect();
    let outputs = run.infer(&inputs).expect("tract runs what surgery writes");
    outputs.iter().flat_map(|output| output.to_f32().expect("f32")).collect()
}

/// What pruning computes equals what disconnecting computes. Answers whether it differs from the dense outputs.
#[track_caller]
fn check(name: &str, model: &Model, plan: &PrunePlan, dense: &[f32]) -> bool {
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

/// At least one channel, and not all.
fn kept(channels: usize, seed: u64) -> Vec<usize> {
    let noise = support::noise(channels, seed);
    let keep: Vec<usize> = (0..channels).filter(|&c| noise[c] > 0.0).collect();
    if keep.is_empty() || keep.len() == channels { vec![seed as usize % channels] } else { keep }
}

/// Every model with its outputs.
fn models() -> Vec<(String, Model, Vec<f32>)> {
    let hand = support::shapes().into_iter().map(|(name, bytes)| (name.to_owned(), bytes));
    // tract has no Einsum of this form, and there is nothing to prune in `nothing`.
    let all = hand.chain(support::exported()).filter(|(name, _)| name != "unknown_op" && name != "nothing");
    let folder = tempfile::tempdir().expect("a temporary folder");
    all.map(|(name, bytes)| {
        let path = folder.path().join("dense.onnx");
        std::fs::write(&path, &bytes).expect(&name);
        let model = Model::from_bytes(bytes).expect(&name);
        let dense = infer(&path, &model);
        (name, model, dense)
    })
    .collect()
}

/// The property, for a few random seeds; it answers one by one whether the removed channels had mattered.
///
/// Channels may be dead on the given images, but if most were the law would be proven for nothing.
fn for_seeds(cases: u32, property: impl Fn(u64) -> Vec<bool>) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&(1u64..1 << 40), |seed| {
        let mattered = property(seed);
        let alive = mattered.iter().filter(|alive| **alive).count();
        assert!(alive * 10 >= mattered.len() * 9, "{alive} of {} removals had mattered", mattered.len());
        Ok(())
    });
    result.expect("the property holds");
}

#[test]
fn every_group_alone() {
    let models = models();
    for_seeds(1, |seed| {
        let mut mattered = vec![];
        for (name, model, dense) in &models {
            for group in model.network().groups.iter().filter(|group| group.frozen.is_none()) {
                let plan = PrunePlan { groups: vec![GroupPlan::new(group, kept(group.channels, seed))] };
                mattered.push(check(&format!("{name}, {}", group.name), model, &plan, dense));
            }
        }
        mattered
    });
}

#[test]
fn branches_that_go() {
    let models = models();
    for_seeds(2, |seed| {
        let mut mattered = vec![];
        for (name, model, dense) in &models {
            let prunable: Vec<_> = model.network().groups.iter().filter(|group| group.frozen.is_none()).collect();
            let removable: Vec<_> = prunable.iter().filter(|group| group.removable).collect();
            for group in &removable {
                let plan = PrunePlan { groups: vec![GroupPlan::new(group, vec![])] };
                mattered.push(check(&format!("{name} without {}", group.name), model, &plan, dense));
                let patch = Patch::build(model, &plan).expect(name);
                assert!(patch.to_bytes().len() < Patch::exchange(model, [].into()).expect(name).to_bytes().len());
            }
            if removable.is_empty() {
                continue;
            }
            // All of them, and all others narrower.
            let narrowed = prunable.iter().enumerate().map(|(i, group)| {
                let keep = if group.removable { vec![] } else { kept(group.channels, seed + i as u64) };
                GroupPlan::new(group, keep)
            });
            mattered.push(check(&format!("{name} alone"), model, &PrunePlan { groups: narrowed.collect() }, dense));
        }
        assert!(mattered.len() > 20, "{} branches", mattered.len());
        mattered
    });
}

#[test]
fn all_groups_together() {
    let models = models();
    for_seeds(4, |seed| {
        let mut mattered = vec![];
        for (name, model, dense) in &models {
            let prunable = model.network().groups.iter().filter(|group| group.frozen.is_none());
            let groups = prunable.enumerate().map(|(i, g)| GroupPlan::new(g, kept(g.channels, seed + i as u64)));
            mattered.push(check(name, model, &PrunePlan { groups: groups.collect() }, dense));
        }
        mattered
    });
}
