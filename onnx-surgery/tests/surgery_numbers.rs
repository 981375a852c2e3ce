//! Numbers that are computed from the number of channels, and constants that count more than one thing.

#[path = "support/equivalence.rs"]
mod equivalence;
mod support;

use equivalence::check_all;
use netspec::{GroupPlan, PrunePlan, Weights as _};
use onnx_surgery::{Model, Patch};
use support::groups::text;
use support::{Attr, Onnx, integers};

fn open(model: &Onnx) -> Model {
    Model::from_bytes(model.bytes()).expect("a good model")
}

/// The groups that can be pruned, as `name = group`.
fn free(model: &Onnx) -> Vec<String> {
    let model = open(model);
    let free = model.network().groups.iter().filter(|group| group.frozen.is_none());
    free.map(|group| format!("{} = {}", group.name, text(group))).collect()
}

/// `a` with this many channels, and `share`: their number divided by `parts`, rounded up, as `chunk` is exported.
fn chunked(channels: usize, parts: i64) -> Onnx {
    Onnx::new(3, 6)
        .conv("a", "image", 3, channels)
        .initializer(integers("zero", &[0]))
        .initializer(integers("one", &[1]))
        .initializer(integers("two", &[2]))
        .initializer(integers("three", &[3]))
        .initializer(integers("parts", &[parts]))
        .initializer(integers("less", &[parts - 1]))
        .node("Shape", "dims", &["a"], &[])
        .node("Gather", "channels", &["dims", "one"], &[])
        .node("Add", "more", &["channels", "less"], &[])
        .node("Div", "share", &["more", "parts"], &[])
}

const HALVES: &str = "[[0, 4], [1, 5], [2, 6], [3, 7]]";

#[test]
fn the_last_of_equal_slices_may_end_at_a_computed_number() {
    let model = chunked(8, 2)
        .node("Mul", "first", &["share", "one"], &[])
        .node("Mul", "second", &["share", "two"], &[])
        .node("Slice", "left", &["a", "zero", "first", "one"], &[])
        .node("Slice", "right", &["a", "first", "second", "one"], &[])
        .node("Sigmoid", "gate", &["right"], &[])
        .node("Mul", "gated", &["left", "gate"], &[])
        .head("gated", 4);
    let expected = format!("a = 4: >a.weight@0{HALVES} .a.bias@0{HALVES} logits.weight@1>");
    assert_eq!(free(&model), [expected]);
    check_all("halves", model.bytes());
}

#[test]
fn slices_may_start_at_a_share_times_zero_and_end_at_the_number_itself() {
    let model = chunked(9, 3)
        .node("Mul", "start", &["share", "zero"], &[])
        .node("Mul", "second", &["share", "two"], &[])
        .node("Slice", "p0", &["a", "start", "share", "one"], &[])
        .node("Slice", "p1", &["a", "share", "second", "one"], &[])
        .node("Slice", "p2", &["a", "second", "channels", "one"], &[])
        .node("Mul", "product", &["p0", "p1"], &[])
        .node("Add", "sum", &["product", "p2"], &[])
        .head("sum", 3);
    let thirds = "[[0, 3, 6], [1, 4, 7], [2, 5, 8]]";
    assert_eq!(free(&model), [format!("a = 3: >a.weight@0{thirds} .a.bias@0{thirds} logits.weight@1>")]);
    check_all("thirds", model.bytes());
}

#[test]
fn the_last_size_of_a_split_may_be_what_is_left() {
    let model = chunked(8, 2)
        .node("Sub", "rest", &["channels", "share"], &[])
        .node("Concat", "sizes", &["share", "rest"], &[("axis", Attr::Int(0))])
        .node_with("Split", "left", &["a", "sizes"], &[("axis", Attr::Int(1))], |node| node.text(2, "right"))
        .node("Sigmoid", "gate", &["right"], &[])
        .node("Mul", "gated", &["left", "gate"], &[])
        .head("gated", 4);
    assert_eq!(free(&model), [format!("a = 4: >a.weight@0{HALVES} .a.bias@0{HALVES} logits.weight@1>")]);
    check_all("rest", model.bytes());
}

#[test]
fn halves_of_an_odd_number_stay() {
    let model = chunked(9, 2)
        .node("Mul", "second", &["share", "two"], &[])
        .node("Slice", "left", &["a", "zero", "share", "one"], &[])
        .node("Slice", "right", &["a", "share", "second", "one"], &[])
        .conv("b", "left", 5, 4)
        .conv("c", "right", 4, 4)
        .node("Add", "sum", &["b", "c"], &[])
        .head("sum", 4);
    assert_eq!(free(&model).len(), 1, "{:?}", free(&model));
    check_all("odd", model.bytes());
}

/// `a` with six channels on images of 6x6 pixels, and its mean spread over all pixels again by one constant, `six`.
fn spread(sizes: [&str; 4]) -> Onnx {
    let axes = ("axes", Attr::Ints(vec![2, 3]));
    Onnx::new(3, 6)
        .conv("a", "image", 3, 6)
        .initializer(integers("zero", &[0]))
        .initializer(integers("one", &[1]))
        .initializer(integers("six", &[6]))
        .node("Shape", "dims", &["a"], &[])
        .node("Slice", "n", &["dims", "zero", "one"], &[])
        .node("ReduceMean", "mean", &["a"], &[axes])
        .node("Concat", "sizes", &sizes, &[("axis", Attr::Int(0))])
        .node("Expand", "spread", &["mean", "sizes"], &[])
        .node("Concat", "both", &["a", "spread"], &[("axis", Attr::Int(1))])
        .conv("c", "both", 12, 4)
        .head("c", 4)
}

#[test]
fn a_constant_that_counts_channels_and_pixels_gets_a_copy() {
    let model = spread(["n", "six", "six", "six"]);
    let repeated = "[[0, 6], [1, 7], [2, 8], [3, 9], [4, 10], [5, 11]]";
    assert_eq!(free(&model)[0], format!("a = 6: >a.weight@0 .a.bias@0 c.weight@1>{repeated}"));
    check_all("six", model.bytes());
    let model = open(&model);
    let plan = PrunePlan { groups: vec![GroupPlan::new(&model.network().groups[0], vec![1, 2, 5])] };
    let pruned = Model::from_bytes(Patch::build(&model, &plan).expect("a good plan").to_bytes()).expect("a good model");
    let numbers = |name: &str| pruned.get(name).and_then(|number| number.to_i64().ok());
    assert_eq!((numbers("six"), numbers("six.2")), (Some(vec![6]), Some(vec![3])));
}

#[test]
fn constants_behind_an_identity_are_told_apart_too() {
    let model = spread(["n", "other", "six", "other"]).node("Identity", "other", &["six"], &[]);
    assert!(free(&model)[0].starts_with("a = 6: "), "{:?}", free(&model));
    check_all("identity", model.bytes());
}
