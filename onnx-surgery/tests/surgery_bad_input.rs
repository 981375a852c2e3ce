//! Files that are no models, or bad ones: an error that says what and where, never a panic.

mod support;

use onnx_surgery::{Model, ModelError, Patch};
use proptest::prelude::*;
use std::sync::OnceLock;
use support::{Attr, Message, Onnx, integers, stated, weights};

/// Opening fails with one line that contains these words.
#[track_caller]
fn check(bytes: Vec<u8>, words: &[&str]) {
    let error = Model::from_bytes(bytes).expect_err("this must not open").to_string();
    for word in words {
        assert!(error.contains(word), "`{error}` does not contain `{word}`");
    }
    assert!(!error.contains('\n'), "`{error}` is more than one line");
}

fn chain() -> Onnx {
    Onnx::new(3, 6).conv("a", "image", 3, 8).head("a", 8)
}

#[test]
fn what_is_not_onnx_is_called_so() {
    check(vec![], &["not an ONNX model", "empty"]);
    check(b"PK\x03\x04 a zip archive, as torch.save writes it".to_vec(), &["not an ONNX model", "torch.onnx.export"]);
    check(b"<html><body>404</body></html>".to_vec(), &["not an ONNX model"]);
    check(vec![0; 4096], &["not an ONNX model"]);
    check(Message::default().int(1, 8).0, &["no graph"]);
    check(Message::default().int(1, 8).inner(7, Message::default()).inner(8, Message::default()).0, &["no nodes"]);
    let error = Model::open("no/such/file.onnx").expect_err("there is none");
    assert!(matches!(error, ModelError::Read { .. }) && error.to_string().contains("no/such/file.onnx"));
    assert!(matches!(Model::open(env!("CARGO_MANIFEST_DIR")), Err(ModelError::Read { .. })));
}

#[test]
fn a_truncated_file_is_called_so_at_any_length() {
    for (name, bytes) in support::exported().into_iter().take(4).chain([("chain".to_owned(), chain().bytes())]) {
        let step = bytes.len() / 400 + 1;
        for length in (8..bytes.len()).step_by(step) {
            let result = Model::from_bytes(bytes[..length].to_vec());
            let is_truncated = matches!(result, Err(ModelError::Truncated { .. }));
            assert!(is_truncated, "{name} at {length} of {}: {:?}", bytes.len(), result.err());
        }
    }
}

#[test]
fn contradictions_name_the_node_or_tensor() {
    let conv =
        |weight: Message| Onnx::new(3, 6).initializer(weight).node("Conv", "a", &["image", "w"], &[]).head("a", 8);
    check(conv(weights("w", &[8, 4, 3, 3])).bytes(), &["`a`", "Conv", "4 channels"]);
    check(conv(weights("w", &[8, 3])).bytes(), &["`a`", "[8, 3]"]);
    check(conv(weights("w", &[8, 3, 9, 9])).bytes(), &["`a`", "window"]);
    let short = Message::default().int(1, 8).int(1, 3).int(1, 3).int(1, 3).int(2, 1).text(8, "w").bytes(9, &[0; 100]);
    check(conv(short).bytes(), &["`w`", "100 bytes", "864"]);
    let huge = (0..4).fold(Message::default(), |m, _| m.int(1, 1 << 30)).int(2, 1).text(8, "w").bytes(9, &[0; 8]);
    check(conv(huge).bytes(), &["`w`", "overflows"]);
    let negative = Message::default().int(1, -8).int(2, 1).text(8, "w").bytes(9, &[]);
    check(conv(negative).bytes(), &["`w`", "-8"]);
    let outside = Message::default().int(1, 8).int(2, 1).text(8, "w").int(14, 1);
    check(conv(outside).bytes(), &["`w`", "outside the file", "external_data=False"]);
    check(chain().initializer(weights("a.weight", &[1])).bytes(), &["`a.weight`", "twice"]);
    check(chain().relu("b", "nowhere").bytes(), &["`b`", "Relu", "`nowhere`"]);
    check(chain().output("nothing", &[0, 5]).bytes(), &["`nothing`"]);
    check(chain().node("Add", "b", &["b", "a"], &[]).bytes(), &["`b`", "cycle"]);
    let zero_stride = [("strides", Attr::Ints(vec![0, 0])), ("kernel_shape", Attr::Ints(vec![2, 2]))];
    check(chain().node("MaxPool", "b", &["a"], &zero_stride).bytes(), &["`b`", "strides"]);
    check(chain().node("Concat", "b", &["a", "image"], &[("axis", Attr::Int(9))]).bytes(), &["`b`", "axes"]);
}

