//! Models made to hurt: deep, long, wide, empty or contradictory. Each is refused with a reason or survived.

mod support;
#[path = "support/survive.rs"]
mod survive;

use onnx_surgery::{Model, ModelError};
use support::{Attr, Message, Onnx, integers, stated, weights};
use survive::{Fate, survives};

/// It is refused, and the error contains these words.
#[track_caller]
fn refused(bytes: &[u8], words: &[&str]) {
    let Fate::Refused(error) = survives(bytes) else { panic!("this must not open: {words:?}") };
    let error = error.to_string();
    for word in words {
        assert!(error.contains(word), "`{error}` does not contain `{word}`");
    }
}

/// It opens, and the usual two plans can be applied.
#[track_caller]
fn patched(bytes: &[u8]) {
    let fate = survives(bytes);
    assert!(matches!(fate, Fate::Patched(2)), "{fate:?}");
}

fn chain() -> Onnx {
    Onnx::new(3, 6).conv("a", "image", 3, 8).head("a", 8)
}

/// The model with another field in its graph.
fn with_graph_field(model: &Onnx, field: &[u8]) -> Vec<u8> {
    let (mut bytes, graph) = (model.bytes(), model.graph());
    let at = bytes.windows(graph.0.len()).position(|window| window == graph.0).expect("the graph is in the model");
    let opset = bytes.split_off(at + graph.0.len());
    let message = Message::default().int(1, 8).text(2, "locp");
    let mut bytes = message.bytes(7, &[&graph.0, field].concat()).0;
    bytes.extend(opset);
    bytes
}

#[test]
fn groups_of_the_retired_encoding_nest_as_deep_as_the_decoder_allows() {
    // Field 99 as a group in a group in a group.
    let nested = |depth: usize| [[0x9b, 0x06].repeat(depth), [0x9c, 0x06].repeat(depth)].concat();
    for depth in [1, 31, 32, 33, 90] {
        patched(&with_graph_field(&chain(), &nested(depth)));
    }
    refused(&with_graph_field(&chain(), &nested(10_000)), &["recursion"]);
}

/// A node with `depth` graphs inside each other, the innermost of which reads `reads`.
fn nested(model: Onnx, depth: usize, reads: &str) -> Onnx {
    let relu = Message::default().text(1, reads).text(2, "inside").text(4, "Relu");
    let mut attribute = Message::default().text(1, "then_branch").inner(6, Message::default().inner(1, relu));
    for _ in 1..depth {
        let node = Message::default().text(1, "image").text(2, "between").text(4, "If").inner(5, attribute);
        attribute = Message::default().text(1, "then_branch").inner(6, Message::default().inner(1, node));
    }
    model.node_with("If", "branch", &["image"], &[], |node| node.inner(5, attribute.clone()))
}

#[test]
fn graphs_inside_graphs_are_read_as_deep_as_the_decoder_goes() {
    patched(&nested(chain(), 1, "image").bytes());
    patched(&nested(chain(), 30, "image").bytes());
    refused(&nested(chain(), 30, "nowhere").bytes(), &["`branch`", "`nowhere`"]);
    refused(&nested(chain(), 200, "image").bytes(), &["recursion"]);
}

#[test]
fn ten_thousand_graphs_inside_each_other_overflow_no_stack() {
    refused(&nested(chain(), 10_000, "image").bytes(), &["recursion"]);
}

#[test]
fn what_an_inner_graph_reads_is_frozen_at_any_depth() {
    let model = nested(chain(), 30, "a").bytes();
    let model = Model::from_bytes(model).expect("the tensor exists");
    let frozen = model.network().groups[0].frozen.clone().expect("the inner graph reads it");
    assert!(frozen.contains("`branch` (If)"), "{frozen}");
}

#[test]
fn a_chain_of_a_hundred_thousand_nodes_opens() {
    let mut model = Onnx::new(3, 4).conv("a", "image", 3, 6);
    let mut last = "a".to_owned();
    for i in 0..100_000 {
        let name = format!("r{i}");
        model = model.relu(&name, &last);
        last = name;
    }
    patched(&model.head(&last, 6).bytes());
}

