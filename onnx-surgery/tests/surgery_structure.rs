//! The groups, layers and operators that are found in known models.

mod support;

use netspec::{GroupPlan, PrunePlan, Weights, Width};
use onnx_surgery::{Model, Patch};
use support::groups::{check, check_group, open};
use support::{Attr, Onnx};

#[test]
fn a_chain_has_a_group_per_layer() {
    check(
        "chain_ts",
        &[
            ("/conv1/Conv", "8: >conv1.weight@0 .conv1.bias@0 conv2.weight@1>"),
            ("/conv2/Conv", "12: >conv2.weight@0 .conv2.bias@0 fc.weight@1>"),
            ("/fc/Gemm", "10 frozen: >fc.weight@0 .fc.bias@0"),
        ],
    );
}

#[test]
fn residual_streams_unite_producers() {
    check_group(
        "resnet_bn_ts",
        "/layer2/layer2.0/conv3/Conv",
        "32 residual: >layer2.0.conv3.weight@0 .layer2.0.bn3.weight@0 .layer2.0.bn3.bias@0 .layer2.0.bn3.running_mean@0 \
         .layer2.0.bn3.running_var@0 >layer2.0.downsample.0.weight@0 .layer2.0.downsample.1.weight@0 \
         .layer2.0.downsample.1.bias@0 .layer2.0.downsample.1.running_mean@0 .layer2.0.downsample.1.running_var@0 \
         layer3.0.conv1.weight@1> layer3.0.downsample.0.weight@1>",
    );
    for model in ["resnet_ts", "resnet_dynamo", "resnet_constants_ts", "resnet_bn_ts"] {
        let residual = open(model).network().groups.iter().filter(|group| group.residual).count();
        assert_eq!(residual, 4, "{model} has a stream per stage");
    }
}

#[test]
fn a_grouped_convolution_goes_by_whole_groups() {
    check_group(
        "grouped_ts",
        "/reduce/Conv",
        "4: >onnx::Conv_39@0+0x8 .onnx::Conv_40@0+0x8 .onnx::Conv_42@0+0x8 .onnx::Conv_43@0+0x8 onnx::Conv_45@1>+0x8",
    );
    check_group(
        "multiplier",
        "a",
        "3: >a.weight@0+0x2 .a.bias@0+0x2 .dw.weight@0+0x4 .dw.bias@0+0x4 .pairs.weight@0+0x4 .pairs.bias@0+0x4 \
         logits.weight@1>+0x4",
    );
}

#[test]
fn concatenation_shifts_positions() {
    check(
        "concats",
        &[
            ("a", "4: >a.weight@0 .a.bias@0 c.weight@1>[[0, 13], [1, 14], [2, 15], [3, 16]]"),
            ("b", "6: >b.weight@0 .b.bias@0 c.weight@1>+4"),
            ("c", "6: >c.weight@0 .c.bias@0 logits.weight@1>"),
            ("logits", "5 frozen: >logits.weight@0 .logits.bias@0"),
        ],
    );
    let model = open("concats");
    let c = model.network().layers.iter().find(|layer| layer.name == "c").expect("c");
    // The image's three channels are fixed, `a` is read twice.
    assert_eq!((c.inputs.fixed, c.inputs.at(|_| 1)), (3, 6));
}

#[test]
fn flattening_repeats_positions() {
    for model in ["flat_literal", "flat_chain", "listed_shape"] {
        let consumer = if model == "flat_literal" { "b" } else { "logits" };
        check_group(model, "a", &format!("6: >a.weight@0 .a.bias@0 {consumer}.weight@1>+0x16"));
    }
}

#[test]
fn squeeze_and_excitation_unites_gate_and_gated_without_a_residual_stream() {
    check_group("squeeze", "a", "8: >a.weight@0 .a.bias@0 down.weight@1> >up.weight@0 .up.bias@0 logits.weight@1>");
}

