//! Sizes that a user states for a model's inputs.

mod support;

use netspec::{ConvSpec, GroupPlan, InputShape, InputSizes, PrunePlan};
use onnx_surgery::{Model, ModelError, Patch, SizeError};
use support::{F32, Onnx, value};

/// Two convolutions and a fully connected layer on images of any size.
fn any_size() -> Onnx {
    let model = Onnx::default().input(value("images", F32, &["N", "3", "H", "W"]));
    model.conv("a", "images", 3, 8).relu("a.act", "a").conv("b", "a.act", 8, 6).head("b", 6)
}

fn sizes(shapes: &[&str]) -> InputSizes {
    InputSizes::new(shapes.iter().map(|text| text.parse::<InputShape>().expect("a shape")))
}

fn open(model: &Onnx, shapes: &[&str]) -> Result<Model, ModelError> {
    Model::from_bytes_with(model.bytes(), &sizes(shapes))
}

fn specs(model: &Model) -> Vec<[usize; 4]> {
    let of = |spec: &ConvSpec| [spec.batch, spec.c_out, spec.height, spec.width];
    model.network().layers.iter().map(|layer| of(&layer.spec)).collect()
}

#[track_caller]
fn refused(model: &Onnx, sizes: &InputSizes) -> SizeError {
    match Model::from_bytes_with(model.bytes(), sizes) {
        Err(ModelError::Sizes(error)) => error,
        other => panic!("expected an error of sizes, got {other:?}"),
    }
}

#[test]
fn layers_are_known_at_the_stated_size_and_the_file_stays_dynamic() {
    let model = any_size();
    let unsized_model = open(&model, &[]).expect("it opens");
    // Behind the global pool sizes are known again.
    assert_eq!((specs(&unsized_model), unsized_model.network().untimed.len()), (vec![[1, 5, 1, 1]], 2));
    assert_eq!(unsized_model.input_dims(0), Some(vec![Some(1), Some(3), None, None]));
    let sized = open(&model, &["2x3x8x6"]).expect("it fits");
    assert_eq!((specs(&sized), sized.batch()), (vec![[2, 8, 8, 6], [2, 6, 8, 6], [2, 5, 1, 1]], 2));
    assert!(sized.network().untimed.is_empty());
    assert_eq!(sized.network().groups, unsized_model.network().groups);
    assert_eq!(sized.input_sizes(4), sizes(&["images=4x3x8x6"]).batch(4));

    let group = &sized.network().groups[0];
    let plan = PrunePlan { groups: vec![GroupPlan::new(group, vec![0, 3])] };
    let bytes = Patch::build(&sized, &plan).expect("it can be carried out").to_bytes();
    let pruned = Model::from_bytes_with(bytes.clone(), &sizes(&["1x3x4x10"])).expect("any size still fits");
    assert_eq!(specs(&pruned), vec![[1, 2, 4, 10], [1, 6, 4, 10], [1, 5, 1, 1]]);
    let port = &Model::from_bytes(bytes).expect("it opens").inputs()[0].clone();
    assert_eq!(port.shape, [None, Some(3), None, None]);
}

#[test]
fn dimensions_of_one_name_have_one_size() {
    let model = Onnx::default()
        .input(value("left", F32, &["N", "3", "S", "S"]))
        .input(value("right", F32, &["N", "3", "S", "7"]))
        .conv("a", "left", 3, 4)
        .conv("b", "right", 3, 4)
        .node("GlobalAveragePool", "one", &["b"], &[])
        .node("Add", "sum", &["a", "one"], &[])
        .head("sum", 4);
    let opened = open(&model, &["left=2x3x9x9"]).expect("the other input follows");
    assert_eq!(specs(&opened)[..2], [[2, 4, 9, 9], [2, 4, 9, 7]]);
    assert_eq!(opened.input_sizes(1).of("right", 2), Some(&[1, 3, 9, 7][..]));
    let error = refused(&model, &sizes(&["left=2x3x9x8"]));
    assert!(
        error.to_string().contains("`S` has two sizes: 9 on axis 2 of `left` and 8 on axis 3 of `left`"),
        "{error}"
    );
    let error = refused(&model, &sizes(&["left=2x3x9x9", "right=1x3x9x7"]));
    assert!(matches!(&error, SizeError::Symbol { symbol, .. } if symbol == "N"), "{error}");
}

#[test]
fn what_does_not_fit_is_named() {
    let model = any_size();
    let check = |shapes: &[&str], said: &str| {
        let error = refused(&model, &sizes(shapes)).to_string();
        assert!(error.contains(said), "{error}");
    };
    check(&["image=1x3x8x8"], "no input `image`, its inputs are `images`");
    check(&["images=3x8x8"], "`images` has 4 axes, but the stated shape has 3");
    check(&["images=1x4x8x8"], "axis 1 of the input `images` has the fixed size 3 in the file, not 4");
    check(&["1x3x8x8", "images=1x3x8x9"], "two shapes are stated for the input `images`");
    check(&["1x3x65536x65536"], "2^31");
    let none = InputSizes::new([InputShape::named("images", vec![1, 3, 0, 8])]);
    assert!(matches!(refused(&model, &none), SizeError::OutOfRange { .. }));
    let two = model.input(value("mask", F32, &["N", "1", "H", "W"]));
    assert!(
        matches!(refused(&two, &sizes(&["1x3x8x8"])), SizeError::NoName { inputs } if inputs == ["images", "mask"])
    );
}

