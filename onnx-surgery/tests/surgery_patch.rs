//! Patches as values: what they change, what they leave alone, how they are written.

mod support;

use netspec::{GroupPlan, PlanError, PrunePlan};
use onnx_surgery::{Change, Model, Patch, SurgeryError};
use proptest::prelude::*;
use std::path::Path;
use support::{Message, Onnx, stated, weights};

fn halved(model: &Model) -> PrunePlan {
    let prunable = model.network().groups.iter().filter(|group| group.frozen.is_none());
    PrunePlan { groups: prunable.map(|g| GroupPlan::new(g, (0..g.channels).step_by(2).collect())).collect() }
}

fn all_models() -> impl Iterator<Item = (String, Vec<u8>)> {
    support::shapes().into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).chain(support::exported())
}

#[test]
fn changing_nothing_copies_every_byte() {
    for (name, bytes) in all_models() {
        let model = Model::from_bytes(bytes.clone()).expect(&name);
        let keep_all = model.network().groups.iter().map(|group| GroupPlan::new(group, (0..group.channels).collect()));
        for plan in [PrunePlan::default(), PrunePlan { groups: keep_all.collect() }] {
            let patch = Patch::build(&model, &plan).expect(&name);
            assert_eq!(patch.to_string(), "nothing changes");
            assert!(patch.to_bytes() == bytes, "{name}");
        }
    }
}

/// The bytes of a pruned model hold this marker as often as the original's.
fn count(bytes: &[u8], marker: &[u8]) -> usize {
    bytes.windows(marker.len()).filter(|window| *window == marker).count()
}

#[test]
fn unknown_fields_survive_at_every_level() {
    const MARK: &str = "a field from the future";
    let mark = |message: Message| message.text(1999, MARK);
    let conv = [("group", support::Attr::Int(1))];
    let model = Onnx::new(3, 4)
        .initializer(mark(weights("a.weight", &[8, 3, 1, 1])))
        .node_with("Conv", "a", &["image", "a.weight"], &conv, mark)
        .value_info(mark(stated("a", &[0, 8, 4, 4])))
        .grouped("dw", "a", 8, 8, 8)
        .head("dw", 8);
    // Once more beside the graph, in a group of the retired encoding.
    let mut bytes = mark(Message(model.bytes())).0;
    bytes.extend([0x83, 0x40, 0x0a, 0x01, b'x', 0x84, 0x40]);
    let model = Model::from_bytes(bytes.clone()).expect("unknown fields are no error");
    let pruned = Patch::build(&model, &halved(&model)).expect("fine").to_bytes();
    assert_eq!(count(&bytes, MARK.as_bytes()), 4);
    assert_eq!(count(&pruned, MARK.as_bytes()), 4);
    assert!(pruned.ends_with(&[0x83, 0x40, 0x0a, 0x01, b'x', 0x84, 0x40]));
}

#[test]
fn stated_shapes_follow() {
    let model = Onnx::new(3, 4)
        .conv("a", "image", 3, 8)
        .value_info(stated("a", &[0, 8, 4, 4]))
        .value_info(stated("a.weight", &[8, 3, 3, 3]))
        .value_info(stated("pooled", &[0, 8, 1, 1]))
        // Older files list initializers among the inputs.
        .input(stated("a.bias", &[8]))
        .head("a", 8);
    let model = Model::from_bytes(model.bytes()).expect("fine");
    assert_eq!(model.inputs().len(), 1);
    let patch = Patch::build(&model, &halved(&model)).expect("fine");
    let changed = |tensor: &str| {
        let is_it = |change: &&Change| matches!(change, Change::Stated { tensor: t, axis: a, before: 8, after: 4 } if t == tensor && *a == usize::from(tensor == "a" || tensor == "pooled"));
        patch.changes().iter().filter(is_it).count()
    };
    for tensor in ["a", "a.weight", "a.bias", "pooled"] {
        assert_eq!(changed(tensor), 1, "{tensor}\n{patch}");
    }
    let pruned = patch.to_bytes();
    let halved: [(&str, &[usize]); 4] =
        [("a", &[0, 4, 4, 4]), ("a.weight", &[4, 3, 3, 3]), ("a.bias", &[4]), ("pooled", &[0, 4, 1, 1])];
    for (tensor, shape) in halved {
        assert_eq!(count(&pruned, &stated(tensor, shape).0), 1, "the file states the new shape of {tensor}");
    }
}

