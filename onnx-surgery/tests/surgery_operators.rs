//! The channel groups around single operators: `tools/python/tiny_operators.py` has the models.

mod support;

use support::groups::{check, check_frozen, check_group, check_members, open};

const LOGITS: (&str, &str) = ("logits", "5 frozen: >logits.weight@0 .logits.bias@0");

#[test]
fn elementwise() {
    let stream =
        ["a.weight@0", "a.bias@0", "cap@0", "b.weight@1", "b.weight@0", "b.bias@0", "c.weight@1", "d.weight@1"];
    check_members("elementwise", "a", 8, &stream);
    check_members("elementwise", "c", 6, &["c.weight@0", "c.bias@0", "d.weight@0", "d.bias@0", "logits.weight@1"]);
    check_frozen("elementwise", &["logits"]);
}

#[test]
fn activations() {
    check(
        "activations",
        &[
            ("a", "6: >a.weight@0 .a.bias@0 b.weight@1>"),
            ("b", "8: >b.weight@0 .b.bias@0 c.weight@1>"),
            ("c", "6: >c.weight@0 .c.bias@0 d.weight@1>"),
            ("d", "8: >d.weight@0 .d.bias@0 e.weight@1>"),
            ("e", "6: >e.weight@0 .e.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn prelu() {
    check(
        "prelu",
        &[
            ("a", "8: >a.weight@0 .a.bias@0 .a.slope@0 b.weight@1>"),
            ("b", "6: >b.weight@0 .b.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn pools() {
    // Four kinds of global pools stand behind each other.
    let c = "6: >c.weight@0 .c.bias@0 logits.weight@1>[[0, 6, 12, 18], [1, 7, 13, 19], [2, 8, 14, 20], \
             [3, 9, 15, 21], [4, 10, 16, 22], [5, 11, 17, 23]]";
    check(
        "pools",
        &[
            ("a", "6: >a.weight@0 .a.bias@0 b.weight@1>"),
            ("b", "8: >b.weight@0 .b.bias@0 c.weight@1>"),
            ("c", c),
            LOGITS,
        ],
    );
}

#[test]
fn softmax_freezes_the_axis_that_it_sums() {
    check_group("softmax", "a", "8: >a.weight@0 .a.bias@0 b.weight@1>");
    check_group("softmax", "b", "6: >b.weight@0 .b.bias@0 c.weight@1>");
    check_group("softmax", "d", "8: >d.weight@0 .d.bias@0 logits.weight@1>");
    check_frozen("softmax", &["c", "logits"]);
}

#[test]
fn lrn_mixes_neighbors() {
    check_group("lrn", "b", "8: >b.weight@0 .b.bias@0 logits.weight@1>");
    check_frozen("lrn", &["a", "logits"]);
}

#[test]
fn instance_norm() {
    check(
        "instance_norm",
        &[
            ("a", "8: >a.weight@0 .a.bias@0 .a.in.scale@0 .a.in.bias@0 b.weight@1>"),
            ("b", "6: >b.weight@0 .b.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn group_norms_lose_whole_groups() {
    let b = ("b", "6: >b.weight@0 .b.bias@0 logits.weight@1>");
    let by_group = "4: >a.weight@0+0x2 .a.bias@0+0x2 .gn.scale@0 .gn.bias@0 b.weight@1>+0x2";
    check("group_norm_18", &[("a", by_group), b, LOGITS]);
    let by_channel = "4: >a.weight@0+0x2 .a.bias@0+0x2 .gn.scale@0+0x2 .gn.bias@0+0x2 b.weight@1>+0x2";
    check("group_norm_21", &[("a", by_channel), b, LOGITS]);
}

#[test]
fn group_norms_as_torch_exports_them() {
    // Reshape to groups, InstanceNormalization with a neutral scale and shift per group, Reshape back, Mul, Add.
    let wide = ["conv1.weight@0+0x2", "conv1.bias@0+0x2", "conv2.weight@1+0x2"];
    let narrow = ["conv2.weight@0", "conv2.bias@0", "fc.weight@1"];
    let check = |model, name, channels, known: [&str; 3], own: [&str; 4]| {
        check_members(model, name, channels, &[&known[..], &own[..]].concat());
    };
    let scale = ["/norm1/Constant_1_output_0@0", "/norm1/Constant_2_output_0@0"];
    check("group_norm_ts", "/conv1/Conv", 4, wide, [scale[0], scale[1], "onnx::Mul_44@0+0x2", "onnx::Add_45@0+0x2"]);
    let scale = ["/norm2/Constant_1_output_0@0", "/norm2/Constant_2_output_0@0"];
    check("group_norm_ts", "/conv2/Conv", 6, narrow, [scale[0], scale[1], "onnx::Mul_46@0", "onnx::Add_47@0"]);
    check("group_norm_dynamo", "node_conv2d", 4, wide, ["val_9@0", "val_12@0", "val_21@0+0x2", "val_23@0+0x2"]);
    check("group_norm_dynamo", "node_conv2d_1", 6, narrow, ["val_32@0", "val_35@0", "val_44@0", "val_46@0"]);
}

#[test]
fn conv3d() {
    check_group("conv3d", "a", "8: >a.weight@0 .a.bias@0 b.weight@1>");
    check_group("conv3d", "b", "6: >b.weight@0 .b.bias@0 c.weight@1>");
    check_frozen("conv3d", &["c"]);
    let model = open("conv3d");
    let macs: Vec<Option<u64>> = model.network().untimed.iter().map(|layer| layer.macs).collect();
    assert_eq!(macs, [8 * 27, 48 * 27, 24].map(|per_pixel| Some(512 * per_pixel)));
    let names: Vec<&str> = model.network().operators.iter().map(|operator| operator.name.as_str()).collect();
    assert!(["a", "b", "c"].iter().all(|name| names.contains(name)), "each costs by its elements: {names:?}");
}

#[test]
fn conv_transpose() {
    // Behind `up` stand four groups of two channels that read two and write three each.
    check_group("conv_transpose", "a", "6: >a.weight@0 .a.bias@0 up.weight@0>");
    let pairs = ["up.weight@1+0x2", "up.bias@0+0x2", "pairs.weight@0+0x2", "pairs.bias@0+0x3", "b.weight@1+0x3"];
    check_members("conv_transpose", "up", 4, &pairs);
    check_members("conv_transpose", "b", 6, &["b.weight@0", "b.bias@0", "dw.weight@0", "dw.bias@0", "c.weight@1"]);
    check_group("conv_transpose", "c", "8: >c.weight@0 .c.bias@0 logits.weight@1>");
    check_frozen("conv_transpose", &["logits"]);
}

#[test]
fn depth_to_space_ties_what_becomes_one_channel() {
    let strided = "[[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15]]";
    check(
        "depth_to_space",
        &[
            ("a", &format!("4: >a.weight@0{strided} .a.bias@0{strided} b.weight@1>")),
            ("b", "4: >b.weight@0+0x4 .b.bias@0+0x4 c.weight@1>"),
            ("c", "6: >c.weight@0 .c.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn a_pixel_shuffle_in_parts_is_depth_to_space() {
    check(
        "pixel_shuffle",
        &[
            ("a", "4: >a.weight@0+0x4 .a.bias@0+0x4 b.weight@1>"),
            ("b", "6: >b.weight@0 .b.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn space_to_depth_repeats_channels() {
    check(
        "space_to_depth",
        &[
            ("a", "4: >a.weight@0 .a.bias@0 b.weight@1>[[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15]]"),
            (
                "b",
                "6: >b.weight@0 .b.bias@0 c.weight@1>[[0, 6, 12, 18], [1, 7, 13, 19], [2, 8, 14, 20], [3, 9, 15, 21], \
                 [4, 10, 16, 22], [5, 11, 17, 23]]",
            ),
            ("c", "8: >c.weight@0 .c.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn gather_picks_channels() {
    // `b` reads channels 7, 5, 3, 1, 0, 2 and `c` all of them.
    let picked = "[[0], [1], [2], [3], [5], [7]]";
    let places = [
        format!("a.weight@0{picked}"),
        format!("a.bias@0{picked}"),
        "b.weight@1[[4], [3], [5], [2], [1], [0]]".to_owned(),
        format!("c.weight@1{picked}"),
    ];
    check_members("gather", "a", 6, &places.each_ref().map(String::as_str));
    check_members("gather", "a (2)", 2, &["a.weight@0[[4], [6]]", "a.bias@0[[4], [6]]", "c.weight@1[[4], [6]]"]);
    check_frozen("gather", &["logits"]);
}

#[test]
fn expand() {
    check(
        "expand",
        &[
            ("a", "8: >a.weight@0 .a.bias@0 b.weight@1> c.weight@1> d.weight@1>"),
            ("b", "6: >b.weight@0 .b.bias@0 d.weight@1>+8"),
            ("c", "4: >c.weight@0 .c.bias@0 d.weight@1>+14"),
            ("d", "6: >d.weight@0 .d.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn channels_may_stand_last() {
    check(
        "nhwc",
        &[
            ("a", "8: >a.weight@0 .a.shift@0 .a.scale@0 b.weight@0>"),
            ("b", "6: >b.weight@1 .b.shift@0 c.weight@1>"),
            ("c", "8: >c.weight@0 .c.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn layer_norm_freezes_the_stream_and_not_what_is_inside_a_block() {
    check_group("convnext", "pw1", "16: >pw1.weight@1 .pw1.bias@0 pw2.weight@0>");
    check_group("convnext", "c", "6: >c.weight@0 .c.bias@0 logits.weight@1>");
    check_frozen("convnext", &["stem", "logits"]);
    check_group("layer_norm_parts", "a", "6: >a.weight@0 .a.bias@0 b.weight@1>");
    check_group("layer_norm_parts", "c", "6: >c.weight@0 .c.bias@0 logits.weight@1>");
    check_frozen("layer_norm_parts", &["b", "logits"]);
}

#[test]
fn products_of_activations_freeze_what_they_multiply() {
    let stem = "8 residual: >stem.weight@0 .stem.bias@0 q.weight@1> k.weight@1> v.weight@1> >o.weight@0 .o.bias@0 \
                logits.weight@1>";
    check_group("attention", "stem", stem);
    check_frozen("attention", &["q", "k", "v", "logits"]);
}
