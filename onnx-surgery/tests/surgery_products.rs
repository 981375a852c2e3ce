//! Products with matrices of weights that are not written as Gemm or `x @ W`, and recurrent layers.

#[path = "support/equivalence.rs"]
mod equivalence;
mod support;

use equivalence::check_all;
use netspec::{GroupPlan, PrunePlan};
use onnx_surgery::{Model, Patch};
use support::groups::text;
use support::{Attr, Message, Onnx, integers, stated, weights};

fn ints(list: &[i64]) -> Attr {
    Attr::Ints(list.to_vec())
}

fn open(model: &Onnx) -> Model {
    Model::from_bytes(model.bytes()).expect("a good model")
}

/// The groups that can be pruned, as `name = group`.
fn free(model: &Onnx) -> Vec<String> {
    let model = open(model);
    let free = model.network().groups.iter().filter(|group| group.frozen.is_none());
    free.map(|group| format!("{} = {}", group.name, text(group))).collect()
}

/// Layers as `name: spec`.
fn specs(model: &Onnx) -> Vec<String> {
    open(model).network().layers.iter().map(|layer| format!("{}: {}", layer.name, layer.spec)).collect()
}

/// A convolution of six channels, on images of 4x4 pixels.
fn stem() -> Onnx {
    Onnx::new(3, 4).conv("a", "image", 3, 6).node("LeakyRelu", "a.act", &["a"], &[])
}

#[test]
fn weights_may_stand_on_the_left() {
    let model = stem()
        .initializer(integers("rows", &[0, 6, 16]))
        .initializer(integers("image.again", &[0, 7, 4, 4]))
        .initializer(weights("w", &[9, 6]))
        .initializer(weights("shift", &[9, 1]))
        .initializer(weights("v", &[7, 9]))
        .node("Reshape", "a.rows", &["a.act", "rows"], &[])
        .node("MatMul", "m", &["w", "a.rows"], &[])
        .node("Add", "m.shift", &["m", "shift"], &[])
        .node("LeakyRelu", "m.act", &["m.shift"], &[])
        .node("MatMul", "n", &["v", "m.act"], &[])
        .node("Reshape", "again", &["n", "image.again"], &[])
        .head("again", 7);
    let expected = ["a = 6: >a.weight@0 .a.bias@0 w@1>", "m = 9: >w@0 .shift@0 v@1>", "n = 7: >v@0 logits.weight@1>"];
    assert_eq!(free(&model), expected);
    assert_eq!(specs(&model)[1..3], ["m: 6>9 16x1 k1 bias", "n: 9>7 16x1 k1"]);
    check_all("left", model.bytes());
}

#[test]
fn weights_on_the_left_of_a_matrix_or_of_more_axes() {
    // Without a batch, and with an axis between batch and channels.
    let flat = Onnx::default()
        .input(stated("image", &[2, 8]))
        .initializer(weights("w", &[9, 2]))
        .initializer(weights("v", &[5, 9]))
        .node("MatMul", "m", &["w", "image"], &[])
        .node("MatMul", "logits", &["v", "m"], &[])
        .output("logits", &[5, 8]);
    assert_eq!(free(&flat), ["m = 9: >w@0 v@1>"]);
    assert_eq!(specs(&flat), ["m: 2>9 8x1 k1", "logits: 9>5 8x1 k1"]);
    check_all("flat", flat.bytes());
    let deep = stem()
        .initializer(weights("w", &[9, 6]))
        .initializer(weights("v", &[7, 9]))
        .node("Transpose", "turned", &["a.act"], &[("perm", ints(&[0, 2, 1, 3]))])
        .node("MatMul", "m", &["w", "turned"], &[])
        .node("MatMul", "n", &["v", "m"], &[])
        .node("Transpose", "back", &["n"], &[("perm", ints(&[0, 2, 1, 3]))])
        .head("back", 7);
    assert_eq!(specs(&deep)[1], "m: 6>9 16x1 k1");
    check_all("deep", deep.bytes());
}

/// An Einsum of the stem with weights of this shape, then `last` with seven channels on axis 1.
fn einsum(equation: &'static str, shape: &[usize], operands: [&str; 2]) -> Onnx {
    let model = stem().initializer(weights("w", shape));
    model.node("Einsum", "e", &operands, &[("equation", Attr::Text(equation))])
}

