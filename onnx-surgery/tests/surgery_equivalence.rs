//! Pruned networks compute what the original computes with the same channels disconnected.

#[path = "support/equivalence.rs"]
mod equivalence;
mod support;

use equivalence::{check, infer, kept};
use netspec::{GroupPlan, PrunePlan};
use onnx_surgery::{Model, Patch};
use proptest::test_runner::{Config, TestRunner};

/// Every model with its outputs.
fn models() -> Vec<(String, Model, Vec<f32>)> {
    let hand = support::shapes().into_iter().map(|(name, bytes)| (name.to_owned(), bytes));
    // tract does not have that operator, and there is nothing to prune in `nothing`.
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