#[test]
fn a_weight_behind_an_identity_becomes_one_of_its_own() {
    // `alias` is `c.weight` under another name, and `d` has the bias of `b`: each layer gets what it needs.
    check(
        "shared",
        &[
            ("a", "6: >a.weight@0 .a.bias@0 b.weight@1>"),
            ("b", "6: >b.weight@0 .b.bias@0 c.weight@1>"),
            ("c", "6: >c.weight@0 .c.bias@0 alias@1>"),
            ("d", "6: >alias@0 .b.bias.2@0 logits.weight@1>"),
            ("logits", "5 frozen: >logits.weight@0 .logits.bias@0"),
        ],
    );
}

#[test]
fn an_operator_without_a_rule_freezes_what_reaches_it_and_nothing_else() {
    check(
        "unknown_op",
        &[
            ("a", "8: >a.weight@0 .a.bias@0 b.weight@1>"),
            ("b", "8 frozen: >b.weight@0 .b.bias@0"),
            ("c", "12: >c.weight@0 .c.bias@0 d.weight@1>"),
            ("d", "10 frozen: >d.weight@0 .d.bias@0"),
        ],
    );
    let model = open("unknown_op");
    let frozen: Vec<&str> = model.network().frozen.iter().map(|f| f.node.as_str()).collect();
    assert_eq!(frozen, ["picker", "logits"]);
    let untimed: Vec<&str> = model.network().untimed.iter().map(|layer| layer.node.as_str()).collect();
    assert_eq!(untimed, ["c", "d"], "the image's size is unknown behind the operator");
    assert_eq!(model.network().layers.len(), 2, "a layer of unknown size has no spec");
}

#[test]
fn a_weight_that_something_else_reads_is_copied() {
    let model = |op: &str| {
        Onnx::new(3, 6)
            .conv("a", "image", 3, 8)
            .conv("b", "a", 8, 8)
            .node(op, "other", &["b.weight"], &[])
            .head("b", 8)
            .output("other", &[8, 8, 3, 3])
            .bytes()
    };
    for op in ["Relu", "SomethingNew", "Identity"] {
        let model = Model::from_bytes(model(op)).expect(op);
        let [a, b, _] = &model.network().groups[..] else { panic!("three layers") };
        assert!(a.frozen.is_none() && b.frozen.is_none(), "{op} reads b.weight as it is, and b gets another one");
        let plan = PrunePlan { groups: vec![GroupPlan::new(b, vec![0, 3])] };
        let pruned = Model::from_bytes(Patch::build(&model, &plan).expect(op).to_bytes()).expect(op);
        let b = pruned.network().layers.iter().find(|layer| layer.name == "b").expect("b");
        assert_eq!(b.spec.c_out, 2);
        // An Identity's result becomes a tensor of its own; what any other node reads stays.
        let kept = if op == "Identity" { "other" } else { "b.weight" };
        assert_eq!(pruned.get(kept).expect("it stays").shape, [8, 8, 3, 3], "{op}");
    }
}

#[test]
fn layers_that_share_a_weight_by_name_go_on_sharing_it() {
    let model = Onnx::new(3, 6).conv("a", "image", 3, 8).conv("b", "a", 8, 8).node("Relu", "r", &["b"], &[]);
    let model = model.node("Conv", "again", &["r", "b.weight"], &[("pads", Attr::Ints(vec![1; 4]))]).head("again", 8);
    let model = Model::from_bytes(model.bytes()).expect("fine");
    let group = &model.network().groups[0];
    assert_eq!(group.members.iter().filter(|member| member.tensor == "b.weight").count(), 2, "{group:?}");
}