#[test]
fn a_convolution_of_one_pixel_may_be_an_einsum() {
    let forms: [(&str, &[usize], [&str; 2]); 6] = [
        ("nchw,oc->nohw", &[7, 6], ["a.act", "w"]),
        ("bdij,de->beij", &[6, 7], ["a.act", "w"]),
        ("oc, nchw -> nohw", &[7, 6], ["w", "a.act"]),
        ("zYxX,kY->zkxX", &[7, 6], ["a.act", "w"]),
        ("acde,cb", &[6, 7], ["a.act", "w"]),
        ("nc...,oc->no...", &[7, 6], ["a.act", "w"]),
    ];
    for (equation, shape, operands) in forms {
        // Without a result the letters come in their order, so the channels are the second of `abde`.
        let model = einsum(equation, shape, operands).node("LeakyRelu", "e.act", &["e"], &[]).head("e.act", 7);
        let (rows, columns) = if shape[0] == 7 { ("w@0", "w@1") } else { ("w@1", "w@0") };
        let expected = [format!("a = 6: >a.weight@0 .a.bias@0 {columns}>"), format!("e = 7: >{rows} logits.weight@1>")];
        assert_eq!(free(&model), expected, "{equation}");
        assert_eq!(specs(&model)[1], "e: 6>7 16x1 k1", "{equation}");
        check_all(equation, model.bytes());
    }
}

#[test]
fn channels_of_an_einsum_may_move() {
    // To the last axis, where a matrix stands on the right, and without weights.
    let model = einsum("nchw,oc->nhwo", &[7, 6], ["a.act", "w"])
        .initializer(weights("v", &[7, 8]))
        .node("MatMul", "m", &["e", "v"], &[])
        .node("Einsum", "turned", &["m"], &[("equation", Attr::Text("n...c->nc..."))])
        .head("turned", 8);
    let expected = ["a = 6: >a.weight@0 .a.bias@0 w@1>", "e = 7: >w@0 v@0>", "m = 8: >v@1 logits.weight@1>"];
    assert_eq!(free(&model), expected);
    check_all("moved", model.bytes());
}

#[test]
fn other_einsums_freeze_what_reaches_them_and_keep_the_sizes() {
    let forms: [(&str, &[usize], [&str; 2]); 5] = [
        // A weight per row, two axes that are summed, channels on the axis that stays, and products of activations.
        ("nchw,och->nohw", &[7, 6, 4], ["a.act", "w"]),
        ("nchw,ow->ncho", &[4, 4], ["a.act", "w"]),
        ("nchw,hw->nchw", &[4, 4], ["a.act", "w"]),
        ("nchw,nchw->nchw", &[1], ["a.act", "a.act"]),
        ("nchw,ndhw->ncd", &[1], ["a.act", "a.act"]),
    ];
    for (equation, shape, operands) in forms {
        let model = open(&einsum(equation, shape, operands).output("e", &[]));
        let a = &model.network().groups[0];
        assert!(a.frozen.as_ref().is_some_and(|reason| reason.contains("`e` (Einsum)")), "{equation}: {a:?}");
    }
    let sized = einsum("nchw,och->nohw", &[7, 6, 4], ["a.act", "w"]).conv("c", "e", 7, 5).output("c", &[]);
    assert_eq!(specs(&sized)[1], "c: 7>5 4x4 k3 p1 bias");
}

#[test]
fn equations_that_do_not_fit_are_refused() {
    let forms: [(&str, &[usize]); 6] = [
        ("nchw,oc,k->nohw", &[7, 6]),
        ("nchwx,oc->nohw", &[7, 6]),
        ("nchw,oc->nohz", &[7, 6]),
        ("nchw,oc->noho", &[7, 6]),
        ("nchw,oc->nohw", &[7, 5]),
        ("n......,oc->no", &[7, 6]),
    ];
    for (equation, shape) in forms {
        let model = einsum(equation, shape, ["a.act", "w"]).output("e", &[]);
        let error = Model::from_bytes(model.bytes()).expect_err(equation).to_string();
        assert!(error.contains("`e`"), "{equation}: {error}");
    }
}

