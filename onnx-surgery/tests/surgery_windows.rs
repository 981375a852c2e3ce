//! Operators that move windows, grids and boxes over images, and what they do to channels on other axes.

#[path = "support/equivalence.rs"]
mod equivalence;
mod support;

use equivalence::check_all;
use onnx_surgery::Model;
use support::{Attr, Message, Onnx, integers, stated, weights};

fn ints(list: &[i64]) -> Attr {
    Attr::Ints(list.to_vec())
}

/// The names of groups that can be pruned.
fn free(model: &Onnx) -> Vec<String> {
    let model = Model::from_bytes(model.bytes()).expect("a good model");
    let free = model.network().groups.iter().filter(|group| group.frozen.is_none());
    free.map(|group| group.name.clone()).collect()
}

/// Layers as `name: spec`.
fn specs(model: &Onnx) -> Vec<String> {
    let model = Model::from_bytes(model.bytes()).expect("a good model");
    model.network().layers.iter().map(|layer| format!("{}: {}", layer.name, layer.spec)).collect()
}

/// Two convolutions in front, of which `b` meets something, and `c` and the head behind.
fn around(meets: impl Fn(Onnx) -> Onnx, last: &str, c_in: usize) -> Onnx {
    let model =
        Onnx::new(3, 6).conv("a", "image", 3, 6).node("LeakyRelu", "a.act", &["a"], &[]).conv("b", "a.act", 6, 8);
    meets(model).conv("c", last, c_in, 7).node("LeakyRelu", "c.act", &["c"], &[]).head("c.act", 7)
}

fn single(name: &str, value: f32) -> Message {
    Message::default().int(2, 1).text(8, name).bytes(9, &value.to_le_bytes())
}

#[test]
fn a_response_norm_as_torch_exports_it_freezes_what_it_mixes() {
    let pads = [0, 0, 1, 0, 0, 0, 0, 1, 0, 0];
    let model = around(
        |model| {
            model
                .initializer(integers("five", &[0, 1, 8, 6, 6]))
                .initializer(integers("four", &[0, 8, 6, 6]))
                .initializer(integers("pads", &pads))
                .initializer(single("alpha", 0.5))
                .initializer(single("k", 1.0))
                .initializer(single("beta", 0.75))
                .node("Mul", "square", &["b", "b"], &[])
                .node("Reshape", "planes", &["square", "five"], &[])
                .node("Pad", "padded", &["planes", "pads"], &[])
                .node(
                    "AveragePool",
                    "mean",
                    &["padded"],
                    &[("kernel_shape", ints(&[3, 1, 1])), ("strides", ints(&[1, 1, 1]))],
                )
                .node("Reshape", "again", &["mean", "four"], &[])
                .node("Mul", "scaled", &["again", "alpha"], &[])
                .node("Add", "shifted", &["scaled", "k"], &[])
                .node("Pow", "power", &["shifted", "beta"], &[])
                .node("Div", "normal", &["b", "power"], &[])
        },
        "normal",
        8,
    );
    assert_eq!(free(&model), ["a", "c"]);
    assert_eq!(specs(&model)[2], "c: 8>7 6x6 k3 p1 bias", "the size goes on behind it");
    check_all("lrn", model.bytes());
}

#[test]
fn a_pool_along_channels_freezes_them() {
    let maxout = around(
        |model| {
            model
                .initializer(integers("one", &[1]))
                .node("Unsqueeze", "planes", &["b", "one"], &[])
                .node(
                    "MaxPool",
                    "max",
                    &["planes"],
                    &[("kernel_shape", ints(&[2, 1, 1])), ("strides", ints(&[2, 1, 1]))],
                )
                .node("Squeeze", "maxout", &["max", "one"], &[])
        },
        "maxout",
        4,
    );
    assert_eq!(free(&maxout), ["a", "c"]);
    assert_eq!(specs(&maxout)[2], "c: 4>7 6x6 k3 p1 bias");
    check_all("maxout", maxout.bytes());
    let rows = around(
        |model| {
            model
                .initializer(integers("rows", &[0, 8, 36]))
                .initializer(integers("image.again", &[0, 8, 6, 6]))
                .node("Reshape", "b.rows", &["b", "rows"], &[])
                .node("Transpose", "last", &["b.rows"], &[("perm", ints(&[0, 2, 1]))])
                .node("AveragePool", "mean", &["last"], &[("kernel_shape", ints(&[3])), ("pads", ints(&[1, 1]))])
                .node("Transpose", "second", &["mean"], &[("perm", ints(&[0, 2, 1]))])
                .node("Reshape", "smooth", &["second", "image.again"], &[])
        },
        "smooth",
        8,
    );
    assert_eq!(free(&rows), ["a", "c"]);
    check_all("rows", rows.bytes());
}

#[test]
fn a_pool_whose_windows_are_single_channels_lets_them_pass() {
    let model = around(
        |model| {
            model
                .initializer(integers("one", &[1]))
                .node("Unsqueeze", "planes", &["b", "one"], &[])
                .node(
                    "MaxPool",
                    "max",
                    &["planes"],
                    &[("kernel_shape", ints(&[1, 2, 2])), ("strides", ints(&[1, 2, 2]))],
                )
                .node("Squeeze", "small", &["max", "one"], &[])
        },
        "small",
        8,
    );
    assert_eq!(free(&model), ["a", "b", "c"]);
    assert_eq!(specs(&model)[2], "c: 8>7 3x3 k3 p1 bias");
    check_all("planes", model.bytes());
}

