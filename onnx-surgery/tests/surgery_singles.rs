//! Single channels that stand beside others may go as a whole.

#[path = "support/equivalence.rs"]
mod equivalence;
mod support;

use equivalence::check_all;
use netspec::{GroupPlan, PrunePlan};
use onnx_surgery::{Model, Patch};
use support::{Attr, Onnx, integers};

/// Blocks that widen a stream of four channels by one each; the shortcut is padded with zeros.
fn pyramid(blocks: usize) -> Onnx {
    let mut model =
        Onnx::new(3, 6).conv("stem", "image", 3, 4).initializer(integers("pads", &[0, 0, 0, 0, 0, 1, 0, 0]));
    let mut last = "stem".to_owned();
    for block in 0..blocks {
        let [conv, pad, sum] = ["conv", "pad", "sum"].map(|name| format!("{name}{block}"));
        model = model.conv(&conv, &last, 4 + block, 5 + block);
        model = model.node("Pad", &pad, &[&last, "pads"], &[]).node("Add", &sum, &[&conv, &pad], &[]);
        last = sum;
    }
    model.head(&last, 4 + blocks)
}

/// The widths of groups that can be pruned, and whether each may go as a whole.
fn free(model: &Model) -> Vec<(usize, bool)> {
    let free = model.network().groups.iter().filter(|group| group.frozen.is_none());
    free.map(|group| (group.channels, group.removable)).collect()
}

#[test]
fn the_channels_of_a_pyramid_may_go_one_by_one() {
    let model = Model::from_bytes(pyramid(3).bytes()).expect("a good model");
    assert_eq!(free(&model), [(4, false), (1, true), (1, true), (1, true)]);
    check_all("pyramid", pyramid(3).bytes());
    // All of them, so that nothing is padded any more.
    let singles = model.network().groups.iter().filter(|group| group.removable);
    let plan = PrunePlan { groups: singles.map(|group| GroupPlan::new(group, vec![])).collect() };
    let patch = Patch::build(&model, &plan).expect("a good plan");
    let pruned = Model::from_bytes(patch.to_bytes()).expect("a good model");
    let widths: Vec<usize> = pruned.network().layers.iter().map(|layer| layer.spec.c_out).collect();
    assert_eq!(widths, [4, 4, 4, 4, 5]);
}

#[test]
fn a_channel_that_is_alone_somewhere_stays() {
    let alone = Onnx::new(3, 6).conv("a", "image", 3, 1).conv("b", "a", 1, 4).head("b", 4);
    let alone = Model::from_bytes(alone.bytes()).expect("a good model");
    assert_eq!(free(&alone), [(4, false)]);
    // A Split takes the channel apart from the others.
    let part = Onnx::new(3, 6)
        .conv("a", "image", 3, 5)
        .initializer(integers("sizes", &[4, 1]))
        .node_with("Split", "left", &["a", "sizes"], &[("axis", Attr::Int(1))], |node| node.text(2, "right"))
        .conv("b", "left", 4, 4)
        .node("Mul", "gated", &["b", "right"], &[])
        .head("gated", 4);
    let part = Model::from_bytes(part.bytes()).expect("a good model");
    assert_eq!(free(&part), [(4, false), (4, false)]);
    // Two single channels that have only each other.
    let pair = Onnx::new(3, 6).conv("a", "image", 3, 1).conv("b", "image", 3, 1);
    let pair = pair.node("Concat", "both", &["a", "b"], &[("axis", Attr::Int(1))]).conv("c", "both", 2, 4).head("c", 4);
    let pair = Model::from_bytes(pair.bytes()).expect("a good model");
    assert_eq!(free(&pair), [(4, false)]);
}

#[test]
fn channels_that_cannot_go_keep_a_single_one_company() {
    let model = pyramid(1).output("stem", &[0, 4, 6, 6]);
    assert_eq!(free(&Model::from_bytes(model.bytes()).expect("a good model")), [(1, true)]);
    check_all("company", model.bytes());
}
