//! Inputs that once broke something, each as small as it gets.

mod support;
#[path = "support/survive.rs"]
mod survive;

use support::{Attr, Message, Onnx, integers, weights};
use survive::{Fate, survives};

fn chain() -> Onnx {
    Onnx::new(3, 6).conv("a", "image", 3, 8)
}

/// A tensor that says it has these dims, of ONNX's type number 8 (texts), and has three bytes.
fn texts(name: &str, dims: &[i64]) -> Message {
    dims.iter().fold(Message::default(), |m, &d| m.int(1, d)).int(2, 8).text(8, name).bytes(9, &[0; 3])
}

#[test]
fn parameters_of_an_unknown_type_are_frozen_or_refused() {
    let model = ["s", "b", "m", "v"].iter().fold(chain(), |m, name| m.initializer(texts(name, &[8])));
    survives(&model.node("BatchNormalization", "n", &["a", "s", "b", "m", "v"], &[]).head("n", 8).bytes());
}

#[test]
fn factors_of_an_unknown_type_are_frozen_or_refused() {
    let model = chain().initializer(texts("s", &[8, 1, 1]));
    survives(&model.node("Mul", "n", &["a", "s"], &[]).head("n", 8).bytes());
}

#[test]
fn biases_of_an_unknown_type_are_frozen_or_refused() {
    let model = Onnx::new(3, 6).initializer(weights("w", &[8, 3, 1, 1])).initializer(texts("b", &[8]));
    survives(&model.node("Conv", "a", &["image", "w", "b"], &[]).head("a", 8).bytes());
}

#[test]
fn shapes_that_double_take_no_memory_to_speak_of() {
    let mut model = chain().node("Shape", "s0", &["a"], &[]);
    for i in 0..20 {
        let (from, to) = (format!("s{i}"), format!("s{}", i + 1));
        model = model.node("Concat", &to, &[&from, &from], &[("axis", Attr::Int(0))]);
    }
    survives(&model.head("a", 8).bytes());
}

#[test]
fn layers_that_share_a_weight_take_no_memory_to_speak_of() {
    let mut model = Onnx::new(1, 1).initializer(weights("w", &[20_000, 1, 1, 1]));
    for i in 0..400 {
        model = model.node("Conv", &format!("c{i}"), &["image", "w"], &[]);
    }
    survives(&model.bytes());
}

#[test]
fn a_constant_that_a_node_reads_often_takes_no_memory_to_speak_of() {
    let inputs: Vec<&str> = std::iter::once("a").chain(std::iter::repeat_n("w", 5000)).collect();
    let model = chain().initializer(weights("w", &[1, 8, 1, 6]));
    let model = model.node("Concat", "c", &inputs, &[("axis", Attr::Int(2))]);
    survives(&model.head("c", 8).bytes());
}

#[test]
fn images_of_2_to_the_64_pixels_are_refused() {
    let huge = i64::MAX;
    let model = Onnx::new(3, 6)
        .initializer(integers("shape", &[1, 3, huge, 8]))
        .node("Reshape", "b", &["image", "shape"], &[])
        .node("Concat", "c", &["b", "b"], &[("axis", Attr::Int(2))])
        .conv("d", "c", 3, 8)
        .head("d", 8);
    survives(&model.bytes());
}

#[test]
fn ranks_that_grow_take_no_memory_to_speak_of() {
    let mut model = chain().initializer(integers("axes", &(4..68).collect::<Vec<i64>>()));
    let mut last = "a".to_owned();
    for i in 0..500 {
        let name = format!("u{i}");
        model = model.node("Unsqueeze", &name, &[&last, "axes"], &[]);
        last = name;
    }
    survives(&model.head("a", 8).bytes());
}

#[test]
fn long_names_of_tensors_with_many_groups_take_no_memory_to_speak_of() {
    let long = "n".repeat(1 << 20);
    let mut model = Onnx::new(3, 6);
    let names: Vec<String> = (0..200).map(|i| format!("c{i}")).collect();
    for name in &names {
        model = model.conv(name, "image", 3, 1);
    }
    let inputs: Vec<&str> = names.iter().map(|name| &**name).collect();
    let model = model.node("Concat", "all", &inputs, &[("axis", Attr::Int(1))]).conv(&long, "all", 200, 8);
    survives(&model.head(&long, 8).bytes());
}

#[test]
fn many_groups_on_an_axis_take_no_time_to_speak_of() {
    let mut model = Onnx::new(1, 1).initializer(weights("w", &[1, 1, 1, 1]));
    let names: Vec<String> = (0..2_000).map(|i| format!("c{i}")).collect();
    for name in &names {
        model = model.initializer(weights(&format!("{name}.w"), &[1, 1, 1, 1]));
        model = model.node("Conv", name, &["image", &format!("{name}.w")], &[]);
    }
    let inputs: Vec<&str> = names.iter().map(|name| &**name).collect();
    model = model.node("Concat", "r0", &inputs, &[("axis", Attr::Int(1))]);
    for i in 0..50 {
        model = model.node("Elu", &format!("r{}", i + 1), &[&format!("r{i}")], &[]);
    }
    let start = std::time::Instant::now();
    survives(&model.bytes());
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn a_list_beside_a_single_number_stays_a_list() {
    let attribute = Message::default().text(1, "value_ints").int(3, 0).int(8, -1).int(8, 288).int(20, 7);
    let model = chain()
        .node_with("Constant", "shape", &[], &[], |node| node.inner(5, attribute.clone()))
        .node("Reshape", "flat", &["a", "shape"], &[])
        .fc("logits", "flat", 288, 5)
        .output("logits", &[0, 5]);
    let fate = survives(&model.bytes());
    assert!(matches!(fate, Fate::Patched(2)), "{fate:?}");
}

#[test]
fn a_single_channel_that_is_left_can_be_flattened() {
    let flat = |channels: usize| {
        let n = 36 * channels;
        let model = Onnx::new(3, 6).conv("a", "image", 3, channels).initializer(integers("shape", &[-1, n as i64]));
        model.node("Reshape", "flat", &["a", "shape"], &[]).fc("logits", "flat", n, 5).output("logits", &[0, 5]).bytes()
    };
    // The plan that keeps every second channel keeps one of two.
    let fate = survives(&flat(2));
    assert!(matches!(fate, Fate::Patched(2)), "{fate:?}");
    let model = onnx_surgery::Model::from_bytes(flat(1)).expect("it is a fine model");
    assert_eq!(model.network().layers.len(), 2, "both layers can be timed");
}

#[test]
fn large_images_that_are_turned_take_no_memory_to_speak_of() {
    let image = Onnx::default().input(support::stated("image", &[0, 3, 1 << 14, 1 << 14])).conv("a", "image", 3, 8);
    let turned = image.node("Transpose", "t", &["a"], &[("perm", Attr::Ints(vec![0, 2, 3, 1]))]);
    survives(&turned.node("Transpose", "u", &["t"], &[("perm", Attr::Ints(vec![0, 3, 1, 2]))]).head("u", 8).bytes());
}

#[test]
fn a_list_of_numbers_in_a_shape_of_another_size_is_no_list() {
    let model = chain()
        .initializer(integers("last", &[-1]))
        .initializer(integers("shape", &[1, 0, 2]))
        .initializer(integers("one", &[1]))
        .initializer(integers("two", &[2]))
        .node("Shape", "dims", &["a"], &[])
        .node("Gather", "side", &["dims", "last"], &[])
        .node("Reshape", "again", &["side", "shape"], &[])
        .node("Slice", "part", &["again", "one", "two", "two"], &[]);
    survives(&model.head("a", 8).bytes());
}