#[test]
fn nodes_in_reverse_order_are_sorted_and_a_long_cycle_is_found() {
    let names: Vec<String> = (0..50_000).map(|i| format!("r{i}")).collect();
    let mut model = Onnx::new(3, 4);
    for i in (1..names.len()).rev() {
        model = model.relu(&names[i], &names[i - 1]);
    }
    let start = |from: &str| model.clone().conv("r0", from, 3, 6).head(names.last().expect("some"), 6).bytes();
    patched(&start("image"));
    refused(&start("r49999"), &["cycle", "export the model again"]);
}

#[test]
fn messages_without_content_take_no_memory_to_speak_of() {
    let million = 1_000_000;
    for field in [1, 5, 11, 12, 13] {
        let fate = survives(&with_graph_field(&chain(), &[field << 3 | 2, 0].repeat(million)));
        assert!(matches!(fate, Fate::Refused(_)), "field {field}: {fate:?}");
    }
    // Attributes of one node, inner graphs of one attribute, dims of one shape.
    let node = |attributes: &[u8]| {
        let node = Message::default().text(1, "a").text(2, "odd").text(4, "Mystery").0;
        with_graph_field(&chain(), &Message::default().bytes(1, &[&node, attributes].concat()).0)
    };
    survives(&node(&[5 << 3 | 2, 0].repeat(million)));
    survives(&node(&Message::default().bytes(5, &[11 << 3 | 2, 0].repeat(million)).0));
    let shape = Message::default().bytes(1, &Message::default().bytes(2, &[1 << 3 | 2, 0].repeat(million)).0);
    survives(&with_graph_field(
        &chain(),
        &Message::default().inner(13, Message::default().text(1, "a").inner(2, shape)).0,
    ));
}

#[test]
fn lists_of_a_million_numbers_are_refused_or_ignored() {
    let long = || Attr::Ints(vec![1; 1_000_000]);
    for name in ["strides", "pads", "dilations", "kernel_shape"] {
        let pool = [("kernel_shape", Attr::Ints(vec![1, 1])), (name, long())];
        let pool = if name == "kernel_shape" { &pool[1..] } else { &pool[..] };
        refused(&chain().node("MaxPool", "odd", &["a"], pool).bytes(), &["`odd`", name]);
    }
    refused(&chain().node("Transpose", "odd", &["a"], &[("perm", long())]).bytes(), &["`odd`"]);
    refused(&chain().node("ReduceMean", "odd", &["a"], &[("axes", long())]).bytes(), &["`odd`"]);
    survives(&chain().node("Constant", "odd", &[], &[("value_ints", long())]).bytes());
    // A tensor of a million axes.
    let many = (0..1_000_000).fold(Message::default(), |m, _| m.int(1, 1)).int(2, 1).text(8, "many").bytes(9, &[0; 4]);
    refused(&chain().initializer(many).bytes(), &["`many`"]);
    let wide = Onnx::default().input(stated("image", &vec![1; 1_000_000]));
    refused(&wide.relu("r", "image").conv("a", "r", 3, 8).bytes(), &["`image`"]);
}