#[test]
fn the_batch_is_stated_in_one_way_or_the_same_in_both() {
    let model = any_size();
    let batches = |sizes: InputSizes| {
        let opened = Model::from_bytes_with(model.bytes(), &sizes).expect("it fits");
        assert!(opened.network().layers.iter().all(|layer| layer.spec.batch == opened.batch()));
        opened.batch()
    };
    assert_eq!(batches(InputSizes::default()), 1);
    assert_eq!(batches(5.into()), 5);
    assert_eq!(batches(sizes(&["3x3x8x8"])), 3);
    assert_eq!(batches(sizes(&["3x3x8x8"]).batch(3)), 3);
    let error = refused(&model, &sizes(&["3x3x8x8"]).batch(4));
    assert_eq!(error, SizeError::Batch { input: "images".to_owned(), stated: 3, batch: 4 });
}

/// An image, and numbers that are joined to what is made of it.
fn two_inputs(rows: &str) -> Onnx {
    Onnx::default()
        .input(value("images", F32, &["N", "3", "8", "8"]))
        .input(value("meta", F32, &[rows, "6"]))
        .conv("a", "images", 3, 8)
        .node("GlobalAveragePool", "pooled", &["a"], &[])
        .node("Flatten", "flat", &["pooled"], &[])
        .fc("m", "meta", 6, 4)
        .node("Concat", "joined", &["flat", "m"], &[("axis", support::Attr::Int(1))])
        .fc("logits", "joined", 12, 5)
        .output("logits", &[0, 5])
}

#[test]
fn a_first_dimension_with_another_name_is_the_batch_too() {
    for rows in ["N", "M"] {
        let model = two_inputs(rows);
        let opened = Model::from_bytes_with(model.bytes(), &3.into()).expect("it fits");
        assert!(opened.network().untimed.is_empty() && specs(&opened).iter().all(|spec| spec[0] == 3), "{rows}");
        assert_eq!(opened.input_sizes(2).of("meta", 2), Some(&[2, 6][..]));
    }
    // Without a name nothing says what it counts.
    let opened = open(&two_inputs(""), &[]).expect("it opens");
    assert_eq!((opened.network().untimed.len(), opened.input_dims(1)), (1, Some(vec![None, Some(6)])));
    assert!(open(&two_inputs(""), &["meta=1x6"]).expect("it fits").network().untimed.is_empty());
}

#[test]
fn a_number_of_channels_is_not_taken_for_the_batch() {
    for (gate, batch) in [(&["C", "1", "1"][..], "N"), (&["C", "8", "8"][..], "N"), (&["C", "1", "1"][..], "1")] {
        let model = Onnx::default()
            .input(value("images", F32, &[batch, "3", "8", "8"]))
            .input(value("gate", F32, gate))
            .conv("a", "images", 3, 6)
            .node("Mul", "gated", &["a", "gate"], &[])
            .conv("b", "gated", 6, 4)
            .head("b", 4);
        let opened = open(&model, &[]).expect("it opens");
        assert_eq!(opened.input_dims(1).expect("three")[0], None, "{gate:?}");
        let of_a = opened.network().groups.iter().find(|group| group.name == "a").expect("a group");
        assert!(of_a.frozen.is_some(), "{gate:?}: {of_a:?}");
        let stated = format!("gate=6x{}x{}", gate[1], gate[2]);
        assert_eq!(open(&model, &[&stated]).expect("it fits").input_dims(1).expect("three")[0], Some(6));
    }
}

#[test]
fn a_stated_number_of_rows_is_not_the_batch() {
    let rows = |first: &str, last: &str| {
        Onnx::default()
            .input(value("images", F32, &["N", "3", "8", last]))
            .input(value("rows", F32, &[first, "6"]))
            .conv("a", "images", 3, 8)
            .fc("m", "rows", 6, 4)
            .node("ReduceMean", "mean", &["m"], &[])
            .node("Mul", "scaled", &["a", "mean"], &[])
            .head("scaled", 8)
    };
    let opened = open(&rows("M", "8"), &["images=2x3x8x8", "rows=5x6"]).expect("both are stated");
    assert_eq!(specs(&opened)[..2], [[2, 8, 8, 8], [5, 4, 1, 1]]);
    assert_eq!(opened.input_sizes(3).of("rows", 2), Some(&[5, 6][..]));
    // A name that is a width elsewhere counts no images.
    let opened = Model::from_bytes_with(rows("W", "W").bytes(), &2.into()).expect("it opens");
    assert_eq!(opened.input_dims(1), Some(vec![None, Some(6)]));
    let opened = open(&rows("W", "W"), &["images=2x3x8x7"]).expect("it fits");
    assert_eq!(opened.input_dims(1), Some(vec![Some(7), Some(6)]));
}

#[test]
fn metadata_are_read_as_text() {
    let model = Model::from_bytes(any_size().bytes_with(&[("stride", "32"), ("imgsz", "[640, 480]")])).expect("fine");
    assert_eq!((model.metadata("imgsz"), model.metadata("names")), (Some("[640, 480]"), None));
}