#[test]
fn a_shape_that_is_used_twice_is_copied() {
    let model = Onnx::new(3, 4)
        .conv("a", "image", 3, 6)
        .initializer(support::integers("shape", &[0, 96]))
        .node("Reshape", "flat", &["a", "shape"], &[])
        .node("Add", "other", &["shape", "shape"], &[])
        .fc("logits", "flat", 96, 5)
        .output("logits", &[0, 5])
        .output("other", &[2]);
    let model = Model::from_bytes(model.bytes()).expect("fine");
    let group = &model.network().groups[0];
    assert!(group.frozen.is_none());
    let patch = Patch::build(&model, &PrunePlan { groups: vec![GroupPlan::new(group, vec![1, 2, 5])] });
    let pruned = Model::from_bytes(patch.expect("a good plan").to_bytes()).expect("fine");
    assert_eq!(pruned.get("shape").and_then(|shape| shape.to_i64().ok()), Some(vec![0, 96]));
    assert_eq!(pruned.get("shape.2").and_then(|shape| shape.to_i64().ok()), Some(vec![0, 48]));
}

#[test]
fn both_exporters_give_the_same_network() {
    let structure = |name: &str| {
        let model = open(name);
        let network = model.network();
        let member = |m: &netspec::Member| (m.role as u8, m.axis, format!("{:?}", m.map));
        let groups: Vec<_> = network
            .groups
            .iter()
            .map(|group| {
                let mut members: Vec<_> = group.members.iter().map(member).collect();
                members.sort();
                (group.channels, group.residual, group.frozen.is_some(), members)
            })
            .collect();
        let layers: Vec<(String, Width, Width)> =
            network.layers.iter().map(|l| (l.spec.to_string(), l.inputs.clone(), l.outputs.clone())).collect();
        (groups, layers)
    };
    for topology in ["resnet", "vgg", "mobilenet", "densenet"] {
        assert_eq!(structure(&format!("{topology}_ts")), structure(&format!("{topology}_dynamo")), "{topology}");
    }
    // Weights as Constant nodes are the same network, too; BatchNormalization only adds parameters.
    assert_eq!(structure("resnet_ts"), structure("resnet_constants_ts"));
    assert_eq!(structure("resnet_ts").0.len(), structure("resnet_bn_ts").0.len());
}

/// Layers as `name: spec`, of those whose name contains the word.
#[track_caller]
fn check_specs(model: &str, word: &str, expect: &[&str]) {
    let model = open(model);
    let layers = model.network().layers.iter().filter(|layer| layer.name.contains(word));
    assert_eq!(layers.map(|layer| layer.spec.to_string()).collect::<Vec<_>>(), expect);
}

#[test]
fn epilogues_are_what_follows_the_convolution() {
    check_specs(
        "resnet_bn_ts",
        "layer2.0",
        &[
            "32>8 8x8 k1 bias relu",
            "8>8 8x8 k3 s2 p1 bias relu",
            // The later one of the two convolutions stores the sum.
            "8>32 4x4 k1 bias",
            "32>32 8x8 k1 s2 bias add relu",
        ],
    );
    check_specs("mobilenet_ts", "features.2/conv/conv.1", &["96>96 16x16 k3 s2 p1 g96 bias relu6"]);
    check_specs("silu", "a", &["3>6 6x6 k3 p1 bias silu"]);
    check_specs("matmul", "m", &["6>9 1x1 k1 bias sigmoid"]);
    check_specs("squeeze", "up", &["4>8 1x1 k3 p1 bias sigmoid"]);
}

#[test]
fn operators_cost_what_they_move() {
    let check = |model: &str, expect: &[(&str, &str, usize)]| {
        let model = open(model);
        let found = model.network().operators.iter();
        let found: Vec<_> = found.map(|o| (o.name.as_str(), o.op.as_str(), o.elements_per_channel)).collect();
        assert_eq!(found, expect);
    };
    // Of 6x6 pixels: an activation reads and writes 36, a gate adds one.
    check(
        "squeeze",
        &[
            ("a.act", "LeakyRelu", 72),
            ("squeezed", "GlobalAveragePool", 37),
            ("down.act", "LeakyRelu", 2),
            ("scaled", "Mul", 73),
            ("pooled", "GlobalAveragePool", 37),
        ],
    );
    check("silu", &[("pool", "MaxPool", 45), ("pooled", "GlobalAveragePool", 10)]);
    check("chain_ts", &[("/GlobalAveragePool", "GlobalAveragePool", 1025)]);
}