#[test]
fn a_patch_prints_as_a_diff() {
    let model = Model::from_bytes(support::shapes().remove(0).1).expect("fine");
    let group = &model.network().groups[0];
    let plan = PrunePlan { groups: vec![GroupPlan::new(group, vec![0, 4, 5])] };
    assert_eq!(
        Patch::build(&model, &plan).expect("fine").to_string(),
        "a.weight: axis 0: 6 -> 3 (without 1-3)\n\
         a.bias: axis 0: 6 -> 3 (without 1-3)\n\
         shape[1]: 96 -> 48\n\
         b.weight: axis 1: 96 -> 48 (without 16-63)"
    );
    assert_eq!(Patch::disconnect(&model, &plan).expect("fine").to_string(), "b.weight: axis 1 of 96: zero at 16-63");
}

#[test]
fn plans_for_other_models_are_refused() {
    let bytes = support::exported().into_iter().find(|(name, _)| name == "chain_ts").expect("chain_ts").1;
    let model = Model::from_bytes(bytes).expect("fine");
    let logits = model.network().groups.last().expect("a group");
    let frozen = PrunePlan { groups: vec![GroupPlan::new(logits, vec![0])] };
    let error = Patch::build(&model, &frozen).expect_err("the logits are frozen");
    assert!(matches!(&error, SurgeryError::Plan { source: PlanError::Frozen { .. } }));
    assert!(error.to_string().contains("logits"), "{error}");
    let mut other = GroupPlan::new(&model.network().groups[0], vec![0]);
    other.channels = 7;
    assert!(Patch::build(&model, &PrunePlan { groups: vec![other] }).is_err());
}

#[test]
fn files_are_replaced_whole_and_never_the_input() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = folder.path().join("model.onnx");
    let bytes = support::shapes().remove(0).1;
    std::fs::write(&source, &bytes).expect("writable");
    let model = Model::open(&source).expect("fine");
    let patch = Patch::build(&model, &halved(&model)).expect("fine");

    let by_detour = folder.path().join("../").join(folder.path().file_name().expect("a name")).join("model.onnx");
    for path in [source.as_path(), by_detour.as_path()] {
        assert!(matches!(patch.write(path), Err(SurgeryError::SameFile { .. })), "{}", path.display());
    }
    let missing = folder.path().join("nowhere/out.onnx");
    let error = patch.write(&missing).expect_err("there is no such folder");
    assert!(matches!(&error, SurgeryError::NoFolder { folder } if folder.ends_with("nowhere")), "{error}");

    let out = folder.path().join("out.onnx");
    std::fs::write(&out, "something else").expect("writable");
    patch.write(&out).expect("fine");
    assert!(std::fs::read(&out).expect("readable") == patch.to_bytes());
    assert!(std::fs::read(&source).expect("readable") == bytes, "the input is untouched");
    let names = |path: &Path| std::fs::read_dir(path).expect("readable").count();
    assert_eq!(names(folder.path()), 2, "no temporary file is left");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// Pruning to a set and then to a subset of it is pruning to the subset.
    #[test]
    fn patches_compose(which in 0usize..1000, seed in 1u64..1 << 40) {
        let models: Vec<_> = all_models().collect();
        let (name, bytes) = &models[which % models.len()];
        // Tensors that were given to two layers on the way stay two, although the last plan might let them be one.
        prop_assume!(*name != "shared");
        let model = Model::from_bytes(bytes.clone()).expect(name);
        let pick = |n: usize, seed: u64| {
            let noise = support::noise(n, seed);
            let picked: Vec<usize> = (0..n).filter(|&c| noise[c] > -0.2).collect();
            if picked.is_empty() { vec![0] } else { picked }
        };
        let prunable = || model.network().groups.iter().filter(|group| group.frozen.is_none());
        let first: Vec<Vec<usize>> = prunable().enumerate().map(|(i, g)| pick(g.channels, seed + i as u64)).collect();
        let plan = |keep: &[Vec<usize>], model: &Model| {
            // A group that is left with one channel counts as frozen; keeping that one is no change.
            let groups = model.network().groups.iter().filter(|g| !g.frozen.as_ref().is_some_and(|r| r.contains("Output") || r.contains("rule")));
            PrunePlan { groups: groups.zip(keep).map(|(g, keep)| GroupPlan::new(g, keep.clone())).collect() }
        };
        let once = Model::from_bytes(Patch::build(&model, &plan(&first, &model)).expect(name).to_bytes()).expect(name);
        // A grouped convolution that is left with one group is a dense one from then on, and makes groups of its own.
        prop_assume!(once.network().groups.len() == model.network().groups.len());
        let second: Vec<Vec<usize>> = first.iter().enumerate().map(|(i, k)| pick(k.len(), seed + 100 + i as u64)).collect();
        let twice = Patch::build(&once, &plan(&second, &once)).expect(name).to_bytes();
        let both: Vec<Vec<usize>> =
            first.iter().zip(&second).map(|(a, b)| b.iter().map(|&i| a[i]).collect()).collect();
        let direct = Patch::build(&model, &plan(&both, &model)).expect(name).to_bytes();
        prop_assert!(twice == direct, "{}", name);
    }
}