#[test]
fn a_model_without_layers_is_refused_with_the_first_reason() {
    let nothing = Onnx::new(3, 6).relu("a", "image").output("a", &[0, 3, 6, 6]);
    check(nothing.bytes(), &["no convolution"]);
    let model = Onnx::default().input(stated("image", &[0, 3, 0, 0])).conv("a", "image", 3, 8).head("a", 8);
    // The head's fully connected layer has a known shape even so.
    assert!(Model::from_bytes(model.bytes()).is_ok());
    let unknown = Onnx::new(3, 6).node("Mystery", "x", &["image"], &[]).conv("a", "x", 3, 8).output("a", &[0, 8, 6, 6]);
    // A convolution of unknown size can be pruned, but not timed, and says why.
    let unknown = Model::from_bytes(unknown.bytes()).expect("it has a convolution");
    let [untimed] = &unknown.network().untimed[..] else { panic!("one convolution") };
    assert_eq!(untimed.node, "a");
    assert!(untimed.reason.contains("size is unknown") && untimed.reason.contains("`x`"), "{untimed:?}");
}

#[test]
fn shapes_beyond_memory_cost_none() {
    // An axis of 2^31 - 1 positions, four times over, is 32 GB of labels.
    let wide = Onnx::default().input(stated("image", &[0, (1 << 31) - 1, 1, 1]));
    let four = ["image"; 4];
    let model = wide.conv("a", "image", 3, 8).node("Concat", "b", &four, &[]).head("a", 8);
    check(model.bytes(), &["`a`"]);
    let model = Onnx::default()
        .input(stated("image", &[0, 3, 1 << 12, 1 << 12]))
        .conv("a", "image", 3, 8)
        .node("Flatten", "b", &["a"], &[])
        .node("Concat", "c", &["b", "b"], &[("axis", Attr::Int(1))])
        .head("a", 8);
    check(model.bytes(), &["`c`", "too many channels"]);
    let both = Onnx::default().input(stated("image", &[0, 3, 6, 6])).input(stated("wide", &[0, (1 << 31) - 1, 6, 6]));
    let model =
        both.conv("a", "image", 3, 8).node("Concat", "b", &["a", "wide"], &[("axis", Attr::Int(1))]).head("a", 8);
    check(model.bytes(), &["`b`", "too many channels"]);
}

#[test]
fn a_model_with_nothing_to_prune_opens_and_says_why() {
    let (_, bytes) = support::exported().into_iter().find(|(name, _)| name == "nothing").expect("it is committed");
    let model = Model::from_bytes(bytes).expect("it is a fine model");
    assert!(model.network().groups.iter().all(|group| group.frozen.is_some()));
    assert_eq!(model.network().frozen.len(), 1);
}

/// Opens bytes, and if that succeeds goes on to the end.
fn go_as_far_as_possible(bytes: Vec<u8>) {
    let Ok(model) = Model::from_bytes(bytes) else { return };
    let prunable = model.network().groups.iter().filter(|group| group.frozen.is_none());
    let groups = prunable.map(|g| netspec::GroupPlan::new(g, (0..g.channels).step_by(2).collect()));
    let plan = netspec::PrunePlan { groups: groups.collect() };
    if let Ok(patch) = Patch::build(&model, &plan) {
        drop(Model::from_bytes(patch.to_bytes()));
    }
}

fn small_models() -> &'static [Vec<u8>] {
    static MODELS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    MODELS.get_or_init(|| {
        let exported = support::exported().into_iter().map(|(_, bytes)| bytes).filter(|bytes| bytes.len() < 20_000);
        support::shapes().into_iter().map(|(_, bytes)| bytes).chain(exported).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_bytes_never_panic(
        which in 0usize..1000,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0usize..3), 1..6),
    ) {
        let mut bytes = small_models()[which % small_models().len()].clone();
        for (place, value, kind) in changes {
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = value,
                1 => bytes[at] ^= 1 << (value % 8),
                _ => drop(bytes.remove(at)),
            }
        }
        go_as_far_as_possible(bytes);
    }

    #[test]
    fn noise_is_never_a_model(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Model::from_bytes(bytes).is_err());
    }
}

#[test]
fn numbers_in_shapes_may_be_anything() {
    for n in [0, -1, -2, 1, 7, 95, 97, i64::MAX, i64::MIN] {
        let model = Onnx::new(3, 4)
            .conv("a", "image", 3, 6)
            .initializer(integers("shape", &[n, 96]))
            .node("Reshape", "flat", &["a", "shape"], &[])
            .fc("logits", "flat", 96, 5)
            .output("logits", &[0, 5]);
        go_as_far_as_possible(model.bytes());
    }
}