#[test]
fn a_batch_size_changes_specs_and_nothing_else() {
    for (name, bytes) in support::exported() {
        let model = Model::from_bytes(bytes.clone()).expect(&name);
        let at_four = Model::from_bytes_with(bytes, &4.into()).expect(&name);
        let mut at_four = at_four.network().clone();
        assert!(at_four.layers.iter().all(|layer| layer.spec.batch == 4), "{name}");
        at_four.layers.iter_mut().for_each(|layer| layer.spec.batch = 1);
        assert_eq!(&at_four, model.network(), "{name}");
    }
}

#[test]
fn a_fixed_batch_is_kept_and_no_other_is_pretended() {
    let mut model = Onnx::default().input(support::stated("image", &[2, 3, 6, 6])).conv("a", "image", 3, 4);
    model = model.head("a", 4);
    let open = |batch: Option<usize>| Model::from_bytes_with(model.bytes(), &batch.into());
    assert_eq!(open(None).expect("fine").network().layers[0].spec.batch, 2);
    assert!(open(Some(2)).is_ok());
    let error = open(Some(3)).expect_err("fixed").to_string();
    assert!(error.contains("`image`") && error.contains('2'), "{error}");
}

#[test]
fn windows_follow_onnx() {
    let out = |op: &str, side: usize, attributes: &[(&str, Attr)]| {
        let model = Onnx::new(3, side).conv("a", "image", 3, 4).node(op, "p", &["a"], attributes);
        let model = Model::from_bytes(model.conv("b", "p", 4, 4).head("b", 4).bytes()).expect("fine");
        model.network().layers[1].spec.height
    };
    let ints = |name, list: &[i64]| (name, Attr::Ints(list.to_vec()));
    let (kernel, strides) = (ints("kernel_shape", &[3, 3]), ints("strides", &[2, 2]));
    let pool = |more: Attr, name| [kernel.clone(), strides.clone(), (name, more)];
    assert_eq!(out("MaxPool", 8, &[kernel.clone(), strides.clone()]), 3);
    assert_eq!(out("MaxPool", 8, &pool(Attr::Int(1), "ceil_mode")), 4);
    // A window that would begin in the padding behind the image is left out: ONNX Runtime agrees.
    let padded =
        [ints("kernel_shape", &[1, 1]), strides.clone(), ints("pads", &[0, 0, 1, 1]), ("ceil_mode", Attr::Int(1))];
    assert_eq!(out("MaxPool", 8, &padded), 4);
    assert_eq!(out("AveragePool", 9, &pool(Attr::Text("SAME_UPPER"), "auto_pad")), 5);
    assert_eq!(out("MaxPool", 9, &pool(Attr::Text("VALID"), "auto_pad")), 4);
    assert_eq!(out("MaxPool", 9, &pool(Attr::Ints(vec![2, 2]), "dilations")), 3);
}

#[test]
fn weights_are_read_by_name() {
    use netspec::Weights;
    for name in ["resnet_bn_ts", "resnet_dynamo", "resnet_constants_ts", "typed"] {
        let model = open(name);
        for layer in &model.network().layers {
            let weight = model.get(&layer.weight).expect("every layer's weight is there");
            assert_eq!(weight.shape[..2], [layer.spec.c_out, layer.spec.c_in / layer.spec.groups], "{name}");
            assert!(weight.to_f32().expect("numbers").iter().any(|v| *v != 0.0));
        }
        assert!(model.get("nothing of this name").is_none());
    }
}