/// A recurrent layer of eight states that reads the stem's rows, and `logits` of its states.
fn recurrent(op: &str, gates: usize, directions: usize, more: &[(&str, Attr)]) -> Onnx {
    let attributes = [&[("hidden_size", Attr::Int(8))], more].concat();
    stem()
        .node("ReduceMean", "mean", &["a.act"], &[("axes", ints(&[2])), ("keepdims", Attr::Int(0))])
        .node("Transpose", "steps", &["mean"], &[("perm", ints(&[2, 0, 1]))])
        .initializer(weights("w", &[directions, 8 * gates, 6]))
        .initializer(weights("r", &[directions, 8 * gates, 8]))
        .node_with(op, "states", &["steps", "w", "r"], &attributes, |node: Message| node.text(2, "last"))
        .node("Transpose", "turned", &["last"], &[("perm", ints(&[1, 0, 2]))])
        .node("Flatten", "flat", &["turned"], &[])
        .fc("b", "flat", 8 * directions, 7)
        .fc("logits", "b", 7, 5)
        .output("logits", &[0, 5])
}

#[test]
fn the_input_side_of_recurrent_layers_follows() {
    let both = [("direction", Attr::Text("bidirectional"))];
    for (op, gates) in [("LSTM", 4), ("GRU", 3), ("RNN", 1)] {
        let model = recurrent(op, gates, 1, &[]);
        let expected = ["a = 6: >a.weight@0 .a.bias@0 w@2>", "b = 7: >b.weight@0 .b.bias@0 logits.weight@1>"];
        assert_eq!(free(&model), expected, "{op}");
        assert_eq!(specs(&model)[1], "b: 8>7 1x1 k1 bias", "{op}: the size of the states is known");
        if op != "RNN" {
            check_all(op, model.bytes());
        }
        assert_eq!(free(&recurrent(op, gates, 2, &both)), expected, "{op}");
        assert_eq!(specs(&recurrent(op, gates, 2, &both))[1], "b: 16>7 1x1 k1 bias", "{op}");
    }
}

#[test]
fn the_layout_of_recurrent_layers_is_read() {
    let model = stem()
        .node("ReduceMean", "mean", &["a.act"], &[("axes", ints(&[2])), ("keepdims", Attr::Int(0))])
        .node("Transpose", "steps", &["mean"], &[("perm", ints(&[0, 2, 1]))])
        .initializer(weights("w", &[1, 24, 6]))
        .initializer(weights("r", &[1, 24, 8]))
        .node("GRU", "states", &["steps", "w", "r"], &[("hidden_size", Attr::Int(8)), ("layout", Attr::Int(1))])
        .initializer(integers("flat", &[-1, 4, 8]))
        .node("Reshape", "rows", &["states", "flat"], &[])
        .initializer(weights("v", &[8, 7]))
        .node("MatMul", "m", &["rows", "v"], &[])
        .output("m", &[0, 4, 7]);
    assert_eq!(free(&model), ["a = 6: >a.weight@0 .a.bias@0 w@2>"]);
    assert_eq!(specs(&model)[1], "m: 8>7 4x1 k1");
}

#[test]
fn states_that_are_computed_from_images_stay() {
    let model = stem()
        .node("ReduceMean", "mean", &["a.act"], &[("axes", ints(&[2])), ("keepdims", Attr::Int(0))])
        .node("Transpose", "steps", &["mean"], &[("perm", ints(&[2, 0, 1]))])
        .initializer(weights("w", &[1, 18, 6]))
        .initializer(weights("r", &[1, 18, 6]))
        .initializer(integers("zero", &[0]))
        .node("GlobalAveragePool", "pooled", &["a.act"], &[])
        .node("Flatten", "flat", &["pooled"], &[])
        .node("Unsqueeze", "first", &["flat", "zero"], &[])
        .node("GRU", "states", &["steps", "w", "r", "", "", "first"], &[("hidden_size", Attr::Int(6))])
        .output("states", &[]);
    assert_eq!(free(&model), [""; 0]);
}

#[test]
fn a_pruned_recurrent_layer_keeps_its_other_weights() {
    let model = open(&recurrent("LSTM", 4, 1, &[]));
    let plan = PrunePlan { groups: vec![GroupPlan::new(&model.network().groups[0], vec![1, 4])] };
    let pruned = Model::from_bytes(Patch::build(&model, &plan).expect("a good plan").to_bytes()).expect("a good model");
    use netspec::Weights as _;
    assert_eq!(pruned.get("w").expect("it stays").shape, [1, 32, 2]);
    assert_eq!(pruned.get("r").expect("it stays").shape, [1, 32, 8]);
}