#[test]
fn a_mask_that_drops_nothing_freezes_nothing() {
    let dropout = |model: Onnx| model.node_with("Dropout", "kept", &["b"], &[], |node| node.text(2, "mask"));
    let unread = around(dropout, "kept", 8);
    assert_eq!(free(&unread), ["a", "b", "c"]);
    check_all("unread", unread.bytes());
    // The mask keeps its shape if it is an output.
    assert_eq!(free(&unread.output("mask", &[0, 8, 6, 6])), ["a", "c"]);
}

#[test]
fn channels_pass_a_grid_and_its_coordinates_stay() {
    let model = around(
        |model| {
            model
                .initializer(weights("where.weight", &[2, 6, 1, 1]))
                .node("Conv", "where", &["a.act", "where.weight"], &[])
                .node("Tanh", "positions", &["where"], &[])
                .node("Transpose", "grid", &["positions"], &[("perm", ints(&[0, 2, 3, 1]))])
                .node("GridSample", "sampled", &["b", "grid"], &[])
        },
        "sampled",
        8,
    );
    assert_eq!(free(&model), ["a", "b", "c"]);
    assert!(specs(&model).contains(&"c: 8>7 6x6 k3 p1 bias".to_owned()));
    check_all("grid", model.bytes());
}

#[test]
fn channels_pass_the_boxes_of_an_image() {
    let model = Onnx::new(3, 6)
        .input(stated("boxes", &[5, 4]))
        .conv("a", "image", 3, 6)
        .initializer(weights("which.float", &[5]))
        .node("Cast", "which", &["which.float"], &[("to", Attr::Int(7))])
        .node(
            "RoiAlign",
            "rois",
            &["a", "boxes", "which"],
            &[("output_height", Attr::Int(2)), ("output_width", Attr::Int(3))],
        )
        .node("Flatten", "flat", &["rois"], &[])
        .fc("b", "flat", 36, 7)
        .fc("logits", "b", 7, 5)
        .output("logits", &[5, 5]);
    assert_eq!(free(&model), ["a", "b"]);
    assert_eq!(specs(&model)[1], "b: n5 36>7 1x1 k1 bias");
    // Boxes that are computed from an image are four numbers each.
    let computed = Onnx::new(3, 6)
        .conv("a", "image", 3, 6)
        .node("GlobalAveragePool", "pooled", &["a"], &[])
        .node("Flatten", "flat", &["pooled"], &[])
        .fc("boxes", "flat", 6, 4)
        .input(Message::default().text(1, "which"))
        .node("RoiAlign", "rois", &["a", "boxes", "which"], &[])
        .conv("c", "rois", 6, 7)
        .output("c", &[]);
    assert_eq!(free(&computed), ["a"]);
}

/// A pool with indices, and what puts them back.
fn unpooled(back: &[&str], more: &[(&str, Attr)]) -> Onnx {
    let window = [("kernel_shape", ints(&[2, 2])), ("strides", ints(&[2, 2]))];
    around(
        |model| {
            let pool = |node: Message| node.text(2, "indices");
            let model = model.node_with("MaxPool", "pool", &["b"], &window, pool).conv("d", "pool", 8, 8);
            model.node("MaxUnpool", "unpool", back, &[&window[..], more].concat())
        },
        "unpool",
        8,
    )
}

#[test]
fn channels_go_with_the_indices_by_which_they_are_unpooled() {
    let model = unpooled(&["d", "indices"], &[]);
    assert_eq!(free(&model), ["a", "b", "c"]);
    let opened = Model::from_bytes(model.bytes()).expect("a good model");
    let group = &opened.network().groups[1];
    let members: Vec<&str> = group.members.iter().map(|member| member.tensor.as_str()).collect();
    assert_eq!(members, ["b.weight", "b.bias", "d.weight", "d.weight", "d.bias", "c.weight"]);
    assert!(specs(&model).contains(&"c: 8>7 6x6 k3 p1 bias".to_owned()));
}

#[test]
fn indices_into_a_tensor_of_another_size_freeze() {
    // An index of a larger result is that of another channel's pixel.
    let wide = unpooled(&["d", "indices", "shape"], &[]).initializer(integers("shape", &[1, 8, 8, 8]));
    assert_eq!(free(&wide), ["a", "c"]);
    let same = unpooled(&["d", "indices", "shape"], &[]).initializer(integers("shape", &[1, 8, 6, 6]));
    assert_eq!(free(&same), ["a", "b", "c"]);
    let vast = unpooled(&["d", "indices", "shape"], &[]).initializer(integers("shape", &[1, i64::MAX, 6, 6]));
    assert_eq!(free(&vast), ["a", "c"]);
    let foreign = unpooled(&["d", "elsewhere"], &[]).input(stated("elsewhere", &[0, 8, 3, 3]));
    assert_eq!(free(&foreign), ["a", "b", "c"], "only what meets the foreign indices stays");
}

#[test]
fn indices_that_something_else_reads_freeze() {
    for op in ["Cast", "Neg"] {
        let read = unpooled(&["d", "indices"], &[]).node(op, "other", &["indices"], &[("to", Attr::Int(1))]);
        assert_eq!(free(&read), ["a", "c"], "{op}");
    }
    assert_eq!(free(&unpooled(&["d", "indices"], &[]).output("indices", &[0, 8, 3, 3])), ["a", "c"]);
    // Indices that are not read freeze nothing.
    assert_eq!(free(&unpooled(&["d", "d"], &[]).output("d", &[])), ["a", "b", "c"]);
}