#[test]
fn many_names_for_the_batch_take_no_time_to_speak_of() {
    // Each input's first dim has a name of its own, and so has each of the stated shapes' dims.
    let named = |name: &str, dim: &str, n: usize| {
        let shape = (0..n).fold(Message::default(), |m, _| m.inner(1, Message::default().text(2, dim)));
        let tensor = Message::default().int(1, 1).inner(2, shape);
        Message::default().text(1, name).inner(2, Message::default().inner(1, tensor))
    };
    let mut model = chain();
    for i in 0..40_000 {
        model = model.input(named(&format!("i{i}"), &format!("the batch of input number {i}"), 1));
        model = model.value_info(named(&format!("o{i}"), "the batch of input number -", 16));
        model = model.node("Mystery", &format!("o{i}"), &["image"], &[]);
    }
    let start = std::time::Instant::now();
    patched(&model.bytes());
    // Comparing all with all is 25 thousand million comparisons of texts.
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn a_tensor_that_a_constant_states_twice_is_refused() {
    // Protobuf merges what a singular message says twice: dims of 6 and dims of 6 are dims of 6, 6.
    let half =
        |dims: &[i64], raw: &[u8]| dims.iter().fold(Message::default(), |m, &d| m.int(1, d)).int(2, 1).bytes(9, raw);
    let attribute =
        Message::default().text(1, "value").inner(5, half(&[6, 3], &[])).inner(5, half(&[1, 1], &[0; 72])).int(20, 4);
    let model = Onnx::new(3, 4)
        .node_with("Constant", "w", &[], &[], |node| node.inner(5, attribute.clone()))
        .node("Conv", "a", &["image", "w"], &[])
        .head("a", 6);
    refused(&model.bytes(), &["twice"]);
}

#[test]
fn dims_may_be_anything() {
    let tensor = |dims: &[i64], bytes: usize| {
        let dims = dims.iter().fold(Message::default(), |m, &d| m.int(1, d));
        dims.int(2, 1).text(8, "w").bytes(9, &vec![0; bytes])
    };
    let conv =
        |tensor: Message| Onnx::new(3, 4).initializer(tensor).node("Conv", "c", &["image", "w"], &[]).head("c", 8);
    for odd in [0, -1, 1 << 31, 1 << 40, 1 << 62, i64::MAX, i64::MIN] {
        for axis in 0..4 {
            let mut dims = [8, 3, 1, 1];
            dims[axis] = odd;
            for bytes in [0, 96] {
                let Fate::Refused(error) = survives(&conv(tensor(&dims, bytes)).bytes()) else { panic!("{dims:?}") };
                let error = error.to_string();
                assert!(error.contains("`w`") || error.contains("`c`"), "{dims:?}: {error}");
            }
        }
    }
    patched(&conv(tensor(&[8, 3, 1, 1], 96)).bytes());
    refused(&conv(tensor(&[8, 3, 1, 1], 95)).bytes(), &["`w`", "95 bytes"]);
    refused(&conv(tensor(&[8, 3, 4], 384)).bytes(), &["`c`", "[1, 3, 4, 4]"]);
}

#[test]
fn shapes_that_contradict_each_other_are_refused_or_of_no_account() {
    let states = |name: &str, shape: &[usize]| chain().value_info(stated(name, shape)).bytes();
    for shape in [&[1, 8, 6, 6][..], &[0, 9, 6, 6], &[0], &[], &[0, 8, (1 << 31) - 1, 6], &[1; 60]] {
        for name in ["a", "image", "logits", "a.weight", "nothing"] {
            let fate = survives(&states(name, shape));
            assert!(matches!(fate, Fate::Patched(2)), "{name} {shape:?}: {fate:?}");
        }
    }
    let twice = chain().initializer(weights("a", &[8])).bytes();
    assert!(matches!(survives(&twice), Fate::Refused(ModelError::Duplicate { .. })));
    let twice = chain().relu("a", "image").bytes();
    assert!(matches!(survives(&twice), Fate::Refused(ModelError::Duplicate { .. })));
    let twice = chain().input(stated("image", &[0, 3, 6, 6])).bytes();
    assert!(matches!(survives(&twice), Fate::Refused(ModelError::Duplicate { .. })));
}

#[test]
fn names_may_be_empty_or_long() {
    let named = |n: usize| Onnx::new(3, 6).conv(&"n".repeat(n), "image", 3, 8).head(&"n".repeat(n), 8).bytes();
    patched(&named(4000));
    refused(&named(1 << 20), &["its name has"]);
    let model = chain().node_with("Relu", "", &["a"], &[], |node| node).bytes();
    patched(&model);
    survives(&chain().initializer(integers("", &[1])).bytes());
    survives(&chain().output("", &[0, 5]).bytes());
    survives(&chain().input(stated("", &[0, 5])).bytes());
}

#[test]
fn a_channel_repeated_millions_of_times_is_counted_and_not_spelled_out() {
    // Eight channels over (8, 2^22) positions, and as one axis: a list of those would take more than is allowed.
    let model = Onnx::new(3, 6)
        .conv("a", "image", 3, 8)
        .head("a", 8)
        .node("GlobalAveragePool", "one_each", &["a"], &[])
        .initializer(integers("long", &[1, 8, 1 << 22, 1]))
        .node("Expand", "spread", &["one_each", "long"], &[])
        .initializer(integers("as_one", &[1, -1]))
        .node("Reshape", "line", &["spread", "as_one"], &[])
        .relu("end", "line");
    patched(&model.bytes());
}
